//! `[directory.ldap]`: where people are, and the handles on the servers that follow from it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use chancery_ldap::{AttributeMap, Connector, Credentials, Rules, Settings};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::secret::SecretSource;
use crate::time::Span;

/// `[directory.ldap]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    servers: Vec<String>,
    #[serde(default = "yes")]
    starttls: bool,
    #[serde(default)]
    allow_plain: bool,
    ca_file: Option<PathBuf>,
    #[serde(default)]
    bind_dn: String,
    bind_password: Option<SecretSource>,
    /// PEM files by which the service account is known instead (SASL EXTERNAL).
    client_certificate: Option<PathBuf>,
    client_key: Option<PathBuf>,
    /// The name by which a KDC knows it (SASL GSSAPI).
    kerberos: Option<String>,
    base: String,
    #[serde(default = "default_user_filter")]
    user_filter: String,
    group_filter: Option<String>,
    /// Whoever passes it is disabled.
    disabled_filter: Option<String>,
    /// Whether a lock after wrong passwords disables too.
    #[serde(default)]
    lockout_disables: bool,
    #[serde(default)]
    attributes: Attributes,
    /// Where it stands, certificates for encrypting mail are written into the entries of their owners.
    publish: Option<Publish>,
    /// For so long a password that was accepted is good without asking again.
    #[serde(default = "minute")]
    pub(super) password_ttl: Span,
    /// For so long while no server answers.
    #[serde(default = "workday")]
    pub(super) outage_ttl: Span,
    page_size: Option<u32>,
    connect_timeout: Option<Span>,
    operation_timeout: Option<Span>,
}

/// `[directory.ldap.publish]`: an account of its own, for whoever reads everybody need not write.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Publish {
    bind_dn: String,
    bind_password: SecretSource,
}

/// `[directory.ldap.attributes]`: an absent key keeps the craft's own default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Attributes {
    login: Option<String>,
    name: Option<String>,
    mail: Option<String>,
    title: Option<String>,
    phone: Option<String>,
    locale: Option<String>,
    time_zone: Option<String>,
    photo: Option<String>,
    groups: Option<String>,
    id: Option<String>,
}

impl Config {
    /// What the craft says of the settings, without asking any server.
    pub(crate) fn problems(&self) -> Vec<String> {
        // Secrets are only looked at when there are some to read; their absence is judged at start.
        let unread = || Zeroizing::new("unread".to_owned()).into();
        let connector = Connector::new(self.settings(), self.ticket().unwrap_or_else(unread));
        let mut problems: Vec<_> = match connector.and_then(|connector| connector.with_rules(&self.rules())) {
            Ok(_) => Vec::new(),
            Err(error) => error
                .problems
                .into_iter()
                .map(|problem| format!("directory.ldap.{}: {}", problem.key, problem.what))
                .collect(),
        };
        let shown = [self.client_certificate.is_some(), self.client_key.is_some()];
        if shown[0] != shown[1] {
            problems.push("directory.ldap.client_certificate and client_key: one goes with the other".into());
        }
        if shown[0] && (self.bind_password.is_some() || !self.bind_dn.is_empty()) {
            problems.push(
                "directory.ldap.client_certificate: leave bind_dn and bind_password out, the certificate says who it is"
                    .into(),
            );
        }
        if self.kerberos.is_some() && (shown.contains(&true) || self.bind_password.is_some()) {
            problems.push(
                "directory.ldap.kerberos: leave bind_password and client_certificate out, the ticket says who it is"
                    .into(),
            );
        }
        if self.publish.as_ref().is_some_and(|publish| publish.bind_dn.is_empty()) {
            problems.push("directory.ldap.publish.bind_dn: name the account that writes certificates".into());
        }
        problems
    }

    /// A handle on the servers, with the secrets read. `name_servers` are asked for those that DNS names; nobody means the
    /// system's.
    pub(crate) fn connector(
        &self,
        credentials: Option<&Path>,
        name_servers: &[SocketAddr],
    ) -> anyhow::Result<Connector> {
        let credentials = match (&self.client_certificate, &self.client_key, &self.bind_password) {
            (Some(chain), Some(key), _) => {
                Credentials::Certificate { chain: chain.clone(), key: key.clone() }
            }
            (_, _, Some(source)) => source.read(credentials).context("directory.ldap.bind_password")?.into(),
            _ => self.ticket().unwrap_or_else(|| Zeroizing::new(String::new()).into()),
        };
        let settings = Settings { name_servers: name_servers.to_vec(), ..self.settings() };
        let connector = Connector::new(settings, credentials);
        connector.and_then(|connector| connector.with_rules(&self.rules())).context("[directory.ldap]")
    }

    fn ticket(&self) -> Option<Credentials> {
        self.kerberos.clone().map(Credentials::Kerberos)
    }

    /// The same for the account that writes, if any does.
    pub(super) fn publisher(
        &self,
        credentials: Option<&Path>,
        name_servers: &[SocketAddr],
    ) -> anyhow::Result<Option<Connector>> {
        let Some(Publish { bind_dn, bind_password }) = &self.publish else { return Ok(None) };
        let password = bind_password.read(credentials).context("directory.ldap.publish.bind_password")?;
        let bind_dn = bind_dn.clone();
        let settings = Settings { bind_dn, name_servers: name_servers.to_vec(), ..self.settings() };
        Connector::new(settings, password).map(Some).context("[directory.ldap.publish]")
    }

    fn rules(&self) -> Rules {
        Rules { filter: self.disabled_filter.clone(), lockout: self.lockout_disables }
    }

    fn settings(&self) -> Settings {
        let default = Settings::default();
        let map = AttributeMap::default();
        let given = |given: &Option<String>, default: String| given.clone().unwrap_or(default);
        Settings {
            servers: self.servers.clone(),
            name_servers: Vec::new(),
            starttls: self.starttls,
            allow_plain: self.allow_plain,
            ca_file: self.ca_file.clone(),
            bind_dn: self.bind_dn.clone(),
            base: self.base.clone(),
            user_filter: self.user_filter.clone(),
            group_filter: self.group_filter.clone(),
            attributes: AttributeMap {
                login: given(&self.attributes.login, map.login),
                name: given(&self.attributes.name, map.name),
                mail: given(&self.attributes.mail, map.mail),
                title: given(&self.attributes.title, map.title),
                phone: given(&self.attributes.phone, map.phone),
                locale: given(&self.attributes.locale, map.locale),
                time_zone: self.attributes.time_zone.clone(),
                photo: self.attributes.photo.clone(),
                groups: given(&self.attributes.groups, map.groups),
                id: given(&self.attributes.id, map.id),
            },
            page_size: self.page_size.unwrap_or(default.page_size),
            connect_timeout: self.connect_timeout.map_or(default.connect_timeout, |span| span.0),
            operation_timeout: self.operation_timeout.map_or(default.operation_timeout, |span| span.0),
        }
    }
}

fn yes() -> bool {
    true
}

fn minute() -> Span {
    Span(Duration::from_secs(60))
}

fn workday() -> Span {
    Span(Duration::from_secs(8 * 3600))
}

fn default_user_filter() -> String {
    Settings::default().user_filter
}
