//! The house's own server certificate, kept in `STATE/server.pem` and `STATE/server.key`.

use std::net::IpAddr;
use std::path::Path;

use chancery_ca as ca;
use serde_json::json;
use zeroize::Zeroizing;

use super::authority::Order;
use super::{Certify, Enrollment, Failure, Ground, Refused, grant, safe};
use crate::principal::Principal;
use crate::time::Timestamp;

/// What the doors show. The key never prints itself.
pub(crate) struct ServerCertificate {
    /// The certificate and the issuing CA's.
    pub(crate) chain_der: Vec<Vec<u8>>,
    /// PKCS#8.
    pub(crate) key_pkcs8_der: Zeroizing<Vec<u8>>,
    /// Last second of validity.
    pub(crate) not_after: Timestamp,
}

impl Enrollment {
    /// The house's certificate for these host names and IP addresses: the one it has or, when that one is for other
    /// names, has less than a third of its life left, was revoked or is another authority's, a new one with a new key.
    pub(crate) async fn server_certificate(
        &self,
        names: &[String],
        now: Timestamp,
    ) -> Result<ServerCertificate, Failure> {
        let subject = grant::hosts(names);
        if subject.common_name.is_empty() {
            return Err(Failure::ServerNames(names.to_vec()));
        }
        match kept(&self.state)? {
            Some((certificate, key)) if self.still_serves(&certificate, &subject, now) => {
                Ok(self.serving(&certificate, &key))
            }
            _ => self.renew_server_certificate(subject, now).await,
        }
    }

    async fn renew_server_certificate(
        &self,
        subject: ca::Subject,
        now: Timestamp,
    ) -> Result<ServerCertificate, Failure> {
        let pair = ca::KeyPair::generate(ca::KeyKind::P256)?;
        let profile = ca::Profile::Server;
        let names =
            subject.dns.iter().cloned().chain(subject.ip.iter().map(IpAddr::to_string)).collect::<Vec<_>>();
        let certify = Certify {
            deed: "certificate.enroll",
            account: None,
            name: subject.common_name.clone(),
            order: Order { key: pair.public_key()?, subject, profile, validity: self.cfg.validity(profile) },
            facts: json!({ "names": names }),
            ground: Ground::Standing,
        };
        let issued =
            self.certify(&Principal::System, certify, now).await.map_err(|refused| match refused {
                Refused::Failed(failure) => failure,
                Refused::Names(why) => Failure::Signing(why),
                _ => Failure::ServerNames(names),
            })?;
        let certificate = ca::Certificate::parse(&issued.der)?;
        // A crash between the two files leaves a pair that does not fit, which counts as none at the next start.
        safe::put(&self.state.join(KEY), pair.to_pkcs8_pem().as_bytes())?;
        safe::put(&self.state.join(CERTIFICATE), format!("{}{}", issued.pem, self.chain_pem()).as_bytes())?;
        tracing::info!(certificate.serial = %issued.serial, "the house has a new server certificate");
        Ok(self.serving(&certificate, &pair))
    }

    fn serving(&self, certificate: &ca::Certificate, key: &ca::KeyPair) -> ServerCertificate {
        ServerCertificate {
            chain_der: vec![certificate.der().to_vec(), self.authority.public().issuing().der().to_vec()],
            key_pkcs8_der: key.to_pkcs8_der(),
            not_after: certificate.not_after.into(),
        }
    }

    fn still_serves(&self, certificate: &ca::Certificate, wanted: &ca::Subject, now: Timestamp) -> bool {
        let (from, until) = (Timestamp::from(certificate.not_before), Timestamp::from(certificate.not_after));
        let fresh = from <= now && until.since(now) >= until.since(from) / 3;
        fresh
            && certificate.issuer_key_id.as_deref() == Some(self.issuer_id())
            && !self.is_revoked(&certificate.serial_hex)
            && same_names(certificate, wanted)
    }
}

/// The pair on disk, if there is one that fits together.
fn kept(state: &Path) -> Result<Option<(ca::Certificate, ca::KeyPair)>, Failure> {
    let (Some(certificate), Some(key)) = (safe::get(&state.join(CERTIFICATE))?, safe::get(&state.join(KEY))?)
    else {
        return Ok(None);
    };
    let (certificate, key) = (String::from_utf8_lossy(&certificate), Zeroizing::new(key));
    let pair = std::str::from_utf8(&key).ok().and_then(|key| ca::KeyPair::from_pkcs8_pem(key).ok());
    let (Ok(certificate), Some(pair)) = (ca::Certificate::from_pem(&certificate), pair) else {
        tracing::warn!("the server certificate on disk cannot be read; a new one takes its place");
        return Ok(None);
    };
    let fits = pair.public_key()?.spki_sha256() == certificate.spki_sha256;
    Ok(fits.then_some((certificate, pair)))
}

fn same_names(certificate: &ca::Certificate, wanted: &ca::Subject) -> bool {
    let dns = wanted.dns.iter().cloned().map(ca::Name::Dns);
    let wanted: Vec<_> = dns.chain(wanted.ip.iter().copied().map(ca::Name::Ip)).collect();
    certificate.names.len() == wanted.len() && wanted.iter().all(|name| certificate.names.contains(name))
}

const CERTIFICATE: &str = "server.pem";
const KEY: &str = "server.key";
