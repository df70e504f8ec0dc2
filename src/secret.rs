//! Secrets: passwords kept as Argon2id strings, one-time secrets of which only the hash is kept, and the places where
//! the configuration says that a secret stands.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::id::random;

/// Each hash takes 19 MiB and some 20 ms: a crowd of wrong passwords waits in line instead of filling the memory.
static HASHING: Semaphore = Semaphore::const_new(4);

/// A hash of nobody's password, so that an unknown name takes as long as a wrong password.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now(&random::<16>()).unwrap_or_default());

/// A password was not kept: the machine could not hash it.
#[derive(Debug, thiserror::Error)]
#[error("the password could not be hashed")]
pub(crate) struct NotHashed;

/// The Argon2id PHC string of a password (RFC 9106; 19 MiB, two passes).
pub(crate) async fn hash_password(password: Zeroizing<String>) -> Result<String, NotHashed> {
    let turn = HASHING.acquire().await.map_err(|_| NotHashed)?;
    let hash = move || {
        let _turn = turn;
        hash_now(password.as_bytes())
    };
    tokio::task::spawn_blocking(hash).await.map_err(|_| NotHashed)?
}

/// Whether the password is the one; `None` stands for an account without one and takes as long.
pub(crate) async fn check_password(password: Zeroizing<String>, phc: Option<String>) -> bool {
    let Ok(turn) = HASHING.acquire().await else { return false };
    let check = move || {
        let _turn = turn;
        let known = phc.is_some();
        let phc = phc.unwrap_or_else(|| NOBODY.clone());
        let right = PasswordHash::new(&phc)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
        known && right
    };
    tokio::task::spawn_blocking(check).await.unwrap_or(false)
}

/// A fresh one-time secret of 192 bits, as text for URLs and command lines.
pub(crate) fn one_time() -> Zeroizing<String> {
    loop {
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(random::<24>()));
        if can_be_an_argument(&secret) {
            return secret;
        }
    }
}

/// Whether a program that is given this word takes it for what it is: certbot, say, takes `--eab-kid -4fK` for two
/// options. One random text in 64 begins with a dash.
pub(crate) fn can_be_an_argument(word: &str) -> bool {
    !word.starts_with('-')
}

/// What is kept of a one-time secret. It is random, so a plain hash is enough; looking up by hash takes the same
/// time for every wrong secret.
pub(crate) fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Where a secret stands: `{ file = "…" }` or `{ credential = "NAME" }`. The configuration never holds one itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum SecretSource {
    /// A file that only the service account should be able to read.
    File(PathBuf),
    /// A credential that systemd hands to the service (`LoadCredential=` of the unit), by its name.
    Credential(String),
}

/// Why a configured secret cannot be had; the secret itself is in no message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoSecret {
    #[error(
        "the secret in {path} cannot be read: {why}. Check that the file exists and belongs to the service account"
    )]
    Unreadable { path: PathBuf, why: std::io::Error },
    #[error("the secret in {0} is empty")]
    Empty(PathBuf),
    #[error("the secret in {0} is not text in UTF-8")]
    NotText(PathBuf),
    #[error(
        "the credential {0:?} is wanted but systemd handed none to this process: add LoadCredential={0}:/path to the unit, or give a file instead"
    )]
    NoCredentials(String),
    #[error("{0:?} is no name of a credential: it is a single file name")]
    BadName(String),
}

impl SecretSource {
    /// The file that holds it; `credentials` is the folder in which systemd puts the service's credentials.
    pub(crate) fn path(&self, credentials: Option<&Path>) -> Result<PathBuf, NoSecret> {
        match self {
            SecretSource::File(path) => Ok(path.clone()),
            SecretSource::Credential(name)
                if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) =>
            {
                Err(NoSecret::BadName(name.clone()))
            }
            SecretSource::Credential(name) => credentials
                .map(|folder| folder.join(name))
                .ok_or_else(|| NoSecret::NoCredentials(name.clone())),
        }
    }

    /// The secret as text, without the line end that editors add.
    pub(crate) fn read(&self, credentials: Option<&Path>) -> Result<Zeroizing<String>, NoSecret> {
        let path = self.path(credentials)?;
        let bytes = read_secret(&path)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| NoSecret::NotText(path))?;
        Ok(Zeroizing::new(text.to_owned()))
    }
}

/// The bytes of a secret in a file, without the line end that editors add.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, NoSecret> {
    let read = std::fs::read(path).map_err(|why| NoSecret::Unreadable { path: path.into(), why });
    let mut bytes = Zeroizing::new(read?);
    for end in [b'\n', b'\r'] {
        if bytes.last() == Some(&end) {
            bytes.pop();
        }
    }
    if bytes.is_empty() { Err(NoSecret::Empty(path.into())) } else { Ok(bytes) }
}

fn hash_now(password: &[u8]) -> Result<String, NotHashed> {
    Argon2::default().hash_password(password).map(|hash| hash.to_string()).map_err(|_| NotHashed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_fits_and_an_account_without_one_lets_nobody_in() {
        let phc = hash_password(Zeroizing::new("correct horse".into())).await.unwrap();
        assert!(phc.starts_with("$argon2id$"));
        assert!(check_password(Zeroizing::new("correct horse".into()), Some(phc.clone())).await);
        assert!(!check_password(Zeroizing::new("battery".into()), Some(phc)).await);
        assert!(!check_password(Zeroizing::new(String::new()), None).await);
    }

    #[test]
    fn no_secret_looks_like_an_option() {
        // Of as many random texts some sixty would.
        assert!((0..4000).all(|_| !one_time().starts_with('-')));
    }

    #[test]
    fn a_secret_is_read_from_a_file_or_a_credential_without_its_line_end() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("relay"), "correct horse\r\n").unwrap();
        let file = SecretSource::File(folder.path().join("relay"));
        assert_eq!(*file.read(None).unwrap(), "correct horse");
        let credential: SecretSource = serde_json::from_str(r#"{ "credential": "relay" }"#).unwrap();
        assert_eq!(*credential.read(Some(folder.path())).unwrap(), "correct horse");
        assert!(credential.read(None).unwrap_err().to_string().contains("LoadCredential=relay"));
    }

    #[test]
    fn a_secret_in_the_configuration_itself_or_outside_the_credentials_is_refused() {
        assert!(serde_json::from_str::<SecretSource>(r#""hunter2""#).is_err());
        assert!(serde_json::from_str::<SecretSource>(r#"{ "value": "hunter2" }"#).is_err());
        let outside = SecretSource::Credential("../shadow".into());
        assert!(matches!(outside.read(Some(Path::new("/"))), Err(NoSecret::BadName(_))));
    }
}
