//! What a client should put into its request (RFC 7030 §4.5.2, RFC 9908): a key of the kind that serves best, and the
//! hash to sign with. Names are not among it, they come from the directory.

use crate::der;

/// CsrAttrs in DER: a P-256 key, signed with SHA-256. Other kinds are certified too; this is what to take without a
/// reason for another.
pub fn csr_attributes() -> Vec<u8> {
    let curve = der::value(der::SET, &[&der::value(der::OID, &[P_256])]);
    let key = der::value(der::SEQUENCE, &[&der::value(der::OID, &[EC_PUBLIC_KEY]), &curve]);
    der::value(der::SEQUENCE, &[&key, &der::value(der::OID, &[ECDSA_WITH_SHA256])])
}

/// 1.2.840.10045.2.1.
const EC_PUBLIC_KEY: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
/// 1.2.840.10045.3.1.7.
const P_256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
/// 1.2.840.10045.4.3.2.
const ECDSA_WITH_SHA256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02];
