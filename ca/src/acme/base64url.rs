//! Base64url as RFC 7515 §2 and RFC 8555 §6.1 want it: one text for one sequence of bytes.
//!
//! Padding, line breaks, the other alphabet and stray bits at the end are refused. Whoever took them would give one
//! key two names and one signature two spellings.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::Problem;

/// The text of these bytes.
pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of this text; `what` names it to the client.
pub(super) fn decode(what: &str, text: &str) -> Result<Vec<u8>, Problem> {
    let decoded = URL_SAFE_NO_PAD.decode(text);
    decoded.map_err(|_| Problem::malformed(format!("{what} is not base64url without padding")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_stands_for_one_sequence_of_bytes() {
        assert_eq!(decode("it", "").expect("nothing"), b"");
        assert_eq!(decode("it", "-_8").expect("two bytes"), [0xFB, 0xFF]);
        for other in ["-_8=", "+/8", "-_9", "-_8 ", "-_8\n", " -_8", "-", "ä"] {
            assert!(decode("it", other).is_err(), "{other:?}");
        }
        assert_eq!(encode([0xFB, 0xFF]), "-_8");
    }
}
