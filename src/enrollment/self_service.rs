//! Self-service: what people do about their own certificates at the page of the house, under the rules of all fronts.

use std::sync::Arc;
use std::time::Duration;

use super::material::Material;
use super::token::{Alive, Brought, Drawn};
use super::{Asked, Enrolled, Enrollment, Grant, Ground, Presented, Refused, Request};
use crate::principal::Principal;
use crate::store::Account;
use crate::time::Timestamp;

const FRONT: &str = "self-service";
/// How long a code for a phone waits to be used: as long as it takes to find the phone.
const CODE: Duration = Duration::from_secs(10 * 60);

impl Enrollment {
    /// Certifies a key for the person who asks.
    pub(crate) async fn enroll_self(
        &self,
        who: &Principal,
        grant: Grant,
        request: Request,
        now: Timestamp,
    ) -> Result<Enrolled, Refused> {
        let account = self.account_of(who)?;
        let (material, ground) = (Material::of(request), Ground::Standing);
        let asked = Asked { deed: "certificate.enroll", front: FRONT, grant, material, ground };
        self.issue(who, &account, asked, now).await
    }

    /// The same kind of certificate again for the person who has one. The old one is named and not shown, so only what a
    /// person may have without it is renewed.
    pub(crate) async fn renew_self(
        &self,
        who: &Principal,
        serial: &str,
        request: Request,
        now: Timestamp,
    ) -> Result<Enrolled, Refused> {
        const DEED: &str = "certificate.renew";
        let account = self.account_of(who)?;
        let line = self.show(serial).await?.filter(|line| line.account == Some(account.id));
        let line = line.ok_or_else(|| Refused::NoCertificate(serial.into()));
        let line = self.audited(who, DEED, &account.name, line, now).await?;
        let issuers = self.authority.issuers();
        let renewal = issuers.renewal_window(line.issuer, (line.not_before, line.not_after));
        let named = Presented { serial: line.serial, account: account.id, renewal };
        let grant = self.granted_before(&named).await?;
        let (material, ground) = (Material::of(request), Ground::Named(named));
        self.issue(who, &account, Asked { deed: DEED, front: FRONT, grant, material, ground }, now).await
    }

    /// Draws a code with which the person's phone gets one certificate: a token with a short life.
    pub(crate) async fn code(&self, who: &Principal, now: Timestamp) -> Result<Drawn, Refused> {
        let account = self.account_of(who)?;
        self.draw(who, &account, Grant::client(), CODE.min(self.cfg.token_ttl.0), now).await
    }

    /// Whose a code is, as long as it works. Looking uses nothing up.
    pub(crate) async fn owner_of_code(&self, code: &str, now: Timestamp) -> Result<Arc<Account>, Refused> {
        let alive = self.personal(code, now).await?;
        self.directory.by_id(alive.allows.account).ok_or(Refused::Gone)
    }

    /// Certifies a key for whoever brings a code.
    pub(crate) async fn enroll_by_code(
        &self,
        code: &str,
        request: Request,
        now: Timestamp,
    ) -> Result<Enrolled, Refused> {
        let alive = self.personal(code, now).await;
        let alive = self.audited(&Principal::Guest, "certificate.enroll", FRONT, alive, now).await?;
        self.by_token(FRONT, &alive, None, Material::of(request), now).await
    }

    /// A token for what people have. One for a server would have its key made here, which the operator decides about.
    async fn personal(&self, code: &str, now: Timestamp) -> Result<Alive, Refused> {
        let alive = self.alive(Brought::Secret(code), now).await?;
        if Grant::of_token(&alive.allows)?.is_personal() { Ok(alive) } else { Err(Refused::DeadToken) }
    }

    fn account_of(&self, who: &Principal) -> Result<Arc<Account>, Refused> {
        let id = who.account().ok_or_else(|| Refused::NotAllowed(who.to_string()))?;
        self.directory.by_id(id).ok_or(Refused::Gone)
    }
}
