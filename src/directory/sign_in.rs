//! Signing in: is this their password? One question for every door, asked of whichever directory the person comes from.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chancery_ldap::{Person, SignIn as Answer};
use zeroize::Zeroizing;

use super::Directory;
use super::ldap::Ldap;
use super::told::Told;
use crate::id::AccountId;
use crate::principal::Principal;
use crate::secret;
use crate::store::{Account, Source, StoreError, Tx};
use crate::time::{self, Timestamp};

/// The answer to a name and a password. Which of the refusals it was goes to the audit, never to the client.
#[derive(Debug)]
pub(crate) enum SignIn {
    Accepted(Arc<Account>),
    Unknown,
    WrongPassword,
    Disabled(String),
    /// The directory server cannot be asked now.
    Unavailable(String),
    /// There were too many wrong ones; the next is heard after so long.
    Throttled(Duration),
}

impl Directory {
    /// Checks a name and a password against the directory the person comes from. Wrong ones are counted by name and by
    /// the network they come from, at all doors together.
    pub(crate) async fn sign_in(
        &self,
        name: &str,
        password: Zeroizing<String>,
        from: Option<IpAddr>,
    ) -> SignIn {
        let name = name.to_lowercase();
        if let Some(from) = from
            && let Err(wait) = self.knocks.admit(&name, from, time::monotonic())
        {
            return SignIn::Throttled(wait);
        }
        let answer = self.check(&name, password).await;
        // An outage says nothing about the password.
        if let (SignIn::Accepted(_) | SignIn::Unavailable(_), Some(from)) = (&answer, from) {
            self.knocks.forgive(&name, from);
        }
        answer
    }

    async fn check(&self, name: &str, password: Zeroizing<String>) -> SignIn {
        let known = self.find(name);
        if let Some(reason) = known.as_ref().and_then(|account| account.disabled()) {
            return SignIn::Disabled(reason.to_owned());
        }
        if let (Some(ldap), None | Some(Source::Ldap)) =
            (&self.ldap, known.as_ref().map(|account| account.source))
        {
            return ldap.sign_in(self, name, known, password).await;
        }
        let phc = known.as_ref().and_then(|account| account.password.as_deref()).map(str::to_owned);
        match (secret::check_password(password, phc).await, known) {
            (true, Some(account)) => SignIn::Accepted(account),
            (_, Some(_)) => SignIn::WrongPassword,
            (_, None) => SignIn::Unknown,
        }
    }
}

impl Ldap {
    /// Search, then bind, unless the same was accepted a moment ago. A person that no sync has seen yet becomes known by
    /// signing in.
    async fn sign_in(
        &self,
        directory: &Directory,
        name: &str,
        known: Option<Arc<Account>>,
        password: Zeroizing<String>,
    ) -> SignIn {
        if let Some(account) = &known
            && self.accepted.knows(account.id, &password, time::monotonic())
        {
            return SignIn::Accepted(account.clone());
        }
        let now = time::now();
        match self.connector.sign_in(name, &password, now.to_offset()).await {
            Ok(Answer::Accepted(person)) => {
                let answer = self.accept(directory, person, now).await;
                if let SignIn::Accepted(account) = &answer
                    && self.accepted.note(account.id, &password, time::monotonic())
                {
                    self.keep(directory, account.id, password, now);
                }
                answer
            }
            Ok(Answer::WrongPassword { .. }) => {
                known.iter().for_each(|account| self.accepted.forget(account.id));
                SignIn::WrongPassword
            }
            Ok(Answer::Unknown | Answer::Ambiguous) => SignIn::Unknown,
            Ok(Answer::Disabled(person)) => SignIn::Disabled(
                person.disabled.map_or_else(|| "disabled in the directory".into(), |why| why.to_string()),
            ),
            Ok(refused @ Answer::Refused { .. }) => SignIn::Disabled(refused.to_string()),
            Err(error) => self.without_servers(directory, known, password, error.to_string(), now).await,
        }
    }

    /// What LDAP says of somebody known already is the sync's to bring in.
    async fn accept(&self, directory: &Directory, person: Person, now: Timestamp) -> SignIn {
        let id = AccountId::from(person.id);
        if directory.by_id(id).is_none() {
            let told = Told::of(person);
            if let Err(error) = self.bring(directory, &Principal::System, &told, now).await {
                return SignIn::Unavailable(error.to_string());
            }
        }
        match directory.by_id(id) {
            Some(account) => match account.disabled() {
                Some(why) => SignIn::Disabled(why.to_owned()),
                None => SignIn::Accepted(account),
            },
            None => SignIn::Unknown,
        }
    }

    /// For an outage; nobody waits for it, since it takes as long as a hash should.
    fn keep(&self, directory: &Directory, id: AccountId, password: Zeroizing<String>, now: Timestamp) {
        if self.outage_ttl == Duration::ZERO {
            return;
        }
        let (store, since) = (directory.store.clone(), now.before(self.outage_ttl));
        let keep = async move {
            let Ok(phc) = secret::hash_password(password).await else { return };
            let put = move |tx: &mut Tx| -> Result<(), StoreError> {
                tx.put_verifier(id, &phc, now)?;
                tx.forget_verifiers(since)
            };
            if let Err(error) = store.write(put).await {
                tracing::warn!(%error, "a password will not be known in an outage of the directory");
            }
        };
        tokio::spawn(keep);
    }

    /// No server answers: whom the directory accepted not long ago, with this password, is let in.
    async fn without_servers(
        &self,
        directory: &Directory,
        known: Option<Arc<Account>>,
        password: Zeroizing<String>,
        why: String,
        now: Timestamp,
    ) -> SignIn {
        let Some(account) = known else { return SignIn::Unavailable(why) };
        let (id, since) = (account.id, now.before(self.outage_ttl));
        let phc = match directory.store.read(move |view| view.verifier(id, since)).await {
            Ok(Some(phc)) => phc,
            Ok(None) => return SignIn::Unavailable(why),
            Err(error) => return SignIn::Unavailable(error.to_string()),
        };
        // Another password may be the right one by now, which only the directory knows.
        match secret::check_password(password, Some(phc)).await {
            true => SignIn::Accepted(account),
            false => SignIn::WrongPassword,
        }
    }
}
