//! Searches in the shape of those that programs for mail send. They were written by hand and not recorded from the programs.

use super::*;

/// A search as it is sent, and who is found.
fn check(filter: &str, attributes: &[&str], expected: &[&str]) -> Vec<Heard> {
    let mut client = Client::alice(directory());
    let (entries, end) = client.search(&Search { filter, attributes, size: 100, ..Search::default() }, &[]);
    let found: Vec<_> = entries.iter().map(Heard::dn).collect();
    let expected: Vec<_> = expected.iter().map(|uid| format!("uid={uid},{PEOPLE}")).collect();
    assert_eq!((found, end.code()), (expected, 0), "{filter}");
    entries
}

#[test]
fn thunderbird_completes_an_address() {
    let filter = "(&(objectclass=*)(|(mail=*smi*)(cn=*smi*)(givenName=*smi*)(sn=*smi*)))";
    let attributes = [
        "cn",
        "commonname",
        "mail",
        "givenname",
        "sn",
        "surname",
        "mozillaNickname",
        "xmozillanickname",
        "usercertificate;binary",
        "objectclass",
    ];
    let entries = check(filter, &attributes, &["alice", "bob"]);
    assert_eq!(
        entries[0].names(),
        ["objectClass", "cn", "sn", "givenName", "mail", "userCertificate;binary"]
    );
}

#[test]
fn thunderbird_searches_the_address_book_with_attributes_that_nobody_has() {
    let filter = "(&(objectclass=inetorgperson)(|(mail=*mül*)(mozillaSecondEmail=*mül*)(displayName=*mül*)(cn=*mül*)(givenName=*mül*)(sn=*mül*)(xmozillanickname=*mül*)))";
    check(filter, &[], &["carol"]);
}

#[test]
fn thunderbird_fetches_certificates_of_all_recipients_at_once() {
    let filter = "(|(mail=alice@corp.example)(mail=BOB@corp.example)(mail=stranger@elsewhere.example))";
    let entries = check(filter, &["usercertificate;binary"], &["alice", "bob"]);
    assert_eq!(
        (entries[0].names(), entries[1].names().len()),
        (vec!["userCertificate;binary".to_owned()], 0)
    );
}

#[test]
fn outlook_resolves_a_name() {
    let filter = "(&(mail=*)(|(mail=ali*)(|(cn=ali*)(|(sn=ali*)(|(givenName=ali*)(displayName=ali*))))))";
    let attributes = [
        "cn",
        "commonName",
        "mail",
        "roleOccupant",
        "display-name",
        "displayname",
        "sn",
        "surname",
        "co",
        "o",
        "givenName",
        "legacyExchangeDN",
        "objectClass",
        "uid",
        "mailNickname",
        "title",
        "company",
        "telephoneNumber",
        "userCertificate",
        "userSMIMECertificate",
        "userCertificate;binary",
        "userSMIMECertificate;binary",
    ];
    let entries = check(filter, &attributes, &["alice"]);
    assert!(entries[0].names().contains(&"userCertificate;binary".to_owned()));
    // Those without an address are not shown.
    check("(&(mail=*)(|(cn=xav*)(sn=xav*)))", &attributes, &[]);
}

#[test]
fn outlook_asks_for_sorting_and_gets_an_unsorted_answer() {
    let mut client = Client::alice(directory());
    let sort = control("1.2.840.113556.1.4.473", false, Some(b"\x30\x06\x30\x04\x04\x02cn"));
    let (entries, end) = client.search(&Search { filter: "(mail=*)", ..Search::default() }, &sort);
    assert_eq!((entries.len(), end.code()), (3, 0));
}

#[test]
fn apple_contacts_asks_word_by_word() {
    let filter = "(&(objectClass=inetOrgPerson)(&(|(givenName=alice*)(sn=alice*)(cn=alice*)(mail=alice*))(|(givenName=smi*)(sn=smi*)(cn=smi*)(mail=smi*))))";
    check(
        filter,
        &["givenName", "sn", "cn", "mail", "telephoneNumber", "jpegPhoto", "userCertificate", "entryUUID"],
        &["alice"],
    );
    check("(|(mail=carol@corp.example))", &["userCertificate;binary"], &["carol"]);
}
