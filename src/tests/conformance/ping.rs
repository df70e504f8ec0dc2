//! PINGREQ and PINGRESP (sections 3.12 and 3.13).

use super::Stage;
use crate::town::packet::{self, Packet};

/// both [MQTT-3.12.4-1]
#[test]
fn every_ping_is_answered() {
    for stage in Stage::both() {
        let mut client = stage.client("a");
        client.send(&[packet::ping(), packet::ping()].concat()).expect("bytes leave");
        assert_eq!([client.next(), client.next()], [Packet::Pong, Packet::Pong]);
        client.is_silent();
    }
}
