//! Certifying: the serial is accounted for, the key signs, the ledger notes what was signed.

use chancery_ca as ca;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::authority::{LAG, Order};
use super::ground::Ground;
use super::rules::{key_is_free, may_act};
use super::{Enrollment, Refused, log, said};
use crate::audit::Deed;
use crate::id::AccountId;
use crate::metrics::METRICS;
use crate::principal::Principal;
use crate::store::{NewCertificate, Tx};
use crate::time::Timestamp;

/// No certificate is given by a clock that has gone back behind what was done before: it would end, and leave the lists
/// of revoked ones, at another time than it says. Five minutes are what certificates begin earlier anyway. The house's
/// own are made all the same, so that it can be asked to go on.
fn check_clock(account: Option<AccountId>, latest: Option<Timestamp>, now: Timestamp) -> Result<(), Refused> {
    match latest.filter(|latest| account.is_some() && latest.since(now) > LAG) {
        Some(latest) => Err(Refused::ClockBack { now, latest }),
        None => Ok(()),
    }
}

/// A certificate that was decided on.
pub(super) struct Certify {
    pub(super) deed: &'static str,
    /// `None` is the house itself.
    pub(super) account: Option<AccountId>,
    pub(super) name: String,
    pub(super) order: Order,
    /// Further facts for the audit.
    pub(super) facts: serde_json::Value,
    pub(super) ground: Ground,
}

impl Enrollment {
    /// Accounts for a serial and audits the intent, signs, and notes what was signed. A crash in between leaves an
    /// intended line, which counts as issued and can be revoked.
    pub(super) async fn certify(
        &self,
        who: &Principal,
        certify: Certify,
        now: Timestamp,
    ) -> Result<ca::Issued, Refused> {
        let Certify { deed, account, name, order, facts, ground } = certify;
        let (not_before, not_after) = self.authority.life(&order.issuer, order.validity, now)?;
        let serial = ca::Serial::random()?;
        let (line, profile) = (serial.to_string(), order.profile.name());
        let spki = Sha256::digest(order.key.spki_der()).into();
        let new = NewCertificate {
            serial: line.clone(),
            account,
            name: name.clone(),
            profile,
            issuer: order.issuer.number,
            spki,
            not_before,
            not_after,
        };
        let intent = Deed::new(who, deed, &name).with(json!({
            "serial": line, "profile": profile, "not_after": not_after, "request": facts,
        }));
        let intend = move |tx: &mut Tx| -> Result<(), Refused> {
            check_clock(account, tx.latest_deed()?, now)?;
            ground.holds(tx, now)?;
            key_is_free(&tx.key_used_by(&new.spki)?, account)?;
            tx.intend_certificate(&new, now)?;
            ground.settle(tx, &new.serial, now)?;
            Ok(tx.remember(intent, now)?)
        };
        self.store.write(intend).await?;
        let signed = self.sign(who, account, &name, order, serial, now).await;
        METRICS.certificates_issued.add(u64::from(signed.is_ok()));
        if signed.is_err() {
            METRICS.certificates_failed.add(1);
            // A request that waited for this serial waits for another.
            self.store.write(move |tx| tx.reopen_pending(Some(&line))).await?;
        }
        signed
    }

    /// The second half, once the serial is accounted for.
    async fn sign(
        &self,
        who: &Principal,
        account: Option<AccountId>,
        name: &str,
        order: Order,
        serial: ca::Serial,
        now: Timestamp,
    ) -> Result<ca::Issued, Refused> {
        // Whoever was disabled meanwhile is refused here; whoever is disabled later is revoked with this line.
        if let Some(id) = account {
            may_act(&*self.directory.by_id(id).ok_or(Refused::Gone)?)?;
        }

        let for_mail = order.profile == ca::Profile::MailEncryption;
        let issued = self.authority.sign(order, serial, now).await?;

        let (line, der, names) =
            (issued.serial.to_string(), issued.der.clone(), said::lines(issued.names.clone()));
        let signed = Deed::new(who, "certificate.issue", name)
            .with(json!({ "serial": line, "fingerprint": issued.fingerprint }));
        let leaf = log::leaf_hash(&der);
        let grow = move |tx: &mut Tx| log::Growth::by(tx, leaf);
        let note = move |tx: &mut Tx, growth: log::Growth| {
            let place = growth.write(tx)?;
            tx.activate_certificate(&line, &der, &names, place)?;
            tx.remember(signed, now)
        };
        self.store.write_decided(grow, note).await?;
        if for_mail {
            self.mail_certificates_changed();
        }
        Ok(issued)
    }
}
