//! The words of a notice: who wrote and how much, never what.

use chancery_mail::{ListId, MailError, Mailbox, MessageId, Notice};

use super::config::Settings;
use crate::id::EnvelopeId;
use crate::store::{Account, Untold};
use crate::time::Timestamp;

/// The subject names this many senders, …
const NAMED: usize = 3;
/// … and the text this many.
const LISTED: usize = 50;

/// The whole mail. Its Message-ID comes from the envelope, so that a mail that went out twice is kept once.
pub(super) fn write(
    settings: &Settings,
    envelope: EnvelopeId,
    account: &Account,
    to: Mailbox,
    untold: &Untold,
    now: Timestamp,
) -> Result<Vec<u8>, MailError> {
    let domain = &settings.domain;
    let id = MessageId::parse(&format!("{envelope}@{domain}"))?;
    let notice = Notice::new(settings.from.clone(), to, id, now.to_offset())
        .from_name(&format!("Chancery of {domain}"))
        .to_name(&account.display)
        .subject(&subject(untold))
        .text(&text(untold, account, domain));
    // Lets people sort notices into a folder; a domain too long for it costs nothing else.
    Ok(match ListId::parse(&format!("notices.{domain}")) {
        Ok(list) => notice.list_id(list).build(),
        Err(_) => notice.build(),
    })
}

/// `3 messages are waiting from alice, bob`
fn subject(untold: &Untold) -> String {
    let named: Vec<&str> = untold.senders.iter().take(NAMED).map(|(sender, _)| sender.as_str()).collect();
    let others = match untold.senders.len().saturating_sub(NAMED) {
        0 => String::new(),
        1 => " and 1 other".to_owned(),
        more => format!(" and {more} others"),
    };
    format!("{} waiting from {}{others}", messages_are(untold.count()), named.join(", "))
}

fn text(untold: &Untold, account: &Account, domain: &str) -> String {
    let mut text = format!(
        "Hello {},\n\n{} waiting for you at {domain}:\n\n",
        on_one_line(&account.display),
        messages_are(untold.count())
    );
    for (sender, count) in untold.senders.iter().take(LISTED) {
        text.push_str(&format!("  {count} from {}\n", on_one_line(sender)));
    }
    if let more @ 1.. = untold.senders.len().saturating_sub(LISTED) {
        text.push_str(&format!("  … and more from {more} other people\n"));
    }
    text.push_str(
        "\nConnect with one of your devices to read what waits.\n\n\
         This mail was sent by a machine; answers to it are not read.\n",
    );
    text
}

fn messages_are(count: i64) -> String {
    if count == 1 { "1 message is".to_owned() } else { format!("{count} messages are") }
}

/// A name from a directory cannot add lines to the text.
fn on_one_line(name: &str) -> String {
    name.split(|letter: char| letter.is_control()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn untold(senders: &[(&str, i64)]) -> Untold {
        Untold { senders: senders.iter().map(|(name, count)| (name.to_string(), *count)).collect(), upto: 9 }
    }

    #[test]
    fn the_subject_counts_messages_and_names_the_first_senders() {
        let check = |senders: &[(&str, i64)], expected: &str| assert_eq!(subject(&untold(senders)), expected);
        check(&[("alice", 1)], "1 message is waiting from alice");
        check(&[("alice", 2), ("bob", 1)], "3 messages are waiting from alice, bob");
        check(&[("a", 1), ("b", 1), ("c", 1), ("d", 1)], "4 messages are waiting from a, b, c and 1 other");
        check(
            &[("a", 1), ("b", 1), ("c", 1), ("d", 1), ("e", 1)],
            "5 messages are waiting from a, b, c and 2 others",
        );
    }

    #[test]
    fn a_crowd_of_senders_makes_no_endless_mail_and_a_name_no_new_line() {
        let crowd: Vec<(String, i64)> = (0..200).map(|n| (format!("s{n}\r\nBcc: x"), 1)).collect();
        let said = text(&Untold { senders: crowd, upto: 9 }, &account("Carol\nC."), "corp.example");
        assert!(
            said.contains("… and more from 150 other people") && said.starts_with("Hello Carol C.,"),
            "{said}"
        );
        assert!(said.lines().count() < 70 && !said.lines().any(|line| line.starts_with("Bcc")));
    }

    fn account(display: &str) -> Account {
        Account {
            id: crate::id::AccountId::GUEST,
            name: "carol".into(),
            display: display.into(),
            mail: None,
            source: crate::store::Source::Builtin,
            password: None,
            groups: Vec::new(),
            admin_disabled: false,
            directory_disabled: None,
            created_at: Timestamp::default(),
            entry: None,
        }
    }
}
