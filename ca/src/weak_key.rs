//! Weak keys: those that have the right form and size, and can be solved all the same. After Boulder's list of bad keys.

use openssl::{
    bn::{BigNum, BigNumContext, BigNumRef},
    error::ErrorStack,
};

/// What is weak about an RSA modulus, if anything is.
pub(crate) fn modulus(modulus: &BigNumRef) -> Result<Option<&'static str>, ErrorStack> {
    Ok(if has_small_factor(modulus)? {
        Some("its modulus has a small factor")
    } else if is_by_chip(modulus)? {
        Some("its modulus was made by a chip that makes them guessable (CVE-2017-15361)")
    } else if has_close_factors(modulus)? {
        Some("the factors of its modulus are too close to each other")
    } else {
        None
    })
}

/// Whether a public key of Ed25519 is a point of small order, for which anybody can sign: one signature fits every
/// message, or every eighth (RFC 8032 §8.9 leaves them to whoever verifies).
pub(crate) fn is_of_small_order(point: &[u8]) -> bool {
    let Some((last, rest)) = point.split_last() else { return false };
    // The highest bit is the sign of x, and these points stand on either side.
    SMALL_ORDER.iter().any(|weak| weak[..31] == *rest && weak[31] == last & 0x7F)
}

/// Every odd number instead of every prime: no table, same answer.
fn has_small_factor(modulus: &BigNumRef) -> Result<bool, ErrorStack> {
    for small in std::iter::once(2).chain((3..752).step_by(2)) {
        if modulus.mod_word(small)? == 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The chip's primes are powers of 65537 modulo many small primes, and so are their products.
fn is_by_chip(modulus: &BigNumRef) -> Result<bool, ErrorStack> {
    for small in CHIP {
        let residue = modulus.mod_word(small)?;
        let powers = std::iter::successors(Some(1), |power| Some(power * 65537 % u64::from(small)));
        if !powers.take(small as usize).any(|power| power == residue) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Fermat's way of factoring, for a hundred steps: a square less the modulus is a square, too.
fn has_close_factors(modulus: &BigNumRef) -> Result<bool, ErrorStack> {
    let mut context = BigNumContext::new()?;
    let (mut middle, mut square, mut rest) = (root(modulus, &mut context)?, BigNum::new()?, BigNum::new()?);
    for _ in 0..STEPS {
        square.sqr(&middle, &mut context)?;
        rest.checked_sub(&square, modulus)?;
        // Three of four numbers are known by their last bits to be no squares.
        if !rest.is_negative() && matches!(rest.mod_word(16)?, 0 | 1 | 4 | 9) {
            square.sqr(&*root(&rest, &mut context)?, &mut context)?;
            if square == rest {
                return Ok(true);
            }
        }
        middle.add_word(1)?;
    }
    Ok(false)
}

/// The whole part of the square root, by Newton's steps from above.
fn root(of: &BigNumRef, context: &mut BigNumContext) -> Result<BigNum, ErrorStack> {
    let (mut root, mut next, mut quotient) = (BigNum::new()?, BigNum::new()?, BigNum::new()?);
    next.lshift(&*BigNum::from_u32(1)?, of.num_bits() / 2 + 1)?;
    loop {
        root.copy_from_slice(&next.to_vec())?;
        if root.num_bits() == 0 {
            return Ok(root);
        }
        quotient.checked_div(of, &root, context)?;
        let mut sum = BigNum::new()?;
        sum.checked_add(&quotient, &root)?;
        next.rshift1(&sum)?;
        if next >= root {
            return Ok(root);
        }
    }
}

const STEPS: usize = 100;
const CHIP: [u32; 17] = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];
/// The y of each point whose order divides 8, and of those two that may also be written with the field's prime added.
const SMALL_ORDER: [[u8; 32]; 7] = [
    ends(0x00, 0x00, 0x00),
    ends(0x01, 0x00, 0x00),
    [
        0x26, 0xE8, 0x95, 0x8F, 0xC2, 0xB2, 0x27, 0xB0, 0x45, 0xC3, 0xF4, 0x89, 0xF2, 0xEF, 0x98, 0xF0, 0xD5,
        0xDF, 0xAC, 0x05, 0xD3, 0xC6, 0x33, 0x39, 0xB1, 0x38, 0x02, 0x88, 0x6D, 0x53, 0xFC, 0x05,
    ],
    [
        0xC7, 0x17, 0x6A, 0x70, 0x3D, 0x4D, 0xD8, 0x4F, 0xBA, 0x3C, 0x0B, 0x76, 0x0D, 0x10, 0x67, 0x0F, 0x2A,
        0x20, 0x53, 0xFA, 0x2C, 0x39, 0xCC, 0xC6, 0x4E, 0xC7, 0xFD, 0x77, 0x92, 0xAC, 0x03, 0x7A,
    ],
    ends(0xEC, 0xFF, 0x7F),
    ends(0xED, 0xFF, 0x7F),
    ends(0xEE, 0xFF, 0x7F),
];

const fn ends(first: u8, between: u8, last: u8) -> [u8; 32] {
    let mut octets = [between; 32];
    octets[0] = first;
    octets[31] = last;
    octets
}

#[cfg(test)]
mod tests {
    use openssl::bn::MsbOption;

    use super::*;

    fn prime(bits: i32) -> BigNum {
        let mut prime = BigNum::new().expect("memory");
        prime.generate_prime(bits, false, None, None).expect("a prime");
        prime
    }

    #[test]
    fn the_root_is_the_whole_part() {
        let mut context = BigNumContext::new().expect("memory");
        for (of, expected) in [(0, 0), (1, 1), (2, 1), (3, 1), (4, 2), (8, 2), (9, 3), (99, 9), (100, 10)] {
            let root = root(&BigNum::from_u32(of).expect("memory"), &mut context).expect("memory");
            assert_eq!(root, BigNum::from_u32(expected).expect("memory"), "{of}");
        }
    }

    #[test]
    fn factors_are_close_or_far() {
        let mut context = BigNumContext::new().expect("memory");
        let (one, other) = (prime(512), prime(512));
        let mut product = BigNum::new().expect("memory");
        product.checked_mul(&one, &other, &mut context).expect("memory");
        assert_eq!(modulus(&product).expect("memory"), None);
        product.sqr(&one, &mut context).expect("memory");
        assert!(has_close_factors(&product).expect("memory"));
        let mut near = one.to_owned().expect("memory");
        near.add_word(1000).expect("memory");
        product.checked_mul(&one, &near, &mut context).expect("memory");
        assert!(has_close_factors(&product).expect("memory"));
    }

    #[test]
    fn a_number_at_random_is_not_the_chip_s() {
        let mut number = BigNum::new().expect("memory");
        number.rand(2048, MsbOption::ONE, true).expect("randomness");
        assert!(!is_by_chip(&number).expect("memory"));
        assert!(is_by_chip(&BigNum::from_u32(65537).expect("memory")).expect("memory"));
    }

    #[test]
    fn points_of_small_order_are_known_on_either_side() {
        for mut point in SMALL_ORDER {
            assert!(is_of_small_order(&point));
            point[31] |= 0x80;
            assert!(is_of_small_order(&point));
            point[7] ^= 1;
            assert!(!is_of_small_order(&point));
        }
        assert!(!is_of_small_order(b"") && !is_of_small_order(&[0; 31]));
    }
}
