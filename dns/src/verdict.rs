//! Verdicts: the five things the DNS can have said, and the records it may have said them with.

use std::fmt;

use serde::{Serialize, Serializer};
use time::OffsetDateTime;

/// What is known about one question. Only `Secure` may be built upon.
///
/// As JSON: `{"verdict": "secure", "records": […], "deadline": "…"}` or `{"verdict": "bogus", "why": "…"}`;
/// the word under `verdict` is the [`label`](Verdict::label).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict")]
pub enum Verdict<T> {
    /// Signed, and validated up to a trust anchor.
    #[serde(rename = "secure")]
    Secure {
        /// The records, at least one.
        records: Vec<T>,
        /// The earlier of the end of their lifetime and the expiry of their first signature. Past it they prove
        /// nothing and the question must be asked again.
        #[serde(with = "time::serde::rfc3339")]
        deadline: OffsetDateTime,
    },
    /// The signed zone proves that there are no such records (RFC 4035 §5.4, RFC 5155 §8).
    #[serde(rename = "proven absent")]
    ProvenAbsent,
    /// The name lies, or its alias leads, where nothing is signed. Whether records exist is anybody's guess.
    #[serde(rename = "unsigned")]
    Unsigned,
    /// The answer ought to be signed and is not validly so: broken, expired, or forged.
    #[serde(rename = "bogus")]
    Bogus {
        /// The cause, for the admin of either side.
        why: String,
    },
    /// No answer that could be judged.
    #[serde(rename = "unreachable")]
    Unreachable {
        /// The cause, for the admin.
        why: String,
    },
}

impl<T> Verdict<T> {
    /// The verdict in one or two words.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Secure { .. } => "secure",
            Self::ProvenAbsent => "proven absent",
            Self::Unsigned => "unsigned",
            Self::Bogus { .. } => "bogus",
            Self::Unreachable { .. } => "unreachable",
        }
    }

    /// The cause, where the verdict has one.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Bogus { why } | Self::Unreachable { why } => Some(why),
            _ => None,
        }
    }

    /// The records of a Secure verdict, else none.
    pub fn records(&self) -> &[T] {
        match self {
            Self::Secure { records, .. } => records,
            _ => &[],
        }
    }

    /// The deadline of a Secure verdict.
    pub fn deadline(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Secure { deadline, .. } => Some(*deadline),
            _ => None,
        }
    }

    /// The same verdict looked at later: Secure ends at its deadline, so that a kept answer cannot outlive its
    /// signature.
    pub fn at(self, now: OffsetDateTime) -> Self {
        match self {
            Self::Secure { deadline, .. } if deadline < now => {
                Self::Bogus { why: format!("signature expired, or lifetime ended, {deadline}") }
            }
            verdict => verdict,
        }
    }

    /// The same verdict about other records; one that maps to nothing is left out.
    pub(crate) fn map<U>(self, one: impl Fn(T) -> Option<U>) -> Verdict<U> {
        match self {
            Self::Secure { records, deadline } => {
                Verdict::Secure { records: records.into_iter().filter_map(one).collect(), deadline }
            }
            Self::ProvenAbsent => Verdict::ProvenAbsent,
            Self::Unsigned => Verdict::Unsigned,
            Self::Bogus { why } => Verdict::Bogus { why },
            Self::Unreachable { why } => Verdict::Unreachable { why },
        }
    }

    /// One verdict about a host from those about its IPv4 and IPv6 addresses.
    ///
    /// A forgery of either is a forgery of the host. One proven family is enough to connect; nothing less than
    /// two proofs of absence shows that there is no address.
    pub(crate) fn or_also(self, other: Self) -> Self {
        use Verdict::{Bogus, ProvenAbsent, Secure, Unreachable, Unsigned};
        match (self, other) {
            (Secure { mut records, deadline }, Secure { records: more, deadline: ends }) => {
                records.extend(more);
                Secure { records, deadline: deadline.min(ends) }
            }
            (bogus @ Bogus { .. }, _) | (_, bogus @ Bogus { .. }) => bogus,
            (Unsigned, _) | (_, Unsigned) => Unsigned,
            (secure @ Secure { .. }, _) | (_, secure @ Secure { .. }) => secure,
            (out @ Unreachable { .. }, _) | (_, out @ Unreachable { .. }) => out,
            (ProvenAbsent, ProvenAbsent) => ProvenAbsent,
        }
    }
}

/// Where a service is offered (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Srv {
    /// Lower is tried first.
    pub priority: u16,
    /// Share among equals of one priority.
    pub weight: u16,
    /// TCP or UDP port.
    pub port: u16,
    /// Host name, lower case, without its final dot; `.` where the domain declares that it offers no such service.
    pub target: String,
}

impl Srv {
    /// Whether the record says "no such service here" (RFC 2782, target `.`).
    pub fn is_refusal(&self) -> bool {
        self.target == "."
    }
}

/// Which certificate or key a server will show (RFC 6698 §2.1, RFC 7218).
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Tlsa {
    /// 0 PKIX-TA, 1 PKIX-EE, 2 DANE-TA, 3 DANE-EE.
    pub usage: u8,
    /// 0 the whole certificate, 1 its public key.
    pub selector: u8,
    /// 0 as it is, 1 SHA-256, 2 SHA-512.
    pub matching: u8,
    /// The bytes to match; hex in JSON.
    #[serde(serialize_with = "as_hex")]
    pub data: Vec<u8>,
}

impl fmt::Display for Tlsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.usage, self.selector, self.matching, hex(&self.data))
    }
}

impl fmt::Debug for Tlsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tlsa({self})")
    }
}

fn as_hex<S: Serializer>(data: &[u8], s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&hex(data))
}

fn hex(data: &[u8]) -> String {
    data.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOON: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

    fn secure(records: &[u8], deadline: OffsetDateTime) -> Verdict<u8> {
        Verdict::Secure { records: records.to_vec(), deadline }
    }

    #[test]
    fn a_verdict_is_written_under_its_label() {
        let tlsa = Tlsa { usage: 3, selector: 1, matching: 1, data: vec![0xAB, 1] };
        let json =
            serde_json::to_value(Verdict::Secure { records: vec![tlsa], deadline: NOON }).expect("json");
        assert_eq!(json["verdict"], "secure");
        assert_eq!(json["deadline"], "2026-11-21T12:00:00Z");
        assert_eq!(json["records"][0]["data"], "ab01");

        for verdict in [Verdict::<u8>::ProvenAbsent, Verdict::Unsigned, Verdict::Bogus { why: "x".into() }] {
            let json = serde_json::to_value(&verdict).expect("json");
            assert_eq!(json["verdict"], verdict.label());
            assert_eq!(json["why"].as_str(), verdict.why());
        }
    }

    #[test]
    fn a_kept_verdict_ends_at_its_deadline() {
        let kept = secure(&[1], NOON);
        assert_eq!(kept.clone().at(NOON).label(), "secure");
        let late = kept.at(NOON + time::Duration::SECOND);
        assert_eq!(late.label(), "bogus");
        assert!(late.records().is_empty());
    }

    #[test]
    fn a_host_is_as_sound_as_its_worse_address_family_but_absence_needs_two_proofs() {
        let out = || Verdict::<u8>::Unreachable { why: "x".into() };
        let forged = || Verdict::<u8>::Bogus { why: "x".into() };
        let good = || secure(&[4], NOON);
        assert_eq!(good().or_also(secure(&[6], NOON - time::Duration::HOUR)).records(), [4, 6]);
        for (one, other, label) in [
            (good(), Verdict::ProvenAbsent, "secure"),
            (good(), out(), "secure"),
            (good(), Verdict::Unsigned, "unsigned"),
            (good(), forged(), "bogus"),
            (Verdict::Unsigned, forged(), "bogus"),
            (Verdict::ProvenAbsent, out(), "unreachable"),
            (Verdict::ProvenAbsent, Verdict::ProvenAbsent, "proven absent"),
        ] {
            assert_eq!(one.clone().or_also(other.clone()).label(), label, "{one:?} and {other:?}");
            assert_eq!(other.or_also(one).label(), label);
        }
    }
}
