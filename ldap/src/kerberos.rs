//! Kerberos: the service account signs in by a ticket in place of a password (RFC 4752).
//!
//! Tickets are the affair of the system's Kerberos library, which gets them with its client keytab. It may ask a KDC for as
//! long as it likes, so it works aside, and nobody waits for it longer than for any operation. The directory has to prove
//! who it is; encryption is left to TLS.

use std::time::Duration;

use libgssapi::context::{ClientCtx, CtxFlags, SecurityContext as _};
use libgssapi::credential::{Cred, CredUsage};
use libgssapi::name::Name;
use libgssapi::oid::{GSS_MECH_KRB5, GSS_NT_KRB5_PRINCIPAL, OidSet};
use tokio::sync::Semaphore;

use crate::answer::{Answer, Outcome};
use crate::error::Error;
use crate::link::Link;

/// Signs the connection in as `account`, at a server that the KDC knows as `ldap/HOST`. The server's last answer, good or
/// bad, is the result.
pub(crate) async fn sign_in(link: &Link, host: &str, account: &str) -> Result<Outcome, Error> {
    let failed = |why| Error::Kerberos { server: link.server().to_owned(), why };
    let (host, account) = (host.to_owned(), account.to_owned());
    let mut talk = aside(link.limit(), move || Talk::begin(&host, &account)).await.map_err(failed)?;
    let mut challenge = None;
    loop {
        let (back, token) = aside(link.limit(), move || talk.answer(challenge)).await.map_err(failed)?;
        talk = back;
        let done = link.bind_by("signing in by Kerberos", "GSSAPI", &token).await?;
        match done.outcome.code {
            IN_PROGRESS => challenge = Some(said(&done.answer)),
            0 if !talk.agreed => return Err(failed("it says yes without a proof of who it is".to_owned())),
            STRONGER => return Err(failed(WANTS_LAYER.to_owned())),
            _ => return Ok(done.outcome),
        }
    }
}

/// strongerAuthRequired and saslBindInProgress (RFC 4511 appendix A).
const STRONGER: u32 = 8;
const IN_PROGRESS: u32 = 14;
/// Samba wants it by default, even in TLS.
const WANTS_LAYER: &str = "it wants Kerberos to encrypt; use ldaps:// or starttls = true, and tell Samba \
                           `ldap server require strong auth = allow_sasl_over_tls`";

/// What the server says to the mechanism (RFC 4511 §4.2.2).
fn said(answer: &Answer) -> Vec<u8> {
    answer.body().find_map(|(tag, content)| (tag == 0x87).then(|| content.to_vec())).unwrap_or_default()
}

/// Those who wait for a KDC in vain hold one thread, not one more with each attempt.
static TURN: Semaphore = Semaphore::const_new(1);

async fn aside<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let done = async {
        let turn = TURN.acquire().await.map_err(|error| error.to_string())?;
        let work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        work.await.map_err(|error| error.to_string())?
    };
    tokio::time::timeout(limit, done)
        .await
        .unwrap_or_else(|_| Err(format!("no KDC answered within {limit:?}")))
}

/// One conversation with the mechanism at the other end.
struct Talk {
    context: ClientCtx,
    /// Whether both have proven who they are, and how they go on.
    agreed: bool,
}

impl Talk {
    fn begin(host: &str, account: &str) -> Result<Self, String> {
        let mechanism = OidSet::singleton(GSS_MECH_KRB5).map_err(words)?;
        let account = Name::new(account.as_bytes(), Some(GSS_NT_KRB5_PRINCIPAL)).map_err(words)?;
        let ticket =
            Cred::acquire(Some(&account), None, CredUsage::Initiate, Some(&mechanism)).map_err(words)?;
        // As a service of a host its name would be looked up, forth and back, and whoever answers for DNS would choose the
        // server. The empty realm is whichever the KDC says.
        let service = format!("ldap/{host}@");
        let service = Name::new(service.as_bytes(), Some(GSS_NT_KRB5_PRINCIPAL)).map_err(words)?;
        let context = ClientCtx::new(Some(ticket), service, WANTED, Some(GSS_MECH_KRB5));
        Ok(Self { context, agreed: false })
    }

    /// What is said to a server that has said this.
    fn answer(mut self, challenge: Option<Vec<u8>>) -> Result<(Self, Vec<u8>), String> {
        let token = match challenge {
            Some(_) if self.agreed => return Err("it does not come to an end".to_owned()),
            Some(offer) if self.context.is_complete() => self.agree(&offer)?,
            challenge => {
                let token = self.context.step(challenge.as_deref(), None).map_err(words)?;
                token.map(|token| token.to_vec()).unwrap_or_default()
            }
        };
        Ok((self, token))
    }

    /// Of the layers that the server offers, none is taken (RFC 4752 §3.1).
    fn agree(&mut self, offer: &[u8]) -> Result<Vec<u8>, String> {
        if !self.context.flags().map_err(words)?.contains(WANTED) {
            return Err("it has not proven who it is".to_owned());
        }
        let offer = self.context.unwrap(offer).map_err(words)?;
        match *offer {
            [layers, _, _, _] if layers & NO_LAYER != 0 => {}
            [_, _, _, _] => return Err(WANTS_LAYER.to_owned()),
            _ => return Err("what it offers is not of RFC 4752".to_owned()),
        }
        self.agreed = true;
        self.context.wrap(false, &[NO_LAYER, 0, 0, 0]).map(|token| token.to_vec()).map_err(words)
    }
}

/// The last two messages are protected, and the server has to answer for itself.
const WANTED: CtxFlags = CtxFlags::GSS_C_MUTUAL_FLAG.union(CtxFlags::GSS_C_INTEG_FLAG);
const NO_LAYER: u8 = 1;

/// The library's words, which it has only in the thread where they fell.
fn words(error: libgssapi::error::Error) -> String {
    error.to_string()
}
