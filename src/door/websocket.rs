//! MQTT over WebSocket (MQTT 5.0 section 6): from an HTTP request to a stream of bytes.
//!
//! A browser opens WebSockets for any page, and shows the client certificate of whoever looks at it without asking
//! (cross-site WebSocket hijacking, RFC 6455 section 10.2). What a browser gives by itself, a certificate or its place
//! on this machine, therefore counts only for pages of this house and those that are listed. A name and a password
//! are given by the page, so any page may try them.

mod frames;
mod origin;

use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::sync::OnceLock;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    self, CONNECTION, HeaderMap, HeaderValue, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tungstenite::handshake::derive_accept_key;

pub(super) use frames::Frames;
pub(crate) use origin::Origin;

use super::greet::Visitor;

/// The subprotocol [MQTT-6.0.0-3].
const MQTT: &str = "mqtt";
/// The only version (RFC 6455 section 4.1).
const VERSION: &str = "13";
/// Room for a request; hyper's smallest.
const REQUEST: usize = 8192;

/// The WebSocket side of a door.
pub(crate) struct Web {
    pub(super) path: String,
    /// Pages of others that count as ours.
    pub(super) origins: Vec<Origin>,
    /// Host names and addresses of this house.
    pub(super) names: Vec<String>,
    /// Bytes of the largest message.
    pub(super) most: u64,
}

/// A request that may be upgraded.
struct Welcome {
    accept: String,
    /// It comes from a page that is neither ours nor listed.
    foreign: bool,
}

/// Why a request is not upgraded: for the client, and for the log.
#[derive(Clone, Copy)]
struct Refused(StatusCode, &'static str);

impl Web {
    /// Answers one request; its connection becomes a stream of MQTT, or ends with an HTTP status that says why not.
    pub(super) async fn upgrade<S>(&self, stream: S, visitor: &mut Visitor) -> io::Result<Frames<S>>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let certified = visitor.certificate.is_some();
        let verdict = OnceLock::new();
        let service = service_fn(|request: Request<Incoming>| {
            let judged = self.judge(&request, certified);
            let response = answer(&judged);
            let _ = verdict.set(judged.map(|welcome| welcome.foreign));
            ready(Ok::<_, Infallible>(response))
        });
        let spoken = http1::Builder::new()
            .max_buf_size(REQUEST)
            .serve_connection(TokioIo::new(stream), service)
            .without_shutdown()
            .await
            .map_err(io::Error::other)?;
        let (mut stream, early) = (spoken.io.into_inner(), spoken.read_buf);
        match verdict.into_inner() {
            Some(Ok(foreign)) => {
                visitor.allow_anonymous &= !foreign;
                Ok(Frames::new(stream, early, self.most))
            }
            Some(Err(Refused(_, why))) => {
                let _ = stream.shutdown().await;
                Err(io::Error::other(why))
            }
            None => Err(io::Error::other("no request came")),
        }
    }

    /// The checks of RFC 6455 section 4.2.1, the subprotocol, and the page.
    fn judge<B>(&self, request: &Request<B>, certified: bool) -> Result<Welcome, Refused> {
        let headers = request.headers();
        if request.uri().path() != self.path {
            return Err(Refused(StatusCode::NOT_FOUND, "there is nothing at this path"));
        }
        let asks = request.method() == Method::GET
            && request.version() == Version::HTTP_11
            && lists(headers, CONNECTION, |word| word.eq_ignore_ascii_case("upgrade"))
            && lists(headers, UPGRADE, |word| word.eq_ignore_ascii_case("websocket"));
        if !asks {
            return Err(Refused(
                StatusCode::UPGRADE_REQUIRED,
                "MQTT over WebSocket is spoken here, and nothing else",
            ));
        }
        if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != VERSION) {
            return Err(Refused(StatusCode::UPGRADE_REQUIRED, "WebSocket version 13 is spoken here"));
        }
        let key = headers.get(SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24);
        let key = key.ok_or(Refused(StatusCode::BAD_REQUEST, "the WebSocket key is missing or malformed"))?;
        if !lists(headers, SEC_WEBSOCKET_PROTOCOL, |word| word == MQTT) {
            return Err(Refused(StatusCode::BAD_REQUEST, "the subprotocol mqtt must be asked for"));
        }
        let foreign = headers.get(ORIGIN).is_some_and(|origin| self.is_foreign(origin));
        if foreign && certified {
            let why = "a page of another origin may not use a client certificate; its origin may be listed in `origins`";
            return Err(Refused(StatusCode::FORBIDDEN, why));
        }
        Ok(Welcome { accept: derive_accept_key(key.as_bytes()), foreign })
    }

    fn is_foreign(&self, origin: &HeaderValue) -> bool {
        let origin = origin.to_str().ok().and_then(|text| text.parse::<Origin>().ok());
        let known = |origin: &Origin| {
            self.origins.contains(origin) || self.names.iter().any(|name| origin.is_of(name))
        };
        !origin.as_ref().is_some_and(known)
    }
}

/// Whether a header that is a list, over however many lines, holds a word.
fn lists(headers: &HeaderMap, name: header::HeaderName, wanted: impl Fn(&str) -> bool) -> bool {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|word| wanted(word.trim()))
}

fn answer(judged: &Result<Welcome, Refused>) -> Response<Full<Bytes>> {
    let text = |text: &'static str| HeaderValue::from_static(text);
    let (status, why) = match judged {
        Ok(_) => (StatusCode::SWITCHING_PROTOCOLS, String::new()),
        Err(Refused(status, why)) => (*status, format!("{why}\n")),
    };
    let mut response = Response::new(Full::from(why));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    match judged {
        Ok(welcome) => {
            headers.insert(CONNECTION, text("upgrade"));
            headers.insert(UPGRADE, text("websocket"));
            headers.insert(SEC_WEBSOCKET_PROTOCOL, text(MQTT)); // [MQTT-6.0.0-4]
            if let Ok(accept) = HeaderValue::from_str(&welcome.accept) {
                headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
            }
        }
        Err(_) => {
            headers.insert(CONNECTION, text("close"));
            headers.insert(header::CONTENT_TYPE, text("text/plain; charset=utf-8"));
            if status == StatusCode::UPGRADE_REQUIRED {
                // RFC 9110 section 15.5.22 and RFC 6455 section 4.4.
                headers.insert(CONNECTION, text("upgrade, close"));
                headers.insert(UPGRADE, text("websocket"));
                headers.insert(SEC_WEBSOCKET_VERSION, text(VERSION));
            }
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: [(&str, &str); 5] = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "mqttv3.1, mqtt"),
    ];

    /// The answer to a sound request in which one header is another, or absent.
    fn status(changed: (&str, &str), certified: bool) -> u16 {
        let mut headers: std::collections::BTreeMap<_, _> = SOUND.into_iter().collect();
        headers.insert(changed.0, changed.1);
        let mut request = Request::get("/mqtt?x=1").body(()).expect("a request");
        for (name, value) in headers.into_iter().filter(|(_, value)| !value.is_empty()) {
            request.headers_mut().insert(
                header::HeaderName::from_bytes(name.as_bytes()).expect("a name"),
                HeaderValue::from_str(value).expect("a value"),
            );
        }
        answer(&web().judge(&request, certified)).status().as_u16()
    }

    fn web() -> Web {
        let origins = vec!["https://app.example".parse().expect("an origin")];
        Web { path: "/mqtt".into(), origins, names: vec!["mq.corp.example".into()], most: 256 }
    }

    #[test]
    fn a_sound_request_is_upgraded_and_told_the_subprotocol() {
        assert_eq!(status(("host", "mq.corp.example"), true), 101);
        let mut request = Request::get("/mqtt").body(()).expect("a request");
        for (name, value) in SOUND {
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        let response = answer(&web().judge(&request, false));
        assert_eq!(response.headers()[SEC_WEBSOCKET_PROTOCOL], "mqtt");
        // The example of RFC 6455 section 1.3.
        assert_eq!(response.headers()[SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn whatever_else_is_asked_is_refused_with_a_status() {
        for (name, value, wanted) in [
            ("connection", "keep-alive", 426),
            ("upgrade", "h2c", 426),
            ("sec-websocket-version", "8", 426),
            ("sec-websocket-version", "", 426),
            ("sec-websocket-key", "", 400),
            ("sec-websocket-key", "short", 400),
            ("sec-websocket-protocol", "", 400),
            ("sec-websocket-protocol", "mqttv3.1", 400),
        ] {
            assert_eq!(status((name, value), false), wanted, "{name}: {value}");
        }
        let elsewhere = Request::get("/other").body(()).expect("a request");
        assert_eq!(answer(&web().judge(&elsewhere, false)).status(), 404);
    }

    #[test]
    fn a_certificate_counts_only_for_pages_that_are_ours_or_listed() {
        for (origin, wanted) in [
            ("https://mq.corp.example:8443", 101),
            ("https://app.example", 101),
            ("https://evil.example", 403),
            ("https://app.example.evil.example", 403),
            ("http://mq.corp.example", 403),
            ("null", 403),
        ] {
            assert_eq!(status(("origin", origin), true), wanted, "{origin}");
            assert_eq!(status(("origin", origin), false), 101, "{origin} without a certificate");
        }
    }
}
