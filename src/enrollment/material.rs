//! What is certified and what is handed out: a key that was brought in a request, or one that the house makes, with
//! the archive in which it travels.

use std::fmt;

use chancery_ca as ca;
use zeroize::Zeroizing;

use super::Refused;
use super::authority::aside;
use crate::secret;
use crate::time::Timestamp;

/// What somebody brings who wants a certificate.
pub(crate) enum Request {
    /// A PKCS#10 request, PEM or DER, at most 16 kB.
    Csr(Vec<u8>),
    /// Nothing: the house makes the key, in memory alone, and forgets it with the answer.
    MakeKey {
        /// Protects the PKCS#12 archive; without it, one is drawn.
        p12_password: Option<Zeroizing<String>>,
        /// The archive is for old software (SHA-1 and triple DES).
        legacy: bool,
    },
}

/// A certificate with everything that belongs to it.
pub(crate) struct Enrolled {
    /// Upper-case hex.
    pub(crate) serial: String,
    pub(crate) certificate_pem: String,
    /// The same in DER.
    pub(crate) certificate: Vec<u8>,
    /// The issuing CA's certificate, which a client sends after its own.
    pub(crate) chain_pem: String,
    /// PKCS#8, when the house made the key.
    pub(crate) key_pem: Option<Zeroizing<String>>,
    /// The archive and its password, when the house made the key.
    pub(crate) p12: Option<(Vec<u8>, Zeroizing<String>)>,
    /// Last second of validity.
    pub(crate) not_after: Timestamp,
}

/// A request that was read.
pub(super) enum Material {
    Requested(ca::Csr),
    /// A key whose request was read before.
    Proven(ca::PublicKey),
    Made {
        pair: ca::KeyPair,
        key: ca::PublicKey,
        password: Zeroizing<String>,
        flavor: ca::Flavor,
        /// Where somebody asked for names with a request of his own.
        asked: Option<Box<ca::Csr>>,
    },
}

impl Material {
    pub(super) fn of(request: Request) -> Result<Self, Refused> {
        match request {
            Request::Csr(bytes) => Self::requested(&bytes),
            Request::MakeKey { p12_password, legacy } => {
                let password = p12_password.unwrap_or_else(secret::one_time);
                if password.chars().count() < PASSWORD_MIN || password.contains('\0') {
                    return Err(Refused::Password(PASSWORD_MIN));
                }
                let flavor = if legacy { ca::Flavor::Legacy } else { ca::Flavor::Modern };
                let pair = ca::KeyPair::generate(ca::KeyKind::P256)?;
                Ok(Material::Made { key: pair.public_key()?, pair, password, flavor, asked: None })
            }
        }
    }

    /// Reads a request and proves that whoever made it holds the key.
    pub(super) fn requested(csr: &[u8]) -> Result<Self, Refused> {
        ca::Csr::parse(csr).map(Material::Requested).map_err(Refused::Request)
    }

    /// A key made by the house in the place of the one that a request holds, whose names count all the same.
    pub(super) fn made_for(csr: &[u8]) -> Result<Self, Refused> {
        let asked = ca::Csr::parse(csr).map_err(Refused::Request)?;
        match Self::of(Request::MakeKey { p12_password: None, legacy: false })? {
            Material::Made { pair, key, password, flavor, .. } => {
                Ok(Material::Made { pair, key, password, flavor, asked: Some(Box::new(asked)) })
            }
            requested => Ok(requested),
        }
    }

    pub(super) fn key(&self) -> &ca::PublicKey {
        match self {
            Material::Requested(csr) => csr.public_key(),
            Material::Proven(key) | Material::Made { key, .. } => key,
        }
    }

    /// Where the key comes from, for the audit.
    pub(super) fn origin(&self) -> &'static str {
        match self {
            Material::Requested(_) | Material::Proven(_) => "brought",
            Material::Made { .. } => "made by the house",
        }
    }

    /// Refuses a request for names that the certificate will not carry.
    pub(super) fn check_names(&self, subject: &ca::Subject) -> Result<(), Refused> {
        let csr = match self {
            Material::Requested(csr) => csr,
            Material::Made { asked: Some(csr), .. } => csr,
            Material::Proven(_) | Material::Made { asked: None, .. } => return Ok(()),
        };
        ca::check_request(csr, subject).map_err(|refusal| match refusal {
            ca::Refusal::ForeignName(name) => {
                Refused::ForeignName { name: name.to_string(), account: subject.common_name.clone() }
            }
            refusal => Refused::Request(refusal),
        })
    }

    /// Puts together what is handed out. Deriving keys from the archive's password takes a noticeable moment.
    pub(super) async fn pack(
        self,
        issued: ca::Issued,
        chain: Chain,
        name: String,
    ) -> Result<Enrolled, Refused> {
        let mut enrolled = Enrolled {
            serial: issued.serial.to_string(),
            certificate_pem: issued.pem,
            certificate: issued.der,
            chain_pem: chain.issuing_pem,
            key_pem: None,
            p12: None,
            not_after: issued.not_after.into(),
        };
        if let Material::Made { pair, password, flavor, .. } = self {
            let certificate = enrolled.certificate.clone();
            let (key_pem, p12) = aside(move || -> Result<_, ca::Failure> {
                let above: Vec<&[u8]> = chain.der.iter().map(Vec::as_slice).collect();
                let archive = ca::pkcs12(&certificate, &pair, &above, &password, &name, flavor)?;
                Ok((pair.to_pkcs8_pem(), (archive, password)))
            })
            .await??;
            (enrolled.key_pem, enrolled.p12) = (Some(key_pem), Some(p12));
        }
        Ok(enrolled)
    }
}

/// The certificates above an issued one.
pub(super) struct Chain {
    pub(super) issuing_pem: String,
    pub(super) der: Vec<Vec<u8>>,
}

impl fmt::Debug for Enrolled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enrolled").field("serial", &self.serial).finish_non_exhaustive()
    }
}

/// Shorter passwords for an archive are refused; whoever has the archive may try as fast as he can.
const PASSWORD_MIN: usize = 8;
