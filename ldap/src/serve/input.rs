//! What came and has not been read: whole messages are taken from it, and nothing of them stays.
//!
//! Messages hold passwords. Every place that held bytes is wiped when it is left.

use std::fmt;

use zeroize::{Zeroize as _, Zeroizing};

use crate::ber;

#[derive(Default)]
pub(super) struct Input {
    bytes: Zeroizing<Vec<u8>>,
}

/// Without the bytes.
impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Input({} bytes)", self.bytes.len())
    }
}

impl Input {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let length = self.bytes.len() + bytes.len();
        if length > self.bytes.capacity() {
            // Growing in place would leave a copy behind that nobody wipes.
            let mut larger = Zeroizing::new(Vec::with_capacity(length.next_power_of_two()));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The first message if all of it is here; an error if it cannot become one of at most `longest` bytes.
    pub(super) fn next(&mut self, longest: usize) -> Result<Option<Zeroizing<Vec<u8>>>, &'static str> {
        let Some(&first) = self.bytes.first() else { return Ok(None) };
        if first != 0x30 {
            return Err("this is not LDAP");
        }
        let Some(&announced) = self.bytes.get(1) else { return Ok(None) };
        if announced == 0x80 || announced > 0x84 {
            return Err("a length is not one that LDAP has");
        }
        let Some((length, taken)) = ber::length(&self.bytes[1..]) else { return Ok(None) };
        let whole = 1 + taken + length;
        if whole > longest {
            return Err("a request is too long");
        }
        if self.bytes.len() < whole {
            return Ok(None);
        }
        let message = Zeroizing::new(self.bytes[..whole].to_vec());
        self.bytes.copy_within(whole.., 0);
        let rest = self.bytes.len() - whole;
        self.bytes[rest..].zeroize();
        self.bytes.truncate(rest);
        if rest == 0 {
            // A connection that waits holds no memory for it.
            self.bytes = Zeroizing::default();
        }
        Ok(Some(message))
    }
}
