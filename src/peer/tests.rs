//! Peers with a real store, and verdicts as values. Real zones are the craft's own tests' affair.

use std::net::{IpAddr, Ipv4Addr, TcpListener};

use chancery_dns::Tlsa;
use tempfile::TempDir;

use super::*;

fn noon() -> Timestamp {
    Timestamp::from_micros(1_795_226_400_000_000)
}

fn domain() -> Domain {
    "peer-a.test".parse().unwrap()
}

fn secure<T>(records: Vec<T>, minutes: u64) -> Verdict<T> {
    Verdict::Secure { records, deadline: noon().after(Duration::from_secs(60 * minutes)).to_offset() }
}

fn srv(target: &str) -> Srv {
    Srv { priority: 10, weight: 5, port: 8885, target: target.into() }
}

fn tlsa(usage: u8) -> Tlsa {
    Tlsa { usage, selector: 1, matching: 1, data: vec![0xaa; 32] }
}

fn target(tlsa: Verdict<Tlsa>, address: Verdict<IpAddr>) -> Target {
    Target { target: "mq.peer-a.test".into(), port: 8885, tlsa, address }
}

fn here() -> Verdict<IpAddr> {
    secure(vec![Ipv4Addr::LOCALHOST.into()], 90)
}

fn with(targets: Vec<Target>) -> Checked {
    Checked::new(&domain(), secure(vec![srv("mq.peer-a.test")], 60), targets)
}

#[test]
fn a_domain_is_usable_when_every_link_is_proven_and_as_long_as_the_first_that_ends() {
    let checked = with(vec![target(secure(vec![tlsa(0), tlsa(3)], 30), here())]);
    assert!(checked.usable);
    assert_eq!(checked.until, Some(noon().after(Duration::from_secs(30 * 60))));
    assert!(checked.explanation.contains("mq.peer-a.test:8885 is proven"), "{}", checked.explanation);
}

#[test]
fn one_link_less_and_the_domain_is_not_used_and_the_reason_is_named() {
    let check = |tlsa: Verdict<Tlsa>, address: Verdict<IpAddr>, word: &str| {
        let checked = with(vec![target(tlsa, address)]);
        assert!(!checked.usable && checked.until.is_none());
        assert!(checked.explanation.contains(word), "{word}: {}", checked.explanation);
    };
    check(Verdict::ProvenAbsent, here(), "no certificate is pinned");
    check(Verdict::Unsigned, here(), "without DNSSEC");
    check(Verdict::Bogus { why: "signature expired".into() }, here(), "signature expired");
    check(secure(vec![tlsa(0), tlsa(1)], 5), here(), "public authorities");
    check(secure(vec![tlsa(3)], 5), Verdict::Unsigned, "its address lies in a zone without DNSSEC");
    check(secure(vec![tlsa(3)], 5), Verdict::ProvenAbsent, "no address");
}

#[test]
fn a_second_server_serves_where_the_first_is_broken_and_the_fault_is_still_said() {
    let broken = Target { target: "old.peer-a.test".into(), ..target(Verdict::ProvenAbsent, here()) };
    let checked = with(vec![broken, target(secure(vec![tlsa(2)], 5), here())]);
    assert!(checked.usable);
    assert!(checked.explanation.contains("old.peer-a.test:8885: no certificate"), "{}", checked.explanation);
}

#[test]
fn each_verdict_on_the_domain_has_its_own_next_step() {
    let said = |srv: Verdict<Srv>| Checked::new(&domain(), srv, Vec::new()).explanation;
    assert!(said(Verdict::Unsigned).contains("DS record"));
    assert!(said(Verdict::ProvenAbsent).contains("SRV record at _syn-fed._tcp.peer-a.test"));
    assert!(said(Verdict::Bogus { why: "missing signature".into() }).contains("missing signature"));
    assert!(said(Verdict::Unreachable { why: "no answer".into() }).contains("[dns] servers"));
    assert!(said(secure(vec![srv(".")], 5)).contains("declares"));
}

#[test]
fn a_check_is_written_with_the_same_words_everywhere() {
    let json =
        serde_json::to_value(with(vec![target(secure(vec![tlsa(3)], 30), Verdict::Unsigned)])).unwrap();
    assert_eq!(json["domain"], "peer-a.test");
    assert_eq!(json["srv"]["verdict"], "secure");
    assert_eq!(json["srv"]["records"][0]["target"], "mq.peer-a.test");
    assert_eq!(json["targets"][0]["tlsa"]["verdict"], "secure");
    assert_eq!(json["targets"][0]["address"]["verdict"], "unsigned");
    assert_eq!(json["usable"], false);
    assert!(json["explanation"].is_string());
}

#[test]
fn wrong_settings_are_named_all_at_once() {
    let config: Config = serde_json::from_value(serde_json::json!({
        "servers": ["127.0.0.1", "127.0.0.1:5353", "::1", "[::1]:5353", "dns.example"],
        "anchors": "/nonexistent/root.key", "timeout": "0s",
    }))
    .unwrap();
    let problems = config.check();
    let keys: Vec<&str> =
        problems.iter().filter_map(|problem| problem.split_once(':')).map(|(key, _)| key).collect();
    assert_eq!(keys, ["dns.servers", "dns.timeout", "dns.anchors"], "{problems:#?}");
    assert_eq!(Config::default().check(), [""; 0]);
}

/// Peers whose resolver does not answer.
fn peers() -> (TempDir, Peers) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("house.db"), 1).unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = Config {
        servers: vec![silent.to_string()],
        timeout: Span(Duration::from_millis(100)),
        anchors: None,
    };
    (dir, Peers::new(store, &config).unwrap())
}

#[tokio::test]
async fn a_resolver_that_is_down_is_a_verdict_which_is_kept_for_peers_only() {
    let (_dir, peers) = peers();
    peers.add(&Principal::Host, &domain(), noon()).await.unwrap();
    let checked = peers.check(&domain(), noon()).await;
    assert_eq!((checked.srv.label(), checked.usable), ("unreachable", false));
    let other = peers.check(&"other.test".parse().unwrap(), noon()).await;
    assert!(!other.usable);
    let list = peers.list().await.unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].checked_at, Some(noon()));
    assert_eq!(list[0].checked.as_ref().unwrap()["srv"]["verdict"], "unreachable");
}

#[tokio::test]
async fn peers_are_added_and_removed_once_and_the_audit_knows() {
    let ((_dir, peers), ada) = (peers(), Principal::Admin("ada".into()));
    peers.add(&ada, &domain(), noon()).await.unwrap();
    assert!(matches!(peers.add(&ada, &domain(), noon()).await, Err(Refused::Exists(_))));
    assert!(peers.show(&domain()).await.unwrap().is_some());
    peers.remove(&ada, &domain(), noon()).await.unwrap();
    assert!(matches!(peers.remove(&ada, &domain(), noon()).await, Err(Refused::NotFound(_))));
    assert!(peers.show(&domain()).await.unwrap().is_none());
    let entries = peers.store.read(|view| view.audit_entries(None, 10)).await.unwrap();
    let deeds: Vec<_> = entries.iter().map(|entry| (entry.deed.as_str(), entry.subject.as_str())).collect();
    assert_eq!(deeds, [("peer.remove", "peer-a.test"), ("peer.add", "peer-a.test")]);
}
