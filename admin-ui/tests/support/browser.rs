//! A headless Chromium, driven over W3C WebDriver by chromedriver.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    home: TempDir,
}

impl Browser {
    pub(crate) fn open() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed");
        let mut browser = Self { driver, port, session: String::new(), home };
        patiently("chromedriver answers", || {
            request(port, "GET", "/status", None).filter(|it| it["value"]["ready"] == true)
        });
        let opened = request(port, "POST", "/session", Some(browser.wishes())).expect("a session");
        browser.session =
            opened["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("{opened}")).to_owned();
        browser
    }

    fn wishes(&self) -> Value {
        let profile = format!("--user-data-dir={}", self.home.path().join("profile").display());
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            profile.as_str(),
        ];
        json!({"capabilities": {"alwaysMatch": {
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {
                "args": arguments,
                "prefs": {"download.default_directory": self.downloads(), "download.prompt_for_download": false},
            },
        }}})
    }

    fn downloads(&self) -> PathBuf {
        self.home.path().join("downloads")
    }

    fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let path = format!("/session/{}{path}", self.session);
        let answer = request(self.port, method, &path, body).unwrap_or_else(|| panic!("no answer to {path}"));
        assert!(answer["value"]["error"].is_null(), "{path}: {}", answer["value"]["message"]);
        answer["value"].clone()
    }

    pub(crate) fn visit(&self, url: &str) {
        self.ask("POST", "/url", Some(json!({"url": url})));
    }

    fn find(&self, css: &str) -> String {
        let found = self.ask("POST", "/element", Some(json!({"using": "css selector", "value": css})));
        found.as_object().and_then(|it| it.values().next()).and_then(Value::as_str).expect(css).to_owned()
    }

    pub(crate) fn click(&self, css: &str) {
        self.ask("POST", &format!("/element/{}/click", self.find(css)), Some(json!({})));
    }

    pub(crate) fn write(&self, css: &str, text: &str) {
        self.ask("POST", &format!("/element/{}/value", self.find(css)), Some(json!({"text": text})));
    }

    /// Runs a function body in the page; a promise is waited for.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.ask("POST", "/execute/sync", Some(json!({"script": script, "args": []})))
    }

    /// Waits until the script answers true.
    pub(crate) fn until(&self, script: &str) {
        patiently(script, || (self.run(script) == true).then_some(()));
    }

    /// Sends one command of the DevTools protocol.
    pub(crate) fn tell(&self, command: &str, parameters: Value) {
        self.ask("POST", "/goog/cdp/execute", Some(json!({"cmd": command, "params": parameters})));
    }

    /// What the console says since the last time, a broken policy among it.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.ask("POST", "/se/log", Some(json!({"type": "browser"})));
        log.as_array().into_iter().flatten().map(|entry| entry["message"].to_string()).collect()
    }

    /// The bytes of a download, once it is complete.
    pub(crate) fn downloaded(&self, name: &str) -> Vec<u8> {
        let path = self.downloads().join(name);
        patiently(name, || std::fs::read(&path).ok().filter(|bytes| !bytes.is_empty()))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = request(self.port, "DELETE", &format!("/session/{}", self.session), None);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn patiently<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(40));
    }
}

fn request(port: u16, method: &str, path: &str, body: Option<Value>) -> Option<Value> {
    let body = body.map(|it| it.to_string()).unwrap_or_default();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(2 * PATIENCE)).ok()?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).ok()?;
    // chromedriver keeps the connection open whatever it is asked, so the length decides.
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header).ok()? == 0 || header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut answer = vec![0; length];
    reader.read_exact(&mut answer).ok()?;
    serde_json::from_slice(&answer).ok()
}
