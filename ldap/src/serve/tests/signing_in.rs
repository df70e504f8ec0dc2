use super::*;

fn sasl(mechanism: &str, credentials: Option<&[u8]>) -> Vec<u8> {
    bind(3, "", |out| {
        ber::wrap(out, 0xa3, |out| {
            ber::put(out, OCTETS, mechanism.as_bytes());
            if let Some(credentials) = credentials {
                ber::put(out, OCTETS, credentials);
            }
        });
    })
}

fn who_am_i(client: &mut Client) -> String {
    let mut operation = Vec::new();
    ber::wrap(&mut operation, 0x77, |out| ber::put(out, 0x80, b"1.3.6.1.4.1.4203.1.11.3"));
    let heard = client.ask(&operation, &[]).remove(0);
    assert_eq!((heard.kind, heard.code()), (24, 0));
    let value = heard.parts.iter().find(|part| part.class == TagClass::Context && part.id == 11);
    text(value.expect("a value, be it empty"))
}

#[test]
fn a_person_signs_in_by_the_name_of_their_entry() {
    let mut client = Client::new(directory());
    assert_eq!(who_am_i(&mut client), "");
    assert_eq!(
        client.bind("UID=Alice, ou=People,dc=corp,dc=example", "wonderland").result(),
        (0, "".into(), "".into())
    );
    assert_eq!(client.asked, ["Password { login: Person(\"Alice\"), .. }"]);
    assert_eq!(who_am_i(&mut client), format!("dn:{ALICE}"));
    assert_eq!(client.conversation.who(), Some(&Identity::Person("alice".to_owned())));
}

#[test]
fn other_names_are_the_employers_affair() {
    let mut client = Client::new(directory());
    assert_eq!(client.bind("printer@corp.example", "secret").code(), 0);
    assert_eq!(who_am_i(&mut client), "u:printer@corp.example");
}

#[test]
fn whoever_fails_is_nobody_whoever_they_were() {
    let mut client = Client::alice(directory());
    assert_eq!(client.bind(ALICE, "Wonderland").result(), (49, "".into(), "".into()));
    assert_eq!(who_am_i(&mut client), "");
    assert_eq!(client.bind(ALICE, "too often").code(), 51);
}

#[test]
fn an_empty_password_is_never_asked_about() {
    let mut client = Client::alice(directory());
    assert_eq!(client.bind(ALICE, "").code(), 53);
    assert_eq!(who_am_i(&mut client), "");
    assert_eq!(client.bind("", "").code(), 0);
    assert_eq!(client.bind("", "wonderland").code(), 49);
    assert_eq!(client.asked.len(), 1);
}

#[test]
fn no_password_is_in_what_is_shown_of_the_machine() {
    let mut client = Client::new(directory());
    let operation = bind(3, ALICE, |out| ber::put(out, 0x80, b"wonderland"));
    let message = client.message(&operation, &[]);
    for part in message.chunks(20) {
        client.conversation.receive(part);
        assert!(!format!("{:?}", client.conversation).contains("119, 111, 110, 100"));
    }
    let Next::Ask(question) = client.conversation.next(&client.directory) else { panic!("no question") };
    assert!(!format!("{question:?}").contains("wonderland"));
}

#[test]
fn a_certificate_speaks_for_its_owner_and_for_nobody_else() {
    let mut client = Client::new(directory());
    for taken in
        [None, Some("".as_bytes()), Some(b"u:ALICE"), Some(b"dn:UID=alice,ou=people,dc=corp,dc=example")]
    {
        assert_eq!(client.ask(&sasl("EXTERNAL", taken), &[])[0].code(), 0);
        assert_eq!(who_am_i(&mut client), format!("dn:{ALICE}"));
    }
    for refused in ["u:bob", "dn:uid=bob,ou=people,dc=corp,dc=example", "dn:nonsense", "alice"] {
        assert_eq!(client.ask(&sasl("EXTERNAL", Some(refused.as_bytes())), &[])[0].code(), 49, "{refused}");
        assert_eq!(who_am_i(&mut client), "");
    }
    assert_eq!(client.ask(&sasl("PLAIN", Some(b"\0alice\0wonderland")), &[])[0].code(), 7);
    assert_eq!(client.ask(&sasl("GSSAPI", None), &[])[0].code(), 7);
}

#[test]
fn version_2_is_refused_and_nobody_is_asked() {
    let mut client = Client::new(directory());
    let operation = bind(2, ALICE, |out| ber::put(out, 0x80, b"wonderland"));
    assert_eq!(client.ask(&operation, &[])[0].code(), 2);
    assert!(client.asked.is_empty());
}

#[test]
fn whoever_has_not_signed_in_sees_what_the_server_is_and_nothing_else() {
    let mut client = Client::new(directory());
    let search = |base, scope| Search { base, scope, ..Search::default() };
    assert_eq!(client.search(&search("", 0), &[]).0.len(), 1);
    assert_eq!(client.search(&search("cn=subschema", 0), &[]).0.len(), 1);
    for base in [SUFFIX, PEOPLE, ALICE, "uid=nobody,ou=people,dc=corp,dc=example", "dc=elsewhere"] {
        let (entries, end) = client.search(&search(base, 2), &[]);
        assert_eq!((entries.len(), end.result()), (0, (50, "".into(), "sign in first".into())), "{base}");
    }
    assert_eq!(client.search(&search("", 2), &[]).1.code(), 50);
}

#[test]
fn every_verdict_has_its_result() {
    let alice = Identity::Person("alice".to_owned());
    for (verdict, code) in [
        (Verdict::Is(alice), 0),
        (Verdict::Wrong, 49),
        (Verdict::NoCertificate, 48),
        (Verdict::Busy, 51),
        (Verdict::Unavailable, 52),
    ] {
        let mut client = Client::new(directory());
        let message = client.message(&sasl("EXTERNAL", None), &[]);
        client.conversation.receive(&message);
        assert!(matches!(client.conversation.next(&client.directory), Next::Ask(Question::Certificate)));
        // Until it is answered there is nothing else to do.
        assert!(matches!(client.conversation.next(&client.directory), Next::Read));
        client.conversation.answer(verdict);
        client.conversation.answer(Verdict::Is(Identity::Other("nobody asked".to_owned())));
        assert_eq!(client.hear()[0].code(), code);
        assert_eq!(client.conversation.who().is_some(), code == 0);
    }
}
