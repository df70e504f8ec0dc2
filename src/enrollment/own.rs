//! The house's own certificates: of its doors, of its OCSP answers, of its CMP answers. Each is kept with its key in
//! `STATE/NAME.pem` and `STATE/NAME.key`, and replaced in time.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use chancery_ca as ca;
use serde_json::json;
use zeroize::Zeroizing;

use super::authority::Order;
use super::issuers::Issuer;
use super::{Certify, Enrollment, Failure, Ground, Refused, grant, safe};
use crate::principal::Principal;
use crate::time::Timestamp;

/// What the doors show. The key never prints itself.
pub(crate) struct ServerCertificate {
    /// The certificate and the issuing CA's.
    pub(crate) chain_der: Vec<Vec<u8>>,
    /// PKCS#8.
    pub(crate) key_pkcs8_der: Zeroizing<Vec<u8>>,
    /// An OCSP answer about the certificate (RFC 6066 §8), good for an hour; empty when there is none.
    pub(crate) staple: Vec<u8>,
    /// Last second of validity.
    pub(crate) not_after: Timestamp,
}

/// A certificate with its key.
pub(super) struct Own {
    pub(super) certificate: ca::Certificate,
    pub(super) key: ca::KeyPair,
}

impl Enrollment {
    /// What the doors show for these host names and IP addresses.
    pub(crate) async fn server_certificate(
        &self,
        names: &[String],
        now: Timestamp,
    ) -> Result<ServerCertificate, Failure> {
        let subject = grant::hosts(names);
        if subject.common_name.is_empty() {
            return Err(Failure::OwnNames(names.to_vec()));
        }
        let issuer = self.authority.current();
        let Own { certificate, key } = self.own("server", ca::Profile::Server, subject, &issuer, now).await?;
        // Clients that find no staple ask for themselves, or not at all; nobody is shut out for it.
        let staple = self.staple(&certificate, now).await.unwrap_or_else(|error| {
            tracing::error!(%error, "the doors have no OCSP answer to show");
            Vec::new()
        });
        Ok(ServerCertificate {
            staple,
            chain_der: vec![certificate.der().to_vec(), issuer.issuing().der().to_vec()],
            key_pkcs8_der: key.to_pkcs8_der(),
            not_after: certificate.not_after.into(),
        })
    }

    /// The house's certificate of this name: the one it has or, when that one is for other names, has less than a third
    /// of its life left, was revoked or is another issuing CA's, a new one with a new key.
    pub(super) async fn own(
        &self,
        name: &str,
        profile: ca::Profile,
        subject: ca::Subject,
        issuer: &Arc<Issuer>,
        now: Timestamp,
    ) -> Result<Own, Failure> {
        match kept(&self.state, name)? {
            Some(own) if self.still_serves(&own.certificate, &subject, issuer, now) => Ok(own),
            _ => self.renew_own(name, profile, subject, issuer, now).await,
        }
    }

    async fn renew_own(
        &self,
        name: &str,
        profile: ca::Profile,
        subject: ca::Subject,
        issuer: &Arc<Issuer>,
        now: Timestamp,
    ) -> Result<Own, Failure> {
        let key = ca::KeyPair::generate(ca::KeyKind::P256)?;
        let names =
            subject.dns.iter().cloned().chain(subject.ip.iter().map(IpAddr::to_string)).collect::<Vec<_>>();
        let certify = Certify {
            deed: "certificate.enroll",
            account: None,
            name: subject.common_name.clone(),
            order: Order {
                key: key.public_key()?,
                subject,
                profile,
                validity: self.cfg.validity(profile),
                issuer: issuer.clone(),
            },
            facts: json!({ "names": names }),
            ground: Ground::Standing,
        };
        let issued =
            self.certify(&Principal::System, certify, now).await.map_err(|refused| match refused {
                Refused::Failed(failure) => failure,
                Refused::Names(why) => Failure::Signing(why),
                _ => Failure::OwnNames(names),
            })?;
        let certificate = ca::Certificate::parse(&issued.der)?;
        // A crash between the two files leaves a pair that does not fit, which counts as none at the next start.
        safe::put(&self.state.join(format!("{name}.key")), key.to_pkcs8_pem().as_bytes())?;
        let chain = format!("{}{}", issued.pem, issuer.chain_pem());
        safe::put(&self.state.join(format!("{name}.pem")), chain.as_bytes())?;
        tracing::info!(name, certificate.serial = %issued.serial, "the house has a new certificate of its own");
        Ok(Own { certificate, key })
    }

    pub(super) fn still_serves(
        &self,
        certificate: &ca::Certificate,
        wanted: &ca::Subject,
        issuer: &Issuer,
        now: Timestamp,
    ) -> bool {
        let (from, until) = (Timestamp::from(certificate.not_before), Timestamp::from(certificate.not_after));
        let fresh = from <= now && until.since(now) >= until.since(from) / 3;
        fresh
            && certificate.issuer_key_id.as_deref() == Some(issuer.key_id())
            && !self.is_revoked(&certificate.serial_hex)
            && same_names(certificate, wanted)
    }
}

/// The pair on disk, if there is one that fits together.
fn kept(state: &Path, name: &str) -> Result<Option<Own>, Failure> {
    let file = |kind: &str| safe::get(&state.join(format!("{name}.{kind}")));
    let (Some(certificate), Some(key)) = (file("pem")?, file("key")?) else { return Ok(None) };
    let (certificate, key) = (String::from_utf8_lossy(&certificate), Zeroizing::new(key));
    let key = std::str::from_utf8(&key).ok().and_then(|key| ca::KeyPair::from_pkcs8_pem(key).ok());
    let (Ok(certificate), Some(key)) = (ca::Certificate::from_pem(&certificate), key) else {
        tracing::warn!(name, "the house's own certificate on disk cannot be read; a new one takes its place");
        return Ok(None);
    };
    let fits = key.public_key()?.spki_sha256() == certificate.spki_sha256;
    Ok(fits.then_some(Own { certificate, key }))
}

fn same_names(certificate: &ca::Certificate, wanted: &ca::Subject) -> bool {
    let dns = wanted.dns.iter().cloned().map(ca::Name::Dns);
    let names: Vec<_> = dns.chain(wanted.ip.iter().copied().map(ca::Name::Ip)).collect();
    certificate.common_name.as_ref() == Some(&wanted.common_name)
        && certificate.names.len() == names.len()
        && names.iter().all(|name| certificate.names.contains(name))
}
