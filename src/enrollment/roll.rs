//! Rolling over: another issuing CA takes its turn, and those before it stay until the last of their certificates has
//! ended. Nobody is dropped for it: every door takes certificates of all of them, whose holders are told to renew early.

use std::path::PathBuf;
use std::sync::Arc;

use chancery_ca as ca;
use serde::Serialize;
use serde_json::json;

use super::issuers::Issuer;
use super::keys::Rolled;
use super::{CrlInfo, Enrollment, Failure, Refused, crl};
use crate::audit::Deed;
use crate::principal::Principal;
use crate::store::{Store, StoreError, Tx};
use crate::time::Timestamp;

/// An issuing CA, for people and programs.
#[derive(Debug, Serialize)]
pub(crate) struct IssuerView {
    pub(crate) issuer: String,
    /// The `{issuer}` of URLs.
    pub(crate) key_id: String,
    pub(crate) not_after: Timestamp,
}

/// What came of the wish for another issuing CA.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum RollView {
    Issuer(IssuerView),
    /// The root is elsewhere: the file with a request for it.
    Request {
        request: PathBuf,
        public_url: String,
    },
}

/// What of that which was brought in was taken.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Adopted {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) issuer: Option<IssuerView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) list: Option<CrlInfo>,
}

impl Enrollment {
    /// The issuing CAs of the house, the one that signs first.
    pub(crate) fn issuers(&self) -> Vec<IssuerView> {
        self.authority.issuers().all().map(|one| view(one)).collect()
    }

    /// Makes another issuing CA, which signs from now on; or, where the root is elsewhere, a request for one.
    pub(crate) async fn roll(&self, who: &Principal, now: Timestamp) -> Result<RollView, Refused> {
        let _one = self.rolling.lock().await;
        let rolled = self.authority.roll(now).await.map_err(Refused::from);
        match self.audited(who, "ca.roll", &self.issuer_name(), rolled, now).await? {
            Rolled::Made(new) => Ok(RollView::Issuer(self.take_turn(who, "ca.roll", new, now).await?)),
            Rolled::Asked(request) => {
                Ok(RollView::Request { request, public_url: self.http_base.to_string() })
            }
        }
    }

    /// Takes over what a root that is elsewhere has signed, in PEM: the issuing CA that was asked for, its next list, or
    /// both.
    pub(crate) async fn adopt(&self, who: &Principal, pem: &str, now: Timestamp) -> Result<Adopted, Refused> {
        let _one = self.rolling.lock().await;
        let mut adopted = Adopted::default();
        let brings_list = ca::crl_from_pem(pem).is_some();
        if brings_list {
            let list = self.lists.adopt_root(pem).map_err(Refused::from);
            let list = self.audited(who, "ca.adopt", "root", list, now).await?;
            let deed = Deed::new(who, "ca.adopt", "root").with(json!({ "list": list.number }));
            self.store.write(move |tx| tx.remember(deed, now)).await?;
            adopted.list = Some(list);
        }
        if !brings_list || ca::Certificate::from_pem(pem).is_ok() {
            let new = self.authority.adopt(pem).await.map_err(Refused::from);
            let new = self.audited(who, "ca.adopt", &self.issuer_name(), new, now).await?;
            adopted.issuer = Some(self.take_turn(who, "ca.adopt", new, now).await?);
        }
        Ok(adopted)
    }

    /// Whether half the life of the current issuing CA is over, so that another should take its turn.
    pub(crate) fn is_to_be_rolled(&self, now: Timestamp) -> bool {
        self.authority.current().is_half_over(now)
    }

    /// Comes true when another issuing CA has taken its turn, once for whoever waits.
    pub(crate) async fn rolled(&self) {
        self.turned.notified().await;
    }

    /// Rolls over when half the life of the current issuing CA is over, and lets go of those that are done with.
    pub(crate) async fn keep_issuers(&self, now: Timestamp) -> Result<(), Failure> {
        for former in self.authority.issuers().former() {
            self.retire_if_done(former, now).await?;
        }
        let current = self.authority.current();
        if !current.is_half_over(now) {
            return Ok(());
        }
        match self.roll(&Principal::System, now).await {
            Ok(RollView::Issuer(_)) => Ok(()),
            Ok(RollView::Request { request, public_url }) => {
                tracing::warn!(
                    request = %request.display(),
                    "half the life of the issuing CA is over: have the request answered where the root is \
                     (`chancery ca root FOLDER --sign issuing.csr --public-url {public_url}`) and bring in the answer \
                     (`chancery ca adopt FILE`)"
                );
                Ok(())
            }
            Err(Refused::Brought(why) | Refused::Failed(why)) => Err(why),
            Err(why) => Err(Failure::Roll(why.to_string())),
        }
    }

    /// Its list is shown before it signs, and everybody else follows. Brought to its end even when whoever asked hangs up
    /// in between.
    async fn take_turn(
        &self,
        who: &Principal,
        deed: &'static str,
        new: Arc<Issuer>,
        now: Timestamp,
    ) -> Result<IssuerView, Refused> {
        let (own, shown, entry) = (self.clone(), view(&new), remembered(who, deed, &new, now));
        let turn = async move {
            own.store.write(entry).await?;
            if let Err(error) = own.lists.welcome(new, now).await {
                tracing::error!(%error, "the new issuing CA has no list yet; it is tried again");
            }
            own.tell(now);
            own.turned.notify_one();
            Ok::<_, Refused>(())
        };
        tokio::spawn(turn).await.map_err(|_| Failure::Stopped)??;
        tracing::info!(issuer = shown.issuer, "another issuing CA signs from now on");
        Ok(shown)
    }

    /// A day after its last certificate has ended, for a revoked serial stays on one more list.
    async fn retire_if_done(&self, former: &Arc<Issuer>, now: Timestamp) -> Result<(), Failure> {
        let _one = self.rolling.lock().await;
        let number = former.number;
        let last = self.store.read(move |view| view.last_end(number)).await?;
        let ended = Timestamp::from(former.issuing().not_after) < now;
        if !ended && last.is_some_and(|last| last.after(crl::LIFE) > now) {
            return Ok(());
        }
        self.authority.retire(former)?;
        self.shards.forget(number);
        let deed = Deed::new(&Principal::System, "ca.retire", former.issuer_name())
            .with(json!({ "key_id": former.key_id() }));
        self.store.write(move |tx| tx.remember(deed, now)).await?;
        tracing::info!(issuer = former.issuer_name(), "a former issuing CA was retired");
        self.turned.notify_one();
        Ok(())
    }
}

/// Audits an issuing CA that came into force where no deed of this house is known for it: a crash came in between, or the
/// signer had made it.
pub(super) async fn catch_up(store: &Store, current: &Issuer, now: Timestamp) -> Result<(), StoreError> {
    let known = store.read(|view| view.mark(NEWEST)).await?.unwrap_or(1);
    if known >= i64::from(current.number) {
        return Ok(());
    }
    store.write(remembered(&Principal::System, "ca.roll", current, now)).await
}

/// The unit of work that audits an issuing CA as it comes into force.
fn remembered(
    who: &Principal,
    deed: &'static str,
    new: &Issuer,
    now: Timestamp,
) -> impl FnOnce(&mut Tx) -> Result<(), StoreError> + Send + 'static {
    let number = i64::from(new.number);
    let deed = Deed::new(who, deed, new.issuer_name())
        .with(json!({ "key_id": new.key_id(), "not_after": view(new).not_after }));
    move |tx| {
        tx.set_mark(NEWEST, number)?;
        tx.remember(deed, now)
    }
}

fn view(issuer: &Issuer) -> IssuerView {
    IssuerView {
        issuer: issuer.issuer_name().to_owned(),
        key_id: issuer.key_id().to_owned(),
        not_after: issuer.issuing().not_after.into(),
    }
}

/// The mark that holds the number of the last issuing CA that was audited.
const NEWEST: &str = "issuer";
