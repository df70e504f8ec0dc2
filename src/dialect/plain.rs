//! The dialect of ordinary MQTT clients: `to/bob`, `from/alice`, `room/lunch`, and any other topic as it stands.
//!
//! Each account sees its own view. Names are percent-encoded on the wire where they hold `/ + # @ %` (RFC 3986
//! §2.1), so that one name is always one topic level.

use std::str::FromStr;

use percent_encoding::percent_decode_str;

use crate::id::{AccountId, MessageId};
use crate::store::{Kind, NewMessage};

/// First levels under which each account sees its own view. (Presence is one view for all.)
const OWN_VIEW: [&str; 5] = ["to", "from", "room", "receipt", "typing"];
/// First levels kept for the other dialects and the house itself.
const RESERVED: [&str; 7] = ["events", "actions", "devices", "contacts", "private", "apps", "$SYS"];
const ESCAPED: [char; 5] = ['/', '+', '#', '@', '%'];

/// What a topic that somebody publishes to means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// To a person of this house, by name.
    Account(String),
    /// To a person of another domain.
    Peer { account: String, domain: String },
    /// To the members of a room.
    Room(String),
    /// What the publisher has to say about a message sent to it.
    Receipt(MessageId),
    /// The publisher is writing to this account.
    Typing(String),
    /// A plain topic, which only the rules judge.
    Topic,
    /// A topic that nobody may publish to.
    Closed,
}

/// The meaning of a topic name; `domain` is the house's own.
pub(crate) fn address(topic: &str, domain: &str) -> Address {
    let (first, rest) = topic.split_once('/').unwrap_or((topic, ""));
    match (first, rest) {
        ("to", rest) => person(rest, domain),
        ("room", room) => name(room).map_or(Address::Closed, Address::Room),
        ("receipt", id) => MessageId::from_str(id).map_or(Address::Closed, Address::Receipt),
        ("typing", account) => name(account).map_or(Address::Closed, Address::Typing),
        ("from" | "presence", _) => Address::Closed,
        (first, _) if RESERVED.contains(&first) || first.starts_with('$') => Address::Closed,
        _ => Address::Topic,
    }
}

/// Whether a filter can only ever select somebody's own view, so that no shared topic needs to be tried against it.
pub(crate) fn is_own_view(filter: &str) -> bool {
    OWN_VIEW.contains(&first_level(filter))
}

/// Whether a topic is shared by all who may use it: no chat address, and not kept for the house.
pub(crate) fn is_shared(topic: &str) -> bool {
    let first = first_level(topic);
    !OWN_VIEW.contains(&first) && first != "presence" && !RESERVED.contains(&first) && !first.starts_with('$')
}

/// Whether a filter could select chat among other topics.
pub(crate) fn may_select_chat(filter: &str) -> bool {
    matches!(first_level(filter), "+" | "#")
}

/// Whether a filter asks for presence by name.
pub(crate) fn is_presence(filter: &str) -> bool {
    first_level(filter) == "presence"
}

/// Whether a filter could select anybody's presence.
pub(crate) fn may_select_presence(filter: &str) -> bool {
    matches!(first_level(filter), "presence" | "+" | "#")
}

/// The topic under which `reader` sees a message.
pub(crate) fn topic_for(message: &NewMessage, reader: AccountId) -> String {
    match message.kind {
        // A note to oneself is read like anybody's message.
        Kind::Direct if message.author == reader && message.sender != message.address => {
            format!("to/{}", encode(&message.address))
        }
        Kind::Direct => format!("from/{}", encode(&message.sender)),
        Kind::Room => format!("room/{}/{}", encode(&message.address), encode(&message.sender)),
        Kind::Receipt => format!("receipt/{}", message.address),
        Kind::Topic => message.address.clone(),
    }
}

/// The topic by which somebody is written to.
pub(crate) fn to_topic(account: &str) -> String {
    format!("to/{}", encode(account))
}

/// The topic by which a room's members write to it.
pub(crate) fn room_topic(room: &str) -> String {
    format!("room/{}", encode(room))
}

/// The topic under which contacts see whether an account is there.
pub(crate) fn presence_topic(account: &str) -> String {
    format!("presence/{}", encode(account))
}

/// The topic under which an account sees that somebody writes to it.
pub(crate) fn typing_topic(author: &str) -> String {
    format!("typing/{}", encode(author))
}

fn person(text: &str, own: &str) -> Address {
    let (account, domain) =
        text.split_once('@').map_or((text, None), |(account, domain)| (account, Some(domain)));
    match (name(account), domain) {
        (None, _) => Address::Closed,
        (Some(account), None) => Address::Account(account),
        (Some(account), Some(domain)) if domain.eq_ignore_ascii_case(own) => Address::Account(account),
        (Some(_), Some(domain)) if domain.is_empty() || domain.contains('/') => Address::Closed,
        (Some(account), Some(domain)) => Address::Peer { account, domain: domain.to_ascii_lowercase() },
    }
}

fn first_level(filter: &str) -> &str {
    filter.split('/').next().unwrap_or_default()
}

/// One level, decoded; accounts and rooms are named without regard to case.
fn name(level: &str) -> Option<String> {
    if level.is_empty() || level.contains('/') {
        return None;
    }
    Some(percent_decode_str(level).decode_utf8().ok()?.to_lowercase())
}

/// Only what would break a topic level is escaped: other scripts stay readable.
fn encode(name: &str) -> String {
    let mut level = String::with_capacity(name.len());
    for c in name.chars() {
        match c.is_control() || ESCAPED.contains(&c) {
            true => level.extend(c.to_string().bytes().map(|byte| format!("%{byte:02X}"))),
            false => level.push(c),
        }
    }
    level
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::Timestamp;

    fn direct(sender: &str, to: &str, author: AccountId) -> NewMessage {
        NewMessage {
            kind: Kind::Direct,
            author,
            sender: sender.into(),
            address: to.into(),
            payload: Default::default(),
            properties: None,
        }
    }

    #[test]
    fn to_and_an_account_is_a_person_of_this_house_or_of_another() {
        assert_eq!(address("to/Bob", "corp.example"), Address::Account("bob".into()));
        assert_eq!(address("to/bob@CORP.example", "corp.example"), Address::Account("bob".into()));
        let peer = Address::Peer { account: "bob".into(), domain: "else.example".into() };
        assert_eq!(address("to/bob@Else.example", "corp.example"), peer);
    }

    #[test]
    fn nobody_publishes_where_others_read() {
        for topic in [
            "from/alice",
            "presence/bob",
            "to/",
            "to/a/b",
            "room/",
            "room/a/b",
            "receipt/x",
            "$SYS/x",
            "apps/x",
        ] {
            assert_eq!(address(topic, "corp.example"), Address::Closed, "{topic}");
        }
    }

    #[test]
    fn a_message_is_seen_from_its_author_by_others_and_to_its_addressee_by_the_author() {
        let author = AccountId::new(Timestamp::from_micros(1_000_000));
        let message = direct("alice", "bob", author);
        assert_eq!(topic_for(&message, AccountId::GUEST), "from/alice");
        assert_eq!(topic_for(&message, author), "to/bob");
    }

    proptest! {
        #[test]
        fn any_name_is_one_level_and_comes_back(name in "[^A-Z\\x00]{1,20}") {
            let topic = format!("to/{}", encode(&name));
            prop_assume!(name.to_lowercase() == name);
            prop_assert_eq!(address(&topic, "corp.example"), Address::Account(name));
        }
    }
}
