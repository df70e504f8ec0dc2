use super::*;

fn compare(client: &mut Client, name: &str, attribute: &str, value: &str) -> u64 {
    let mut operation = Vec::new();
    ber::wrap(&mut operation, 0x6e, |out| {
        ber::put(out, OCTETS, name.as_bytes());
        ber::wrap(out, SEQUENCE, |out| {
            ber::put(out, OCTETS, attribute.as_bytes());
            ber::put(out, OCTETS, value.as_bytes());
        });
    });
    let heard = client.ask(&operation, &[]).remove(0);
    assert_eq!(heard.kind, 15);
    heard.code()
}

fn extended(oid: &str) -> Vec<u8> {
    let mut operation = Vec::new();
    ber::wrap(&mut operation, 0x77, |out| ber::put(out, 0x80, oid.as_bytes()));
    operation
}

#[test]
fn values_are_compared_as_filters_compare_them() {
    let mut client = Client::alice(directory());
    assert_eq!(compare(&mut client, ALICE, "mail", "A.Smith@CORP.example"), 6);
    assert_eq!(compare(&mut client, ALICE, "commonName", "alice smith"), 6);
    assert_eq!(compare(&mut client, ALICE, "objectClass", "PERSON"), 6);
    assert_eq!(compare(&mut client, ALICE, "mail", "bob@corp.example"), 5);
    assert_eq!(compare(&mut client, ALICE, "userPassword", "wonderland"), 17);
    assert_eq!(compare(&mut client, ALICE, "jpegPhoto", "x"), 18);
    assert_eq!(compare(&mut client, ALICE, "entryUUID", "x"), 21);
    assert_eq!(compare(&mut client, "uid=bob,ou=people,dc=corp,dc=example", "title", "Director"), 16);
    assert_eq!(compare(&mut client, "uid=nobody,ou=people,dc=corp,dc=example", "title", "Director"), 32);
    assert_eq!(compare(&mut client, "nonsense", "title", "Director"), 34);
    let mut nobody = Client::new(directory());
    assert_eq!(compare(&mut nobody, ALICE, "mail", "alice@corp.example"), 50);
    assert_eq!(compare(&mut nobody, "", "supportedLDAPVersion", "3"), 6);
}

#[test]
fn what_is_not_allowed_is_as_if_it_were_not_there() {
    let allowed = Allowed::parse(["cn", "mail"]).unwrap();
    let directory = Directory::new(&Tree::new(SUFFIX).unwrap(), allowed, cards());
    let mut client = Client::alice(directory);
    assert_eq!(compare(&mut client, ALICE, "title", "Director"), 17);
    for filter in
        ["(title=Director)", "(title=*)", "(!(title=Director))", "(!(title=*))", "(userCertificate=*)"]
    {
        assert!(client.find(filter).is_empty(), "{filter}");
    }
    let search =
        Search { base: ALICE, scope: 0, attributes: &["*", "+", "title", "jpegPhoto"], ..Search::default() };
    let (entries, _) = client.search(&search, &[]);
    assert_eq!(entries[0].names(), ["objectClass", "subschemaSubentry", "uid", "cn", "mail"]);
    let search = Search { base: "cn=subschema", scope: 0, attributes: &["+"], ..Search::default() };
    let (entries, _) = client.search(&search, &[]);
    assert!(!format!("{:?}", entries[0].texts("attributeTypes")).contains("title"));
    assert!(!format!("{:?}", entries[0].texts("objectClasses")).contains("title"));
}

#[test]
fn nothing_can_be_changed() {
    let mut client = Client::alice(directory());
    let one = |tag| {
        let mut operation = Vec::new();
        ber::wrap(&mut operation, tag, |out| ber::put(out, OCTETS, ALICE.as_bytes()));
        operation
    };
    let mut delete = Vec::new();
    ber::put(&mut delete, 0x4a, ALICE.as_bytes());
    for (operation, answer) in [(one(0x66), 7), (one(0x68), 9), (delete, 11), (one(0x6c), 13)] {
        let heard = client.ask(&operation, &[]).remove(0);
        assert_eq!((heard.kind, heard.code()), (answer, 53));
        assert_eq!(heard.result().2, "this directory is read-only");
    }
}

#[test]
fn extensions_that_are_not_here_are_refused() {
    let mut client = Client::alice(directory());
    for oid in ["1.3.6.1.4.1.1466.20037", "1.3.6.1.4.1.4203.1.11.1", "1.2.3"] {
        let heard = client.ask(&extended(oid), &[]).remove(0);
        assert_eq!((heard.kind, heard.code()), (24, 2), "{oid}");
    }
    // Nobody was signed out by it.
    assert!(client.conversation.who().is_some());
}

#[test]
fn a_critical_control_that_is_not_known_refuses_and_an_uncritical_one_does_nothing() {
    let mut client = Client::alice(directory());
    let search = Search::default();
    assert_eq!(client.search(&search, &control("1.2.840.113556.1.4.473", true, Some(b"x"))).1.code(), 12);
    assert_eq!(client.search(&search, &control("1.2.840.113556.1.4.473", false, Some(b"x"))).1.code(), 0);
    assert_eq!(client.search(&search, &control("2.16.840.1.113730.3.4.2", true, None)).1.code(), 0);
    let bind = bind(3, ALICE, |out| ber::put(out, 0x80, b"wonderland"));
    assert_eq!(client.ask(&bind, &control("1.2.3", true, None))[0].code(), 12);
    assert_eq!(client.asked.len(), 1);
    // Pages are of searches.
    assert_eq!(client.ask(&extended("1.3.6.1.4.1.4203.1.11.3"), &page(1, b""))[0].code(), 12);
}

#[test]
fn an_unbind_ends_without_a_word() {
    let mut client = Client::alice(directory());
    assert!(client.ask(&[0x42, 0], &[]).is_empty());
    assert!(matches!(client.conversation.next(&client.directory), Next::End));
    assert!(client.conversation.who().is_none());
}

#[test]
fn an_abandoned_search_is_not_answered() {
    let mut client = Client::alice(many(900));
    let search = client.message(&Search::default().operation(), &[]);
    client.conversation.receive(&search);
    let Next::Write(first) = client.conversation.next(&client.directory) else { panic!("no answer") };
    assert!(first.len() < 20_000);
    // A second one waits.
    let second = client.message(&Search { base: ALICE, ..Search::default() }.operation(), &[]);
    client.conversation.receive(&second);
    let mut abandon = Vec::new();
    ber::number(&mut abandon, 0x50, client.last);
    let third = client.message(&abandon, &[]);
    client.conversation.receive(&third);
    ber::number(&mut abandon, 0x50, client.last - 2);
    let fourth = client.message(&abandon[3..], &[]);
    client.conversation.receive(&fourth);
    assert!(client.hear().is_empty());
    assert_eq!(client.search(&Search { base: PEOPLE, scope: 0, ..Search::default() }, &[]).0.len(), 1);
}

#[test]
fn requests_are_answered_in_their_order() {
    let mut client = Client::new(directory());
    let mut all = Vec::new();
    all.extend(client.message(&Search { base: PEOPLE, ..Search::default() }.operation(), &[]));
    let bind = bind(3, ALICE, |out| ber::put(out, 0x80, b"wonderland"));
    all.extend(client.message(&bind, &[]));
    all.extend(client.message(&Search { base: ALICE, ..Search::default() }.operation(), &[]));
    // Byte by byte, as a slow network brings them.
    all.iter().for_each(|byte| client.conversation.receive(&[*byte]));
    let heard: Vec<_> = client.hear().iter().map(|heard| (heard.id, heard.kind)).collect();
    assert_eq!(heard, [(1, 5), (2, 1), (3, 4), (3, 5)]);
}

#[test]
fn a_closing_server_says_so() {
    let mut client = Client::alice(directory());
    client.conversation.close();
    let heard = client.hear().remove(0);
    assert_eq!((heard.id, heard.kind, heard.code()), (0, 24, 52));
    assert!(matches!(client.conversation.next(&client.directory), Next::End));
}
