//! The ledger as a list.

use crate::{CertificateState, Choice, Chrome, Page, Paging, paging};

/// `GET /certificates?state=&account=&name=&serial=&profile=&expires_before=&expires_after=&key=&page=`.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "certificates.html")]
pub struct Certificates {
    /// The surroundings.
    pub chrome: Chrome,
    /// The states to filter by; the value of the one chosen goes back into the paging links.
    pub states: Vec<Choice>,
    /// What else is searched for.
    pub search: Search,
    /// Why the search makes no sense; empty when it does.
    pub problem: String,
    /// The certificates on this page.
    pub rows: Vec<CertificateRow>,
    /// Which page this is.
    pub paging: Paging,
    /// How many requests wait for an admin.
    pub pending: u64,
}

/// What is searched for; an empty text asks for nothing.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Whose.
    pub account: String,
    /// Part of a name.
    pub name: String,
    /// The beginning of the serial.
    pub serial: String,
    /// By which rules it was issued.
    pub profile: String,
    /// A day, a moment, or a length of time such as `30d`.
    pub expires_before: String,
    /// The same.
    pub expires_after: String,
    /// SHA-256 of the public key.
    pub key: String,
}

impl Search {
    fn fields(&self) -> [(&'static str, &str); 7] {
        [
            ("account", &self.account),
            ("name", &self.name),
            ("serial", &self.serial),
            ("profile", &self.profile),
            ("expires_before", &self.expires_before),
            ("expires_after", &self.expires_after),
            ("key", &self.key),
        ]
    }
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
        let state = self.states.iter().find(|choice| choice.chosen);
        let state = state.map(|choice| choice.value.clone()).unwrap_or_default();
        let fields = [&[("state", state.as_str())], &self.search.fields()[..]].concat();
        paging::base("/certificates", &fields)
    }

    fn filtered(&self) -> bool {
        let searched = self.search.fields().iter().any(|(_, value)| !value.is_empty());
        searched || self.states.iter().any(|choice| choice.chosen && !choice.value.is_empty())
    }
}
