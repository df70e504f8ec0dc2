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
    tags: HashMap<AccountId, (hmac::Tag, Instant)>,
}

impl Accepted {
    /// For so long the directory is not asked again.
    pub(super) fn new(ttl: Duration) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, &random::<32>()), ttl, tags: HashMap::new() }
    }

    pub(super) fn knows(&self, id: AccountId, password: &str, now: Instant) -> bool {
        self.tags.pin().get(&id).is_some_and(|(tag, at)| {
            let fresh = now.saturating_duration_since(*at) < self.ttl;
            fresh && verify_slices_are_equal(self.tag(id, password).as_ref(), tag.as_ref()).is_ok()
        })
    }

    pub(super) fn note(&self, id: AccountId, password: &str, now: Instant) {
        if self.ttl > Duration::ZERO {
            self.tags.pin().insert(id, (self.tag(id, password), now));
        }
    }

    pub(super) fn forget(&self, id: AccountId) {
        self.tags.pin().remove(&id);
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
        accepted.note(alice, "wonderland", start);
        assert!(accepted.knows(alice, "wonderland", start + minute / 2));
        assert!(!accepted.knows(alice, "Wonderland", start) && !accepted.knows(bob, "wonderland", start));
        assert!(!accepted.knows(alice, "wonderland", start + minute));
        accepted.forget(alice);
        assert!(!accepted.knows(alice, "wonderland", start));
        let never = Accepted::new(Duration::ZERO);
        never.note(alice, "wonderland", start);
        assert!(!never.knows(alice, "wonderland", start));
    }
}
