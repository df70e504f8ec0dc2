//! The chest: where private keys lie, each sealed in a file, or made in a PKCS#11 token that it never leaves.

use std::path::{Path, PathBuf};

use chancery_ca as ca;
use zeroize::Zeroizing;

use crate::enrollment::config::{Config, Pkcs11};
use crate::enrollment::{Failure, safe};
use crate::secret::{self, NoSecret};

/// The keys of one authority.
pub(super) struct Chest {
    folder: PathBuf,
    passphrase: Passphrase,
    token: Option<Token>,
}

/// What sealed keys are opened with.
pub(super) enum Passphrase {
    In(PathBuf),
    Said(Zeroizing<String>),
}

/// The token as configured, and where its PIN stands.
struct Token {
    named: Pkcs11,
    pin: PathBuf,
}

impl Chest {
    /// A house's, as configured. Nothing is opened yet.
    pub(super) fn at(folder: &Path, cfg: &Config, credentials: Option<&Path>) -> Result<Self, NoSecret> {
        let passphrase = cfg.passphrase.as_ref().map(|source| source.path(credentials)).transpose()?;
        let passphrase = passphrase.unwrap_or_else(|| folder.join(PASSPHRASE));
        let token = cfg.pkcs11.as_ref().map(|named| Token::new(named, credentials)).transpose()?;
        Ok(Self { folder: folder.into(), passphrase: Passphrase::In(passphrase), token })
    }

    /// One of sealed files.
    pub(super) fn sealed(folder: &Path, passphrase: Passphrase) -> Self {
        Self { folder: folder.into(), passphrase, token: None }
    }

    /// One that makes its keys in a token.
    pub(super) fn in_token(
        folder: &Path,
        named: &Pkcs11,
        credentials: Option<&Path>,
    ) -> Result<Self, NoSecret> {
        let passphrase = Passphrase::In(folder.join(PASSPHRASE));
        Ok(Self { folder: folder.into(), passphrase, token: Some(Token::new(named, credentials)?) })
    }

    /// Makes the passphrase of an authority whose operator names none.
    pub(super) fn furnish(&self, cfg: &Config) -> Result<(), Failure> {
        match &self.passphrase {
            Passphrase::In(path) if cfg.passphrase.is_none() => {
                safe::put(path, format!("{}\n", *secret::one_time()).as_bytes())
            }
            _ => Ok(()),
        }
    }

    /// A key of this name: in the token, where there is one, else sealed in a file. A key that the token holds already
    /// is taken as it is: whoever made it there meant it.
    pub(super) fn make(&self, name: &str, kind: ca::KeyKind) -> Result<ca::AuthorityKey, Failure> {
        let Some(token) = &self.token else { return Ok(self.make_sealed(name, kind)?.into()) };
        match token.find(name) {
            Err(Failure::Token { why: ca::TokenFailure::NoKey { half: "private", .. }, .. }) => {
                token.make(name, kind)
            }
            found => found,
        }
    }

    /// A new key in a file.
    pub(super) fn make_sealed(&self, name: &str, kind: ca::KeyKind) -> Result<ca::KeyPair, Failure> {
        let key = ca::KeyPair::generate(kind)?;
        let sealed = key.seal(&self.passphrase.read()?)?;
        safe::put(&self.file(name), sealed.as_bytes())?;
        Ok(key)
    }

    /// Opens a key: out of its file if it has one, else in the token.
    pub(super) fn open(&self, name: &str) -> Result<ca::AuthorityKey, Failure> {
        match &self.token {
            Some(token) if !self.holds(name) => token.find(name),
            _ => Ok(self.open_sealed(name)?.into()),
        }
    }

    /// Whether a key lies here in a file.
    pub(super) fn holds(&self, name: &str) -> bool {
        self.file(name).exists()
    }

    /// What went wrong, with what is to be done where a token is at fault.
    pub(super) fn explain(&self, why: ca::Failure) -> Failure {
        match &self.token {
            Some(token) => token.explain(why),
            None => why.into(),
        }
    }

    fn open_sealed(&self, name: &str) -> Result<ca::KeyPair, Failure> {
        let path = self.file(name);
        let sealed = safe::text(&path)?;
        ca::KeyPair::open(&sealed, &self.passphrase.read()?).map_err(|why| match why {
            ca::Failure::Passphrase => Failure::Passphrase { key: path, passphrase: self.passphrase.words() },
            why => Failure::Unusable { path, why },
        })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.key"))
    }
}

impl Passphrase {
    fn read(&self) -> Result<Zeroizing<Vec<u8>>, NoSecret> {
        match self {
            Passphrase::In(path) => secret::read_secret(path),
            Passphrase::Said(text) => Ok(Zeroizing::new(text.as_bytes().to_vec())),
        }
    }

    /// Where it stands.
    fn words(&self) -> String {
        match self {
            Passphrase::In(path) => format!("the passphrase in {}", path.display()),
            Passphrase::Said(_) => "the passphrase that was given".into(),
        }
    }
}

impl Token {
    fn new(named: &Pkcs11, credentials: Option<&Path>) -> Result<Self, NoSecret> {
        Ok(Self { pin: named.pin.path(credentials)?, named: named.clone() })
    }

    fn find(&self, name: &str) -> Result<ca::AuthorityKey, Failure> {
        Ok(self.open()?.find(&self.label(name)).map_err(|why| self.explain(why))?.into())
    }

    fn make(&self, name: &str, kind: ca::KeyKind) -> Result<ca::AuthorityKey, Failure> {
        Ok(self.open()?.generate(&self.label(name), kind).map_err(|why| self.explain(why))?.into())
    }

    fn open(&self) -> Result<ca::Token, Failure> {
        let pin = secret::read_secret(&self.pin)?;
        ca::Token::open(&self.named.module, &self.named.token, &pin).map_err(|why| self.explain(why))
    }

    /// What the token calls the key that is called NAME or NAME-2 here: the configured label, with the same number.
    fn label(&self, name: &str) -> String {
        format!("{}{}", self.named.key, name.trim_start_matches(|c: char| c.is_ascii_alphabetic()))
    }

    fn explain(&self, why: ca::Failure) -> Failure {
        use ca::TokenFailure::{LockedPin, Module, NoKey, NoToken, WrongPin};
        let ca::Failure::Token(why) = why else { return why.into() };
        let next = match &why {
            Module { .. } => "install the token's module, or correct `module`".into(),
            NoToken { .. } => "plug it in, or correct `token`".into(),
            WrongPin(_) | LockedPin(_) => format!("put the right PIN into {}", self.pin.display()),
            NoKey { .. } => "correct `key`, or plug in the token that holds it".into(),
            _ => "see to the token; what it says of itself tells more".into(),
        };
        Failure::Token { why, next }
    }
}

const PASSPHRASE: &str = "passphrase";
