//! Checkpoints: the servers' cookies, and what they are valid for.
//!
//! A cookie means something only to who asks the same question again. So a checkpoint carries the hash of the question,
//! and one that was made for another is none.

use sha2::{Digest as _, Sha256};

use super::{Kind, Protocol};
use crate::groups::group_attributes;
use crate::people::people_attributes;
use crate::rules::Judge;
use crate::settings::Settings;

/// Where a protocol can go on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cookie {
    pub(super) protocol: Protocol,
    /// The server's own bytes.
    pub(super) bytes: Vec<u8>,
}

/// One for each kind, if there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cookies {
    people: Option<Cookie>,
    groups: Option<Cookie>,
}

impl Cookies {
    pub(super) fn of(&self, kind: Kind) -> Option<Cookie> {
        match kind {
            Kind::People => self.people.clone(),
            Kind::Groups => self.groups.clone(),
        }
    }

    pub(super) fn set(&mut self, kind: Kind, cookie: Cookie) {
        match kind {
            Kind::People => self.people = Some(cookie),
            Kind::Groups => self.groups = Some(cookie),
        }
    }
}

/// What was asked, of whom and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 32]);

const VERSION: u8 = 1;

impl Fingerprint {
    pub(super) fn of(settings: &Settings, judge: &Judge) -> Self {
        let mut servers = settings.servers.clone();
        servers.sort();
        let people = (settings.user_filter.clone(), people_attributes(settings, judge));
        let groups = settings.group_filter.clone().map(|filter| (filter, group_attributes(settings)));
        let mut words = servers;
        // What an account may not read is not in its answers.
        words.extend([settings.bind_dn.clone(), settings.attributes.id.clone()]);
        for (filter, attributes) in std::iter::once(people).chain(groups) {
            words.extend([settings.base.clone(), filter]);
            words.extend(attributes);
        }
        let mut hash = Sha256::new();
        for word in words {
            hash.update((word.len() as u64).to_be_bytes());
            hash.update(word.as_bytes());
        }
        Self(hash.finalize().into())
    }

    /// Version, hash, then for each kind: protocol, length in four bytes, the server's bytes.
    pub(super) fn seal(&self, cookies: &Cookies) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend(self.0);
        for cookie in [&cookies.people, &cookies.groups] {
            let (code, content) = match cookie {
                Some(Cookie { protocol, bytes }) => (code(*protocol), bytes.as_slice()),
                None => (NONE, &[][..]),
            };
            bytes.push(code);
            bytes.extend(u32::try_from(content.len()).unwrap_or(0).to_be_bytes());
            bytes.extend(content);
        }
        bytes
    }

    /// What was sealed, if it was sealed by the same.
    pub(super) fn open(&self, bytes: &[u8]) -> Option<Cookies> {
        let rest = bytes.strip_prefix(&[VERSION])?.strip_prefix(&self.0)?;
        let (people, rest) = read(rest)?;
        let (groups, rest) = read(rest)?;
        rest.is_empty().then_some(Cookies { people, groups })
    }
}

fn read(bytes: &[u8]) -> Option<(Option<Cookie>, &[u8])> {
    let (&code, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (content, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    let cookie = protocol(code).map(|protocol| Cookie { protocol, bytes: content.to_vec() });
    Some((cookie, rest))
}

const NONE: u8 = 0;

fn code(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::SyncRepl => 1,
        Protocol::DirSync => 2,
        Protocol::UpdateNumbers => 3,
        Protocol::Polling => 4,
    }
}

fn protocol(code: u8) -> Option<Protocol> {
    let all = [Protocol::SyncRepl, Protocol::DirSync, Protocol::UpdateNumbers, Protocol::Polling];
    all.into_iter().find(|protocol| self::code(*protocol) == code)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settings() -> Settings {
        let servers = vec!["ldaps://a".to_owned(), "ldaps://b".to_owned()];
        Settings { servers, base: "dc=corp".to_owned(), ..Settings::default() }
    }

    #[test]
    fn a_checkpoint_is_good_for_the_question_it_was_made_for() {
        let of = |settings: &Settings| Fingerprint::of(settings, &Judge::default());
        let mut cookies = Cookies::default();
        cookies.set(Kind::Groups, Cookie { protocol: Protocol::DirSync, bytes: b"abc".to_vec() });
        let sealed = of(&settings()).seal(&cookies);
        assert_eq!(of(&settings()).open(&sealed), Some(cookies));
        let reversed = settings().servers.into_iter().rev().collect();
        assert!(of(&Settings { servers: reversed, ..settings() }).open(&sealed).is_some());

        let mut attributes = settings().attributes;
        attributes.mail = "mailAddress".to_owned();
        let others = [
            Settings { servers: vec!["ldaps://a".to_owned()], ..settings() },
            Settings { base: "dc=other".to_owned(), ..settings() },
            Settings { user_filter: "(uid=*)".to_owned(), ..settings() },
            Settings { group_filter: Some("(cn=*)".to_owned()), ..settings() },
            Settings { bind_dn: "cn=somebody".to_owned(), ..settings() },
            Settings { attributes, ..settings() },
        ];
        for other in others {
            assert_eq!(of(&other).open(&sealed), None, "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn bytes_from_anywhere_are_no_checkpoint(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let fingerprint = Fingerprint([0; 32]);
            prop_assert_eq!(fingerprint.open(&bytes), None);
            let mut cut = fingerprint.seal(&Cookies::default());
            cut.truncate(bytes.len());
            prop_assert!(cut.len() == 43 || fingerprint.open(&cut).is_none());
        }
    }
}
