//! Orders: by what an answer names the request that it belongs to, now and after each poll.

use std::{fmt, str::FromStr};

use crate::Refusal;

/// Which request an answer belongs to: its kind, and its number within the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Order {
    /// The kind of request.
    pub kind: OrderKind,
    /// certReqId; −1 for a PKCS#10 request (RFC 9810 §5.3.4).
    pub id: i64,
}

/// The four ways to ask for a certificate, by the words that `openssl cmp -cmd` has for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderKind {
    /// `ir`: the first one.
    Initial,
    /// `cr`: another one.
    Another,
    /// `kur`: a new one in the place of an old one.
    KeyUpdate,
    /// `p10cr`: one by a PKCS#10 request.
    Pkcs10,
}

impl OrderKind {
    /// Every kind.
    pub const ALL: [OrderKind; 4] =
        [OrderKind::Initial, OrderKind::Another, OrderKind::KeyUpdate, OrderKind::Pkcs10];

    /// The word, such as `ir`.
    pub fn name(self) -> &'static str {
        match self {
            OrderKind::Initial => "ir",
            OrderKind::Another => "cr",
            OrderKind::KeyUpdate => "kur",
            OrderKind::Pkcs10 => "p10cr",
        }
    }
}

impl FromStr for OrderKind {
    type Err = Refusal;

    fn from_str(word: &str) -> Result<OrderKind, Refusal> {
        let known = OrderKind::ALL.into_iter().find(|kind| kind.name() == word);
        known.ok_or_else(|| Refusal::Word(OrderKind::ALL.map(OrderKind::name).join(", ")))
    }
}

impl fmt::Display for OrderKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_found_by_its_name() {
        for kind in OrderKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert!("ip".parse::<OrderKind>().is_err());
    }
}
