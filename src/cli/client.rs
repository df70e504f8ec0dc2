//! The daemon, asked over its control socket: one HTTP/1.1 request, one answer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};

use super::trouble::Trouble;

/// Where the daemon listens when no configuration can be read: the embedded default's `appliance.control`.
const DEFAULT_SOCKET: &str = "/run/chancery/control.sock";
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long an answer may take that waits for other servers or reads the whole store.
const LONG_PATIENCE: Duration = Duration::from_secs(600);
/// What a path segment or query value may hold as it is (RFC 3986 §2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// How much of an answer that is not ours is shown.
const EXCERPT: usize = 200;

/// The daemon behind a socket.
pub(super) struct Client {
    socket: PathBuf,
    runtime: Runtime,
}

/// The socket to use. The configuration is asked only for this one key, so that a mistake elsewhere in it does not
/// keep an admin from a daemon that runs; one that is not named and not readable is passed over.
pub(super) fn socket(given: Option<&Path>, config: Option<&Path>) -> Result<PathBuf, Trouble> {
    if let Some(socket) = given {
        return Ok(socket.into());
    }
    let path = config.unwrap_or(Path::new(crate::config::DEFAULT_PATH));
    let read = std::fs::read_to_string(path).map_err(|error| error.to_string());
    let parsed = read.and_then(|text| toml::from_str::<Located>(&text).map_err(|error| error.to_string()));
    match (parsed, config) {
        (Ok(Located { appliance: Appliance { control: Some(socket) } }), _) => Ok(socket),
        (Err(why), Some(path)) => Err(Trouble::Usage(format!("{}: {}", path.display(), why.trim_end()))),
        _ => Ok(DEFAULT_SOCKET.into()),
    }
}

#[derive(Deserialize)]
struct Located {
    #[serde(default)]
    appliance: Appliance,
}

#[derive(Default, Deserialize)]
struct Appliance {
    control: Option<PathBuf>,
}

/// The path of an operation, each segment percent-encoded.
pub(super) fn at(segments: &[&str]) -> String {
    segments.iter().fold("/api/v1".to_owned(), |path, segment| format!("{path}/{}", encode(segment)))
}

/// Text as it may stand in a path segment or a query value.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

impl Client {
    pub(super) fn new(socket: PathBuf) -> Result<Self, Trouble> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Trouble::Failed(format!("cannot start: {error}")))?;
        Ok(Self { socket, runtime })
    }

    /// Reads JSON.
    pub(super) fn get(&self, path: &str) -> Result<Value, Trouble> {
        json(&self.request(Method::GET, path, None, PATIENCE)?)
    }

    /// Reads JSON that takes long to make.
    pub(super) fn get_patiently(&self, path: &str) -> Result<Value, Trouble> {
        json(&self.request(Method::GET, path, None, LONG_PATIENCE)?)
    }

    /// Reads something else.
    pub(super) fn get_bytes(&self, path: &str) -> Result<Bytes, Trouble> {
        self.request(Method::GET, path, None, PATIENCE)
    }

    pub(super) fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, Trouble> {
        json(&self.request(Method::POST, path, body, PATIENCE)?)
    }

    /// Asks for what other servers must answer first.
    pub(super) fn post_patiently(&self, path: &str, body: Option<&Value>) -> Result<Value, Trouble> {
        json(&self.request(Method::POST, path, body, LONG_PATIENCE)?)
    }

    pub(super) fn put(&self, path: &str) -> Result<Value, Trouble> {
        json(&self.request(Method::PUT, path, None, PATIENCE)?)
    }

    pub(super) fn delete(&self, path: &str) -> Result<Value, Trouble> {
        json(&self.request(Method::DELETE, path, None, PATIENCE)?)
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        limit: Duration,
    ) -> Result<Bytes, Trouble> {
        let (status, bytes) = self.runtime.block_on(async {
            let answer = tokio::time::timeout(limit, self.ask(&method, path, body)).await;
            answer.unwrap_or_else(|_| Err(self.slow(limit)))
        })?;
        match status.is_success() {
            true => Ok(bytes),
            false => Err(Trouble::of_status(status.as_u16(), explain(&method, path, status, &bytes))),
        }
    }

    async fn ask(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Bytes), Trouble> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| self.unreachable(&error))?;
        let mut request = Request::builder().method(method).uri(path).header(HOST, "localhost");
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request =
            request.body(Full::new(body)).map_err(|error| Trouble::Usage(format!("{path}: {error}")))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.cut(&error))?;
        // Its errors come out of the request as well.
        tokio::spawn(connection);
        let answer = sender.send_request(request).await.map_err(|error| self.cut(&error))?;
        let status = answer.status();
        let bytes = answer.into_body().collect().await.map_err(|error| self.cut(&error))?.to_bytes();
        Ok((status, bytes))
    }

    fn unreachable(&self, error: &std::io::Error) -> Trouble {
        let socket = self.socket.display();
        Trouble::Unreachable(match error.kind() {
            std::io::ErrorKind::PermissionDenied => {
                format!(
                    "cannot reach the daemon at {socket}: only root and the service account may ({error})"
                )
            }
            _ => format!(
                "cannot reach the daemon at {socket}: is it running? (systemctl status chancery) [{error}]"
            ),
        })
    }

    fn cut(&self, error: &hyper::Error) -> Trouble {
        let socket = self.socket.display();
        Trouble::Failed(format!(
            "the daemon at {socket} did not finish its answer: {error}. What was asked may have been done; its log says"
        ))
    }

    fn slow(&self, limit: Duration) -> Trouble {
        let (socket, seconds) = (self.socket.display(), limit.as_secs());
        Trouble::Failed(format!(
            "the daemon at {socket} did not answer within {seconds} s. What was asked may still be done; its log says"
        ))
    }
}

/// An answer without a body is `null`.
fn json(bytes: &Bytes) -> Result<Value, Trouble> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(bytes).map_err(|error| {
        Trouble::Failed(format!("the daemon's answer is not JSON: {error}; are both of one version?"))
    })
}

/// The sentence of an error, or what there is when it has none.
fn explain(method: &Method, path: &str, status: StatusCode, bytes: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Explained {
        error: String,
    }
    serde_json::from_slice(bytes).map(|Explained { error }| error).unwrap_or_else(|_| {
        let text = String::from_utf8_lossy(bytes);
        let excerpt: String = text.trim().chars().take(EXCERPT).collect();
        format!(
            "the daemon answered {status} to {method} {path}{}{excerpt}",
            if excerpt.is_empty() { "" } else { ": " }
        )
    })
}

#[cfg(test)]
mod tests {
    use axum::extract::{Json, Path as Segment};
    use axum::routing::{get, put};
    use serde_json::json;
    use tokio::net::UnixListener;

    use super::*;

    /// A daemon of one thread, for as long as the folder is held.
    fn daemon(router: axum::Router) -> (tempfile::TempDir, Client) {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("control.sock");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        listener.set_nonblocking(true).unwrap();
        std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime
                .block_on(async { axum::serve(UnixListener::from_std(listener).unwrap(), router).await })
                .unwrap();
        });
        (dir, Client::new(socket).unwrap())
    }

    #[test]
    fn a_segment_cannot_leave_its_place() {
        assert_eq!(at(&["accounts", "a/b?c#d%e", "disable"]), "/api/v1/accounts/a%2Fb%3Fc%23d%25e/disable");
        assert_eq!(at(&["accounts", "zoë"]), "/api/v1/accounts/zo%C3%AB");
        assert_eq!(at(&["rooms", "plan-9_v1.2~x"]), "/api/v1/rooms/plan-9_v1.2~x");
        assert_eq!(encode("a&b=c+d @"), "a%26b%3Dc%2Bd%20%40");
    }

    #[test]
    fn a_request_goes_there_and_back() {
        let echo = |Segment(name): Segment<String>, Json(body): Json<Value>| async move {
            Json(json!({ "name": name, "body": body }))
        };
        let routes = axum::Router::new()
            .route("/api/v1/echo/{name}", get(|| async { Json(json!([1])) }).post(echo))
            .route("/api/v1/nothing", put(|| async { StatusCode::NO_CONTENT }).delete(|| async { "gone" }))
            .route("/api/v1/crl", get(|| async { vec![0x30_u8, 0x82] }));
        let (_dir, client) = daemon(routes);
        assert_eq!(client.get(&at(&["echo", "x"])).unwrap(), json!([1]));
        let answer = client.post(&at(&["echo", "a/b é"]), Some(&json!({ "x": 1 }))).unwrap();
        assert_eq!(answer, json!({ "name": "a/b é", "body": { "x": 1 } }));
        assert_eq!(client.put("/api/v1/nothing").unwrap(), Value::Null);
        assert_eq!(client.get_bytes("/api/v1/crl").unwrap().as_ref(), [0x30, 0x82]);
        assert_eq!(client.delete("/api/v1/nothing").unwrap_err().code(), 1);
    }

    #[test]
    fn an_error_keeps_its_sentence_and_its_kind() {
        let refused = || async { (StatusCode::CONFLICT, Json(json!({ "error": "no", "code": "refused" }))) };
        let (_dir, client) = daemon(axum::Router::new().route("/api/v1/x", get(refused)));
        assert_eq!(client.get("/api/v1/x"), Err(Trouble::Refused("no".into())));
        let missing = client.get("/api/v1/y").unwrap_err();
        assert_eq!(missing, Trouble::NotFound("the daemon answered 404 Not Found to GET /api/v1/y".into()));
    }

    #[test]
    fn a_daemon_that_hangs_up_or_keeps_silent_is_a_failure() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("control.sock");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let client = Client::new(socket).unwrap();
        let silent = client.request(Method::GET, "/", None, Duration::from_millis(50)).unwrap_err();
        assert!(
            matches!(&silent, Trouble::Failed(sentence) if sentence.contains("did not answer")),
            "{silent}"
        );
        drop(listener.accept().unwrap());
        let hangs_up = std::thread::spawn(move || drop(listener.accept().unwrap()));
        let cut = client.get("/").unwrap_err();
        assert!(matches!(&cut, Trouble::Failed(sentence) if sentence.contains("did not finish")), "{cut}");
        hangs_up.join().unwrap();
        assert_eq!(client.get("/").unwrap_err().code(), 5);
    }

    #[test]
    fn the_socket_comes_from_the_option_then_the_configuration_then_the_default() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("chancery.toml");
        std::fs::write(&file, "[appliance]\ncontrol = \"/x/y.sock\"\ncolour = 1\n").unwrap();
        assert_eq!(socket(Some(Path::new("/z")), Some(&file)).unwrap(), Path::new("/z"));
        assert_eq!(socket(None, Some(&file)).unwrap(), Path::new("/x/y.sock"));
        std::fs::write(&file, "[mail]\n").unwrap();
        assert_eq!(socket(None, Some(&file)).unwrap(), Path::new(DEFAULT_SOCKET));
        std::fs::write(&file, "[mail\n").unwrap();
        assert_eq!(socket(None, Some(&file)).unwrap_err().code(), 2);
        assert_eq!(socket(None, Some(&dir.path().join("absent"))).unwrap_err().code(), 2);
    }

    #[test]
    fn the_default_socket_is_that_of_the_embedded_configuration() {
        let located: Located = toml::from_str(crate::config::DEFAULT_TEXT).unwrap();
        assert_eq!(located.appliance.control.as_deref(), Some(Path::new(DEFAULT_SOCKET)));
    }
}
