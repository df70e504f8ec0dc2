//! Fronts: the protocols by which devices ask for certificates, over HTTP. A front translates; who may have what is
//! decided in one place, behind all of them.

mod acme;
mod cmp;
mod est;
mod ocsp;

use axum::Router;

use super::{Enrollment, Presented, Refused};
use crate::principal::Principal;
use crate::time::Timestamp;
pub(super) use acme::Nonces;
pub(super) use cmp::Transactions;

/// The client certificate of the connection, as the door found it.
#[derive(Clone)]
pub(crate) struct Shown(pub(crate) Option<Presented>);

/// What devices may ask over HTTPS.
pub(crate) fn router(enrollment: Enrollment) -> Router {
    Router::new().merge(est::routes()).merge(cmp::routes()).merge(acme::routes()).with_state(enrollment)
}

/// What everybody may ask over plain HTTP: whoever checks a certificate must not need one to do so.
pub(crate) fn public_router(enrollment: Enrollment) -> Router {
    ocsp::routes().with_state(enrollment)
}

impl Enrollment {
    /// Audits that a request was refused before anything in it was decided on: by its form, or for want of a proof.
    pub(crate) async fn turned_away(
        &self,
        who: &Principal,
        front: &'static str,
        why: impl Into<String>,
        now: Timestamp,
    ) {
        let refused = Err::<(), _>(Refused::Message(why.into()));
        let _ = self.audited(who, "certificate.enroll", front, refused, now).await;
    }
}

/// The sentence for whoever asked. What broke inside is for the log alone.
fn told(refused: &Refused, front: &'static str) -> String {
    match refused {
        Refused::Failed(failure) => {
            tracing::error!(front, error = %failure, "a certificate could not be issued");
            "something broke in the house; try again later".into()
        }
        refused => refused.to_string(),
    }
}
