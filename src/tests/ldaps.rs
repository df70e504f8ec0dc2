//! The door for mail clients: OpenLDAP's own tools find people, addresses and certificates, and nobody sees more, or stays
//! longer, than the house allows.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use serde_json::Value;

use crate::town::client::{PATIENCE, tls_config};
use crate::town::plan::Plan;
use crate::town::slapd::{Options, Slapd};
use crate::town::tools::{Told, eventually, run, tell};
use crate::town::web::Web;
use crate::town::{Person, Town, text};

const BASE: &str = "dc=corp,dc=example";
const ALICE: &str = "uid=alice,ou=people,dc=corp,dc=example";
const PASSWORD: &str = "a long enough password";

fn plan() -> Plan {
    Town::plan().with("door.ldaps", "listen = [\"127.0.0.1:0\"]")
}

/// An account with a name, an address and a password.
fn settle(town: &Town, account: &str, name: &str) {
    let file = town.path("password");
    fs::write(&file, PASSWORD).expect("our own folder");
    let mail = format!("{account}@corp.example");
    let add = [
        "--json",
        "account",
        "add",
        account,
        "--name",
        name,
        "--mail",
        &mail,
        "--password-file",
        text(&file),
    ];
    town.say(&add).well();
}

/// A town with alice, bob and carol.
fn town() -> Town {
    let town = plan().start();
    for (account, name) in [("alice", "Alice Adams"), ("bob", "Bob Müller"), ("carol", "Carol Clark")] {
        settle(&town, account, name);
    }
    town
}

/// One of OpenLDAP's tools at the door, with a client certificate or without.
fn tool(town: &Town, tool: &str, shown: Option<&Person>, arguments: &[&str]) -> Told {
    let mut command = Command::new(tool);
    command.args(["-H", &format!("ldaps://{}", town.door("ldaps"))]).args(arguments);
    // No settings of the machine's or of whoever runs the tests.
    command.env("HOME", town.path("")).env("LDAPCONF", town.path("none")).env("LDAPTLS_CACERT", town.root());
    if let Some(person) = shown {
        command.env("LDAPTLS_CERT", person.file("cert.pem")).env("LDAPTLS_KEY", person.file("key.pem"));
    }
    run(&mut command)
}

/// The same by name and password.
fn tool_as(town: &Town, name: &str, password: &str, program: &str, arguments: &[&str]) -> Told {
    tool(town, program, None, &[&["-x", "-D", name, "-w", password], arguments].concat())
}

/// What alice finds.
fn search(town: &Town, arguments: &[&str]) -> String {
    let how = ["-LLL", "-o", "ldif-wrap=no", "-b", BASE];
    tool_as(town, ALICE, PASSWORD, "ldapsearch", &[&how, arguments].concat()).well()
}

/// The exit code of whoever asks who they are.
fn whoami(town: &Town, name: &str, password: &str) -> i32 {
    tool_as(town, name, password, "ldapwhoami", &[]).code
}

/// A certificate for encrypting mail to somebody: its serial, and itself in base64.
fn mail_certificate(town: &Town, account: &str) -> (String, String) {
    let folder = (1..).map(|n| town.path(&format!("{account}-mail-{n}"))).find(|path| !path.exists());
    let folder: PathBuf = folder.expect("numbers do not end");
    let enrolled =
        town.ask(&format!("cert enroll {account} --profile mail-encryption --out {}", text(&folder)));
    let der = folder.join("cert.der");
    let pem = folder.join("cert.pem");
    tell("openssl", &["x509", "-in", text(&pem), "-outform", "DER", "-out", text(&der)]).well();
    let serial = enrolled["serial"].as_str().expect("a serial").to_owned();
    (serial, STANDARD.encode(fs::read(der).expect("a certificate")))
}

/// Why somebody was refused, as the audit has it: the account, the code and the reason.
fn refusals(town: &Town) -> Vec<(String, i64, String)> {
    let list = town.ask("audit list");
    let refused = list.as_array().expect("a list").iter().filter(|entry| entry["deed"] == "session.refuse");
    let told = |entry: &Value| {
        let facts: Value = serde_json::from_str(entry["details"].as_str().expect("text")).expect("JSON");
        assert_eq!(facts["door"], "ldaps", "{entry}");
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (word(&entry["subject"]), facts["reason"].as_i64().unwrap_or_default(), word(&facts["why"]))
    };
    refused.map(told).collect()
}

#[test]
fn people_are_found_by_password_with_their_addresses_and_certificates() {
    let town = town();
    let (old, _) = mail_certificate(&town, "bob");
    let (newest, certificate) = mail_certificate(&town, "bob");
    // A certificate for signing in is nothing to encrypt with.
    town.enroll("alice");
    let bob = format!(
        "dn: uid=bob,ou=people,{BASE}\ncn:: {}\nmail: bob@corp.example\nuserCertificate;binary:: {certificate}\n\n",
        STANDARD.encode("Bob Müller")
    );
    let wanted = ["cn", "mail", "userCertificate;binary"];
    assert_eq!(search(&town, &[&["(mail=BOB@corp.example)"], &wanted[..]].concat()), bob);
    assert_eq!(search(&town, &[&["(cn=bob m*)"], &wanted[..]].concat()), bob);
    let alice = search(&town, &["(uid=alice)"]);
    for line in ["displayName: Alice Adams\n", "sn: Adams\n", "mail: alice@corp.example\n"] {
        assert!(alice.contains(line), "{alice}");
    }
    assert!(!alice.contains("userCertificate"), "{alice}");
    let id = town.ask("account show alice")["id"].as_str().expect("an id").replace("urn:uuid:", "");
    assert_eq!(search(&town, &["(uid=alice)", "entryUUID"]), format!("dn: {ALICE}\nentryUUID: {id}\n\n"));
    // The older one is good still when the newer one is taken back, as everywhere else.
    let shown = |serial: &str| {
        let pem = town.ask(&format!("cert show {serial}"))["certificate"].as_str().expect("PEM").to_owned();
        pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()
    };
    let serves = |certificate: &str| {
        search(&town, &["(uid=bob)", "userCertificate;binary"]).contains(&format!("binary:: {certificate}\n"))
    };
    town.ask(&format!("cert revoke {newest}"));
    eventually("the older certificate is served", || serves(&shown(&old)));
    town.ask(&format!("cert revoke {old}"));
    eventually("none is served", || !search(&town, &["(uid=bob)"]).contains("userCertificate"));
}

#[test]
fn a_mail_client_looks_for_parts_of_names_and_for_the_certificates_of_addresses() {
    let town = town();
    let (_, certificate) = mail_certificate(&town, "carol");
    let asked = ["cn", "commonName", "mail", "displayName", "givenName", "sn", "xmozillanickname", "c"];
    // As Thunderbird completes an address.
    let filter = "(&(objectClass=person)(|(cn=*cla*)(mail=*cla*)(sn=*cla*)))";
    let found = search(&town, &[&["-z", "100", filter], &asked[..]].concat());
    assert!(found.starts_with("dn: uid=carol,") && found.matches("dn: ").count() == 1, "{found}");
    assert!(found.contains("cn: Carol Clark\n") && found.contains("mail: carol@corp.example\n"), "{found}");
    // As it looks for the certificates of those whom a letter is for.
    let filter = "(|(mail=alice@corp.example)(mail=carol@corp.example))";
    let found = search(&town, &["-s", "sub", filter, "userCertificate;binary"]);
    assert!(found.contains(&format!("userCertificate;binary:: {certificate}\n")), "{found}");
    assert_eq!(found.matches("userCertificate").count(), 1, "{found}");
}

#[test]
fn who_has_not_signed_in_learns_what_the_server_is_and_nothing_of_people() {
    let town = town();
    settle(&town, "dave", "Dave Dean");
    town.ask("account disable dave");
    let root = tool(&town, "ldapsearch", None, &["-x", "-LLL", "-s", "base", "-b", "", "+"]).well();
    assert!(root.contains(&format!("namingContexts: {BASE}\n")), "{root}");
    let nobody = tool(&town, "ldapsearch", None, &["-x", "-LLL", "-b", BASE]);
    assert!(nobody.code == 50 && nobody.out.is_empty(), "{nobody:?}");
    assert_eq!(whoami(&town, ALICE, "wrong"), 49);
    assert_eq!(whoami(&town, &format!("uid=nobody,ou=people,{BASE}"), PASSWORD), 49);
    assert_eq!(whoami(&town, "dave", PASSWORD), 49);
    assert_eq!(whoami(&town, "*", PASSWORD), 49);
    let told = refusals(&town);
    let told: Vec<_> =
        told.iter().rev().map(|(who, code, why)| (who.as_str(), *code, why.as_str())).collect();
    let wanted = [
        ("alice", 49, "wrong password"),
        ("unknown", 49, "no such account"),
        ("dave", 49, "disabled by an admin"),
        ("unknown", 49, "no such account"),
    ];
    assert!(told == wanted, "{told:?}");
    // Names may be written bare, or as an address.
    for name in ["alice", "Alice", "alice@corp.example"] {
        assert_eq!(whoami(&town, name, PASSWORD), 0, "{name}");
    }
}

#[test]
fn a_client_certificate_signs_its_owner_in_and_nobody_else() {
    let town = town();
    let alice = town.enroll("alice");
    let external = |arguments: &[&str]| {
        tool(&town, "ldapwhoami", Some(&alice), &[&["-Q", "-Y", "EXTERNAL"], arguments].concat())
    };
    assert_eq!(external(&[]).well(), format!("dn:{ALICE}\n"));
    assert_eq!(external(&["-X", "u:alice"]).well(), format!("dn:{ALICE}\n"));
    assert_eq!(external(&["-X", "u:bob"]).code, 49);
    let found =
        tool(&town, "ldapsearch", Some(&alice), &["-Q", "-Y", "EXTERNAL", "-LLL", "-b", BASE, "(uid=bob)"]);
    assert!(found.well().contains("mail: bob@corp.example\n"));
    // The tools do not try it without a certificate.
    assert_eq!(Line::open(&town, None).bind(), 48);
    // A name beside a certificate is its owner's, as at every door.
    let both = |name: &str| tool(&town, "ldapwhoami", Some(&alice), &["-x", "-D", name, "-w", PASSWORD]).code;
    assert_eq!((both(ALICE), both("bob")), (0, 49));
    let told = refusals(&town);
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().any(|(who, code, _)| who == &alice.serial && *code == 49), "{told:?}");
    assert!(told.iter().any(|(who, code, _)| who == "unknown" && *code == 48), "{told:?}");
    assert!(
        told.iter().any(|(who, code, why)| who == "bob" && *code == 49 && why.contains("alice")),
        "{told:?}"
    );
    town.ask(&format!("cert revoke {}", alice.serial));
    assert_ne!(external(&[]).code, 0);
    assert_ne!(both(ALICE), 0);
}

#[test]
fn somebody_who_is_disabled_is_no_longer_found() {
    let town = town();
    let is_found = |uid: &str| !search(&town, &[&format!("(uid={uid})")]).is_empty();
    assert!(is_found("bob") && !is_found("dave"));
    town.ask("account disable bob");
    settle(&town, "dave", "Dave Dean");
    eventually("bob is gone and dave is there", || !is_found("bob") && is_found("dave"));
    town.ask("account enable bob");
    eventually("bob is back", || is_found("bob"));
}

#[test]
fn people_of_another_directory_sign_in_with_their_password_there() {
    let slapd = Slapd::start(Options::default());
    slapd.add_person("alice", "Alice Adams", "alice@corp.example", "wonderland");
    let town = plan().ldap(&slapd).start();
    eventually("alice is known", || town.ask("account list").as_array().is_some_and(|all| all.len() == 1));
    let found = |password| {
        tool_as(
            &town,
            ALICE,
            password,
            "ldapsearch",
            &["-LLL", "-b", BASE, "(mail=alice@*)", "displayName", "title"],
        )
    };
    assert_eq!(found("wonderland").well(), format!("dn: {ALICE}\ndisplayName: Alice Adams\n\n"));
    slapd.modify_ldif(&format!(
        "dn: {}\nchangetype: modify\nadd: title\ntitle: Chief\n-\nadd: telephoneNumber\ntelephoneNumber: +49 89 1\n-\n\
         add: preferredLanguage\npreferredLanguage: de-AT\n",
        slapd.person_dn("alice")
    ));
    eventually("her card is known", || town.ask("account show alice")["title"] == "Chief");
    let shown = town.ask("account show alice");
    assert_eq!((&shown["phone"], &shown["locale"]), (&"+49 89 1".into(), &"de-AT".into()));
    eventually("others find it", || found("wonderland").well().contains("title: Chief"));
    assert_eq!(found("wrong").code, 49);
    slapd.disable("alice");
    eventually("alice is disabled", || found("wonderland").code == 49);
}

#[test]
fn nothing_can_be_written() {
    let town = town();
    let file = town.path("change.ldif");
    let change = |tool: &str, ldif: &str| {
        fs::write(&file, ldif).expect("our own folder");
        tool_as(&town, ALICE, PASSWORD, tool, &["-f", text(&file)]).code
    };
    assert_eq!(
        change("ldapmodify", &format!("dn: {ALICE}\nchangetype: modify\nreplace: sn\nsn: Chief\n")),
        53
    );
    assert_eq!(
        change("ldapadd", &format!("dn: uid=eve,ou=people,{BASE}\nobjectClass: person\nsn: Eve\ncn: Eve\n")),
        53
    );
    assert_eq!(change("ldapmodify", &format!("dn: {ALICE}\nchangetype: delete\n")), 53);
    assert!(search(&town, &["(uid=alice)", "sn"]).contains("sn: Adams\n"));
}

#[test]
fn what_is_served_and_under_which_name_is_the_operators_choice() {
    let town = plan().with("door.ldaps", "suffix = \"o=Corp\"\nattributes = [\"cn\"]").start();
    settle(&town, "alice", "Alice Adams");
    let found = tool_as(
        &town,
        "alice",
        PASSWORD,
        "ldapsearch",
        &["-LLL", "-b", "o=Corp", "(cn=alice*)", "cn", "mail"],
    );
    assert_eq!(found.well(), "dn: uid=alice,ou=people,o=Corp\ncn: Alice Adams\n\n");
    let found = tool_as(&town, "alice", PASSWORD, "ldapsearch", &["-LLL", "-b", "o=Corp", "(mail=alice*)"]);
    assert_eq!(found.well(), "");
}

// --- one connection -------------------------------------------------------------------------------------------------

/// A client that says what it is told, byte by byte.
struct Line(StreamOwned<ClientConnection, TcpStream>);

/// The tag of an answer's operation, and all of the answer.
type Answer = (u8, Vec<u8>);

/// An extended response that nobody asked for: the Notice of Disconnection.
const NOTICE: u8 = 0x78;
const WHO_AM_I: &[u8] = b"\x30\x1e\x02\x01\x02\x77\x19\x80\x171.3.6.1.4.1.4203.1.11.3";

impl Line {
    fn open(town: &Town, shown: Option<&Person>) -> Self {
        let socket = TcpStream::connect(town.door("ldaps")).expect("the door is open");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let name = ServerName::try_from("localhost").expect("a host name");
        let config = tls_config(&town.root(), shown, &[]);
        Self(StreamOwned::new(ClientConnection::new(config, name).expect("a TLS client"), socket))
    }

    fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).and_then(|()| self.0.flush()).expect("the line stands");
    }

    /// `None` at the end.
    fn hear(&mut self) -> Option<Answer> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).ok()?;
        assert!(head[0] == 0x30 && head[1] < 0x80, "a short message: {head:?}");
        let mut message = vec![0; usize::from(head[1])];
        self.0.read_exact(&mut message).ok()?;
        // The number of the message is one byte.
        Some((message[3], message))
    }

    /// Signs in by the certificate that was shown (SASL EXTERNAL): the result code.
    fn bind(&mut self) -> u8 {
        self.say(b"\x30\x16\x02\x01\x01\x60\x11\x02\x01\x03\x04\x00\xa3\x0a\x04\x08EXTERNAL");
        let (tag, answer) = self.hear().expect("an answer");
        assert_eq!(tag, 0x61, "{answer:?}");
        answer[7]
    }

    /// Signed in by its certificate.
    fn external(town: &Town, person: &Person) -> Self {
        let mut line = Self::open(town, Some(person));
        assert_eq!(line.bind(), 0);
        line.is(person);
        line
    }

    /// The house knows who is there.
    fn is(&mut self, person: &Person) {
        self.say(WHO_AM_I);
        let (_, answer) = self.hear().expect("an answer");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.contains(&format!("dn:uid={},ou=people,{BASE}", person.name)), "{answer}");
    }

    fn ends_with_notice(&mut self) {
        let (tag, notice) = self.hear().expect("a notice");
        assert!(
            tag == NOTICE && String::from_utf8_lossy(&notice).contains("1.3.6.1.4.1.1466.20036"),
            "{notice:?}"
        );
        assert_eq!(self.hear(), None);
    }
}

#[test]
fn whoever_may_no_longer_act_is_disconnected_at_the_next_word() {
    let town = town();
    let (first, second) = (town.enroll("alice"), town.enroll("alice"));
    let bob = town.enroll("bob");
    let (mut stays, mut revoked, mut disabled) =
        (Line::external(&town, &second), Line::external(&town, &first), Line::external(&town, &bob));
    town.ask(&format!("cert revoke {}", first.serial));
    town.ask("account disable bob");
    for line in [&mut revoked, &mut disabled] {
        line.say(WHO_AM_I);
        line.ends_with_notice();
    }
    stays.is(&second);
}

#[test]
fn garbage_ends_its_connection_and_the_house_goes_on() {
    let town = town();
    let alice = town.enroll("alice");
    let mut stays = Line::external(&town, &alice);
    for garbage in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x30\x84\xff\xff\xff\xff", b"\x30\x02\x02\x00", &[0xff; 9000]]
    {
        let mut line = Line::open(&town, None);
        line.say(garbage);
        line.ends_with_notice();
    }
    // Before TLS as well.
    let mut plain = TcpStream::connect(town.door("ldaps")).expect("the door is open");
    plain.set_read_timeout(Some(PATIENCE)).expect("a socket");
    plain.write_all(b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00").expect("it is sent");
    let _ = plain.read_to_end(&mut Vec::new());
    stays.is(&alice);
    let numbers = || Web::new(&town).get("/metrics").body;
    eventually("the others are gone", || numbers().contains("chancery_connections{door=\"ldaps\"} 1\n"));
    let numbers = numbers();
    assert!(numbers.contains("chancery_handshakes_failed_total{door=\"ldaps\"} 1\n"), "{numbers}");
    assert!(numbers.contains("chancery_binds_total{result=\"success\"} 1\n"), "{numbers}");
}

#[test]
fn who_is_silent_is_disconnected_and_so_is_everybody_when_the_house_closes() {
    let mut town = plan().with("door.ldaps", "idle = \"2s\"").start();
    let alice = town.person("alice");
    let mut silent = Line::external(&town, &alice);
    silent.ends_with_notice();
    let mut there = Line::external(&town, &alice);
    let mut stranger = Line::open(&town, None);
    stranger.say(WHO_AM_I);
    assert_eq!(stranger.hear().map(|(tag, _)| tag), Some(0x78));
    town.stop();
    there.ends_with_notice();
    stranger.ends_with_notice();
}

#[test]
fn an_account_has_only_so_many_connections() {
    let town = plan().with("door.limits", "connections_per_account = 2").start();
    let alice = town.person("alice");
    let external = || tool(&town, "ldapwhoami", Some(&alice), &["-Q", "-Y", "EXTERNAL"]).code;
    let _first = Line::external(&town, &alice);
    let second = Line::external(&town, &alice);
    assert_eq!(external(), 51);
    drop(second);
    eventually("one has made room", || external() == 0);
}

#[test]
fn a_crowd_is_read_page_by_page() {
    let slapd = Slapd::start(Options::default());
    slapd.add_people("clerk", 1_200);
    let town = plan().ldap(&slapd).with("directory", "brake_people = 5000").start();
    eventually("the people are known", || {
        town.ask("status")["accounts"].as_u64().is_some_and(|count| count == 1_200)
    });
    let chief = town.enroll("clerk0001");
    let external = |arguments: &[&str]| {
        let how = ["-Q", "-Y", "EXTERNAL", "-LLL", "-b", BASE];
        tool(&town, "ldapsearch", Some(&chief), &[&how, arguments].concat())
    };
    let people = |told: &Told| told.out.lines().filter(|line| line.starts_with("dn: uid=")).count();
    let all = external(&["-E", "pr=500/noprompt", "(objectClass=person)", "uid"]);
    assert_eq!((all.code, people(&all)), (0, 1_200));
    let cut = external(&["(objectClass=person)", "uid"]);
    assert_eq!((cut.code, people(&cut)), (4, 1_000));
}
