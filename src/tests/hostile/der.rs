//! As much of DER as it takes to finish a message of CMP, and to find in an answer why it is a refusal.

/// Tag, whole value and content of each of the values that stand one after another.
pub(super) fn values(mut bytes: &[u8]) -> Vec<(u8, &[u8], &[u8])> {
    let mut found = Vec::new();
    while let [tag, short, ..] = bytes {
        let long = if *short < 0x80 { 0 } else { usize::from(short & 0x7F) };
        let Some(octets) = bytes.get(2..2 + long) else { break };
        let length = match long {
            0 => usize::from(*short),
            _ => octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)),
        };
        let end = 2 + long + length;
        let Some(whole) = bytes.get(..end) else { break };
        found.push((*tag, whole, &whole[2 + long..]));
        bytes = &bytes[end..];
    }
    found
}

/// One value; its length in the shortest form.
pub(super) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let first = length.iter().position(|octet| *octet != 0).unwrap_or(length.len() - 1);
    let length = &length[first..];
    let long = (length.len() > 1 || length[0] >= 0x80).then_some(0x80 | length.len() as u8);
    [&[tag], long.as_slice(), length, content].concat()
}

/// The name of the reason in a PKIStatusInfo that rejects, wherever in a message it stands (RFC 9810 §5.2.3).
pub(super) fn failure(message: &[u8]) -> Option<&'static str> {
    for (tag, _, content) in values(message).into_iter().filter(|(tag, ..)| tag & 0x20 != 0) {
        let inner = values(content);
        if let (0x30, Some((2, _, [2])), Some((3, _, [_, bits @ ..]))) = (tag, inner.first(), inner.last()) {
            let bit = bits.iter().position(|octet| *octet != 0)?;
            return REASONS.get(8 * bit + bits[bit].leading_zeros() as usize).copied();
        }
        if let Some(found) = failure(content) {
            return Some(found);
        }
    }
    None
}

/// The content of a header's field, by its tag.
pub(super) fn header_field(message: &[u8], field: u8) -> Option<Vec<u8>> {
    let (_, _, message) = *values(message).first()?;
    let (_, _, header) = *values(message).first()?;
    let (_, _, content) = *values(header).iter().find(|(tag, ..)| *tag == field)?;
    values(content).first().map(|(_, _, octets)| octets.to_vec())
}

const REASONS: [&str; 27] = [
    "badAlg",
    "badMessageCheck",
    "badRequest",
    "badTime",
    "badCertId",
    "badDataFormat",
    "wrongAuthority",
    "incorrectData",
    "missingTimeStamp",
    "badPOP",
    "certRevoked",
    "certConfirmed",
    "wrongIntegrity",
    "badRecipientNonce",
    "timeNotAvailable",
    "unacceptedPolicy",
    "unacceptedExtension",
    "addInfoNotAvailable",
    "badSenderNonce",
    "badCertTemplate",
    "signerNotTrusted",
    "transactionIdInUse",
    "unsupportedVersion",
    "notAuthorized",
    "systemUnavail",
    "systemFailure",
    "duplicateCertReq",
];
