//! People served onward: the snapshot that mail clients search, with names, addresses and certificates.
//!
//! It is made for all who ask, beside the threads that serve, and anew when people or certificates have changed: not
//! more often than every few seconds, and for a tenth of the time at most. Whoever asks meanwhile gets the one before,
//! unless that is twice as old as it should be. Certificates are enrollment's, which stands above; it hands them in.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use chancery_ldap::serve::{Allowed, Card, Tree};
pub(crate) use chancery_ldap::serve::{
    Conversation, Directory as Snapshot, Identity, Limits, Login, Next, Question, Verdict,
};
use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, OwnedMutexGuard};
use uuid::Uuid;

use super::Directory;
use crate::id::AccountId;
use crate::store::{Account, StoreError};
use crate::time::{self, Timestamp};

/// How long a snapshot is good enough at least.
const PAUSE: Duration = Duration::from_secs(5);
/// How many times longer than it took to make.
const REST: u32 = 10;

/// Where people stand among all directories, and what of them is served.
#[derive(Clone, Debug)]
pub(crate) struct Extent {
    tree: Tree,
    allowed: Allowed,
}

/// The certificates by which mail to people is encrypted, as of one moment.
#[derive(Debug, Default)]
pub(crate) struct MailCertificates {
    /// In DER.
    pub(crate) of: HashMap<AccountId, Arc<[u8]>>,
    /// When the first of them ends.
    pub(crate) until: Option<Timestamp>,
}

/// Cheap handle on the snapshot.
#[derive(Clone)]
pub(crate) struct Served(Arc<Inner>);

struct Inner {
    directory: Directory,
    extent: Extent,
    certificates: Box<Ask>,
    /// For those who have not signed in.
    nobody: Snapshot,
    made: ArcSwapOption<Made>,
    making: Arc<Mutex<()>>,
}

type Ask = dyn Fn() -> BoxFuture<'static, Result<MailCertificates, StoreError>> + Send + Sync;

struct Made {
    snapshot: Snapshot,
    /// Of people and certificates, when they were looked at.
    version: u64,
    until: Option<Timestamp>,
    began: Instant,
    took: Duration,
}

/// What a snapshot is worth now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Worth {
    Good,
    /// To be used while the next one is made.
    Worn,
    Gone,
}

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotMade {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("it was not brought to its end")]
    Stopped,
}

impl Extent {
    /// From a suffix such as `dc=corp,dc=example`, or the one of a domain; and names of attributes. What is wrong is told
    /// with the key that it is about.
    pub(crate) fn new(
        suffix: Option<&str>,
        domain: &str,
        attributes: &[String],
    ) -> Result<Self, Vec<String>> {
        let of_domain = || domain.split('.').map(|label| format!("dc={label}")).collect::<Vec<_>>().join(",");
        let tree = Tree::new(&suffix.map_or_else(of_domain, str::to_owned));
        let allowed = Allowed::parse(attributes.iter().map(String::as_str));
        match (tree, allowed) {
            (Ok(tree), Ok(allowed)) => Ok(Self { tree, allowed }),
            (tree, allowed) => {
                let tree = tree.err().map(|what| format!("suffix: {what}"));
                let allowed = allowed.err().map(|what| format!("attributes: {what}"));
                Err(tree.into_iter().chain(allowed).collect())
            }
        }
    }

    fn snapshot(
        &self,
        people: Vec<Arc<Account>>,
        mut certificates: HashMap<AccountId, Arc<[u8]>>,
    ) -> Snapshot {
        let active = people.iter().filter(|account| account.disabled().is_none());
        let cards = active.map(|account| card(account, certificates.remove(&account.id)));
        Snapshot::new(&self.tree, self.allowed, cards)
    }
}

impl Served {
    /// Nothing is made before somebody asks who may. `certificates` looks them up as they are then.
    pub(crate) fn new<F>(directory: &Directory, extent: Extent, certificates: F) -> Self
    where
        F: Fn() -> BoxFuture<'static, Result<MailCertificates, StoreError>> + Send + Sync + 'static,
    {
        Self(Arc::new(Inner {
            directory: directory.clone(),
            nobody: extent.snapshot(Vec::new(), HashMap::new()),
            extent,
            certificates: Box::new(certificates),
            made: ArcSwapOption::empty(),
            making: Arc::default(),
        }))
    }

    /// What those see who have not signed in: what the server is, and no people.
    pub(crate) fn nobody(&self) -> Snapshot {
        self.0.nobody.clone()
    }

    /// Everybody who may act, as of a few seconds ago or later.
    pub(crate) async fn people(&self) -> Result<Snapshot, NotMade> {
        match self.made() {
            Some((snapshot, Worth::Good)) => return Ok(snapshot),
            Some((snapshot, Worth::Worn)) => {
                if let Ok(turn) = self.0.making.clone().try_lock_owned() {
                    tokio::spawn(self.clone().make(turn));
                }
                return Ok(snapshot);
            }
            _ => {}
        }
        let turn = self.0.making.clone().lock_owned().await;
        match self.made() {
            Some((snapshot, worth)) if worth != Worth::Gone => Ok(snapshot),
            // In a task of its own: whoever hangs up meanwhile does not begin it in vain.
            _ => tokio::spawn(self.clone().make(turn)).await.map_err(|_| NotMade::Stopped)?,
        }
    }

    fn made(&self) -> Option<(Snapshot, Worth)> {
        let made = self.0.made.load_full()?;
        let worth = made.worth(self.0.directory.version(), time::now(), time::monotonic());
        Some((made.snapshot.clone(), worth))
    }

    async fn make(self, _turn: OwnedMutexGuard<()>) -> Result<Snapshot, NotMade> {
        let made = self.look().await;
        match &made {
            Ok(made) => {
                let people = made.snapshot.people();
                tracing::debug!(
                    people,
                    duration_ms = made.took.as_millis(),
                    "people are served as they are now"
                );
                let before = self.0.made.swap(Some(made.clone()));
                // To take a large one apart takes a moment too.
                tokio::task::spawn_blocking(move || drop(before));
            }
            Err(error) => tracing::error!(%error, "people could not be looked up for those who search them"),
        }
        Ok(made?.snapshot.clone())
    }

    async fn look(&self) -> Result<Arc<Made>, NotMade> {
        // Whatever changes from here on makes it old.
        let (version, began) = (self.0.directory.version(), time::monotonic());
        let MailCertificates { of, until } = (self.0.certificates)().await?;
        let inner = self.0.clone();
        let snapshot = move || inner.extent.snapshot(inner.directory.people.all(), of);
        let snapshot = tokio::task::spawn_blocking(snapshot).await.map_err(|_| NotMade::Stopped)?;
        let took = time::monotonic() - began;
        Ok(Arc::new(Made { snapshot, version, until, began, took }))
    }
}

impl Made {
    fn worth(&self, version: u64, now: Timestamp, instant: Instant) -> Worth {
        let pause = PAUSE.max(self.took * REST);
        let age = instant.saturating_duration_since(self.began);
        let is_true = version == self.version && self.until.is_none_or(|until| now < until);
        match is_true || age < pause {
            true => Worth::Good,
            false if age < pause * 2 => Worth::Worn,
            false => Worth::Gone,
        }
    }
}

impl Directory {
    /// Another certificate than before may be that by which mail to somebody is encrypted.
    pub(crate) fn certificates_changed(&self) {
        self.version.fetch_add(1, Ordering::Release);
    }

    /// How often people or their certificates have changed.
    fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }
}

/// What an account says of its owner.
fn card(account: &Account, certificate: Option<Arc<[u8]>>) -> Card {
    let known = account.card();
    Card {
        uid: account.name.clone(),
        cn: account.display.clone(),
        display_name: Some(account.display.clone()),
        mail: account.mail.iter().cloned().collect(),
        title: known.title.map(Into::into),
        telephone_number: known.phone.map(Into::into),
        user_certificate: certificate.into_iter().collect(),
        entry_uuid: Uuid::from_bytes(account.id.to_bytes()),
        ..Card::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_suffix_is_the_domain_unless_somebody_says_otherwise() {
        let suffix = |given| Extent::new(given, "mq.corp.example", &[]).unwrap().tree.suffix().to_owned();
        assert_eq!(suffix(None), "dc=mq,dc=corp,dc=example");
        assert_eq!(suffix(Some("o=Corp")), "o=Corp");
    }

    #[test]
    fn what_cannot_be_served_is_told_with_its_key() {
        let problems =
            Extent::new(Some("corp"), "corp.example", &names(&["mail", "userPassword"])).unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(
            problems[0].starts_with("suffix: ") && problems[1].starts_with("attributes: \"userPassword\"")
        );
    }

    #[test]
    fn a_snapshot_is_made_anew_after_a_change_and_a_pause() {
        let (now, began) = (Timestamp::from_micros(1_000_000), time::monotonic());
        let snapshot = Extent::new(None, "corp.example", &[]).unwrap().snapshot(Vec::new(), HashMap::new());
        let mut made = Made { snapshot, version: 7, until: None, began, took: Duration::ZERO };
        let after = |made: &Made, version, seconds| {
            let by = Duration::from_secs(seconds);
            made.worth(version, now.after(by), began + by)
        };
        assert_eq!(after(&made, 7, 3600), Worth::Good);
        assert_eq!(after(&made, 8, 4), Worth::Good);
        assert_eq!(after(&made, 8, 5), Worth::Worn);
        assert_eq!(after(&made, 8, 10), Worth::Gone);
        // Time alone ends a certificate.
        made.until = Some(now.after(Duration::from_secs(60)));
        assert_eq!((after(&made, 7, 59), after(&made, 7, 60)), (Worth::Good, Worth::Gone));
        // What takes long to make is made less often.
        made.took = Duration::from_secs(2);
        assert_eq!(
            [19, 20, 39, 40].map(|seconds| after(&made, 8, seconds)),
            [Worth::Good, Worth::Worn, Worth::Worn, Worth::Gone]
        );
    }
}
