//! Subscribing: what a session asked for from now on, and what its account had been waiting for.

use std::sync::Arc;

use super::Chat;
use crate::broker::{NewSubscription, Session};
use crate::dialect::plain;
use crate::mqtt::{Qos, Reason, Subscription, TopicName};
use crate::principal::Principal;
use crate::store::{StoreError, Tx};

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
        let session = session.clone();
        self.store
            .write(move |tx: &mut Tx| -> Result<(), StoreError> {
                let mut after = 0;
                loop {
                    let page = tx.inbox_after(session.account, after, PAGE)?;
                    let Some(last) = page.last() else { return Ok(()) };
                    after = last.seq;
                    for row in page {
                        let topic = TopicName::parse(&plain::topic_for(&row.message, session.account));
                        let asked = |topic: &TopicName| {
                            new.iter().filter(|one| one.filter.matches(topic)).map(|one| one.qos).max()
                        };
                        if let Some(qos) = topic.ok().as_ref().and_then(asked) {
                            tx.put_in_queue(session.id, row.seq, qos as u8)?;
                        }
                    }
                }
            })
            .await
    }
}
