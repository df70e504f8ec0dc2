//! Taking back: the ledger first, then whoever relies on it.

use chancery_ca as ca;
use serde_json::json;

use super::rules::{Act, authorize};
use super::status::Gone;
use super::{Enrollment, Failure, Refused, canonical};
use crate::audit::Deed;
use crate::mqtt::Reason;
use crate::principal::Principal;
use crate::store::{Certificate, CertificateState, StoreError, Tx};
use crate::time::Timestamp;

impl Enrollment {
    /// Takes a certificate back: ledger and audit in one unit of work, then the handshakes, the live sessions and the
    /// list. Says how many sessions ended.
    pub(crate) async fn revoke(
        &self,
        who: &Principal,
        serial: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<usize, Refused> {
        let serial = canonical(serial)?;
        let reason: ca::Reason = reason.parse().map_err(Refused::Word)?;
        let line = self.show(&serial).await?.ok_or_else(|| Refused::NoCertificate(serial.clone()));
        let line = self.audited(who, "certificate.revoke", &serial, line, now).await?;
        let outcome = authorize(who, Act::TakeBack(line.account));
        self.audited(who, "certificate.revoke", &serial, outcome, now).await?;

        let actor = who.clone();
        let take_back = move |tx: &mut Tx| match take_back(tx, &actor, &line, reason, now)? {
            true => Ok(vec![line]),
            false => Err(Refused::AlreadyRevoked(line.serial)),
        };
        let done = self.carry_out(take_back, reason, now).await;
        self.audited(who, "certificate.revoke", &serial, done, now).await
    }

    /// Takes back whatever still stands of accounts that may not act any more. It is asked after every change of people,
    /// and finds by itself whose certificates are meant, so what a crash left undone is done the next time. Says how
    /// many sessions ended.
    pub(crate) async fn part_with_leavers(&self, who: &Principal, now: Timestamp) -> Result<usize, Refused> {
        let left = self.store.read(move |view| view.left_standing(now)).await?;
        let (gone, disabled): (Vec<_>, Vec<_>) = left.into_iter().partition(|(_, gone)| *gone);
        let mut ended = 0;
        for (lines, reason) in
            [(gone, ca::Reason::CessationOfOperation), (disabled, ca::Reason::AffiliationChanged)]
        {
            for some in lines.chunks(AT_ONCE) {
                let (actor, some) = (who.clone(), some.to_vec());
                let take_back_all = move |tx: &mut Tx| -> Result<Vec<Certificate>, Refused> {
                    let mut taken = Vec::new();
                    for (line, _) in some {
                        if take_back(tx, &actor, &line, reason, now)? {
                            taken.push(line);
                        }
                    }
                    Ok(taken)
                };
                ended += self.carry_out(take_back_all, reason, now).await?;
            }
        }
        Ok(ended)
    }

    /// The ledger, and then everybody who relies on it. It is brought to its end even when whoever asked hangs up in
    /// between: sessions would go on whose certificate is gone.
    async fn carry_out<F>(&self, take_back: F, reason: ca::Reason, now: Timestamp) -> Result<usize, Refused>
    where
        F: FnOnce(&mut Tx) -> Result<Vec<Certificate>, Refused> + Send + 'static,
    {
        let own = self.clone();
        let done = async move {
            let taken = own.store.write(take_back).await?;
            Ok(if taken.is_empty() { 0 } else { own.cut_off(taken, reason, now).await })
        };
        tokio::spawn(done).await.map_err(|_| Failure::Stopped)?
    }

    /// The ledger has committed. Handshakes first, so that nobody who is cut off comes back; then the sessions, whose
    /// end must not wait for a signature; then the list, for the others.
    async fn cut_off(&self, taken: Vec<Certificate>, reason: ca::Reason, now: Timestamp) -> usize {
        let gone =
            |line: &Certificate| Gone { issuer: line.issuer, at: now, reason, not_after: line.not_after };
        self.revoked.add(taken.iter().map(|line| (line.serial.clone(), gone(line))));
        if taken.iter().any(|line| line.profile == ca::Profile::MailEncryption.name()) {
            self.mail_certificates_changed();
        }
        let serials: Vec<_> = taken.into_iter().map(|line| line.serial).collect();
        self.desk.forget(&serials);
        let shown = |serial: &Option<String>| serial.as_ref().is_some_and(|serial| serials.contains(serial));
        let ended = self.broker.end(Reason::AdministrativeAction, |session| {
            session.live(|live| shown(&live.serial)).unwrap_or(false)
        });
        tracing::info!(certificates = serials.len(), sessions = ended, "certificates were revoked");
        if let Err(error) = self.lists.follow(now).await {
            tracing::error!(%error, "the CRL could not follow a revocation; it is tried again");
        }
        self.tell(now);
        ended
    }
}

/// `false` when it was revoked before.
fn take_back(
    tx: &mut Tx,
    who: &Principal,
    line: &Certificate,
    reason: ca::Reason,
    now: Timestamp,
) -> Result<bool, StoreError> {
    if line.state == CertificateState::Revoked || !tx.revoke_certificate(&line.serial, reason.name(), now)? {
        return Ok(false);
    }
    let facts = json!({ "serial": line.serial, "reason": reason.name(), "account": line.name });
    tx.remember(Deed::new(who, "certificate.revoke", &line.serial).with(facts), now)?;
    Ok(true)
}

/// How many are taken back in one unit of work: others wait for the writer too.
const AT_ONCE: usize = 500;
