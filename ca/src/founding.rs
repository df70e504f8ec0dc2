//! Founding: how an authority comes into being. A root that can go offline, and issuing CAs that work.

use std::fmt;

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose, SerialNumber,
};
use time::{Duration, OffsetDateTime};

use crate::{
    Authority, AuthorityKey, Certificate, Csr, Failure, KeyKind, KeyPair, Name, PublicKey, Serial, Subject,
    Urls,
    certificate::{borrowed, parse_x509},
    issuing::{BACKDATE, later},
    pem,
    profile::CMC_CA,
    revocation::sign_crl,
};

/// Whose authority it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// O of both certificates, 1 to 64 characters.
    pub name: String,
    /// The domain that both common names begin with, at most 53 characters.
    pub domain: String,
}

/// A new authority: two certificates and their keys. The root's key is needed again only to sign another issuing
/// CA or the next root CRL, and belongs somewhere offline.
#[derive(Debug)]
#[non_exhaustive]
pub struct Founded {
    /// The root certificate: 20 years, path length 1.
    pub root_cert_pem: String,
    /// The root's key.
    pub root_key: AuthorityKey,
    /// The root's first CRL: DER, empty, number 1, good for one year.
    pub root_crl: Vec<u8>,
    /// The issuing certificate: 5 years, path length 0.
    pub issuing_cert_pem: String,
    /// The issuing CA's key.
    pub issuing_key: KeyPair,
}

/// A root: the certificate that everybody trusts, and its key, which is needed again only for another issuing CA or for
/// the next list.
pub struct Root {
    certificate: Certificate,
    organization: Organization,
    issuer: Issuer<'static, AuthorityKey>,
    key: AuthorityKey,
}

impl Authority {
    /// Makes a root and an issuing CA with keys of one kind, both valid from five minutes before `now`.
    pub fn found(
        organization: &Organization,
        urls: &Urls,
        kind: KeyKind,
        now: OffsetDateTime,
    ) -> Result<Founded, Failure> {
        let (root_key, issuing_key) = (KeyPair::generate(kind)?, KeyPair::generate(kind)?);
        let root = Root::found(organization, root_key, now)?;
        let issuing_cert_pem = root.certify(&issuing_key.public_key()?, 1, urls, now)?.to_pem();
        let root_crl = root.crl(1, now, later(now, Duration::days(365))?)?;
        let Root { certificate, key: root_key, .. } = root;
        Ok(Founded { root_cert_pem: certificate.to_pem(), root_key, root_crl, issuing_cert_pem, issuing_key })
    }
}

impl Root {
    /// Makes the certificate of a root whose key is there: signed by itself, 20 years, path length 1.
    pub fn found(
        organization: &Organization,
        key: impl Into<AuthorityKey>,
        now: OffsetDateTime,
    ) -> Result<Root, Failure> {
        let key = key.into();
        let signed = root(organization, now)?.self_signed(&key).map_err(|why| key.explain(why.into()))?;
        Root::of(Certificate::parse(signed.der())?, key)
    }

    /// Puts certificate and key of a root together again.
    pub fn open(pem: &str, key: impl Into<AuthorityKey>) -> Result<Root, Failure> {
        Root::of(Certificate::from_pem(pem)?, key.into())
    }

    fn of(certificate: Certificate, key: AuthorityKey) -> Result<Root, Failure> {
        if parse_x509(certificate.der())?.public_key().raw != key.public_key()?.spki_der() {
            return Err(Failure::Authority("the key is not the root's"));
        }
        let organization = Organization::of(&certificate)?;
        let issuer = Issuer::from_ca_cert_der(&borrowed(certificate.der()), key.clone())?;
        Ok(Root { certificate, organization, issuer, key })
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Certifies the key of an issuing CA: five years, path length 0. `number` counts the issuing CAs of this root, and
    /// stands in the name from the second on, so that no two have one name.
    ///
    /// It holds no name constraints. rustls-webpki takes constraints on mail addresses and URIs for violated by
    /// every such name (rustls/webpki#445); and under a dNSName constraint OpenSSL examines the common name of a
    /// client that has no DNS name, so `CN=alice.smith` would count as a host outside the domain. Which names are
    /// certified is decided where certificates are issued.
    pub fn certify(
        &self,
        key: &PublicKey,
        number: u32,
        urls: &Urls,
        now: OffsetDateTime,
    ) -> Result<Certificate, Failure> {
        let id = self.certificate.key_id.as_deref();
        let id = id.ok_or(Failure::Authority("the root has no key identifier"))?;
        let mut params = issuing(&self.organization, number, urls, id, now)?;
        params.not_after = params.not_after.min(self.certificate.not_after);
        let signed = params.signed_by(&key.parts, &self.issuer);
        Certificate::parse(signed.map_err(|why| self.key.explain(why.into()))?.der())
    }

    /// Whether this is the request of an issuing CA for this root's organization.
    pub fn is_asked_by(&self, request: &Csr) -> bool {
        *request.requested() == [Name::CommonName(self.organization.issuing_name(1))]
    }

    /// Signs an empty list: an issuing CA of this root that must go is followed by another root, not by a list. `number`
    /// grows with each; `next_update` is when relying parties must have a newer one.
    pub fn crl(
        &self,
        number: u64,
        now: OffsetDateTime,
        next_update: OffsetDateTime,
    ) -> Result<Vec<u8>, Failure> {
        let signed = sign_crl(&self.key, &self.certificate, &[], &[], number, now, next_update);
        signed.map_err(|why| self.key.explain(why))
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Root").field("subject", &self.certificate.subject).finish_non_exhaustive()
    }
}

impl Organization {
    /// The request in PEM by which an issuing CA asks a root that is elsewhere for its certificate (RFC 2986).
    pub fn request(&self, key: &AuthorityKey) -> Result<String, Failure> {
        let mut params = CertificateParams::default();
        params.distinguished_name = self.subject(self.issuing_name(1)).distinguished_name()?;
        let signed = params.serialize_request(key).map_err(|why| key.explain(why.into()))?;
        Ok(pem::encode("CERTIFICATE REQUEST", signed.der()))
    }

    /// Whose root or issuing CA this is, by its name.
    pub fn of(certificate: &Certificate) -> Result<Organization, Failure> {
        let x509 = parse_x509(certificate.der())?;
        let name = x509.subject().iter_organization().find_map(|name| name.as_str().ok());
        let domain = certificate
            .common_name
            .as_deref()
            .and_then(|name| name.split_once(' '))
            .filter(|(_, role)| role.split_whitespace().any(|word| word == "CA"));
        let domain = domain.map(|(domain, _)| domain);
        match (name, domain) {
            (Some(name), Some(domain)) => Ok(Organization { name: name.into(), domain: domain.into() }),
            _ => Err(Failure::Authority("it bears no name of ours, O=… and CN=DOMAIN … CA")),
        }
    }

    /// Later names are the shorter ones: a domain whose first issuing CA could be named has room for them as well.
    fn issuing_name(&self, number: u32) -> String {
        match number {
            0 | 1 => format!("{} issuing CA", self.domain),
            _ => format!("{} CA {number}", self.domain),
        }
    }

    fn subject(&self, common_name: String) -> Subject {
        Subject { common_name, organization: Some(self.name.clone()), ..Subject::default() }
    }
}

fn root(organization: &Organization, now: OffsetDateTime) -> Result<CertificateParams, Failure> {
    let name = format!("{} root CA", organization.domain);
    let mut params = authority(organization.subject(name), 1, Duration::days(7305), now)?;
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn issuing(
    owner: &Organization,
    number: u32,
    urls: &Urls,
    root: &str,
    now: OffsetDateTime,
) -> Result<CertificateParams, Failure> {
    let name = owner.issuing_name(number);
    let mut params = authority(owner.subject(name), 0, Duration::days(1826), now)?;
    // digitalSignature for CMP answers and for OCSP answers without a delegated signer.
    params.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::EmailProtection,
        ExtendedKeyUsagePurpose::OcspSigning,
        ExtendedKeyUsagePurpose::Other(CMC_CA.to_vec()),
    ];
    params.use_authority_key_identifier_extension = true;
    params.crl_distribution_points = urls.distribution_points(root)?;
    params.custom_extensions.push(urls.authority_information(root)?);
    Ok(params)
}

/// What root and issuing CA have in common.
fn authority(
    subject: Subject,
    path: u8,
    life: Duration,
    now: OffsetDateTime,
) -> Result<CertificateParams, Failure> {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject.distinguished_name()?;
    params.serial_number = Some(SerialNumber::from(Serial::random()?.as_bytes().to_vec()));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path));
    params.not_before = later(now, -BACKDATE)?;
    params.not_after = later(now, life)?;
    Ok(params)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

    fn key() -> KeyPair {
        KeyPair::generate(KeyKind::P256).expect("a key")
    }

    fn organization(domain: &str) -> Organization {
        Organization { name: "Corp".into(), domain: domain.into() }
    }

    #[test]
    fn every_domain_that_can_be_founded_can_have_another_issuing_ca() {
        let longest = format!("{}.example", "d".repeat(45));
        let urls =
            Urls { crl: "http://x/c".into(), shards: Vec::new(), issuer: "http://x/i".into(), ocsp: None };
        let root = Root::found(&organization(&longest), key(), NOW).expect("a root");
        let key = key().public_key().expect("sound");
        let mut names: Vec<_> = [1, 2, 9_999_999]
            .map(|number| root.certify(&key, number, &urls, NOW).expect("certified"))
            .into_iter()
            .map(|issuing| {
                assert_eq!(Organization::of(&issuing).expect("named"), organization(&longest));
                issuing.subject
            })
            .collect();
        names.dedup();
        assert_eq!(names.len(), 3, "{names:?}");
    }

    #[test]
    fn a_root_knows_the_requests_of_its_own_organization() {
        let root = Root::found(&organization("corp.example"), key(), NOW).expect("a root");
        let request = |domain: &str| {
            let pem = organization(domain).request(&key().into()).expect("a request");
            Csr::parse(pem.as_bytes()).expect("sound")
        };
        assert!(root.is_asked_by(&request("corp.example")));
        assert!(!root.is_asked_by(&request("evil.example")));
    }

    #[test]
    fn a_root_is_put_together_again_with_its_own_key_only() {
        let (own, other) = (key(), key());
        let again = KeyPair::from_pkcs8_pem(&own.to_pkcs8_pem()).expect("sound");
        let root = Root::found(&organization("corp.example"), own, NOW).expect("a root");
        let pem = root.certificate().to_pem();
        assert!(Root::open(&pem, other).is_err());
        let root = Root::open(&pem, again).expect("opened");
        let list = root.crl(7, NOW, NOW + Duration::days(365)).expect("a list");
        assert!(root.certificate().has_signed_list(&list).expect("a list"));
        let stranger = Root::found(&organization("corp.example"), key(), NOW).expect("a root");
        assert!(!stranger.certificate().has_signed_list(&list).expect("a list"));
    }
}
