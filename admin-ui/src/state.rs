//! The states that a badge shows: each has one word and one tone.
//!
//! The word carries the meaning; the tone only repeats it in colour (WCAG 2.2, 1.4.1).

use std::fmt;

/// How good the news is. Prints as the CSS class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Neither good nor bad.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Worth knowing.
    Info,
    /// Needs attention soon.
    Warn,
    /// Needs attention now.
    Bad,
}

impl fmt::Display for Tone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Good => "good",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Bad => "bad",
        })
    }
}

/// One closed set of states; the first is the default.
macro_rules! states {
    ($(#[$about:meta])* $name:ident { $(#[$first:meta])* $head:ident = $word:literal $tone:ident
        $(, $(#[$doc:meta])* $variant:ident = $label:literal $colour:ident)* $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum $name {
            $(#[$first])* #[default] $head,
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// The colour that goes with it.
            pub fn tone(self) -> Tone {
                match self { Self::$head => Tone::$tone, $(Self::$variant => Tone::$colour,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { Self::$head => $word, $(Self::$variant => $label,)* })
            }
        }
    };
}

states!(
    /// How one part of the appliance is.
    Health {
        /// It does its work.
        Good = "good" Good,
        /// It works, but will not for ever.
        Warning = "warning" Warn,
        /// It does not do its work.
        Bad = "down" Bad,
        /// It is switched off by the configuration.
        Off = "off" Plain,
    }
);

states!(
    /// Where an account comes from.
    Source {
        /// Created here; may be changed here.
        Builtin = "builtin" Plain,
        /// Read from a directory server; only its admission is decided here.
        Ldap = "ldap" Info,
    }
);

states!(
    /// Whether an account may come in.
    AccountState {
        /// It may.
        Active = "active" Good,
        /// An admin has shut it out.
        Disabled = "disabled" Warn,
        /// The directory server has shut it out.
        DisabledByDirectory = "disabled by directory" Warn,
        /// The directory no longer knows it.
        Gone = "gone" Bad,
    }
);

states!(
    /// What the ledger says of a certificate.
    CertificateState {
        /// In force.
        Valid = "valid" Good,
        /// In force, and near its end.
        Expiring = "expiring" Warn,
        /// Over.
        Expired = "expired" Plain,
        /// Withdrawn before its end.
        Revoked = "revoked" Bad,
        /// Its serial number is reserved, its signature not yet made.
        Reserved = "reserved" Plain,
    }
);

states!(
    /// Whether a session has a connection.
    SessionState {
        /// A client is connected.
        Live = "live" Good,
        /// No client is connected; the queue keeps what it is owed.
        Away = "away" Plain,
    }
);

states!(
    /// Where an envelope is on its trip.
    EnvelopeState {
        /// Its grace or its turn has not come.
        Waiting = "waiting" Plain,
        /// Being carried now.
        Claimed = "under way" Info,
        /// Tried and put off until later.
        Deferred = "deferred" Warn,
        /// Arrived.
        Delivered = "delivered" Good,
        /// Given up.
        Bounced = "bounced" Bad,
        /// No longer owed, or stopped by an admin.
        Cancelled = "cancelled" Plain,
    }
);

states!(
    /// What DNSSEC says of an answer.
    Verdict {
        /// Never asked.
        Unknown = "not checked" Plain,
        /// Signed, and the chain holds.
        Secure = "secure" Good,
        /// Signed proof that there is no such record.
        ProvenAbsent = "proven absent" Plain,
        /// The zone is not signed.
        Unsigned = "unsigned" Warn,
        /// Signed, and the chain is broken.
        Bogus = "bogus" Bad,
        /// No answer.
        Unreachable = "unreachable" Warn,
    }
);
