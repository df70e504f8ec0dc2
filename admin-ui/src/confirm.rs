//! The question before a deed that is hard to undo.

use crate::{Chrome, Page};

/// The answer to the first `POST` of a dangerous action: the form repeats it to the same path with
/// `confirmed=yes`.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "confirm.html")]
pub struct Confirm {
    /// The surroundings.
    pub chrome: Chrome,
    /// The question, such as "Remove the account bob?".
    pub question: String,
    /// What will happen, one sentence each.
    pub consequences: Vec<String>,
    /// The path to post to.
    pub action: String,
    /// Names and values to send along, beside `csrf` and `confirmed`.
    pub fields: Vec<(String, String)>,
    /// The words on the button, such as "Remove bob".
    pub button: String,
    /// The path that leads back.
    pub back: String,
}
