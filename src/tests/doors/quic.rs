//! What is particular to QUIC.

use std::time::Duration;

use crate::town::Town;
use crate::town::carrier::Quic;
use crate::town::client::{Refused, tls_config};

#[test]
fn one_stream_speaks_mqtt_and_no_other_is_opened() {
    let town = Town::start();
    let bob = town.person("bob");
    let line = Quic::open(town.door("quic"), tls_config(&town.root(), Some(&bob), &["mqtt"]));
    let line = line.expect("the door is open");
    assert!(!line.opens_another(Duration::from_secs(1)));
    assert_eq!(line.connection.max_datagram_size(), None, "datagrams are not taken");
}

#[test]
fn another_protocol_is_refused_in_the_handshake() {
    let town = Town::start();
    for alpn in [&["h3"][..], &[]] {
        let refused = Quic::open(town.door("quic"), tls_config(&town.root(), None, alpn));
        assert!(refused.is_err(), "{alpn:?}");
    }
}

#[test]
fn a_certificate_of_another_house_is_refused() {
    let (town, other) = (Town::start(), Town::start());
    let stranger = other.person("bob");
    assert!(matches!(town.quic(Some(&stranger)).try_connect(), Err(Refused::Closed(_))));
}

#[test]
fn a_client_that_says_nothing_is_closed() {
    let town = Town::plan().with("door.limits", "connect_timeout = \"500ms\"").start();
    let line = Quic::open(town.door("quic"), tls_config(&town.root(), None, &["mqtt"]));
    assert!(line.expect("the door is open").is_closed_within(Duration::from_secs(10)));
}

#[test]
fn in_a_crowd_a_client_shows_first_that_its_address_is_its_own_and_gets_in() {
    let town = Town::plan().with("door.limits", "handshakes = 2").start();
    let bob = town.person("bob");
    let open = || Quic::open(town.door("quic"), tls_config(&town.root(), None, &["mqtt"]));
    let _stuck = [open().expect("the door is open"), open().expect("the door is open")];
    town.quic(Some(&bob)).connect().leave();
}
