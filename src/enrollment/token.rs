//! One-time tokens: an admin, or the account itself, says beforehand who may have which certificate, once.
//!
//! A token has a name, which travels openly, and a secret. The secret is computed from the name with a key of the
//! house, so that protocols whose two sides must both know it (CMP, RFC 9810 §5.1.3.1; ACME, RFC 8555 §7.3.4) can use
//! the same tokens, and the store holds only its hash: whoever reads the store, or a copy, has no token.

use std::path::Path;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Enrollment, Failure, Grant, Refused, safe};
use crate::audit::Deed;
use crate::id::random;
use crate::principal::Principal;
use crate::secret;
use crate::store::{Account, Token, Tx};
use crate::time::Timestamp;

use super::rules::{Act, authorize};

/// A token as it is handed out, once.
pub(crate) struct Drawn {
    /// What it is called in the open: the user name for EST, `-ref` for CMP, the key identifier for ACME.
    pub(crate) id: String,
    /// Its secret, alone enough for our own API.
    pub(crate) secret: Zeroizing<String>,
    pub(crate) grant: Grant,
    pub(crate) until: Timestamp,
}

/// A token that somebody brought.
#[derive(Clone, Copy)]
pub(crate) enum Brought<'a> {
    /// The secret alone.
    Secret(&'a str),
    /// Name and secret.
    Named(&'a str, &'a str),
}

/// A token that is alive: its hash, by which it is used up, and what it allows.
#[derive(Clone)]
pub(super) struct Alive {
    pub(super) hash: [u8; 32],
    pub(super) allows: Token,
}

/// The key from which secrets are computed; it is in the state folder, not in the store.
pub(super) struct Mint(hmac::Key);

impl Mint {
    /// Reads the key, or makes it where there is none.
    pub(super) fn open(state: &Path) -> Result<Self, Failure> {
        let path = state.join(KEY);
        let bytes = match safe::get(&path)? {
            Some(bytes) => Zeroizing::new(bytes),
            None => {
                let fresh = Zeroizing::new(random::<32>().to_vec());
                safe::put(&path, &fresh)?;
                fresh
            }
        };
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// 256 bits, as text for URLs and command lines; ACME wants as many as its hash has (RFC 7518 §3.2).
    pub(super) fn secret(&self, id: &str) -> Zeroizing<String> {
        let tag = hmac::sign(&self.0, format!("enrolment token {id}").as_bytes());
        Zeroizing::new(URL_SAFE_NO_PAD.encode(tag.as_ref()))
    }

    /// A fresh name and its secret.
    pub(super) fn coin(&self) -> (String, Zeroizing<String>) {
        loop {
            let id = URL_SAFE_NO_PAD.encode(random::<9>());
            let secret = self.secret(&id);
            if secret::can_be_an_argument(&id) && secret::can_be_an_argument(&secret) {
                return (id, secret);
            }
        }
    }
}

impl Enrollment {
    /// Draws a one-time token with which somebody enrolls for the account.
    pub(crate) async fn token(
        &self,
        who: &Principal,
        account: &str,
        grant: Grant,
        now: Timestamp,
    ) -> Result<Drawn, Refused> {
        let account = self.account(account)?;
        self.draw(who, &account, grant, self.cfg.token_ttl.0, now).await
    }

    /// The same with a life of its own.
    pub(super) async fn draw(
        &self,
        who: &Principal,
        account: &Account,
        grant: Grant,
        life: Duration,
        now: Timestamp,
    ) -> Result<Drawn, Refused> {
        let outcome = authorize(who, Act::Certify(account, &grant));
        let outcome = outcome.and_then(|()| self.fits(&grant, account));
        self.audited(who, "certificate.token", &account.name, outcome, now).await?;

        let ((id, secret), until) = (self.mint.coin(), now.after(life));
        let hash = secret::digest(&secret);
        let (profile, names) = (grant.profile().name(), grant.names().to_vec());
        let facts = json!({ "token": id, "profile": profile, "names": names, "until": until });
        let deed = Deed::new(who, "certificate.token", &account.name).with(facts);
        let (allows, named) = (Token { account: account.id, profile: profile.into(), names }, id.clone());
        let keep = move |tx: &mut Tx| {
            tx.put_token(&named, &hash, &allows, until).and_then(|()| tx.remember(deed, now))
        };
        self.store.write(keep).await?;
        Ok(Drawn { id, secret, grant, until })
    }

    /// The token that somebody brought, if it is alive and the secret is its own. A wrong secret under a right name
    /// counts against the token.
    pub(super) async fn alive(&self, brought: Brought<'_>, now: Timestamp) -> Result<Alive, Refused> {
        match brought {
            Brought::Secret(secret) => {
                let hash = secret::digest(secret);
                let allows = self.store.read(move |view| view.token(&hash, now)).await?;
                Ok(Alive { hash, allows: allows.ok_or(Refused::DeadToken)? })
            }
            Brought::Named(id, secret) => {
                let id = id.to_owned();
                let found = self.store.read(move |view| view.token_named(&id, now)).await?;
                let found = found.ok_or(Refused::DeadToken)?;
                if !bool::from(secret::digest(secret)[..].ct_eq(&found.hash[..])) {
                    self.miss(found.hash).await?;
                    return Err(Refused::DeadToken);
                }
                Ok(Alive { hash: found.hash, allows: found.allows })
            }
        }
    }

    /// The token of this name with its secret, for protocols in which the secret does not travel.
    pub(super) async fn named(
        &self,
        id: &str,
        now: Timestamp,
    ) -> Result<(Alive, Zeroizing<String>), Refused> {
        let (name, secret) = (id.to_owned(), self.mint.secret(id));
        let found = self.store.read(move |view| view.token_named(&name, now)).await?;
        let found = found.ok_or(Refused::DeadToken)?;
        Ok((Alive { hash: found.hash, allows: found.allows }, secret))
    }

    /// Uses a token up for something else than a certificate.
    pub(super) async fn spend(&self, alive: &Alive, now: Timestamp) -> Result<(), Refused> {
        let hash = alive.hash;
        let used = self.store.write(move |tx| tx.use_token(&hash, now)).await?;
        if used { Ok(()) } else { Err(Refused::DeadToken) }
    }

    /// Somebody showed a wrong secret under a token's name.
    pub(super) async fn miss(&self, hash: [u8; 32]) -> Result<(), Refused> {
        Ok(self.store.write(move |tx| tx.miss_token(&hash)).await?)
    }

    /// Whether the account's names and the granted ones can stand in a certificate at all: told when the token is
    /// drawn, not when a device comes with it.
    fn fits(&self, grant: &Grant, account: &Account) -> Result<(), Refused> {
        Ok(self.authority.current().check_subject(&grant.subject(account), grant.profile())?)
    }
}

const KEY: &str = "token.key";
