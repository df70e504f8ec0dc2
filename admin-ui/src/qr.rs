//! A QR code for a page: the picture of a few words, for the camera of a phone.

use std::fmt::{self, Write};

use qrcodegen::{QrCode, QrCodeEcc};

/// A picture whose words may be a secret, so that `Debug` prints none of it. Empty where there is none to show.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Qr {
    size: i32,
    /// The dark modules, as SVG path data.
    path: String,
}

/// The light frame that readers need, in modules (ISO/IEC 18004 §9.1).
const QUIET: i32 = 4;

impl Qr {
    /// Draws `words`; more of them than fit are no picture at all.
    pub fn of(words: &str) -> Self {
        let Ok(code) = QrCode::encode_text(words, QrCodeEcc::Medium) else { return Self::default() };
        let mut path = String::new();
        for y in 0..code.size() {
            for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
                // Writing into a string cannot fail.
                let _ = write!(path, "M{},{}h1v1h-1z", x + QUIET, y + QUIET);
            }
        }
        Self { size: code.size() + 2 * QUIET, path }
    }

    /// Side length of the picture, its frame included.
    pub(crate) fn size(&self) -> i32 {
        self.size
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Debug for Qr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Qr(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_its_three_corners_and_its_frame() {
        let qr = Qr::of("https://corp.example:8443/enroll/phone/secret");
        assert!((29..60).contains(&qr.size()), "{}", qr.size());
        for corner in ["M4,4h", &format!("M{},4h", qr.size() - 11), &format!("M4,{}h", qr.size() - 11)] {
            assert!(qr.path().contains(corner), "{corner}");
        }
        assert!(!qr.path().contains("M3,") && !qr.path().contains(",3h"), "the frame stays light");
        assert_eq!(format!("{qr:?}"), "Qr(…)");
    }

    #[test]
    fn too_many_words_are_no_picture() {
        assert_eq!(Qr::of(&"x".repeat(10_000)), Qr::default());
    }
}
