//! The chain: an authority's certificates without its key, which is all that others see of it, and all that a house
//! needs whose key lies elsewhere.

use crate::{Certificate, Failure, Profile, Subject};

/// The issuing CA's certificate and the root's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    key_id: String,
    issuing: Certificate,
    root: Certificate,
}

impl Chain {
    /// Examines the two: both sign certificates, and the root signed itself and the issuing CA. Whether the root is to
    /// be trusted is the caller's to know.
    pub fn new(issuing: Certificate, root: Certificate) -> Result<Chain, Failure> {
        if !issuing.is_authority || !root.is_authority {
            return Err(Failure::Authority("a certificate does not sign certificates"));
        }
        if !root.is_signed_by(&root)? {
            return Err(Failure::Authority("the root is not signed by its own key"));
        }
        if !issuing.is_signed_by(&root)? {
            return Err(Failure::Authority("the issuing CA is not signed by the root"));
        }
        let key_id = issuing.key_id.clone();
        let key_id = key_id.ok_or(Failure::Authority("the issuing CA has no key identifier"))?;
        Ok(Chain { key_id, issuing, root })
    }

    /// Whether the certificate bears the issuing CA's name and signature. Whether it still stands is for the ledger.
    pub fn has_issued(&self, certificate: &Certificate) -> bool {
        certificate.is_signed_by(&self.issuing).unwrap_or(false)
    }

    /// Whether a certificate of the profile can be issued in these names, without issuing one.
    pub fn check_subject(&self, subject: &Subject, profile: Profile) -> Result<(), Failure> {
        profile.demand_names(subject)?;
        subject.distinguished_name()?;
        subject.alternative_names().map(drop)
    }

    /// The issuing CA's distinguished name, for people.
    pub fn issuer_name(&self) -> &str {
        &self.issuing.subject
    }

    /// The issuing CA's key identifier, lower-case hexadecimal: the `{issuer}` of [`Urls`](crate::Urls).
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The issuing CA's certificate.
    pub fn issuing(&self) -> &Certificate {
        &self.issuing
    }

    /// The root certificate.
    pub fn root(&self) -> &Certificate {
        &self.root
    }

    /// The issuing CA's certificate in PEM: what a TLS endpoint sends after its own certificate.
    pub fn chain_pem(&self) -> String {
        self.issuing.to_pem()
    }

    /// The root certificate in PEM: what the others trust.
    pub fn root_pem(&self) -> String {
        self.root.to_pem()
    }

    /// The DER certificates from the issuing CA to the root, the root once.
    pub fn chain_der(&self) -> Vec<&[u8]> {
        let mut chain = vec![self.issuing.der(), self.root.der()];
        chain.dedup();
        chain
    }
}
