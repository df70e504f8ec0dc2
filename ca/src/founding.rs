//! Founding: how an authority comes into being. A root that can go offline, and an issuing CA that works.

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose,
    PublicKeyData, SerialNumber, SigningKey,
};
use time::{Duration, OffsetDateTime};

use crate::{
    Authority, AuthorityKey, Certificate, Failure, KeyKind, KeyPair, Serial, Subject, Urls,
    certificate::borrowed,
    issuing::{BACKDATE, later},
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

/// What the root signs when an authority comes into being.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Charter {
    /// The root certificate: 20 years, path length 1.
    pub root_cert_pem: String,
    /// The root's first CRL: DER, empty, number 1, good for one year.
    pub root_crl: Vec<u8>,
    /// The issuing certificate: 5 years, path length 0.
    pub issuing_cert_pem: String,
}

/// A new authority: two certificates and their keys. The root's key is needed again only to sign another issuing
/// CA or the next root CRL, and belongs somewhere offline.
#[derive(Debug)]
#[non_exhaustive]
pub struct Founded {
    /// The root certificate: 20 years, path length 1.
    pub root_cert_pem: String,
    /// The root's key.
    pub root_key: KeyPair,
    /// The root's first CRL: DER, empty, number 1, good for one year.
    pub root_crl: Vec<u8>,
    /// The issuing certificate: 5 years, path length 0.
    pub issuing_cert_pem: String,
    /// The issuing CA's key.
    pub issuing_key: KeyPair,
}

impl Authority {
    /// Makes a root and an issuing CA with keys of one kind, both valid from five minutes before `now`.
    ///
    /// Neither holds name constraints. rustls-webpki takes constraints on mail addresses and URIs for violated by
    /// every such name (rustls/webpki#445); and under a dNSName constraint OpenSSL examines the common name of a
    /// client that has no DNS name, so `CN=alice.smith` would count as a host outside the domain. Which names are
    /// certified is decided where certificates are issued.
    pub fn found(
        organization: &Organization,
        urls: &Urls,
        kind: KeyKind,
        now: OffsetDateTime,
    ) -> Result<Founded, Failure> {
        let (root_key, issuing_key) = (KeyPair::generate(kind)?, KeyPair::generate(kind)?);
        let Charter { root_cert_pem, root_crl, issuing_cert_pem } =
            charter(organization, urls, &root_key, &issuing_key, now)?;
        Ok(Founded { root_cert_pem, root_key, root_crl, issuing_cert_pem, issuing_key })
    }

    /// The same for keys that are there already, such as ones that were made in a token. The root's key signs, of the
    /// issuing CA's only the public half is used.
    pub fn charter(
        organization: &Organization,
        urls: &Urls,
        root_key: &AuthorityKey,
        issuing_key: &AuthorityKey,
        now: OffsetDateTime,
    ) -> Result<Charter, Failure> {
        charter(organization, urls, root_key, issuing_key, now).map_err(|why| root_key.explain(why))
    }
}

fn charter(
    organization: &Organization,
    urls: &Urls,
    root_key: &impl SigningKey,
    issuing_key: &impl PublicKeyData,
    now: OffsetDateTime,
) -> Result<Charter, Failure> {
    let root = Certificate::parse(root(organization, now)?.self_signed(root_key)?.der())?;
    let root_id = root.key_id.as_deref().ok_or(Failure::Authority("the root has no key identifier"))?;
    let issuer = Issuer::from_ca_cert_der(&borrowed(root.der()), root_key)?;

    let issuing = issuing(organization, urls, root_id, now)?.signed_by(issuing_key, &issuer)?;
    let issuing_cert_pem = Certificate::parse(issuing.der())?.to_pem();

    let root_crl = sign_crl(root_key, &root, &[], 1, now, later(now, Duration::days(365))?)?;
    Ok(Charter { root_cert_pem: root.to_pem(), root_crl, issuing_cert_pem })
}

fn root(organization: &Organization, now: OffsetDateTime) -> Result<CertificateParams, Failure> {
    let mut params = authority(organization, "root CA", 1, Duration::days(7305), now)?;
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn issuing(
    owner: &Organization,
    urls: &Urls,
    root: &str,
    now: OffsetDateTime,
) -> Result<CertificateParams, Failure> {
    let mut params = authority(owner, "issuing CA", 0, Duration::days(1826), now)?;
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
    organization: &Organization,
    role: &str,
    path: u8,
    life: Duration,
    now: OffsetDateTime,
) -> Result<CertificateParams, Failure> {
    let subject = Subject {
        common_name: format!("{} {role}", organization.domain),
        organization: Some(organization.name.clone()),
        ..Subject::default()
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = subject.distinguished_name()?;
    params.serial_number = Some(SerialNumber::from(Serial::random()?.as_bytes().to_vec()));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path));
    params.not_before = later(now, -BACKDATE)?;
    params.not_after = later(now, life)?;
    Ok(params)
}
