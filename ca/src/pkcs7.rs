//! PKCS#7 as an envelope for certificates: a SignedData that nobody signed (RFC 5652 §5.1, RFC 7030 §4.1.3).

use crate::der;

/// Certificates in DER as a certs-only ContentInfo; the set is sorted as DER demands, so order carries no meaning.
pub fn certs_only(certificates: &[&[u8]]) -> Vec<u8> {
    let mut sorted = certificates.to_vec();
    sorted.sort_unstable();
    let nothing = der::value(der::SET, &[]);
    let content = der::value(der::SEQUENCE, &[&der::value(der::OID, &[ID_DATA])]);
    let certificates = der::value(der::IMPLICIT_0, &sorted);
    let signed = der::value(der::SEQUENCE, &[&der::integer(1), &nothing, &content, &certificates, &nothing]);
    let signed = der::value(der::EXPLICIT_0, &[&signed]);
    der::value(der::SEQUENCE, &[&der::value(der::OID, &[ID_SIGNED_DATA]), &signed])
}

/// 1.2.840.113549.1.7.1.
const ID_DATA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x01];
/// 1.2.840.113549.1.7.2.
const ID_SIGNED_DATA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02];
