//! Accounts of ACME: a key, bound to what a token granted (RFC 8555 §7.3).

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ca::acme::{
    Account, AccountStatus, AccountUpdate, Binding, Jwk, Key, KeyChange, NewAccount, Problem, ProblemType,
};
use chancery_ca as ca;
use serde_json::json;
use zeroize::Zeroizing;

use super::{Asked, FRONT, No, Reply};
use crate::audit::Deed;
use crate::directory::Directory;
use crate::enrollment::token::Alive;
use crate::enrollment::{Enrollment, Refused};
use crate::principal::Principal;
use crate::store::{AcmeAccount, Tx};

impl Enrollment {
    /// newAccount: whose key it is, a token says, which is used up by it.
    pub(super) async fn acme_new_account(&self, asked: &Asked) -> Result<Reply, No> {
        let Key::New(key) = asked.jws.key() else {
            return Err(Problem::malformed("a new account brings its key in `jwk`").into());
        };
        let wanted = NewAccount::read(asked.jws.verify(key)?)?;
        let thumbprint = key.thumbprint();
        let known = self.store.read(move |view| view.acme_account_of(&thumbprint)).await?;
        match known {
            Some(client) if client.deactivated => {
                Err(Problem::new(ProblemType::Unauthorized, "the account of this key was deactivated").into())
            }
            Some(client) => asked.account(StatusCode::OK, &client),
            None if wanted.only_return_existing => {
                Err(Problem::new(ProblemType::AccountDoesNotExist, "no account has this key").into())
            }
            None => {
                let binding = wanted.binding(key, asked.jws.url())?.ok_or_else(|| {
                    let how = "bind the account to a one-time token: its name is the key identifier, its secret the key";
                    Problem::new(ProblemType::ExternalAccountRequired, how)
                })?;
                let client = self.bind(asked, key, &wanted, &binding).await?;
                asked.account(StatusCode::CREATED, &client)
            }
        }
    }

    /// Uses the token up and keeps the account, in one unit of work.
    async fn bind(
        &self,
        asked: &Asked,
        key: &Jwk,
        wanted: &NewAccount,
        binding: &Binding,
    ) -> Result<AcmeAccount, No> {
        let named = self.named(binding.kid(), asked.now).await;
        let named = self.audited(&Principal::Guest, "certificate.enroll", FRONT, named, asked.now).await;
        let (Alive { hash, allows }, secret) = named?;
        let mac_key = Zeroizing::new(URL_SAFE_NO_PAD.decode(secret.as_bytes()).unwrap_or_default());
        if let Err(problem) = binding.verify(&mac_key) {
            self.miss(hash).await?;
            return Err(problem.into());
        }
        let account = self.directory.by_id(allows.account).ok_or(Refused::Gone)?;
        let client = AcmeAccount {
            id: ca::acme::token().map_err(Refused::from)?,
            thumbprint: key.thumbprint(),
            key: key.to_string(),
            account: allows.account,
            profile: allows.profile,
            names: allows.names,
            contact: wanted.contact.clone(),
            deactivated: false,
        };
        let facts = json!({
            "client": client.id, "token": binding.kid(), "profile": client.profile, "names": client.names,
        });
        let deed = Deed::new(&Directory::principal(&account), "acme.account", &account.name).with(facts);
        let (new, now) = (client.clone(), asked.now);
        let keep = move |tx: &mut Tx| -> Result<(), Refused> {
            if !tx.use_token(&hash, now)? {
                return Err(Refused::DeadToken);
            }
            tx.put_acme_account(&new, now)?;
            Ok(tx.remember(deed, now)?)
        };
        self.store.write(keep).await?;
        Ok(client)
    }

    /// The account as it is, with other contacts, or ended (§7.3.2, §7.3.6).
    pub(super) async fn acme_account(&self, asked: &Asked, client: &AcmeAccount) -> Result<Reply, No> {
        let payload = asked.payload(client)?;
        if payload.is_empty() {
            return asked.account(StatusCode::OK, client);
        }
        let (update, mut client) = (AccountUpdate::read(payload)?, client.clone());
        let id = client.id.clone();
        if update.deactivates() {
            self.store.write(move |tx| tx.deactivate_acme_account(&id)).await?;
            client.deactivated = true;
        } else if let Some(contact) = update.contact {
            client.contact.clone_from(&contact);
            self.store.write(move |tx| tx.set_acme_contact(&id, &contact)).await?;
        }
        asked.account(StatusCode::OK, &client)
    }

    pub(super) async fn acme_key_change(&self, asked: &Asked, client: &AcmeAccount) -> Result<Reply, No> {
        let (payload, present) = (asked.payload(client)?, Jwk::parse(client.key.as_bytes())?);
        let own = asked.at("account", &client.id);
        let KeyChange { new_key } = KeyChange::read(payload, asked.jws.url(), &own, &present)?;
        let (thumbprint, id) = (new_key.thumbprint(), client.id.clone());
        let (of, key) = (thumbprint.clone(), new_key.to_string());
        if self.store.read(move |view| view.acme_account_of(&of)).await?.is_some() {
            return Err(Problem::malformed("another account has this key").with_status(409).into());
        }
        self.store.write(move |tx| tx.set_acme_key(&id, &thumbprint, &key)).await?;
        asked.account(StatusCode::OK, client)
    }
}

impl Asked {
    fn account(&self, status: StatusCode, client: &AcmeAccount) -> Result<Reply, No> {
        let own = self.at("account", &client.id);
        let account = Account {
            status: if client.deactivated { AccountStatus::Deactivated } else { AccountStatus::Valid },
            contact: client.contact.clone(),
            terms_of_service_agreed: None,
            orders: format!("{own}/orders"),
        };
        Reply::json(status, Some(own), &account)
    }
}
