//! Subscribing: what a session asked for from now on, and what its account had been waiting for.

use std::sync::Arc;

use super::Chat;
use crate::broker::{NewSubscription, Session};
use crate::dialect::plain;
use crate::mqtt::{Qos, Reason, Subscription, TopicName};
use crate::principal::Principal;
use crate::store::{StoreError, Tx};

/// A session may have this many subscriptions: each is looked at for every message.
const SUBSCRIPTIONS: usize = 1000;
/// How much of an inbox is looked at in one go.
const PAGE: usize = 500;

impl Chat {
    /// Answers each filter of a SUBSCRIBE: the quality of service granted, or why not.
    pub(crate) async fn subscribe(
        &self,
        who: &Principal,
        session: &Arc<Session>,
        filters: Vec<Subscription>,
        identifier: Option<u32>,
    ) -> Result<Vec<Result<Qos, Reason>>, StoreError> {
        let mut granted = Vec::new();
        let answers = filters
            .into_iter()
            .map(|asked| {
                if session.subscription_count() + granted.len() >= SUBSCRIPTIONS {
                    return Err(Reason::QuotaExceeded);
                }
                let new = self.judge_filter(who, asked, identifier)?;
                granted.push(new.clone());
                Ok(new.qos)
            })
            .collect();
        self.broker.subscribe(session, granted.clone()).await?;
        if session.is_durable() {
            self.queue_what_waits(session, granted.clone()).await?;
        }
        self.show_presence(session, &granted);
        session.bell.notify_one();
        Ok(answers)
    }

    fn judge_filter(
        &self,
        who: &Principal,
        asked: Subscription,
        identifier: Option<u32>,
    ) -> Result<NewSubscription, Reason> {
        let filter = asked.filter?;
        if filter.group().is_some() {
            return Err(Reason::SharedSubscriptionsNotSupported);
        }
        let own_view = plain::is_own_view(filter.path());
        let allowed = match who {
            Principal::Account(_) => {
                own_view || self.rules.may_read_some(who) || plain::is_presence(filter.path())
            }
            _ => !own_view && self.rules.may_read_some(who),
        };
        if !allowed {
            return Err(Reason::NotAuthorized);
        }
        let qos = asked.qos.min(Qos::AtLeastOnce);
        Ok(NewSubscription { filter, qos, no_local: asked.no_local, identifier })
    }

    /// A durable session is owed what its account waits for and it now asks for. The subscription is in memory
    /// already: what is published from here on finds it, what was published before is in the inbox.
    async fn queue_what_waits(
        &self,
        session: &Arc<Session>,
        new: Vec<NewSubscription>,
    ) -> Result<(), StoreError> {
        let (new, mut after) = (Arc::new(new), 0);
        // One unit for each page, so that a long inbox keeps nobody else waiting.
        loop {
            let (session, new) = (session.clone(), new.clone());
            let unit = move |tx: &mut Tx| queue_page(tx, &session, &new, after);
            match self.store.write(unit).await? {
                Some(last) => after = last,
                None => return Ok(()),
            }
        }
    }
}

/// Queues what one page of the inbox holds for the new subscriptions; gives where the page ended.
fn queue_page(
    tx: &mut Tx,
    session: &Session,
    new: &[NewSubscription],
    after: i64,
) -> Result<Option<i64>, StoreError> {
    let page = tx.waiting_after(session.account, after, PAGE)?;
    for (seq, message) in &page {
        let Ok(topic) = TopicName::parse(&plain::topic_for(message, session.account)) else { continue };
        let asked = new.iter().filter(|one| one.filter.matches(&topic)).map(|one| one.qos).max();
        if let Some(qos) = asked {
            tx.put_in_queue(session.id, *seq, qos as u8)?;
        }
    }
    Ok(page.last().map(|(seq, _)| *seq))
}
