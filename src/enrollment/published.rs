//! What the authority shows everybody: its certificates and its lists.

use std::sync::Arc;

use bytes::Bytes;
use chancery_ca as ca;

use super::{CrlInfo, Enrollment, Failure};
use crate::time::Timestamp;

impl Enrollment {
    /// The current list of revoked certificates, in DER.
    pub(crate) fn crl(&self) -> Arc<Vec<u8>> {
        self.lists.der()
    }

    /// Number, times and length of the current list.
    pub(crate) fn crl_info(&self) -> CrlInfo {
        self.lists.info()
    }

    /// Tells whoever subscribes to `$pki/ca` and `$pki/crl`, in PEM, what has changed.
    pub(super) fn tell(&self, now: Timestamp) {
        let issuers = self.authority.issuers();
        let issuing: String = issuers.all().map(|one| one.chain_pem()).collect();
        self.chat.proclaim("$pki/ca", (issuing + &self.root_pem()).into(), now);
        if let Some(lists) = self.lists.untold() {
            let lists: String = lists.iter().map(|list| ca::crl_to_pem(list)).collect();
            self.chat.proclaim("$pki/crl", lists.into(), now);
        }
    }

    /// Signs the lists anew when they have become old, or when the last attempt failed.
    pub(crate) async fn renew_crl_if_due(&self, now: Timestamp) {
        if let Err(error) = self.lists.renew_if_due(now).await {
            tracing::error!(%error, "the CRL could not be renewed; others will trust the old one until it ends");
        }
        self.tell(now);
    }

    /// The list at `/crl/{issuer}.crl`: of an issuing CA or of the root.
    pub(crate) fn crl_of(&self, issuer: &str) -> Option<Arc<Vec<u8>>> {
        match self.authority.current().root().key_id.as_deref() == Some(issuer) {
            true => self.lists.root_der(),
            false => self.lists.of(issuer),
        }
    }

    /// The list at `/crl/{issuer}/{shard}.crl`, of an issuing CA; `None` when there is no such shard.
    pub(crate) async fn crl_of_shard(
        &self,
        issuer: &str,
        shard: &str,
        now: Timestamp,
    ) -> Result<Option<Bytes>, Failure> {
        let issuers = self.authority.issuers();
        match (issuers.by_key_id(issuer), shard.parse()) {
            (Some(issuer), Ok(shard)) => self.shards.of(issuer, shard, now).await.map(Some),
            _ => Ok(None),
        }
    }

    /// The certificate at `/ca/{issuer}.cer`, in DER: of an issuing CA or of the root.
    pub(crate) fn certificate_of(&self, issuer: &str) -> Option<Vec<u8>> {
        let issuers = self.authority.issuers();
        let root = issuers.current().root();
        match root.key_id.as_deref() == Some(issuer) {
            true => Some(root.der().to_vec()),
            false => issuers.by_key_id(issuer).map(|one| one.issuing().der().to_vec()),
        }
    }

    /// The current issuing CA's key identifier, lower-case hex: the `{issuer}` of URLs.
    pub(crate) fn issuer_id(&self) -> String {
        self.authority.current().key_id().to_owned()
    }

    /// The current issuing CA's certificate in PEM.
    pub(crate) fn chain_pem(&self) -> String {
        self.authority.current().chain_pem()
    }

    /// The root certificate in PEM: what clients trust.
    pub(crate) fn root_pem(&self) -> String {
        self.authority.current().root_pem()
    }

    /// SHA-256 of the root certificate, by which people tell it from others.
    pub(crate) fn root_fingerprint(&self) -> String {
        self.authority.current().root().fingerprint_sha256.clone()
    }

    /// Every certificate by which somebody's may be verified, in DER: of the issuing CAs, the current one first, and of
    /// the root.
    pub(crate) fn authorities_der(&self) -> Vec<Vec<u8>> {
        let issuers = self.authority.issuers();
        let issuing = issuers.all().map(|one| one.issuing());
        issuing.chain([issuers.current().root()]).map(|one| one.der().to_vec()).collect()
    }

    /// The current issuing CA's name.
    pub(crate) fn issuer_name(&self) -> String {
        self.authority.current().issuer_name().to_owned()
    }

    /// The last moment of the current issuing CA.
    pub(crate) fn not_after(&self) -> Timestamp {
        self.authority.current().issuing().not_after.into()
    }
}

/// A certificate of the ledger in PEM; `None` when its row holds none.
pub(crate) fn to_pem(der: &[u8]) -> Option<String> {
    ca::Certificate::parse(der).ok().map(|certificate| certificate.to_pem())
}
