//! The directory: people, whether built in or from LDAP; who they are, and whether this is their password.
//!
//! Everybody known is also held in memory, as the store has them, so that judging a message asks no disk. What a
//! directory says and what an admin decided are different states: sync never enables what an admin disabled.
//! Whoever may no longer act is cut off here: their live sessions end with the change, not at the next CONNECT.

mod accepted;
mod brake;
mod check;
mod config;
mod difference;
mod explain;
mod follow;
mod keys;
pub(crate) mod ldap;
mod limiter;
mod names;
mod people;
mod photo;
mod picture;
mod preview;
mod public_key;
mod published;
pub(crate) mod served;
mod sign_in;
mod thumbnail;
mod told;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chancery_ldap::Connector;
use tokio::sync::{Mutex, Notify};
use zeroize::Zeroizing;

pub(crate) use config::{Config, DirectoryKind};
pub(crate) use difference::SyncReport;
pub(crate) use explain::Explanation;
pub(crate) use follow::Following;
pub(crate) use keys::KeyRefused;
pub(crate) use ldap::{Ldap, SyncError};
pub(crate) use limiter::Limiter;
use people::People;
pub(crate) use preview::Preview;
pub(crate) use public_key::{NOBODYS, PublicKey};
pub(crate) use published::NotPublished;
pub(crate) use sign_in::SignIn;

use crate::audit::Deed;
use crate::broker::Broker;
use crate::id::AccountId;
use crate::mqtt::Reason;
use crate::principal::{Actor, HOUSE, Principal};
use crate::secret;
use crate::store::{Account, AccountDraft, Source, Store, StoreError, Tx};
use crate::time::Timestamp;

/// Cheap handle on the people.
#[derive(Clone)]
pub(crate) struct Directory {
    store: Store,
    broker: Broker,
    people: Arc<People>,
    /// One change at a time, so that the picture in memory never goes back.
    changing: Arc<Mutex<()>>,
    /// Counts changes of people and of their certificates, for those whom they are served to.
    version: Arc<AtomicU64>,
    /// Rung when people have changed.
    turned: Arc<Notify>,
    ldap: Option<Arc<Ldap>>,
    /// Wrong passwords, at whatever door.
    knocks: Arc<Limiter>,
}

/// A network may hold a whole office, whose devices come back together.
const WRONG_PER_NETWORK: usize = 200;

/// Why a change of the directory was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("there is no account {0}")]
    NotFound(String),
    #[error("there is an account {0} already")]
    Exists(String),
    #[error("{0} comes from LDAP: change it there (disable and enable work here too)")]
    ReadOnly(String),
    #[error(
        "{0:?} is no account name: 1 to 64 characters, no control characters, no spaces, and neither guest nor chancery"
    )]
    BadName(String),
    #[error("the password is too short: at least {0} characters")]
    ShortPassword(usize),
    #[error("{0:?} is no mail address")]
    BadMail(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the password could not be kept")]
    Hash(#[from] secret::NotHashed),
}

/// What an admin gives for a new account of the built-in directory.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewAccount {
    pub(crate) name: String,
    pub(crate) display: Option<String>,
    pub(crate) mail: Option<String>,
    pub(crate) password: Option<Zeroizing<String>>,
}

/// Shorter passwords are refused.
pub(crate) const PASSWORD_MIN: usize = 8;

impl Directory {
    /// Reads everybody into memory.
    pub(crate) async fn open(store: Store, broker: Broker, ldap: Option<Ldap>) -> Result<Self, StoreError> {
        let this = Self {
            store,
            broker,
            people: Arc::default(),
            changing: Arc::default(),
            version: Arc::default(),
            turned: Arc::default(),
            ldap: ldap.map(Arc::new),
            knocks: Arc::new(Limiter::new(WRONG_PER_NETWORK)),
        };
        let (accounts, groups) =
            this.store.read(|view| Ok((view.accounts()?, view.directory_groups()?))).await?;
        this.people.bring(accounts, &[]);
        if let Some(ldap) = &this.ldap {
            ldap.remember(&this.people.all(), &groups).await;
        }
        Ok(this)
    }

    /// Somebody by name, without regard to case.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Account>> {
        self.people.by_name(&name.to_lowercase())
    }

    /// Somebody by id.
    pub(crate) fn by_id(&self, id: AccountId) -> Option<Arc<Account>> {
        self.people.by_id(id)
    }

    /// The one person with this mail address, without regard to case; nobody, where several share it.
    pub(crate) fn find_by_mail(&self, address: &str) -> Option<Arc<Account>> {
        let is_theirs = |account: &Arc<Account>| {
            account.mail.as_deref().is_some_and(|mail| mail.eq_ignore_ascii_case(address))
        };
        let mut found = self.people.all().into_iter().filter(is_theirs);
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }

    /// Who is in a group, by its name as accounts have it.
    pub(crate) fn members_of(&self, group: &str) -> Vec<AccountId> {
        self.people.members_of(group)
    }

    /// Everybody, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Account>> {
        let mut all = self.people.all();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.people.count()
    }

    /// The principal that an account acts as.
    pub(crate) fn principal(account: &Account) -> Principal {
        Principal::Account(Actor {
            id: account.id,
            name: account.name.as_str().into(),
            groups: account.groups.as_slice().into(),
        })
    }

    /// Adds an account to the built-in directory.
    pub(crate) async fn add(
        &self,
        who: &Principal,
        new: NewAccount,
        now: Timestamp,
    ) -> Result<Arc<Account>, Refused> {
        let name = new.name.trim().to_lowercase();
        check_new(&name, &new)?;
        if self.find(&name).is_some() {
            return Err(Refused::Exists(name));
        }
        let phc = match new.password {
            Some(password) => Some(secret::hash_password(password).await?),
            None => None,
        };
        let draft = AccountDraft {
            id: AccountId::new(now),
            display: new.display.filter(|display| !display.trim().is_empty()).unwrap_or_else(|| name.clone()),
            name: name.clone(),
            mail: new.mail.filter(|mail| !mail.trim().is_empty()),
            source: Source::Builtin,
            groups: Vec::new(),
            directory_disabled: None,
            entry: None,
            written: None,
        };
        let id = draft.id;
        let deed = Deed::new(who, "account.add", &name);
        let add = move |tx: &mut Tx| {
            tx.add_account(&draft, now)?;
            if let Some(phc) = &phc {
                tx.set_password(draft.id, phc)?;
            }
            tx.remember(deed, now)
        };
        self.change(add, id).await?;
        self.find(&name).ok_or(Refused::NotFound(name))
    }

    /// Gives a built-in account a new password.
    pub(crate) async fn set_password(
        &self,
        who: &Principal,
        name: &str,
        password: Zeroizing<String>,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let account = self.builtin(name)?;
        check_password(&password)?;
        let phc = secret::hash_password(password).await?;
        let deed = Deed::new(who, "account.set-password", &account.name);
        let id = account.id;
        let set = move |tx: &mut Tx| tx.set_password(id, &phc).and_then(|()| tx.remember(deed, now));
        Ok(self.change(set, id).await?)
    }

    /// Disables an account: its sessions end at once.
    pub(crate) async fn disable(
        &self,
        who: &Principal,
        name: &str,
        now: Timestamp,
    ) -> Result<Arc<Account>, Refused> {
        let account = self.set_disabled(who, name, true, now).await?;
        self.cut_off(account.id);
        Ok(account)
    }

    /// Takes back an admin's disabling; what the directory says of the person still holds.
    pub(crate) async fn enable(
        &self,
        who: &Principal,
        name: &str,
        now: Timestamp,
    ) -> Result<Arc<Account>, Refused> {
        self.set_disabled(who, name, false, now).await
    }

    /// Removes an account of the built-in directory.
    pub(crate) async fn remove(
        &self,
        who: &Principal,
        name: &str,
        now: Timestamp,
    ) -> Result<Arc<Account>, Refused> {
        let account = self.builtin(name)?;
        let (id, deed) = (account.id, Deed::new(who, "account.remove", &account.name));
        let remove = move |tx: &mut Tx| {
            tx.remove_account(id, now)?;
            tx.remove_keys_of(id)?;
            tx.remember(deed, now)
        };
        self.change(remove, id).await?;
        self.cut_off(account.id);
        Ok(account)
    }

    /// Asks LDAP for everybody now; `None` when the directory is built in. `release` is the change that an admin has
    /// seen held, and lets through.
    pub(crate) async fn sync(
        &self,
        who: &Principal,
        release: Option<&str>,
        now: Timestamp,
    ) -> Option<Result<SyncReport, SyncError>> {
        let ldap = self.ldap.clone()?;
        Some(ldap.sync(self, who, release, now).await)
    }

    /// What [`Directory::sync`] would do, by other servers or settings where they are given; `None` when there are neither
    /// and the directory is built in.
    pub(crate) async fn preview(
        &self,
        other: Option<Connector>,
        now: Timestamp,
    ) -> Option<Result<Preview, SyncError>> {
        match (&self.ldap, other) {
            (Some(ldap), other) => Some(ldap.preview(self, other.as_ref(), now).await),
            (None, Some(connector)) => Some(Preview::of_the_first(&connector, &self.people, now).await),
            (None, None) => None,
        }
    }

    /// The LDAP side, when there is one.
    pub(crate) fn ldap(&self) -> Option<&Ldap> {
        self.ldap.as_deref()
    }

    /// Ends every live session of an account with "administrative action".
    fn cut_off(&self, id: AccountId) {
        let ended = self.broker.end(Reason::AdministrativeAction, |session| session.account == id);
        tracing::info!(account.id = %id, sessions = ended, "an account was cut off");
    }

    async fn set_disabled(
        &self,
        who: &Principal,
        name: &str,
        disabled: bool,
        now: Timestamp,
    ) -> Result<Arc<Account>, Refused> {
        let account = self.find(name).ok_or_else(|| Refused::NotFound(name.into()))?;
        let verb = if disabled { "account.disable" } else { "account.enable" };
        let (id, deed) = (account.id, Deed::new(who, verb, &account.name));
        let set =
            move |tx: &mut Tx| tx.set_admin_disabled(id, disabled).and_then(|()| tx.remember(deed, now));
        self.change(set, id).await?;
        self.by_id(id).ok_or_else(|| Refused::NotFound(name.into()))
    }

    fn builtin(&self, name: &str) -> Result<Arc<Account>, Refused> {
        let account = self.find(name).ok_or_else(|| Refused::NotFound(name.into()))?;
        match account.source {
            Source::Builtin => Ok(account),
            Source::Ldap => Err(Refused::ReadOnly(account.name.clone())),
        }
    }

    /// Writes about somebody.
    async fn change(
        &self,
        work: impl FnOnce(&mut Tx) -> Result<(), StoreError> + Send + 'static,
        about: AccountId,
    ) -> Result<(), StoreError> {
        let work = move |tx: &mut Tx| {
            work(tx)?;
            tx.account(about)
        };
        let bring = |account: Option<Account>| {
            let gone = if account.is_some() { &[][..] } else { &[about] };
            drop(self.people.bring(account.map(Arc::new), gone));
        };
        self.turn(work, bring).await
    }

    /// Writes, then brings what is known of people in memory up to date by what was written.
    async fn turn<T: Send + 'static, U>(
        &self,
        work: impl FnOnce(&mut Tx) -> Result<T, StoreError> + Send + 'static,
        bring: impl FnOnce(T) -> U,
    ) -> Result<U, StoreError> {
        let _one = self.changing.lock().await;
        let brought = bring(self.store.write(work).await?);
        self.version.fetch_add(1, Ordering::Release);
        self.turned.notify_one();
        // Rights follow the directory: whatever was compiled from it is compiled again.
        self.broker.turn_rights();
        Ok(brought)
    }
}

/// Names that the house speaks of otherwise, or writes under.
fn is_reserved(name: &str) -> bool {
    name == "guest" || name == HOUSE
}

fn check_new(name: &str, new: &NewAccount) -> Result<(), Refused> {
    let sound = (1..=64).contains(&name.chars().count())
        && !name.chars().any(|c| c.is_control() || c.is_whitespace())
        && !is_reserved(name);
    if !sound {
        return Err(Refused::BadName(name.into()));
    }
    if let Some(mail) = new.mail.as_deref().filter(|mail| !mail.trim().is_empty()) {
        check_mail(mail)?;
    }
    new.password.as_ref().map_or(Ok(()), check_password)
}

/// Only what would break a header or a command; whether the address exists, the relay will say.
fn check_mail(mail: &str) -> Result<(), Refused> {
    let sound = mail.len() <= 254
        && !mail.chars().any(|c| c.is_control() || c.is_whitespace() || "<>,;\"".contains(c))
        && mail.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    if sound { Ok(()) } else { Err(Refused::BadMail(mail.into())) }
}

fn check_password(password: &Zeroizing<String>) -> Result<(), Refused> {
    match password.chars().count() < PASSWORD_MIN {
        true => Err(Refused::ShortPassword(PASSWORD_MIN)),
        false => Ok(()),
    }
}
