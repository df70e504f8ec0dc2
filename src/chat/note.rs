//! Notes: what the house itself says to a person, as a message like any other.
//!
//! They come from a name that no account may have, and are stored within the unit of work that they tell of, so that
//! they are said once. Nobody can answer them.

use super::Chat;
use super::publish::Post;
use crate::id::AccountId;
use crate::principal::HOUSE;
use crate::store::{Account, Kind, NewMessage, Placed, StoreError, Tx};
use crate::time::Timestamp;

impl Chat {
    /// Owes a note to somebody; to be rung once that is committed.
    pub(crate) fn put_note(
        &self,
        tx: &mut Tx,
        to: &Account,
        text: String,
        now: Timestamp,
    ) -> Result<Placed, StoreError> {
        let message = NewMessage {
            kind: Kind::Direct,
            author: AccountId::HOUSE,
            sender: HOUSE.to_owned(),
            address: to.name.clone(),
            payload: text.into(),
            properties: None,
        };
        let mut post = Post::of_the_house(message, to.id);
        let queues = self.queues(&post, None, None);
        post.store(tx, &queues, now)
    }

    /// Wakes whoever has a note to read.
    pub(crate) fn ring_note(&self, to: AccountId, note: Placed) {
        self.broker.ring(to, Some(note.seq));
    }
}
