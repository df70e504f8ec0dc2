//! What the caller says to a connection: its limits, a welcome, a delivery; and what becomes of the last.

use std::time::Duration;

use bytes::Bytes;

#[cfg(doc)]
use super::event::Event;
use super::event::{Properties, Qos};

/// What one client may ask of us.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of the largest packet we read, fixed header included.
    pub(crate) max_packet: usize,
    /// Messages of QoS 1 and 2 in flight at a time, in each direction; 0 counts as 1.
    pub(crate) receive_maximum: u16,
    /// Topic aliases at a time, in each direction; each may hold on to a topic of 64 KiB.
    pub(crate) topic_aliases: u16,
    /// Seconds of the longest keep-alive; a client of 5.0 that offers to be silent for longer is told
    /// (\[MQTT-3.1.2-21\]).
    pub(crate) keep_alive: u16,
    /// How long a client may take to introduce itself, and then to answer a challenge.
    pub(crate) connect_timeout: Duration,
}

/// What a welcome says beside "yes". For 3.1.1 only `session_present` can be said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accept {
    pub(crate) session_present: bool,
    pub(crate) assigned_client_id: Option<String>,
    /// Seconds, where they differ from what the client asked for.
    pub(crate) session_expiry: Option<u32>,
    /// Identifiers of the QoS 2 messages that a resumed session has received and not released.
    pub(crate) received: Vec<u16>,
    /// Said only to a client that asked for it (\[MQTT-3.1.2-28\]).
    pub(crate) response_information: Option<String>,
    /// The last word of an authentication; the method is said by the machine.
    pub(crate) authentication: Option<Bytes>,
    pub(crate) reason_string: Option<String>,
    pub(crate) user_properties: Vec<(String, String)>,
}

/// One delivery. What 3.1.1 cannot carry is left out there.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outgoing<'a> {
    /// The identifier to use: that of an earlier attempt must be used again (\[MQTT-4.4.0-1\]). With `None` the
    /// machine chooses a free one from 32,768 on, so those below are the caller's.
    pub(crate) id: Option<u16>,
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
    /// As the author gave them, but for the expiry, which has run on since.
    pub(crate) properties: Option<&'a Properties>,
    /// Seconds that are left.
    pub(crate) message_expiry: Option<u32>,
    /// User properties to say after those of the author.
    pub(crate) said: &'a [(&'a str, &'a str)],
    pub(crate) subscription_ids: &'a [u32],
}

/// What became of one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// In the output; nothing more will be heard of it.
    Fire,
    /// In the output; [`Event::Acked`] or [`Event::Completed`] with this identifier settles it.
    Awaiting(u16),
    /// The client reads no packets of this size; to the protocol it counts as sent (\[MQTT-3.1.2-25\]).
    TooLarge,
    /// The client must acknowledge something first, or the connection is not open.
    WindowFull,
}
