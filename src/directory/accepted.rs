//! Accepted: passwords that LDAP accepted a short while ago, so that a crowd which comes back does not ask it a thousand times.
//!
//! What is kept is a tag under a key that this process made and nobody else has; it is gone with the process, with any
//! change of the person's entry, and with a wrong password.

use std::time::{Duration, Instant};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use papaya::HashMap;

use crate::id::{AccountId, random};

pub(super) struct Accepted {
    key: hmac::Key,
    ttl: Duration,
    tags: HashMap<AccountId, Tagged>,
}

struct Tagged {
    tag: hmac::Tag,
    at: Instant,
    /// When the store was last given the same.
    kept: Instant,
}

/// The store need not be given the same password again before.
const KEPT: Duration = Duration::from_secs(3600);

impl Accepted {
    /// For so long the directory is not asked again.
    pub(super) fn new(ttl: Duration) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, &random::<32>()), ttl, tags: HashMap::new() }
    }

    pub(super) fn knows(&self, id: AccountId, password: &str, now: Instant) -> bool {
        self.tags.pin().get(&id).is_some_and(|tagged| {
            now.saturating_duration_since(tagged.at) < self.ttl && self.is(tagged, id, password)
        })
    }

    /// The directory accepted it now. Says whether that is news to the store: a hash takes long, and most come back with
    /// what they came with.
    pub(super) fn note(&self, id: AccountId, password: &str, now: Instant) -> bool {
        let tags = self.tags.pin();
        let same = tags.get(&id).filter(|tagged| self.is(tagged, id, password)).map(|tagged| tagged.kept);
        let kept = same.filter(|kept| now.saturating_duration_since(*kept) < KEPT);
        tags.insert(id, Tagged { tag: self.tag(id, password), at: now, kept: kept.unwrap_or(now) });
        kept.is_none()
    }

    pub(super) fn forget(&self, id: AccountId) {
        self.tags.pin().remove(&id);
    }

    fn is(&self, tagged: &Tagged, id: AccountId, password: &str) -> bool {
        verify_slices_are_equal(self.tag(id, password).as_ref(), tagged.tag.as_ref()).is_ok()
    }

    fn tag(&self, id: AccountId, password: &str) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&id.to_bytes());
        context.update(password.as_bytes());
        context.sign()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_good_for_a_while_for_its_owner_alone() {
        let (minute, start) = (Duration::from_secs(60), crate::time::monotonic());
        let accepted = Accepted::new(minute);
        let [alice, bob] = [1, 2].map(|number| AccountId::from_bytes([number; 16]));
        assert!(accepted.note(alice, "wonderland", start));
        assert!(!accepted.note(alice, "wonderland", start), "the store has it");
        assert!(accepted.knows(alice, "wonderland", start + minute / 2));
        assert!(!accepted.knows(alice, "Wonderland", start) && !accepted.knows(bob, "wonderland", start));
        assert!(!accepted.knows(alice, "wonderland", start + minute));
        assert!(accepted.note(alice, "looking-glass", start), "another one");
        assert!(accepted.note(alice, "looking-glass", start + KEPT), "the store's grows old");
        accepted.forget(alice);
        assert!(!accepted.knows(alice, "looking-glass", start + KEPT));
        let never = Accepted::new(Duration::ZERO);
        never.note(alice, "wonderland", start);
        assert!(!never.knows(alice, "wonderland", start));
    }
}
