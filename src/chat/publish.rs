//! Publishing: how a message enters the house.
//!
//! Address, judge, store, ring. The answer comes after the commit, so an acknowledged message is never lost. All that
//! a client sent in one go is one unit of work. Reading it back is `inbox`'s affair.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::acl::Right;
use super::{Chat, inbox, receipts};
use crate::broker::{Broker, Handed, Session, properties};
use crate::dialect::plain::{self, Address};
use crate::directory::Directory;
use crate::id::{AccountId, MessageId};
use crate::mqtt::{Properties, Publish, Qos, Reason, TopicName};
use crate::principal::Principal;
use crate::store::{Kind, NewMessage, Origin, Placed, StoreError, Tx};
use crate::time::Timestamp;

/// A message as its author hands it in.
pub(crate) type Letter = Publish;

/// Why a letter was not taken. One place turns it into a reason code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("not allowed")]
    NotAllowed,
    #[error("there is no such account, room or message")]
    NoSuchAddress,
    #[error("no mail goes to other domains yet")]
    NoPeer,
    #[error("nothing can be kept: the disk is full")]
    Full,
    #[error("the house could not keep it")]
    Failed,
}

impl From<Refusal> for Reason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotAllowed => Reason::NotAuthorized,
            Refusal::NoSuchAddress | Refusal::NoPeer => Reason::TopicNameInvalid,
            Refusal::Full => Reason::QuotaExceeded,
            Refusal::Failed => Reason::UnspecifiedError,
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Refusal::Full,
            error => {
                tracing::error!(%error, "a message could not be stored");
                Refusal::Failed
            }
        }
    }
}

/// What a letter turned out to be, once allowed.
enum Deed {
    Post(Box<Post>),
    Read(MessageId),
    Typing(AccountId),
}

/// A message to be stored and rung.
struct Post {
    message: NewMessage,
    to: To,
    qos: Qos,
    properties: Arc<Properties>,
    /// Present when it was sent again after a broken connection.
    sent_again: bool,
    origin: Option<Origin>,
    /// Where it stands, once stored.
    stored: Option<Placed>,
}

enum To {
    /// These inboxes; the author's other devices see it too.
    Accounts(Vec<AccountId>),
    /// Whoever subscribed and may read it.
    Topic(TopicName),
}

impl Chat {
    /// Places letters in order, or says of each why it may not be placed.
    pub(crate) async fn publish(
        &self,
        who: &Principal,
        from: &Arc<Session>,
        letters: Vec<Letter>,
        now: Timestamp,
    ) -> Vec<Result<(), Refusal>> {
        // Rights as the directory has them now, not as they were when the connection began.
        let Some(who) = &self.still(who) else { return vec![Err(Refusal::NotAllowed); letters.len()] };
        let mut answers = Vec::with_capacity(letters.len());
        let (mut posts, mut places) = (Vec::with_capacity(letters.len()), Vec::new());
        for letter in letters {
            answers.push(match self.judge(who, from, letter).await {
                Ok(Deed::Post(post)) => {
                    places.push(answers.len());
                    posts.push(*post);
                    Ok(())
                }
                Ok(Deed::Read(id)) => self.read(who, id, now).await,
                Ok(Deed::Typing(account)) => self.typing(who, account),
                Err(refusal) => Err(refusal),
            });
        }
        match self.place(who, from, posts, now).await {
            Ok(placed) => placed.iter().for_each(|post| self.ring(who, from, post, now)),
            Err(refusal) => places.into_iter().for_each(|at| answers[at] = Err(refusal)),
        }
        answers
    }

    /// What the letter's topic means, and whether its author may.
    async fn judge(&self, who: &Principal, from: &Session, letter: Letter) -> Result<Deed, Refusal> {
        let address = plain::address(letter.topic.as_str(), &self.domain);
        if !matches!((who, &address), (Principal::Account(_), _) | (_, Address::Topic)) {
            return Err(Refusal::NotAllowed);
        }
        match address {
            Address::Account(name) => {
                let account = self.directory.find(&name).ok_or(Refusal::NoSuchAddress)?;
                Ok(self.post(who, from, letter, Kind::Direct, name, To::Accounts(vec![account.id])))
            }
            Address::Room(name) => {
                let members = self.members_for(who, &name).await?;
                Ok(self.post(who, from, letter, Kind::Room, name, To::Accounts(members)))
            }
            Address::Topic if self.rules.allow(who, Right::Publish, &letter.topic) => {
                let topic = letter.topic.clone();
                Ok(self.post(who, from, letter, Kind::Topic, topic.to_string(), To::Topic(topic)))
            }
            Address::Receipt(id) if &letter.payload[..] == receipts::READ.as_bytes() => Ok(Deed::Read(id)),
            Address::Typing(name) => {
                Ok(Deed::Typing(self.directory.find(&name).ok_or(Refusal::NoSuchAddress)?.id))
            }
            Address::Peer { .. } => Err(Refusal::NoPeer),
            Address::Topic | Address::Receipt(_) | Address::Closed => Err(Refusal::NotAllowed),
        }
    }

    fn post(
        &self,
        who: &Principal,
        from: &Session,
        letter: Letter,
        kind: Kind,
        address: String,
        to: To,
    ) -> Deed {
        let (author, sender) = match who {
            Principal::Account(actor) => (actor.id, actor.name.to_string()),
            _ => (AccountId::GUEST, "guest".to_owned()),
        };
        let origin = letter.id.filter(|_| kind != Kind::Topic).map(|packet| Origin {
            account: author,
            client_id: from.client_id.clone(),
            packet,
            digest: digest(letter.topic.as_str(), &letter.payload),
        });
        let properties = Arc::new(match kind {
            Kind::Topic => letter.properties,
            // The house says who and when; only what the payload is comes from the author.
            _ => Properties {
                content_type: letter.properties.content_type,
                payload_format: letter.properties.payload_format,
                ..Properties::default()
            },
        });
        let row = properties::to_row(&properties);
        let message = NewMessage { kind, author, sender, address, payload: letter.payload, properties: row };
        Deed::Post(Box::new(Post {
            message,
            to,
            qos: letter.qos,
            properties,
            sent_again: letter.dup,
            origin,
            stored: None,
        }))
    }

    /// One unit of work for all posts that somebody is owed.
    async fn place(
        &self,
        who: &Principal,
        from: &Arc<Session>,
        mut posts: Vec<Post>,
        now: Timestamp,
    ) -> Result<Vec<Post>, Refusal> {
        if !posts.iter().any(|post| post.is_owed(&self.broker)) {
            return Ok(posts);
        }
        let (broker, rights, author, from) = (self.broker.clone(), self.clone(), who.account(), from.id);
        let unit = move |tx: &mut Tx| -> Result<Vec<Post>, StoreError> {
            for post in &mut posts {
                if post.was_stored(tx)? {
                    continue;
                }
                let queues = rights.queues(&broker, post, author, from);
                if queues.is_empty() && matches!(post.to, To::Topic(_)) {
                    continue;
                }
                post.store(tx, &queues, now)?;
            }
            Ok(posts)
        };
        Ok(self.store.write(unit).await?)
    }

    /// The durable sessions that are owed the post. Asked inside the unit of work, so that a session which subscribes
    /// at the same moment either is here or finds the message in the inbox.
    fn queues(
        &self,
        broker: &Broker,
        post: &Post,
        author: Option<AccountId>,
        from: crate::id::SessionId,
    ) -> Vec<(crate::id::SessionId, u8)> {
        let durable = |session: &Arc<Session>| session.is_durable();
        match &post.to {
            To::Topic(topic) => broker
                .subscribers(topic)
                .into_iter()
                .filter(|(session, matched)| durable(session) && !(matched.no_local && session.id == from))
                .filter(|(session, _)| post.qos > Qos::AtMostOnce && self.may_read(session.account, topic))
                .filter(|(_, matched)| matched.qos > Qos::AtMostOnce)
                .map(|(session, matched)| (session.id, matched.qos.min(post.qos) as u8))
                .collect(),
            To::Accounts(accounts) => {
                let readers =
                    accounts.iter().copied().chain(author.filter(|author| !accounts.contains(author)));
                let mut queues = Vec::new();
                for reader in readers {
                    let sessions = broker.of(reader);
                    if !sessions.iter().any(durable) {
                        continue;
                    }
                    let Ok(topic) = TopicName::parse(&plain::topic_for(&post.message, reader)) else {
                        continue;
                    };
                    // A note to oneself is for every device, the one that wrote it too.
                    let own = accounts.contains(&reader);
                    let mine =
                        sessions.iter().filter(|session| durable(session) && (own || session.id != from));
                    queues.extend(
                        mine.filter_map(|session| Some((session.id, session.matching(&topic)?.qos as u8))),
                    );
                }
                queues
            }
        }
    }

    /// Wakes whoever has something to read now.
    fn ring(&self, who: &Principal, from: &Arc<Session>, post: &Post, now: Timestamp) {
        match &post.to {
            To::Topic(topic) => self.ring_topic(from, post, topic),
            To::Accounts(accounts) => {
                let row = post.stored.map(|placed| placed.seq);
                accounts.iter().for_each(|account| self.broker.ring(*account, row));
                if post.stored.is_some() && who.account().is_some_and(|author| !accounts.contains(&author)) {
                    self.copy_to_author(who, from, post, now);
                }
            }
        }
    }

    /// Live sessions without a queue are handed the message; those with one are rung. What a durable session would
    /// get with QoS 0 it gets only while it is there.
    fn ring_topic(&self, from: &Arc<Session>, post: &Post, topic: &TopicName) {
        let name: Arc<str> = topic.as_str().into();
        for (session, matched) in self.broker.subscribers(topic) {
            if matched.no_local && session.id == from.id || !self.may_read(session.account, topic) {
                continue;
            }
            let qos = matched.qos.min(post.qos);
            if session.is_durable() && qos > Qos::AtMostOnce {
                session.bell.notify_one();
                continue;
            }
            session.hand(post.handed(name.clone(), qos, matched.identifiers));
        }
    }

    /// The author's other devices see what was said.
    fn copy_to_author(&self, who: &Principal, from: &Arc<Session>, post: &Post, now: Timestamp) {
        let Some(author) = who.account() else { return };
        let mine: Vec<_> =
            self.broker.of(author).into_iter().filter(|session| session.id != from.id).collect();
        if mine.is_empty() {
            return;
        }
        let Ok(topic) = TopicName::parse(&plain::topic_for(&post.message, author)) else { return };
        let properties = Arc::new(post.as_delivered(now));
        for session in mine {
            match session.matching(&topic) {
                Some(_) if session.is_durable() => session.bell.notify_one(),
                Some(matched) => {
                    let handed = post.handed(topic.as_str().into(), matched.qos, matched.identifiers);
                    session.hand(Handed { properties: properties.clone(), ..handed });
                }
                None => {}
            }
        }
    }

    /// Whether an account may read a plain topic as the directory has it now.
    pub(super) fn may_read(&self, account: AccountId, topic: &TopicName) -> bool {
        self.principal_of(account).is_some_and(|who| self.rules.allow(&who, Right::Subscribe, topic))
    }

    /// Who acts, with the name and groups of this moment; `None` when they may not act any more.
    fn still(&self, who: &Principal) -> Option<Principal> {
        who.account().map_or_else(|| Some(who.clone()), |account| self.principal_of(account))
    }

    /// The principal behind a session; `None` when the account may not act any more.
    fn principal_of(&self, account: AccountId) -> Option<Principal> {
        if account == AccountId::GUEST {
            return Some(Principal::Guest);
        }
        let account = self.directory.by_id(account).filter(|account| account.disabled().is_none())?;
        Some(Directory::principal(&account))
    }
}

impl Post {
    /// Chat always is; a plain topic only if a durable session asked for it.
    fn is_owed(&self, broker: &Broker) -> bool {
        match &self.to {
            To::Accounts(_) => true,
            To::Topic(topic) => {
                self.qos > Qos::AtMostOnce
                    && broker.subscribers(topic).iter().any(|(session, _)| session.is_durable())
            }
        }
    }

    /// Whether it became a message before its connection broke.
    fn was_stored(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        match (&self.origin, self.sent_again) {
            (Some(origin), true) => Ok(tx.sent_before(origin)?.is_some()),
            _ => Ok(false),
        }
    }

    fn store(
        &mut self,
        tx: &mut Tx,
        queues: &[(crate::id::SessionId, u8)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let placed = tx.append_message(&self.message, now)?;
        if let To::Accounts(accounts) = &self.to {
            accounts.iter().try_for_each(|account| tx.put_in_inbox(placed.seq, *account))?;
        }
        queues.iter().try_for_each(|(session, qos)| tx.put_in_queue(*session, placed.seq, *qos))?;
        if let Some(origin) = &self.origin {
            tx.remember_origin(origin, placed.id, now)?;
        }
        self.stored = Some(placed);
        Ok(())
    }

    /// The properties of a chat message as its readers get them.
    fn as_delivered(&self, at: Timestamp) -> Properties {
        let said = self.stored.map(|placed| inbox::said_by_the_house(placed.id, &self.message.sender, at));
        let mut properties = Properties::clone(&self.properties);
        properties
            .user_properties
            .extend(said.into_iter().flatten().map(|(name, value)| (name.to_owned(), value)));
        properties
    }

    fn handed(&self, topic: Arc<str>, qos: Qos, identifiers: Vec<u32>) -> Handed {
        let (payload, properties) = (self.message.payload.clone(), self.properties.clone());
        Handed { topic, payload, properties, qos, retain: false, identifiers }
    }
}

fn digest(topic: &str, payload: &Bytes) -> [u8; 16] {
    let mut sum = Sha256::new();
    sum.update((topic.len() as u32).to_be_bytes());
    sum.update(topic.as_bytes());
    sum.update(payload);
    let full: [u8; 32] = sum.finalize().into();
    let mut half = [0; 16];
    half.copy_from_slice(&full[..16]);
    half
}
