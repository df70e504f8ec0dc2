//! The token: its module loaded, its slot found by label, its user logged in.

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
    mechanism::Mechanism,
    object::{Attribute, ObjectClass, ObjectHandle},
    session::{Session, UserType},
    slot::{Limit, Slot},
    types::RawAuthPin,
};

use super::{TokenFailure, TokenKey, failure::words, wire};
use crate::{Failure, KeyKind};

/// A token that let us in. Clones are the same token; its keys keep it.
#[derive(Clone)]
pub struct Token(Arc<Inner>);

struct Inner {
    module: Pkcs11,
    label: String,
    /// Gone once it was refused.
    pin: Mutex<Option<RawAuthPin>>,
}

impl Token {
    /// Loads the module, finds the token of this label, and logs in as its user.
    ///
    /// The PIN stays in memory, because a session that the token lost can only be replaced with it. Being logged in
    /// counts for the whole process (PKCS#11, C_Login): where somebody in it is already, the PIN is not examined.
    pub fn open(module: &Path, label: &str, pin: &[u8]) -> Result<Token, Failure> {
        let pin = Mutex::new(Some(RawAuthPin::new(Box::new(pin.to_vec()))));
        let token = Token(Arc::new(Inner { module: load(module)?, label: label.to_owned(), pin }));
        token.session(Pkcs11::open_ro_session)?;
        Ok(token)
    }

    /// Makes a key pair in the token, of which the private half can never be read.
    ///
    /// Both halves get one random CKA_ID, by which other programs put them together.
    pub fn generate(&self, label: &str, kind: KeyKind) -> Result<TokenKey, Failure> {
        let session = self.session(Pkcs11::open_rw_session)?;
        let name = Attribute::Label(label.into());
        let there = session.find_objects(std::slice::from_ref(&name)).map_err(|why| self.broken(&why))?;
        if !there.is_empty() {
            return Err(TokenFailure::Taken { token: self.label(), key: label.to_owned() }.into());
        }
        let mut id = [0; 16];
        getrandom::fill(&mut id)?;
        let both = [Attribute::Token(true), Attribute::Id(id.into()), name];
        let (mut public, mut private) = (both.to_vec(), both.to_vec());
        public.extend([
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::EcParams(wire::curve(kind)),
        ]);
        private.extend([
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
        ]);
        let made = session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private);
        made.map_err(|why| self.broken(&why))?;
        // Some tokens have no second one.
        drop(session);
        self.find(label)
    }

    /// Finds the one key pair of this label, on P-256 or P-384, and has it sign once to see that its halves are a pair.
    pub fn find(&self, label: &str) -> Result<TokenKey, Failure> {
        TokenKey::open(self.clone(), label)
    }

    /// Opens a session, read-only or not, in which the user is logged in.
    ///
    /// The slot is looked up each time: a token that was pulled out may come back in another one.
    pub(super) fn session(
        &self,
        open: impl Fn(&Pkcs11, Slot) -> Result<Session, Error>,
    ) -> Result<Session, TokenFailure> {
        let slot = self.slot()?;
        let session = open(&self.0.module, slot).map_err(|why| self.broken(&why))?;
        // Held during the login, so that of many threads with a PIN that became wrong only one tries it.
        let mut pin = self.0.pin.lock().unwrap_or_else(PoisonError::into_inner);
        let login = match &*pin {
            Some(pin) => session.login_with_raw(UserType::User, pin),
            None => Err(Error::PinNotSet),
        };
        match login {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
            Err(why) => {
                let why = self.not_let_in(&why);
                if matches!(why, TokenFailure::WrongPin(_) | TokenFailure::LockedPin(_)) {
                    *pin = None;
                }
                Err(why)
            }
        }
    }

    fn slot(&self) -> Result<Slot, TokenFailure> {
        let module = &self.0.module;
        let (mut shown, mut found) = (Vec::new(), Vec::new());
        for slot in module.get_slots_with_token().map_err(|why| self.broken(&why))? {
            // A token that gives no answer may be somebody else's.
            let Ok(token) = module.get_token_info(slot) else { continue };
            if token.token_initialized() {
                shown.push(token.label().to_owned());
                found.extend((token.label() == self.0.label).then_some(slot));
            }
        }
        match found[..] {
            [slot] => Ok(slot),
            [] => Err(TokenFailure::NoToken { token: self.label(), shown }),
            _ => Err(TokenFailure::TwoTokens(self.label())),
        }
    }

    /// How many sessions the token grants, up to `most`.
    pub(super) fn sessions(&self, most: usize) -> Result<usize, TokenFailure> {
        let token = self.0.module.get_token_info(self.slot()?).map_err(|why| self.broken(&why))?;
        Ok(match token.max_session_count() {
            Limit::Max(count) => usize::try_from(count).map_or(most, |count| count.min(most)),
            Limit::Infinite | Limit::Unavailable => most,
        })
    }

    /// The one object of this class and label.
    pub(super) fn only(
        &self,
        session: &Session,
        class: ObjectClass,
        label: &str,
    ) -> Result<ObjectHandle, TokenFailure> {
        let half = if class == ObjectClass::PRIVATE_KEY { "private" } else { "public" };
        let (token, key) = (self.label(), label.to_owned());
        let found = session.find_objects(&[Attribute::Class(class), Attribute::Label(label.into())]);
        match found.map_err(|why| self.broken(&why))?[..] {
            [one] => Ok(one),
            [] => Err(TokenFailure::NoKey { token, key, half }),
            _ => Err(TokenFailure::TwoKeys { token, key, half }),
        }
    }

    pub(super) fn label(&self) -> String {
        self.0.label.clone()
    }

    pub(super) fn broken(&self, why: &Error) -> TokenFailure {
        TokenFailure::Broken { token: self.label(), why: words(why) }
    }

    fn not_let_in(&self, why: &Error) -> TokenFailure {
        let label = self.label();
        match why {
            // Invalid characters and impossible lengths are for setting a PIN, yet some modules answer with them here.
            Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _)
            | Error::PinNotSet => TokenFailure::WrongPin(label),
            Error::Pkcs11(RvError::PinLocked, _) => TokenFailure::LockedPin(label),
            Error::Pkcs11(RvError::UserPinNotInitialized, _) => TokenFailure::NoPin(label),
            why => self.broken(why),
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Token").field("label", &self.0.label).finish_non_exhaustive()
    }
}

/// Loads and starts a module, once per process however often it is asked for.
fn load(path: &Path) -> Result<Pkcs11, TokenFailure> {
    let failed = |why: Error| TokenFailure::Module { path: path.to_owned(), why: words(&why) };
    // Modules have been seen to crash when two threads start them at once (parallaxsecond/rust-cryptoki#260).
    let _alone = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    let module = Pkcs11::new(path).map_err(failed)?;
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(why) => return Err(failed(why)),
    }
    // One reference that is never given back keeps the module loaded.
    std::mem::forget(module.clone());
    Ok(module)
}

static STARTING: Mutex<()> = Mutex::new(());
