//! Relay: where mail goes next, and how well the way there is protected.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{MailError, shortened};
use crate::mailbox::is_label;

/// A mail relay, written `smtp://host:25`, `smtps://host:465` or `smtp+starttls://host:587`; the port may be left out.
///
/// A relay's URL never carries credentials.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RelayUrl {
    scheme: Scheme,
    host: Host,
    port: u16,
}

/// What the operator says about TLS for a relay whose URL begins with `smtp://`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsPolicy {
    /// STARTTLS, except towards a loopback address.
    #[default]
    Auto,
    /// STARTTLS, also towards a loopback address.
    Required,
    /// No TLS; only for a network that protects itself.
    None,
}

/// How the connection to a relay is protected. There is no "if offered": a relay that stops offering TLS gets no mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte (RFC 8314 §3.3).
    Implicit,
    /// STARTTLS before anything else is said (RFC 3207).
    StartTls,
    /// None, and the peer must be a loopback address.
    PlainOnLoopback,
    /// None.
    Plain,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Scheme {
    Smtp,
    Smtps,
    StartTls,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Host {
    Name(String),
    Ip(IpAddr),
}

impl RelayUrl {
    /// Parses a relay's URL.
    ///
    /// # Errors
    /// [`MailError::Relay`] names what is wrong and shows the accepted forms.
    pub fn parse(text: &str) -> Result<Self, MailError> {
        // The message shows nothing that stands before an `@`, as it may be a password.
        let refuse =
            |why| MailError::Relay { text: shortened(text.rsplit('@').next().unwrap_or_default()), why };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| refuse("there is no scheme"))?;
        let scheme = Scheme::parse(scheme).ok_or_else(|| refuse("the scheme is unknown"))?;
        let place = rest.strip_suffix('/').unwrap_or(rest);
        if place.contains('@') {
            return Err(refuse("credentials do not belong into the URL"));
        }
        if place.contains(['/', '?', '#']) {
            return Err(refuse("a relay has no path"));
        }
        let (host, port) = split_port(place).map_err(refuse)?;
        let port = match port {
            None => scheme.default_port(),
            Some(digits) => {
                parse_port(digits).ok_or_else(|| refuse("the port is not a number from 1 to 65535"))?
            }
        };
        Ok(Self {
            scheme,
            host: Host::parse(host).ok_or_else(|| refuse("the host is not a name or an address"))?,
            port,
        })
    }

    /// The host as a certificate names it: without brackets.
    pub fn host(&self) -> String {
        match &self.host {
            Host::Name(name) => name.clone(),
            Host::Ip(ip) => ip.to_string(),
        }
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the URL itself names this machine.
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Name(name) => name == "localhost",
            Host::Ip(ip) => ip.is_loopback(),
        }
    }

    /// How a connection to this relay has to be protected.
    pub fn security(&self, policy: TlsPolicy) -> Security {
        match (self.scheme, policy) {
            (Scheme::Smtps, _) => Security::Implicit,
            (Scheme::StartTls, _) | (Scheme::Smtp, TlsPolicy::Required) => Security::StartTls,
            (Scheme::Smtp, TlsPolicy::None) => Security::Plain,
            (Scheme::Smtp, TlsPolicy::Auto) if self.is_loopback() => Security::PlainOnLoopback,
            (Scheme::Smtp, TlsPolicy::Auto) => Security::StartTls,
        }
    }
}

impl Scheme {
    fn parse(text: &str) -> Option<Self> {
        [Self::Smtp, Self::Smtps, Self::StartTls]
            .into_iter()
            .find(|scheme| scheme.name() == text.to_ascii_lowercase())
    }

    fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Smtps => "smtps",
            Self::StartTls => "smtp+starttls",
        }
    }

    /// RFC 5321 §4.5.4.2, RFC 8314 §7.3, RFC 6409 §3.1.
    fn default_port(self) -> u16 {
        match self {
            Self::Smtp => 25,
            Self::Smtps => 465,
            Self::StartTls => 587,
        }
    }
}

impl Host {
    fn parse(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix('[') {
            return inner.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(|ip| Self::Ip(IpAddr::V6(ip)));
        }
        if let Ok(ip) = text.parse() {
            return Some(Self::Ip(IpAddr::V4(ip)));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        // A name that ends in a number is a mistyped address (RFC 3696 §2).
        let numeric =
            name.rsplit('.').next().is_none_or(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
        let fits = name.is_ascii() && name.len() <= 253 && name.split('.').all(is_label);
        (fits && !numeric).then_some(Self::Name(name))
    }
}

fn split_port(place: &str) -> Result<(&str, Option<&str>), &'static str> {
    if place.starts_with('[') {
        let end = place.find(']').ok_or("a bracket is not closed")? + 1;
        return match &place[end..] {
            "" => Ok((place, None)),
            rest => {
                Ok((&place[..end], Some(rest.strip_prefix(':').ok_or("a colon must follow the bracket")?)))
            }
        };
    }
    match place.split_once(':') {
        Some((_, port)) if port.contains(':') => Err("an IPv6 address needs brackets"),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((place, None)),
    }
}

fn parse_port(digits: &str) -> Option<u16> {
    // `parse` alone would take a plus sign.
    let port = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
    (port != 0).then_some(port)
}

impl FromStr for RelayUrl {
    type Err = MailError;

    fn from_str(text: &str) -> Result<Self, MailError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for RelayUrl {
    type Error = MailError;

    fn try_from(text: String) -> Result<Self, MailError> {
        Self::parse(&text)
    }
}

impl From<RelayUrl> for String {
    fn from(relay: RelayUrl) -> Self {
        relay.to_string()
    }
}

impl fmt::Display for RelayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(IpAddr::V6(ip)) => write!(f, "{}://[{ip}]:{}", self.scheme.name(), self.port),
            _ => write!(f, "{}://{}:{}", self.scheme.name(), self.host(), self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn relay(text: &str) -> RelayUrl {
        RelayUrl::parse(text).expect(text)
    }

    #[test]
    fn a_relay_has_the_usual_port_unless_it_names_one() {
        assert_eq!(relay("smtp://mx.corp.example").to_string(), "smtp://mx.corp.example:25");
        assert_eq!(relay("SMTPS://MX.corp.example./").to_string(), "smtps://mx.corp.example:465");
        assert_eq!(relay("smtp+starttls://[::1]").to_string(), "smtp+starttls://[::1]:587");
        assert_eq!(relay("smtp://127.0.0.1:2525").port(), 2525);
    }

    #[test]
    fn only_loopback_and_an_explicit_word_go_without_tls() {
        let auto = |text| relay(text).security(TlsPolicy::Auto);
        assert_eq!(auto("smtp://mx.corp.example"), Security::StartTls);
        assert_eq!(auto("smtp://localhost"), Security::PlainOnLoopback);
        assert_eq!(auto("smtp://127.3.2.1"), Security::PlainOnLoopback);
        assert_eq!(auto("smtp+starttls://localhost"), Security::StartTls);
        assert_eq!(auto("smtps://localhost"), Security::Implicit);
        assert_eq!(relay("smtp://localhost").security(TlsPolicy::Required), Security::StartTls);
        assert_eq!(relay("smtp://mx.corp.example").security(TlsPolicy::None), Security::Plain);
        assert_eq!(relay("smtps://mx.corp.example").security(TlsPolicy::None), Security::Implicit);
    }

    #[test]
    fn a_wrong_relay_is_refused_with_its_reason() {
        for (text, why) in [
            ("mx.corp.example", "there is no scheme"),
            ("http://mx.corp.example", "the scheme is unknown"),
            ("smtp://", "the host is not"),
            ("smtp://mx:0", "the port is not"),
            ("smtp://mx:+25", "the port is not"),
            ("smtp://mx:65536", "the port is not"),
            ("smtp://mx/inbox", "no path"),
            ("smtp://::1", "needs brackets"),
            ("smtp://1.2.3.256", "the host is not"),
            ("smtp://mx corp", "the host is not"),
            ("smtp://mx\r\n", "the host is not"),
        ] {
            let said = RelayUrl::parse(text).expect_err(text).to_string();
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    #[test]
    fn a_password_in_the_url_is_refused_and_not_repeated() {
        let said = RelayUrl::parse("smtp://me:hunter2@mx.corp.example").expect_err("refused").to_string();
        assert!(said.contains("credentials do not belong") && !said.contains("hunter2"), "{said}");
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_what_passes_prints_and_parses_again(text in "(smtp(s|\\+starttls)?://)?[a-z0-9.:/@\\[\\]-]{0,24}|\\PC{0,30}") {
            if let Ok(relay) = RelayUrl::parse(&text) {
                prop_assert_eq!(RelayUrl::parse(&relay.to_string()).expect("a printed relay parses"), relay);
            }
        }
    }
}
