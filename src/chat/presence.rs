//! Presence and typing: owed to nobody, so judged and rung but never stored.

use std::sync::Arc;

use super::{Chat, Refusal};
use crate::broker::{Handed, NewSubscription, Session};
use crate::dialect::plain;
use crate::id::AccountId;
use crate::mqtt::{Properties, Qos, TopicName};
use crate::principal::Principal;

impl Chat {
    /// Tells whoever asked whether an account is there; called when a connection begins or ends.
    pub(crate) fn announce(&self, account: AccountId) {
        let Some(name) = self.directory.by_id(account).map(|account| account.name.clone()) else { return };
        let topic = plain::presence_topic(&name);
        let Ok(topic_name) = TopicName::parse(&topic) else { return };
        let online = self.broker.is_online(account);
        for (session, matched) in self.broker.subscribers(&topic_name) {
            if session.account != AccountId::GUEST {
                session.hand(presence(&topic, online, matched.qos, false));
            }
        }
    }

    /// A new subscription to presence first sees who is there, as retained messages would be.
    pub(super) fn show_presence(&self, session: &Arc<Session>, new: &[NewSubscription]) {
        if session.account == AccountId::GUEST
            || !new.iter().any(|one| plain::may_select_presence(one.filter.path()))
        {
            return;
        }
        for account in self.broker.online() {
            let Some(account) = self.directory.by_id(account) else { continue };
            let topic = plain::presence_topic(&account.name);
            let Ok(name) = TopicName::parse(&topic) else { continue };
            if let Some(asked) = new.iter().find(|one| one.filter.matches(&name)) {
                session.hand(presence(&topic, true, asked.qos, true));
            }
        }
    }

    /// Somebody writes to an account; its live sessions that asked see it.
    pub(super) fn typing(&self, who: &Principal, to: AccountId) -> Result<(), Refusal> {
        let Principal::Account(author) = who else { return Err(Refusal::NotAllowed) };
        let topic = plain::typing_topic(&author.name);
        let name = TopicName::parse(&topic).map_err(|_| Refusal::NotAllowed)?;
        for session in self.broker.of(to) {
            if session.matching(&name).is_some() {
                session.hand(handed(&topic, "typing", Qos::AtMostOnce, false));
            }
        }
        Ok(())
    }
}

fn presence(topic: &str, online: bool, qos: Qos, retain: bool) -> Handed {
    handed(topic, if online { "online" } else { "offline" }, qos, retain)
}

fn handed(topic: &str, payload: &'static str, qos: Qos, retain: bool) -> Handed {
    let properties = Arc::new(Properties::default());
    Handed { topic: topic.into(), payload: payload.into(), properties, qos, retain, identifiers: Vec::new() }
}
