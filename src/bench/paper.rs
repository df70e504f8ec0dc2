//! What clients of an authority send: requests for certificates, each for a key of its own, and questions about one.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509NameBuilder, X509Req};

/// So many requests on fresh P-256 keys that ask for no name but this one.
pub(crate) fn requests(name: &str, count: u64) -> Result<Vec<X509Req>> {
    Ok(devices(name, count)?.into_iter().map(|(_, request)| request).collect())
}

/// The same with the keys.
pub(crate) fn devices(name: &str, count: u64) -> Result<Vec<(PKey<Private>, X509Req)>> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let mut subject = X509NameBuilder::new()?;
    subject.append_entry_by_nid(Nid::COMMONNAME, name)?;
    let subject = subject.build();
    let one = |_| -> Result<_> {
        let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
        let mut request = X509Req::builder()?;
        request.set_subject_name(&subject)?;
        request.set_pubkey(&key)?;
        request.sign(&key, MessageDigest::sha256())?;
        Ok((key, request.build()))
    };
    (0..count).map(one).collect()
}

/// An OCSP request as `openssl ocsp` writes it; a nonce stands at its end.
pub(crate) fn question(issuer: &Path, certificate: &Path, to: &Path, nonce: bool) -> Result<Vec<u8>> {
    let mut openssl = Command::new("openssl");
    openssl.args(["ocsp", if nonce { "-nonce" } else { "-no_nonce" }]);
    openssl.arg("-issuer").arg(issuer).arg("-cert").arg(certificate).arg("-reqout").arg(to);
    let done = openssl.output().context("openssl ocsp")?;
    ensure!(done.status.success(), "openssl ocsp: {}", String::from_utf8_lossy(&done.stderr));
    Ok(std::fs::read(to)?)
}

/// The same question under another nonce.
pub(crate) fn renonced(question: &[u8], number: u64) -> Vec<u8> {
    let mut other = question.to_vec();
    let end = other.len().saturating_sub(8);
    other.splice(end.., number.to_be_bytes());
    other
}
