//! Following a real OpenLDAP server (RFC 4533), through everything that goes wrong between restarts.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chancery_ldap::{Change, Connector, Disabled, Error, Follow, Kind, Protocol, Settings};
use zeroize::Zeroizing;

use crate::mirror::Mirror;
use crate::slapd::{Options, Slapd};

/// Active people; whoever is on leave is not among them.
const FILTER: &str = "(&(objectClass=inetOrgPerson)(!(employeeType=on leave)))";

fn settings(slapd: &Slapd) -> Settings {
    Settings {
        servers: vec![slapd.url.clone()],
        starttls: false,
        bind_dn: slapd.service_dn.clone(),
        base: format!("ou=people,{}", slapd.base),
        user_filter: FILTER.to_owned(),
        connect_timeout: Duration::from_secs(1),
        operation_timeout: Duration::from_secs(5),
        ..Settings::default()
    }
}

fn connector(slapd: &Slapd, settings: Settings) -> Connector {
    Connector::new(settings, Zeroizing::new(slapd.service_password.to_owned())).expect("good settings")
}

fn modify(slapd: &Slapd, uid: &str, lines: &str) {
    slapd.modify_ldif(&format!("dn: {}\nchangetype: modify\n{lines}\n", slapd.person_dn(uid)));
}

/// A directory with alice, bob and carol, followed and settled.
async fn followed() -> (Slapd, Connector, Mirror) {
    let slapd = Slapd::start(Options::default());
    for uid in ["alice", "bob", "carol"] {
        slapd.add_person(uid, uid, &format!("{uid}@corp.example"), "secret");
    }
    let connector = connector(&slapd, settings(&slapd));
    let mut mirror = Mirror::new(&connector, Follow::default(), None);
    mirror.settled().await;
    assert_eq!(mirror.logins(), ["alice", "bob", "carol"].into());
    assert_eq!(mirror.lists(), 1);
    assert!(
        mirror
            .heard
            .iter()
            .any(|change| matches!(change, Change::Connected { protocol: Protocol::SyncRepl, .. }))
    );
    mirror.forget();
    (slapd, connector, mirror)
}

#[tokio::test]
async fn every_change_arrives_as_it_happens() {
    let (slapd, _connector, mut mirror) = followed().await;
    let begun = Instant::now();
    slapd.disable("alice");
    mirror
        .until("alice is disabled", |m| {
            m.person("alice").is_some_and(|p| p.disabled == Some(Disabled::PwdAccountLockedTime))
        })
        .await;
    // The tool that makes the change takes most of it.
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    mirror.until("a checkpoint follows", |m| matches!(m.heard.last(), Some(Change::Checkpoint(..)))).await;

    slapd.enable("alice");
    mirror.until("alice is enabled", |m| m.person("alice").is_some_and(|p| p.disabled.is_none())).await;
    let id = slapd.add_person("dave", "Dave", "dave@corp.example", "secret");
    mirror.until("dave is there", |m| m.person("dave").is_some_and(|p| p.id.to_string() == id)).await;
    slapd.remove("bob");
    mirror.until("bob is gone", |m| m.person("bob").is_none()).await;
    modify(&slapd, "carol", "replace: employeeType\nemployeeType: on leave");
    mirror.until("the filter no longer lets carol through", |m| m.person("carol").is_none()).await;
    modify(&slapd, "carol", "replace: employeeType\nemployeeType: back");
    mirror.until("carol is back", |m| m.person("carol").is_some()).await;

    let carol = mirror.person("carol").expect("carol").id;
    let dn = slapd.person_dn("carol");
    slapd.modify_ldif(&format!("dn: {dn}\nchangetype: modrdn\nnewrdn: uid=caroline\ndeleteoldrdn: 1\n"));
    mirror
        .until("carol has another name and is the same", |m| {
            m.person("caroline").is_some_and(|p| p.id == carol)
        })
        .await;
    slapd.modify_ldif(&format!(
        "dn: {}\nchangetype: modrdn\nnewrdn: uid=caroline\ndeleteoldrdn: 0\nnewsuperior: ou=services,{}\n",
        slapd.person_dn("caroline"),
        slapd.base
    ));
    mirror.until("whoever moves out of the base is gone", |m| m.person("caroline").is_none()).await;
    assert_eq!(mirror.logins(), ["alice", "dave"].into());
    assert_eq!(mirror.lists(), 0, "no list was needed");
    assert!(!mirror.was_interrupted());
}

#[tokio::test]
async fn what_happened_while_nobody_followed_is_told_afterwards_and_no_more() {
    let (slapd, connector, mirror) = followed().await;
    let stored = mirror.checkpoint.clone().expect("a checkpoint");
    let mut mirror = mirror.again(&connector, Follow::default());
    // Nothing happened: nothing is told but that it is so.
    mirror.until("connected", |m| m.heard.iter().any(|c| matches!(c, Change::Checkpoint(..)))).await;
    assert!(
        !mirror.heard.iter().any(|c| matches!(c, Change::Person(_) | Change::Gone(..) | Change::Present(..)))
    );
    assert_eq!(mirror.checkpoint, Some(stored));

    let mirror = mirror.again(&connector, Follow::default());
    slapd.remove("alice");
    modify(&slapd, "bob", "replace: title\ntitle: Builder");
    slapd.add_person("erin", "Erin", "erin@corp.example", "secret");
    slapd.add_person("short", "Short", "short@corp.example", "secret");
    slapd.remove("short");
    let mut mirror = mirror.again(&connector, Follow::default());
    mirror.until("alice is gone", |m| m.person("alice").is_none()).await;
    mirror.until("all of it", |m| m.logins() == ["bob", "carol", "erin"].into()).await;
    mirror.until("a checkpoint", |m| matches!(m.heard.last(), Some(Change::Checkpoint(..)))).await;
    assert_eq!(mirror.person("bob").expect("bob").title.as_deref(), Some("Builder"));
    let told = mirror.heard.iter().filter(|c| matches!(c, Change::Person(_))).count();
    assert!(told <= 3 && mirror.lists() == 0, "{:#?}", mirror.heard);
}

#[tokio::test]
async fn deletions_that_the_server_no_longer_remembers_are_found_by_who_is_left() {
    let (slapd, connector, mut mirror) = followed().await;
    slapd.add_people("p", 1_100);
    mirror.until("they are there", |m| m.people.len() == 1_103).await;
    mirror.until("a checkpoint", |m| matches!(m.heard.last(), Some(Change::Checkpoint(..)))).await;
    let old = mirror.checkpoint.clone();
    drop(mirror);
    // The session log holds a thousand changes.
    let deletions: String = (0..1_100)
        .map(|number| format!("dn: {}\nchangetype: delete\n\n", slapd.person_dn(&format!("p{number:04}"))))
        .collect();
    slapd.modify_ldif(&deletions);
    slapd.remove("alice");
    let mut mirror = Mirror::new(&connector, Follow::default(), old.as_deref());
    mirror.until("a list", |m| m.lists() == 1).await;
    let Some(Change::Present(_, all)) = mirror.heard.iter().find(|c| matches!(c, Change::Present(..))) else {
        panic!("no list");
    };
    assert_eq!(all.len(), 2, "bob and carol");
    mirror.until("a checkpoint", |m| matches!(m.heard.last(), Some(Change::Checkpoint(..)))).await;
    slapd.remove("bob");
    mirror.until("bob", |m| m.heard.iter().any(|c| matches!(c, Change::Gone(..)))).await;
}

#[tokio::test]
async fn a_cookie_that_the_server_does_not_take_leads_to_a_list() {
    let (slapd, connector, mirror) = followed().await;
    let good = mirror.checkpoint.clone().expect("a checkpoint");
    drop(mirror);
    slapd.remove("alice");
    // The server's own bytes begin after version, hash, protocol and length; the last byte is of the groups.
    let (start, end) = (1 + 32 + 1 + 4, good.len() - 5);
    let garbage = [&good[..start], &b"x".repeat(end - start), &good[end..]].concat();
    let text = String::from_utf8(good[start..end].to_vec()).expect("OpenLDAP's cookies are text");
    let csn = text.find("csn=20").expect("a time") + 4;
    let mut future = good.clone();
    future[start + csn..start + csn + 4].copy_from_slice(b"2099");
    let mut past = good.clone();
    past[start + csn..start + csn + 4].copy_from_slice(b"2001");
    for (what, bytes) in [("garbage", garbage), ("from the future", future), ("from long ago", past)] {
        let mut mirror = Mirror::new(&connector, Follow::default(), Some(&bytes));
        mirror.until(what, |m| m.lists() == 1).await;
        mirror.until("a checkpoint", |m| m.checkpoint.as_deref().is_some_and(|c| c.len() > 60)).await;
        let Some(Change::Present(_, all)) = mirror.heard.iter().find(|c| matches!(c, Change::Present(..)))
        else {
            panic!("{what}: no list");
        };
        assert_eq!(all.len(), 2, "{what}: bob and carol");
        assert!(!mirror.was_interrupted(), "{what}");
    }
}

#[tokio::test]
async fn a_checkpoint_of_other_settings_is_none() {
    let (slapd, _connector, mirror) = followed().await;
    let stored = mirror.checkpoint.clone().expect("a checkpoint");
    let narrower = Settings { user_filter: "(uid=alice)".to_owned(), ..settings(&slapd) };
    let mut mirror = Mirror::new(&connector(&slapd, narrower), Follow::default(), Some(&stored));
    mirror.settled().await;
    assert_eq!((mirror.logins(), mirror.lists()), (["alice"].into(), 1));
    let mut mirror = Mirror::new(&connector(&slapd, settings(&slapd)), Follow::default(), Some(b"nonsense"));
    mirror.settled().await;
    assert_eq!(mirror.lists(), 1);
}

#[tokio::test]
async fn a_killed_server_is_followed_again_when_it_is_back() {
    let (mut slapd, _connector, mut mirror) = followed().await;
    slapd.stop();
    mirror.until("the end is noticed", Mirror::was_interrupted).await;
    slapd.start_again();
    slapd.remove("alice");
    mirror.until("alice is gone", |m| m.person("alice").is_none()).await;
    assert_eq!(mirror.logins(), ["bob", "carol"].into());
}

#[tokio::test]
async fn a_server_killed_in_the_middle_of_a_list_takes_nobody_away() {
    let (mut slapd, connector, mirror) = followed().await;
    drop(mirror);
    let wordy = |number| {
        let (uid, title) = (format!("p{number:04}"), "x".repeat(8 << 10));
        let dn = slapd.person_dn(&uid);
        format!(
            "dn: {dn}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\ntitle: {title}\n\n"
        )
    };
    slapd.modify_ldif(&(0..3_000).map(wordy).collect::<String>());
    let mut mirror = Mirror::new(&connector, Follow::default(), None);
    // Nobody reads, and so much is not let in unread, so that the server cannot come to its end; then it dies.
    mirror.until("a first one", |m| m.people.len() == 1).await;
    slapd.stop();
    mirror.until("the end is noticed", Mirror::was_interrupted).await;
    assert_eq!((mirror.lists(), mirror.checkpoint.is_none()), (0, true), "{} were told", mirror.people.len());
    slapd.start_again();
    mirror.settled().await;
    assert_eq!((mirror.lists(), mirror.people.len()), (1, 3_003));
}

#[tokio::test]
async fn a_list_that_the_server_cuts_or_refuses_is_no_list() {
    let (slapd, _connector, mirror) = followed().await;
    drop(mirror);
    slapd.add_people("p", 600);
    let limited = Settings { bind_dn: slapd.limited_dn.clone(), ..settings(&slapd) };
    let nowhere = Settings { base: format!("ou=absent,{}", slapd.base), ..settings(&slapd) };
    for protocol in [Protocol::SyncRepl, Protocol::Polling] {
        let how = Follow { protocol: Some(protocol), ..Follow::default() };
        let mut mirror = Mirror::new(&connector(&slapd, limited.clone()), how.clone(), None);
        mirror.until("the limit is met", Mirror::was_interrupted).await;
        assert_eq!((mirror.lists(), mirror.checkpoint.is_none()), (0, true), "{protocol}");
        let Some(Change::Interrupted { error, .. }) = mirror.heard.last() else { panic!("no end") };
        assert!(matches!(error, Error::Partial { code: 4, .. }), "{error}");

        let mut mirror = Mirror::new(&connector(&slapd, nowhere.clone()), how, None);
        mirror.until("the base is missed", Mirror::was_interrupted).await;
        assert_eq!((mirror.lists(), mirror.checkpoint.is_none()), (0, true), "{protocol}");
        let Some(Change::Interrupted { error, .. }) = mirror.heard.last() else { panic!("no end") };
        assert!(matches!(error, Error::Refused { code: 32, .. }), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_falls_silent_is_found_out_and_another_takes_over() {
    let slapd = Slapd::start(Options::default());
    slapd.add_person("alice", "Alice", "alice@corp.example", "secret");
    let silenced = Arc::new(AtomicBool::new(false));
    let address = slapd.url.rsplit('/').next().expect("an address").parse().expect("an address");
    let relay = relay_to(address, Arc::clone(&silenced));
    let servers = vec![format!("ldap://{relay}"), slapd.url.clone()];
    let settings = Settings { servers, operation_timeout: Duration::from_millis(600), ..settings(&slapd) };
    let connector = connector(&slapd, settings);
    let how = Follow { probe_every: Duration::from_millis(300), ..Follow::default() };
    let mut mirror = Mirror::new(&connector, how, None);
    mirror.settled().await;
    // Alive and without news it is left alone.
    mirror.listen_for(Duration::from_millis(1_000)).await;
    assert!(!mirror.was_interrupted());
    mirror.forget();
    silenced.store(true, Ordering::Release);
    let begun = Instant::now();
    slapd.disable("alice");
    mirror.until("the other server tells", |m| m.person("alice").is_some_and(|p| p.disabled.is_some())).await;
    assert!(mirror.was_interrupted() && begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(
        mirror
            .heard
            .iter()
            .any(|change| matches!(change, Change::Connected { server, .. } if *server == slapd.url))
    );
    assert_eq!(mirror.lists(), 0, "the cookie is good at both");
}

/// A way to the server that can fall silent, as a broken firewall does: connections stay, nothing passes.
fn relay_to(server: SocketAddr, silenced: Arc<AtomicBool>) -> SocketAddr {
    fn carry(mut from: TcpStream, mut to: TcpStream, silenced: &AtomicBool) {
        let mut bytes = [0; 16 << 10];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            while silenced.load(Ordering::Acquire) {
                thread::sleep(Duration::from_millis(50));
            }
            if to.write_all(&bytes[..count]).is_err() {
                return;
            }
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(server).expect("the server");
            let (client2, server2) =
                (client.try_clone().expect("a clone"), server.try_clone().expect("a clone"));
            let (silenced1, silenced2) = (Arc::clone(&silenced), Arc::clone(&silenced));
            thread::spawn(move || carry(client, server, &silenced1));
            thread::spawn(move || carry(server2, client2, &silenced2));
        }
    });
    address
}

#[tokio::test]
async fn groups_arrive_on_the_same_stream() {
    let (slapd, _connector, mirror) = followed().await;
    drop(mirror);
    slapd.add_group("ops", &["alice", "bob"]);
    let group_filter = Some("(objectClass=groupOfNames)".to_owned());
    let settings = Settings { group_filter, base: slapd.base.to_owned(), ..settings(&slapd) };
    let connector = connector(&slapd, settings);
    let mut mirror = Mirror::new(&connector, Follow::default(), None);
    mirror
        .until("both", |m| m.people.len() == 3 && m.group("ops").is_some_and(|g| g.members.len() == 2))
        .await;
    let dn = format!("cn=ops,ou=groups,{}", slapd.base);
    slapd.modify_ldif(&format!(
        "dn: {dn}\nchangetype: modify\ndelete: member\nmember: {}\n",
        slapd.person_dn("bob")
    ));
    mirror
        .until("bob left", |m| m.group("ops").is_some_and(|g| g.members == [slapd.person_dn("alice")]))
        .await;
    mirror.until("a checkpoint", |m| matches!(m.heard.last(), Some(Change::Checkpoint(..)))).await;
    let mut mirror = mirror.again(&connector, Follow::default());
    slapd.modify_ldif(&format!("dn: {dn}\nchangetype: delete\n"));
    mirror.until("no group", |m| m.groups.is_empty()).await;
    assert!(mirror.heard.iter().any(|c| matches!(c, Change::Gone(Kind::Groups, _))));
    assert_eq!(mirror.people.len(), 3);
}

#[tokio::test]
async fn groups_within_groups_are_found_and_circles_end() {
    let (slapd, _connector, mirror) = followed().await;
    drop(mirror);
    slapd.add_group("inner", &["alice"]);
    let group = |cn: &str| format!("cn={cn},ou=groups,{}", slapd.base);
    let add = |cn: &str, member: &str| {
        slapd.modify_ldif(&format!(
            "dn: {}\nchangetype: add\nobjectClass: groupOfNames\ncn: {cn}\nmember: {member}\n",
            group(cn)
        ));
    };
    add("middle", &group("inner"));
    add("outer", &group("middle"));
    slapd.modify_ldif(&format!(
        "dn: {}\nchangetype: modify\nadd: member\nmember: {}\n",
        group("middle"),
        group("outer")
    ));
    slapd.modify_ldif(&format!(
        "dn: cn=shell,ou=groups,{}\nchangetype: add\nobjectClass: posixGroup\ncn: shell\ngidNumber: 7\nmemberUid: alice\n",
        slapd.base
    ));
    let group_filter = Some("(|(objectClass=groupOfNames)(objectClass=posixGroup))".to_owned());
    let connector =
        connector(&slapd, Settings { group_filter, base: slapd.base.to_owned(), ..settings(&slapd) });
    let alice = connector.find("alice", crate::mirror::NOW).await.unwrap().expect("alice");
    let mut names: Vec<_> =
        connector.groups_of(&alice).await.unwrap().groups.into_iter().map(|group| group.name).collect();
    names.sort();
    assert_eq!(names, ["inner", "middle", "outer", "shell"]);
    let all = connector.groups().await.unwrap().groups;
    assert_eq!(chancery_ldap::Nesting::of(&all).groups_of(&alice.dn, &alice.login).len(), 4);
    let bob = connector.find("bob", crate::mirror::NOW).await.unwrap().expect("bob");
    assert!(connector.groups_of(&bob).await.unwrap().groups.is_empty());
}

#[tokio::test]
async fn entries_that_cannot_be_used_are_named_and_the_rest_goes_on() {
    let (slapd, _connector, mirror) = followed().await;
    drop(mirror);
    let photo = "A".repeat(1 << 20);
    slapd.modify_ldif(&format!(
        "dn: cn=Nameless,ou=people,{base}\nchangetype: add\nobjectClass: inetOrgPerson\ncn: Nameless\nsn: N\n\n\
         dn: uid=\\28\\2a\\29,ou=people,{base}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: (*)\ncn: Hostile\nsn: H\n\n\
         dn: cn=Control,ou=people,{base}\nchangetype: add\nobjectClass: inetOrgPerson\nuid:: YQpi\ncn: Control\nsn: C\n\n\
         dn: uid=photo,ou=people,{base}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: photo\ncn: Photo\nsn: P\njpegPhoto:: {photo}\n",
        base = slapd.base
    ));
    // A value that is not UTF-8 in an attribute of ours: photographs are bytes.
    let mut attributes = settings(&slapd).attributes;
    attributes.mail = "jpegPhoto".to_owned();
    modify(&slapd, "bob", "add: jpegPhoto\njpegPhoto:: //79");
    for protocol in [Protocol::SyncRepl, Protocol::Polling] {
        let how = Follow { protocol: Some(protocol), ..Follow::default() };
        let connector = connector(&slapd, Settings { attributes: attributes.clone(), ..settings(&slapd) });
        let mut mirror = Mirror::new(&connector, how.clone(), None);
        mirror.settled().await;
        assert_eq!(mirror.logins(), ["(*)", "alice", "carol"].into(), "{protocol}");
        let named = |dn: &str, why: &str| {
            mirror.skipped.iter().any(|s| s.dn.starts_with(dn) && s.why.contains(why) && s.id.is_some())
        };
        assert!(named("cn=Nameless", "uid") && named("cn=Control", "control"), "{:?}", mirror.skipped);
        assert!(named("uid=bob", "UTF-8") && named("uid=photo", "jpegPhoto"), "{:?}", mirror.skipped);
        let Some(Change::Present(_, all)) = mirror.heard.iter().find(|c| matches!(c, Change::Present(..)))
        else {
            panic!("no list");
        };
        assert_eq!(all.len(), 7, "whoever cannot be used is not gone");
        let hostile = connector.find("(*)", crate::mirror::NOW).await.unwrap();
        assert_eq!(hostile.map(|person| person.name), Some("Hostile".to_owned()));
    }
}

#[tokio::test]
async fn without_any_offer_everything_is_listed_again_and_again() {
    let (slapd, connector, mirror) = followed().await;
    drop(mirror);
    let how = Follow {
        protocol: Some(Protocol::Polling),
        list_every: Duration::from_millis(300),
        ..Follow::default()
    };
    let mut mirror = Mirror::new(&connector, how, None);
    mirror.settled().await;
    assert_eq!((mirror.logins(), mirror.lists()), (["alice", "bob", "carol"].into(), 1));
    slapd.remove("alice");
    modify(&slapd, "bob", "replace: employeeType\nemployeeType: on leave");
    slapd.disable("carol");
    mirror
        .until("all of it", |m| {
            m.logins() == ["carol"].into() && m.person("carol").is_some_and(|p| p.disabled.is_some())
        })
        .await;
    // Two entries with one key: the second is named. The key is one of the settings' choice.
    drop(mirror);
    let id = "description";
    for uid in ["alice", "dave"] {
        slapd.add_person(uid, uid, &format!("{uid}@corp.example"), "secret");
        modify(&slapd, uid, &format!("add: {id}\n{id}: 6ba7b810-9dad-11d1-80b4-00c04fd430c8"));
    }
    let mut attributes = settings(&slapd).attributes;
    attributes.id = id.to_owned();
    let user_filter = format!("({id}=*)");
    let connector = self::connector(&slapd, Settings { attributes, user_filter, ..settings(&slapd) });
    let mut mirror = Mirror::new(&connector, Follow::default(), None);
    mirror.settled().await;
    assert!(mirror.heard.iter().any(|c| matches!(c, Change::Connected { protocol: Protocol::Polling, .. })));
    assert!(mirror.skipped.iter().any(|skipped| skipped.why.contains("another entry has the id")));
    assert_eq!(mirror.people.len(), 1);
}
