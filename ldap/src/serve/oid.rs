//! Numbers of what LDAP has been extended by, each with the document that gives it.

/// RFC 2696.
pub(super) const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
/// RFC 3296. Referrals are to be shown as entries; there are none here, so it is kept by doing nothing.
pub(super) const MANAGE_DSA_IT: &str = "2.16.840.1.113730.3.4.2";
/// RFC 4532.
pub(super) const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
/// RFC 4511 §4.14.1.
pub(super) const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
/// RFC 4511 §4.4.1.
pub(super) const NOTICE_OF_DISCONNECTION: &str = "1.3.6.1.4.1.1466.20036";
/// RFC 3673: `+` asks for all operational attributes.
pub(super) const ALL_OPERATIONAL: &str = "1.3.6.1.4.1.4203.1.5.1";
/// RFC 4526: `(&)` is true and `(|)` is false.
pub(super) const TRUE_FALSE_FILTERS: &str = "1.3.6.1.4.1.4203.1.5.3";
