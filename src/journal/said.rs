//! The other side of `record`: what a frame said, read back.

use bytes::Bytes;

use super::facts::{KeptSubscription, KeptWill, Owed, SessionState};
use super::record::{AS_PUBLISHED, KEEPS_RETAIN, Kind, NO_LOCAL, RECEIVED, RETAINED, Stamp, WAS_RELEASED};
use super::wire::{Reader, message, topic};
use crate::id::{AccountId, SessionId};
use crate::mqtt::{Qos, TopicName};
use crate::time::Timestamp;

/// One frame.
pub(super) enum Said<'a> {
    Message(MessageSaid<'a>),
    Taken(SessionId, Vec<u64>),
    Released(SessionId, u64),
    Received(SessionId, u16),
    Freed(SessionId, u16),
    /// A full state, and since when it is younger than what else was said of the session.
    Session(Box<SessionState>, Stamp),
    Attached(SessionId, u32),
    Ended(SessionId, u32, Timestamp),
    Dropped(SessionId),
    Subscribed(SessionId, KeptSubscription),
    Unsubscribed(SessionId, &'a str),
    Will(SessionId, Option<KeptWill>),
    Cleared(TopicName, Stamp),
}

/// A message with those who were owed it when this was written; the message itself is still encoded.
pub(super) struct MessageSaid<'a> {
    /// It is its topic's retained message since then.
    pub(super) retained: Option<Stamp>,
    pub(super) received: Option<(SessionId, u16)>,
    pub(super) owed: Vec<Owed>,
    pub(super) encoded: &'a [u8],
}

impl<'a> Said<'a> {
    /// Reads what follows the checksum of a frame that stands at `own`.
    pub(super) fn read(said: &'a [u8], own: Stamp) -> Option<Self> {
        let mut reader = Reader(said);
        let kind = Kind::from_byte(reader.u8()?)?;
        match kind {
            Kind::Message => return reader.message(own).map(Said::Message),
            Kind::Cleared => {
                let stamp = reader.stamp(own)?;
                return Some(Said::Cleared(topic(reader.0)?, stamp));
            }
            _ => {}
        }
        let session = reader.session()?;
        let said = match kind {
            Kind::Taken => Said::Taken(session, reader.list(Reader::number)?),
            Kind::Released => Said::Released(session, reader.number()?),
            Kind::Received => Said::Received(session, reader.u16()?),
            Kind::Freed => Said::Freed(session, reader.u16()?),
            Kind::Session => {
                let since = reader.stamp(own)?;
                Said::Session(Box::new(reader.state(session)?), since)
            }
            Kind::Attached => Said::Attached(session, reader.u32()?),
            Kind::Ended => Said::Ended(session, reader.u32()?, reader.time()?),
            Kind::Subscribed => Said::Subscribed(session, reader.subscription()?),
            Kind::Unsubscribed => Said::Unsubscribed(session, reader.text()?),
            Kind::Will => Said::Will(session, reader.will()?),
            Kind::Dropped | Kind::Message | Kind::Cleared => Said::Dropped(session),
        };
        reader.is_empty().then_some(said)
    }
}

impl<'a> Reader<'a> {
    fn session(&mut self) -> Option<SessionId> {
        self.array().map(SessionId::from_bytes)
    }

    fn stamp(&mut self, own: Stamp) -> Option<Stamp> {
        self.u64().map(|stamp| if stamp == 0 { own } else { Stamp(stamp) })
    }

    fn message(mut self, own: Stamp) -> Option<MessageSaid<'a>> {
        let flags = self.u8()?;
        let received = if flags & RECEIVED == 0 { None } else { Some((self.session()?, self.u16()?)) };
        let retained = if flags & RETAINED == 0 { None } else { Some(self.stamp(own)?) };
        let owed = self.list(Self::owed)?;
        Some(MessageSaid { retained, received, owed, encoded: self.0 })
    }

    fn owed(&mut self) -> Option<Owed> {
        let (session, number, flags) = (self.session()?, self.number()?, self.u8()?);
        Some(Owed {
            session,
            number,
            qos: Qos::from_byte(flags & 0x03)?,
            retain: flags & AS_PUBLISHED != 0,
            identifiers: self.list(|reader| u32::try_from(reader.number()?).ok())?,
            released: flags & WAS_RELEASED != 0,
        })
    }

    fn state(&mut self, id: SessionId) -> Option<SessionState> {
        let account = self.array().map(AccountId::from_bytes)?;
        let client_id = self.text()?.to_owned();
        let (expiry, created_at) = (self.u32()?, self.time()?);
        let ended_at = if self.u8()? == 0 { None } else { Some(self.time()?) };
        let next = self.number()?;
        let received = self.list(Self::u16)?;
        let subscriptions = self.list(Self::subscription)?;
        let will = self.will()?;
        Some(SessionState {
            id,
            account,
            client_id,
            expiry,
            created_at,
            ended_at,
            subscriptions,
            received,
            will,
            next,
        })
    }

    fn subscription(&mut self) -> Option<KeptSubscription> {
        let (flags, identifier) = (self.u8()?, u32::try_from(self.number()?).ok()?);
        Some(KeptSubscription {
            filter: self.text()?.to_owned(),
            qos: Qos::from_byte(flags & 0x03)?,
            no_local: flags & NO_LOCAL != 0,
            retain_as_published: flags & KEEPS_RETAIN != 0,
            identifier: (identifier != 0).then_some(identifier),
        })
    }

    /// A will is the last thing in its record, so its message takes the rest.
    fn will(&mut self) -> Option<Option<KeptWill>> {
        if self.u8()? == 0 {
            return Some(None);
        }
        let (retain, delay) = (self.u8()? != 0, self.u32()?);
        let rest = Bytes::copy_from_slice(self.take(self.0.len())?);
        Some(Some(KeptWill { message: message(&rest, &rest)?, retain, delay }))
    }
}
