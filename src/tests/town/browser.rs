//! A real browser without a window, driven over WebDriver (W3C), for what only a browser can show.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::neighbour::free_port;
use super::text;
use super::tools::poll;
use super::web::exchange;

/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One browser. Closed when dropped.
pub(crate) struct Browser {
    driver: Child,
    at: SocketAddr,
    session: String,
    downloads: PathBuf,
}

impl Browser {
    /// Starts one that saves files in this folder without asking.
    pub(crate) fn start(downloads: &Path) -> Self {
        std::fs::create_dir_all(downloads).expect("our own folder");
        let at = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut command = Command::new("chromedriver");
        command
            .arg(format!("--port={}", at.port()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let driver = command.spawn().expect("chromedriver (package chromium-driver)");
        let mut browser = Self { driver, at, session: String::new(), downloads: downloads.to_owned() };
        let ready = || TcpStream::connect(at).is_ok().then_some(());
        poll(PATIENCE, ready).expect("chromedriver listens");
        let options = json!({
            "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-default-apps", "--ignore-certificate-errors", "--window-size=1200,900",
            ],
            "prefs": {
                "download.default_directory": text(downloads),
                "download.prompt_for_download": false,
                "safebrowsing.enabled": false,
            },
        });
        let wanted = json!({
            "capabilities": { "alwaysMatch": { "acceptInsecureCerts": true, "goog:chromeOptions": options } },
        });
        let session = browser.call("POST", "/session", &wanted).expect("a browser starts");
        browser.session = session["sessionId"].as_str().expect("a session").to_owned();
        browser
    }

    pub(crate) fn open(&self, url: &str) {
        self.ask("POST", "/url", &json!({ "url": url })).unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        self.ask("GET", "/url", &Value::Null).expect("an address").as_str().unwrap_or_default().to_owned()
    }

    /// Types into a field.
    pub(crate) fn fill(&self, css: &str, words: &str) {
        let element = self.find(css);
        self.ask("POST", &format!("/element/{element}/value"), &json!({ "text": words }))
            .unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    /// Presses something.
    pub(crate) fn click(&self, css: &str) {
        let element = self.find(css);
        self.ask("POST", &format!("/element/{element}/click"), &json!({}))
            .unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    /// The visible text of an element, once it is there.
    pub(crate) fn text(&self, css: &str) -> String {
        let read = || {
            let element = self.seek(css)?;
            let text = self.ask("GET", &format!("/element/{element}/text"), &Value::Null).ok()?;
            Some(text.as_str().unwrap_or_default().to_owned())
        };
        poll(PATIENCE, read).unwrap_or_else(|| panic!("no {css} at {}: {}", self.url(), self.source()))
    }

    /// The visible texts of all such elements, once there is one.
    pub(crate) fn texts(&self, css: &str) -> Vec<String> {
        self.find(css);
        let script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText)";
        let texts = self.ask("POST", "/execute/sync", &json!({ "script": script, "args": [css] }));
        let texts = texts.unwrap_or_else(|error| panic!("{css}: {error}"));
        texts.as_array().into_iter().flatten().filter_map(|one| Some(one.as_str()?.to_owned())).collect()
    }

    /// What the window shows, as PNG.
    pub(crate) fn screenshot(&self) -> Vec<u8> {
        let shot = self.ask("GET", "/screenshot", &Value::Null).expect("a picture");
        STANDARD.decode(shot.as_str().unwrap_or_default()).expect("base64")
    }

    /// Waits until an element holds these words.
    pub(crate) fn shows(&self, css: &str, words: &str) {
        let shown = poll(PATIENCE, || self.text(css).contains(words).then_some(()));
        assert!(shown.is_some(), "{css} does not show {words:?} at {}: {}", self.url(), self.source());
    }

    /// What the page's scripts and its policy complained of.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.ask("POST", "/se/log", &json!({ "type": "browser" })).unwrap_or(Value::Null);
        let all = log.as_array().cloned().unwrap_or_default();
        all.iter().map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// A saved file, once it is whole.
    pub(crate) fn download(&self, name: &str) -> PathBuf {
        let file = self.downloads.join(name);
        let there = || std::fs::metadata(&file).is_ok_and(|file| file.len() > 0).then_some(());
        poll(PATIENCE, there).unwrap_or_else(|| {
            let names = std::fs::read_dir(&self.downloads)
                .map(|all| all.flatten().map(|one| one.file_name()).collect());
            panic!("{name} was not saved; there are {:?}", names.unwrap_or_else(|_| Vec::new()))
        });
        file
    }

    fn source(&self) -> String {
        self.ask("GET", "/source", &Value::Null).unwrap_or_default().to_string()
    }

    fn find(&self, css: &str) -> String {
        poll(PATIENCE, || self.seek(css))
            .unwrap_or_else(|| panic!("no {css} at {}: {}", self.url(), self.source()))
    }

    fn seek(&self, css: &str) -> Option<String> {
        let found = self.ask("POST", "/element", &json!({ "using": "css selector", "value": css })).ok()?;
        Some(found[ELEMENT].as_str()?.to_owned())
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        self.call(method, &format!("/session/{}{path}", self.session), body)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let mut stream = TcpStream::connect(self.at).map_err(|error| error.to_string())?;
        stream.set_read_timeout(Some(PATIENCE * 2)).map_err(|error| error.to_string())?;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [("Content-Type", "application/json")];
        let host = self.at.to_string();
        let answer = exchange(&mut stream, method, &host, path, &headers, body.as_bytes());
        let value: Value = serde_json::from_str(&answer.body).map_err(|error| error.to_string())?;
        if answer.status == 200 { Ok(value["value"].clone()) } else { Err(value["value"].to_string()) }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = self.ask("DELETE", "", &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
