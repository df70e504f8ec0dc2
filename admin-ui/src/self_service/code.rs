//! A code for the camera of a phone.

use crate::{Chrome, Page, Qr, Secret};

/// The answer to `POST /enroll/code`. It cannot be shown again.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "self_service/code.html")]
pub struct Code {
    /// The surroundings, with a `person`.
    pub chrome: Chrome,
    /// The address as a picture.
    pub qr: Qr,
    /// The address, for phones without a camera.
    pub url: Secret,
    /// Until when it works, RFC 3339.
    pub expires_at: String,
    /// SHA-256 of the root certificate, to compare with what the phone says.
    pub fingerprint: String,
}
