//! PKCS#12 (RFC 7292): a certificate, its key and its chain in one file under one password.

use openssl::{hash::MessageDigest, nid::Nid, pkcs12::Pkcs12, stack::Stack, x509::X509};

use crate::{Failure, KeyPair};

/// How old the software may be that will open the archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// PBES2 with PBKDF2 and AES-256-CBC, MAC with SHA-256: OpenSSL, Firefox, Windows 10, current macOS and iOS.
    #[default]
    Modern,
    /// SHA-1 with triple DES: Android before 12 and older keychains, which take a modern archive for a wrong
    /// password. Only a long random password protects such an archive.
    Legacy,
}

/// Packs a DER certificate, its key and the DER chain above it. The name is what the importing program shows.
///
/// The password has at least 8 characters. It is as good a secret as the key from then on, so the caller makes it
/// random and shows it once.
pub fn pkcs12(
    cert: &[u8],
    key: &KeyPair,
    chain: &[&[u8]],
    password: &str,
    friendly: &str,
    flavor: Flavor,
) -> Result<Vec<u8>, Failure> {
    if password.chars().count() < 8 {
        return Err(Failure::Pkcs12("the password has fewer than 8 characters"));
    }
    // Both become C strings, and the binding panics where one ends early.
    if password.contains('\0') || friendly.contains('\0') {
        return Err(Failure::Pkcs12("the password or the name holds a NUL"));
    }
    let mut above = Stack::new()?;
    for der in chain {
        above.push(X509::from_der(der)?)?;
    }
    let (cipher, digest, rounds) = match flavor {
        Flavor::Modern => (Nid::AES_256_CBC, MessageDigest::sha256(), 100_000),
        Flavor::Legacy => (Nid::PBE_WITHSHA1AND3_KEY_TRIPLEDES_CBC, MessageDigest::sha1(), 10_000),
    };
    let (key, cert) = (key.to_openssl()?, X509::from_der(cert)?);
    let mut builder = Pkcs12::builder();
    builder.name(friendly).pkey(&key).cert(&cert).ca(above);
    builder.key_algorithm(cipher).cert_algorithm(cipher).key_iter(rounds).mac_iter(rounds).mac_md(digest);
    Ok(builder.build2(password)?.to_der()?)
}
