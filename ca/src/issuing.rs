//! Issuing: one certificate from a key, a subject and a profile.

use std::time::Duration as Length;

use rcgen::{CertificateParams, CustomExtension, IsCa, SerialNumber};
use time::{Duration, OffsetDateTime};
use x509_parser::certificate::X509Certificate;

use crate::{
    Authority, Certificate, Failure, Name, Profile, PublicKey, Serial, Subject, certificate::parse_x509, der,
    profile::Status,
};

/// A certificate that was just signed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Issued {
    /// The certificate in DER.
    pub der: Vec<u8>,
    /// The same in PEM, without its chain.
    pub pem: String,
    /// All that it names, the common name first.
    pub names: Vec<Name>,
    /// Its serial, the one that the caller chose.
    pub serial: Serial,
    /// First second of validity.
    pub not_before: OffsetDateTime,
    /// Last second of validity.
    pub not_after: OffsetDateTime,
    /// SHA-256 of the key's SubjectPublicKeyInfo, lower-case hexadecimal.
    pub spki_sha256: String,
    /// SHA-256 of the whole certificate, lower-case hexadecimal.
    pub fingerprint: String,
}

impl Issued {
    /// What a certificate says of itself that was signed elsewhere, under this serial.
    pub fn of(certificate: &Certificate, serial: Serial) -> Issued {
        Issued {
            der: certificate.der().to_vec(),
            pem: certificate.to_pem(),
            names: certificate.all_names().collect(),
            serial,
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            spki_sha256: certificate.spki_sha256.clone(),
            fingerprint: certificate.fingerprint_sha256.clone(),
        }
    }
}

impl Authority {
    /// Signs a certificate for the key, in the subject's names, under the profile's rules:
    ///
    /// 1. the life begins five minutes before `now`, for clocks that lag, and ends after `validity` or the
    ///    profile's own, yet never after the issuing certificate's;
    /// 2. the subject has the names that the profile demands, and each can stand in a certificate;
    /// 3. it is signed, with the key's bytes as they were requested and the caller's serial;
    /// 4. it is read back, and only a certificate that says exactly what was asked leaves the authority.
    ///
    /// The caller draws and records the serial *before*, so that a crash in between leaves no unknown certificate.
    pub fn issue(
        &self,
        key: &PublicKey,
        subject: &Subject,
        profile: Profile,
        validity: Option<Length>,
        serial: Serial,
        now: OffsetDateTime,
    ) -> Result<Issued, Failure> {
        let mut params = self.leaf(profile, key, serial)?;
        (params.not_before, params.not_after) = self.life(profile, validity, now)?;
        profile.demand_names(subject)?;
        params.distinguished_name = subject.distinguished_name()?;
        let names = subject.alternative_names()?;
        if !names.is_empty() {
            let content = der::value(der::SEQUENCE, &[&names.concat()]);
            params.custom_extensions.push(CustomExtension::from_oid_content(ALTERNATIVE_NAMES, content));
        }
        params.serial_number = Some(SerialNumber::from(serial.as_bytes().to_vec()));

        let signed = params.signed_by(&key.parts, &self.issuer);
        let signed = signed.map_err(|why| self.key.explain(why.into()))?;
        let x509 = parse_x509(signed.der())?;
        let certificate = Certificate::of(&x509, signed.der());
        self.compare((&certificate, &x509), key, subject, serial, &params, names.len())?;
        Ok(Issued::of(&certificate, serial))
    }

    /// Everything that follows from the profile, the kind of key and the serial.
    fn leaf(&self, profile: Profile, key: &PublicKey, serial: Serial) -> Result<CertificateParams, Failure> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::ExplicitNoCa;
        let usage = profile.key_usage(key);
        params.key_usages =
            vec![usage.ok_or(Failure::Key("nothing can be encrypted for a key that only signs"))?];
        params.extended_key_usages = profile.purposes();
        params.use_authority_key_identifier_extension = true;
        match profile.status() {
            Status::Published => {
                params.crl_distribution_points = self.urls.distribution_points_of(self.key_id(), serial)?;
                params.custom_extensions.push(self.urls.authority_information(self.key_id())?);
            }
            Status::NeverRevoked => params.custom_extensions.push(extension(NO_REV_AVAIL)),
            Status::NeverChecked => params.custom_extensions.push(extension(OCSP_NO_CHECK)),
        }
        Ok(params)
    }

    fn life(
        &self,
        profile: Profile,
        validity: Option<Length>,
        now: OffsetDateTime,
    ) -> Result<(OffsetDateTime, OffsetDateTime), Failure> {
        let issuing = self.issuing();
        if !issuing.is_valid_at(now) {
            return Err(Failure::Validity("the issuing certificate is not valid at this time"));
        }
        let length = validity.unwrap_or(profile.validity());
        if length < SHORTEST || length > profile.longest() {
            return Err(Failure::Validity("the profile does not allow this length"));
        }
        let length = Duration::try_from(length).map_err(|_| Failure::Validity("it is too long"))?;
        let not_before = later(now, -BACKDATE)?.max(issuing.not_before);
        Ok((not_before, later(now, length)?.min(issuing.not_after)))
    }

    /// Reads the answer with another library than the one that wrote it; a key that changed its curve on the way
    /// (rustls/rcgen#448) would be caught here.
    fn compare(
        &self,
        (signed, x509): (&Certificate, &X509Certificate<'_>),
        key: &PublicKey,
        subject: &Subject,
        serial: Serial,
        params: &CertificateParams,
        names: usize,
    ) -> Result<(), Failure> {
        let alike = [
            (x509.public_key().raw == key.spki_der(), "its key"),
            (signed.serial == Some(serial), "its serial"),
            (x509.issuer().as_raw() == self.name, "its issuer"),
            (signed.issuer_key_id.as_deref() == Some(self.key_id()), "its issuer's key"),
            (signed.not_before == params.not_before && signed.not_after == params.not_after, "its life"),
            (signed.common_name.as_deref() == Some(subject.common_name.as_str()), "its common name"),
            (signed.names.len() == names, "the number of its names"),
            (signed.names.iter().all(|name| subject.carries(name)), "its names"),
            (!signed.is_authority && !x509.is_ca(), "its rights"),
        ];
        match alike.iter().find(|(same, _)| !same) {
            None => Ok(()),
            Some((_, what)) => Err(Failure::Differs(what)),
        }
    }
}

/// A time further on, or back, in whole seconds as certificates count (RFC 5280 §4.1.2.5).
pub(crate) fn later(now: OffsetDateTime, by: Duration) -> Result<OffsetDateTime, Failure> {
    let whole = now.replace_nanosecond(0).ok().and_then(|now| now.checked_add(by));
    whole.ok_or(Failure::Validity("time does not reach that far"))
}

fn extension(oid: &[u64]) -> CustomExtension {
    CustomExtension::from_oid_content(oid, der::NULL.to_vec())
}

/// How far back certificates begin.
pub(crate) const BACKDATE: Duration = Duration::minutes(5);
const SHORTEST: Length = Length::from_secs(60);
/// id-ce-subjectAltName (RFC 5280 §4.2.1.6), which the library below cannot write for devices.
const ALTERNATIVE_NAMES: &[u64] = &[2, 5, 29, 17];
/// id-ce-noRevAvail (RFC 9608 §2).
const NO_REV_AVAIL: &[u64] = &[2, 5, 29, 56];
/// id-pkix-ocsp-nocheck (RFC 6960 §4.2.2.2.1).
const OCSP_NO_CHECK: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 48, 1, 5];
