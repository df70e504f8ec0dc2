//! Peers: other domains, what the DNS proves of them, and which of them an admin allows.
//!
//! A domain is usable when the way to it is proven link by link: where its server stands (SRV), which address that
//! has, and which certificate it will show (TLSA, RFC 7673). Trouble with the DNS is a verdict and no failure, and no
//! verdict but Secure is ever built upon. Nothing is sent to peers from here.

mod checked;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub(crate) use chancery_dns::Domain;
use chancery_dns::{Settings, Srv, TrustedDns, Verdict};
use serde::{Deserialize, Serialize};

pub(crate) use checked::{Checked, Target};

use crate::audit::Deed;
use crate::principal::Principal;
use crate::store::{Peer, Store, StoreError};
use crate::time::{Span, Timestamp};

/// The service under which a domain announces its appliance (RFC 2782).
pub(crate) const SERVICE: &str = "_syn-fed";
pub(crate) const TRANSPORT: &str = "_tcp";
/// How many servers of one domain are looked at, the preferred ones first.
const SERVERS: usize = 8;

/// `[dns]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Resolvers as `ADDRESS` or `ADDRESS:PORT`; none means those of the system.
    pub(crate) servers: Vec<String>,
    /// A file of DNSKEY lines that replace the keys of the public root.
    pub(crate) anchors: Option<PathBuf>,
    /// How long one try of one question may take; there are two tries.
    pub(crate) timeout: Span,
}

impl Default for Config {
    fn default() -> Self {
        Self { servers: Vec::new(), anchors: None, timeout: Span(Duration::from_secs(3)) }
    }
}

/// Cheap handle on the other domains.
#[derive(Clone)]
pub(crate) struct Peers {
    store: Store,
    resolver: Arc<Resolver>,
}

/// The resolver, made when it is first needed: a machine without any still starts.
struct Resolver {
    settings: Settings,
    ready: OnceLock<TrustedDns>,
}

/// An allowed domain as the API, the console and the command line show it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Shown {
    pub(crate) domain: String,
    pub(crate) created_at: Timestamp,
    pub(crate) checked_at: Option<Timestamp>,
    /// The last [`Checked`] as JSON; `None` before the first.
    pub(crate) checked: Option<serde_json::Value>,
}

/// Every problem of `[dns]`, each with its key.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub(crate) struct BadConfig(Vec<String>);

/// Why the allowed domains were not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{0} is not among the peers")]
    NotFound(Domain),
    #[error("{0} is a peer already")]
    Exists(Domain),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Config {
    /// What is wrong with the settings, each problem with its key.
    pub(crate) fn check(&self) -> Vec<String> {
        self.compile().err().unwrap_or_default()
    }

    /// The resolvers, where some are given.
    pub(crate) fn name_servers(&self) -> Vec<SocketAddr> {
        self.servers.iter().filter_map(|server| resolver(server)).collect()
    }

    fn compile(&self) -> Result<Settings, Vec<String>> {
        let mut problems = Vec::new();
        let mut servers = Vec::new();
        for server in &self.servers {
            match resolver(server) {
                Some(server) => servers.push(server),
                None => problems.push(format!(
                    "dns.servers: {server:?} is not an address, as 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353"
                )),
            }
        }
        if self.timeout.0 < Duration::from_millis(100) || self.timeout.0 > Duration::from_secs(60) {
            problems.push("dns.timeout: not between 100ms and 60s".into());
        }
        let anchors = self.anchors.as_ref().and_then(|path| {
            let read = std::fs::read_to_string(path);
            read.map_err(|why| {
                problems.push(format!("dns.anchors: {} cannot be read: {why}", path.display()))
            })
            .ok()
        });
        let settings = Settings { servers, anchors, timeout: self.timeout.0, ..Settings::default() };
        // The resolvers of the system may come later than the house; wrong anchors stay wrong.
        if let Err(error @ (chancery_dns::SetupError::Anchors(_) | chancery_dns::SetupError::NoAnchor)) =
            TrustedDns::new(settings.clone())
        {
            problems.push(format!("dns.anchors: {error}"));
        }
        if problems.is_empty() { Ok(settings) } else { Err(problems) }
    }
}

/// An address with or without a port.
fn resolver(text: &str) -> Option<SocketAddr> {
    let with_port = text.parse().ok();
    with_port.or_else(|| Some(SocketAddr::new(text.parse().ok()?, DNS)))
}

impl Peers {
    /// Ready to ask; nothing is asked yet.
    pub(crate) fn new(store: Store, config: &Config) -> Result<Self, BadConfig> {
        let settings = config.compile().map_err(BadConfig)?;
        let resolver = Resolver { settings, ready: OnceLock::new() };
        Ok(Self { store, resolver: Arc::new(resolver) })
    }

    /// Every allowed domain with what was last found out about it.
    pub(crate) async fn list(&self) -> Result<Vec<Shown>, StoreError> {
        let peers = self.store.read(|view| view.peers()).await?;
        Ok(peers.into_iter().map(Shown::from).collect())
    }

    /// One allowed domain.
    pub(crate) async fn show(&self, domain: &Domain) -> Result<Option<Shown>, StoreError> {
        Ok(self.list().await?.into_iter().find(|shown| shown.domain == domain.as_str()))
    }

    /// Allows a domain. What the DNS proves of it is another question, asked each time.
    pub(crate) async fn add(
        &self,
        who: &Principal,
        domain: &Domain,
        now: Timestamp,
    ) -> Result<Shown, Refused> {
        let (domain, deed) = (domain.clone(), Deed::new(who, "peer.add", domain.as_str()));
        self.store
            .write(move |tx| match tx.add_peer(domain.as_str(), now)? {
                true => {
                    tx.remember(deed, now)?;
                    Ok(Shown { domain: domain.to_string(), created_at: now, checked_at: None, checked: None })
                }
                false => Err(Refused::Exists(domain)),
            })
            .await
    }

    /// Allows a domain no longer.
    pub(crate) async fn remove(
        &self,
        who: &Principal,
        domain: &Domain,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let (domain, deed) = (domain.clone(), Deed::new(who, "peer.remove", domain.as_str()));
        self.store
            .write(move |tx| match tx.remove_peer(domain.as_str())? {
                true => Ok(tx.remember(deed, now)?),
                false => Err(Refused::NotFound(domain)),
            })
            .await
    }

    /// Asks the DNS about any domain and says what it proves. What is found out about an allowed one is kept.
    pub(crate) async fn check(&self, domain: &Domain, now: Timestamp) -> Checked {
        let checked = match self.resolver.get() {
            Ok(dns) => ask(&dns, domain, now).await,
            Err(why) => Checked::new(domain, Verdict::Unreachable { why }, Vec::new()),
        };
        if let Err(error) = self.keep(&checked, now).await {
            tracing::warn!(peer.domain = %domain, %error, "what was found out about a peer could not be kept");
        }
        checked
    }

    async fn keep(&self, checked: &Checked, now: Timestamp) -> Result<(), StoreError> {
        let domain = checked.domain.to_string();
        let Ok(json) = serde_json::to_string(checked) else { return Ok(()) };
        self.store.write(move |tx| tx.note_verdict(&domain, &json, now)).await
    }
}

/// Where the domain's servers stand, then for each the address and the certificate.
async fn ask(dns: &TrustedDns, domain: &Domain, now: Timestamp) -> Checked {
    let at = now.to_offset();
    let srv = dns.srv(&domain.service(SERVICE, TRANSPORT), at).await;
    let offered = srv.records().iter().filter(|record| !record.is_refusal()).take(SERVERS);
    let targets = futures_util::future::join_all(offered.map(|record| look_at(dns, record, now))).await;
    Checked::new(domain, srv, targets)
}

async fn look_at(dns: &TrustedDns, Srv { target, port, .. }: &Srv, now: Timestamp) -> Target {
    // Not through `Domain`: whatever name the record holds, the resolver has a verdict for it.
    let owner = format!("_{port}.{TRANSPORT}.{target}");
    let (tlsa, address) =
        tokio::join!(dns.tlsa(&owner, now.to_offset()), dns.address(target, now.to_offset()));
    Target { target: target.clone(), port: *port, tlsa, address }
}

impl Resolver {
    fn get(&self) -> Result<TrustedDns, String> {
        if let Some(dns) = self.ready.get() {
            return Ok(dns.clone());
        }
        let dns = TrustedDns::new(self.settings.clone()).map_err(|error| error.to_string())?;
        Ok(self.ready.get_or_init(|| dns).clone())
    }
}

impl From<Peer> for Shown {
    fn from(peer: Peer) -> Self {
        let checked = peer.verdict.as_deref().and_then(|json| serde_json::from_str(json).ok());
        Self { domain: peer.domain, created_at: peer.created_at, checked_at: peer.checked_at, checked }
    }
}

/// Where resolvers listen (RFC 1035 §4.2).
const DNS: u16 = 53;

#[cfg(test)]
mod tests;
