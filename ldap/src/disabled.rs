//! Disabled: every way in which directories say that an account may not be used, as one list.

use std::fmt;

use time::{Duration, OffsetDateTime};

use crate::entry::Entry;

/// The rule that disables an account. `Display` says it to an administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disabled {
    /// Active Directory: ACCOUNTDISABLE, bit 2 of `userAccountControl`.
    UserAccountControl,
    /// Active Directory: `accountExpires` has passed.
    AccountExpires(OffsetDateTime),
    /// 389 Directory Server and FreeIPA: `nsAccountLock` is true.
    NsAccountLock,
    /// OpenLDAP's password policy: `pwdAccountLockedTime` locks for good, not until a time.
    PwdAccountLockedTime,
    /// RFC 2307: the day of `shadowExpire` has come.
    ShadowExpire(OffsetDateTime),
}

/// What the rules look at. Most are operational attributes, which servers send only when they are named.
pub(crate) const ATTRIBUTES: [&str; 5] =
    ["userAccountControl", "accountExpires", "nsAccountLock", "pwdAccountLockedTime", "shadowExpire"];

impl Disabled {
    /// The first rule that disables this entry at `now`; an error when a value cannot be understood.
    pub(crate) fn judge(entry: &Entry, now: OffsetDateTime) -> Result<Option<Self>, String> {
        let [control, expires, lock, locked_time, shadow] = ATTRIBUTES;
        if entry.number(control)?.is_some_and(|bits| bits & ACCOUNT_DISABLE != 0) {
            return Ok(Some(Self::UserAccountControl));
        }
        if let Some(end) = entry.number(expires)?.and_then(from_filetime).filter(|end| *end <= now) {
            return Ok(Some(Self::AccountExpires(end)));
        }
        if entry.has(lock, "true") {
            return Ok(Some(Self::NsAccountLock));
        }
        // The year zero means for good (draft-behera-ldap-password-policy §5.3.3). Any other time is a lock after wrong
        // passwords, which ends by itself and must not cost anybody their account.
        if entry.text(locked_time)?.is_some_and(|time| time.starts_with("000001010000")) {
            return Ok(Some(Self::PwdAccountLockedTime));
        }
        if let Some(end) = entry.number(shadow)?.and_then(from_days).filter(|end| *end <= now) {
            return Ok(Some(Self::ShadowExpire(end)));
        }
        Ok(None)
    }
}

impl fmt::Display for Disabled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UserAccountControl => f.write_str("disabled in Active Directory (userAccountControl)"),
            Self::AccountExpires(end) => write!(f, "expired on {} (accountExpires)", end.date()),
            Self::NsAccountLock => f.write_str("locked by an administrator (nsAccountLock)"),
            Self::PwdAccountLockedTime => f.write_str("locked by an administrator (pwdAccountLockedTime)"),
            Self::ShadowExpire(end) => write!(f, "expired on {} (shadowExpire)", end.date()),
        }
    }
}

const ACCOUNT_DISABLE: i64 = 2;

/// Units of 100 ns since 1601; zero and the greatest number mean never.
fn from_filetime(units: i64) -> Option<OffsetDateTime> {
    const SECONDS_1601_TO_1970: i64 = 11_644_473_600;
    if units <= 0 || units == i64::MAX {
        return None;
    }
    OffsetDateTime::from_unix_timestamp(units / 10_000_000 - SECONDS_1601_TO_1970).ok()
}

/// Days since 1970; zero and negative numbers mean never, as in shadow(5).
fn from_days(days: i64) -> Option<OffsetDateTime> {
    let days = (1..=10_000_000).contains(&days).then_some(days)?;
    OffsetDateTime::UNIX_EPOCH.checked_add(Duration::days(days))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

    fn check(attribute: &str, value: &str, expected: Option<Disabled>) {
        let entry = Entry::of("uid=a", &[(attribute, value.as_bytes())]);
        assert_eq!(Disabled::judge(&entry, NOW), Ok(expected), "{attribute}: {value}");
    }

    #[test]
    fn active_directory_disables_by_bit_and_by_date() {
        check("userAccountControl", "514", Some(Disabled::UserAccountControl));
        check("userAccountControl", "512", None);
        check("accountExpires", "9223372036854775807", None);
        check("accountExpires", "0", None);
        // 2026-01-01 and 2027-01-01.
        check(
            "accountExpires",
            "134116992000000000",
            Some(Disabled::AccountExpires(datetime!(2026-01-01 0:00 UTC))),
        );
        check("accountExpires", "134432352000000000", None);
    }

    #[test]
    fn a_lock_for_good_disables_and_a_lock_for_a_while_does_not() {
        check("nsAccountLock", "TRUE", Some(Disabled::NsAccountLock));
        check("nsAccountLock", "false", None);
        check("pwdAccountLockedTime", "000001010000Z", Some(Disabled::PwdAccountLockedTime));
        check("pwdAccountLockedTime", "20260301115959Z", None);
    }

    #[test]
    fn shadow_days_count_from_1970() {
        check("shadowExpire", "20513", Some(Disabled::ShadowExpire(datetime!(2026-03-01 0:00 UTC))));
        check("shadowExpire", "20514", None);
        check("shadowExpire", "-1", None);
    }

    #[test]
    fn a_value_that_cannot_be_understood_is_no_permission() {
        let entry = Entry::of("uid=a", &[("userAccountControl", b"enabled")]);
        assert!(Disabled::judge(&entry, NOW).is_err());
    }
}
