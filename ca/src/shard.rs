//! Shards: the parts of an authority's list, so that nobody has to fetch all of it for one certificate.

use std::{fmt, str::FromStr};

use crate::{Refusal, Serial};

/// One of the [`COUNT`](Shard::COUNT) parts of what an authority takes back: every certificate whose serial ends in the same
/// six bits. A serial is random, so the parts are of one size; and its shard follows from it, so nobody has to remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u8);

impl Shard {
    /// How many there are. Certificates name theirs, so this stays as it is for as long as any of them lives.
    pub const COUNT: usize = 64;

    /// The one that a serial belongs to.
    pub fn of(serial: Serial) -> Shard {
        let [.., last] = *serial.as_bytes();
        Shard(last & LAST)
    }

    /// Each of them, in order.
    pub fn all() -> impl Iterator<Item = Shard> {
        (0..=LAST).map(Shard)
    }

    /// Its number, below [`COUNT`](Shard::COUNT).
    pub fn index(self) -> usize {
        self.0.into()
    }
}

impl FromStr for Shard {
    type Err = Refusal;

    /// Reads what is printed and nothing else, so that each has one address.
    fn from_str(text: &str) -> Result<Shard, Refusal> {
        let read = u8::from_str_radix(text, 16).ok().filter(|number| *number <= LAST).map(Shard);
        read.filter(|shard| shard.to_string() == text).ok_or(Refusal::Shard)
    }
}

impl fmt::Display for Shard {
    /// Two upper-case hexadecimal digits, `00` to `3F`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:02X}", self.0)
    }
}

const LAST: u8 = Shard::COUNT as u8 - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_belongs_to_the_shard_of_its_last_six_bits() {
        for (end, shard) in [("00", "00"), ("3F", "3F"), ("40", "00"), ("AA", "2A"), ("FF", "3F")] {
            let serial: Serial = format!("4A0B000000000000000000000000FF{end}").parse().expect("sound");
            assert_eq!(Shard::of(serial).to_string(), shard);
        }
    }

    #[test]
    fn each_is_read_by_the_name_that_it_prints_and_by_no_other() {
        assert_eq!(Shard::all().count(), Shard::COUNT);
        for (number, shard) in Shard::all().enumerate() {
            assert_eq!((shard.index(), shard.to_string().parse()), (number, Ok(shard)));
        }
        for text in ["", "2", "2a", "40", "FF", "FFF", "02A", "+2", " 2A", "2A ", "٢A", "../"] {
            assert_eq!(text.parse::<Shard>(), Err(Refusal::Shard), "{text}");
        }
    }
}
