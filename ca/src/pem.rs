//! PEM (RFC 7468): DER in text armour.

use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

/// One armoured block.
pub(crate) struct Block {
    /// What stands between `BEGIN` and the dashes.
    pub(crate) label: String,
    /// The bytes inside, wiped on drop because they may be a private key.
    pub(crate) der: Zeroizing<Vec<u8>>,
}

/// Reads every block; text around the blocks is explanation and skipped (RFC 7468 §2). `None` when a block
/// is broken off, or holds headers, which only the obsolete encrypted forms have.
pub(crate) fn decode(text: &str) -> Option<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, Zeroizing<String>)> = None;
    for line in text.lines().map(str::trim) {
        match &mut open {
            None => {
                if let Some(label) = boundary(line, "-----BEGIN ") {
                    // The capacity keeps a private key from being left behind by a growing buffer.
                    open = Some((label.to_owned(), Zeroizing::new(String::with_capacity(text.len()))));
                }
            }
            Some((label, body)) => match boundary(line, "-----END ") {
                Some(end) if end == label => {
                    let der = Zeroizing::new(STANDARD.decode(body.as_bytes()).ok()?);
                    blocks.push(Block { label: std::mem::take(label), der });
                    open = None;
                }
                Some(_) => return None,
                None => body.push_str(line),
            },
        }
    }
    open.is_none().then_some(blocks)
}

fn boundary<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    line.strip_prefix(start)?.strip_suffix("-----")
}

/// Reads the first block with this label.
pub(crate) fn first(text: &str, label: &str) -> Option<Zeroizing<Vec<u8>>> {
    decode(text)?.into_iter().find(|block| block.label == label).map(|block| block.der)
}

/// Armours one value in lines of 64 characters.
pub(crate) fn encode(label: &str, der: &[u8]) -> String {
    let mut text = String::with_capacity(der.len() / 48 * 65 + 2 * label.len() + 105);
    text.extend(["-----BEGIN ", label, "-----\n"]);
    for line in der.chunks(48) {
        STANDARD.encode_string(line, &mut text);
        text.push('\n');
    }
    text.extend(["-----END ", label, "-----\n"]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_armoured_comes_back() {
        for length in [0, 1, 47, 48, 49, 1000] {
            let der = vec![0xA5; length];
            let text = encode("THING", &der);
            assert_eq!(*first(&text, "THING").expect("sound"), der);
            assert!(first(&text, "OTHER").is_none());
        }
    }

    #[test]
    fn explanations_and_windows_line_ends_are_skipped() {
        let text = format!("subject=alice\r\n{}tail\r\n", encode("A", b"one").replace('\n', "\r\n"));
        assert_eq!(**first(&text, "A").expect("sound"), *b"one");
    }

    #[test]
    fn broken_armour_is_no_armour() {
        for text in [
            "-----BEGIN A-----\nb25l",
            "-----BEGIN A-----\n!\n-----END A-----",
            "-----BEGIN A-----\n-----END B-----",
        ] {
            assert!(decode(text).is_none(), "{text}");
        }
        let old = "-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\nb25l\n-----END A-----";
        assert!(decode(old).is_none());
    }
}
