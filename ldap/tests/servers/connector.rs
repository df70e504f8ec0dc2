//! Asking: a real OpenLDAP server, and servers that misbehave on purpose.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

#[cfg(not(feature = "gssapi"))]
use chancery_ldap::Credentials;
use chancery_ldap::{
    AttributeMap, Connector, Disabled, Error, LONGEST_PHOTO, Photo, Published, Settings, SignIn,
};

use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::slapd::{Options, Slapd};

const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

/// A server's yes to the first message, a bind.
const BOUND: &[u8] = b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00";

fn settings(slapd: &Slapd) -> Settings {
    Settings {
        servers: vec![slapd.ldaps_url.clone()],
        ca_file: Some(slapd.ca_pem.clone()),
        bind_dn: slapd.service_dn.clone(),
        base: slapd.base.to_owned(),
        group_filter: Some("(objectClass=groupOfNames)".to_owned()),
        ..Settings::default()
    }
}

fn connector(slapd: &Slapd, settings: Settings) -> Connector {
    Connector::new(settings, Zeroizing::new(slapd.service_password.to_owned())).expect("good settings")
}

/// A directory with one person, `alice`, whose password is `wonderland`.
fn with_alice() -> (Slapd, String) {
    let slapd = Slapd::start(Options::default());
    let id = slapd.add_person("alice", "Alice Adams", "alice@corp.example", "wonderland");
    (slapd, id)
}

#[tokio::test]
async fn a_person_signs_in_over_ldaps_over_starttls_and_in_clear_text_on_loopback() {
    let (slapd, id) = with_alice();
    let starttls = Settings { servers: vec![slapd.url.clone()], ..settings(&slapd) };
    let by_name = slapd.ldaps_url.replace("127.0.0.1", "localhost");
    let ways = [
        (settings(&slapd), "TLS"),
        (Settings { servers: vec![by_name], ..settings(&slapd) }, "TLS"),
        (starttls.clone(), "StartTLS"),
        (Settings { starttls: false, ca_file: None, ..starttls }, "not encrypted"),
    ];
    for (settings, security) in ways {
        let connector = connector(&slapd, settings);
        let health = connector.check().await.unwrap();
        assert_eq!(health.security, security);
        assert!(health.sees_people && health.pages && health.pushes_changes && health.tried.is_empty());
        let SignIn::Accepted(alice) = connector.sign_in("alice", "wonderland", NOW).await.unwrap() else {
            panic!("refused over {security}");
        };
        assert_eq!(alice.id.to_string(), id);
        assert_eq!((alice.login.as_str(), alice.name.as_str()), ("alice", "Alice Adams"));
        assert_eq!((alice.mail.as_deref(), alice.disabled), (Some("alice@corp.example"), None));
        assert_eq!(connector.find("ALICE", NOW).await.unwrap(), Some(alice));
    }
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_hears_no_password() {
    let (slapd, _) = with_alice();
    let (stranger, _) = with_alice();
    // The authorities of the system do not know this one either.
    for ca_file in [Some(stranger.ca_pem.clone()), None] {
        for server in [&slapd.ldaps_url, &slapd.url] {
            let settings =
                Settings { servers: vec![server.clone()], ca_file: ca_file.clone(), ..settings(&slapd) };
            let error = connector(&slapd, settings).sign_in("alice", "wonderland", NOW).await.unwrap_err();
            assert!(
                matches!(&error, Error::Tls { why, .. } if why.contains("invalid peer certificate")),
                "{error}"
            );
            assert!(error.to_string().contains("ca_file"), "{error}");
        }
    }
}

#[tokio::test]
async fn every_no_has_its_own_name() {
    let (slapd, _) = with_alice();
    slapd.add_person("bob", "Bob Brown", "bob@corp.example", "builder");
    let connector = connector(&slapd, settings(&slapd));
    let answer = async |login: &str, password: &str| connector.sign_in(login, password, NOW).await.unwrap();

    assert!(matches!(answer("alice", "Wonderland").await, SignIn::WrongPassword { .. }));
    assert!(matches!(answer("alice", "").await, SignIn::WrongPassword { .. }));
    assert_eq!(answer("nobody", "wonderland").await, SignIn::Unknown);
    assert_eq!(answer("", "wonderland").await, SignIn::Unknown);
    for hostile in [
        "*",
        "*)(uid=*",
        "alice)(uid=*))(|(uid=*",
        "al*",
        "alice\0",
        "\\61lice",
        "alice,ou=people",
        "ä\u{202e}(",
    ] {
        assert_eq!(answer(hostile, "wonderland").await, SignIn::Unknown, "{hostile}");
    }
    assert_eq!(answer(&"a".repeat(1 << 20), "wonderland").await, SignIn::Unknown);

    slapd.disable("alice");
    let SignIn::Disabled(alice) = answer("alice", "wonderland").await else {
        panic!("a locked account signed in")
    };
    assert_eq!(alice.disabled, Some(Disabled::PwdAccountLockedTime));
    slapd.enable("alice");
    assert!(matches!(answer("alice", "wonderland").await, SignIn::Accepted(_)));

    slapd.modify_ldif(&format!("dn: {}\nchangetype: modify\nadd: uid\nuid: alice\n", slapd.person_dn("bob")));
    assert_eq!(answer("alice", "wonderland").await, SignIn::Ambiguous);
    assert!(matches!(connector.find("alice", NOW).await, Err(Error::Malformed { .. })));
    slapd.remove("bob");
    assert_eq!(answer("bob", "builder").await, SignIn::Unknown);
}

#[tokio::test]
async fn a_photo_is_told_of_in_lists_and_read_again_but_not_at_sign_in() {
    let (slapd, id) = with_alice();
    let (id, dn) = (id.parse::<Uuid>().unwrap(), slapd.person_dn("alice"));
    let photo = vec![0xff; 70_000];
    slapd.set_photo("alice", "audio", &photo);
    let photo = Some(Photo::Bytes(photo));
    let attributes = AttributeMap { photo: Some("audio".to_owned()), ..AttributeMap::default() };
    let connector = connector(&slapd, Settings { attributes, ..settings(&slapd) });
    assert_eq!(connector.people(NOW).await.unwrap().people[0].photo, photo);
    assert_eq!(connector.photo(&dn, id).await.unwrap(), photo);
    assert_eq!(connector.photo(&dn, Uuid::max()).await.unwrap(), None, "somebody new has this name");
    assert!(connector.photo("uid=nobody", id).await.unwrap_err().is_about_the_entry());
    assert_eq!(connector.find("alice", NOW).await.unwrap().unwrap().photo, None);
    slapd.set_photo("alice", "audio", &vec![0; LONGEST_PHOTO + 1]);
    assert_eq!(connector.photo(&dn, id).await.unwrap(), Some(Photo::TooLong(LONGEST_PHOTO + 1)));
}

#[tokio::test]
async fn twelve_hundred_people_are_listed_whole_or_not_at_all() {
    let (slapd, id) = with_alice();
    slapd.add_people("p", 1_199);
    slapd.add_group("ops", &["alice", "p0007"]);
    slapd.disable("p0000");
    // A person whose only name is not UTF-8 cannot be stored by slapd; one without a login can.
    slapd.modify_ldif(&format!(
        "dn: cn=Nameless,ou=people,{}\nchangetype: add\nobjectClass: inetOrgPerson\ncn: Nameless\nsn: N\n",
        slapd.base
    ));
    for page_size in [100, 500, 5_000] {
        let connector = connector(&slapd, Settings { page_size, ..settings(&slapd) });
        let listing = connector.people(NOW).await.unwrap();
        assert_eq!(listing.people.len(), 1_200, "in pages of {page_size}");
        assert_eq!(listing.skipped.len(), 1);
        assert!(listing.skipped[0].dn.starts_with("cn=Nameless") && listing.skipped[0].why.contains("uid"));
        let alice = listing.people.iter().find(|person| person.login == "alice").unwrap();
        assert_eq!((alice.id.to_string(), alice.groups.len()), (id.clone(), 0), "groups say who is in them");
        assert_eq!(listing.people.iter().filter(|person| person.disabled.is_some()).count(), 1);
        let groups = connector.groups().await.unwrap().groups;
        assert_eq!((groups.len(), groups[0].name.as_str(), groups[0].members.len()), (1, "ops", 2));
    }
    let by_member_of = Settings { group_filter: None, ..settings(&slapd) };
    let people = connector(&slapd, by_member_of).people(NOW).await.unwrap().people;
    assert_eq!(people.iter().map(|person| person.groups.len()).sum::<usize>(), 2, "where no group is read");
    let limited = Settings { bind_dn: slapd.limited_dn.clone(), page_size: 100, ..settings(&slapd) };
    let error = connector(&slapd, limited).people(NOW).await.unwrap_err();
    assert!(matches!(error, Error::Partial { code: 4, .. }), "{error}");
    assert!(error.to_string().contains("limits for the service account"), "{error}");

    let elsewhere = Settings { base: format!("ou=absent,{}", slapd.base), ..settings(&slapd) };
    let error = connector(&slapd, elsewhere).people(NOW).await.unwrap_err();
    assert!(matches!(error, Error::Refused { code: 32, .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_was_killed_is_used_again_when_it_is_back() {
    let (mut slapd, _) = with_alice();
    let connector = connector(&slapd, settings(&slapd));
    assert!(matches!(connector.sign_in("alice", "wonderland", NOW).await, Ok(SignIn::Accepted(_))));
    slapd.stop();
    assert!(matches!(connector.sign_in("alice", "wonderland", NOW).await, Err(Error::Unreachable { .. })));
    assert!(connector.people(NOW).await.is_err());
    slapd.start_again();
    assert!(matches!(connector.sign_in("alice", "wonderland", NOW).await, Ok(SignIn::Accepted(_))));
    // Restarted while nobody looked: the dead connections are replaced before anybody notices.
    slapd.stop();
    slapd.start_again();
    assert!(matches!(connector.sign_in("alice", "wonderland", NOW).await, Ok(SignIn::Accepted(_))));
    assert_eq!(connector.people(NOW).await.unwrap().people.len(), 1);
}

#[tokio::test]
async fn the_second_server_answers_when_the_first_is_down_or_silent() {
    let (slapd, _) = with_alice();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for first in [format!("ldaps://{dead}"), format!("ldaps://{}", silent.local_addr().unwrap())] {
        let connect_timeout = Duration::from_millis(400);
        let servers = vec![first, slapd.ldaps_url.clone()];
        let connector = connector(&slapd, Settings { servers, connect_timeout, ..settings(&slapd) });
        assert!(matches!(connector.sign_in("alice", "wonderland", NOW).await, Ok(SignIn::Accepted(_))));
        // The failed one rests: nobody waits for it again.
        let asked = Instant::now();
        for _ in 0..3 {
            assert!(matches!(connector.sign_in("alice", "wonderland", NOW).await, Ok(SignIn::Accepted(_))));
        }
        assert!(asked.elapsed() < connect_timeout, "{:?}", asked.elapsed());
        let health = connector.check().await.unwrap();
        assert_eq!((health.server.as_str(), health.tried.len()), (slapd.ldaps_url.as_str(), 1));
    }
}

#[tokio::test]
async fn each_server_is_tested_and_a_refused_service_account_is_not_tried_at_the_next() {
    let (slapd, _) = with_alice();
    let dead = format!("ldaps://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let servers = vec![dead.clone(), slapd.ldaps_url.clone(), slapd.ldaps_url.clone()];
    let nobody_passes = Settings { servers, user_filter: "(uid=nobody)".to_owned(), ..settings(&slapd) };
    let checked = connector(&slapd, nobody_passes.clone()).check_each().await;
    assert_eq!(checked.len(), 3);
    let error = checked[0].1.as_ref().unwrap_err().to_string();
    assert!(checked[0].0 == dead && error.contains("check the name, the port"), "{error}");
    let advice = checked[2].1.as_ref().unwrap().advice();
    assert!(advice.len() == 1 && advice[0].contains("user_filter"), "{advice:?}");

    let slip = Settings {
        servers: vec![slapd.ldaps_url.clone()],
        user_filter: "(&(objectClass=inetOrgPersn)(uid=alice))".to_owned(),
        ..settings(&slapd)
    };
    let advice = connector(&slapd, slip).check().await.unwrap().advice();
    let meant = "user_filter, character 16: the server knows no class \"inetOrgPersn\"; did you mean \"inetOrgPerson\"?";
    assert!(advice[0] == meant && advice.len() == 2, "{advice:?}");

    let wrong = Connector::new(nobody_passes, Zeroizing::new("mistyped".to_owned())).unwrap();
    let checked = wrong.check_each().await;
    assert_eq!(checked.len(), 2, "{checked:?}");
    assert!(matches!(checked[1].1, Err(Error::ServiceAccount { .. })), "{checked:?}");
}

#[tokio::test]
async fn a_refused_service_account_is_said_so_and_not_tried_until_it_is_locked() {
    let (slapd, _) = with_alice();
    slapd.modify_ldif(&format!(
        "dn: cn=default,ou=policies,{}\nchangetype: modify\nreplace: pwdMaxFailure\npwdMaxFailure: 2\n",
        slapd.base
    ));
    let wrong = Connector::new(settings(&slapd), Zeroizing::new("mistyped".to_owned())).unwrap();
    for _ in 0..3 {
        let error = wrong.sign_in("alice", "wonderland", NOW).await.unwrap_err();
        assert!(matches!(error, Error::ServiceAccount { code: 49, .. }), "{error}");
        assert!(
            error.to_string().contains("bind_password") && !error.to_string().contains("mistyped"),
            "{error}"
        );
    }
    // The server heard the wrong password once, and would have locked the account at the second time.
    let right = connector(&slapd, settings(&slapd));
    assert!(matches!(right.sign_in("alice", "wonderland", NOW).await, Ok(SignIn::Accepted(_))));
}

#[cfg(not(feature = "gssapi"))]
#[test]
fn a_build_without_kerberos_says_so_and_how_to_get_one() {
    let servers = vec!["ldap://127.0.0.1".to_owned()];
    let settings = Settings { servers, starttls: false, base: "dc=x".to_owned(), ..Settings::default() };
    let refused = Connector::new(settings, Credentials::Kerberos("chancery@CORP.EXAMPLE".to_owned())).err();
    let said = refused.expect("a refusal").to_string();
    assert!(said.starts_with("kerberos: ") && said.contains("--features gssapi"), "{said}");
}

#[tokio::test]
async fn two_thousand_people_sign_in_at_once() {
    let slapd = Slapd::start(Options::default());
    slapd.add_people("p", 2_000);
    let connector = connector(&slapd, settings(&slapd));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..2_000 {
        let connector = connector.clone();
        tasks.spawn(async move {
            let login = format!("p{number:04}");
            let password = if number % 2 == 0 { login.as_str() } else { "wrong" };
            (number, login.clone(), connector.sign_in(&login, password, NOW).await.unwrap())
        });
    }
    while let Some(outcome) = tasks.join_next().await {
        match outcome.unwrap() {
            (number, login, SignIn::Accepted(person)) => assert!(number % 2 == 0 && person.login == login),
            (number, login, answer) => assert!(number % 2 == 1, "{login}: {answer}"),
        }
    }
}

#[tokio::test]
async fn a_silent_server_costs_no_more_than_the_limit() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let limit = Duration::from_millis(300);
    for (server, starttls) in [
        (format!("ldaps://{address}"), true),
        (format!("ldap://{address}"), true),
        (format!("ldap://{address}"), false),
    ] {
        let asked = Instant::now();
        let error = hostile(&server, starttls, limit).find("alice", NOW).await.unwrap_err();
        assert!(matches!(error, Error::TimedOut { .. }), "{error}");
        assert!(asked.elapsed() >= limit && asked.elapsed() < limit * 4, "{:?}", asked.elapsed());
    }
}

/// The server's thread is waited for, and the connection ends in another.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_breaks_the_protocol_is_a_lost_connection() {
    let deep = |levels: usize| {
        let mut bytes = Vec::new();
        for _ in 0..levels {
            bytes.extend((bytes.len() as u32).to_le_bytes());
            bytes.extend([0x84, 0x30]);
        }
        bytes.reverse();
        bytes
    };
    let answers: [(&str, Vec<u8>); 6] = [
        ("an extended response to a search", vec![0x30, 0x0c, 2, 1, 2, 0x78, 7, 10, 1, 0, 4, 0, 4, 0]),
        ("an empty message", vec![0x30, 0]),
        ("a result without parts", vec![0x30, 5, 2, 1, 2, 0x65, 0]),
        ("half a gigabyte", vec![0x30, 0x84, 0x20, 0, 0, 0]),
        ("a nest of a hundred thousand", deep(100_000)),
        ("a web page", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
    ];
    for (what, answer) in answers {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ldap://{}", server.local_addr().unwrap());
        let serving = thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let mut request = [0; 4096];
            for reply in [BOUND, &answer] {
                let _ = stream.read(&mut request);
                let _ = stream.write_all(reply);
            }
            // Held open until the other side has had enough.
            let _ = stream.read(&mut request);
        });
        let connector = hostile(&url, false, Duration::from_secs(5));
        let error = connector.find("alice", NOW).await.unwrap_err();
        assert!(matches!(error, Error::Lost { .. }), "{what}: {error}");
        serving.join().unwrap();
        assert!(matches!(connector.find("alice", NOW).await, Err(Error::Unreachable { .. })), "{what}");
    }
}

#[tokio::test]
async fn a_list_whose_end_never_came_is_an_error() {
    const ALICE: &[u8] = b"\x30\x0d\x02\x01\x02\x64\x08\x04\x04cn=a\x30\x00";
    const BUSY: &[u8] = b"\x30\x0c\x02\x01\x02\x65\x07\x0a\x01\x33\x04\x00\x04\x00";
    for end in [&b""[..], BUSY] {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ldap://{}", server.local_addr().unwrap());
        let serving = thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(BOUND);
            let _ = stream.read(&mut request);
            let _ = stream.write_all(&[ALICE, end].concat());
        });
        let error = hostile(&url, false, Duration::from_secs(5)).people(NOW).await.unwrap_err();
        match end {
            BUSY => assert!(matches!(error, Error::Partial { code: 51, received: 1, .. }), "{error}"),
            _ => assert!(matches!(error, Error::Lost { .. }), "{error}"),
        }
        serving.join().unwrap();
    }
}

fn hostile(server: &str, starttls: bool, limit: Duration) -> Connector {
    let settings = Settings {
        servers: vec![server.to_owned()],
        starttls,
        bind_dn: "cn=chancery".to_owned(),
        base: "dc=corp,dc=example".to_owned(),
        connect_timeout: limit,
        operation_timeout: limit,
        ..Settings::default()
    };
    Connector::new(settings, Zeroizing::new("secret".to_owned())).expect("good settings")
}

#[tokio::test]
async fn a_persons_certificate_is_written_replaced_and_taken_away_and_others_stay() {
    let (slapd, id) = with_alice();
    let connector = connector(&slapd, Settings { bind_dn: slapd.writer_dn.clone(), ..settings(&slapd) });
    let id = id.parse().expect("a UUID");
    let [theirs, old, new] =
        ["theirs", "old", "new"].map(|name| certificate(slapd.ca_pem.parent().expect("a folder"), name));
    let publish = async |wanted: Option<&Vec<u8>>, gone: &[&Vec<u8>]| {
        let gone = gone.iter().map(|one| one.to_vec()).collect();
        connector.publish("alice", id, wanted.cloned(), gone, NOW).await
    };
    let holds = |wanted: &[&Vec<u8>]| {
        let held = slapd.certificates("alice");
        held.len() == wanted.len() && wanted.iter().all(|one| held.contains(*one))
    };
    for certificate in [&theirs, &old] {
        assert_eq!(publish(Some(certificate), &[]).await.unwrap(), Published::Done);
    }
    assert_eq!(publish(Some(&new), &[&old]).await.unwrap(), Published::Done);
    assert!(holds(&[&theirs, &new]));
    // Once more, as after a crash: nothing is to be done, and nothing is refused.
    assert_eq!(publish(Some(&new), &[&old]).await.unwrap(), Published::Done);
    assert_eq!(publish(None, &[&new]).await.unwrap(), Published::Done);
    assert!(holds(&[&theirs]));
    // Somebody else who got her login is not her.
    let other = connector.publish(
        "alice",
        "00000000-0000-4000-8000-000000000000".parse().expect("a UUID"),
        Some(new.clone()),
        Vec::new(),
        NOW,
    );
    assert_eq!(other.await.unwrap(), Published::NoEntry);
    // Without the right to write the server says no, about this entry.
    let reader = Connector::new(
        Settings { bind_dn: slapd.limited_dn.clone(), ..settings(&slapd) },
        Zeroizing::new(slapd.service_password.to_owned()),
    );
    let error =
        reader.expect("good settings").publish("alice", id, Some(new), Vec::new(), NOW).await.unwrap_err();
    assert!(error.is_about_the_entry() && error.to_string().contains("grant it"), "{error}");
}

/// A certificate in DER, by openssl.
fn certificate(folder: &Path, name: &str) -> Vec<u8> {
    let (key, der) = (folder.join(format!("{name}.key")), folder.join(format!("{name}.der")));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-outform",
            "DER",
        ])
        .args(["-subj", &format!("/CN={name}")])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&der)
        .output()
        .expect("openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::read(der).expect("a certificate")
}
