//! Why an answer is broken: a second, unvalidated look at the signatures and at the keys above them.
//!
//! The validator only says that it could not prove an answer. An admin needs to know which zone, and what about it.
//! Nothing here can turn a verdict for the better; a chain of keys that cannot be fetched is told apart from one
//! that is false (hickory-dns issues 3932 and 3964 report both alike).

use hickory_resolver::net::NetError;
use hickory_resolver::proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS, RRSIG};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use time::OffsetDateTime;

use super::answer::{Answer, in_force, signatures};
use super::{Parts, failure_text};

/// The cause of a failed validation.
pub(super) enum Cause {
    /// The zone, or somebody on the way, is at fault.
    Broken(String),
    /// What would be needed to judge cannot be fetched.
    OutOfReach(String),
}

impl Parts {
    /// Finds the first thing wrong: the signature itself, then the keys from its zone up to the root.
    pub(super) async fn diagnose(
        &self,
        name: &Name,
        kind: RecordType,
        answer: &Answer,
        now: OffsetDateTime,
    ) -> Cause {
        let Some(weak) = weak_point(answer, name) else {
            return Cause::Broken(format!("the records shown do not prove that {name} has no {kind}"));
        };
        let what = format!("{} {}", weak.kind, weak.owner);
        let found = match dates(&weak.signatures, now) {
            Some(why) => Ok(format!("{why} ({what})")),
            None => self.why_unverified(&weak, &what, now).await,
        };
        match found {
            Ok(why) => Cause::Broken(why),
            Err(failure) => Cause::OutOfReach(format!("keys to check {what}: {}", failure_text(&failure))),
        }
    }

    /// Why signatures that are in force, or missing, do not do.
    async fn why_unverified(
        &self,
        weak: &WeakPoint,
        what: &str,
        now: OffsetDateTime,
    ) -> Result<String, NetError> {
        let Some(signature) = weak.signatures.first() else {
            let broken_above = self.why_untrusted_above(&weak.owner, now).await?;
            return Ok(broken_above.unwrap_or_else(|| format!("signature missing ({what})")));
        };
        let (zone, tag) = (&signature.input().signer_name, signature.input().key_tag);
        let keys = self.plain.look(zone, RecordType::DNSKEY).await?;
        if !dnskeys(&keys).any(|key| key.calculate_key_tag().is_ok_and(|of_key| of_key == tag)) {
            return Ok(format!("{zone} has no key with the tag {tag} of the signature ({what})"));
        }
        let broken_above = self.why_untrusted_above(zone, now).await?;
        Ok(broken_above.unwrap_or_else(|| format!("signature does not match the keys of {zone} ({what})")))
    }

    /// The lowest zone from `name` up to the root whose keys are not to be trusted, and why.
    async fn why_untrusted_above(
        &self,
        name: &Name,
        now: OffsetDateTime,
    ) -> Result<Option<String>, NetError> {
        let mut zone = name.clone();
        loop {
            let found = self.why_untrusted(&zone, now).await?;
            if found.is_some() || zone.is_root() {
                return Ok(found);
            }
            zone = zone.base_name();
        }
    }

    /// What is wrong with the keys of one zone; nothing also where `zone` is not the apex of one.
    async fn why_untrusted(&self, zone: &Name, now: OffsetDateTime) -> Result<Option<String>, NetError> {
        let keys = self.plain.look(zone, RecordType::DNSKEY).await?;
        let anchored =
            dnskeys(&keys).any(|key| self.anchors.contains_with_name(key.public_key(), &zone.into()));
        let signed = covering(&keys, zone, RecordType::DNSKEY);
        if zone.is_root() && signed.is_empty() {
            return Ok(Some("the resolver does not pass DNSSEC signatures".into()));
        }
        if zone.is_root() && !anchored {
            return Ok(Some("the trust anchor is none of the keys of the root".into()));
        }
        if let Some(why) = dates(&signed, now) {
            return Ok(Some(format!("{why} (DNSKEY {zone})")));
        }
        if anchored {
            return Ok(None);
        }
        self.why_undelegated(zone, &keys, now).await
    }

    /// What is wrong between the keys of a zone and what its parent says of them.
    async fn why_undelegated(
        &self,
        zone: &Name,
        keys: &[Record],
        now: OffsetDateTime,
    ) -> Result<Option<String>, NetError> {
        let parent = self.plain.look(zone, RecordType::DS).await?;
        let named = delegations(&parent).count() > 0;
        if named && dnskeys(keys).count() == 0 {
            return Ok(Some(format!(
                "signature missing: {zone} is served unsigned, but its parent names its key (DS)"
            )));
        }
        if named
            && !delegations(&parent).any(|ds| dnskeys(keys).any(|key| ds.covers(zone, key).unwrap_or(false)))
        {
            return Ok(Some(format!("none of the keys of {zone} is the one its parent names (DS)")));
        }
        Ok(dates(&covering(&parent, zone, RecordType::DS), now).map(|why| format!("{why} (DS {zone})")))
    }
}

/// A record set that failed, with every signature that claims to cover it.
struct WeakPoint {
    owner: Name,
    kind: RecordType,
    signatures: Vec<RRSIG>,
}

/// The first record set that could not be proven; one at the name asked comes first.
fn weak_point(answer: &Answer, name: &Name) -> Option<WeakPoint> {
    let sections = [&answer.message.answers, &answer.message.authorities];
    let failed = |record: &&Record| {
        record.record_type() != RecordType::RRSIG && !record.proof.is_secure() && !record.proof.is_insecure()
    };
    let at_name =
        sections.iter().find_map(|all| all.iter().find(|r| r.name == *name && failed(r)).zip(Some(all)));
    let anywhere = || sections.iter().find_map(|all| all.iter().find(failed).zip(Some(all)));
    at_name.or_else(anywhere).map(|(record, section)| WeakPoint {
        owner: record.name.clone(),
        kind: record.record_type(),
        signatures: covering(section, &record.name, record.record_type()),
    })
}

/// What is wrong with the dates, if no signature is in force.
fn dates(signatures: &[RRSIG], now: OffsetDateTime) -> Option<String> {
    let mut wrong = None;
    for signature in signatures {
        match in_force(&[signature], now) {
            Ok(_) => return None,
            Err(why) => wrong = wrong.or(Some(why)),
        }
    }
    wrong
}

fn covering(section: &[Record], name: &Name, kind: RecordType) -> Vec<RRSIG> {
    signatures(section, name, kind).map(|(_, rrsig)| rrsig.clone()).collect()
}

fn dnskeys(section: &[Record]) -> impl Iterator<Item = &DNSKEY> {
    section.iter().filter_map(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::DNSKEY(key)) => Some(key),
        _ => None,
    })
}

fn delegations(section: &[Record]) -> impl Iterator<Item = &DS> {
    section.iter().filter_map(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::DS(ds)) => Some(ds),
        _ => None,
    })
}
