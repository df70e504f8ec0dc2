//! What a certificate says of itself, in words for people.

use std::time::Duration;

use chancery_ca as ca;

use super::Enrollment;
use crate::store::{Store, StoreError, Tx};

/// A certificate read for people: labels and values.
pub(crate) struct Said {
    pub(crate) names: Vec<(&'static str, String)>,
    pub(crate) facts: Vec<(&'static str, String)>,
    pub(crate) pem: String,
}

/// Reads a certificate of the ledger; `None` when it is not one.
pub(crate) fn read(der: &[u8]) -> Option<Said> {
    let certificate = ca::Certificate::parse(der).ok()?;
    let names = certificate.all_names().map(said).collect();
    let facts = vec![
        ("Issuer", certificate.issuer.clone()),
        ("SHA-256 fingerprint", certificate.fingerprint_sha256.clone()),
        ("SHA-256 of the public key", certificate.spki_sha256.clone()),
    ];
    Some(Said { names, facts, pem: certificate.to_pem() })
}

fn said(name: ca::Name) -> (&'static str, String) {
    match name {
        ca::Name::CommonName(name) => ("Common name", name),
        ca::Name::Dns(host) => ("Host", host),
        ca::Name::Mail(mail) => ("Mail", mail),
        ca::Name::Uri(uri) => ("URI", uri),
        ca::Name::Ip(address) => ("Address", address.to_string()),
        ca::Name::Device(name) => ("Device", name),
        ca::Name::Other(other) => ("Other", other),
    }
}

/// Names for searching: each on a line of its own, in lower case.
pub(super) fn lines(names: impl IntoIterator<Item = ca::Name>) -> String {
    let line = |name| said(name).1.to_lowercase().replace('\n', " ");
    names.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Keeps the names of what was signed before names were kept.
pub(super) async fn catch_up(store: &Store) -> Result<(), StoreError> {
    loop {
        let some = store.read(|view| view.unnamed(AT_ONCE)).await?;
        if some.is_empty() {
            return Ok(());
        }
        let named = |(serial, der): (String, Vec<u8>)| {
            let names = ca::Certificate::parse(&der).map(|certificate| lines(certificate.all_names()));
            (serial, names.unwrap_or_default())
        };
        let named: Vec<_> = some.into_iter().map(named).collect();
        let keep =
            move |tx: &mut Tx| named.iter().try_for_each(|(serial, names)| tx.set_names(serial, names));
        store.write(keep).await?;
    }
}

impl Enrollment {
    /// Whether devices may have their keys made here.
    pub(crate) fn makes_keys(&self) -> bool {
        self.cfg.server_key_generation
    }

    /// How long a person's certificate lives.
    pub(crate) fn client_validity(&self) -> Duration {
        self.cfg.validity(ca::Profile::Client)
    }
}

/// How many certificates are read in one unit of work.
const AT_ONCE: i64 = 500;
