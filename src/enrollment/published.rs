//! What the authority shows everybody: its certificates and its lists.

use std::sync::Arc;

use chancery_ca as ca;
use serde_json::json;

use super::{CrlInfo, Enrollment, Refused};
use crate::audit::Deed;
use crate::principal::Principal;
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
        self.chat.proclaim("$pki/ca", format!("{}{}", self.chain_pem(), self.root_pem()).into(), now);
        if let Some(list) = self.lists.untold() {
            self.chat.proclaim("$pki/crl", ca::crl_to_pem(&list).into(), now);
        }
    }

    /// Signs the lists anew when they have become old, or when the last attempt failed.
    pub(crate) async fn renew_crl_if_due(&self, now: Timestamp) {
        if let Err(error) = self.lists.renew_if_due(now).await {
            tracing::error!(%error, "the CRL could not be renewed; others will trust the old one until it ends");
        }
        self.tell(now);
    }

    /// Takes over what a root that is elsewhere has signed: its next list.
    pub(crate) async fn adopt(&self, who: &Principal, pem: &str, now: Timestamp) -> Result<CrlInfo, Refused> {
        let adopted = self.lists.adopt_root(pem).map_err(Refused::from);
        let info = self.audited(who, "ca.adopt", "root", adopted, now).await?;
        let entry = Deed::new(who, "ca.adopt", "root")
            .with(json!({ "list": info.number, "next_update": info.next_update }));
        self.store.write(move |tx| tx.remember(entry, now)).await?;
        Ok(info)
    }

    /// The list at `/crl/{issuer}.crl`: of the issuing CA or of the root.
    pub(crate) fn crl_of(&self, issuer: &str) -> Option<Arc<Vec<u8>>> {
        match issuer {
            own if own == self.issuer_id() => Some(self.lists.der()),
            root if Some(root) == self.authority.public().root().key_id.as_deref() => self.lists.root_der(),
            _ => None,
        }
    }

    /// The certificate at `/ca/{issuer}.cer`, in DER: of the issuing CA or of the root.
    pub(crate) fn certificate_of(&self, issuer: &str) -> Option<Vec<u8>> {
        let ours = self.authority.public();
        let all = [ours.issuing(), ours.root()];
        all.into_iter().find(|one| one.key_id.as_deref() == Some(issuer)).map(|one| one.der().to_vec())
    }

    /// The issuing CA's key identifier, lower-case hex: the `{issuer}` of URLs.
    pub(crate) fn issuer_id(&self) -> &str {
        self.authority.public().key_id()
    }

    /// The issuing CA's certificate in PEM.
    pub(crate) fn chain_pem(&self) -> String {
        self.authority.public().chain_pem()
    }

    /// The root certificate in PEM: what clients trust.
    pub(crate) fn root_pem(&self) -> String {
        self.authority.public().root_pem()
    }

    /// The certificates from the issuing CA to the root, in DER.
    pub(crate) fn chain_der(&self) -> Vec<Vec<u8>> {
        self.authority.public().chain_der().into_iter().map(<[u8]>::to_vec).collect()
    }

    /// The issuing CA's name.
    pub(crate) fn issuer_name(&self) -> String {
        self.authority.public().issuer_name().to_owned()
    }

    /// The last moment of the issuing CA.
    pub(crate) fn not_after(&self) -> Timestamp {
        self.authority.public().issuing().not_after.into()
    }
}

/// A certificate of the ledger in PEM; `None` when its row holds none.
pub(crate) fn to_pem(der: &[u8]) -> Option<String> {
    ca::Certificate::parse(der).ok().map(|certificate| certificate.to_pem())
}
