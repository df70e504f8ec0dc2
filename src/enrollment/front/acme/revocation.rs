//! Revocation over ACME, and when to renew (RFC 8555 §7.6, RFC 9773).

use axum::http::StatusCode;
use ca::acme::{CertificateId, Key, Problem, ProblemType, RenewalInfo, RevokeCert, Window};
use chancery_ca as ca;

use super::{Asked, No, Reply, Said};
use crate::directory::Directory;
use crate::enrollment::{Enrollment, Refused};
use crate::store::CertificateState;
use crate::time::Timestamp;

impl Enrollment {
    /// By an account of the same owner, or by the certificate's own key.
    pub(super) async fn acme_revoke(&self, asked: &Asked) -> Result<Reply, No> {
        let (wanted, client) = match asked.jws.key() {
            Key::New(key) => {
                let wanted = RevokeCert::read(asked.jws.verify(key)?)?;
                if !wanted.is_about(key) {
                    let why = "the certificate is not for this key";
                    return Err(Problem::new(ProblemType::Unauthorized, why).into());
                }
                (wanted, None)
            }
            Key::Known(_) => {
                let client = self.client(asked).await?;
                (RevokeCert::read(asked.payload(&client)?)?, Some(client))
            }
        };
        let line = self.show(&wanted.certificate.serial_hex).await?;
        // Only the very certificate of the ledger: another one of this serial is somebody's invention.
        let line = line.filter(|line| line.der.as_deref() == Some(wanted.certificate.der()));
        let line = line.ok_or_else(|| No::missing("certificate"))?;
        let owner = line.account.ok_or_else(|| No::missing("certificate"))?;
        if client.is_some_and(|client| client.account != owner) {
            let why = "the certificate is somebody else's";
            return Err(Problem::new(ProblemType::Unauthorized, why).into());
        }
        let account = self.directory.by_id(owner).ok_or(Refused::Gone)?;
        let who = Directory::principal(&account);
        self.revoke(&who, &line.serial, wanted.reason.name(), asked.now).await?;
        Ok(Reply { status: StatusCode::OK, location: None, retry: None, body: Said::Nothing })
    }

    /// From two thirds of a certificate's life on; earlier when its issuing CA has a successor, and at once when it was
    /// revoked.
    pub(super) async fn acme_renewal_info(&self, id: &str, now: Timestamp) -> Result<RenewalInfo, No> {
        let missing = || No::missing("certificate");
        let id: CertificateId =
            id.parse().map_err(|problem: Problem| No::Problem(problem.with_status(404)))?;
        let issuers = self.authority.issuers();
        issuers.by_key_id(&id.issuer_key_id()).ok_or_else(missing)?;
        let line = self.show(&id.serial().to_string()).await?.ok_or_else(missing)?;
        let (start, end) = match line.state {
            CertificateState::Revoked => (now.before(HOUR), now),
            _ => issuers.renewal_window(line.issuer, (line.not_before, line.not_after)),
        };
        let suggested_window = Window { start: start.to_offset(), end: end.to_offset() };
        Ok(RenewalInfo { suggested_window, explanation_url: None })
    }
}

const HOUR: std::time::Duration = std::time::Duration::from_secs(60 * 60);
