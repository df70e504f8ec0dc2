//! One other domain: what DNS says of it, and what follows.

use crate::{Chrome, Page, Verdict};

/// `GET /peers/{domain}`, and the answer to `POST /peers/{domain}/check`; posts to `…/check` and
/// `…/remove`.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "peer.html")]
pub struct Peer {
    /// The surroundings.
    pub chrome: Chrome,
    /// The other domain.
    pub domain: String,
    /// Whether it is on the list of peers; a domain may be checked before it is added.
    pub added: bool,
    /// The weakest verdict of all checks.
    pub verdict: Verdict,
    /// What follows from it, in a sentence, such as "The way to one of its servers is proven.".
    pub conclusion: String,
    /// When it was checked, RFC 3339; empty for never.
    pub checked_at: String,
    /// Each question asked.
    pub checks: Vec<Check>,
}

/// One question to DNS and its answer.
#[derive(Clone, Debug, Default)]
pub struct Check {
    /// The record type, such as `SRV` or `TLSA`.
    pub kind: String,
    /// The name asked for.
    pub name: String,
    /// What DNSSEC says of the answer.
    pub verdict: Verdict,
    /// The records, one line each.
    pub records: Vec<String>,
    /// What the verdict means here, and what to do about it.
    pub explanation: String,
    /// Until when the answer may be used, RFC 3339; empty hides it.
    pub deadline: String,
}
