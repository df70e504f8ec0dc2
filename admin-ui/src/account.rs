//! One person: card, certificates, sessions, and what an admin may do.

use crate::{
    AccountState, Chrome, Page, Source, accounts::AccountRow, certificates::CertificateRow, keys::KeyRow,
    sessions::SessionRow,
};

/// `GET /accounts/{account}`; its forms post to `…/password` (`password`), `…/enable`, `…/disable`
/// and `…/remove`.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "account.html")]
pub struct Account {
    /// The surroundings.
    pub chrome: Chrome,
    /// What the list shows of this person.
    pub card: AccountRow,
    /// Whether there is a photo, at `…/photo`.
    pub photo: bool,
    /// More of the card: labels and values, such as "Directory entry" and its name.
    pub facts: Vec<(String, String)>,
    /// The directory groups.
    pub groups: Vec<String>,
    /// The rooms.
    pub rooms: Vec<String>,
    /// All certificates, the newest first.
    pub certificates: Vec<CertificateRow>,
    /// The registered keys, the oldest first.
    pub keys: Vec<KeyRow>,
    /// All sessions.
    pub sessions: Vec<SessionRow>,
    /// Why a new password was refused; empty at first.
    pub problem: String,
}

impl Account {
    fn builtin(&self) -> bool {
        self.card.source == Source::Builtin
    }

    fn active(&self) -> bool {
        self.card.state == AccountState::Active
    }

    fn disabled_here(&self) -> bool {
        self.card.state == AccountState::Disabled
    }
}
