//! Disabled: every way in which directories say that an account may not be used, as one list.

use std::fmt;

use time::{Duration, OffsetDateTime};

use crate::entry::Entry;
use crate::rules::Judge;

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
    /// Locked for a while after wrong passwords, where [`Rules::lockout`](crate::Rules::lockout) is set.
    Lockout,
    /// The entry passes [`Rules::filter`](crate::Rules::filter).
    Filter,
}

/// What the rules say of an entry at a moment, and when time alone will change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) disabled: Option<Disabled>,
    pub(crate) expires: Option<(OffsetDateTime, Disabled)>,
}

/// What the rules look at. Most are operational attributes, which servers send only when they are named.
pub(crate) const ATTRIBUTES: [&str; 7] = [
    "userAccountControl",
    "accountExpires",
    "nsAccountLock",
    "pwdAccountLockedTime",
    "shadowExpire",
    "lockoutTime",
    "msDS-User-Account-Control-Computed",
];

impl Verdict {
    /// Judges by all rules; an error when a value cannot be understood.
    pub(crate) fn of(entry: &Entry, judge: &Judge, now: OffsetDateTime) -> Result<Self, String> {
        let ends = ends(entry)?;
        let disabled = match Disabled::at_any_time(entry, judge)? {
            Some(rule) => Some(rule),
            None => ends.iter().find(|(end, _)| *end <= now).map(|(_, rule)| *rule),
        };
        let expires = ends.into_iter().min_by_key(|(end, _)| *end).filter(|_| disabled.is_none());
        Ok(Self { disabled, expires })
    }
}

impl Disabled {
    /// The first of the rules that ask no clock.
    fn at_any_time(entry: &Entry, judge: &Judge) -> Result<Option<Self>, String> {
        let [control, _, lock, locked_time, ..] = ATTRIBUTES;
        if entry.number(control)?.is_some_and(|bits| bits & ACCOUNT_DISABLE != 0) {
            return Ok(Some(Self::UserAccountControl));
        }
        if entry.has(lock, "true") {
            return Ok(Some(Self::NsAccountLock));
        }
        // The year zero means for good (draft-behera-ldap-password-policy §5.3.3). Any other time is a lock after wrong
        // passwords, which ends by itself and must not cost anybody their account.
        let locked = entry.text(locked_time)?;
        if locked.as_ref().is_some_and(|time| time.starts_with("000001010000")) {
            return Ok(Some(Self::PwdAccountLockedTime));
        }
        if judge.lockout && (locked.is_some() || is_locked_out(entry)?) {
            return Ok(Some(Self::Lockout));
        }
        Ok(judge.filter.as_ref().filter(|filter| filter.matches(entry)).map(|_| Self::Filter))
    }
}

/// `lockoutTime` stays after the lock has ended, until the next sign-in; the computed bits know better (MS-ADTS
/// §3.1.1.4.5.17), but not every answer has them.
fn is_locked_out(entry: &Entry) -> Result<bool, String> {
    let [.., time, computed] = ATTRIBUTES;
    let locked = entry.number(time)?.is_some_and(|time| time > 0);
    Ok(locked && entry.number(computed)?.is_none_or(|bits| bits & LOCKOUT != 0))
}

/// When the account ends, by each rule that names a time.
fn ends(entry: &Entry) -> Result<Vec<(OffsetDateTime, Disabled)>, String> {
    let [_, expires, _, _, shadow, ..] = ATTRIBUTES;
    let expires =
        entry.number(expires)?.and_then(from_filetime).map(|end| (end, Disabled::AccountExpires(end)));
    let shadow = entry.number(shadow)?.and_then(from_days).map(|end| (end, Disabled::ShadowExpire(end)));
    Ok(expires.into_iter().chain(shadow).collect())
}

impl fmt::Display for Disabled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UserAccountControl => f.write_str("disabled in Active Directory (userAccountControl)"),
            Self::AccountExpires(end) => write!(f, "expired on {} (accountExpires)", end.date()),
            Self::NsAccountLock => f.write_str("locked by an administrator (nsAccountLock)"),
            Self::PwdAccountLockedTime => f.write_str("locked by an administrator (pwdAccountLockedTime)"),
            Self::ShadowExpire(end) => write!(f, "expired on {} (shadowExpire)", end.date()),
            Self::Lockout => f.write_str("locked after too many wrong passwords"),
            Self::Filter => f.write_str("disabled by the filter of the settings"),
        }
    }
}

const ACCOUNT_DISABLE: i64 = 2;
const LOCKOUT: i64 = 0x10;

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
        let verdict = Verdict::of(&entry, &Judge::default(), NOW).unwrap();
        assert_eq!(verdict.disabled, expected, "{attribute}: {value}");
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
        assert!(Verdict::of(&entry, &Judge::default(), NOW).is_err());
    }

    #[test]
    fn the_moment_is_known_at_which_time_alone_disables() {
        let verdict = |attributes: &[(&str, &[u8])]| {
            Verdict::of(&Entry::of("uid=a", attributes), &Judge::default(), NOW).unwrap()
        };
        // 2027-01-01 and 2026-03-02.
        let both = [("accountExpires", &b"134432352000000000"[..]), ("shadowExpire", b"20514")];
        let expires = |values: &[(&str, &[u8])]| verdict(values).expires.map(|(end, _)| end);
        assert_eq!(expires(&both), Some(datetime!(2026-03-02 0:00 UTC)));
        assert_eq!(expires(&both[..1]), Some(datetime!(2027-01-01 0:00 UTC)));
        // Whoever is disabled already stays so.
        let locked = [("nsAccountLock", &b"true"[..]), ("shadowExpire", b"20514")];
        assert_eq!(verdict(&locked), Verdict { disabled: Some(Disabled::NsAccountLock), expires: None });
        assert_eq!(verdict(&[("shadowExpire", b"20512")]).expires, None);
        assert_eq!(verdict(&[]), Verdict { disabled: None, expires: None });
    }

    #[test]
    fn an_organisation_may_add_a_filter_and_locks_after_wrong_passwords() {
        let rules = crate::Rules { filter: Some("(employeeType=former)".to_owned()), lockout: true };
        let judge = rules.parse().unwrap();
        let disabled = |attributes: &[(&str, &[u8])]| {
            Verdict::of(&Entry::of("uid=a", attributes), &judge, NOW).unwrap().disabled
        };
        assert_eq!(disabled(&[("employeeType", b"Former")]), Some(Disabled::Filter));
        assert_eq!(disabled(&[("employeeType", b"staff")]), None);
        assert_eq!(disabled(&[("pwdAccountLockedTime", b"20260301115959Z")]), Some(Disabled::Lockout));
        let computed = "msDS-User-Account-Control-Computed";
        assert_eq!(disabled(&[("lockoutTime", b"134116992000000000")]), Some(Disabled::Lockout));
        assert_eq!(
            disabled(&[("lockoutTime", b"134116992000000000"), (computed, b"16")]),
            Some(Disabled::Lockout)
        );
        assert_eq!(disabled(&[("lockoutTime", b"134116992000000000"), (computed, b"0")]), None);
        assert_eq!(disabled(&[("lockoutTime", b"0"), (computed, b"16")]), None);
    }
}
