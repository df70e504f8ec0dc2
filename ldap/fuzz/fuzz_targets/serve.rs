//! A served directory: whatever a client sends, in pieces of any size, each step ends and writes no more than it may.

#![no_main]

use std::sync::LazyLock;

use chancery_ldap::serve::{Allowed, Card, Conversation, Directory, Identity, Limits, Next, Tree, Verdict};
use libfuzzer_sys::fuzz_target;

static DIRECTORY: LazyLock<Directory> = LazyLock::new(|| {
    let cards = (0..40).map(|number| Card {
        uid: format!("p{number:02}"),
        cn: format!("Zoë  Person {number}"),
        mail: vec![format!("p{number:02}@corp.example"), format!("person.{number}@corp.example")],
        telephone_number: Some(format!("+49 30 {number}-1")),
        user_certificate: vec![vec![0x30, 0].into()],
        ..Card::default()
    });
    Directory::new(&Tree::new("dc=corp,dc=example").expect("a suffix"), Allowed::default(), cards)
});

/// A bind without name and password, after which the input comes; the employer says that it is alice.
const EXTERNAL: &[u8] = b"\x30\x16\x02\x01\x01\x60\x11\x02\x01\x03\x04\x00\xa3\x0a\x04\x08EXTERNAL";

fuzz_target!(|input: &[u8]| {
    let Some((&cut, bytes)) = input.split_first() else { return };
    let limits = Limits { piece: 2_000, ..Limits::default() };
    let mut conversation = Conversation::new(limits);
    conversation.receive(EXTERNAL);
    let mut pieces = bytes.chunks(usize::from(cut).max(1));
    for _ in 0..10_000 {
        match conversation.next(&DIRECTORY) {
            Next::Write(out) => assert!((1..20_000).contains(&out.len()), "{} bytes", out.len()),
            Next::Ask(question) => {
                assert!(!format!("{question:?}").is_empty());
                conversation.answer(Verdict::Is(Identity::Person("p07".to_owned())));
            }
            Next::Again => {}
            Next::Read => match pieces.next() {
                Some(piece) => conversation.receive(piece),
                None => return,
            },
            Next::End => return assert!(!conversation.wants_bytes()),
        }
    }
});
