//! Presence and typing: owed to nobody, so judged and rung but never stored.

use std::sync::Arc;

use bytes::Bytes;

use super::{Chat, Refusal};
use crate::broker::{Body, Identifiers, Parcel, Retain, Session, Subscribed};
use crate::dialect::plain;
use crate::id::AccountId;
use crate::mqtt::{Qos, TopicName};
use crate::principal::Principal;
use crate::time::{self, Timestamp};

impl Chat {
    /// Tells whoever asked whether an account is there; called when a connection begins or ends.
    pub(crate) fn announce(&self, account: AccountId) {
        let Some(name) = self.directory.by_id(account).map(|account| account.name.clone()) else { return };
        let Ok(topic) = TopicName::parse(&plain::presence_topic(&name)) else { return };
        let (online, now) = (self.broker.is_online(account), time::now());
        for route in self.broker.routes(&topic, |session| session.account != AccountId::GUEST).to {
            let parcel = presence(&topic, online, route.qos, now, Retain::Cleared, route.identifiers);
            route.session.hand(parcel, self.broker.limits());
        }
    }

    /// A new subscription to presence first sees who is there, as retained messages would be.
    pub(super) fn show_presence(&self, session: &Arc<Session>, new: &[Subscribed], now: Timestamp) {
        if session.account == AccountId::GUEST
            || !new.iter().any(|one| plain::may_select_presence(one.filter.path()))
        {
            return;
        }
        for account in self.broker.online() {
            let Some(account) = self.directory.by_id(account) else { continue };
            let Ok(topic) = TopicName::parse(&plain::presence_topic(&account.name)) else { continue };
            if let Some(asked) = new.iter().find(|one| one.filter.matches(&topic)) {
                let identifiers = asked.identifier.map(|id| Arc::from([id]));
                let parcel = presence(&topic, true, asked.qos, now, Retain::Set, identifiers);
                session.hand(parcel, self.broker.limits());
            }
        }
    }

    /// Somebody writes to an account; its live sessions that asked see it.
    pub(super) fn typing(&self, who: &Principal, to: AccountId) -> Result<(), Refusal> {
        let Principal::Account(author) = who else { return Err(Refusal::NotAllowed) };
        let topic = TopicName::parse(&plain::typing_topic(&author.name)).map_err(|_| Refusal::NotAllowed)?;
        for session in self.broker.of(to) {
            if let Some(matched) = session.matching(&topic) {
                let word = Bytes::from_static(b"typing");
                let parcel = passing(&topic, word, Qos::AtMostOnce, time::now(), Retain::Cleared);
                session.hand(Parcel { identifiers: matched.identifiers, ..parcel }, self.broker.limits());
            }
        }
        Ok(())
    }
}

fn presence(
    topic: &TopicName,
    online: bool,
    qos: Qos,
    now: Timestamp,
    retain: Retain,
    identifiers: Identifiers,
) -> Parcel {
    let word = if online { "online" } else { "offline" };
    // Owed to nobody, so never with a promise to deliver it exactly once.
    let parcel = passing(topic, Bytes::from_static(word.as_bytes()), qos.min(Qos::AtLeastOnce), now, retain);
    Parcel { identifiers, ..parcel }
}

fn passing(topic: &TopicName, payload: Bytes, qos: Qos, now: Timestamp, retain: Retain) -> Parcel {
    Parcel::passing(topic.clone(), qos, now, Body { payload, properties: None, retain: false }, retain)
}
