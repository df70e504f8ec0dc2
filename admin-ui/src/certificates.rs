//! The ledger as a list.

use crate::{CertificateState, Choice, Chrome, Page, Paging, paging};

/// `GET /certificates?state=&account=&page=`.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "certificates.html")]
pub struct Certificates {
    /// The surroundings.
    pub chrome: Chrome,
    /// The states to filter by; the value of the one chosen goes back into the paging links.
    pub states: Vec<Choice>,
    /// The account to filter by; empty lists all.
    pub account: String,
    /// The certificates on this page.
    pub rows: Vec<CertificateRow>,
    /// Which page this is.
    pub paging: Paging,
    /// How many requests wait for an admin.
    pub pending: u64,
}

/// One certificate in a list.
#[derive(Clone, Debug, Default)]
pub struct CertificateRow {
    /// Upper-case hex.
    pub serial: String,
    /// Whose it is; empty for one that belongs to the appliance.
    pub account: String,
    /// The rules that it was issued by, such as `client`.
    pub profile: String,
    /// What the ledger says.
    pub state: CertificateState,
    /// RFC 3339.
    pub not_before: String,
    /// RFC 3339.
    pub not_after: String,
    /// What is left or past in words, such as "in 12 days"; empty hides it.
    pub remaining: String,
}

impl CertificateRow {
    /// Whether there is anything left to revoke.
    pub(crate) fn revocable(&self) -> bool {
        matches!(self.state, CertificateState::Valid | CertificateState::Expiring)
    }
}

impl Certificates {
    fn base(&self) -> String {
        let state = self.states.iter().find(|choice| choice.chosen).map_or("", |choice| &choice.value);
        paging::base("/certificates", &[("state", state), ("account", &self.account)])
    }

    fn filtered(&self) -> bool {
        !self.account.is_empty() || self.states.iter().any(|choice| choice.chosen && !choice.value.is_empty())
    }
}
