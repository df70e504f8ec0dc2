//! What one client asked for, in the order it asked.

use std::fmt;

use bytes::Bytes;
use zeroize::Zeroizing;

use super::reason::Reason;
use super::topic::{TopicFilter, TopicName};

/// The protocol that a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Version {
    /// MQTT 3.1.1, protocol level 4; and 3.1, level 3, which is spoken like it.
    V3,
    /// MQTT 5.0, protocol level 5.
    V5,
}

/// How hard a message is tried (MQTT section 4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(crate) enum Qos {
    /// Sent once, owed to nobody.
    #[default]
    AtMostOnce = 0,
    /// Sent until acknowledged.
    AtLeastOnce = 1,
    /// Sent until acknowledged, and never twice.
    ExactlyOnce = 2,
}

impl Qos {
    /// The level for a number, as packets and rows keep it.
    pub(crate) fn from_byte(level: u8) -> Option<Self> {
        match level {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }
}

/// What the sender says about a payload (MQTT 5.0 section 3.3.2.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum PayloadFormat {
    /// Bytes of any kind.
    Bytes = 0,
    /// UTF-8 text.
    Text = 1,
}

impl PayloadFormat {
    /// The format for a number, as packets and rows keep it.
    pub(crate) fn from_byte(indicator: u8) -> Option<Self> {
        match indicator {
            0 => Some(Self::Bytes),
            1 => Some(Self::Text),
            _ => None,
        }
    }
}

/// One thing that happened on a connection.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    /// A client introduced itself; nothing more is read until it is accepted, refused or challenged.
    Connect(Box<Connect>),
    /// Authentication goes on. The answer to our challenge: while a CONNECT is judged, nothing more is read until
    /// that is answered. Or, with [`Reason::ReAuthenticate`], the begin of another round on an open connection.
    Auth { reason: Reason, data: Option<Bytes> },
    /// A message to pass on, which waits for [`puback`](super::Connection::puback) (QoS 1) or
    /// [`pubrec`](super::Connection::pubrec) (QoS 2). Never a QoS 2 message that was received before.
    Publish(Publish),
    /// The client releases a QoS 2 message that we received: forget the identifier for good, then call
    /// [`pubcomp`](super::Connection::pubcomp).
    Released { id: u16 },
    /// Our QoS 1 delivery was acknowledged, or a delivery refused with 0x80 and above: it is settled.
    Acked { id: u16, reason: Reason },
    /// The client has our QoS 2 delivery: note it, then call [`pubrel`](super::Connection::pubrel).
    Received { id: u16 },
    /// Our QoS 2 delivery is over.
    Completed { id: u16 },
    /// Waits for [`suback`](super::Connection::suback), one code per filter in the same order.
    Subscribe { id: u16, filters: Vec<Subscription>, identifier: Option<u32> },
    /// Waits for [`unsuback`](super::Connection::unsuback), one code per filter in the same order.
    Unsubscribe { id: u16, filters: Vec<String> },
    /// The client said goodbye; [`Reason::DisconnectWithWill`] asks for its will all the same.
    Disconnect { reason: Reason, session_expiry: Option<u32> },
    /// The client broke the protocol or fell silent. The connection is over and its last word is in the
    /// output.
    Fault { reason: Reason, what: &'static str },
}

/// How a client introduces itself.
#[derive(Clone, PartialEq)]
pub(crate) struct Connect {
    pub(crate) version: Version,
    /// May be empty: the server then assigns one.
    pub(crate) client_id: String,
    pub(crate) clean_start: bool,
    /// Seconds; 0 means that the client need not be heard from.
    pub(crate) keep_alive: u16,
    /// Seconds the session outlives the connection; `u32::MAX` is for ever. For 3.1.1, 0 when clean, else for
    /// ever.
    pub(crate) session_expiry: u32,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Zeroizing<Vec<u8>>>,
    pub(crate) will: Option<Will>,
    /// The client wants more than a password to be asked for (MQTT 5.0 section 4.12).
    pub(crate) authentication: Option<Authentication>,
    /// The client would like to hear which topics to be answered on (MQTT 5.0 section 3.1.2.11.6).
    pub(crate) request_response_information: bool,
    pub(crate) user_properties: Vec<(String, String)>,
}

/// Written by hand because a derived one would print the password.
impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("version", &self.version)
            .field("client_id", &self.client_id)
            .field("clean_start", &self.clean_start)
            .field("keep_alive", &self.keep_alive)
            .field("session_expiry", &self.session_expiry)
            .field("username", &self.username)
            .field("has_password", &self.password.is_some())
            .field("will", &self.will)
            .field("authentication", &self.authentication)
            .field("user_properties", &self.user_properties)
            .finish()
    }
}

/// How a client wants to prove itself, and its first word in that.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Authentication {
    pub(crate) method: String,
    pub(crate) data: Option<Bytes>,
}

/// Written by hand because a derived one would print the data.
impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authentication")
            .field("method", &self.method)
            .field("has_data", &self.data.is_some())
            .finish()
    }
}

/// What to publish on the client's behalf when it goes without a goodbye.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Will {
    pub(crate) topic: TopicName,
    pub(crate) payload: Bytes,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    /// Seconds to wait for the client to return.
    pub(crate) delay: u32,
    pub(crate) properties: Properties,
}

/// One message from the client.
///
/// Topic and payload share the memory of the packet: copy what is kept for long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Publish {
    /// Present with QoS 1 and above.
    pub(crate) id: Option<u16>,
    pub(crate) dup: bool,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) topic: TopicName,
    pub(crate) payload: Bytes,
    /// `None` when there are none, as with most messages.
    pub(crate) properties: Option<Box<Properties>>,
}

/// What a message carries beside topic and payload (MQTT 5.0 section 3.3.2.3); empty for 3.1.1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Properties {
    pub(crate) content_type: Option<String>,
    pub(crate) response_topic: Option<TopicName>,
    pub(crate) correlation_data: Option<Bytes>,
    pub(crate) payload_format: Option<PayloadFormat>,
    /// Seconds.
    pub(crate) message_expiry: Option<u32>,
    pub(crate) user_properties: Vec<(String, String)>,
}

/// One filter of a SUBSCRIBE and how to serve it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// Or the code that this place of the SUBACK must hold.
    pub(crate) filter: Result<TopicFilter, Reason>,
    /// The most that the client wants; it may be granted less.
    pub(crate) qos: Qos,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) retain_handling: RetainHandling,
}

/// When a subscription brings retained messages (MQTT 5.0 section 3.8.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetainHandling {
    /// Each time it is made.
    Always,
    /// Only when it did not exist before.
    IfNew,
    /// Never.
    Never,
}
