//! The question before a certificate is withdrawn.

use crate::{Choice, Chrome, Page, certificates::CertificateRow};

/// `GET /certificates/{serial}/revoke`; posts `reason` and `csrf` to the same path.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "revoke.html")]
pub struct Revoke {
    /// The surroundings.
    pub chrome: Chrome,
    /// The certificate.
    pub row: CertificateRow,
    /// The reasons to choose from; see [`reasons`].
    pub reasons: Vec<Choice>,
    /// Live sessions that will be cut.
    pub live_sessions: u64,
    /// Why the last attempt was refused; empty at first.
    pub problem: String,
}

/// The reasons of RFC 5280 §5.3.1 that an admin may give, as named on the command line; the first
/// stands selected.
pub fn reasons() -> Vec<Choice> {
    let words = [
        ("unspecified", "No reason given"),
        ("key-compromise", "The private key is lost or stolen"),
        ("affiliation-changed", "The person left or changed role"),
        ("superseded", "Replaced by a newer certificate"),
        ("cessation-of-operation", "The device is out of use"),
        ("privilege-withdrawn", "The right to it was withdrawn"),
    ];
    words
        .into_iter()
        .map(|(value, label)| Choice { chosen: value == "unspecified", ..Choice::new(value, label) })
        .collect()
}
