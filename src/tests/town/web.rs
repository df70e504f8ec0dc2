//! A small HTTPS client with a jar for cookies: what a browser without scripts does, and requests no browser would make.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::Town;
use super::client::{PATIENCE, tls_config};

/// A visitor of the console.
pub(crate) struct Web {
    address: SocketAddr,
    config: Arc<ClientConfig>,
    cookies: BTreeMap<String, String>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// The body as it came.
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    /// A header's value, by its lower-case name; empty when there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// The token in the page's forms.
    pub(crate) fn csrf(&self) -> String {
        self.between("name=\"csrf\" value=\"", "\"")
    }

    /// What stands between two texts in the body.
    pub(crate) fn between(&self, before: &str, after: &str) -> String {
        let found =
            self.body.split_once(before).and_then(|(_, rest)| Some(rest.split_once(after)?.0.to_owned()));
        found.unwrap_or_else(|| panic!("no {before:?} in an answer of {}: {}", self.status, self.body))
    }
}

impl Web {
    /// Somebody whom the console does not know.
    pub(crate) fn new(town: &Town) -> Self {
        let config = tls_config(&town.root(), None, &["http/1.1"]);
        Self { address: town.door("https"), config, cookies: BTreeMap::new() }
    }

    /// The same browser, elsewhere: with a copy of its cookies.
    pub(crate) fn copy(&self) -> Self {
        Self { address: self.address, config: self.config.clone(), cookies: self.cookies.clone() }
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.request("GET", path, &[], b"")
    }

    /// The same with further headers.
    pub(crate) fn get_with(&mut self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.request("GET", path, headers, b"")
    }

    /// A page that is there.
    pub(crate) fn page(&mut self, path: &str) -> Answer {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer
    }

    /// Sends a form as it stands.
    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_with(path, &[], fields)
    }

    /// The same with further headers.
    pub(crate) fn post_with(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        fields: &[(&str, &str)],
    ) -> Answer {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let pairs: Vec<_> =
            fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let headers = [headers, &[("Content-Type", "application/x-www-form-urlencoded")]].concat();
        self.request("POST", path, &headers, pairs.join("&").as_bytes())
    }

    /// Opens a page and sends one of its forms with its token; follows where that leads.
    pub(crate) fn submit(&mut self, page: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
        let csrf = self.page(page).csrf();
        let fields = [fields, &[("csrf", csrf.as_str())]].concat();
        let answer = self.post(action, &fields);
        match answer.status {
            303 => {
                let location = answer.header("location").to_owned();
                self.page(&location)
            }
            _ => answer,
        }
    }

    fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let socket = TcpStream::connect_timeout(&self.address, PATIENCE).expect("the door is open");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let name = ServerName::try_from("localhost").expect("a host name");
        let connection = ClientConnection::new(self.config.clone(), name).expect("a TLS client");
        let mut stream = StreamOwned::new(connection, socket);
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut all = headers.to_vec();
        if !cookies.is_empty() {
            all.push(("Cookie", &cookies));
        }
        let host = format!("localhost:{}", self.address.port());
        let answer = exchange(&mut stream, method, &host, path, &all, body);
        self.keep_cookies(&answer);
        answer
    }

    fn keep_cookies(&mut self, answer: &Answer) {
        for (_, line) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            assert!(
                line.contains("Secure") && line.contains("HttpOnly") && line.contains("SameSite=Strict"),
                "{line}"
            );
            let (name, value) =
                line.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            match line.contains("Max-Age=0") {
                true => drop(self.cookies.remove(name)),
                false => drop(self.cookies.insert(name.to_owned(), value.to_owned())),
            }
        }
    }
}

/// A connection that is kept from one request to the next, to a door with TLS or without.
pub(crate) struct Line {
    address: SocketAddr,
    config: Option<Arc<ClientConfig>>,
    stream: Option<Box<dyn Stream>>,
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Line {
    pub(crate) fn https(town: &Town) -> Self {
        let config = tls_config(&town.root(), None, &["http/1.1"]);
        Self { address: town.door("https"), config: Some(config), stream: None }
    }

    pub(crate) fn http(town: &Town) -> Self {
        Self { address: town.door("http"), config: None, stream: None }
    }

    /// The host as a client names it.
    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    /// One request; `announced` is the length that it says it has, of which the daemon may not wait for all.
    pub(crate) fn say(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        announced: usize,
    ) -> Answer {
        let host = self.host();
        let ask =
            |stream: &mut Box<dyn Stream>| converse(stream, method, &host, path, headers, body, announced);
        // The daemon may have hung up after the last answer, as it does where it did not read all.
        let kept = self.stream.take().and_then(|mut stream| Some((ask(&mut stream)?, stream)));
        let (answer, stream) = kept.unwrap_or_else(|| {
            let mut stream = self.open();
            let answer = ask(&mut stream);
            (answer.unwrap_or_else(|| panic!("no answer to {method} {path}")), stream)
        });
        if announced == body.len() && answer.header("connection") != "close" {
            self.stream = Some(stream);
        }
        answer
    }

    fn open(&self) -> Box<dyn Stream> {
        let socket = TcpStream::connect_timeout(&self.address, PATIENCE).expect("the door is open");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
        socket.set_nodelay(true).expect("a socket");
        let Some(config) = &self.config else { return Box::new(socket) };
        let name = ServerName::try_from("localhost").expect("a host name");
        let connection = ClientConnection::new(config.clone(), name).expect("a TLS client");
        Box::new(StreamOwned::new(connection, socket))
    }
}

/// One request and its answer on a fresh connection (RFC 9112).
pub(crate) fn exchange(
    stream: &mut (impl Read + Write),
    method: &str,
    host: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let answer = try_exchange(stream, method, host, path, headers, body);
    answer.unwrap_or_else(|| panic!("no answer to {method} {path}"))
}

/// The same with whoever may be gone before it answers; what it began to say counts.
pub(crate) fn try_exchange(
    stream: &mut (impl Read + Write),
    method: &str,
    host: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<Answer> {
    let headers = [headers, &[("Connection", "close")]].concat();
    converse(stream, method, host, path, &headers, body, body.len())
}

/// One request and its answer, if there is one.
fn converse(
    stream: &mut (impl Read + Write),
    method: &str,
    host: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    announced: usize,
) -> Option<Answer> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("Content-Length: {announced}\r\n\r\n");
    // A server that has heard enough may answer before the end.
    let _ = stream.write_all(&[head.as_bytes(), body].concat()).and_then(|()| stream.flush());
    let mut heard = Vec::new();
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        heard.extend(&buffer[..count]);
        if is_whole(&heard) {
            break;
        }
    }
    parse(&heard)
}

fn split_head(heard: &[u8]) -> Option<(String, &[u8])> {
    let at = heard.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some((String::from_utf8_lossy(&heard[..at]).into_owned(), &heard[at + 4..]))
}

/// Whether an answer with a length is all there; others end with the connection.
fn is_whole(heard: &[u8]) -> bool {
    let Some((head, body)) = split_head(heard) else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    length.is_some_and(|length| body.len() >= length)
}

fn parse(heard: &[u8]) -> Option<Answer> {
    let (head, body) = split_head(heard)?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let chunked =
        headers.iter().any(|(name, value)| name == "transfer-encoding" && value.contains("chunked"));
    let body = if chunked { unchunk(body) } else { body.to_vec() };
    Some(Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned(), bytes: body })
}

/// RFC 9112 section 7.1.
fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(at) = body.windows(2).position(|window| window == b"\r\n") {
        let size = String::from_utf8_lossy(&body[..at]).into_owned();
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 || body.len() < at + 2 + size {
            break;
        }
        whole.extend(&body[at + 2..at + 2 + size]);
        body = body.get(at + 4 + size..).unwrap_or_default();
    }
    whole
}
