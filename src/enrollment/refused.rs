//! The two kinds of "no" about certificates: what is refused to the one who asks, and what breaks.

use std::io;
use std::path::{Path, PathBuf};

use chancery_ca as ca;

use super::approval::Wait;
use super::signer::Trouble;
use super::status::StatusRefused;
use crate::secret::NoSecret;
use crate::store::StoreError;
use crate::time::Timestamp;

/// Why a deed about certificates was not done. Everything but [`Refused::Failed`] is an answer for the one who asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{0} may not decide about this account's certificates: ask an admin")]
    NotAllowed(String),
    #[error("there is no account {0}")]
    NoAccount(String),
    #[error("the account is no longer in the directory")]
    Gone,
    #[error("the account {name} may not act ({why}): enable it first")]
    Disabled { name: String, why: String },
    /// The request itself is at fault.
    #[error("{0}")]
    Request(#[source] ca::Refusal),
    #[error(
        "the request asks for {name}, which is not a name of this account: leave the names out, or ask for CN={account} \
         alone; the directory supplies them"
    )]
    ForeignName { name: String, account: String },
    #[error("a certificate of the profile {profile} needs {needs}")]
    Grant { profile: ca::Profile, needs: &'static str },
    #[error("a certificate of the profile {granted} was granted, not of {asked:?}: ask for that one")]
    OtherProfile { asked: String, granted: ca::Profile },
    #[error("{0}: correct it in the directory")]
    Names(#[source] ca::Failure),
    #[error("this key stands in a certificate of somebody else: make a new key")]
    KeyTaken,
    #[error("this key stands in a certificate that was revoked: make a new key")]
    KeyRevoked,
    #[error("the password for the PKCS#12 archive is too short: at least {0} characters, none of them NUL")]
    Password(usize),
    #[error("the token is unknown, was used or is too old: ask for a new one")]
    DeadToken,
    #[error(transparent)]
    Status(#[from] StatusRefused),
    /// Not a no, but not yet.
    #[error("the request {} waits for an admin's approval: send the same again later, until {}", .0.id, .0.until)]
    Waiting(Wait),
    #[error("an admin denied this request: ask why before you ask again")]
    Denied,
    #[error(
        "a certificate of the profile {0} waits for approval, and no key is kept meanwhile: bring a request"
    )]
    BringKey(ca::Profile),
    #[error("too many requests wait for approval already: ask an admin to decide on them")]
    Crowded,
    #[error("there is no request {0} that waits")]
    NotPending(String),
    /// A message of a protocol that was not understood, or whose sender was not proven.
    #[error("{0}")]
    Message(String),
    #[error("there is no certificate {0} in the ledger")]
    NoCertificate(String),
    #[error(
        "it is {now} by this machine's clock, and something was done at {latest}: set the clock, or say `chancery audit \
         accept-clock` if the clock was wrong then"
    )]
    ClockBack { now: Timestamp, latest: Timestamp },
    #[error("the certificate {0} was revoked before")]
    AlreadyRevoked(String),
    #[error("{0}")]
    Word(#[source] ca::Refusal),
    /// What was brought in from a root that is elsewhere does not fit.
    #[error(transparent)]
    Brought(Failure),
    /// The machine's trouble.
    #[error(transparent)]
    Failed(Failure),
}

/// What broke, or was found unusable at start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(
        "there is an authority in {0} already, and nothing was changed: move it away to found another one"
    )]
    Founded(PathBuf),
    #[error("there is no authority in {0}: make one with `chancery init`")]
    NotFounded(PathBuf),
    #[error(
        "a request for the issuing CA's certificate waits in {0}: give its answer with --issuing and --root-crl, or remove \
         that folder to begin anew"
    )]
    Asked(PathBuf),
    #[error("the issuing CA could not be rolled over: {0}")]
    Roll(String),
    #[error("the issuing CA {0} was retired with the last of its certificates")]
    Retired(String),
    #[error(
        "there are as many issuing CAs as may be at a time: wait until the oldest has retired, with its last certificate or, at a \
         signer, with its own end"
    )]
    ManyIssuers,
    #[error(
        "there is no request {0} that could be answered: `init --root` makes the first, `ca roll` the next"
    )]
    NotAsked(PathBuf),
    #[error("the certificate that was brought in is no answer to this house's request: {0}")]
    Brought(ca::Failure),
    #[error(
        "what was brought in is no list that the house's root has signed: make one with `chancery ca root FOLDER --crl`"
    )]
    ForeignList,
    #[error(
        "the list that was brought in is not newer than the one that the house shows: nothing was changed"
    )]
    OldList,
    #[error("no list can be signed for now, and the last one has ended: try again in a while")]
    NoList,
    #[error(
        "the signer holds the keys: found its authority with `chancery signer init`, then this house without a root"
    )]
    AtTheSigner,
    #[error(
        "the request asks for {asked:?}, and this root, {root}, certifies issuing CAs of its own organisation only"
    )]
    OtherRequest { asked: Vec<ca::Name>, root: String },
    #[error("the request cannot be certified: {0}")]
    Request(ca::Refusal),
    #[error("{passphrase} does not open {key}: put back the one that the key was sealed with")]
    Passphrase { key: PathBuf, passphrase: String },
    #[error("[authority.pkcs11] {why}: {next}")]
    Token { why: ca::TokenFailure, next: String },
    #[error("{path}: {why}")]
    Unusable { path: PathBuf, why: ca::Failure },
    #[error("{path}: {why}")]
    File { path: PathBuf, why: io::Error },
    #[error(
        "it is {now} by this machine's clock, but the issuing CA is valid from {from} to {until}: set the clock"
    )]
    Clock { now: Timestamp, from: Timestamp, until: Timestamp },
    #[error("the log of certificates is broken: {0}")]
    Log(ca::log::LogRefusal),
    #[error(
        "the log of certificates is shorter than what was signed of it: this is an older copy of the store. Restore the \
         newest one"
    )]
    OldLog,
    #[error("the ledger holds {0:?} for a serial")]
    Ledger(String),
    #[error(
        "{0:?} cannot stand in a certificate of the house: give host names in A-label form and IP addresses"
    )]
    OwnNames(Vec<String>),
    #[error(transparent)]
    Secret(#[from] NoSecret),
    #[error(transparent)]
    Signing(#[from] ca::Failure),
    #[error(transparent)]
    Signer(#[from] Trouble),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the house is stopping")]
    Stopped,
}

impl Failure {
    /// Whether a rule forbade it, and nothing broke.
    pub(crate) fn is_refusal(&self) -> bool {
        use Failure::{
            Asked, AtTheSigner, Brought, ForeignList, Founded, ManyIssuers, NotAsked, OldList, OtherRequest,
            Request,
        };
        matches!(
            self,
            Founded(_)
                | Asked(_)
                | NotAsked(_)
                | ManyIssuers
                | Brought(_)
                | ForeignList
                | OldList
                | AtTheSigner
                | OtherRequest { .. }
                | Request(_)
        )
    }

    /// Whether trying again does harm: tokens lock themselves after a few wrong PINs.
    pub(crate) fn must_not_be_repeated(&self) -> bool {
        use ca::TokenFailure::{LockedPin, WrongPin};
        matches!(self, Failure::Token { why: WrongPin(_) | LockedPin(_), .. })
    }

    pub(super) fn file(path: &Path, why: io::Error) -> Self {
        Failure::File { path: path.into(), why }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        match failure {
            // What the directory says of a person may not fit into a certificate; that is nobody's breakage.
            Failure::Signing(why @ (ca::Failure::Name { .. } | ca::Failure::Incomplete { .. })) => {
                Refused::Names(why)
            }
            failure if failure.is_refusal() => Refused::Brought(failure),
            failure => Refused::Failed(failure),
        }
    }
}

impl From<ca::Failure> for Refused {
    fn from(failure: ca::Failure) -> Self {
        Failure::from(failure).into()
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Failure::from(error).into()
    }
}
