//! Serials: sixteen random bytes that name one certificate of one authority.

use std::{fmt, str::FromStr};

use crate::{Failure, Refusal};

/// The serial number of a certificate issued here: a positive number of exactly sixteen bytes.
///
/// The first byte lies in `01..=7F`, so the DER INTEGER neither grows a sign byte nor loses a zero
/// (X.690 §8.3.2), and the hexadecimal form always has 32 digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial([u8; 16]);

impl Serial {
    /// Draws a new serial: 126 random bits, more than the 64 that CA practice demands. Fails only when
    /// the operating system has no randomness to give.
    pub fn random() -> Result<Serial, Failure> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        bytes[0] = bytes[0] & 0x7F | 0x40;
        Ok(Serial(bytes))
    }

    /// Takes back the big-endian bytes of [`as_bytes`](Self::as_bytes).
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Serial, Refusal> {
        if matches!(bytes[0], 0x01..=0x7F) { Ok(Serial(bytes)) } else { Err(Refusal::Serial) }
    }

    /// Reads 32 hexadecimal digits of either case, with or without the colons that `openssl x509 -text` sets.
    pub fn from_hex(text: &str) -> Result<Serial, Refusal> {
        let mut bytes = [0; 16];
        let mut digits = 0;
        for sign in text.chars().filter(|sign| *sign != ':') {
            let digit =
                sign.to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or(Refusal::Serial)?;
            let byte: &mut u8 = bytes.get_mut(digits / 2).ok_or(Refusal::Serial)?;
            *byte = *byte << 4 | digit;
            digits += 1;
        }
        if digits == 32 { Serial::from_bytes(bytes) } else { Err(Refusal::Serial) }
    }

    /// The number, big-endian.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl FromStr for Serial {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Serial, Refusal> {
        Serial::from_hex(text)
    }
}

impl fmt::Display for Serial {
    /// 32 upper-case hexadecimal digits.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02X}"))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_serials_are_positive_and_print_as_32_digits() {
        for _ in 0..100 {
            let serial = Serial::random().expect("sound");
            assert!(matches!(serial.as_bytes()[0], 0x40..=0x7F));
            assert_eq!(serial.to_string().len(), 32);
            assert_eq!(serial.to_string().parse(), Ok(serial));
        }
    }

    #[test]
    fn colons_and_case_do_not_matter() {
        let serial = Serial::from_hex("4A:0b:00:00:00:00:00:00:00:00:00:00:00:00:00:ff").expect("sound");
        assert_eq!(serial.to_string(), "4A0B00000000000000000000000000FF");
        assert_eq!(Serial::from_hex("4a0b00000000000000000000000000ff"), Ok(serial));
    }

    #[test]
    fn other_numbers_are_refused() {
        let long = "4".repeat(33);
        for text in
            ["", "4A", &long, "004A0000000000000000000000000001", "FF0B00000000000000000000000000FF", "x"]
        {
            assert_eq!(Serial::from_hex(text), Err(Refusal::Serial), "{text}");
        }
    }
}
