//! Hash functions by the numbers under which messages name them.

use der::asn1::ObjectIdentifier;
use openssl::hash::MessageDigest;

use super::{message::AlgorithmIdentifier, oid};

/// The hash of this name, if it is known.
pub(super) fn hash(algorithm: &AlgorithmIdentifier) -> Option<MessageDigest> {
    find(&HASHES, algorithm)
}

/// The hash inside the HMAC of this name, if it is known.
pub(super) fn hmac(algorithm: &AlgorithmIdentifier) -> Option<MessageDigest> {
    find(&HMACS, algorithm)
}

fn find(table: &[(ObjectIdentifier, Digest)], wanted: &AlgorithmIdentifier) -> Option<MessageDigest> {
    table.iter().find(|(own, _)| *own == wanted.algorithm).map(|(_, digest)| digest())
}

type Digest = fn() -> MessageDigest;

const HASHES: [(ObjectIdentifier, Digest); 4] = [
    (oid::SHA1, MessageDigest::sha1),
    (oid::SHA256, MessageDigest::sha256),
    (oid::SHA384, MessageDigest::sha384),
    (oid::SHA512, MessageDigest::sha512),
];

/// With SHA-1, because `openssl cmp` takes it unless told otherwise; inside an HMAC it is sound yet (RFC 6194 §3.3).
const HMACS: [(ObjectIdentifier, Digest); 5] = [
    (oid::HMAC_SHA1, MessageDigest::sha1),
    (oid::HMAC_SHA1_OLD, MessageDigest::sha1),
    (oid::HMAC_SHA256, MessageDigest::sha256),
    (oid::HMAC_SHA384, MessageDigest::sha384),
    (oid::HMAC_SHA512, MessageDigest::sha512),
];
