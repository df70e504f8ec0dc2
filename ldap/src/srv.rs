//! Servers that DNS names for a domain: the SRV records of `_ldap._tcp` (RFC 2782).
//!
//! An answer holds for its time to live, and the last one goes on while DNS is silent. Nobody vouches for what DNS says:
//! only the domain and what is below it counts, and who a server is, its certificate has to say.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle as _, FirstAnswer as _, RetryDnsHandle};
use hickory_resolver::proto::op::{DnsRequestOptions, Query};
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};
use rustls_pki_types::ServerName;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::Error;
use crate::settings::{Security, Server};

/// A domain of the settings, and what was last heard of it.
#[derive(Debug)]
pub(crate) struct Domain {
    /// As written in the settings.
    pub(crate) url: String,
    /// The name that is asked for.
    record: Name,
    security: Security,
    heard: Mutex<Option<Heard>>,
}

#[derive(Debug)]
struct Heard {
    records: Vec<SRV>,
    /// What they come to, or why to nothing.
    servers: Result<Vec<Server>, String>,
    /// Nobody asks again before.
    until: Instant,
}

/// The records in an order that tells whether they are the same, and how long they hold.
type Answer = (Vec<SRV>, Duration);

impl Domain {
    /// Of a name that is one of DNS.
    pub(crate) fn new(url: &str, name: &str, security: Security) -> Option<Self> {
        let ServerName::DnsName(_) = ServerName::try_from(name).ok()? else { return None };
        let record = Name::from_ascii(format!("_ldap._tcp.{}.", name.trim_end_matches('.'))).ok()?;
        Some(Self { url: url.to_owned(), record, security, heard: Mutex::default() })
    }

    /// Its servers, in the order in which they are to be tried. Whoever comes while DNS is asked waits for the same answer.
    pub(crate) async fn servers(
        &self,
        name_servers: &[SocketAddr],
        limit: Duration,
    ) -> Result<Vec<Server>, Error> {
        let mut heard = self.heard.lock().await;
        let servers = match &*heard {
            Some(heard) if Instant::now() < heard.until => heard.servers.clone(),
            _ => {
                let answer = tokio::time::timeout(limit, self.ask(name_servers, limit)).await;
                let answer = answer.unwrap_or_else(|_| Err(format!("DNS does not answer within {limit:?}")));
                let before = heard.take();
                heard.insert(self.hear(before, answer)).servers.clone()
            }
        };
        let unnamed = |why| Error::Unnamed { server: self.url.clone(), record: self.record.to_ascii(), why };
        servers.map_err(unnamed)
    }

    /// What is known after this answer, or after none.
    fn hear(&self, before: Option<Heard>, answer: Result<Answer, String>) -> Heard {
        let before = before.filter(|before| before.servers.is_ok());
        let (records, servers, ttl) = match (answer, before) {
            // The draw holds until DNS says something else, lest connections move with each answer.
            (Ok((records, ttl)), Some(before)) if records == before.records => (records, before.servers, ttl),
            (Ok((records, ttl)), _) => {
                let servers = self.read(&records);
                (records, servers, ttl)
            }
            (Err(why), Some(before)) => {
                tracing::warn!(ldap.server = %self.url, why, "DNS is silent, its last answer goes on");
                (before.records, before.servers, SHORTEST)
            }
            (Err(why), None) => (Vec::new(), Err(why), SHORTEST),
        };
        let holds = if servers.is_ok() { ttl.clamp(SHORTEST, LONGEST) } else { SILENCE };
        Heard { records, servers, until: Instant::now() + holds }
    }

    fn read(&self, records: &[SRV]) -> Result<Vec<Server>, String> {
        match records {
            [] => return Err("DNS has no such record".to_owned()),
            [only] if only.target.is_root() => {
                return Err("DNS says that there is no such service".to_owned());
            }
            _ => {}
        }
        let draw = |sum| getrandom::u64().map_or(0, |random| random % (sum + 1));
        let ordered = in_order(records.to_vec(), draw);
        let servers: Vec<_> = ordered.iter().filter_map(|record| self.server(record)).take(SERVERS).collect();
        if servers.is_empty() { Err("no target is within the domain".to_owned()) } else { Ok(servers) }
    }

    /// Where a record leads, if it may lead there.
    fn server(&self, SRV { target, port, .. }: &SRV) -> Option<Server> {
        let domain = self.record.base_name().base_name();
        let host = target.to_lowercase().to_ascii().trim_end_matches('.').to_owned();
        let name = ServerName::try_from(host.clone()).ok().filter(|_| domain.zone_of(target) && *port != 0);
        if name.is_none() {
            tracing::warn!(ldap.server = %self.url, %target, port, "DNS names a server that is not within the domain");
        }
        let (url, port, security) = (format!("ldap://{host}:{port}"), *port, self.security);
        name.map(|name| Server { url, host, port, name, security })
    }

    async fn ask(&self, name_servers: &[SocketAddr], limit: Duration) -> Result<Answer, String> {
        let name_servers = if name_servers.is_empty() {
            read_system_conf().map_err(|error| error.to_string())?.0.name_servers
        } else {
            name_servers.iter().map(name_server).collect()
        };
        let mut options = ResolverOpts::default();
        options.timeout = limit / 2;
        let tls = TlsConfig::new().map_err(|error| error.to_string())?;
        let context = Arc::new(PoolContext::new(options, tls));
        let pool = NameServerPool::from_config(name_servers, context, TokioRuntimeProvider::default());

        let mut how = DnsRequestOptions::default();
        how.use_edns = true;
        let question = Query::query(self.record.clone(), RecordType::SRV);
        let answers = match RetryDnsHandle::new(pool, 1).lookup(question, how).first_answer().await {
            Ok(response) => response.into_message().answers,
            Err(error) if error.is_no_records_found() => Vec::new(),
            Err(error) => return Err(format!("DNS does not answer: {error}")),
        };
        let ttl = answers.iter().map(|record| record.ttl).min().unwrap_or_default();
        let records = answers.into_iter().filter_map(|record| match record.data {
            RData::SRV(record) => Some(record),
            _ => None,
        });
        let mut records: Vec<_> = records.collect();
        records.sort_by_cached_key(|SRV { priority, weight, port, target, .. }| {
            (*priority, *weight, *port, target.clone())
        });
        Ok((records, Duration::from_secs(ttl.into())))
    }
}

/// The lower priority first; those of one priority as they are drawn, by weight. `draw` gives a number from 0 to this one.
fn in_order(mut records: Vec<SRV>, mut draw: impl FnMut(u64) -> u64) -> Vec<SRV> {
    records.sort_by_key(|record| (record.priority, record.weight));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let peers = || records.iter().take_while(|record| record.priority == first.priority);
        let drawn = draw(peers().map(|record| u64::from(record.weight)).sum());
        let mut sum = 0;
        let next = peers().position(|record| {
            sum += u64::from(record.weight);
            sum >= drawn
        });
        ordered.push(records.remove(next.unwrap_or_default()));
    }
    ordered
}

fn name_server(address: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

/// How many servers of a domain are tried.
const SERVERS: usize = 32;
/// An answer that held for less would be asked for with each connection.
const SHORTEST: Duration = Duration::from_secs(30);
/// One that held for longer would keep a server for a day that was taken out of service.
const LONGEST: Duration = Duration::from_secs(3600);
/// Long enough that a crowd does not ask one by one, short enough that a repair is noticed at once.
const SILENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn domain() -> Domain {
        Domain::new("dns:Corp.Example", "Corp.Example", Security::StartTls).unwrap()
    }

    fn srv(priority: u16, weight: u16, target: &str) -> SRV {
        SRV::new(priority, weight, 389, Name::from_ascii(target).unwrap())
    }

    fn targets(records: &[SRV]) -> Vec<String> {
        records.iter().map(|record| record.target.to_ascii()).collect()
    }

    fn urls(servers: &[Server]) -> Vec<&str> {
        servers.iter().map(|server| server.url.as_str()).collect()
    }

    #[test]
    fn priority_comes_first_and_weight_decides_among_equals() {
        let records =
            vec![srv(20, 9, "last."), srv(10, 3, "heavy."), srv(10, 0, "none."), srv(10, 1, "light.")];
        let order = |drawn: [u64; 4]| {
            let mut drawn = drawn.into_iter();
            targets(&in_order(records.clone(), |sum| drawn.next().unwrap().min(sum)))
        };
        assert_eq!(order([0, 0, 0, 0]), ["none.", "light.", "heavy.", "last."]);
        assert_eq!(order([1, 1, 3, 9]), ["light.", "heavy.", "none.", "last."]);
        assert_eq!(order([2, 0, 1, 0]), ["heavy.", "none.", "light.", "last."]);
        assert_eq!(order([4, 1, 0, 5]), ["heavy.", "light.", "none.", "last."]);
    }

    #[test]
    fn a_target_counts_within_the_domain_alone() {
        let counts = |target: &str| domain().server(&srv(0, 0, target)).map(|server| server.url);
        assert_eq!(counts("DC1.corp.EXAMPLE.").as_deref(), Some("ldap://dc1.corp.example:389"));
        assert_eq!(counts("a.b.corp.example").as_deref(), Some("ldap://a.b.corp.example:389"));
        assert_eq!(counts("corp.example.").as_deref(), Some("ldap://corp.example:389"));
        for other in
            ["evilcorp.example.", "example.", ".", "corp.example.evil.", "127.0.0.1.", "*.corp.example."]
        {
            assert_eq!(counts(other), None, "{other}");
        }
        let nowhere = SRV::new(0, 0, 0, Name::from_ascii("dc1.corp.example.").unwrap());
        assert!(domain().server(&nowhere).is_none());
    }

    #[test]
    fn no_server_has_its_reason() {
        let why = |records: &[SRV]| domain().read(records).unwrap_err();
        assert_eq!(why(&[]), "DNS has no such record");
        assert_eq!(why(&[srv(0, 0, ".")]), "DNS says that there is no such service");
        assert_eq!(why(&[srv(0, 0, "dc1.evil.")]), "no target is within the domain");
        let many: Vec<_> = (0..100).map(|number| srv(0, 1, &format!("dc{number}.corp.example."))).collect();
        assert_eq!(domain().read(&many).unwrap().len(), SERVERS);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_holds_until_dns_says_something_else() {
        let (domain, start) = (domain(), Instant::now());
        let many: Vec<_> = (10..30).map(|number| srv(0, 1, &format!("dc{number}.corp.example."))).collect();
        let first = domain.hear(None, Ok((many.clone(), Duration::ZERO)));
        assert_eq!(first.until - start, SHORTEST);
        let drawn = urls(first.servers.as_ref().unwrap()).join(" ");

        let silent = domain.hear(Some(first), Err("nobody is there".to_owned()));
        assert_eq!(urls(silent.servers.as_ref().unwrap()).join(" "), drawn);
        let same = domain.hear(Some(silent), Ok((many, Duration::from_secs(86_400))));
        assert_eq!((urls(same.servers.as_ref().unwrap()).join(" "), same.until - start), (drawn, LONGEST));

        let other = domain.hear(Some(same), Ok((vec![srv(0, 1, "new.corp.example.")], LONGEST)));
        assert_eq!(urls(other.servers.as_ref().unwrap()), ["ldap://new.corp.example:389"]);
        let none = domain.hear(Some(other), Ok((Vec::new(), LONGEST)));
        assert!(none.servers.is_err() && none.until - start == SILENCE);
        let silent = domain.hear(Some(none), Err("nobody is there".to_owned()));
        assert_eq!(silent.servers.unwrap_err(), "nobody is there");
    }
}
