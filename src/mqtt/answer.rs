//! What the caller says to a connection: its limits, a welcome, a delivery; and what becomes of the last.

use std::time::Duration;

#[cfg(doc)]
use super::event::Event;
use super::event::{PayloadFormat, Qos};

/// What one client may ask of us.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of the largest packet we read, fixed header included.
    pub(crate) max_packet: usize,
    /// QoS 1 messages in flight at a time, in each direction; 0 counts as 1.
    pub(crate) receive_maximum: u16,
    /// How long a client may take to introduce itself.
    pub(crate) connect_timeout: Duration,
}

/// What a welcome says beside "yes". For 3.1.1 only `session_present` can be said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accept {
    pub(crate) session_present: bool,
    pub(crate) assigned_client_id: Option<String>,
    /// Seconds, where they differ from what the client asked for.
    pub(crate) session_expiry: Option<u32>,
    /// Seconds, where the server wants to hear more often than the client offered.
    pub(crate) keep_alive: Option<u16>,
    pub(crate) reason_string: Option<String>,
    pub(crate) user_properties: Vec<(String, String)>,
}

/// One delivery. What 3.1.1 cannot carry is left out there.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outgoing<'a> {
    /// The identifier of an earlier attempt, which a resumed session must use again (MQTT section 4.4).
    pub(crate) id: Option<u16>,
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
    pub(crate) content_type: Option<&'a str>,
    pub(crate) response_topic: Option<&'a str>,
    pub(crate) correlation_data: Option<&'a [u8]>,
    pub(crate) payload_format: Option<PayloadFormat>,
    /// Seconds.
    pub(crate) message_expiry: Option<u32>,
    pub(crate) user_properties: &'a [(&'a str, &'a str)],
    pub(crate) subscription_ids: &'a [u32],
}

/// What became of one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// In the output; nothing more will be heard of it.
    Fire,
    /// In the output; [`Event::Acked`] with this identifier settles it.
    Awaiting(u16),
    /// The client reads no packets of this size; to the protocol it counts as sent (MQTT 5.0 section
    /// 3.1.2.11.4).
    TooLarge,
    /// The client must acknowledge something first, or the connection is not open.
    WindowFull,
}
