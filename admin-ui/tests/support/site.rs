//! A console on a loopback port: serves the sample pages under their policy, remembers what was posted.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use chancery_admin_ui::{CONTENT_SECURITY_POLICY, asset};
use percent_encoding::percent_decode_str;

/// One form as it arrived: its path and fields.
pub(crate) type Posted = (String, HashMap<String, String>);

pub(crate) struct Site {
    address: SocketAddr,
    posted: Arc<Mutex<Vec<Posted>>>,
}

impl Site {
    /// `answer` names the page that answers every form.
    pub(crate) fn open(pages: Vec<(&'static str, String)>, answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let posted = Arc::new(Mutex::new(Vec::new()));
        let pages: Arc<HashMap<_, _>> = Arc::new(pages.into_iter().collect());
        let log = Arc::clone(&posted);
        // Ends with the test's process: the thread holds nothing but the port.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (pages, log) = (Arc::clone(&pages), Arc::clone(&log));
                thread::spawn(move || serve(stream, &pages, answer, &log));
            }
        });
        Self { address, posted }
    }

    pub(crate) fn url(&self, page: &str) -> String {
        format!("http://{}/{page}", self.address)
    }

    pub(crate) fn posted(&self) -> Vec<Posted> {
        self.posted.lock().expect("the log").clone()
    }
}

fn serve(
    stream: TcpStream,
    pages: &HashMap<&str, String>,
    answer: &str,
    log: &Mutex<Vec<Posted>>,
) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if header.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;

    let file = path.split('?').next()?.trim_start_matches('/');
    let (status, kind, bytes) = if method == "POST" {
        log.lock().ok()?.push((path.clone(), fields(&String::from_utf8(body).ok()?)));
        ("200 OK", "text/html; charset=utf-8", pages.get(answer)?.as_bytes())
    } else if let Some(asset) = file.strip_prefix("assets/").and_then(asset) {
        ("200 OK", asset.content_type, asset.bytes)
    } else if let Some(html) = pages.get(file) {
        ("200 OK", "text/html; charset=utf-8", html.as_bytes())
    } else {
        ("404 Not Found", "text/plain", &b"nothing here"[..])
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nContent-Security-Policy: {CONTENT_SECURITY_POLICY}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        bytes.len()
    );
    let mut stream = reader.into_inner();
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(bytes).ok()
}

fn fields(body: &str) -> HashMap<String, String> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    body.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}
