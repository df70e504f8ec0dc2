//! Nonces: each request brings one that was given out before and was not used (RFC 8555 §6.5).
//!
//! They are in memory. After a restart clients hear badNonce, take the fresh one that comes with it, and ask again.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use chancery_ca::acme::token;

/// The nonces that were not used yet.
#[derive(Default)]
pub(in crate::enrollment) struct Nonces(Mutex<Outstanding>);

#[derive(Default)]
struct Outstanding {
    all: HashSet<String>,
    /// The oldest first; those that were used are still among them.
    order: VecDeque<String>,
}

impl Nonces {
    /// A fresh one; the oldest make room for it.
    pub(super) fn draw(&self) -> Option<String> {
        let nonce = token().ok()?;
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.order.len() >= MOST
            && let Some(oldest) = held.order.pop_front()
        {
            held.all.remove(&oldest);
        }
        held.all.insert(nonce.clone());
        held.order.push_back(nonce.clone());
        Some(nonce)
    }

    /// Whether it was given out and not used; it is used from now on.
    pub(super) fn use_up(&self, nonce: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).all.remove(nonce)
    }
}

/// A client holds one or two; so many clients may be under way before the first has to ask for another.
const MOST: usize = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_serves_once_and_not_for_ever() {
        let nonces = Nonces::default();
        let first = nonces.draw().unwrap();
        assert!(nonces.use_up(&first) && !nonces.use_up(&first) && !nonces.use_up("invented"));
        let old = nonces.draw().unwrap();
        (0..MOST).for_each(|_| drop(nonces.draw()));
        assert!(!nonces.use_up(&old));
        assert!(nonces.0.lock().unwrap().all.len() <= MOST);
    }
}
