//! The page that says no, or that something broke.

use crate::{Chrome, Page, Tone};

/// An error or a refusal: what, where, and what to do next.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "message.html")]
pub struct Message {
    /// The surroundings; with an empty `admin` the page stands alone.
    pub chrome: Chrome,
    /// `Warn` for a refusal, `Bad` for a failure.
    pub tone: Tone,
    /// The HTTP status, shown small; 0 hides it.
    pub status: u16,
    /// The heading, such as "This certificate is revoked already".
    pub title: String,
    /// What happened, in a sentence or two.
    pub what: String,
    /// Where: the subject concerned, or the id under which the log tells more; empty hides it.
    pub place: String,
    /// What to do next, as links.
    pub next: Vec<Step>,
}

/// A way on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// What the person will do there.
    pub label: String,
    /// A path of this site; empty shows the words without a link.
    pub href: String,
}
