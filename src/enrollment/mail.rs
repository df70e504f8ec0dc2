//! Certificates for mail: found by whoever encrypts to a person, and brought into the directory for everybody's mail
//! programs.
//!
//! The directory follows the ledger. Nothing is queued: what should stand there is compared with what was written, after
//! each change and now and then, so that a directory that was away catches up, and a certificate that has merely ended
//! goes as one that was revoked does.

use std::collections::HashMap;
use std::sync::Arc;

use chancery_ca as ca;
use serde_json::json;

use super::Enrollment;
use crate::audit::Deed;
use crate::directory::served::MailCertificates;
use crate::directory::{Directory, NotPublished};
use crate::id::AccountId;
use crate::principal::Principal;
use crate::store::{Account, Certificate, MailLine, Published, Source, StoreError, Tx, View};
use crate::time::Timestamp;

/// A certificate by which others encrypt to a person.
pub(crate) struct MailCertificate {
    pub(crate) account: Arc<Account>,
    /// Upper-case hex.
    pub(crate) serial: String,
    pub(crate) der: Vec<u8>,
    /// Last second of validity.
    pub(crate) not_after: Timestamp,
}

/// What a person's entry lacks, and what it has too much.
struct Difference {
    /// The whole that should stand there.
    wanted: Option<Certificate>,
    gone: Vec<Certificate>,
}

impl Enrollment {
    /// The newest good certificate for encrypting to a person, named as an account or by mail address. None that was
    /// revoked or has ended, none for an address that is no longer the person's, none of somebody who may not act.
    pub(crate) async fn mail_certificate(
        &self,
        whose: &str,
        now: Timestamp,
    ) -> Result<Option<MailCertificate>, StoreError> {
        let account = self.directory.find(whose).or_else(|| self.directory.find_by_mail(whose));
        let Some(account) = account else { return Ok(None) };
        let asked = account.clone();
        let line = self.store.read(move |view| newest(view, &asked, now)).await?;
        let found = line.and_then(|line| Some((line.serial, line.der?, line.not_after)));
        Ok(found.map(|(serial, der, not_after)| MailCertificate { account, serial, der, not_after }))
    }

    /// The same of everybody who has one, for those whom people are served to.
    pub(crate) async fn mail_certificates(&self, now: Timestamp) -> Result<MailCertificates, StoreError> {
        let lines = self.store.read(move |view| view.all_mail_certificates(now)).await?;
        let directory = self.directory.clone();
        // Each is looked into, which takes a moment where there are many.
        let sort = move || by_owner(lines, &directory);
        tokio::task::spawn_blocking(sort).await.map_err(|_| StoreError::Closed)
    }

    /// Tells whoever shows certificates for mail that it may be other ones now.
    pub(super) fn mail_certificates_changed(&self) {
        self.directory.certificates_changed();
        self.changed.notify_one();
    }

    /// Resolves when something was issued or revoked that the directory may have to hear of.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Brings the directory to what the ledger says. What one entry refuses does not hold up the others.
    pub(crate) async fn publish(&self, now: Timestamp) -> Result<(), NotPublished> {
        if !self.directory.publishes() {
            return Ok(());
        }
        let mut refused = None;
        let accounts = self.store.read(move |view| view.accounts_to_publish(now)).await.map_err(broken)?;
        for id in accounts {
            match self.publish_one(id, now).await {
                Err(NotPublished::Entry(why)) => refused = Some(NotPublished::Entry(why)),
                done => done?,
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// Notes what will stand there, writes it, and notes what stands there: a crash in between is looked into again.
    async fn publish_one(&self, id: AccountId, now: Timestamp) -> Result<(), NotPublished> {
        let account = self.directory.by_id(id);
        let whose = account.clone();
        let found = self.store.read(move |view| difference(view, id, whose.as_deref(), now)).await;
        let Some(Difference { wanted, gone }) = found.map_err(broken)? else { return Ok(()) };
        let serial = wanted.as_ref().map(|line| line.serial.clone());
        if let Some(serial) = serial.clone() {
            self.store.write(move |tx| tx.put_published(id, &serial, false)).await.map_err(broken)?;
        }
        let name = match &account {
            Some(account) => {
                let der = |line: &Certificate| line.der.clone();
                let (wanted, old) = (wanted.as_ref().and_then(der), gone.iter().filter_map(der).collect());
                self.directory.publish(account, wanted, old, now).await?;
                account.name.clone()
            }
            // The entry is gone with the person, and what stood in it.
            None => id.to_string(),
        };
        let gone: Vec<String> = gone.into_iter().map(|line| line.serial).collect();
        let deed = Deed::new(&Principal::System, "directory.publish", &name)
            .with(json!({ "certificate": serial, "removed": gone }));
        let note = move |tx: &mut Tx| -> Result<(), StoreError> {
            serial.iter().try_for_each(|serial| tx.put_published(id, serial, true))?;
            gone.iter().try_for_each(|serial| tx.drop_published(id, serial))?;
            tx.remember(deed, now)
        };
        self.store.write(note).await.map_err(broken)?;
        tracing::info!(account.id = %id, "the directory has the person's certificate as the ledger says");
        Ok(())
    }
}

/// `None` when the directory has all as it should be.
fn difference(
    view: &mut View,
    id: AccountId,
    account: Option<&Account>,
    now: Timestamp,
) -> Result<Option<Difference>, StoreError> {
    let wanted = match account {
        Some(account) if account.source == Source::Ldap => newest(view, account, now)?,
        _ => None,
    };
    let stands = view.published(id)?;
    let is_wanted = |one: &Published| wanted.as_ref().is_some_and(|line| line.serial == one.serial);
    let lacks = wanted.is_some() && !stands.iter().any(|one| one.written && is_wanted(one));
    let old = stands.iter().filter(|one| !is_wanted(one));
    let gone = old.filter_map(|one| view.certificate(&one.serial).transpose());
    let gone = gone.collect::<Result<Vec<_>, _>>()?;
    Ok((lacks || !gone.is_empty()).then_some(Difference { wanted, gone }))
}

fn newest(view: &mut View, account: &Account, now: Timestamp) -> Result<Option<Certificate>, StoreError> {
    if account.disabled().is_some() {
        return Ok(None);
    }
    let lines = view.mail_certificates(account.id, now)?;
    Ok(lines.into_iter().find(|line| line.der.as_deref().is_some_and(|der| names(der, account))))
}

/// The newest of each person who may act.
fn by_owner(lines: Vec<MailLine>, directory: &Directory) -> MailCertificates {
    let mut newest: HashMap<AccountId, MailLine> = HashMap::new();
    for line in lines {
        let account = directory.by_id(line.account).filter(|account| account.disabled().is_none());
        let is_later = newest.get(&line.account).is_none_or(|other| other.created_at < line.created_at);
        if is_later && account.is_some_and(|account| names(&line.der, &account)) {
            newest.insert(line.account, line);
        }
    }
    let until = newest.values().map(|line| line.not_after).min();
    MailCertificates { of: newest.into_iter().map(|(id, line)| (id, line.der.into())).collect(), until }
}

/// Whether a certificate names the person's address of today. Domains are compared without regard to case, and so are
/// local parts: no house gives two people addresses that differ in nothing else.
fn names(der: &[u8], account: &Account) -> bool {
    let (Ok(certificate), Some(address)) = (ca::Certificate::parse(der), &account.mail) else { return false };
    certificate.names.iter().any(|name| match name {
        ca::Name::Mail(mail) => mail.eq_ignore_ascii_case(address),
        _ => false,
    })
}

fn broken(error: StoreError) -> NotPublished {
    NotPublished::Directory(error.to_string())
}
