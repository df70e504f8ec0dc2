//! Other domains: the verdict of `peer check` is that of `delv` (BIND's own validator), over a signed hierarchy.

use serde_json::Value;

use crate::town::tools::tell;
use crate::town::zones::Zones;
use crate::town::{Town, text};

/// What delv says of the server record of a domain, in our words.
fn delv(zones: &Zones, domain: &str) -> &'static str {
    let (at, port) = (format!("@{}", zones.forwarder.ip()), zones.forwarder.port().to_string());
    let name = format!("_syn-fed._tcp.{domain}.");
    let words = [&at, "-p", &port, "-a", text(&zones.anchor_file), "+root=.", &name, "SRV"];
    let told = tell("delv", &words);
    let said = told.out + &told.err;
    // An absence is a "failed resolution" too, proven or not.
    match said.as_str() {
        said if said.contains("resolution failed") && !said.contains("resolution failed: ncache") => "bogus",
        said if said.contains("unsigned answer") => "unsigned",
        said if said.contains("resolution failed: ncache") => "proven absent",
        said if said.contains("fully validated") => "secure",
        said => panic!("delv says of {domain}: {said}"),
    }
}

fn check(town: &Town, domain: &str) -> Value {
    town.ask(&format!("peer check {domain}"))
}

#[test]
fn the_verdict_on_every_kind_of_zone_is_delvs() {
    let zones = Zones::shared();
    let town = Town::plan().dns(&zones).start();
    let expected = [
        ("peer-a.test", "secure"),
        ("peer-c.test", "secure"),
        ("peer-b.test", "unsigned"),
        ("bogus.test", "bogus"),
        ("expired.test", "bogus"),
        ("future.test", "bogus"),
        ("stray.test", "bogus"),
        ("stripped.test", "bogus"),
        ("absent.peer-a.test", "proven absent"),
        ("absent.peer-c.test", "proven absent"),
        ("absent.test", "proven absent"),
        ("absent.peer-b.test", "unsigned"),
    ];
    for (domain, verdict) in expected {
        let ours = check(&town, domain);
        assert_eq!(
            (delv(&zones, domain), ours["srv"]["verdict"].as_str()),
            (verdict, Some(verdict)),
            "{ours:#}"
        );
        assert_eq!(ours["usable"] == true, verdict == "secure", "{ours:#}");
        assert!(ours["explanation"].as_str().is_some_and(|why| why.contains("test")), "{ours:#}");
    }
}

#[test]
fn a_proven_peer_shows_its_server_its_address_and_its_certificate() {
    let zones = Zones::shared();
    let town = Town::plan().dns(&zones).start();
    let checked = check(&town, "peer-a.test");
    let target = &checked["targets"][0];
    assert_eq!((&target["target"], &target["port"]), (&"mq.peer-a.test".into(), &8885.into()), "{checked:#}");
    assert_eq!(
        (&target["tlsa"]["verdict"], &target["address"]["verdict"]),
        (&"secure".into(), &"secure".into())
    );
    assert!(target["tlsa"]["records"].to_string().contains("aa11aa11"), "{checked:#}");
    let until = checked["until"].as_str().expect("a deadline");
    assert!(until.ends_with('Z'), "{until}");
    let people = town.cli("peer check peer-a.test").well();
    assert!(people.contains("mq.peer-a.test") && people.contains("secure"), "{people}");
}

#[test]
fn peers_are_added_listed_and_removed_and_the_last_verdict_is_kept() {
    let zones = Zones::shared();
    let town = Town::plan().dns(&zones).start();
    town.ask("peer add peer-a.test");
    town.refused(3, "peer add peer-a.test");
    check(&town, "peer-a.test");
    let listed = town.ask("peer list");
    assert_eq!(listed[0]["domain"], "peer-a.test");
    assert_eq!(listed[0]["checked"]["srv"]["verdict"], "secure", "{listed:#}");
    town.ask("peer remove peer-a.test");
    town.refused(4, "peer show peer-a.test");
    town.refused(2, "peer check not..a..domain");
}

#[test]
fn a_resolver_that_does_not_answer_is_unreachable_and_no_failure() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let servers =
        format!("servers = [\"{}\"]\ntimeout = \"300ms\"", silent.local_addr().expect("an address"));
    let town = Town::plan().with("dns", &servers).start();
    let checked = check(&town, "peer-a.test");
    assert_eq!((&checked["srv"]["verdict"], &checked["usable"]), (&"unreachable".into(), &false.into()));
    assert!(checked["explanation"].as_str().is_some_and(|why| why.contains("[dns]")), "{checked:#}");
}

#[test]
fn a_validating_resolver_in_between_changes_no_verdict() {
    let zones = Zones::shared();
    let servers = format!("servers = [\"{}\"]\nanchors = \"@HERE@/anchors\"", zones.validator);
    let town = Town::plan().with("dns", &servers).file("anchors", &zones.anchors).start();
    for (domain, verdict) in [("peer-a.test", "secure"), ("peer-b.test", "unsigned"), ("bogus.test", "bogus")]
    {
        let checked = check(&town, domain);
        assert_eq!(checked["srv"]["verdict"], verdict, "{checked:#}");
    }
}
