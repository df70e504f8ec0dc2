//! The ways to one certificate: a renewal, or what a phone was given a code for.

use crate::{Chrome, Page};

/// `GET /enroll/certificates/{serial}/renew` and `GET /enroll/phone/{token}`; the forms are those of
/// [`super::desk::Desk`] and post to the same path.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "self_service/ways.html")]
pub struct Ways {
    /// The surroundings: with a `person` for a renewal, alone for a phone.
    pub chrome: Chrome,
    /// Where the forms go.
    pub action: String,
    /// The account.
    pub account: String,
    /// The same as a part of file names.
    pub file: String,
    /// The certificate that is renewed, upper-case hex; empty on a phone.
    pub renews: String,
    /// It is for a mail program, which imports archives alone.
    pub for_mail: bool,
    /// Why the last attempt was refused; empty at first.
    pub problem: String,
}
