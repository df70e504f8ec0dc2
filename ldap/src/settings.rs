//! What an administrator says about the directory, and what is wrong with it.
//!
//! Everything is looked at once, when the connector is made: the [`SettingsError`] lists every problem with its key.
//! What passes is kept parsed, so that later code never meets a bad server name or filter.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use rustls_pki_types::ServerName;

use crate::assertion::Filter;
use crate::filter;
use crate::srv::Domain;

/// Where the directory is and how to read it. [`Settings::default`] names no server; every other value is usable.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `ldaps://host[:port]` or `ldap://host[:port]`, the preferred one first. `dns:domain` stands for the servers that DNS
    /// names for the domain (RFC 2782), each as if it stood here with `ldap://`.
    pub servers: Vec<String>,
    /// Who is asked for the servers of a domain; nobody means the name servers of the system.
    pub name_servers: Vec<SocketAddr>,
    /// Whether `ldap://` connections are turned into TLS before anything else is said (RFC 4511 §4.14).
    pub starttls: bool,
    /// Whether passwords may cross a network unencrypted. Loopback may always.
    pub allow_plain: bool,
    /// PEM file of the authorities that vouch for the servers; without it those of the operating system.
    pub ca_file: Option<PathBuf>,
    /// Name of the service account that searches. Empty means anonymous.
    pub bind_dn: String,
    /// Everybody is at or below this entry.
    pub base: String,
    /// Which entries are people (RFC 4515).
    pub user_filter: String,
    /// Which entries are groups (RFC 4515). Without it there are none.
    pub group_filter: Option<String>,
    /// Which attribute says what.
    pub attributes: AttributeMap,
    /// How many entries to ask for at a time when listing (RFC 2696). Active Directory allows 1000.
    pub page_size: u32,
    /// Limit for reaching one server, its TLS handshake included.
    pub connect_timeout: Duration,
    /// Limit for one operation: a bind, a search, one page of a listing.
    pub operation_timeout: Duration,
}

/// The attributes that carry what a [`Person`](crate::Person) has.
#[derive(Clone, Debug)]
pub struct AttributeMap {
    /// What people type to sign in. Active Directory: `sAMAccountName` or `userPrincipalName`.
    pub login: String,
    /// What others see.
    pub name: String,
    /// Mail address.
    pub mail: String,
    /// Position in the organisation.
    pub title: String,
    /// Telephone number.
    pub phone: String,
    /// The language that somebody prefers.
    pub locale: String,
    /// The time zone that somebody is in. No schema that is widely used has one.
    pub time_zone: Option<String>,
    /// What somebody looks like: `jpegPhoto`, or `thumbnailPhoto` in Active Directory. Photos make lists long.
    pub photo: Option<String>,
    /// Names of the groups one is in.
    pub groups: String,
    /// The key that survives every rename. `auto` takes what the server has: `nsUniqueId`, `objectGUID` or `entryUUID`.
    pub id: String,
}

/// Every problem of the settings, at least one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.iter().map(|p| format!("{}: {}", p.key, p.what)).collect::<Vec<_>>().join("\n"))]
pub struct SettingsError {
    /// In the order of the keys.
    pub problems: Vec<Problem>,
}

/// One key and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Name of the field of [`Settings`]; attributes are `attributes.NAME`.
    pub key: &'static str,
    /// What is wrong and what to write instead.
    pub what: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            name_servers: Vec::new(),
            starttls: true,
            allow_plain: false,
            ca_file: None,
            bind_dn: String::new(),
            base: String::new(),
            user_filter: "(objectClass=inetOrgPerson)".to_owned(),
            group_filter: None,
            attributes: AttributeMap::default(),
            page_size: 500,
            connect_timeout: Duration::from_secs(3),
            operation_timeout: Duration::from_secs(10),
        }
    }
}

impl Default for AttributeMap {
    fn default() -> Self {
        let [login, name, mail, title, phone, locale, groups, id] =
            ["uid", "cn", "mail", "title", "telephoneNumber", "preferredLanguage", "memberOf", AUTO]
                .map(str::to_owned);
        Self { login, name, mail, title, phone, locale, time_zone: None, photo: None, groups, id }
    }
}

/// The value of [`AttributeMap::id`] that leaves the choice to us.
pub(crate) const AUTO: &str = "auto";

/// What was read of them.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) places: Vec<Place>,
    pub(crate) user_filter: Filter,
    pub(crate) group_filter: Option<Filter>,
}

/// What one line of the list stands for.
#[derive(Debug)]
pub(crate) enum Place {
    Server(Server),
    Domain(Domain),
}

/// One server as the wire needs it.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) name: ServerName<'static>,
    pub(crate) security: Security,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    Ldaps,
    StartTls,
    Plain,
}

/// How a server is reached without TLS, for people.
pub(crate) const PLAIN: &str = "not encrypted";

impl Security {
    /// For people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ldaps => "TLS",
            Self::StartTls => "StartTLS",
            Self::Plain => PLAIN,
        }
    }
}

impl Settings {
    /// Looks at every key.
    pub(crate) fn parse(&self) -> Result<Parsed, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut say = |key, what: String| problems.push(Problem { key, what });

        let mut places = Vec::new();
        for url in &self.servers {
            match self.place(url) {
                Ok(place) => places.push(place),
                Err(what) => say("servers", what),
            }
        }
        if self.servers.is_empty() {
            say("servers", "name at least one server, such as \"ldaps://dc1.corp.example\"".to_owned());
        }
        if self.base.trim().is_empty() {
            say("base", "name the entry below which people are, such as \"dc=corp,dc=example\"".to_owned());
        }
        let user_filter = filter::parse(&self.user_filter).map_err(|what| say("user_filter", what)).ok();
        let group_filter = self.group_filter.as_deref().map(filter::parse).transpose();
        let group_filter = group_filter.map_err(|what| say("group_filter", what)).ok();
        for (key, attribute) in self.attributes.keys() {
            if !is_attribute(attribute) {
                say(
                    key,
                    format!(
                        "\"{attribute}\" is not an attribute name: letters, digits and hyphens (RFC 4512 §1.4)"
                    ),
                );
            }
        }
        if !(1..=100_000).contains(&self.page_size) {
            say("page_size", format!("{} is outside 1 to 100000; 500 suits every server", self.page_size));
        }
        for (key, limit) in
            [("connect_timeout", self.connect_timeout), ("operation_timeout", self.operation_timeout)]
        {
            if limit.is_zero() || limit > LONGEST {
                say(key, "write a time above zero and up to five minutes, such as \"10s\"".to_owned());
            }
        }
        match (user_filter, group_filter) {
            (Some(user_filter), Some(group_filter)) if problems.is_empty() => {
                Ok(Parsed { places, user_filter, group_filter })
            }
            _ => Err(problems),
        }
    }

    /// How many entries to list at a time: a page is held in memory, with its photos.
    pub(crate) fn page(&self) -> u32 {
        self.attributes.photo.as_ref().map_or(self.page_size, |_| self.page_size.min(WITH_PHOTOS))
    }

    /// How the servers of such a line are reached.
    pub(crate) fn security(&self, url: &str) -> Security {
        match url.split_once(':') {
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("ldaps") => Security::Ldaps,
            _ if self.starttls => Security::StartTls,
            _ => Security::Plain,
        }
    }

    fn place(&self, url: &str) -> Result<Place, String> {
        match url.split_once(':') {
            Some((scheme, name)) if scheme.eq_ignore_ascii_case("dns") => {
                self.domain(url, name).map(Place::Domain)
            }
            _ => self.server(url).map(Place::Server),
        }
    }

    fn domain(&self, url: &str, name: &str) -> Result<Domain, String> {
        let security = self.security(url);
        // Whatever the domain is called, DNS says where its servers are.
        if security == Security::Plain && !self.allow_plain {
            return Err(unencrypted(url));
        }
        let domain = Domain::new(url, name, security);
        domain.ok_or_else(|| format!("\"{url}\": \"{name}\" is not a domain; write \"dns:corp.example\""))
    }

    fn server(&self, url: &str) -> Result<Server, String> {
        let example = "write \"ldaps://host\", \"ldap://host:port\" or \"dns:domain\"";
        let (scheme, rest) =
            url.split_once("://").ok_or_else(|| format!("\"{url}\" is not a server: {example}"))?;
        if !["ldaps", "ldap"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(format!("\"{url}\": {scheme} is not a way to a directory; {example}"));
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) =
            split_port(rest).ok_or_else(|| format!("\"{url}\": the port is not a number; {example}"))?;
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| format!("\"{url}\": \"{host}\" is neither a host name nor an address; {example}"))?;
        let security = self.security(url);
        if security == Security::Plain && !self.allow_plain && !is_loopback(host) {
            return Err(unencrypted(url));
        }
        let port = port.unwrap_or(if security == Security::Ldaps { 636 } else { 389 });
        Ok(Server { url: url.to_owned(), host: host.to_owned(), port, name, security })
    }
}

const LONGEST: Duration = Duration::from_secs(300);
const WITH_PHOTOS: u32 = 64;

impl AttributeMap {
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let keys: [(_, &str); 8] = [
            ("attributes.login", &self.login),
            ("attributes.name", &self.name),
            ("attributes.mail", &self.mail),
            ("attributes.title", &self.title),
            ("attributes.phone", &self.phone),
            ("attributes.locale", &self.locale),
            ("attributes.groups", &self.groups),
            ("attributes.id", &self.id),
        ];
        let others = [("attributes.time_zone", &self.time_zone), ("attributes.photo", &self.photo)];
        keys.into_iter().chain(others.into_iter().filter_map(|(key, name)| Some((key, name.as_deref()?))))
    }
}

fn unencrypted(url: &str) -> String {
    format!(
        "\"{url}\" would send passwords unencrypted: use ldaps://, set starttls = true, or accept the risk with \
         allow_plain = true"
    )
}

/// `host`, `host:port`, `[address]` or `[address]:port`; an IPv6 address keeps its colons inside the brackets.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(inside) => {
            let (host, after) = inside.split_once(']')?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    match port {
        None => Some((host, None)),
        Some(port) => port.parse().ok().filter(|port| *port != 0).map(|port| (host, Some(port))),
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An attribute description without options, or an OID (RFC 4512 §2.5).
fn is_attribute(name: &str) -> bool {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let oid = name.split('.').all(|arc| !arc.is_empty() && arc.bytes().all(|byte| byte.is_ascii_digit()));
    oid || (plain && name.starts_with(|first: char| first.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Settings {
        Settings {
            servers: vec!["ldaps://dc1.corp.example".to_owned()],
            base: "dc=corp,dc=example".to_owned(),
            ..Settings::default()
        }
    }

    fn one(settings: &Settings) -> Result<Server, Vec<Problem>> {
        match settings.parse()?.places.remove(0) {
            Place::Server(server) => Ok(server),
            Place::Domain(domain) => panic!("{domain:?}"),
        }
    }

    #[test]
    fn every_problem_is_told_at_once_with_its_key() {
        let problems = Settings {
            servers: vec!["http://dc1".to_owned(), "ldap://dc2:none".to_owned()],
            user_filter: "(uid=a".to_owned(),
            page_size: 0,
            operation_timeout: Duration::ZERO,
            attributes: AttributeMap { login: "uid)(x".to_owned(), ..AttributeMap::default() },
            ..Settings::default()
        }
        .parse()
        .unwrap_err();
        let keys: Vec<_> = problems.iter().map(|problem| problem.key).collect();
        assert_eq!(
            keys,
            [
                "servers",
                "servers",
                "base",
                "user_filter",
                "attributes.login",
                "page_size",
                "operation_timeout"
            ]
        );
    }

    #[test]
    fn a_password_leaves_the_host_unencrypted_only_when_asked() {
        let plain = |server: &str, allow_plain| {
            one(&Settings { servers: vec![server.to_owned()], starttls: false, allow_plain, ..good() })
        };
        assert!(plain("ldap://dc1.corp.example", false).unwrap_err()[0].what.contains("allow_plain"));
        assert_eq!(plain("ldap://dc1.corp.example", true).unwrap().security, Security::Plain);
        assert_eq!(plain("ldap://127.0.0.1:3890", false).unwrap().port, 3890);
        assert_eq!(plain("ldap://[::1]", false).unwrap().host, "::1");
    }

    #[test]
    fn ports_follow_the_scheme() {
        let parsed = |url: &str| one(&Settings { servers: vec![url.to_owned()], ..good() }).unwrap();
        assert_eq!((parsed("ldaps://a/").port, parsed("ldaps://a/").security), (636, Security::Ldaps));
        assert_eq!((parsed("LDAP://a").port, parsed("ldap://a").security), (389, Security::StartTls));
        assert_eq!(parsed("ldaps://[2001:db8::1]:6360").port, 6360);
    }

    #[test]
    fn a_domain_is_a_name_and_no_loopback_whatever_it_is_called() {
        let parsed = |url: &str, starttls, allow_plain| {
            let servers = vec![url.to_owned()];
            Settings { servers, starttls, allow_plain, ..good() }
                .parse()
                .map(|mut parsed| parsed.places.remove(0))
        };
        for url in ["dns:corp.example", "DNS:Corp.Example."] {
            assert!(matches!(parsed(url, true, false), Ok(Place::Domain(_))), "{url}");
        }
        for url in ["dns:", "dns:.", "dns:192.0.2.1", "dns:corp.example:389", "dns://corp.example", "dns:a b"]
        {
            assert!(parsed(url, true, false).unwrap_err()[0].what.contains("dns:corp.example"), "{url}");
        }
        assert!(parsed("dns:localhost", false, false).unwrap_err()[0].what.contains("allow_plain"));
        assert!(parsed("dns:localhost", false, true).is_ok());
    }

    #[test]
    fn oids_and_names_are_attributes_and_filters_are_not() {
        assert!(is_attribute("uid") && is_attribute("2.5.4.3") && is_attribute("x-login"));
        assert!(!is_attribute("") && !is_attribute("uid=*") && !is_attribute("1a") && !is_attribute("a b"));
    }
}
