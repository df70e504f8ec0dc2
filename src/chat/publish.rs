//! Publishing: how a message enters the house.
//!
//! Address, judge, store, ring. The answer comes after the commit, so an acknowledged message is never lost. All that
//! a client sent in one go is one unit of work. Reading it back is `inbox`'s affair; what goes to a plain topic, and
//! so to nobody in particular, is `relay`'s.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{Chat, inbox, receipts};
use crate::broker::{Body, Parcel, Retain, Session, properties};
use crate::dialect::plain::{self, Address};
use crate::id::{AccountId, MessageId, SessionId};
use crate::journal::JournalError;
use crate::mqtt::{Properties, Publish, Reason, TopicName};
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
    #[error("the topic has more levels than it may")]
    TooDeep,
    #[error("nothing can be kept: the disk is full")]
    Full,
    #[error("a session that is owed it has as much in its queue as it may")]
    QueueFull,
    #[error("the house holds as much in memory as it may")]
    MemoryFull,
    #[error("there is no room for another retained message")]
    RetainedFull,
    #[error("the house could not keep it")]
    Failed,
}

impl Refusal {
    /// Whether it may go better later: nothing is wrong with the message.
    pub(crate) fn is_trouble(self) -> bool {
        matches!(self, Self::Full | Self::QueueFull | Self::MemoryFull | Self::RetainedFull | Self::Failed)
    }
}

impl From<Refusal> for Reason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotAllowed => Reason::NotAuthorized,
            Refusal::NoSuchAddress | Refusal::NoPeer | Refusal::TooDeep => Reason::TopicNameInvalid,
            Refusal::Full | Refusal::QueueFull | Refusal::MemoryFull | Refusal::RetainedFull => {
                Reason::QuotaExceeded
            }
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

impl From<JournalError> for Refusal {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Full => Refusal::Full,
            error => {
                tracing::error!(%error, "a message could not be kept");
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
pub(super) struct Post {
    message: NewMessage,
    /// These inboxes; the author's other devices see it too.
    to: Vec<AccountId>,
    properties: Properties,
    /// Present when it was sent again after a broken connection.
    sent_again: bool,
    origin: Option<Origin>,
    /// Where it stands, once stored.
    stored: Option<Placed>,
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
        if !matches!(who, Principal::Account(_)) {
            return Err(Refusal::NotAllowed);
        }
        match plain::address(letter.topic.as_str(), &self.domain) {
            Address::Account(name) => {
                let account = self.directory.find(&name).ok_or(Refusal::NoSuchAddress)?;
                Ok(self.post(who, from, letter, Kind::Direct, name, vec![account.id]))
            }
            Address::Room(name) => {
                let members = self.members_for(who, &name).await?;
                Ok(self.post(who, from, letter, Kind::Room, name, members))
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
        to: Vec<AccountId>,
    ) -> Deed {
        let (author, sender) = match who {
            Principal::Account(actor) => (actor.id, actor.name.to_string()),
            _ => (AccountId::GUEST, "guest".to_owned()),
        };
        let origin = letter.id.map(|packet| Origin {
            account: author,
            client_id: from.client_id.clone(),
            packet,
            digest: digest(letter.topic.as_str(), &letter.payload),
        });
        // The house says who and when; only what the payload is comes from the author.
        let said = letter.properties.map(|carried| *carried).unwrap_or_default();
        let (content_type, payload_format) = (said.content_type, said.payload_format);
        let properties = Properties { content_type, payload_format, ..Properties::default() };
        let row = properties::to_row(&properties);
        let message = NewMessage { kind, author, sender, address, payload: letter.payload, properties: row };
        Deed::Post(Box::new(Post { message, to, properties, sent_again: letter.dup, origin, stored: None }))
    }

    /// One unit of work for all posts.
    async fn place(
        &self,
        who: &Principal,
        from: &Arc<Session>,
        mut posts: Vec<Post>,
        now: Timestamp,
    ) -> Result<Vec<Post>, Refusal> {
        if posts.is_empty() {
            return Ok(posts);
        }
        let (chat, author, from) = (self.clone(), who.account(), from.id);
        let unit = move |tx: &mut Tx| -> Result<Vec<Post>, StoreError> {
            for post in &mut posts {
                if !post.was_stored(tx)? {
                    let queues = chat.queues(post, author, Some(from));
                    post.store(tx, &queues, now)?;
                }
            }
            Ok(posts)
        };
        Ok(self.store.write(unit).await?)
    }

    /// The durable sessions that are owed the post. Asked inside the unit of work, so that a session which subscribes
    /// at the same moment either is here or finds the message in the inbox.
    pub(super) fn queues(
        &self,
        post: &Post,
        author: Option<AccountId>,
        from: Option<SessionId>,
    ) -> Vec<(SessionId, u8)> {
        let durable = |session: &Arc<Session>| session.is_durable();
        let readers = post.to.iter().copied().chain(author.filter(|author| !post.to.contains(author)));
        let mut queues = Vec::new();
        for reader in readers {
            let sessions = self.broker.of(reader);
            if !sessions.iter().any(durable) {
                continue;
            }
            let Ok(topic) = TopicName::parse(&plain::topic_for(&post.message, reader)) else { continue };
            // A note to oneself is for every device, the one that wrote it too.
            let own = post.to.contains(&reader);
            let mine =
                sessions.iter().filter(|session| durable(session) && (own || Some(session.id) != from));
            queues.extend(mine.filter_map(|session| Some((session.id, session.matching(&topic)?.qos as u8))));
        }
        queues
    }

    /// Wakes whoever has something to read now.
    fn ring(&self, who: &Principal, from: &Arc<Session>, post: &Post, now: Timestamp) {
        let row = post.stored.map(|placed| placed.seq);
        post.to.iter().for_each(|account| self.broker.ring(*account, row));
        if post.stored.is_some() && who.account().is_some_and(|author| !post.to.contains(&author)) {
            self.copy_to_author(who, from, post, now);
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
        let body = Body {
            payload: post.message.payload.clone(),
            properties: Some(Box::new(post.as_delivered(now))),
            retain: false,
        };
        for session in mine {
            match session.matching(&topic) {
                Some(_) if session.is_durable() => session.ring_rows(),
                Some(matched) => {
                    let parcel =
                        Parcel::passing(topic.clone(), matched.qos, now, body.clone(), Retain::Cleared);
                    session.hand(Parcel { identifiers: matched.identifiers, ..parcel }, self.broker.limits());
                }
                None => {}
            }
        }
    }
}

impl Post {
    /// What the house itself says to one account.
    pub(super) fn of_the_house(message: NewMessage, to: AccountId) -> Self {
        let properties = Properties::default();
        Self { message, to: vec![to], properties, sent_again: false, origin: None, stored: None }
    }

    /// Whether it became a message before its connection broke.
    fn was_stored(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        match (&self.origin, self.sent_again) {
            (Some(origin), true) => Ok(tx.sent_before(origin)?.is_some()),
            _ => Ok(false),
        }
    }

    pub(super) fn store(
        &mut self,
        tx: &mut Tx,
        queues: &[(SessionId, u8)],
        now: Timestamp,
    ) -> Result<Placed, StoreError> {
        let placed = tx.append_message(&self.message, now)?;
        self.to.iter().try_for_each(|account| tx.put_in_inbox(placed.seq, *account))?;
        queues.iter().try_for_each(|(session, qos)| tx.put_in_queue(*session, placed.seq, *qos))?;
        if let Some(origin) = &self.origin {
            tx.remember_origin(origin, placed.id, now)?;
        }
        self.stored = Some(placed);
        Ok(placed)
    }

    /// The properties of a chat message as its readers get them.
    fn as_delivered(&self, at: Timestamp) -> Properties {
        let said = self.stored.map(|placed| inbox::said_by_the_house(placed.id, &self.message.sender, at));
        let mut properties = self.properties.clone();
        properties
            .user_properties
            .extend(said.into_iter().flatten().map(|(name, value)| (name.to_owned(), value)));
        properties
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
