//! Serving: OpenLDAP's own tools, and the connector of this crate, ask a directory that we serve.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_ldap::serve::Card;
use chancery_ldap::{Connector, Credentials, Error, Follow, Protocol, Settings, SignIn};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::door::{Door, SERVICE, SUFFIX};
use crate::mirror::{Mirror, NOW};

const ALICE: &str = "uid=alice,ou=people,dc=corp,dc=example";
const PEOPLE: &str = "ou=people,dc=corp,dc=example";

fn card(uid: &str, cn: &str, number: u128) -> Card {
    Card {
        uid: uid.to_owned(),
        cn: cn.to_owned(),
        mail: vec![format!("{uid}@corp.example")],
        entry_uuid: Uuid::from_u128(number),
        ..Card::default()
    }
}

fn alice() -> Card {
    Card {
        mail: vec!["alice@corp.example".to_owned(), "a.smith@corp.example".to_owned()],
        title: Some("Director".to_owned()),
        user_certificate: vec![Arc::from([0x30, 3, 2, 1, 7].as_slice())],
        ..card("alice", "Alice Smith", 1)
    }
}

fn cards() -> Vec<Card> {
    vec![alice(), card("bob", "Bob Müller", 2), card("carol, jr", "Carol", 3)]
}

/// Everybody, besides these three.
fn crowd(count: u128) -> impl Iterator<Item = Card> {
    let crowd =
        (0..count).map(|number| card(&format!("p{number:05}"), &format!("Person {number}"), 100 + number));
    cards().into_iter().chain(crowd)
}

const SEARCH: [&str; 4] = ["-LLL", "-o", "ldif-wrap=no", "-b"];

fn entries(out: &str) -> Vec<&str> {
    out.lines().filter(|line| line.starts_with("dn:")).collect()
}

#[test]
fn ldapsearch_finds_addresses_and_certificates() {
    let door = Door::open(cards());
    let search = |arguments: &[&str]| {
        let said = door.tool_as(ALICE, "ecila", "ldapsearch", &[&SEARCH, arguments].concat());
        assert_eq!((said.code, said.error.as_str()), (0, ""), "{arguments:?}");
        said.out
    };
    let found = search(&[
        SUFFIX,
        "(&(objectClass=inetOrgPerson)(|(mail=*smi*)(cn=*smi*)))",
        "cn",
        "mail",
        "userCertificate;binary",
    ]);
    let certificate = STANDARD.encode([0x30, 3, 2, 1, 7]);
    assert_eq!(
        found,
        format!(
            "dn: {ALICE}\ncn: Alice Smith\nmail: alice@corp.example\nmail: a.smith@corp.example\n\
             userCertificate;binary:: {certificate}\n\n"
        )
    );
    assert_eq!(search(&[SUFFIX, "(cn=*m\u{fc}ll*)", "1.1"]), format!("dn: uid=bob,{PEOPLE}\n\n"));
    assert_eq!(
        search(&[SUFFIX, "(mail=A.SMITH@corp.example)", "title"]),
        format!("dn: {ALICE}\ntitle: Director\n\n")
    );
    assert_eq!(entries(&search(&[SUFFIX])).len(), 5);
    assert_eq!(entries(&search(&[SUFFIX, "-s", "one"])), [format!("dn: {PEOPLE}")]);
    assert_eq!(
        entries(&search(&["uid=carol\\2c jr,ou=people,dc=corp,dc=example"])),
        [format!("dn: uid=carol\\, jr,{PEOPLE}")]
    );
    assert_eq!(search(&[ALICE, "-A", "(uid=*)", "mail", "title"]), format!("dn: {ALICE}\nmail:\ntitle:\n\n"));
}

#[test]
fn ldapsearch_reads_what_the_server_is_before_anybody_signs_in() {
    let door = Door::open(cards());
    let root = door.tool("ldapsearch", &["-x", "-LLL", "-s", "base", "-b", "", "+"]);
    assert_eq!(root.code, 0);
    assert!(
        root.out.contains("namingContexts: dc=corp,dc=example\n")
            && root.out.contains("supportedLDAPVersion: 3\n")
    );
    let schema = door.tool(
        "ldapsearch",
        &["-x", "-LLL", "-s", "base", "-b", "cn=subschema", "attributeTypes", "objectClasses"],
    );
    assert!(
        schema.out.contains("NAME 'inetOrgPerson'") && schema.out.contains("NAME 'displayName'"),
        "{}",
        schema.out
    );
    let people = door.tool("ldapsearch", &["-x", "-b", SUFFIX]);
    assert_eq!((people.code, entries(&people.out).len()), (50, 0));
    assert!(people.out.contains("sign in first"), "{}", people.out);
    let started = door.tool("ldapsearch", &["-x", "-ZZ", "-s", "base", "-b", ""]);
    assert_ne!(started.code, 0);
}

#[test]
fn ldapsearch_hears_why_it_gets_nothing() {
    let door = Door::open(cards());
    let search = |arguments: &[&str]| door.tool_as(ALICE, "ecila", "ldapsearch", arguments);
    let nobody = search(&["-b", "uid=nobody,ou=people,dc=corp,dc=example"]);
    assert_eq!(nobody.code, 32);
    assert!(nobody.out.contains(&format!("matchedDN: {PEOPLE}")), "{}", nobody.out);
    assert_eq!(search(&["-b", "nonsense"]).code, 34);
    assert_eq!(search(&["-b", SUFFIX, "-E", "!sss=cn"]).code, 12);
    assert_eq!(search(&["-b", SUFFIX, "-E", "sss=cn"]).code, 0);
    assert_eq!(search(&["-b", SUFFIX, "-M"]).code, 0);
    assert_eq!(door.tool_as(ALICE, "wrong", "ldapsearch", &["-b", SUFFIX]).code, 49);
}

#[test]
fn ldapsearch_reads_a_crowd_page_by_page() {
    let door = Door::open(crowd(2_500));
    let search =
        |arguments: &[&str]| door.tool_as(ALICE, "ecila", "ldapsearch", &[&SEARCH, arguments].concat());
    let all = search(&[SUFFIX, "-E", "pr=100/noprompt", "(objectClass=person)", "uid"]);
    assert_eq!((all.code, entries(&all.out).len()), (0, 2_503));
    let cut = search(&[SUFFIX, "(objectClass=person)", "uid"]);
    assert_eq!((cut.code, entries(&cut.out).len()), (4, 1_000));
    let few = search(&[SUFFIX, "-z", "7", "(uid=p*)", "uid"]);
    assert_eq!((few.code, entries(&few.out).len()), (4, 7));
    let largest = search(&[SUFFIX, "-E", "pr=5000/noprompt", "(uid=p*)", "1.1"]);
    assert_eq!((largest.code, entries(&largest.out).len()), (0, 2_500));
}

#[test]
fn ldapwhoami_hears_who_signed_in() {
    let door = Door::open(cards());
    assert_eq!(door.tool_as(ALICE, "ecila", "ldapwhoami", &[]).out, format!("dn:{ALICE}\n"));
    assert_eq!(door.tool_as(SERVICE, "secret", "ldapwhoami", &[]).out, "u:reader\n");
    assert_eq!(door.tool_as(ALICE, "wrong", "ldapwhoami", &[]).code, 49);
    assert_eq!(door.tool("ldapwhoami", &["-x"]).out, "anonymous\n");
    assert_eq!(door.tool("ldapwhoami", &["-Q", "-Y", "EXTERNAL"]).out, format!("dn:{ALICE}\n"));
    assert_eq!(
        door.tool("ldapwhoami", &["-Q", "-Y", "EXTERNAL", "-X", "u:alice"]).out,
        format!("dn:{ALICE}\n")
    );
    assert_eq!(door.tool("ldapwhoami", &["-Q", "-Y", "EXTERNAL", "-X", "u:bob"]).code, 49);
}

#[test]
fn ldapcompare_hears_true_and_false() {
    let door = Door::open(cards());
    let compare = |assertion: &str| door.tool_as(ALICE, "ecila", "ldapcompare", &[ALICE, assertion]).code;
    assert_eq!(compare("mail:ALICE@corp.example"), 6);
    assert_eq!(compare("mail:bob@corp.example"), 5);
    assert_eq!(compare("givenName:Alice"), 16);
    assert_eq!(compare("userPassword:ecila"), 17);
}

#[test]
fn tools_that_write_hear_that_the_directory_is_read_only() {
    let door = Door::open(cards());
    let file = door.path("change.ldif");
    let path = file.to_str().expect("a path");
    let change = |tool: &str, ldif: &str| {
        fs::write(&file, ldif).expect("a file");
        door.tool_as(ALICE, "ecila", tool, &["-f", path])
    };
    for said in [
        change("ldapmodify", &format!("dn: {ALICE}\nchangetype: modify\nreplace: title\ntitle: Chief\n")),
        change("ldapmodify", &format!("dn: {ALICE}\nchangetype: modrdn\nnewrdn: uid=eve\ndeleteoldrdn: 1\n")),
        change(
            "ldapadd",
            &format!("dn: uid=eve,{PEOPLE}\nobjectClass: inetOrgPerson\nuid: eve\ncn: Eve\nsn: Eve\n"),
        ),
        door.tool_as(ALICE, "ecila", "ldapdelete", &[ALICE]),
        door.tool_as(ALICE, "ecila", "ldapmodrdn", &[ALICE, "uid=eve"]),
    ] {
        let heard = said.out + &said.error;
        assert_eq!(said.code, 53, "{heard}");
        assert!(heard.contains("this directory is read-only"), "{heard}");
    }
}

fn settings(door: &Door) -> Settings {
    Settings {
        servers: vec![door.url.clone()],
        ca_file: Some(door.path("ca.pem")),
        bind_dn: SERVICE.to_owned(),
        base: SUFFIX.to_owned(),
        connect_timeout: Duration::from_secs(5),
        ..Settings::default()
    }
}

#[tokio::test]
async fn our_own_connector_takes_it_for_a_directory_server() {
    let door = Door::open(crowd(1_200));
    let connector =
        Connector::new(settings(&door), Zeroizing::new("secret".to_owned())).expect("good settings");
    let health = connector.check().await.expect("well");
    assert!(health.sees_people && health.pages && !health.pushes_changes);
    assert_eq!(health.vendor.as_deref(), Some("Chancery"));
    let listing = connector.people(NOW).await.expect("everybody");
    assert_eq!((listing.people.len(), listing.skipped.len()), (1_203, 0));
    let found = connector.find("ALICE", NOW).await.expect("an answer").expect("alice");
    assert_eq!((found.id, found.title.as_deref()), (Uuid::from_u128(1), Some("Director")));
    assert!(matches!(connector.sign_in("alice", "ecila", NOW).await, Ok(SignIn::Accepted(_))));
    assert!(matches!(connector.sign_in("carol, jr", "rj ,lorac", NOW).await, Ok(SignIn::Accepted(_))));
    assert!(matches!(connector.sign_in("alice", "alice", NOW).await, Ok(SignIn::WrongPassword { .. })));
    assert!(matches!(connector.sign_in("*", "ecila", NOW).await, Ok(SignIn::Unknown)));
    let nobody = Connector::new(settings(&door), Zeroizing::new("wrong".to_owned())).expect("good settings");
    assert!(matches!(nobody.people(NOW).await, Err(Error::ServiceAccount { code: 49, .. })));
}

#[tokio::test]
async fn our_own_connector_signs_in_with_a_certificate() {
    let door = Door::open(cards());
    let shown = Credentials::Certificate { chain: door.path("alice.pem"), key: door.path("alice.key") };
    let settings = Settings { bind_dn: String::new(), ..settings(&door) };
    let connector = Connector::new(settings, shown).expect("good settings");
    assert_eq!(connector.people(NOW).await.expect("everybody").people.len(), 3);
}

#[tokio::test]
async fn our_own_connector_follows_who_comes_and_goes_by_listing() {
    let door = Door::open(cards());
    let connector =
        Connector::new(settings(&door), Zeroizing::new("secret".to_owned())).expect("good settings");
    let often = Duration::from_millis(200);
    let how = Follow {
        protocol: Some(Protocol::Polling),
        ask_every: often,
        list_every: often,
        ..Follow::default()
    };
    let mut mirror = Mirror::new(&connector, how, None);
    mirror.settled().await;
    assert_eq!(mirror.logins(), ["alice", "bob", "carol, jr"].into());
    door.replace([alice(), card("dave", "Dave", 4)]);
    mirror
        .until("bob and carol are gone and dave is there", |mirror| {
            mirror.logins() == ["alice", "dave"].into()
        })
        .await;
}
