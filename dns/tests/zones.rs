//! Verdicts on real zones: what TrustedDns says about a signed hierarchy, beside what delv and unbound say.

#[path = "zones/forger.rs"]
mod forger;
#[path = "../../src/tests/town/zones.rs"]
mod zones;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use chancery_dns::{Settings, TrustedDns, Verdict};
use time::OffsetDateTime;

use forger::Forger;
use zones::Zones;

/// Names, what is asked of them, and the verdict. `A` asks for both address families.
const TABLE: &[(&str, &str, &str)] = &[
    ("_syn-fed._tcp.peer-a.test", "SRV", "secure"),
    ("_none._tcp.peer-a.test", "SRV", "secure"),
    ("_other._tcp.peer-a.test", "SRV", "secure"),
    ("_8885._tcp.mq.peer-a.test", "TLSA", "secure"),
    ("_syn-fed.peer-a.test", "TLSA", "secure"),
    ("mq.peer-a.test", "A", "secure"),
    ("host.peer-a.test", "TXT", "secure"),
    ("alias.peer-a.test", "A", "secure"),
    ("alias2.peer-a.test", "A", "secure"),
    ("x.wild.peer-a.test", "A", "secure"),
    ("x.y.wild.peer-a.test", "A", "secure"),
    ("other.svc.peer-a.test", "TLSA", "secure"),
    ("exact.svc.peer-a.test", "TLSA", "secure"),
    ("_syn-fed._tcp.peer-c.test", "SRV", "secure"),
    ("_8885._tcp.mq.peer-c.test", "TLSA", "secure"),
    ("x.wild.peer-c.test", "A", "secure"),
    ("x.y.wild.peer-c.test", "A", "secure"),
    ("host.brief.test", "A", "secure"),
    ("host.optout.test", "A", "secure"),
    ("mq.peer-a.test", "TXT", "proven absent"),
    ("peer-a.test", "TLSA", "proven absent"),
    ("nothing.peer-a.test", "A", "proven absent"),
    ("void.peer-a.test", "A", "proven absent"),
    ("x.wild.peer-a.test", "TXT", "proven absent"),
    ("_tcp.peer-a.test", "SRV", "proven absent"),
    ("_9999._tcp.mq.peer-c.test", "TLSA", "proven absent"),
    ("mq.peer-c.test", "TXT", "proven absent"),
    ("nowhere.test", "A", "proven absent"),
    ("example", "A", "proven absent"),
    ("_syn-fed._tcp.peer-b.test", "SRV", "unsigned"),
    ("_8885._tcp.mq.peer-b.test", "TLSA", "unsigned"),
    ("nothing.peer-b.test", "A", "unsigned"),
    ("out.peer-a.test", "A", "unsigned"),
    ("in.peer-b.test", "A", "unsigned"),
    ("host.bogus.test", "A", "bogus"),
    ("_syn-fed._tcp.bogus.test", "SRV", "bogus"),
    ("broken.peer-a.test", "A", "bogus"),
    ("c2.peer-a.test", "TXT", "secure"),
    ("host.expired.test", "A", "bogus"),
    ("_syn-fed._tcp.expired.test", "SRV", "bogus"),
    ("nothing.expired.test", "A", "bogus"),
    ("host.future.test", "A", "bogus"),
    ("host.stray.test", "A", "bogus"),
    ("host.stripped.test", "A", "bogus"),
    ("nothing.stripped.test", "TXT", "bogus"),
];

#[tokio::test]
async fn verdicts_equal_those_of_delv() {
    let zones = Zones::shared();
    let dns = trusted(&zones, zones.forwarder);
    for &(name, kind, expected) in TABLE {
        assert_eq!(asked(&dns, name, kind, now()).await.0, expected, "{name} {kind}");
        assert_eq!(both_families(kind, |kind| delv(&zones, name, kind)), expected, "delv on {name} {kind}");
    }
}

#[tokio::test]
async fn behind_a_validating_resolver_the_verdicts_are_the_same_and_equal_its_own() {
    let zones = Zones::shared();
    let dns = trusted(&zones, zones.validator);
    for &(name, kind, expected) in TABLE {
        assert_eq!(asked(&dns, name, kind, now()).await.0, expected, "{name} {kind}");
        assert_eq!(
            both_families(kind, |kind| unbound(&zones, name, kind)),
            expected,
            "unbound on {name} {kind}"
        );
    }
}

#[tokio::test]
async fn absence_within_an_opt_out_span_is_not_proven() {
    let zones = Zones::shared();
    let dns = trusted(&zones, zones.forwarder);
    assert_eq!(asked(&dns, "nothing.optout.test", "TXT", now()).await.0, "unsigned");
    assert_eq!(unbound(&zones, "nothing.optout.test", "TXT"), "unsigned");
}

#[tokio::test]
async fn a_bogus_verdict_names_its_cause() {
    let zones = Zones::shared();
    for resolver in [zones.forwarder, zones.validator] {
        let dns = trusted(&zones, resolver);
        for (name, cause) in [
            ("host.bogus.test", "signature does not match the keys of bogus.test."),
            ("host.expired.test", "signature expired "),
            ("nothing.expired.test", "signature expired "),
            ("host.future.test", "signature not valid before "),
            ("host.stray.test", "none of the keys of stray.test. is the one its parent names"),
            ("host.stripped.test", "signature missing: stripped.test. is served unsigned"),
            ("c1.peer-a.test", "more than 8 aliases in a row"),
        ] {
            let (label, why) = asked(&dns, name, "TXT", now()).await;
            assert_eq!(label, "bogus", "{name}");
            assert!(why.contains(cause), "{name}: {why}");
        }
    }
}

#[tokio::test]
async fn the_wrong_anchor_makes_everything_bogus_and_says_so() {
    let zones = Zones::shared();
    let mut settings = settings(zones.forwarder);
    settings.anchors = None;
    let dns = TrustedDns::new(settings).expect("the public root");
    for name in ["host.peer-a.test", "host.peer-b.test"] {
        let (label, why) = asked(&dns, name, "TXT", now()).await;
        assert_eq!(
            (label, why.as_str()),
            ("bogus", "the trust anchor is none of the keys of the root"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn records_arrive_whole_and_in_order() {
    let zones = Zones::shared();
    let dns = trusted(&zones, zones.forwarder);
    let srv = dns.srv("_Syn-Fed._tcp.peer-a.test.", now()).await;
    let [server] = srv.records() else { panic!("{srv:?}") };
    assert_eq!((server.priority, server.weight, server.port), (10, 5, 8885));
    assert_eq!(server.target, "mq.peer-a.test");
    assert!(!server.is_refusal());
    assert!(dns.srv("_none._tcp.peer-a.test", now()).await.records()[0].is_refusal());

    let tlsa = dns.tlsa("_8885._tcp.mq.peer-a.test", now()).await;
    let [tlsa] = tlsa.records() else { panic!("{tlsa:?}") };
    assert_eq!((tlsa.usage, tlsa.selector, tlsa.matching), (3, 1, 1));
    assert_eq!(tlsa.data, [0xAA, 0x11].repeat(16));

    let addresses = dns.address("mq.peer-a.test", now()).await;
    let texts: Vec<_> = addresses.records().iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["127.0.0.1", "::1"]);
}

#[tokio::test]
async fn a_secure_verdict_ends_with_its_signature_even_if_the_check_is_remembered() {
    let zones = Zones::shared();
    let dns = trusted(&zones, zones.forwarder);
    let name = "_8885._tcp.mq.brief.test";

    // Signatures of brief.test end an hour after the start; records live 300 s.
    let fresh = dns.tlsa(name, now()).await;
    assert!(fresh.deadline().is_some_and(|end| end <= now() + Duration::from_secs(300)), "{fresh:?}");

    let (mut near, mut last) = (now() + Duration::from_secs(3500), None);
    while let Verdict::Secure { deadline, .. } = dns.tlsa(name, near).await {
        assert!(deadline >= near);
        last = Some(deadline);
        near = deadline + Duration::from_secs(1);
    }
    assert!(last.is_some_and(|end| end < now() + Duration::from_secs(3601)), "{last:?}");
    let (label, why) = asked(&dns, name, "TLSA", near).await;
    assert_eq!(label, "bogus");
    assert!(why.starts_with("signature expired "), "{why}");
    assert_eq!(fresh.at(near).label(), "bogus");
}

#[tokio::test]
async fn a_forged_denial_from_an_unsigned_zone_is_bogus() {
    let zones = Zones::shared();
    let forger = Forger::start(zones.forwarder, |question, _| {
        question.is("_8885._tcp.mq.peer-a.test", forger::TLSA).then(|| question.denied_by("peer-b.test"))
    })
    .await;
    let dns = trusted(&zones, forger.address);
    let (label, why) = asked(&dns, "_8885._tcp.mq.peer-a.test", "TLSA", now()).await;
    assert_eq!(label, "bogus");
    assert!(why.contains("peer-b.test., another zone"), "{why}");
    // The rest of the same zone is untouched, so the forger itself works.
    assert_eq!(asked(&dns, "_syn-fed._tcp.peer-a.test", "SRV", now()).await.0, "secure");
    assert_eq!(asked(&dns, "_syn-fed._tcp.peer-b.test", "SRV", now()).await.0, "unsigned");
}

#[tokio::test]
async fn a_forged_denial_in_the_name_of_the_zone_itself_is_bogus() {
    let zones = Zones::shared();
    for zone in ["peer-a.test", "test"] {
        let forger = Forger::start(zones.forwarder, move |question, _| {
            question.is("_8885._tcp.mq.peer-a.test", forger::TLSA).then(|| question.denied_by(zone))
        })
        .await;
        let dns = trusted(&zones, forger.address);
        assert_eq!(asked(&dns, "_8885._tcp.mq.peer-a.test", "TLSA", now()).await.0, "bogus", "{zone}");
    }
}

#[tokio::test]
async fn a_true_denial_of_the_parent_zone_does_not_deny_names_of_the_child() {
    let zones = Zones::shared();
    let forger = Forger::start(zones.forwarder, |question, relay| {
        // Equally long on the wire, so that compressed names in the answer still point at "test".
        question
            .is("_8885._tcp.mq.peer-a.test", forger::TLSA)
            .then(|| question.with_answer_to(&relay(&question.renamed("aaaa.bbbb.cc.peer-aa.test"))))
    })
    .await;
    let dns = trusted(&zones, forger.address);
    assert_eq!(asked(&dns, "_8885._tcp.mq.peer-a.test", "TLSA", now()).await.0, "bogus");
}

#[tokio::test]
async fn a_signed_wildcard_cannot_be_replayed_over_an_existing_name() {
    let zones = Zones::shared();
    let forger = Forger::start(zones.forwarder, |question, relay| {
        question.is("exact.svc.peer-a.test", forger::TLSA).then(|| {
            let wild = relay(&question.renamed("other.svc.peer-a.test"));
            question.with_answer_to(&forger::without_proof(&wild, "peer-b.test"))
        })
    })
    .await;
    let dns = trusted(&zones, forger.address);
    let (label, why) = asked(&dns, "exact.svc.peer-a.test", "TLSA", now()).await;
    assert_eq!(label, "bogus");
    assert!(why.contains("nothing proves that it may"), "{why}");
}

#[tokio::test]
async fn a_resolver_that_strips_signatures_is_named() {
    let zones = Zones::shared();
    let forger =
        Forger::start(zones.forwarder, |question, relay| Some(relay(&question.without_edns()))).await;
    let dns = trusted(&zones, forger.address);
    let (label, why) = asked(&dns, "_8885._tcp.mq.peer-a.test", "TLSA", now()).await;
    assert_eq!((label, why.as_str()), ("bogus", "the resolver does not pass DNSSEC signatures"));
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_are_unreachable_not_bogus() {
    let zones = Zones::shared();
    let forger = Forger::start(zones.forwarder, |question, _| {
        question.is("peer-a.test", forger::DNSKEY).then(|| question.failed())
    })
    .await;
    let dns = trusted(&zones, forger.address);
    let (label, why) = asked(&dns, "_8885._tcp.mq.peer-a.test", "TLSA", now()).await;
    assert_eq!(label, "unreachable");
    assert!(why.contains("keys to check TLSA _8885._tcp.mq.peer-a.test."), "{why}");
}

#[tokio::test]
async fn a_silent_resolver_is_unreachable_within_the_budget() {
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = tcp.local_addr().expect("its address");
    let _udp = UdpSocket::bind(address).expect("the same port");
    let mut settings = Settings { servers: vec![address], ..Settings::default() };
    settings.timeout = Duration::from_millis(400);
    let dns = TrustedDns::new(settings).expect("settings");

    let start = Instant::now();
    let (label, why) = asked(&dns, "mq.peer-a.test", "A", now()).await;
    assert_eq!(label, "unreachable", "{why}");
    assert!(start.elapsed() < Duration::from_millis(2 * 400 + 300), "{:?}", start.elapsed());
}

#[tokio::test]
async fn an_alias_of_itself_leads_nowhere() {
    let zones = Zones::shared();
    let dns = trusted(&zones, zones.forwarder);
    let (label, why) = asked(&dns, "loop.peer-a.test", "TXT", now()).await;
    assert_eq!((label, why.as_str()), ("unreachable", "the resolver answers \"Server Failure\""));
}

#[tokio::test]
async fn a_port_without_a_resolver_is_unreachable_and_an_impossible_name_is_not_asked() {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr()).expect("a port");
    let mut settings = settings(address);
    settings.timeout = Duration::from_millis(200);
    let dns = TrustedDns::new(settings).expect("settings");
    assert_eq!(asked(&dns, "mq.peer-a.test", "TXT", now()).await.0, "unreachable");
    for name in ["localhost", "*.peer-a.test", "a..test", ""] {
        let (label, why) = asked(&dns, name, "TXT", now()).await;
        assert_eq!(label, "unreachable");
        assert!(!why.contains("no answer"), "{name}: {why}");
    }
}

fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

fn settings(server: SocketAddr) -> Settings {
    Settings { servers: vec![server], ..Settings::default() }
}

fn trusted(zones: &Zones, server: SocketAddr) -> TrustedDns {
    let settings = Settings { anchors: Some(zones.anchors.clone()), ..settings(server) };
    TrustedDns::new(settings).expect("the anchors of the zones")
}

/// The label of the verdict and its cause.
async fn asked(dns: &TrustedDns, name: &str, kind: &str, now: OffsetDateTime) -> (&'static str, String) {
    fn short<T>(verdict: &Verdict<T>) -> (&'static str, String) {
        (verdict.label(), verdict.why().unwrap_or_default().to_owned())
    }
    match kind {
        "SRV" => short(&dns.srv(name, now).await),
        "TLSA" => short(&dns.tlsa(name, now).await),
        "TXT" => short(&dns.txt(name, now).await),
        _ => short(&dns.address(name, now).await),
    }
}

/// The same rule as for one host with two address families.
fn both_families(kind: &str, oracle: impl Fn(&str) -> &'static str) -> &'static str {
    let labels = if kind == "A" { vec![oracle("A"), oracle("AAAA")] } else { vec![oracle(kind)] };
    let worst = ["bogus", "unsigned", "secure", "proven absent"];
    worst.into_iter().find(|label| labels.contains(label)).unwrap_or("proven absent")
}

/// What delv says, asking the resolver that does not validate.
fn delv(zones: &Zones, name: &str, kind: &str) -> &'static str {
    let mut command = Command::new("delv");
    command.arg(format!("@{}", zones.forwarder.ip())).args(["-p", &zones.forwarder.port().to_string()]);
    command.arg("-a").arg(&zones.anchor_file).args(["+root=.", &format!("{name}."), kind]);
    let output = command.output().expect("delv is installed");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    if said.contains("resolution failed") && !said.contains("resolution failed: ncache") {
        "bogus"
    } else if said.contains("unsigned answer") {
        "unsigned"
    } else if said.contains("resolution failed: ncache") {
        "proven absent"
    } else {
        assert!(said.contains("fully validated"), "{said}");
        "secure"
    }
}

/// What a validating unbound says: SERVFAIL, or an answer with or without AD.
fn unbound(zones: &Zones, name: &str, kind: &str) -> &'static str {
    let mut command = Command::new("dig");
    command.arg(format!("@{}", zones.validator.ip())).args(["-p", &zones.validator.port().to_string()]);
    let output = command.args(["+adflag", "+noall", "+comments", "+answer", name, kind]).output();
    let said = output.expect("dig is installed").stdout;
    let said = String::from_utf8_lossy(&said);
    let flags = said.lines().find(|line| line.starts_with(";; flags:")).unwrap_or_default();
    let found = said.lines().any(|line| line.split_whitespace().nth(3) == Some(kind));
    match (said.contains("status: SERVFAIL"), flags.contains(" ad"), found) {
        (true, ..) => "bogus",
        (false, false, _) => "unsigned",
        (false, true, true) => "secure",
        (false, true, false) => "proven absent",
    }
}
