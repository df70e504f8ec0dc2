//! Status: whether a certificate that somebody shows still stands.
//!
//! Asked while hands are shaken, where nothing may wait, and again at each CONNECT. The ledger's line about a
//! certificate changes in one way only, by revocation, and the index hears of that before any session is ended; so a
//! line that was read once need not be read again.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use chancery_ca as ca;
use uuid::Uuid;

use super::{Enrollment, Failure};
use crate::id::AccountId;
use crate::store::{Certificate, CertificateState, RevokedLine, Store, StoreError};
use crate::time::Timestamp;

/// A certificate shown at a door: chain and key were proven in the handshake, its status was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Presented {
    /// Upper-case hex.
    pub(crate) serial: String,
    /// Whose it says it is.
    pub(crate) account: AccountId,
    /// When it is best renewed.
    pub(crate) renewal: (Timestamp, Timestamp),
}

/// The time in which a certificate is best renewed: between two thirds and five sixths of its life, so that a client
/// that is off for a while still has time. Whoever draws a moment in it spares the house a rush.
pub(super) fn renewal_window(not_before: Timestamp, not_after: Timestamp) -> (Timestamp, Timestamp) {
    let life = not_after.since(not_before);
    (not_before.after(life * 2 / 3), not_before.after(life * 5 / 6))
}

/// Why a certificate is not accepted any more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StatusRefused {
    #[error("the certificate was revoked: enroll again with a new key")]
    Revoked,
    #[error("the certificate is not in the ledger of this house: enroll here")]
    Unknown,
    #[error("the certificate has expired: enroll again")]
    Expired,
    #[error("the ledger has this certificate for somebody else")]
    WrongAccount,
    /// The ledger could not be asked, and what cannot be asked is not let in.
    #[error("the ledger cannot be asked: {0}")]
    Unanswered(#[from] StoreError),
}

impl Enrollment {
    /// Who shows a certificate: `None` when it is not of this authority or names no account. To be asked only about a
    /// certificate whose chain was proven to end at this authority.
    pub(crate) fn identify(&self, leaf_der: &[u8]) -> Option<Presented> {
        let (leaf, issuers) = (ca::Certificate::parse(leaf_der).ok()?, self.authority.issuers());
        let issuer = issuers.of(&leaf)?.number;
        let account = Uuid::parse_str(&leaf.account_uuid()?).ok()?;
        let renewal = issuers.renewal_window(issuer, (leaf.not_before.into(), leaf.not_after.into()));
        Some(Presented { serial: leaf.serial?.to_string(), account: account.into(), renewal })
    }

    /// Whose a certificate is that signed something, by the ledger: its chain is proven here, its status is not.
    pub(super) async fn holder(&self, certificate: &ca::Certificate) -> Result<Presented, StatusRefused> {
        let issuers = self.authority.issuers();
        let serial = certificate
            .serial
            .filter(|_| issuers.of(certificate).is_some_and(|issuer| issuer.has_issued(certificate)));
        let line = match serial {
            Some(serial) => self.show(&serial.to_string()).await?,
            None => None,
        };
        let line = line.ok_or(StatusRefused::Unknown)?;
        let account = line.account.ok_or(StatusRefused::WrongAccount)?;
        let renewal = issuers.renewal_window(line.issuer, (line.not_before, line.not_after));
        Ok(Presented { serial: line.serial, account, renewal })
    }

    /// Whether a serial was revoked, from memory: for handshakes.
    pub(crate) fn is_revoked(&self, serial: &str) -> bool {
        self.revoked.contains(serial)
    }

    /// Asks the ledger whether a certificate still stands: at each CONNECT, and again once its session lives.
    pub(crate) async fn status(&self, presented: &Presented, now: Timestamp) -> Result<(), StatusRefused> {
        if self.revoked.contains(&presented.serial) {
            return Err(StatusRefused::Revoked);
        }
        if self.revoked.has_seen(presented, now) {
            return Ok(());
        }
        let serial = presented.serial.clone();
        let line = self.store.read(move |view| view.certificate(&serial)).await?;
        judge(line.as_ref(), presented.account, now)?;
        if let Some(line) = line {
            self.revoked.note(&line.serial, line.account, line.not_after);
        }
        Ok(())
    }
}

/// What the ledger's line about a certificate says to the one who shows it. An intended certificate counts as issued:
/// after a crash nobody knows whether it was signed.
pub(super) fn judge(
    line: Option<&Certificate>,
    account: AccountId,
    now: Timestamp,
) -> Result<(), StatusRefused> {
    let line = line.ok_or(StatusRefused::Unknown)?;
    if line.account != Some(account) {
        return Err(StatusRefused::WrongAccount);
    }
    match line.state {
        CertificateState::Revoked => Err(StatusRefused::Revoked),
        CertificateState::Intended | CertificateState::Active if now > line.not_after => {
            Err(StatusRefused::Expired)
        }
        CertificateState::Intended | CertificateState::Active => Ok(()),
    }
}

/// The ledger's answers in memory: the serials that were revoked and have not expired, and what was read of others.
pub(super) struct Index {
    /// One for each shard. They only grow while the house runs: some 64 bytes for each.
    revoked: [RwLock<Taken>; ca::Shard::COUNT],
    /// Whose the certificates are, `None` being the house, and how long they last.
    seen: RwLock<HashMap<String, (Option<AccountId>, Timestamp)>>,
}

/// What was taken back of one shard, by the number of the issuing CA.
type Taken = HashMap<u32, HashMap<String, Gone>>;

/// When a certificate was taken back, and why.
#[derive(Clone, Copy)]
pub(super) struct Gone {
    /// The number of the issuing CA on whose list it is.
    pub(super) issuer: u32,
    pub(super) at: Timestamp,
    pub(super) reason: ca::Reason,
    /// Last second of validity: until when it belongs on a list.
    pub(super) not_after: Timestamp,
}

/// How many lines are remembered; beyond it the memory begins anew.
const SEEN: usize = 100_000;

impl Index {
    /// Reads everything revoked that was still valid at a time.
    pub(super) async fn load(store: &Store, since: Timestamp) -> Result<Self, StoreError> {
        let revoked = store.read(move |view| view.revoked(since)).await?;
        let gone = |line: RevokedLine| {
            let RevokedLine { serial, issuer, at, reason, not_after } = line;
            (serial, Gone { issuer, at, reason: reason.parse().unwrap_or_default(), not_after })
        };
        let index = Self { revoked: std::array::from_fn(|_| RwLock::default()), seen: RwLock::default() };
        index.add(revoked.into_iter().map(gone));
        Ok(index)
    }

    pub(super) fn contains(&self, serial: &str) -> bool {
        self.gone(serial).is_some()
    }

    pub(super) fn gone(&self, serial: &str) -> Option<Gone> {
        let taken = read(self.shelf(serial));
        taken.values().find_map(|of_issuer| of_issuer.get(serial)).copied()
    }

    pub(super) fn add(&self, lines: impl IntoIterator<Item = (String, Gone)>) {
        for (serial, gone) in lines {
            let mut taken = self.shelf(&serial).write().unwrap_or_else(PoisonError::into_inner);
            taken.entry(gone.issuer).or_default().insert(serial, gone);
        }
    }

    /// Everything of an issuing CA that was revoked and still valid at a time, in the order of the serials, so that two
    /// lists differ only in what changed.
    pub(super) fn list(&self, issuer: u32, since: Timestamp) -> Result<Vec<ca::Revoked>, Failure> {
        let mut lines = Vec::new();
        for shelf in &self.revoked {
            lines.extend(belonging(&read(shelf), issuer, since)?);
        }
        lines.sort_unstable_by_key(|line| line.serial);
        Ok(lines)
    }

    /// The same of one shard, and how many revocations of it are known.
    pub(super) fn shard(
        &self,
        issuer: u32,
        shard: ca::Shard,
        since: Timestamp,
    ) -> Result<(usize, Vec<ca::Revoked>), Failure> {
        let taken = read(&self.revoked[shard.index()]);
        let mut lines = belonging(&taken, issuer, since)?;
        lines.sort_unstable_by_key(|line| line.serial);
        Ok((taken.get(&issuer).map_or(0, HashMap::len), lines))
    }

    /// How many revocations of a shard are known. It grows with each, whatever ends meanwhile.
    pub(super) fn count(&self, issuer: u32, shard: ca::Shard) -> usize {
        read(&self.revoked[shard.index()]).get(&issuer).map_or(0, HashMap::len)
    }

    fn shelf(&self, serial: &str) -> &RwLock<Taken> {
        // What cannot be read is on the first shelf, of which no list is signed then.
        &self.revoked[serial.parse().map_or(0, |serial| ca::Shard::of(serial).index())]
    }

    /// Whether the ledger had a line of this serial, and it has not expired.
    pub(super) fn stands(&self, serial: &str, now: Timestamp) -> bool {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        seen.get(serial).is_some_and(|(_, until)| now <= *until)
    }

    /// The same, and it is this account's.
    fn has_seen(&self, shown: &Presented, now: Timestamp) -> bool {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        seen.get(&shown.serial)
            .is_some_and(|(account, until)| *account == Some(shown.account) && now <= *until)
    }

    pub(super) fn note(&self, serial: &str, account: Option<AccountId>, until: Timestamp) {
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= SEEN {
            seen.clear();
        }
        seen.insert(serial.to_owned(), (account, until));
    }
}

fn read(shelf: &RwLock<Taken>) -> RwLockReadGuard<'_, Taken> {
    shelf.read().unwrap_or_else(PoisonError::into_inner)
}

fn belonging(taken: &Taken, issuer: u32, since: Timestamp) -> Result<Vec<ca::Revoked>, Failure> {
    let taken = taken.get(&issuer).into_iter().flatten();
    taken.filter(|(_, gone)| gone.not_after > since).map(line).collect()
}

fn line((serial, gone): (&String, &Gone)) -> Result<ca::Revoked, Failure> {
    // A serial that cannot be read must not silently be missing from a list.
    let serial = serial.parse().map_err(|_| Failure::Ledger(serial.clone()))?;
    Ok(ca::Revoked { serial, at: gone.at.to_offset(), reason: gone.reason })
}
