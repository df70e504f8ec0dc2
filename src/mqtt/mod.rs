//! MQTT: the server's side of one connection, as a machine without sockets, tasks or a clock.
//!
//! Bytes and the present moment go in; [`Event`]s and bytes to send come out. The machine keeps the promises
//! of MQTT 3.1.1 and 5.0 towards one client: packet identifiers, both receive maxima, packet sizes,
//! keep-alive, and the right last word for every fault. Who the client is, what it may do, and where messages
//! go are the caller's affair. QoS 0 and 1 are spoken; QoS 2 is refused in the words the protocol has for
//! that.
//!
//! The glossary: a [`Connection`] yields events and takes answers; a [`TopicName`] is published to and a
//! [`TopicFilter`] subscribed with; [`Outgoing`] is one delivery and [`Sent`] its fate; a [`Reason`] is the
//! protocol's word for how something ended.
//!
//! Packet by packet: `guard` cuts frames and refuses what no client may send; PUBLISH with PUBACK, CONNECT
//! and DISCONNECT have files of their own, which say why; the rest is `rumqttd::protocol`, behind `codec`.

mod answer;
mod codec;
mod connect;
mod connection;
mod event;
mod goodbye;
mod guard;
mod property;
mod publish;
mod reader;
mod reason;
mod topic;

#[cfg(test)]
mod tests;

pub(crate) use answer::{Accept, Limits, Outgoing, Sent};
pub(crate) use connection::Connection;
pub(crate) use event::{
    Connect, Event, PayloadFormat, Properties, Publish, Qos, Subscription, Version, Will,
};
pub(crate) use reason::Reason;
pub(crate) use topic::{TopicFilter, TopicName};
