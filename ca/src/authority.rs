//! The authority: certificate, chain and key. The only place where a CA key signs anything.

use std::fmt;
use std::ops::Deref;

use rcgen::{CrlDistributionPoint, CustomExtension, Issuer, PublicKeyData};
use time::OffsetDateTime;

use crate::{
    AuthorityKey, Certificate, Chain, Failure, Revoked, Serial, Shard,
    certificate::{borrowed, parse_x509},
    der,
    revocation::sign_crl,
};

/// Where others fetch what an authority publishes, as plain `http:` URLs: fetching them must not need the very
/// certificates that they are about (RFC 5280 §8). `{issuer}` stands for the signing authority's key identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Urls {
    /// The complete CRL in DER, such as `http://pki.corp.example/crl/{issuer}.crl`.
    pub crl: String,
    /// The CRL of a shard in DER, such as `http://pki.corp.example/crl/{issuer}/{shard}.crl`. Certificates name the first, and
    /// lists of shards all, so that they hold for certificates of a time when another one was the first. Without any there
    /// are no shards, and certificates name the complete CRL.
    pub shards: Vec<String>,
    /// The authority's certificate in DER, such as `http://pki.corp.example/ca/{issuer}.cer`.
    pub issuer: String,
    /// The OCSP responder, if there is one.
    pub ocsp: Option<String>,
}

/// An authority that can sign. Share it behind an `Arc`; it holds the CA key for as long as it lives.
pub struct Authority {
    pub(crate) issuer: Issuer<'static, AuthorityKey>,
    /// The issuer's own, which it does not show again.
    pub(crate) key: AuthorityKey,
    pub(crate) urls: Urls,
    chain: Chain,
    /// The issuing CA's distinguished name in DER.
    pub(crate) name: Vec<u8>,
}

impl Authority {
    /// Puts an issuing CA together and examines it: both certificates sign certificates, the root signed itself
    /// and the issuing CA, and the key is the issuing CA's.
    ///
    /// Validity is not examined here but at each signature, where the time is known. With the root's certificate
    /// and key in the place of the issuing CA's, the authority can renew the root's CRL.
    pub fn open(
        issuing_pem: &str,
        issuing_key: impl Into<AuthorityKey>,
        root_pem: &str,
        urls: Urls,
    ) -> Result<Authority, Failure> {
        let key = issuing_key.into();
        let chain = Chain::new(Certificate::from_pem(issuing_pem)?, Certificate::from_pem(root_pem)?)?;
        let issuing = chain.issuing();
        let x509 = parse_x509(issuing.der())?;
        let name = x509.subject().as_raw().to_vec();
        if x509.public_key().raw != key.subject_public_key_info() {
            return Err(Failure::Authority("the key is not the issuing CA's"));
        }
        let issuer = Issuer::from_ca_cert_der(&borrowed(issuing.der()), key.clone())?;
        // A bad URL shows at start, not at the first certificate.
        urls.distribution_points(chain.key_id())?;
        Shard::all().try_for_each(|shard| urls.of_shard(chain.key_id(), shard).map(drop))?;
        urls.authority_information(chain.key_id())?;
        Ok(Authority { issuer, key, urls, chain, name })
    }

    /// Whether it signs a certificate in less time than another thread takes to wake: its key is in memory, and not in a
    /// token, which may be a network away.
    pub fn is_at_hand(&self) -> bool {
        matches!(self.key, AuthorityKey::Held(_))
    }

    /// Signs the complete list of revoked certificates, in DER. `number` grows with each list; `next_update` is when
    /// relying parties must have a newer one.
    ///
    /// The list has no issuing distribution point: it covers everything that this authority signs, and stays right
    /// for certificates that were issued when the URLs were other ones.
    pub fn crl(
        &self,
        revoked: &[Revoked],
        number: u64,
        now: OffsetDateTime,
        next_update: OffsetDateTime,
    ) -> Result<Vec<u8>, Failure> {
        self.sign_crl(&[], revoked, number, now, next_update)
    }

    /// The same for one shard: `revoked` is every certificate that belongs to it, and none that does not.
    ///
    /// Its critical issuing distribution point has the URLs of the shard, so that no list of another one passes for it
    /// (RFC 5280 §6.3.3 (b)).
    pub fn shard_crl(
        &self,
        shard: Shard,
        revoked: &[Revoked],
        number: u64,
        now: OffsetDateTime,
        next_update: OffsetDateTime,
    ) -> Result<Vec<u8>, Failure> {
        let urls = self.urls.of_shard(self.key_id(), shard)?;
        if urls.is_empty() {
            return Err(Failure::Shard("there is no URL for it"));
        }
        if revoked.iter().any(|line| Shard::of(line.serial) != shard) {
            return Err(Failure::Shard("a serial belongs to another one"));
        }
        self.sign_crl(&urls, revoked, number, now, next_update)
    }

    fn sign_crl(
        &self,
        urls: &[String],
        revoked: &[Revoked],
        number: u64,
        now: OffsetDateTime,
        next_update: OffsetDateTime,
    ) -> Result<Vec<u8>, Failure> {
        if !self.issuing().is_valid_at(now) {
            return Err(Failure::Validity("the issuing certificate is not valid at this time"));
        }
        let signed = sign_crl(&self.key, self.issuing(), urls, revoked, number, now, next_update);
        signed.map_err(|why| self.key.explain(why))
    }
}

/// What its chain shows, an authority shows.
impl Deref for Authority {
    type Target = Chain;

    fn deref(&self) -> &Chain {
        &self.chain
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Authority").field("key_id", &self.key_id()).finish_non_exhaustive()
    }
}

impl Urls {
    pub(crate) fn distribution_points(&self, issuer: &str) -> Result<Vec<CrlDistributionPoint>, Failure> {
        Ok(vec![CrlDistributionPoint { uris: vec![fill(&self.crl, issuer)?] }])
    }

    /// Where a certificate is told of once it is taken back.
    pub(crate) fn distribution_points_of(
        &self,
        issuer: &str,
        serial: Serial,
    ) -> Result<Vec<CrlDistributionPoint>, Failure> {
        match self.of_shard(issuer, Shard::of(serial))?.into_iter().next() {
            Some(url) => Ok(vec![CrlDistributionPoint { uris: vec![url] }]),
            None => self.distribution_points(issuer),
        }
    }

    fn of_shard(&self, issuer: &str, shard: Shard) -> Result<Vec<String>, Failure> {
        let shard = shard.to_string();
        self.shards.iter().map(|url| fill(&url.replace("{shard}", &shard), issuer)).collect()
    }

    /// AuthorityInfoAccess (RFC 5280 §4.2.2.1), which the library below has no words for.
    pub(crate) fn authority_information(&self, issuer: &str) -> Result<CustomExtension, Failure> {
        let access = |method: &[u8], url: &str| -> Result<Vec<u8>, Failure> {
            let location = der::value(der::URI, &[fill(url, issuer)?.as_bytes()]);
            Ok(der::value(der::SEQUENCE, &[&der::value(der::OID, &[method]), &location]))
        };
        let ocsp = self.ocsp.as_deref().map(|url| access(ID_OCSP, url)).transpose()?.unwrap_or_default();
        let content = der::value(der::SEQUENCE, &[&ocsp, &access(ID_CA_ISSUERS, &self.issuer)?]);
        Ok(CustomExtension::from_oid_content(AUTHORITY_INFO_ACCESS, content))
    }
}

fn fill(url: &str, issuer: &str) -> Result<String, Failure> {
    let url = url.replace("{issuer}", issuer);
    let sound = url.starts_with("http://") && url.bytes().all(|byte| byte.is_ascii_graphic());
    let wrong = || Failure::Name { what: "URL", value: url.clone(), why: "it is not a plain http URL" };
    if sound { Ok(url) } else { Err(wrong()) }
}

const AUTHORITY_INFO_ACCESS: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 1];
/// id-ad-ocsp, 1.3.6.1.5.5.7.48.1.
const ID_OCSP: &[u8] = &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01];
/// id-ad-caIssuers, 1.3.6.1.5.5.7.48.2.
const ID_CA_ISSUERS: &[u8] = &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02];
