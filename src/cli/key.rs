//! `key`: public keys that accounts sign in with, by the signed challenge.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, at, encode};
use super::output::{Output, pem};
use super::trouble::Trouble;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Every key, or an account's
    List {
        #[arg(value_parser = super::named)]
        account: Option<String>,
    },
    /// Register a public key, P-256 or Ed25519, for an account
    Add {
        #[arg(value_parser = super::named)]
        account: String,
        /// PEM or DER (SubjectPublicKeyInfo), as `openssl pkey -pubout` writes it
        file: PathBuf,
        /// What the key is called in lists
        #[arg(long)]
        name: Option<String>,
    },
    /// Remove a key and end the sessions that it opened
    Remove {
        #[arg(value_parser = super::named)]
        id: String,
    },
}

impl Verb {
    pub(super) fn run(self, client: &Client, out: &mut Output<'_>) -> Result<(), Trouble> {
        match self {
            Verb::List { account } => {
                let of = account.map(|account| format!("?account={}", encode(&account))).unwrap_or_default();
                let fields = ["id", "account", "name", "kind", "created_at"];
                out.list("keys", &fields, &client.get(&(at(&["keys"]) + &of))?)
            }
            Verb::Add { account, file, name } => {
                let body = json!({ "key": read(&file)?, "name": name });
                let answer = client.post(&at(&["accounts", &account, "keys"]), Some(&body))?;
                let id = answer["id"].as_str().unwrap_or_default();
                out.done(&format!("{account} signs in with the key {id}"), &answer)
            }
            Verb::Remove { id } => {
                let answer = client.delete(&at(&["keys", &id]))?;
                let ended = match &answer["sessions_ended"] {
                    Value::Number(number) => format!("; sessions ended: {number}"),
                    _ => String::new(),
                };
                out.done(&format!("the key {id} is removed{ended}"), &answer)
            }
        }
    }
}

/// The file as PEM. A private key stays where it is.
fn read(file: &Path) -> Result<String, Trouble> {
    let bytes = std::fs::read(file).map_err(|error| Trouble::file("read", file, &error))?;
    match String::from_utf8(bytes) {
        Ok(text) if text.contains("PRIVATE KEY-----") => Err(Trouble::Usage(format!(
            "{path} is a private key, which is nobody else's: give what `openssl pkey -in {path} -pubout` prints",
            path = file.display()
        ))),
        Ok(text) if text.contains("-----BEGIN") => Ok(text),
        Ok(text) => Ok(pem("PUBLIC KEY", text.as_bytes())),
        Err(der) => Ok(pem("PUBLIC KEY", der.as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn der_is_armoured_and_a_private_key_is_not_sent() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        let read_of = |content: &[u8]| {
            std::fs::write(&file, content).unwrap();
            read(&file)
        };
        assert_eq!(
            read_of(b"\x30\xff").unwrap(),
            "-----BEGIN PUBLIC KEY-----\nMP8=\n-----END PUBLIC KEY-----\n"
        );
        let text = "-----BEGIN PUBLIC KEY-----\n";
        assert_eq!(read_of(text.as_bytes()).unwrap(), text);
        assert_eq!(read_of(b"-----BEGIN EC PRIVATE KEY-----\n").unwrap_err().code(), 2);
        assert_eq!(read(&dir.path().join("absent")).unwrap_err().code(), 1);
    }
}
