//! The question before somebody shuts out a device.

use crate::{Choice, Chrome, Page, certificates::CertificateRow};

/// `GET /enroll/certificates/{serial}/revoke`; posts `reason` and `csrf` to the same path.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "self_service/revoke.html")]
pub struct Revoke {
    /// The surroundings, with a `person`.
    pub chrome: Chrome,
    /// The certificate.
    pub row: CertificateRow,
    /// What it is for, in words.
    pub purpose: String,
    /// The reasons to choose from; see [`reasons`].
    pub reasons: Vec<Choice>,
    /// Live sessions that will be cut.
    pub live_sessions: u64,
    /// Why the last attempt was refused; empty at first.
    pub problem: String,
}

/// The reasons of RFC 5280 §5.3.1 that somebody has for a device of their own; the first stands selected.
pub fn reasons() -> Vec<Choice> {
    let words = [
        ("key-compromise", "The device is lost or stolen"),
        ("superseded", "I have a newer certificate"),
        ("cessation-of-operation", "I do not use the device any more"),
        ("unspecified", "Another reason"),
    ];
    let choice = |(value, label)| Choice { chosen: value == "key-compromise", ..Choice::new(value, label) };
    words.into_iter().map(choice).collect()
}
