//! MQTT: the server's side of one connection, as a machine without sockets, tasks or a clock.
//!
//! Bytes and the present moment go in; [`Event`]s and bytes to send come out. The machine keeps the promises
//! of MQTT 5.0, 3.1.1 and 3.1 towards one client: packet identifiers and the steps of QoS 1 and 2, both
//! receive maxima, topic aliases, packet sizes, keep-alive, the turns of an authentication, and the right
//! last word for every fault. Who the client is, what it may do, where messages go and what outlives the
//! connection are the caller's affair.
//!
//! The glossary: a [`Connection`] yields events and takes answers; a [`TopicName`] is published to and a
//! [`TopicFilter`] subscribed with; [`Outgoing`] is one delivery and [`Sent`] its fate; a [`Reason`] is the
//! protocol's word for how something ended.
//!
//! Packet by packet: `guard` cuts frames and refuses what no client may send; PUBLISH, its acknowledgements,
//! CONNECT, AUTH and DISCONNECT have files of their own, which say why; the rest is `rumqttd::protocol`,
//! behind `codec`. What is on its way: `inbound` from the client, `outbound` to it.

mod ack;
mod alias;
mod answer;
mod auth;
mod codec;
mod connect;
mod connection;
mod event;
mod goodbye;
mod guard;
mod ids;
mod inbound;
mod outbound;
mod property;
mod publish;
mod reader;
mod reason;
mod topic;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use answer::{Accept, Limits, Outgoing, Sent};
pub(crate) use connection::Connection;
pub(crate) use event::{
    Connect, Event, PayloadFormat, Properties, Publish, Qos, RetainHandling, Subscription, Version, Will,
};
pub(crate) use reason::Reason;
pub(crate) use topic::{DEEPEST, TopicFilter, TopicName};
