//! Following a real 389 Directory Server (RFC 4533), which tells of changes as OpenLDAP does, but less of what
//! was before.

use chancery_ldap::{Change, Connector, Disabled, Follow, Protocol, Settings, SignIn};
use zeroize::Zeroizing;

use crate::dirsrv::{BASE, Dirsrv, PASSWORD, SERVICE};
use crate::mirror::{Mirror, NOW};

/// Active people; whoever is on leave is not among them.
const FILTER: &str = "(&(objectClass=inetOrgPerson)(!(employeeType=on leave)))";

fn settings(server: &Dirsrv) -> Settings {
    Settings {
        servers: vec![server.url.clone()],
        starttls: false,
        bind_dn: SERVICE.to_owned(),
        base: format!("ou=people,{BASE}"),
        user_filter: FILTER.to_owned(),
        ..Settings::default()
    }
}

fn connector(settings: Settings) -> Connector {
    Connector::new(settings, Zeroizing::new(PASSWORD.to_owned())).expect("good settings")
}

fn modify(server: &Dirsrv, uid: &str, lines: &str) {
    server.modify_ldif(&format!("dn: {}\nchangetype: modify\n{lines}\n", server.person_dn(uid)));
}

/// A directory with alice, bob and carol, followed and settled.
async fn followed() -> (Dirsrv, Connector, Mirror) {
    let server = Dirsrv::start();
    ["alice", "bob", "carol"].iter().for_each(|uid| server.add_person(uid));
    let connector = connector(settings(&server));
    let mut mirror = Mirror::new(&connector, Follow::default(), None);
    mirror.settled().await;
    assert_eq!(mirror.logins(), ["alice", "bob", "carol"].into());
    let is_told = |change: &Change| matches!(change, Change::Connected { protocol: Protocol::SyncRepl, .. });
    assert!(mirror.heard.iter().any(is_told), "{:#?}", mirror.heard);
    mirror.forget();
    (server, connector, mirror)
}

#[tokio::test]
async fn every_change_arrives_as_it_happens() {
    let (server, _connector, mut mirror) = followed().await;
    server.disable("alice");
    mirror
        .until("alice is disabled", |m| {
            m.person("alice").is_some_and(|p| p.disabled == Some(Disabled::NsAccountLock))
        })
        .await;
    server.add_person("dave");
    mirror.until("dave is there", |m| m.person("dave").is_some()).await;
    server.remove("bob");
    mirror.until("bob is gone", |m| m.person("bob").is_none()).await;
    modify(&server, "carol", "replace: employeeType\nemployeeType: on leave");
    mirror.until("the filter no longer lets carol through", |m| m.person("carol").is_none()).await;
    modify(&server, "carol", "replace: employeeType\nemployeeType: back");
    mirror.until("carol is back", |m| m.person("carol").is_some()).await;
    let carol = mirror.person("carol").expect("carol").id;
    let dn = server.person_dn("carol");
    server.modify_ldif(&format!("dn: {dn}\nchangetype: modrdn\nnewrdn: uid=caroline\ndeleteoldrdn: 1\n"));
    mirror
        .until("carol has another name and is the same", |m| {
            m.person("caroline").is_some_and(|p| p.id == carol)
        })
        .await;
    server.modify_ldif(&format!(
        "dn: {}\nchangetype: modrdn\nnewrdn: uid=caroline\ndeleteoldrdn: 0\nnewsuperior: ou=services,{BASE}\n",
        server.person_dn("caroline"),
    ));
    mirror.until("whoever moves out of the base is gone", |m| m.person("caroline").is_none()).await;
    assert_eq!((mirror.logins(), mirror.lists()), (["alice", "dave"].into(), 0));
    assert!(!mirror.was_interrupted());
}

#[tokio::test]
async fn who_was_deleted_while_nobody_followed_is_found_missing() {
    let (server, connector, mirror) = followed().await;
    let stored = mirror.checkpoint.clone();
    drop(mirror);
    server.remove("alice");
    server.disable("bob");
    server.add_person("erin");
    // The server's own account of it, from the cookie on, would leave alice out.
    let mut mirror = Mirror::new(&connector, Follow::default(), stored.as_deref());
    mirror.until("a list", |m| m.lists() == 1).await;
    assert_eq!(mirror.logins(), ["bob", "carol", "erin"].into());
    assert!(mirror.person("bob").is_some_and(|p| p.disabled.is_some()));
    server.remove("carol");
    mirror.until("it goes on", |m| m.person("carol").is_none()).await;
    assert!(!mirror.was_interrupted(), "{:#?}", mirror.heard);
}

#[tokio::test]
async fn a_server_killed_in_the_middle_of_a_list_takes_nobody_away_and_is_followed_again() {
    let (mut server, connector, mirror) = followed().await;
    drop(mirror);
    let entry = |number| {
        let uid = format!("p{number:04}");
        format!(
            "dn: {}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\n\n",
            server.person_dn(&uid)
        )
    };
    server.modify_ldif(&(0..1500).map(entry).collect::<String>());
    let mut mirror = Mirror::new(&connector, Follow::default(), None);
    mirror.until("a first one", |m| m.people.len() == 1).await;
    server.stop();
    mirror.until("the end is noticed", Mirror::was_interrupted).await;
    let told = mirror.people.len();
    assert!(mirror.lists() == 0 || told == 1503, "{told} are no list");
    server.launch();
    mirror.until("everybody", |m| m.lists() > 0 && m.people.len() == 1503).await;
}

#[tokio::test]
async fn groups_arrive_on_the_same_stream() {
    let (server, _, mirror) = followed().await;
    drop(mirror);
    server.add_group("ops", &["alice", "bob"]);
    let group_filter = Some("(objectClass=groupOfNames)".to_owned());
    let connector = connector(Settings { group_filter, base: BASE.to_owned(), ..settings(&server) });
    let mut mirror = Mirror::new(&connector, Follow::default(), None);
    mirror
        .until("both", |m| m.people.len() == 3 && m.group("ops").is_some_and(|g| g.members.len() == 2))
        .await;
    let leaves = format!("changetype: modify\ndelete: member\nmember: {}\n", server.person_dn("bob"));
    server.modify_ldif(&format!("dn: cn=ops,ou=groups,{BASE}\n{leaves}"));
    mirror
        .until("bob left", |m| m.group("ops").is_some_and(|g| g.members == [server.person_dn("alice")]))
        .await;
}

#[tokio::test]
async fn people_sign_in_unless_they_are_locked() {
    let (server, connector, _mirror) = followed().await;
    let health = connector.check().await.unwrap();
    assert_eq!(health.protocols, [Protocol::SyncRepl, Protocol::Polling]);
    assert!(matches!(connector.sign_in("alice", "alice", NOW).await.unwrap(), SignIn::Accepted(_)));
    let answer = connector.sign_in("alice", "mistyped", NOW).await.unwrap();
    assert!(matches!(answer, SignIn::WrongPassword { .. }), "{answer}");
    server.disable("alice");
    assert!(matches!(connector.sign_in("alice", "alice", NOW).await.unwrap(), SignIn::Disabled(_)));
}
