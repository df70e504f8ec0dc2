//! The chained record of deeds.

use crate::{Chrome, Page, Paging, paging};

/// `GET /audit?q=&page=`; `?verify=yes` asks for the chain to be checked.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "audit.html")]
pub struct Audit {
    /// The surroundings.
    pub chrome: Chrome,
    /// The principal, deed or subject searched for; empty lists all.
    pub search: String,
    /// The entries on this page, the newest first.
    pub rows: Vec<AuditRow>,
    /// Which page this is.
    pub paging: Paging,
    /// The hash of the newest entry, hex; empty while there is none.
    pub head: String,
    /// What checking the chain found; `None` while nobody asked.
    pub proof: Option<Proof>,
}

/// One deed.
#[derive(Clone, Debug, Default)]
pub struct AuditRow {
    /// Its place in the chain.
    pub number: u64,
    /// RFC 3339.
    pub at: String,
    /// Who acted, such as `admin root` or `account alice`.
    pub who: String,
    /// What was done, such as `certificate.revoke`.
    pub deed: String,
    /// To whom or what.
    pub subject: String,
    /// Whether a rule forbade it.
    pub refused: bool,
    /// More in words; may be empty.
    pub detail: String,
    /// The entry's hash, hex.
    pub hash: String,
}

/// What checking the chain found.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// Whether every entry agrees with its successor.
    pub holds: bool,
    /// How many entries were read.
    pub entries: u64,
    /// In a sentence, with the first bad entry if there is one.
    pub finding: String,
    /// When, RFC 3339.
    pub checked_at: String,
}

impl Audit {
    fn base(&self) -> String {
        paging::base("/audit", &[("q", &self.search)])
    }
}
