//! Diagnostics: a server's free text, made fit for a log and for an administrator.
//!
//! Active Directory hides why a bind failed in a number inside the text of result 49. The words here are for the
//! administrator, never for the person who signs in: they tell strangers which accounts exist.

/// A server's words on one line of bounded length; control characters cannot forge log lines.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .take(LONGEST)
        .collect::<String>()
        .trim()
        .to_owned()
}

const LONGEST: usize = 300;

/// The words with Active Directory's number explained, if there is one.
pub(crate) fn explain(text: &str) -> String {
    let text = clean(text);
    match sub_code(&text) {
        Some(code) => format!("{} (Active Directory {code:x})", meaning(code)),
        None if text.is_empty() => "no reason given".to_owned(),
        None => text,
    }
}

/// The hexadecimal number after `data ` in text such as `80090308: LdapErr: DSID-0C09, comment: …, data 52e, v4563`.
pub(crate) fn sub_code(text: &str) -> Option<u32> {
    let (before, after) = text.rsplit_once("data ")?;
    let digits = after.split(|character: char| !character.is_ascii_hexdigit()).next()?;
    let code = u32::from_str_radix(digits, 16).ok()?;
    before
        .contains("AcceptSecurityContext")
        .then_some(code)
        .or_else(|| before.contains("LdapErr").then_some(code))
}

/// Account disabled.
pub(crate) const DISABLED: u32 = 0x533;
/// Account past its end.
pub(crate) const EXPIRED: u32 = 0x701;
/// Codes that say: the account exists, and the password is not what is wrong with it.
pub(crate) const OTHER_THAN_PASSWORD: [u32; 5] = [0x530, 0x531, 0x532, 0x773, 0x775];

// The numbers are Windows system error codes 1317, 1326 to 1331, 1793, 1907 and 1909.
fn meaning(code: u32) -> &'static str {
    match code {
        0x525 => "no such account",
        0x52e => "wrong password",
        0x52f => "account restrictions forbid this sign-in",
        0x530 => "sign-in is not permitted at this time",
        0x531 => "sign-in is not permitted from this computer",
        0x532 => "the password has expired",
        DISABLED => "the account is disabled",
        EXPIRED => "the account has expired",
        0x773 => "the password must be changed first",
        0x775 => "the account is locked after too many wrong passwords",
        _ => "refused for a reason of its own",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn active_directory_numbers_become_words() {
        let text =
            "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 533, v2580\0";
        assert_eq!(sub_code(text), Some(DISABLED));
        assert_eq!(explain(text), "the account is disabled (Active Directory 533)");
        assert_eq!(explain("NT_STATUS: user data 52 missing"), "NT_STATUS: user data 52 missing");
        assert_eq!(explain(""), "no reason given");
    }

    #[test]
    fn a_servers_words_stay_on_one_line() {
        let cleaned = clean(&format!("a\r\nERROR forged\x1b[0m{}", "x".repeat(1000)));
        assert!(cleaned.starts_with("aERROR forged[0m") && cleaned.len() <= LONGEST);
    }
}
