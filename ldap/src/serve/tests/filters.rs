use proptest::prelude::*;

use super::*;
use crate::assertion::Filter;
use crate::serve::block::{Block, Common};
use crate::serve::entry::Draft;
use crate::serve::schema::Attribute;
use crate::serve::test::Test;

fn check(client: &mut Client, filter: &str, expected: &[&str]) {
    assert_eq!(client.find(filter), expected, "{filter}");
}

#[test]
fn every_choice_of_the_standard_is_judged() {
    let mut client = Client::alice(directory());
    let everybody = ["alice", "bob", "carol", "o'neil, x"];
    let mut check = |filter, expected: &[&str]| check(&mut client, filter, expected);
    check("(uid=ALICE)", &["alice"]);
    check("(cn=bob smithers)", &["bob"]);
    check("(cn=carol mu\u{308}ller)", &["carol"]);
    check("(mail=A.Smith@corp.example)", &["alice"]);
    check("(telephoneNumber=+493012345)", &["alice"]);
    check("(telephoneNumber=*123 45*)", &["alice"]);
    check("(title=*)", &["alice"]);
    check("(jpegPhoto=*)", &["alice"]);
    check("(userCertificate;binary=*)", &["alice"]);
    check("(&(sn=*smith*)(!(title=*)))", &["bob"]);
    check("(|(uid=alice)(uid=carol)(uid=nobody))", &["alice", "carol"]);
    check("(cn~=alice  smith)", &["alice"]);
    check("(&(uid>=b)(uid<=carol))", &["bob", "carol"]);
    check("(entryUUID=00000000-0000-0000-0000-000000000003)", &["carol"]);
    check("(entryUUID>=00000000-0000-0000-0000-000000000004)", &["o'neil, x"]);
    check("(cn:caseIgnoreMatch:=ALICE SMITH)", &["alice"]);
    check("(:2.5.13.2:=director)", &["alice"]);
    check("(cn:=alice smith)", &["alice"]);
    check("(ou:dn:=people)", &everybody);
    check("(dc:dn:=Corp)", &everybody);
    check("(ou=people)", &[]);
    check("(objectClass=*)", &everybody);
    check("(objectClass=inetorgperson)", &everybody);
    check("(objectClass=2.5.6.6)", &everybody);
    check("(objectClass=groupOfNames)", &[]);
    check("(&)", &everybody);
    check("(|)", &[]);
}

#[test]
fn asterisks_and_spaces_are_those_of_the_standard() {
    let mut client = Client::alice(directory());
    let mut check = |filter, expected: &[&str]| check(&mut client, filter, expected);
    check("(cn=*smith)", &["alice"]);
    check("(cn=*smith*)", &["alice", "bob"]);
    check("(cn=*smith *)", &["alice"]);
    check("(cn=* smith*)", &["alice", "bob"]);
    check("(cn=al*s*h)", &["alice"]);
    check("(cn=al*e s*)", &["alice"]);
    check("(cn=b*b*smithers)", &["bob"]);
    check("(cn=*Ü*)", &["carol"]);
    check("(cn=alice smith*smith)", &[]);
    check("(mail=*@CORP.*)", &["alice", "bob", "carol"]);
    check("(uid=*\\2c*)", &["o'neil, x"]);
}

#[test]
fn what_cannot_be_judged_is_undefined_and_so_is_its_negation() {
    let mut client = Client::alice(directory());
    for unknown in [
        "(nonsense=1)",
        "(cn:caseExactMatch:=x)",
        "(jpegPhoto=x)",
        "(entryUUID=x)",
        "(cn=\\ff)",
        "(title;lang-de=*)",
        "(userCertificate=\\30\\00)",
    ] {
        check(&mut client, unknown, &[]);
        check(&mut client, &format!("(!{unknown})"), &[]);
        check(&mut client, &format!("(!(!{unknown}))"), &[]);
        check(&mut client, &format!("(&(uid=alice){unknown})"), &[]);
        check(&mut client, &format!("(&(uid=alice)(!{unknown}))"), &[]);
        check(&mut client, &format!("(|(uid=alice){unknown})"), &["alice"]);
        check(&mut client, &format!("(!(&(uid=alice){unknown}))"), &["bob", "carol", "o'neil, x"]);
    }
    // An attribute that is known and absent is not undefined.
    check(&mut client, "(!(title=Director))", &["bob", "carol", "o'neil, x"]);
}

/// Three values as RFC 4511 §4.5.1.7 has them, one entry at a time; what the machine does otherwise.
fn judge(filter: &Filter, draft: &Draft) -> Option<bool> {
    match filter {
        Filter::All(parts) => {
            let judged: Vec<_> = parts.iter().map(|part| judge(part, draft)).collect();
            if judged.contains(&Some(false)) {
                Some(false)
            } else {
                judged.into_iter().collect::<Option<Vec<_>>>().map(|_| true)
            }
        }
        Filter::Any(parts) => {
            let judged: Vec<_> = parts.iter().map(|part| judge(part, draft)).collect();
            if judged.contains(&Some(true)) {
                Some(true)
            } else {
                judged.into_iter().collect::<Option<Vec<_>>>().map(|_| false)
            }
        }
        Filter::Not(part) => judge(part, draft).map(|value| !value),
        Filter::Present(name) => {
            Attribute::named(name).map(|attribute| draft.texts.iter().any(|(known, _)| *known == attribute))
        }
        Filter::Equal(name, value) => {
            let attribute = Attribute::named(name)?;
            let wanted = std::str::from_utf8(value).unwrap().to_lowercase();
            Some(
                draft
                    .texts
                    .iter()
                    .any(|(known, value)| *known == attribute && value.to_lowercase() == wanted),
            )
        }
        Filter::Like(name, pieces) => {
            let attribute = Attribute::named(name)?;
            let piece = std::str::from_utf8(&pieces.within[0]).unwrap().to_lowercase();
            Some(
                draft
                    .texts
                    .iter()
                    .any(|(known, value)| *known == attribute && value.to_lowercase().contains(&piece)),
            )
        }
        _ => None,
    }
}

fn filter() -> impl Strategy<Value = Filter> {
    let name = prop_oneof!["cn", "mail", "title", "nonsense"];
    let item = (name, "[abAB]{1,2}", 0..3).prop_map(|(name, value, kind)| {
        let value = value.into_bytes();
        match kind {
            0 => Filter::Present(name),
            1 => Filter::Equal(name, value),
            _ => Filter::Like(name, crate::assertion::Pieces { within: vec![value], ..Default::default() }),
        }
    });
    item.prop_recursive(5, 24, 4, |part| {
        prop_oneof![
            proptest::collection::vec(part.clone(), 0..4).prop_map(Filter::All),
            proptest::collection::vec(part.clone(), 0..4).prop_map(Filter::Any),
            part.prop_map(|part| Filter::Not(Box::new(part))),
        ]
    })
}

fn draft() -> impl Strategy<Value = Draft> {
    let values =
        |attribute| proptest::collection::vec("[abAB]{1,4}".prop_map(move |value| (attribute, value)), 0..3);
    (values(Attribute::Cn), values(Attribute::Mail), values(Attribute::Title))
        .prop_map(|(cn, mail, title)| Draft { texts: [cn, mail, title].concat(), ..Draft::default() })
}

proptest! {
    #[test]
    fn whole_blocks_are_judged_as_each_entry_by_itself(filter in filter(), drafts in proptest::collection::vec(draft(), 0..150)) {
        let block = Block::new(&drafts, Arc::new(Common::default()));
        let bits = block.judge(&Test::new(&filter, &|_| true));
        for place in 0..1024 {
            let expected = drafts.get(place).is_some_and(|draft| judge(&filter, draft) == Some(true));
            prop_assert_eq!(bits[place / 64] >> (place % 64) & 1 == 1, expected, "{}", place);
        }
    }

    #[test]
    fn an_index_finds_whom_a_scan_finds(uids in proptest::collection::vec("[a-c]{1,3}", 1..40), wanted in "[a-c]{1,3}") {
        let cards = uids.iter().map(|uid| Card { uid: uid.clone(), mail: vec![format!("{}@x", uid.len()), uid.clone()], ..Card::default() });
        let mut client = Client::alice(Directory::new(&Tree::new(SUFFIX).unwrap(), Allowed::default(), cards));
        for value in [&wanted, "2@x"] {
            let indexed = client.find(&format!("(|(uid={value})(&(mail={value})(cn=*)))"));
            let scanned = client.find(&format!("(|(cn={value})(!(!(mail={value}))))"));
            prop_assert_eq!(indexed, scanned);
        }
    }
}
