//! The trusted resolver: asks, validates, follows aliases, and says what may be believed.
//!
//! It is a validating stub: a resolver near by does the walking, and nothing that resolver says is believed
//! without signatures up to the trust anchor. This module and its parts are the only ones that know hickory;
//! each hole or habit of that library that could mislead the house is stopped in [`answer`], as a plain function
//! of the answer. Nothing is cached here but signature checks: the resolver near by keeps answers.

mod answer;
mod diagnosis;
mod upstream;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::net::dnssec::DnssecDnsHandle;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::dnssec::TrustAnchors;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use thiserror::Error;
use time::OffsetDateTime;
use tokio::time::timeout;

use self::answer::{Answer, Finding, judge};
use self::diagnosis::Cause;
use self::upstream::Upstream;
use crate::domain::{self, Underscores};
use crate::verdict::{Srv, Tlsa, Verdict};

/// Whom to ask, what to trust, and how long to wait.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Resolvers to ask, over UDP and TCP; none means those of `/etc/resolv.conf`.
    pub servers: Vec<SocketAddr>,
    /// DNSKEY lines in zone-file form that replace the built-in keys of the public root (IANA, 2017 and 2024).
    /// An anchor below the root must list every key of its zone.
    pub anchors: Option<String>,
    /// How long one try may take.
    pub timeout: Duration,
    /// Tries per question, at least one. A verdict takes at most `timeout` × `attempts`; finding the cause of a
    /// Bogus one may take as long again.
    pub attempts: usize,
}

impl Default for Settings {
    /// The system's resolvers, the public root, two tries of three seconds.
    fn default() -> Self {
        Self { servers: Vec::new(), anchors: None, timeout: Duration::from_secs(3), attempts: 2 }
    }
}

/// Why the trusted resolver cannot be set up.
#[derive(Debug, Error)]
pub enum SetupError {
    /// The anchors are not DNSKEY lines.
    #[error("the trust anchors are not DNSKEY records: {0}")]
    Anchors(String),
    /// Anchors were given and none is a key.
    #[error("the trust anchors hold no DNSKEY record")]
    NoAnchor,
    /// The system's resolver configuration cannot be used.
    #[error("no resolver is configured: {0}")]
    Servers(String),
}

/// Asks the DNS and judges what it hears. A cheap clone; needs a tokio runtime with time and I/O.
#[derive(Clone)]
pub struct TrustedDns {
    parts: Arc<Parts>,
}

struct Parts {
    /// Validates what the upstream says.
    validating: DnssecDnsHandle<Upstream>,
    /// The same upstream unvalidated, for finding causes only.
    plain: Upstream,
    anchors: Arc<TrustAnchors>,
    budget: Duration,
}

impl TrustedDns {
    /// Sets up, without asking anything yet.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let anchors = Arc::new(trust_anchors(settings.anchors.as_deref())?);
        let plain = Upstream::new(&settings)?;
        let validating = DnssecDnsHandle::with_trust_anchor(plain.clone(), anchors.clone())
            .positive_validation_ttl(Duration::ZERO..=KEEP_PROOF)
            .negative_validation_ttl(Duration::ZERO..=KEEP_FAILURE);
        let tries = u32::try_from(settings.attempts.max(1)).unwrap_or(u32::MAX);
        let budget = settings.timeout.saturating_mul(tries);
        Ok(Self { parts: Arc::new(Parts { validating, plain, anchors, budget }) })
    }

    /// The SRV records at `name`, for instance `_syn-fed._tcp.peer-a.example`, in order of priority.
    pub async fn srv(&self, name: &str, now: OffsetDateTime) -> Verdict<Srv> {
        let verdict = self.ask(name, RecordType::SRV, now).await.map(|data| match data {
            RData::SRV(srv) => Some(Srv {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: presented(&srv.target),
            }),
            _ => None,
        });
        sorted(verdict, |srv| (srv.priority, srv.target.clone(), srv.port))
    }

    /// The TLSA records at `name`, for instance `_8885._tcp.mq.peer-a.example`.
    pub async fn tlsa(&self, name: &str, now: OffsetDateTime) -> Verdict<Tlsa> {
        let verdict = self.ask(name, RecordType::TLSA, now).await.map(|data| match data {
            RData::TLSA(tlsa) => Some(Tlsa {
                usage: tlsa.cert_usage.into(),
                selector: tlsa.selector.into(),
                matching: tlsa.matching.into(),
                data: tlsa.cert_data,
            }),
            _ => None,
        });
        sorted(verdict, |tlsa| (tlsa.usage, tlsa.selector, tlsa.matching, tlsa.data.clone()))
    }

    /// The IPv4 and IPv6 addresses of the host `name`.
    ///
    /// One verdict for both: Bogus if either is, Secure if one is and the other is absent or unreachable.
    pub async fn address(&self, name: &str, now: OffsetDateTime) -> Verdict<IpAddr> {
        let (v4, v6) =
            tokio::join!(self.ask(name, RecordType::A, now), self.ask(name, RecordType::AAAA, now));
        v4.or_also(v6).map(|data| match data {
            RData::A(v4) => Some(IpAddr::V4(v4.0)),
            RData::AAAA(v6) => Some(IpAddr::V6(v6.0)),
            _ => None,
        })
    }

    /// The TXT records at `name`, each joined to one string; what is not UTF-8 is replaced.
    pub async fn txt(&self, name: &str, now: OffsetDateTime) -> Verdict<String> {
        self.ask(name, RecordType::TXT, now).await.map(|data| match data {
            RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()),
            _ => None,
        })
    }

    /// One question, within the budget.
    async fn ask(&self, name: &str, kind: RecordType, now: OffsetDateTime) -> Verdict<RData> {
        let name = match question_name(name) {
            Ok(name) => name,
            Err(why) => return Verdict::Unreachable { why },
        };
        let parts = &self.parts;
        let (broken_at, answer) = match timeout(parts.budget, parts.follow(name, kind, now)).await {
            Ok(Followed::Verdict(verdict)) => return verdict,
            Ok(Followed::Broken(name, answer)) => (name, answer),
            Err(_) => return unreachable(format!("no answer from the resolver within {:?}", parts.budget)),
        };
        match timeout(parts.budget, parts.diagnose(&broken_at, kind, &answer, now)).await {
            Ok(Cause::Broken(why)) => Verdict::Bogus { why },
            Ok(Cause::OutOfReach(why)) => Verdict::Unreachable { why },
            Err(_) => Verdict::Bogus { why: "validation failed; the cause was not found in time".into() },
        }
    }
}

/// Where following a name led.
enum Followed {
    Verdict(Verdict<RData>),
    /// Validation failed at this name, for a cause still to be found.
    Broken(Name, Answer),
}

impl Parts {
    /// Asks for `name` and for each alias it leads to, every one as a question of its own.
    ///
    /// Each link is judged by its own signature, so a chain is as good as its weakest link and cannot be cut
    /// short: a signed target says nothing about an unsigned alias that points to it.
    async fn follow(&self, mut name: Name, kind: RecordType, now: OffsetDateTime) -> Followed {
        let mut chain_ends: Option<OffsetDateTime> = None;
        for _ in 0..=MAX_ALIASES {
            let answer = match self.question(&name, kind).await {
                Ok(answer) => answer,
                Err(failure) => return Followed::Verdict(unreachable(failure_text(&failure))),
            };
            let verdict = match judge(&name, kind, &answer, now) {
                Finding::Alias { target, deadline } => {
                    chain_ends = Some(chain_ends.map_or(deadline, |ends| ends.min(deadline)));
                    name = target;
                    continue;
                }
                Finding::Records { records, deadline } => Verdict::Secure {
                    records,
                    deadline: chain_ends.map_or(deadline, |ends| ends.min(deadline)),
                },
                Finding::Absent => Verdict::ProvenAbsent,
                Finding::Unsigned => Verdict::Unsigned,
                Finding::Bogus(why) => Verdict::Bogus { why },
                Finding::Unproven => return Followed::Broken(name, answer),
            };
            return Followed::Verdict(verdict);
        }
        Followed::Verdict(Verdict::Bogus { why: format!("more than {MAX_ALIASES} aliases in a row") })
    }

    async fn question(&self, name: &Name, kind: RecordType) -> Result<Answer, NetError> {
        let query = Query::query(name.clone(), kind);
        match self.validating.lookup(query, upstream::options()).first_answer().await {
            Ok(response) => Ok(Answer { message: response.into_message(), complaint: None }),
            Err(NetError::Dns(DnsError::Nsec { response, proof, .. })) => {
                Ok(Answer { message: response.into_message(), complaint: Some(proof) })
            }
            Err(failure) => Err(failure),
        }
    }
}

/// The name as a question: fully qualified, so that no search list applies, and never one that other than the
/// DNS must answer (RFC 6761 §6.3 and §6.4, RFC 7686 §2).
fn question_name(text: &str) -> Result<Name, String> {
    let plain = domain::parse(text, Underscores::Allowed).map_err(|no| format!("\"{text}\": {no}"))?;
    let last = plain.rsplit('.').next().unwrap_or(&plain);
    if ["localhost", "invalid", "onion"].contains(&last) {
        return Err(format!("names under \"{last}\" are not in the DNS"));
    }
    Name::from_ascii(format!("{plain}.")).map_err(|no| format!("\"{text}\": {no}"))
}

fn trust_anchors(lines: Option<&str>) -> Result<TrustAnchors, SetupError> {
    let Some(lines) = lines else { return Ok(TrustAnchors::default()) };
    if !lines.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with(';')) {
        return Err(SetupError::NoAnchor);
    }
    TrustAnchors::from_str(lines).map_err(|no| SetupError::Anchors(no.to_string()))
}

fn presented(name: &Name) -> String {
    let text = name.to_lowercase().to_ascii();
    match text.strip_suffix('.') {
        Some("") | None => text,
        Some(host) => host.to_owned(),
    }
}

fn sorted<T, K: Ord>(verdict: Verdict<T>, key: impl FnMut(&T) -> K) -> Verdict<T> {
    match verdict {
        Verdict::Secure { mut records, deadline } => {
            records.sort_by_key(key);
            Verdict::Secure { records, deadline }
        }
        other => other,
    }
}

fn unreachable<T>(why: String) -> Verdict<T> {
    Verdict::Unreachable { why }
}

fn failure_text(failure: &NetError) -> String {
    match failure {
        NetError::Timeout => "the resolver does not answer".into(),
        NetError::Io(error) => format!("the resolver cannot be reached: {error}"),
        NetError::NoConnections => "the resolver cannot be reached".into(),
        NetError::Dns(DnsError::ResponseCode(code)) => format!("the resolver answers \"{code}\""),
        other => format!("the resolver's answer cannot be used: {other}"),
    }
}

impl fmt::Debug for TrustedDns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedDns").field("budget", &self.parts.budget).finish_non_exhaustive()
    }
}

/// As many as the library itself would follow; real names need two or three.
const MAX_ALIASES: usize = 8;

/// How long a signature check may be remembered. The library would remember it for the whole TTL, a day after a
/// signature has expired if it comes to that (hickory-dns issues 3933 and 3965).
const KEEP_PROOF: Duration = Duration::from_secs(60);

/// How long a failed check is remembered: short, because an admin repairs a zone and asks again at once.
const KEEP_FAILURE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_fully_qualified_and_stay_in_the_dns() {
        assert_eq!(
            question_name("_8885._tcp.MQ.test").map(|n| n.to_ascii()),
            Ok("_8885._tcp.mq.test.".into())
        );
        for text in ["localhost", "a.localhost.", "x.invalid", "x.onion", "*.test", "", "a..b", "ü.test"] {
            assert!(question_name(text).is_err(), "{text}");
        }
    }

    #[test]
    fn anchors_are_keys_or_the_setup_fails() {
        let setup = |lines: &str| {
            TrustedDns::new(Settings {
                servers: vec![SocketAddr::from(([127, 0, 0, 1], 53))],
                anchors: Some(lines.into()),
                ..Settings::default()
            })
        };
        assert!(matches!(setup("\n; nothing\n"), Err(SetupError::NoAnchor)));
        assert!(matches!(setup(". IN DS 1 13 2 00"), Err(SetupError::Anchors(_))));
        assert!(matches!(setup("not a key"), Err(SetupError::Anchors(_))));
    }

    #[test]
    fn names_are_presented_without_their_final_dot_but_the_root_keeps_its_own() {
        assert_eq!(presented(&Name::root()), ".");
        assert_eq!(question_name("MQ.Peer-A.test").map(|n| presented(&n)), Ok("mq.peer-a.test".into()));
    }
}
