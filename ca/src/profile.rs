//! Profiles: what a certificate is good for, and for how long. The one table of certificate rules.

use std::{fmt, str::FromStr, time::Duration};

use rcgen::{ExtendedKeyUsagePurpose as Purpose, KeyUsagePurpose};

use crate::{Failure, PublicKey, Refusal, Subject};

/// A kind of certificate that an authority issues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// A person's client: 90 days, `clientAuth`; named by a URI.
    Client,
    /// A person's mail program, to sign: 1 year, `emailProtection` with digitalSignature; named by a mail address.
    MailSigning,
    /// The same, to be written to: 1 year, `emailProtection` with keyAgreement, or keyEncipherment for RSA.
    MailEncryption,
    /// A machine of somebody's: 1 year, `clientAuth`; named by a URI, and as a device.
    Device,
    /// A client for one working day: 24 hours, `clientAuth`, and no revocation information (RFC 9608).
    Session,
    /// A server: 90 days, `serverAuth`; named by DNS names or IP addresses.
    Server,
    /// A whole domain towards other domains: 30 days, `clientAuth` and `serverAuth`; named by a DNS name.
    Peer,
    /// A signer of OCSP answers: 30 days, `OCSPSigning`, never itself checked (RFC 6960 §4.2.2.2.1).
    OcspSigner,
    /// A signer of CMP answers: 30 days, `cmcCA` (RFC 6402 §2.10), as RFC 9483 §1.5 wants it of a delegate.
    CmpSigner,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Profile; 9] = [
        Profile::Client,
        Profile::MailSigning,
        Profile::MailEncryption,
        Profile::Device,
        Profile::Session,
        Profile::Server,
        Profile::Peer,
        Profile::OcspSigner,
        Profile::CmpSigner,
    ];

    /// The word, such as `client`.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Client => "client",
            Profile::MailSigning => "mail-signing",
            Profile::MailEncryption => "mail-encryption",
            Profile::Device => "device",
            Profile::Session => "session",
            Profile::Server => "server",
            Profile::Peer => "peer",
            Profile::OcspSigner => "ocsp-signer",
            Profile::CmpSigner => "cmp-signer",
        }
    }

    /// How long a certificate lives when the caller does not say.
    pub fn validity(self) -> Duration {
        let days = match self {
            Profile::Client | Profile::Server => 90,
            Profile::Device | Profile::MailSigning | Profile::MailEncryption => 365,
            Profile::Session => 1,
            Profile::Peer | Profile::OcspSigner | Profile::CmpSigner => 30,
        };
        days * DAY
    }

    /// The longest that a caller may ask for. What cannot be revoked is short; the rest ends within two years,
    /// so that a slip in the configuration does not make certificates for ever.
    pub fn longest(self) -> Duration {
        match self {
            Profile::Session | Profile::OcspSigner | Profile::CmpSigner => self.validity(),
            _ => 730 * DAY,
        }
    }

    /// Whether a certificate of this profile can do anything with the key: nothing can be encrypted for Ed25519.
    pub fn check_key(self, key: &PublicKey) -> Result<(), Refusal> {
        self.key_usage(key)
            .map(drop)
            .ok_or(Refusal::Key("nothing can be encrypted for a key that only signs"))
    }

    /// TLS 1.3 and every ECDHE suite only sign; only who is written to needs a key that something can be sealed for.
    pub(crate) fn key_usage(self, key: &PublicKey) -> Option<KeyUsagePurpose> {
        match self {
            Profile::MailEncryption => key.use_for_sealing(),
            _ => Some(KeyUsagePurpose::DigitalSignature),
        }
    }

    pub(crate) fn purposes(self) -> Vec<Purpose> {
        match self {
            Profile::Client | Profile::Device | Profile::Session => vec![Purpose::ClientAuth],
            Profile::Server => vec![Purpose::ServerAuth],
            Profile::Peer => vec![Purpose::ClientAuth, Purpose::ServerAuth],
            Profile::MailSigning | Profile::MailEncryption => vec![Purpose::EmailProtection],
            Profile::OcspSigner => vec![Purpose::OcspSigning],
            Profile::CmpSigner => vec![Purpose::Other(CMC_CA.to_vec())],
        }
    }

    pub(crate) fn status(self) -> Status {
        match self {
            Profile::Session => Status::NeverRevoked,
            Profile::OcspSigner => Status::NeverChecked,
            _ => Status::Published,
        }
    }

    /// Demands the kind of name by which the other side will know the subject: a CN alone names nobody (RFC 9525).
    pub(crate) fn demand_names(self, subject: &Subject) -> Result<(), Failure> {
        let (given, needs) = match self {
            Profile::Client | Profile::Session => (!subject.uri.is_empty(), "a URI"),
            Profile::Device => (!subject.uri.is_empty() && subject.device.is_some(), "a URI and a device"),
            Profile::MailSigning | Profile::MailEncryption => (subject.mail.is_some(), "a mail address"),
            Profile::Server => {
                (!subject.dns.is_empty() || !subject.ip.is_empty(), "a DNS name or an IP address")
            }
            Profile::Peer => (!subject.dns.is_empty(), "a DNS name"),
            Profile::OcspSigner | Profile::CmpSigner => (!subject.common_name.is_empty(), "a common name"),
        };
        if given { Ok(()) } else { Err(Failure::Incomplete { profile: self, needs }) }
    }
}

/// What a certificate says about its own revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It names the CRL.
    Published,
    /// It will not be revoked (noRevAvail).
    NeverRevoked,
    /// It is not to be checked (id-pkix-ocsp-nocheck).
    NeverChecked,
}

impl FromStr for Profile {
    type Err = Refusal;

    fn from_str(word: &str) -> Result<Profile, Refusal> {
        let known = Profile::ALL.into_iter().find(|profile| profile.name() == word);
        known.ok_or_else(|| Refusal::Word(Profile::ALL.map(Profile::name).join(", ")))
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

/// id-kp-cmcCA, 1.3.6.1.5.5.7.3.27.
pub(crate) const CMC_CA: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 27];
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_profile_is_found_by_its_name() {
        for profile in Profile::ALL {
            assert_eq!(profile.to_string().parse(), Ok(profile));
            assert!(profile.validity() <= profile.longest());
        }
        assert!("root".parse::<Profile>().is_err());
    }
}
