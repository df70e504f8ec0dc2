//! How a token writes curves, points and signatures, and how X.509 does.

use crate::{KeyKind, der};

/// The namedCurve of a kind of key, as CKA_EC_PARAMS holds it: an OBJECT IDENTIFIER (RFC 5480 §2.1.1.1).
pub(super) fn curve(kind: KeyKind) -> Vec<u8> {
    der::value(
        der::OID,
        &[match kind {
            KeyKind::P256 => SECP256R1,
            KeyKind::P384 => SECP384R1,
        }],
    )
}

/// The kind of key on the curve that CKA_EC_PARAMS names.
pub(super) fn kind(parameters: &[u8]) -> Option<KeyKind> {
    [KeyKind::P256, KeyKind::P384].into_iter().find(|kind| curve(*kind) == parameters)
}

/// The uncompressed point in CKA_EC_POINT: wrapped in an OCTET STRING (PKCS#11, CKA_EC_POINT), or bare, as older modules
/// have it. The octet 4 begins either form, only the length tells them apart.
pub(super) fn point(kind: KeyKind, value: &[u8]) -> Option<&[u8]> {
    let length = 1 + 2 * size(kind);
    let wrapped = value.strip_prefix(&[der::OCTETS, length as u8]);
    [Some(value), wrapped].into_iter().flatten().find(|point| point.len() == length && point[0] == 4)
}

/// The ECDSA-Sig-Value (RFC 3279 §2.2.3) of r and s, which a token writes one after the other in equal lengths.
pub(super) fn signature(kind: KeyKind, raw: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = (raw.len() == 2 * size(kind)).then(|| raw.split_at(size(kind)))?;
    Some(der::value(der::SEQUENCE, &[&der::unsigned(r), &der::unsigned(s)]))
}

/// Bytes of a coordinate, and of a number below the curve's order.
fn size(kind: KeyKind) -> usize {
    match kind {
        KeyKind::P256 => 32,
        KeyKind::P384 => 48,
    }
}

/// 1.2.840.10045.3.1.7.
const SECP256R1: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
/// 1.3.132.0.34.
const SECP384R1: &[u8] = &[0x2B, 0x81, 0x04, 0x00, 0x22];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_known_by_its_parameters() {
        for known in [KeyKind::P256, KeyKind::P384] {
            assert_eq!(kind(&curve(known)), Some(known));
        }
        assert_eq!(kind(&[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x23]), None);
        assert_eq!(kind(b""), None);
    }

    #[test]
    fn a_point_comes_wrapped_or_bare() {
        let bare = [&[4][..], &[7; 64]].concat();
        let wrapped = [&[4, 65][..], &bare].concat();
        assert_eq!(point(KeyKind::P256, &bare), Some(&bare[..]));
        assert_eq!(point(KeyKind::P256, &wrapped), Some(&bare[..]));
        assert_eq!(point(KeyKind::P384, &wrapped), None);
        assert_eq!(point(KeyKind::P256, &wrapped[..66]), None);
        assert_eq!(point(KeyKind::P256, &[2; 65]), None);
        assert_eq!(point(KeyKind::P256, b""), None);
    }

    #[test]
    fn r_and_s_stay_positive_and_lose_their_zeros() {
        let raw = [&[0x80][..], &[1; 31], &[0, 0, 0x7F], &[2; 29]].concat();
        let der = signature(KeyKind::P256, &raw).expect("two numbers");
        assert_eq!(der[..5], [0x30, 67, 0x02, 33, 0]);
        assert_eq!(der[5..37], raw[..32]);
        assert_eq!(der[37..39], [0x02, 30]);
        assert_eq!(der[39..], raw[34..]);
        assert_eq!(signature(KeyKind::P384, &raw), None);
    }
}
