//! The list of people, and the form that adds one.

use crate::{AccountState, Chrome, Page, Paging, Source, paging};

/// `GET /accounts?q=&page=`.
///
/// The form posts `account`, `name`, `mail`, `password` to `/accounts/new`; a row's buttons post to
/// `/accounts/{account}/enable` and `…/disable`.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "accounts.html")]
pub struct Accounts {
    /// The surroundings.
    pub chrome: Chrome,
    /// What was searched for; empty lists everyone.
    pub search: String,
    /// The people on this page.
    pub rows: Vec<AccountRow>,
    /// Which page this is.
    pub paging: Paging,
    /// Whether accounts can be added here: only with the built-in directory.
    pub can_add: bool,
    /// The form as last sent, shown again after a refusal.
    pub draft: NewAccount,
}

/// One person in a list.
#[derive(Clone, Debug, Default)]
pub struct AccountRow {
    /// The account's name on the wire.
    pub account: String,
    /// The person's name.
    pub name: String,
    /// The mail address, or empty.
    pub mail: String,
    /// Where the account comes from.
    pub source: Source,
    /// Whether it may come in.
    pub state: AccountState,
    /// Certificates in force.
    pub certificates: u64,
    /// Sessions with a live connection.
    pub sessions: u64,
    /// Messages waiting in the inbox.
    pub waiting: u64,
}

/// The add form's values, without the password: that is never sent back.
#[derive(Clone, Debug, Default)]
pub struct NewAccount {
    /// As typed.
    pub account: String,
    /// As typed.
    pub name: String,
    /// As typed.
    pub mail: String,
    /// Why it was refused; empty at first.
    pub problem: String,
}

impl Accounts {
    fn base(&self) -> String {
        paging::base("/accounts", &[("q", &self.search)])
    }
}
