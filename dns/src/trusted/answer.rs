//! Judging one answer: plain functions of what the validator returned, of the name asked, and of the time.
//!
//! The validator grades each record; these functions decide what the grades are worth. They accept less than the
//! library does, because "nothing found" from a spoofer must never look like "nothing there", and because a grade
//! may be older than the signature it came from.

use hickory_resolver::proto::dnssec::Proof;
use hickory_resolver::proto::dnssec::rdata::{DNSSECRData, NSEC, RRSIG};
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

/// One validated answer.
pub(super) struct Answer {
    /// What was said, each record with the validator's grade.
    pub(super) message: Message,
    /// The validator's grade for the proof of absence or of wildcard expansion, where it was not satisfied.
    pub(super) complaint: Option<Proof>,
}

/// What one answer says about the name asked.
#[derive(Debug, PartialEq)]
pub(super) enum Finding {
    /// Signed records.
    Records { records: Vec<RData>, deadline: OffsetDateTime },
    /// A signed alias; the target is a question of its own.
    Alias { target: Name, deadline: OffsetDateTime },
    /// Absence, proven.
    Absent,
    /// Nothing here is signed.
    Unsigned,
    /// Not to be believed, for this reason.
    Bogus(String),
    /// Not to be believed; a second look may tell why.
    Unproven,
}

/// Judges `answer` to the question for records of `kind` at `name`.
pub(super) fn judge(name: &Name, kind: RecordType, answer: &Answer, now: OffsetDateTime) -> Finding {
    let aliases = rrset(&answer.message.answers, name, RecordType::CNAME);
    let records = rrset(&answer.message.answers, name, kind);
    match (aliases.as_slice(), records.as_slice()) {
        ([], []) => absence(name, answer, now),
        ([], found) => match presence(name, kind, found, answer, now) {
            Ok(deadline) => {
                Finding::Records { records: found.iter().map(|r| r.data.clone()).collect(), deadline }
            }
            Err(finding) => finding,
        },
        ([alias], []) => match presence(name, RecordType::CNAME, &aliases, answer, now) {
            Ok(deadline) => match &alias.data {
                RData::CNAME(target) => Finding::Alias { target: target.0.clone(), deadline },
                _ => Finding::Unproven,
            },
            Err(finding) => finding,
        },
        // RFC 1034 §3.6.2: an alias stands alone.
        _ => Finding::Bogus(format!("{name} has an alias beside other records")),
    }
}

/// Until when the records at `name` may be believed, or what they are instead.
fn presence(
    name: &Name,
    kind: RecordType,
    found: &[&Record],
    answer: &Answer,
    now: OffsetDateTime,
) -> Result<OffsetDateTime, Finding> {
    if found.iter().all(|record| record.proof.is_insecure()) {
        return Err(Finding::Unsigned);
    }
    if !found.iter().all(|record| record.proof.is_secure()) {
        return Err(Finding::Unproven);
    }
    let signatures = proving(&answer.message.answers, name, kind);
    let expires =
        in_force(&signatures, now).map_err(|why| Finding::Bogus(format!("{why} ({kind} {name})")))?;
    for signature in signatures.iter().filter(|signature| signature.input().num_labels < name.num_labels()) {
        if !wildcard_is_proven(name, signature, answer, now) {
            let why = format!("{name} comes from a wildcard, and nothing proves that it may ({kind})");
            return Err(Finding::Bogus(why));
        }
    }
    let ttl = found.iter().map(|record| record.ttl).min().unwrap_or(0);
    Ok(expires.min(now + Duration::seconds(ttl.into())))
}

/// Whether a record made from a wildcard comes with proof that nothing closer exists (RFC 4035 §5.3.4).
///
/// The library skips that proof when everything in the authority section is unsigned: one unsigned record of any
/// zone would let a signed wildcard stand in for every name below it. It also refuses sound NSEC proofs of names
/// directly below the wildcard (hickory-dns pull request 3812). So NSEC proofs are checked here from validated
/// records, and NSEC3 proofs must have been seen and accepted by the library.
fn wildcard_is_proven(name: &Name, signature: &RRSIG, answer: &Answer, now: OffsetDateTime) -> bool {
    let next_closer = name.trim_to(usize::from(signature.input().num_labels) + 1);
    denials(answer).into_iter().filter(|record| record.proof.is_secure()).any(|record| {
        let proofs = proving(&answer.message.authorities, &record.name, record.record_type());
        let same_zone = proofs.iter().all(|p| p.input().signer_name == signature.input().signer_name);
        let accepted = match &record.data {
            RData::DNSSEC(DNSSECRData::NSEC(nsec)) => spans(&record.name, nsec, &next_closer),
            _ => answer.complaint.is_none(),
        };
        accepted && same_zone && in_force(&proofs, now).is_ok()
    })
}

/// Whether an NSEC record shows that neither `name` nor anything below it exists.
///
/// A record of the parent's side of a delegation, or above a DNAME, says nothing of what lies below (RFC 6840 §4.1).
fn spans(owner: &Name, nsec: &NSEC, name: &Name) -> bool {
    let next = nsec.next_domain_name();
    let elsewhere = nsec.is_ancestor_delegation() || nsec.type_set().contains(RecordType::DNAME);
    if name <= owner || elsewhere && owner.zone_of(name) {
        return false;
    }
    let last_of_zone = next <= owner && next.zone_of(name);
    last_of_zone || name < next && !name.zone_of(next)
}

/// What an answer without records proves.
///
/// The library returns a denial unexamined when its authority section is unsigned, whosever zone that section
/// comes from. So: the SOA must be of an ancestor of `name`; it must be signed, with NSEC or NSEC3 records of the
/// same zone, all validated and in force; only an ancestor known to be unsigned makes the name unsigned.
fn absence(name: &Name, answer: &Answer, now: OffsetDateTime) -> Finding {
    if answer.complaint.is_some_and(|proof| !proof.is_insecure()) {
        return Finding::Unproven;
    }
    let soas: Vec<_> = authorities(answer, |kind| kind == RecordType::SOA);
    let Some(soa) = soas.first() else {
        return Finding::Bogus(format!("the denial of {name} names no zone (SOA)"));
    };
    if soas.iter().any(|soa| !soa.name.zone_of(name)) {
        return Finding::Bogus(format!("the denial of {name} comes from {}, another zone", soa.name));
    }
    if soas.iter().all(|soa| soa.proof.is_insecure()) {
        return Finding::Unsigned;
    }
    let denials = denials(answer);
    if denials.is_empty() && soas.iter().all(|soa| soa.proof.is_secure()) {
        return Finding::Bogus(format!("no NSEC or NSEC3 record proves that {name} is absent"));
    }
    if soas.iter().chain(&denials).any(|record| !record.proof.is_secure()) {
        return Finding::Unproven;
    }
    if let Err(why) = denials_in_force(&soas, &denials, answer, now) {
        return Finding::Bogus(format!("{why} (denial of {name})"));
    }
    // RFC 9276 §3.2: more hash iterations than one may ask of a validator prove nothing. RFC 5155 §9.2: an opt-out
    // span may hide an unsigned delegation.
    let opt_out = answer.message.metadata.response_code == ResponseCode::NXDomain
        && denials.iter().any(
            |record| matches!(&record.data, RData::DNSSEC(DNSSECRData::NSEC3(nsec3)) if nsec3.opt_out()),
        );
    if answer.complaint.is_some() || opt_out { Finding::Unsigned } else { Finding::Absent }
}

/// Whether every record of the denial is signed by the zone of the SOA, and still is.
fn denials_in_force(
    soas: &[&Record],
    denials: &[&Record],
    answer: &Answer,
    now: OffsetDateTime,
) -> Result<(), String> {
    for record in soas.iter().chain(denials) {
        let signatures = proving(&answer.message.authorities, &record.name, record.record_type());
        in_force(&signatures, now)?;
        if signatures.iter().any(|signature| soas.iter().any(|soa| soa.name != signature.input().signer_name))
        {
            return Err(format!("{} was signed by another zone", record.name));
        }
    }
    Ok(())
}

/// When the first of the signatures expires, or why they prove nothing at `now`.
///
/// The validator's grade may come from its memory; the dates decide (RFC 4035 §5.3.1).
pub(super) fn in_force(signatures: &[&RRSIG], now: OffsetDateTime) -> Result<OffsetDateTime, String> {
    let mut first: Option<OffsetDateTime> = None;
    for signature in signatures {
        let expires = moment(signature.input().sig_expiration.get(), now);
        let begins = moment(signature.input().sig_inception.get(), now);
        if expires < now {
            return Err(format!("signature expired {}", presented(expires)));
        }
        if begins > now {
            return Err(format!("signature not valid before {}", presented(begins)));
        }
        first = Some(first.map_or(expires, |first| first.min(expires)));
    }
    first.ok_or_else(|| "signature missing".into())
}

/// A 32-bit time of RFC 4034 §3.1.5, which means the moment nearest to `now` (RFC 1982).
fn moment(serial: u32, now: OffsetDateTime) -> OffsetDateTime {
    let here = now.unix_timestamp() as u32;
    let distance = serial.wrapping_sub(here) as i32;
    let whole = now.replace_nanosecond(0).unwrap_or(now);
    whole.checked_add(Duration::seconds(distance.into())).unwrap_or(now)
}

fn presented(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}

/// The records of one kind at one name.
pub(super) fn rrset<'a>(section: &'a [Record], name: &Name, kind: RecordType) -> Vec<&'a Record> {
    section.iter().filter(|record| record.record_type() == kind && record.name == *name).collect()
}

/// All signatures over the records of one kind at one name, each with its record.
pub(super) fn signatures<'a>(
    section: &'a [Record],
    name: &Name,
    kind: RecordType,
) -> impl Iterator<Item = (&'a Record, &'a RRSIG)> {
    rrset(section, name, RecordType::RRSIG).into_iter().filter_map(move |record| match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) if rrsig.input().type_covered == kind => {
            Some((record, rrsig))
        }
        _ => None,
    })
}

/// The signatures that the validator used: it marks those and no others.
fn proving<'a>(section: &'a [Record], name: &Name, kind: RecordType) -> Vec<&'a RRSIG> {
    signatures(section, name, kind)
        .filter(|(record, _)| record.proof.is_secure())
        .map(|(_, rrsig)| rrsig)
        .collect()
}

fn denials(answer: &Answer) -> Vec<&Record> {
    authorities(answer, |kind| matches!(kind, RecordType::NSEC | RecordType::NSEC3))
}

fn authorities(answer: &Answer, wanted: impl Fn(RecordType) -> bool) -> Vec<&Record> {
    answer.message.authorities.iter().filter(|record| wanted(record.record_type())).collect()
}

#[cfg(test)]
mod tests;
