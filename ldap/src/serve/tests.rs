//! How the machine answers: a client that speaks to it without a network, and what it hears.

mod filters;
mod hostile;
mod limits;
mod mail_clients;
mod operations;
mod searching;
mod signing_in;

use std::sync::Arc;

use ldap3::asn1::{ASNTag as _, PL, StructureTag, TagClass, parse_tag};
use ldap3::parse_filter;
use uuid::Uuid;

use super::{Allowed, Card, Conversation, Directory, Identity, Limits, Login, Next, Question, Tree, Verdict};
use crate::ber::{self, ENUMERATED, INTEGER, OCTETS, SEQUENCE};

const SUFFIX: &str = "dc=corp,dc=example";
const PEOPLE: &str = "ou=people,dc=corp,dc=example";
const ALICE: &str = "uid=alice,ou=people,dc=corp,dc=example";

fn cards() -> Vec<Card> {
    let card = |uid: &str, cn: &str, mail: &[&str], number: u128| Card {
        uid: uid.to_owned(),
        cn: cn.to_owned(),
        given_name: cn.split(' ').next().map(str::to_owned),
        display_name: Some(cn.to_owned()),
        mail: mail.iter().map(|mail| (*mail).to_owned()).collect(),
        entry_uuid: Uuid::from_u128(number),
        ..Card::default()
    };
    let alice = Card {
        title: Some("Director".to_owned()),
        telephone_number: Some("+49 30 123-45".to_owned()),
        jpeg_photo: Some(Arc::from([0xff, 0xd8, 1].as_slice())),
        user_certificate: vec![Arc::from([0x30, 1, 0].as_slice()), Arc::from([0x30, 1, 1].as_slice())],
        ..card("alice", "Alice Smith", &["alice@corp.example", "a.smith@corp.example"], 1)
    };
    vec![
        card("carol", "Carol Müller", &["carol@corp.example"], 3),
        alice,
        card("bob", "Bob  Smithers", &["bob@corp.example"], 2),
        card("o'neil, x", "Xavier O'Neil", &[], 4),
    ]
}

fn directory() -> Directory {
    Directory::new(&Tree::new(SUFFIX).unwrap(), Allowed::default(), cards())
}

/// A directory of `p00000`, `p00001` and so on.
fn many(count: usize) -> Directory {
    let cards = (0..count).map(|number| Card {
        uid: format!("p{number:05}"),
        cn: format!("Person {number}"),
        mail: vec![format!("p{number:05}@corp.example")],
        ..Card::default()
    });
    Directory::new(&Tree::new(SUFFIX).unwrap(), Allowed::default(), cards)
}

/// What a client heard: one message.
#[derive(Clone, Debug)]
struct Heard {
    id: u64,
    kind: u64,
    parts: Vec<StructureTag>,
    cookie: Option<Vec<u8>>,
}

impl Heard {
    fn read(tag: StructureTag) -> Self {
        let mut parts = tag.expect_constructed().unwrap().into_iter();
        let id = value(&parts.next().unwrap());
        let operation = parts.next().unwrap();
        assert_eq!(operation.class, TagClass::Application);
        let cookie = parts.next().map(|controls| {
            let control = controls.expect_constructed().unwrap().remove(0).expect_constructed().unwrap();
            assert_eq!(bytes(&control[0]), b"1.2.840.113556.1.4.319");
            bytes(&parse_tag(&bytes(&control[1])).unwrap().1.expect_constructed().unwrap()[1])
        });
        let kind = operation.id;
        Self { id, kind, parts: operation.expect_constructed().unwrap(), cookie }
    }

    /// Result code, matchedDN and text.
    fn result(&self) -> (u64, String, String) {
        (value(&self.parts[0]), text(&self.parts[1]), text(&self.parts[2]))
    }

    fn code(&self) -> u64 {
        self.result().0
    }

    fn dn(&self) -> String {
        assert_eq!(self.kind, 4);
        text(&self.parts[0])
    }

    /// Names and values of an entry.
    fn attributes(&self) -> Vec<(String, Vec<Vec<u8>>)> {
        assert_eq!(self.kind, 4);
        let attributes = self.parts[1].clone().expect_constructed().unwrap().into_iter();
        let read = |attribute: StructureTag| {
            let parts = attribute.expect_constructed().unwrap();
            let values = parts[1].clone().expect_constructed().unwrap();
            (text(&parts[0]), values.iter().map(bytes).collect())
        };
        attributes.map(read).collect()
    }

    fn names(&self) -> Vec<String> {
        self.attributes().into_iter().map(|(name, _)| name).collect()
    }

    fn texts(&self, name: &str) -> Vec<String> {
        let found = self.attributes().into_iter().find(|(known, _)| known == name);
        let values = found.map(|(_, values)| values).unwrap_or_default();
        values.into_iter().map(|value| String::from_utf8(value).unwrap()).collect()
    }
}

fn bytes(tag: &StructureTag) -> Vec<u8> {
    tag.clone().expect_primitive().unwrap()
}

fn text(tag: &StructureTag) -> String {
    String::from_utf8(bytes(tag)).unwrap()
}

fn value(tag: &StructureTag) -> u64 {
    bytes(tag).iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

struct Client {
    conversation: Conversation,
    directory: Directory,
    last: u32,
    /// What the employer was asked.
    asked: Vec<String>,
}

impl Client {
    fn new(directory: Directory) -> Self {
        Self::limited(directory, Limits::default())
    }

    fn limited(directory: Directory, limits: Limits) -> Self {
        Self { conversation: Conversation::new(limits), directory, last: 0, asked: Vec::new() }
    }

    /// Signed in as alice.
    fn alice(directory: Directory) -> Self {
        let mut client = Self::new(directory);
        let name = client.directory.tree().person("alice");
        assert_eq!(client.bind(&name, "wonderland").code(), 0);
        client
    }

    /// Sends a request and hears everything until the machine wants to read.
    fn ask(&mut self, operation: &[u8], controls: &[u8]) -> Vec<Heard> {
        let message = self.message(operation, controls);
        self.conversation.receive(&message);
        self.hear()
    }

    fn message(&mut self, operation: &[u8], controls: &[u8]) -> Vec<u8> {
        self.last += 1;
        let mut message = Vec::new();
        ber::wrap(&mut message, SEQUENCE, |out| {
            ber::number(out, INTEGER, self.last);
            out.extend_from_slice(operation);
            if !controls.is_empty() {
                ber::put(out, 0xa0, controls);
            }
        });
        message
    }

    fn hear(&mut self) -> Vec<Heard> {
        let mut all = Vec::new();
        loop {
            match self.conversation.next(&self.directory) {
                Next::Write(bytes) => all.extend(bytes),
                Next::Ask(question) => {
                    self.asked.push(format!("{question:?}"));
                    self.conversation.answer(verdict(&question));
                }
                Next::Again => {}
                Next::Read | Next::End => break,
            }
        }
        let mut rest = all.as_slice();
        let mut heard = Vec::new();
        while !rest.is_empty() {
            let (after, tag) = parse_tag(rest).unwrap();
            heard.push(Heard::read(tag));
            rest = after;
        }
        heard
    }

    fn bind(&mut self, name: &str, password: &str) -> Heard {
        let operation = bind(3, name, |out| ber::put(out, 0x80, password.as_bytes()));
        self.ask(&operation, &[]).remove(0)
    }

    /// The entries, and how it ended.
    fn search(&mut self, search: &Search<'_>, controls: &[u8]) -> (Vec<Heard>, Heard) {
        let mut heard = self.ask(&search.operation(), controls);
        let end = heard.pop().unwrap();
        assert_eq!(end.kind, 5);
        (heard, end)
    }

    /// The uids of those who pass a filter, below the suffix.
    fn find(&mut self, filter: &str) -> Vec<String> {
        let (entries, end) = self.search(&Search { filter, ..Search::default() }, &[]);
        assert_eq!(end.result(), (0, String::new(), String::new()), "{filter}");
        entries.iter().flat_map(|entry| entry.texts("uid")).collect()
    }
}

/// The employer: alice and a program have passwords, and alice's certificate is at the connection.
fn verdict(question: &Question) -> Verdict {
    match question {
        Question::Password { login, password } => match (login, password.as_str()) {
            (Login::Person(uid), "wonderland") if uid.eq_ignore_ascii_case("alice") => {
                Verdict::Is(Identity::Person("alice".to_owned()))
            }
            (Login::Other(name), "secret") => Verdict::Is(Identity::Other(name.clone())),
            (_, "too often") => Verdict::Busy,
            _ => Verdict::Wrong,
        },
        Question::Certificate => Verdict::Is(Identity::Person("alice".to_owned())),
    }
}

fn bind(version: u32, name: &str, how: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut operation = Vec::new();
    ber::wrap(&mut operation, 0x60, |out| {
        ber::number(out, INTEGER, version);
        ber::put(out, OCTETS, name.as_bytes());
        how(out);
    });
    operation
}

/// A search request; by default for everybody, as a mail client asks.
#[derive(Clone)]
struct Search<'a> {
    base: &'a str,
    scope: u32,
    size: u32,
    types_only: bool,
    filter: &'a str,
    attributes: &'a [&'a str],
}

impl Default for Search<'_> {
    fn default() -> Self {
        Self {
            base: SUFFIX,
            scope: 2,
            size: 0,
            types_only: false,
            filter: "(objectClass=*)",
            attributes: &[],
        }
    }
}

impl Search<'_> {
    fn operation(&self) -> Vec<u8> {
        let mut operation = Vec::new();
        ber::wrap(&mut operation, 0x63, |out| {
            ber::put(out, OCTETS, self.base.as_bytes());
            ber::number(out, ENUMERATED, self.scope);
            ber::number(out, ENUMERATED, 0);
            ber::number(out, INTEGER, self.size);
            ber::number(out, INTEGER, 0);
            ber::put(out, 1, &[if self.types_only { 0xff } else { 0 }]);
            write(out, &parse_filter(self.filter).unwrap().into_structure());
            ber::wrap(out, SEQUENCE, |out| {
                self.attributes.iter().for_each(|name| ber::put(out, OCTETS, name.as_bytes()));
            });
        });
        operation
    }
}

/// Any tree, as bytes.
fn write(out: &mut Vec<u8>, tag: &StructureTag) {
    let class = match tag.class {
        TagClass::Universal => 0,
        TagClass::Application => 0x40,
        TagClass::Context => 0x80,
        TagClass::Private => 0xc0,
    };
    let id = u8::try_from(tag.id).unwrap() | class;
    match &tag.payload {
        PL::P(bytes) => ber::put(out, id, bytes),
        PL::C(parts) => ber::wrap(out, id | 0x20, |out| parts.iter().for_each(|part| write(out, part))),
    }
}

fn control(oid: &str, critical: bool, value: Option<&[u8]>) -> Vec<u8> {
    let mut control = Vec::new();
    ber::wrap(&mut control, SEQUENCE, |out| {
        ber::put(out, OCTETS, oid.as_bytes());
        if critical {
            ber::put(out, 1, &[0xff]);
        }
        if let Some(value) = value {
            ber::put(out, OCTETS, value);
        }
    });
    control
}

/// The control of RFC 2696.
fn page(size: u32, cookie: &[u8]) -> Vec<u8> {
    let mut value = Vec::new();
    ber::wrap(&mut value, SEQUENCE, |out| {
        ber::number(out, INTEGER, size);
        ber::put(out, OCTETS, cookie);
    });
    control("1.2.840.113556.1.4.319", true, Some(&value))
}
