use proptest::prelude::*;

use super::*;

/// The notice, and that it was the last word.
fn notice(bytes: &[u8]) -> (u64, String) {
    let mut client = Client::alice(directory());
    client.conversation.receive(bytes);
    let heard = client.hear().pop().expect("a notice");
    assert_eq!((heard.id, heard.kind), (0, 24));
    let name = heard.parts.iter().find(|part| part.class == TagClass::Context).expect("its name");
    assert_eq!((name.id, text(name)), (10, "1.3.6.1.4.1.1466.20036".to_owned()));
    assert!(
        matches!(client.conversation.next(&client.directory), Next::End)
            && !client.conversation.wants_bytes()
    );
    client.conversation.receive(bytes);
    assert!(client.hear().is_empty());
    (heard.code(), heard.result().2)
}

#[test]
fn what_is_no_request_ends_the_connection_with_a_notice() {
    for (bytes, text) in [
        (&b"GET / HTTP/1.1\r\n"[..], "this is not LDAP"),
        (b"\x30\x80", "a length is not one that LDAP has"),
        (b"\x30\x85\0\0\0\0\x05", "a length is not one that LDAP has"),
        (b"\x30\x84\x7f\xff\xff\xff", "a request is too long"),
        (b"\x30\x83\x01\0\0", "a request is too long"),
        (b"\x30\x05\x02\x01\x00\x42\x00", "a request is malformed"),
        (b"\x30\x05\x02\x01\x01\x42\x01", "a request is malformed"),
        (b"\x30\x05\x02\x01\xff\x42\x00", "a request is malformed"),
        (b"\x30\x05\x02\x01\x01\x5f\x00", "a request is malformed"),
        (b"\x30\x05\x02\x01\x01\x63\x00", "a request is malformed"),
        (b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00", "a request is malformed"),
        (b"\x30\x00", "a request is malformed"),
    ] {
        assert_eq!(notice(bytes), (2, text.to_owned()), "{bytes:02x?}");
    }
}

#[test]
fn nesting_that_would_exhaust_the_stack_is_stopped() {
    let mut nest = Vec::new();
    ber::put(&mut nest, 0x87, b"cn");
    while nest.len() < 60_000 {
        let mut outer = Vec::new();
        ber::put(&mut outer, 0xa2, &nest);
        nest = outer;
    }
    let mut message = Vec::new();
    ber::wrap(&mut message, SEQUENCE, |out| {
        ber::number(out, INTEGER, 1);
        ber::put(out, 0x63, &nest);
    });
    assert_eq!(notice(&message).0, 2);
}

#[test]
fn a_search_changed_in_any_one_byte_is_answered_or_ends_it() {
    let mut client = Client::alice(directory());
    let filter = "(&(objectClass=inetOrgPerson)(|(mail=*s*i*)(cn:dn:2.5.13.2:=a)(!(uid>=b))))";
    let search = Search { filter, attributes: &["cn", "userCertificate;binary"], ..Search::default() };
    let message = client.message(&search.operation(), &page(10, b"\0\0\0\x01\x02 alice "));
    for place in 0..message.len() {
        for change in [1, 0x20, 0x80, 0xff] {
            let mut changed = message.clone();
            changed[place] ^= change;
            let mut client = Client::alice(directory());
            client.conversation.receive(&changed);
            client.hear();
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_bring_the_machine_down(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..100), 0..20)) {
        let mut client = Client::new(directory());
        for piece in pieces {
            client.conversation.receive(&piece);
            client.hear();
        }
    }

    #[test]
    fn nor_do_bytes_in_the_shape_of_a_message(id in any::<u8>(), tag in any::<u8>(), content in proptest::collection::vec(any::<u8>(), 0..120), controls in proptest::collection::vec(any::<u8>(), 0..30)) {
        let mut client = Client::alice(directory());
        let mut message = Vec::new();
        ber::wrap(&mut message, SEQUENCE, |out| {
            ber::number(out, INTEGER, id.into());
            ber::put(out, tag, &content);
            ber::put(out, 0xa0, &controls);
        });
        client.conversation.receive(&message);
        client.hear();
    }

    #[test]
    fn where_bytes_are_cut_makes_no_difference(cuts in proptest::collection::vec(1_usize..40, 1..40)) {
        let mut client = Client::new(directory());
        let mut all = client.message(&bind(3, ALICE, |out| ber::put(out, 0x80, b"wonderland")), &[]);
        all.extend(client.message(&Search::default().operation(), &page(2, b"")));
        all.extend(client.message(&Search { base: ALICE, ..Search::default() }.operation(), &[]));
        let mut rest = all.as_slice();
        let mut heard = Vec::new();
        for cut in cuts.into_iter().cycle() {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            client.conversation.receive(piece);
            heard.extend(client.hear().into_iter().map(|heard| (heard.id, heard.kind)));
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(heard, [(1, 1), (2, 4), (2, 4), (2, 5), (3, 4), (3, 5)]);
    }
}
