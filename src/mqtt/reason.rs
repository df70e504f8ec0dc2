//! Reason codes: the protocol's own words for how something ended.

use std::fmt;

macro_rules! reasons {
    ($($name:ident = $code:literal, $words:literal;)*) => {
        /// A reason code of MQTT 5.0 (section 2.4). 3.1.1 knows few of them; see [`Reason::connack_v3`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub(crate) enum Reason {
            $(#[doc = $words] $name = $code,)*
        }

        impl Reason {
            /// The reason that a byte on the wire stands for, if it stands for any.
            pub(crate) fn from_byte(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// What it says.
            pub(crate) fn words(self) -> &'static str {
                match self {
                    $(Self::$name => $words,)*
                }
            }
        }
    };
}

reasons! {
    Success = 0x00, "success";
    GrantedQos1 = 0x01, "granted QoS 1";
    GrantedQos2 = 0x02, "granted QoS 2";
    DisconnectWithWill = 0x04, "disconnect with will message";
    NoMatchingSubscribers = 0x10, "no matching subscribers";
    NoSubscriptionExisted = 0x11, "no subscription existed";
    ContinueAuthentication = 0x18, "continue authentication";
    ReAuthenticate = 0x19, "re-authenticate";
    UnspecifiedError = 0x80, "unspecified error";
    MalformedPacket = 0x81, "malformed packet";
    ProtocolError = 0x82, "protocol error";
    ImplementationSpecificError = 0x83, "implementation specific error";
    UnsupportedProtocolVersion = 0x84, "unsupported protocol version";
    ClientIdentifierNotValid = 0x85, "client identifier not valid";
    BadUserNameOrPassword = 0x86, "bad user name or password";
    NotAuthorized = 0x87, "not authorized";
    ServerUnavailable = 0x88, "server unavailable";
    ServerBusy = 0x89, "server busy";
    Banned = 0x8A, "banned";
    ServerShuttingDown = 0x8B, "server shutting down";
    BadAuthenticationMethod = 0x8C, "bad authentication method";
    KeepAliveTimeout = 0x8D, "keep alive timeout";
    SessionTakenOver = 0x8E, "session taken over";
    TopicFilterInvalid = 0x8F, "topic filter invalid";
    TopicNameInvalid = 0x90, "topic name invalid";
    PacketIdentifierInUse = 0x91, "packet identifier in use";
    PacketIdentifierNotFound = 0x92, "packet identifier not found";
    ReceiveMaximumExceeded = 0x93, "receive maximum exceeded";
    TopicAliasInvalid = 0x94, "topic alias invalid";
    PacketTooLarge = 0x95, "packet too large";
    MessageRateTooHigh = 0x96, "message rate too high";
    QuotaExceeded = 0x97, "quota exceeded";
    AdministrativeAction = 0x98, "administrative action";
    PayloadFormatInvalid = 0x99, "payload format invalid";
    RetainNotSupported = 0x9A, "retain not supported";
    QosNotSupported = 0x9B, "QoS not supported";
    UseAnotherServer = 0x9C, "use another server";
    ServerMoved = 0x9D, "server moved";
    SharedSubscriptionsNotSupported = 0x9E, "shared subscriptions not supported";
    ConnectionRateExceeded = 0x9F, "connection rate exceeded";
    MaximumConnectTime = 0xA0, "maximum connect time";
    SubscriptionIdentifiersNotSupported = 0xA1, "subscription identifiers not supported";
    WildcardSubscriptionsNotSupported = 0xA2, "wildcard subscriptions not supported";
}

impl Reason {
    /// The byte on the wire.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    /// Whether this says no (MQTT 5.0 section 2.4: 0x80 and above).
    pub(crate) fn is_refusal(self) -> bool {
        self.code() >= 0x80
    }

    /// What a 3.1.1 CONNACK says instead (MQTT 3.1.1 section 3.2.2.3).
    ///
    /// `None` where 3.1.1 has no words: a CONNECT that breaks the protocol is answered by closing (section
    /// 4.8).
    pub(crate) fn connack_v3(self) -> Option<u8> {
        match self {
            Self::Success => Some(0),
            Self::UnsupportedProtocolVersion => Some(1),
            Self::ClientIdentifierNotValid => Some(2),
            Self::BadUserNameOrPassword | Self::BadAuthenticationMethod => Some(4),
            Self::NotAuthorized | Self::Banned | Self::AdministrativeAction => Some(5),
            Self::MalformedPacket | Self::ProtocolError | Self::PacketTooLarge | Self::TopicNameInvalid => {
                None
            }
            _ => Some(3),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:02X})", self.words(), self.code())
    }
}

/// A client broke the protocol: the code to tell it, and the words for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Breach {
    pub(super) reason: Reason,
    pub(super) what: &'static str,
}

impl Breach {
    pub(super) const fn new(reason: Reason, what: &'static str) -> Self {
        Self { reason, what }
    }

    /// The bytes cannot be read as the packet they claim to be (MQTT 5.0 section 4.13).
    pub(super) const fn malformed(what: &'static str) -> Self {
        Self::new(Reason::MalformedPacket, what)
    }

    /// The packet reads well but is not allowed here or now (MQTT 5.0 section 4.13).
    pub(super) const fn protocol(what: &'static str) -> Self {
        Self::new(Reason::ProtocolError, what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_reads_back_from_its_byte() {
        let known: Vec<Reason> = (0..=u8::MAX).filter_map(Reason::from_byte).collect();
        assert_eq!(known.len(), 43);
        for reason in known {
            assert_eq!(Reason::from_byte(reason.code()), Some(reason));
        }
    }

    #[test]
    fn a_reason_reads_well_in_a_log() {
        assert_eq!(Reason::NotAuthorized.to_string(), "not authorized (0x87)");
        assert!(Reason::NotAuthorized.is_refusal() && !Reason::GrantedQos1.is_refusal());
    }

    #[test]
    fn every_refusal_has_a_3_1_1_return_code_or_a_silent_close() {
        for reason in (0x80..=u8::MAX).filter_map(Reason::from_byte) {
            assert!(reason.connack_v3().is_none_or(|code| (1..=5).contains(&code)), "{reason}");
        }
        assert_eq!(Reason::BadUserNameOrPassword.connack_v3(), Some(4));
        assert_eq!(Reason::ProtocolError.connack_v3(), None);
    }
}
