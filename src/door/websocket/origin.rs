//! Where a page comes from, as a browser says it (RFC 6454).

use std::str::FromStr;

use hyper::Uri;
use serde::Deserialize;

/// Scheme, host and port; the port always said.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    /// Whether it is a page that this host serves over TLS, at whatever port.
    pub(super) fn is_of(&self, host: &str) -> bool {
        self.scheme == "https" && self.host.eq_ignore_ascii_case(host)
    }
}

impl FromStr for Origin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        let uri: Uri = text.parse().map_err(|_| NotAnOrigin)?;
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else { return Err(NotAnOrigin) };
        if text.ends_with('/') || uri.path() != "/" || uri.query().is_some() {
            return Err(NotAnOrigin);
        }
        let usual = if scheme == "http" { 80 } else { 443 };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        Ok(Self { scheme: scheme.to_ascii_lowercase(), host, port: uri.port_u16().unwrap_or(usual) })
    }
}

impl TryFrom<String> for Origin {
    type Error = NotAnOrigin;

    fn try_from(text: String) -> Result<Self, NotAnOrigin> {
        text.parse()
    }
}

/// The text is no origin. Pages in a sandbox and files say `null`, which is none either.
#[derive(Debug, thiserror::Error)]
#[error("an origin is written \"https://app.example\" or \"https://app.example:8443\"")]
pub(crate) struct NotAnOrigin;

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn the_usual_port_may_be_left_out() {
        assert_eq!(origin("https://App.example"), origin("https://app.example:443"));
        assert_ne!(origin("https://app.example"), origin("http://app.example"));
        assert_ne!(origin("https://app.example"), origin("https://app.example:8443"));
    }

    #[test]
    fn pages_of_the_house_are_known_by_their_host() {
        assert!(origin("https://mq.corp.example:8443").is_of("MQ.corp.example"));
        assert!(origin("https://[::1]:8443").is_of("::1"));
        assert!(!origin("http://mq.corp.example").is_of("mq.corp.example"));
        assert!(!origin("https://mq.corp.example.evil.example").is_of("mq.corp.example"));
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in
            ["null", "", "app.example", "https://app.example/", "https://app.example/page", "https://"]
        {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }
}
