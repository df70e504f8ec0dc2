//! Reading inside one packet: numbers, lengths and text (MQTT section 1.5), never beyond its end.

use super::reason::Breach;

const SHORT: Breach = Breach::malformed("packet ends before its content does");

/// What is left of one packet.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Nothing may follow.
    pub(super) fn end(&self) -> Result<(), Breach> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Breach::malformed("bytes after the end of the content"))
        }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Breach> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(SHORT)?;
        self.rest = rest;
        Ok(head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Breach> {
        let (&byte, rest) = self.rest.split_first().ok_or(SHORT)?;
        self.rest = rest;
        Ok(byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Breach> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(SHORT)?;
        self.rest = rest;
        Ok(u16::from_be_bytes(*head))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Breach> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(SHORT)?;
        self.rest = rest;
        Ok(u32::from_be_bytes(*head))
    }

    /// A packet identifier, which is never 0 (section 2.2.1; 2.3.1 in 3.1.1).
    pub(super) fn packet_id(&mut self) -> Result<u16, Breach> {
        match self.u16()? {
            0 => Err(Breach::protocol("packet identifier 0")),
            id => Ok(id),
        }
    }

    /// A variable byte integer.
    pub(super) fn varint(&mut self) -> Result<u32, Breach> {
        let (value, width) = varint(self.rest)?.ok_or(SHORT)?;
        self.take(width)?;
        Ok(value)
    }

    /// Bytes with a two-byte length.
    pub(super) fn binary(&mut self) -> Result<&'a [u8], Breach> {
        let count = self.u16()?;
        self.take(usize::from(count))
    }

    /// UTF-8 without NUL (section 1.5.4). Surrogates are no UTF-8 to begin with.
    pub(super) fn text(&mut self) -> Result<&'a str, Breach> {
        let text =
            std::str::from_utf8(self.binary()?).map_err(|_| Breach::malformed("text that is not UTF-8"))?;
        if text.contains('\0') { Err(Breach::malformed("text with a NUL character")) } else { Ok(text) }
    }
}

/// Reads a variable byte integer (section 1.5.5): its value and width, or `None` while it is incomplete.
///
/// More than four bytes, or more than the value needs, make it malformed.
pub(super) fn varint(bytes: &[u8]) -> Result<Option<(u32, usize)>, Breach> {
    let mut value = 0;
    for (at, &byte) in bytes.iter().take(4).enumerate() {
        value |= u32::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            let minimal = byte != 0 || at == 0;
            return if minimal {
                Ok(Some((value, at + 1)))
            } else {
                Err(Breach::malformed("length with needless bytes"))
            };
        }
    }
    if bytes.len() < 4 { Ok(None) } else { Err(Breach::malformed("length of more than four bytes")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_takes_one_to_four_bytes_and_not_one_more_than_needed() {
        let check = |bytes: &[u8]| varint(bytes).map_err(|breach| breach.what);
        assert_eq!(check(&[0]), Ok(Some((0, 1))));
        assert_eq!(check(&[0x7F]), Ok(Some((127, 1))));
        assert_eq!(check(&[0x80, 0x01, 0xFF]), Ok(Some((128, 2))));
        assert_eq!(check(&[0xFF, 0xFF, 0xFF, 0x7F]), Ok(Some((268_435_455, 4))));
        assert_eq!(check(&[]), Ok(None));
        assert_eq!(check(&[0x80, 0x80, 0x80]), Ok(None));
        assert_eq!(check(&[0x80, 0x80, 0x80, 0x80]), Err("length of more than four bytes"));
        assert_eq!(check(&[0x80, 0x00]), Err("length with needless bytes"));
    }

    #[test]
    fn text_is_utf_8_without_nul() {
        let check = |bytes: &[u8]| Reader::new(bytes).text().map_err(|breach| breach.what).map(str::to_owned);
        assert_eq!(check(b"\x00\x02\xC3\xA4!"), Ok("ä".into()));
        assert_eq!(check(b"\x00\x02a\x00"), Err("text with a NUL character"));
        assert_eq!(check(b"\x00\x03\xED\xA0\x80"), Err("text that is not UTF-8"));
        assert_eq!(check(b"\x00\x05abc"), Err("packet ends before its content does"));
    }
}
