use hickory_resolver::proto::dnssec::Algorithm;
use hickory_resolver::proto::dnssec::rdata::{NSEC, NSEC3, SigInput};
use hickory_resolver::proto::dnssec::{Nsec3HashAlgorithm, Proof};
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, CNAME, SOA};
use time::macros::datetime;

use super::*;

const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);
const TOMORROW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);
const YESTERDAY: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);
const HOST: &str = "mq.peer-a.test.";

fn name(text: &str) -> Name {
    Name::from_ascii(text).expect("a name")
}

fn record(owner: &str, data: RData, proof: Proof) -> Record {
    let mut record = Record::from_rdata(name(owner), 300, data);
    record.proof = proof;
    record
}

fn address(owner: &str, proof: Proof) -> Record {
    record(owner, RData::A(A::new(192, 0, 2, 1)), proof)
}

fn alias(owner: &str, target: &str, proof: Proof) -> Record {
    record(owner, RData::CNAME(CNAME(name(target))), proof)
}

fn soa(zone: &str, proof: Proof) -> Record {
    record(zone, RData::SOA(SOA::new(name("ns.test."), name("admin.test."), 1, 1, 1, 1, 1)), proof)
}

fn nsec(owner: &str, next: &str, proof: Proof) -> Record {
    record(owner, RData::DNSSEC(DNSSECRData::NSEC(NSEC::new(name(next), [RecordType::A]))), proof)
}

/// A signature by peer-a.test over an owner of `labels` labels, in force from yesterday to `expires`.
fn signature(owner: &str, kind: RecordType, labels: u8, expires: OffsetDateTime) -> Record {
    let input = SigInput {
        type_covered: kind,
        algorithm: Algorithm::ECDSAP256SHA256,
        num_labels: labels,
        original_ttl: 300,
        sig_expiration: (expires.unix_timestamp() as u32).into(),
        sig_inception: (YESTERDAY.unix_timestamp() as u32).into(),
        key_tag: 1,
        signer_name: name("peer-a.test."),
    };
    record(owner, RData::DNSSEC(DNSSECRData::RRSIG(RRSIG::from_sig(input, vec![]))), Proof::Secure)
}

fn answer(answers: Vec<Record>, authorities: Vec<Record>) -> Answer {
    let mut message = Message::query();
    message.answers = answers;
    message.authorities = authorities;
    Answer { message, complaint: None }
}

fn judged(answer: &Answer) -> Finding {
    judge(&name(HOST), RecordType::A, answer, NOW)
}

fn signed_address() -> Vec<Record> {
    vec![address(HOST, Proof::Secure), signature(HOST, RecordType::A, 3, TOMORROW)]
}

/// A sound NODATA answer of peer-a.test about HOST.
fn signed_denial(expires: OffsetDateTime) -> Vec<Record> {
    vec![
        soa("peer-a.test.", Proof::Secure),
        signature("peer-a.test.", RecordType::SOA, 2, TOMORROW),
        nsec(HOST, "z.peer-a.test.", Proof::Secure),
        signature(HOST, RecordType::NSEC, 3, expires),
    ]
}

fn is_bogus(finding: Finding, about: &str) {
    match finding {
        Finding::Bogus(why) => assert!(why.contains(about), "{why:?} does not mention {about:?}"),
        other => panic!("{other:?} should be bogus: {about}"),
    }
}

#[test]
fn signed_records_are_good_until_their_ttl_or_their_signature_ends() {
    let Finding::Records { records, deadline } = judged(&answer(signed_address(), vec![])) else {
        panic!("not secure")
    };
    assert_eq!(records.len(), 1);
    assert_eq!(deadline, NOW + Duration::seconds(300));

    let soon = NOW + Duration::seconds(19);
    let short = vec![address(HOST, Proof::Secure), signature(HOST, RecordType::A, 3, soon)];
    let Finding::Records { deadline, .. } = judged(&answer(short, vec![])) else { panic!("not secure") };
    assert_eq!(deadline, soon);
}

/// HOST made from `*.peer-a.test`, with an NSEC record from `owner` to `next`.
fn from_wildcard(owner: &str, next: &str) -> Answer {
    let labels = name(owner).num_labels();
    answer(
        vec![address(HOST, Proof::Secure), signature(HOST, RecordType::A, 2, TOMORROW)],
        vec![nsec(owner, next, Proof::Secure), signature(owner, RecordType::NSEC, labels, TOMORROW)],
    )
}

#[test]
fn f1_a_sound_wildcard_proof_counts_though_the_library_complains() {
    for (owner, next) in [("*.peer-a.test.", "z.peer-a.test."), ("a.peer-a.test.", "peer-a.test.")] {
        let mut wild = from_wildcard(owner, next);
        assert!(matches!(judged(&wild), Finding::Records { .. }));
        wild.complaint = Some(Proof::Bogus);
        assert!(matches!(judged(&wild), Finding::Records { .. }), "{owner} {next}");
    }
}

#[test]
fn f1_a_wildcard_proof_must_span_the_name_and_all_below_it() {
    for (owner, next) in [
        ("n.peer-a.test.", "z.peer-a.test."),
        ("a.peer-a.test.", "b.peer-a.test."),
        ("a.peer-a.test.", "x.mq.peer-a.test."),
        ("z.peer-b.test.", "peer-b.test."),
        (HOST, "z.peer-a.test."),
    ] {
        is_bogus(judged(&from_wildcard(owner, next)), "nothing proves");
    }
    let mut stale = from_wildcard("*.peer-a.test.", "z.peer-a.test.");
    stale.message.authorities[1] = signature("*.peer-a.test.", RecordType::NSEC, 2, YESTERDAY);
    is_bogus(judged(&stale), "nothing proves");
}

#[test]
fn f2_a_denial_from_another_zone_is_bogus() {
    is_bogus(judged(&answer(vec![], vec![soa("peer-b.test.", Proof::Insecure)])), "another zone");
    is_bogus(judged(&answer(vec![], vec![soa("a.mq.peer-a.test.", Proof::Insecure)])), "another zone");
    let mut mixed = signed_denial(TOMORROW);
    mixed.push(soa("peer-b.test.", Proof::Insecure));
    is_bogus(judged(&answer(vec![], mixed)), "another zone");
}

#[test]
fn f2_a_denial_without_zone_or_without_proof_is_bogus() {
    is_bogus(judged(&answer(vec![], vec![])), "no zone");
    is_bogus(judged(&answer(vec![], signed_denial(TOMORROW)[..2].to_vec())), "no NSEC");
}

#[test]
fn f2_a_denial_is_proven_only_if_every_part_of_it_is() {
    assert_eq!(judged(&answer(vec![], signed_denial(TOMORROW))), Finding::Absent);
    for part in [0, 2] {
        let mut denial = signed_denial(TOMORROW);
        denial[part].proof = Proof::Bogus;
        assert_eq!(judged(&answer(vec![], denial)), Finding::Unproven);
    }
    let mut unproven = answer(vec![], signed_denial(TOMORROW));
    unproven.complaint = Some(Proof::Bogus);
    assert_eq!(judged(&unproven), Finding::Unproven);
}

#[test]
fn f2_a_denial_signed_by_the_parent_does_not_speak_for_the_child() {
    let mut denial = signed_denial(TOMORROW);
    denial[0] = soa("test.", Proof::Secure);
    denial[1] = signature("test.", RecordType::SOA, 1, TOMORROW);
    is_bogus(judged(&answer(vec![], denial)), "another zone");
}

#[test]
fn f2_an_unsigned_ancestor_makes_an_absent_name_unsigned() {
    assert_eq!(judged(&answer(vec![], vec![soa("peer-a.test.", Proof::Insecure)])), Finding::Unsigned);
}

#[test]
fn f2_a_signed_wildcard_does_not_stand_in_for_other_names_without_proof() {
    let wild = vec![address(HOST, Proof::Secure), signature(HOST, RecordType::A, 2, TOMORROW)];
    is_bogus(judged(&answer(wild.clone(), vec![])), "nothing proves");
    is_bogus(judged(&answer(wild, vec![soa("peer-b.test.", Proof::Insecure)])), "nothing proves");
}

#[test]
fn f3_a_signed_target_does_not_cure_an_unsigned_alias() {
    let chain = vec![
        alias(HOST, "host.peer-a.test.", Proof::Insecure),
        address("host.peer-a.test.", Proof::Secure),
        signature("host.peer-a.test.", RecordType::A, 3, TOMORROW),
    ];
    assert_eq!(judged(&answer(chain, vec![])), Finding::Unsigned);
}

#[test]
fn f3_a_signed_alias_leads_to_a_question_of_its_own() {
    let chain = vec![
        alias(HOST, "host.peer-b.test.", Proof::Secure),
        signature(HOST, RecordType::CNAME, 3, TOMORROW),
        address("host.peer-b.test.", Proof::Insecure),
    ];
    assert!(
        matches!(judged(&answer(chain, vec![])), Finding::Alias { target, .. } if target == name("host.peer-b.test."))
    );
    // Records of a name nobody asked for are no answer, however well signed.
    let elsewhere = vec![
        address("host.peer-a.test.", Proof::Secure),
        signature("host.peer-a.test.", RecordType::A, 3, TOMORROW),
    ];
    is_bogus(judged(&answer(elsewhere, vec![])), "no zone");
}

#[test]
fn f3_an_alias_beside_records_is_bogus() {
    let mut both = signed_address();
    both.push(alias(HOST, "host.peer-b.test.", Proof::Insecure));
    is_bogus(judged(&answer(both, vec![])), "alias beside");
}

#[test]
fn f3_one_unproven_record_spoils_the_set() {
    let mut set = signed_address();
    set.push(address(HOST, Proof::Insecure));
    assert_eq!(judged(&answer(set, vec![])), Finding::Unproven);
}

#[test]
fn f4_a_signature_out_of_its_dates_proves_nothing_whatever_its_grade() {
    let past = NOW - Duration::SECOND;
    let stale = vec![address(HOST, Proof::Secure), signature(HOST, RecordType::A, 3, past)];
    is_bogus(judged(&answer(stale, vec![])), "signature expired 2026-11-21T11:59:59Z");
    is_bogus(judged(&answer(vec![], signed_denial(past))), "signature expired");

    let early = YESTERDAY - Duration::HOUR;
    let finding = judge(&name(HOST), RecordType::A, &answer(signed_address(), vec![]), early);
    is_bogus(finding, "not valid before 2026-11-20T12:00:00Z");
}

#[test]
fn f4_a_grade_without_its_signature_proves_nothing() {
    is_bogus(judged(&answer(vec![address(HOST, Proof::Secure)], vec![])), "signature missing");
}

#[test]
fn f5_failed_and_ungraded_records_want_a_second_look() {
    assert_eq!(judged(&answer(vec![address(HOST, Proof::Bogus)], vec![])), Finding::Unproven);
    // F8: what did not come from the DNS is Indeterminate.
    assert_eq!(judged(&answer(vec![address(HOST, Proof::Indeterminate)], vec![])), Finding::Unproven);
}

#[test]
fn an_opt_out_span_proves_no_absence() {
    let nsec3 = NSEC3::new(Nsec3HashAlgorithm::SHA1, true, 0, vec![], vec![0; 20], []);
    let owner = "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.peer-a.test.";
    let mut denial = signed_denial(TOMORROW);
    denial[2] = record(owner, RData::DNSSEC(DNSSECRData::NSEC3(nsec3)), Proof::Secure);
    denial[3] = signature(owner, RecordType::NSEC3, 3, TOMORROW);
    let mut denial = answer(vec![], denial);
    assert_eq!(judged(&denial), Finding::Absent);
    denial.message.metadata.response_code = ResponseCode::NXDomain;
    assert_eq!(judged(&denial), Finding::Unsigned);
}

#[test]
fn signature_times_mean_the_moment_nearest_to_now() {
    let late = datetime!(2106-02-07 06:28:20 UTC);
    assert_eq!(moment(10, late), datetime!(2106-02-07 06:28:26 UTC));
    assert_eq!(moment(NOW.unix_timestamp() as u32, NOW), NOW);
}
