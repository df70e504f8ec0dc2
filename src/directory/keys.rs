//! The keys of people: public keys that stand beside passwords and certificates as a way to sign in.
//!
//! A key belongs to one account, and whoever takes it away ends the sessions that it opened. That its holder can sign
//! is asked at the door, each time.

use std::sync::Arc;

use serde_json::json;

use super::Directory;
use super::public_key::{NotAKey, PublicKey};
use crate::audit::Deed;
use crate::id::AccountId;
use crate::mqtt::Reason;
use crate::principal::Principal;
use crate::store::{Account, Key, KeyId, StoreError, Tx};
use crate::time::Timestamp;

/// An account has no more keys than these.
const MOST: usize = 20;
/// Longer names of keys are refused.
const NAME_MAX: usize = 64;

/// Why a deed about keys was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyRefused {
    #[error("{0} may not decide about this account's keys: ask an admin")]
    NotAllowed(String),
    #[error("there is no account {0}")]
    NoAccount(String),
    #[error("the account {name} may not act ({why}): enable it first")]
    Disabled { name: String, why: String },
    #[error("this is no key to register: {0}")]
    NotAKey(#[from] NotAKey),
    #[error("the name of a key has at most {NAME_MAX} characters, none of them a control character")]
    BadName,
    #[error("the account has this key already, as {0}")]
    Known(KeyId),
    #[error("this key is somebody else's: make a new one")]
    Taken,
    #[error("the account has {MOST} keys already: remove one first")]
    TooMany,
    #[error("there is no key {0}")]
    NoKey(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Directory {
    /// Registers a key in PEM for an account.
    pub(crate) async fn add_key(
        &self,
        who: &Principal,
        account: &str,
        pem: &str,
        name: &str,
        now: Timestamp,
    ) -> Result<Key, KeyRefused> {
        let account = self.find(account).ok_or_else(|| KeyRefused::NoAccount(account.into()))?;
        authorize(who, account.id)?;
        may_act(&account)?;
        let (public, name) = (PublicKey::from_pem(pem)?, checked(name)?);
        let id = KeyId::of(public.spki());
        let new = Key { id, account: account.id, name, spki: public.spki().to_vec(), created_at: now };
        let deed = Deed::new(who, "key.add", &account.name)
            .with(json!({ "key": id.to_string(), "kind": public.kind().name(), "name": new.name }));
        let add = move |tx: &mut Tx| {
            match tx.key(id)? {
                Some(held) if held.account == new.account => return Err(KeyRefused::Known(id)),
                Some(_) => return Err(KeyRefused::Taken),
                None if tx.keys(Some(new.account))?.len() >= MOST => return Err(KeyRefused::TooMany),
                None => tx.add_key(&new)?,
            }
            tx.remember(deed, now)?;
            Ok(new)
        };
        self.store.write(add).await
    }

    /// Removes a key and ends the sessions that it opened; says how many.
    pub(crate) async fn remove_key(
        &self,
        who: &Principal,
        id: KeyId,
        now: Timestamp,
    ) -> Result<(Key, usize), KeyRefused> {
        let held = self.key(id).await?.ok_or_else(|| KeyRefused::NoKey(id.to_string()))?;
        authorize(who, held.account)?;
        let of = self.by_id(held.account).map(|account| account.name.clone());
        let deed =
            Deed::new(who, "key.remove", id.to_string()).with(json!({ "account": of, "name": held.name }));
        let remove = move |tx: &mut Tx| match tx.key(id)? {
            None => Err(KeyRefused::NoKey(id.to_string())),
            Some(_) => Ok(tx.remove_key(id).and_then(|()| tx.remember(deed, now))?),
        };
        self.store.write(remove).await?;
        // Whoever comes in from here on is asked again once its session lives.
        let ended = self.broker.end(Reason::AdministrativeAction, |session| {
            session.live(|live| live.key == Some(id)).unwrap_or(false)
        });
        tracing::info!(key.id = %id, sessions = ended, "a key was removed");
        Ok((held, ended))
    }

    /// Every key, or an account's.
    pub(crate) async fn keys(&self, account: Option<AccountId>) -> Result<Vec<Key>, StoreError> {
        self.store.read(move |view| view.keys(account)).await
    }

    /// One key.
    pub(crate) async fn key(&self, id: KeyId) -> Result<Option<Key>, StoreError> {
        self.store.read(move |view| view.key(id)).await
    }
}

/// Admins, the host and the house itself decide about everybody's keys; people about their own; guests about none.
fn authorize(who: &Principal, owner: AccountId) -> Result<(), KeyRefused> {
    match who {
        Principal::Admin(_) | Principal::Host | Principal::System => Ok(()),
        Principal::Account(actor) if actor.id == owner => Ok(()),
        Principal::Account(_) | Principal::Guest => Err(KeyRefused::NotAllowed(who.to_string())),
    }
}

fn may_act(account: &Arc<Account>) -> Result<(), KeyRefused> {
    match account.disabled() {
        Some(why) => Err(KeyRefused::Disabled { name: account.name.clone(), why: why.to_owned() }),
        None => Ok(()),
    }
}

fn checked(name: &str) -> Result<String, KeyRefused> {
    let name = name.trim();
    match name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
        true => Err(KeyRefused::BadName),
        false => Ok(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principal::Actor;

    #[test]
    fn people_decide_about_their_own_keys_and_guests_about_none() {
        let [alice, bob] = [1, 2].map(|n| AccountId::from_bytes([n; 16]));
        let person = |id| Principal::Account(Actor { id, name: "alice".into(), groups: [].into() });
        assert!(authorize(&person(alice), alice).is_ok());
        assert!(authorize(&person(alice), bob).is_err());
        assert!(authorize(&Principal::Guest, AccountId::GUEST).is_err());
        for who in [Principal::Admin("ada".into()), Principal::Host, Principal::System] {
            assert!(authorize(&who, bob).is_ok(), "{who}");
        }
    }
}
