use super::*;

fn names(client: &mut Client, base: &str, scope: u32) -> (Vec<String>, u64) {
    let (entries, end) = client.search(&Search { base, scope, ..Search::default() }, &[]);
    (entries.iter().map(Heard::dn).collect(), end.code())
}

const BOB: &str = "uid=bob,ou=people,dc=corp,dc=example";
const CAROL: &str = "uid=carol,ou=people,dc=corp,dc=example";
const ONEIL: &str = "uid=o'neil\\, x,ou=people,dc=corp,dc=example";

#[test]
fn each_base_and_scope_has_its_entries() {
    let mut client = Client::alice(directory());
    let everybody = [ALICE, BOB, CAROL, ONEIL];
    let mut check = |base: &str, scope, expected: &[&str]| {
        let (names, code) = names(&mut client, base, scope);
        assert_eq!(
            (names.iter().map(String::as_str).collect::<Vec<_>>(), code),
            (expected.to_vec(), 0),
            "{base} {scope}"
        );
    };
    check(SUFFIX, 0, &[SUFFIX]);
    check(SUFFIX, 1, &[PEOPLE]);
    check(SUFFIX, 2, &[&[SUFFIX, PEOPLE][..], &everybody].concat());
    check(PEOPLE, 0, &[PEOPLE]);
    check("OU=People , DC=Corp,DC=Example", 1, &everybody);
    check(PEOPLE, 2, &[&[PEOPLE][..], &everybody].concat());
    check(BOB, 0, &[BOB]);
    check(BOB, 1, &[]);
    check(BOB, 2, &[BOB]);
    check("uid=O'Neil\\2c  x,ou=people,dc=corp,dc=example", 0, &[ONEIL]);
    check("", 0, &[""]);
    check("", 1, &[PEOPLE]);
    check("", 2, &[&[SUFFIX, PEOPLE][..], &everybody].concat());
    check("cn=subschema", 0, &["cn=subschema"]);
    check("cn=Subschema", 1, &[]);
}

#[test]
fn a_base_that_is_not_there_is_told_with_the_nearest_that_is() {
    let mut client = Client::alice(directory());
    for (base, code, matched) in [
        ("uid=nobody,ou=people,dc=corp,dc=example", 32, PEOPLE),
        ("uid=alice+cn=Alice Smith,ou=people,dc=corp,dc=example", 32, PEOPLE),
        ("cn=x,uid=alice,ou=people,dc=corp,dc=example", 32, PEOPLE),
        ("ou=groups,dc=corp,dc=example", 32, SUFFIX),
        ("dc=example", 32, ""),
        ("c=US", 32, ""),
        ("alice", 34, ""),
        ("uid=\"alice\"", 34, ""),
    ] {
        let (entries, end) = client.search(&Search { base, ..Search::default() }, &[]);
        let (heard, nearest, _) = end.result();
        assert_eq!((entries.len(), heard, nearest.as_str()), (0, code, matched), "{base}");
    }
}

#[test]
fn an_entry_says_what_its_card_says() {
    let mut client = Client::alice(directory());
    let (entries, _) =
        client.search(&Search { base: ALICE, attributes: &["*", "+"], ..Search::default() }, &[]);
    let alice = &entries[0];
    assert_eq!(alice.texts("objectClass"), ["top", "person", "organizationalPerson", "inetOrgPerson"]);
    assert_eq!(alice.texts("sn"), ["Smith"]);
    assert_eq!(alice.texts("mail"), ["alice@corp.example", "a.smith@corp.example"]);
    assert_eq!(alice.texts("telephoneNumber"), ["+49 30 123-45"]);
    assert_eq!(alice.texts("entryUUID"), ["00000000-0000-0000-0000-000000000001"]);
    assert_eq!(alice.texts("subschemaSubentry"), ["cn=subschema"]);
    let certificates = alice.attributes().into_iter().find(|(name, _)| name == "userCertificate;binary");
    assert_eq!(certificates.unwrap().1, [vec![0x30, 1, 0], vec![0x30, 1, 1]]);
}

#[test]
fn what_is_selected_is_sent_and_no_more() {
    let mut client = Client::alice(directory());
    let mut check = |attributes: &[&str], expected: &[&str]| {
        let (entries, _) = client.search(&Search { base: ALICE, attributes, ..Search::default() }, &[]);
        assert_eq!(entries[0].names(), expected, "{attributes:?}");
    };
    check(&["1.1"], &[]);
    check(&["MAIL", "surname"], &["sn", "mail"]);
    check(&["userCertificate;binary"], &["userCertificate;binary"]);
    check(&["usercertificate"], &["userCertificate;binary"]);
    check(&["2.5.4.3", "nonsense", "cn;lang-de", ""], &["cn"]);
    check(&["+"], &["subschemaSubentry", "entryUUID"]);
    let search = Search {
        base: ALICE,
        attributes: &["mail", "userCertificate"],
        types_only: true,
        ..Search::default()
    };
    let (entries, _) = client.search(&search, &[]);
    assert_eq!(
        entries[0].attributes(),
        [("mail".to_owned(), vec![]), ("userCertificate;binary".to_owned(), vec![])]
    );
}

#[test]
fn the_root_says_what_the_server_is() {
    let mut client = Client::new(directory());
    let search = Search { base: "", scope: 0, attributes: &["+"], ..Search::default() };
    let root = client.search(&search, &[]).0.remove(0);
    assert_eq!(root.texts("namingContexts"), [SUFFIX]);
    assert_eq!(root.texts("supportedLDAPVersion"), ["3"]);
    assert_eq!(root.texts("supportedSASLMechanisms"), ["EXTERNAL"]);
    assert_eq!(root.texts("supportedExtension"), ["1.3.6.1.4.1.4203.1.11.3"]);
    assert!(root.texts("supportedControl").contains(&"1.2.840.113556.1.4.319".to_owned()));
    assert_eq!(root.texts("subschemaSubentry"), ["cn=subschema"]);
    let search = Search { base: "", scope: 0, ..Search::default() };
    assert_eq!(client.search(&search, &[]).0[0].names(), ["objectClass"]);
}

#[test]
fn the_schema_describes_every_attribute_that_is_sent() {
    let mut client = Client::alice(directory());
    let search = Search { base: "cn=subschema", scope: 0, attributes: &["+"], ..Search::default() };
    let types = client.search(&search, &[]).0[0].texts("attributeTypes");
    for base in ["", "cn=subschema", SUFFIX, PEOPLE, ALICE] {
        let (entries, _) =
            client.search(&Search { base, scope: 0, attributes: &["*", "+"], ..Search::default() }, &[]);
        for name in entries[0].names() {
            let quoted = format!("'{}'", name.trim_end_matches(";binary"));
            assert!(types.iter().any(|described| described.contains(&quoted)), "{name}");
        }
    }
}

#[test]
fn cards_without_a_name_of_their_own_are_left_out_and_told() {
    let card = |uid: &str, cn: &str| Card { uid: uid.into(), cn: cn.into(), ..Card::default() };
    let cards = [card("alice", "one"), card(" ", "two"), card("ALICE ", "three"), card("bob", "")];
    let directory = Directory::new(&Tree::new("o=Corp").unwrap(), Allowed::default(), cards);
    assert_eq!(
        (directory.people(), directory.omitted()),
        (2, [" ".to_owned(), "ALICE ".to_owned()].as_slice())
    );
    let mut client = Client::alice(directory);
    let (entries, _) = client.search(&Search { base: "o=corp", ..Search::default() }, &[]);
    assert_eq!(entries[0].texts("objectClass"), ["top", "organization"]);
    assert_eq!(entries[2].texts("cn"), ["one"]);
    assert_eq!(
        (entries[3].texts("cn"), entries[3].texts("sn")),
        (vec!["bob".to_owned()], vec!["bob".to_owned()])
    );
}
