//! Subscribing: what a session asked for from now on, and what its account had been waiting for.

use std::sync::Arc;

use super::acl::Right;
use super::{Chat, Refusal};
use crate::broker::{Body, Parcel, Retain, Run, Session, Subscribed};
use crate::dialect::plain;
use crate::journal::{JournalError, Kept, Records};
use crate::metrics::{Limit, METRICS};
use crate::mqtt::{Qos, Reason, RetainHandling, Subscription, TopicName};
use crate::principal::Principal;
use crate::store::{StoreError, Tx};
use crate::time::Timestamp;

/// How much of an inbox is looked at in one go.
const PAGE: usize = 500;

/// A subscription that may be made, and which retained messages it brings.
struct Granted {
    new: Subscribed,
    retained: RetainHandling,
}

impl Chat {
    /// Answers each filter of a SUBSCRIBE: the quality of service granted, or why not.
    pub(crate) async fn subscribe(
        &self,
        who: &Principal,
        session: &Arc<Session>,
        filters: Vec<Subscription>,
        identifier: Option<u32>,
        now: Timestamp,
    ) -> Result<Vec<Result<Qos, Reason>>, Refusal> {
        let mut granted: Vec<Granted> = Vec::new();
        let answers = filters
            .into_iter()
            .map(|asked| {
                let had = asked.filter.as_ref().is_ok_and(|filter| session.has(filter));
                let most = self.broker.config().subscriptions;
                if !had && session.subscription_count() + granted.len() >= most {
                    METRICS.hit(Limit::Subscriptions);
                    return Err(Reason::QuotaExceeded);
                }
                let retained = asked.retain_handling;
                let new = self.judge_filter(who, session, asked, identifier)?;
                let qos = new.qos;
                granted.push(Granted { new, retained });
                Ok(qos)
            })
            .collect();
        let new: Vec<Subscribed> = granted.iter().map(|one| one.new.clone()).collect();
        let fresh = self.broker.subscribe(session, &new).await?;
        for (one, fresh) in granted.iter().zip(fresh) {
            self.show_retained(session, one, fresh, now).await?;
        }
        if session.is_durable() && session.wants_chat() {
            self.queue_what_waits(session, new.clone()).await?;
        }
        self.show_presence(session, &new, now);
        session.ring_rows();
        Ok(answers)
    }

    fn judge_filter(
        &self,
        who: &Principal,
        session: &Session,
        asked: Subscription,
        identifier: Option<u32>,
    ) -> Result<Subscribed, Reason> {
        let filter = asked.filter?;
        let person = matches!(who, Principal::Account(_));
        let chat = plain::is_own_view(filter.path());
        let allowed = match chat || plain::is_presence(filter.path()) {
            // One's own view cannot be shared out: every device sees it.
            true => person && filter.group().is_none(),
            false => {
                self.rights(session).may_subscribe(&filter) || person && plain::may_select_chat(filter.path())
            }
        };
        if !allowed {
            return Err(Reason::NotAuthorized);
        }
        if filter.levels() > self.broker.config().topic_levels {
            METRICS.hit(Limit::TopicLevels);
            return Err(Reason::TopicFilterInvalid);
        }
        // Chat is told apart by its message ids, and promised at least once.
        let most = if chat { Qos::AtLeastOnce } else { Qos::ExactlyOnce };
        let (qos, no_local) = (asked.qos.min(most), asked.no_local);
        Ok(Subscribed { filter, qos, no_local, retain_as_published: asked.retain_as_published, identifier })
    }

    /// What is retained comes with a subscription, as it asks for it (MQTT 5.0 section 3.3.1.3).
    async fn show_retained(
        &self,
        session: &Arc<Session>,
        granted: &Granted,
        fresh: bool,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        let new = &granted.new;
        let wanted = match granted.retained {
            RetainHandling::Always => true,
            RetainHandling::IfNew => fresh,
            RetainHandling::Never => false,
        };
        if !wanted || new.filter.group().is_some() {
            return Ok(());
        }
        let rights = self.rights(session);
        self.show_told(session, new, &rights, now);
        let (identifiers, mut records) = (new.identifier.map(|id| Arc::from([id])), Records::new());
        for message in self.broker.retained_for(&new.filter, now) {
            if !rights.allow(Right::Subscribe, &message.topic) {
                continue;
            }
            let qos = message.qos.min(new.qos);
            if session.is_durable() && qos > Qos::AtMostOnce {
                let kept = Kept::pending();
                let owed = session.owe(&message, &kept, qos, true, &identifiers);
                records.message(&message, &[owed], false, None, &kept);
                continue;
            }
            let body = Body {
                payload: message.payload.clone(),
                properties: message.properties.clone(),
                retain: true,
            };
            let run = Run::one(message.topic.clone(), message.qos, message.at, body);
            let identifiers = identifiers.clone();
            let parcel = Parcel { run, sent: 0, qos: new.qos, retain: Retain::Set, identifiers };
            session.hand(parcel, self.broker.limits());
        }
        if !records.is_empty() {
            self.broker.commit(records).await?;
            session.ring();
        }
        Ok(())
    }

    /// A durable session is owed what its account waits for and it now asks for. The subscription is in memory
    /// already: what is published from here on finds it, what was published before is in the inbox.
    async fn queue_what_waits(&self, session: &Arc<Session>, new: Vec<Subscribed>) -> Result<(), StoreError> {
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
    new: &[Subscribed],
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
