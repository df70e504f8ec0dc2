//! Following a real Samba domain controller: DirSync, update numbers, groups.

use std::time::Duration;

use chancery_ldap::{
    AttributeMap, Change, Connector, Disabled, Follow, Kind, Nesting, Protocol, Settings, SignIn,
};
use zeroize::Zeroizing;

use crate::mirror::{Mirror, NOW};
use crate::samba::{ADMIN, BASE, PASSWORD, READER, Samba};

/// People, but those who are on leave.
const FILTER: &str = "(&(objectCategory=person)(objectClass=user)(!(employeeType=on leave)))";

fn settings(samba: &Samba) -> Settings {
    Settings {
        servers: vec![samba.url.clone()],
        starttls: false,
        bind_dn: ADMIN.to_owned(),
        base: format!("OU=people,{BASE}"),
        user_filter: FILTER.to_owned(),
        group_filter: Some("(objectClass=group)".to_owned()),
        attributes: AttributeMap {
            login: "sAMAccountName".to_owned(),
            name: "displayName".to_owned(),
            ..AttributeMap::default()
        },
        ..Settings::default()
    }
}

fn connector(settings: Settings) -> Connector {
    Connector::new(settings, Zeroizing::new(PASSWORD.to_owned())).expect("good settings")
}

fn by(protocol: Protocol) -> Follow {
    Follow { protocol: Some(protocol), ask_every: Duration::from_millis(200), ..Follow::default() }
}

/// A domain with alice, bob and carol.
fn domain() -> Samba {
    let samba = Samba::start();
    ["alice", "bob", "carol"].iter().for_each(|login| samba.add_person(login));
    samba
}

async fn settled(connector: &Connector, how: Follow) -> Mirror {
    let mut mirror = Mirror::new(connector, how, None);
    mirror
        .until("both lists", |m| {
            let is_list = |change: &&Change| matches!(change, Change::Present(..));
            let lists = m.heard.iter().filter(is_list).count();
            lists == 2 && matches!(m.heard.last(), Some(Change::Checkpoint(..)))
        })
        .await;
    assert_eq!(mirror.logins(), ["alice", "bob", "carol"].into());
    mirror.forget();
    mirror
}

/// Everything that may happen to people, whichever way is taken to hear of it.
async fn live_through(samba: &Samba, mirror: &mut Mirror) {
    samba.disable("alice");
    mirror
        .until("alice is disabled", |m| {
            m.person("alice").is_some_and(|p| p.disabled == Some(Disabled::UserAccountControl))
        })
        .await;
    let alice = mirror.person("alice").expect("alice");
    assert_eq!((alice.name.as_str(), alice.mail.as_deref()), ("alice", Some("alice@corp.example")), "whole");
    samba.set("alice", "userAccountControl", "512");
    // 2026-01-01, two months ago.
    samba.set("alice", "accountExpires", "134116992000000000");
    mirror
        .until("alice has expired", |m| {
            m.person("alice").is_some_and(|p| matches!(p.disabled, Some(Disabled::AccountExpires(_))))
        })
        .await;
    // 2027-01-01.
    samba.set("alice", "accountExpires", "134432352000000000");
    mirror
        .until("alice will expire", |m| {
            m.person("alice").is_some_and(|p| p.disabled.is_none() && p.expires.is_some())
        })
        .await;
    samba.add_person("dave");
    mirror.until("dave is there", |m| m.person("dave").is_some()).await;
    samba.set("carol", "employeeType", "on leave");
    mirror.until("the filter no longer lets carol through", |m| m.person("carol").is_none()).await;
    samba.set("carol", "employeeType", "back");
    mirror.until("carol is back", |m| m.person("carol").is_some()).await;
    let carol = mirror.person("carol").expect("carol").id;
    samba.modify_ldif(&format!(
        "dn: {}\nchangetype: modrdn\nnewrdn: CN=caroline\ndeleteoldrdn: 1\n",
        samba.person_dn("carol")
    ));
    mirror
        .until("carol is renamed and the same", |m| {
            m.people.get(&carol).is_some_and(|p| p.dn.contains("caroline"))
        })
        .await;
    samba.modify_ldif(&format!(
        "dn: {}\nchangetype: modrdn\nnewrdn: CN=caroline\ndeleteoldrdn: 1\nnewsuperior: OU=elsewhere,{BASE}\n",
        samba.person_dn("caroline")
    ));
    mirror.until("whoever moves out of the base is gone", |m| m.person("carol").is_none()).await;
}

#[tokio::test]
async fn dirsync_tells_of_every_change_and_of_those_made_while_nobody_asked() {
    let samba = domain();
    let connector = connector(settings(&samba));
    let health = connector.check().await.unwrap();
    assert_eq!(health.protocols, [Protocol::DirSync, Protocol::UpdateNumbers, Protocol::Polling]);
    let mut mirror = settled(&connector, by(Protocol::DirSync)).await;
    live_through(&samba, &mut mirror).await;
    samba.remove("bob");
    mirror.until("bob is gone", |m| m.person("bob").is_none()).await;
    assert_eq!((mirror.lists(), mirror.was_interrupted()), (0, false));

    mirror.until("a checkpoint", |m| matches!(m.heard.last(), Some(Change::Checkpoint(..)))).await;
    let mut mirror = {
        samba.remove("alice");
        samba.set("dave", "title", "Diver");
        mirror.again(&connector, Follow::default())
    };
    mirror
        .until("both", |m| {
            m.logins() == ["dave"].into()
                && m.person("dave").is_some_and(|p| p.title.as_deref() == Some("Diver"))
        })
        .await;
    assert_eq!(mirror.lists(), 0);
    assert!(mirror.heard.iter().any(|c| matches!(c, Change::Connected { protocol: Protocol::DirSync, .. })));
}

#[tokio::test]
async fn who_has_no_right_to_replicate_hears_of_changes_and_finds_deletions_by_listing() {
    let samba = domain();
    let connector = connector(Settings { bind_dn: format!("CORP\\{READER}"), ..settings(&samba) });
    let how = Follow { list_every: Duration::from_secs(2), ..by(Protocol::DirSync) };
    let mut mirror = settled(&connector, how).await;
    live_through(&samba, &mut mirror).await;
    samba.remove("bob");
    mirror.until("bob is gone", |m| m.person("bob").is_none()).await;
    mirror.until("everything was listed", |m| m.lists() > 0).await;
    assert!(!mirror.was_interrupted());
}

#[tokio::test]
async fn update_numbers_tell_of_every_change_of_one_controller() {
    let samba = domain();
    let connector = connector(Settings { bind_dn: format!("{READER}@corp.example"), ..settings(&samba) });
    let mut mirror = settled(&connector, by(Protocol::UpdateNumbers)).await;
    live_through(&samba, &mut mirror).await;
    assert_eq!((mirror.lists(), mirror.was_interrupted()), (0, false));
    mirror.until("a checkpoint", |m| matches!(m.heard.last(), Some(Change::Checkpoint(..)))).await;
    let how = Follow { list_every: Duration::from_secs(1), ..by(Protocol::UpdateNumbers) };
    samba.set("dave", "title", "Diver");
    samba.remove("bob");
    let mut mirror = mirror.again(&connector, how);
    mirror
        .until("both", |m| {
            m.logins() == ["alice", "dave"].into()
                && m.person("dave").is_some_and(|p| p.title.as_deref() == Some("Diver"))
        })
        .await;
}

#[tokio::test]
async fn a_cookie_that_active_directory_does_not_take_leads_to_a_list() {
    let mut samba = domain();
    let connector = connector(settings(&samba));
    for protocol in [Protocol::DirSync, Protocol::UpdateNumbers] {
        let mirror = settled(&connector, by(protocol)).await;
        let good = mirror.checkpoint.clone().expect("a checkpoint");
        // Version, hash, protocol and length come first; then the server's own bytes, people's before groups'.
        let mut garbage = good.clone();
        let length = usize::from(u16::from_be_bytes([garbage[36], garbage[37]]));
        garbage[38..38 + length].fill(b'x');
        let mut mirror = Mirror::new(&connector, by(protocol), Some(&garbage));
        mirror.until("a list", |m| m.lists() == 1).await;
        assert_eq!((mirror.logins().len(), mirror.was_interrupted()), (3, false), "{protocol}");
        // A controller that comes back goes on from the same cookie.
        let mut mirror = Mirror::new(&connector, by(protocol), Some(&good));
        samba.stop();
        mirror.until("the end is noticed", Mirror::was_interrupted).await;
        samba.launch();
        samba.set("alice", "title", &format!("after {protocol:?}"));
        mirror.until("alice", |m| m.person("alice").is_some_and(|p| p.title.is_some())).await;
        assert_eq!(mirror.lists(), 0, "{protocol}");
    }
}

#[tokio::test]
async fn groups_of_a_domain_are_followed_whole_and_nested() {
    let samba = domain();
    samba.add_group("ops", &["alice", "bob"]);
    samba.add_group("all", &["ops"]);
    let connector = connector(settings(&samba));
    let mut mirror = settled(&connector, by(Protocol::DirSync)).await;
    assert_eq!(mirror.group("ops").expect("ops").members.len(), 2);
    let alice = mirror.person("alice").expect("alice").clone();
    assert_eq!(Nesting::of(mirror.groups.values()).groups_of(&alice.dn, &alice.login).len(), 2);
    let mut names: Vec<_> =
        connector.groups_of(&alice).await.unwrap().groups.into_iter().map(|group| group.name).collect();
    names.sort();
    assert_eq!(names, ["all", "ops"]);

    samba.modify_ldif(&format!(
        "dn: {}\nchangetype: modify\ndelete: member\nmember: {}\n",
        samba.person_dn("ops"),
        samba.person_dn("bob")
    ));
    mirror.until("bob left", |m| m.group("ops").is_some_and(|g| g.members.len() == 1)).await;
    samba.remove("all");
    mirror.until("no group", |m| m.group("all").is_none()).await;
    assert!(mirror.heard.iter().any(|c| matches!(c, Change::Gone(Kind::Groups, _))));
}

#[tokio::test]
async fn a_filter_on_membership_is_judged_anew_when_a_group_changes() {
    let samba = domain();
    let dn = format!("CN=chat,OU=people,{BASE}");
    let member = |login: &str| format!("member: {}\n", samba.person_dn(login));
    samba.modify_ldif(&format!(
        "dn: {dn}\nchangetype: add\nobjectClass: group\nsAMAccountName: chat\n{}{}",
        member("alice"),
        member("bob")
    ));
    let user_filter = format!("(&(objectClass=user)(memberOf={dn}))");
    let connector = connector(Settings { user_filter, ..settings(&samba) });
    let mut mirror = Mirror::new(&connector, by(Protocol::DirSync), None);
    mirror.settled().await;
    mirror.until("members", |m| m.logins() == ["alice", "bob"].into()).await;
    samba.modify_ldif(&format!("dn: {dn}\nchangetype: modify\ndelete: member\n{}", member("bob")));
    mirror.until("bob lost the group", |m| m.logins() == ["alice"].into()).await;
    samba.modify_ldif(&format!("dn: {dn}\nchangetype: modify\nadd: member\n{}", member("carol")));
    mirror.until("carol got it", |m| m.logins() == ["alice", "carol"].into()).await;
}

#[tokio::test]
async fn members_that_come_in_ranges_are_read_to_the_end() {
    let samba = domain();
    let people: String = (0..1_700)
        .map(|n| format!("dn: CN=c{n:04},OU=elsewhere,{BASE}\nchangetype: add\nobjectClass: contact\n\n"))
        .collect();
    samba.modify_ldif(&people);
    let members: String = (0..1_700).map(|n| format!("member: CN=c{n:04},OU=elsewhere,{BASE}\n")).collect();
    samba.modify_ldif(&format!(
        "dn: CN=crowd,OU=people,{BASE}\nchangetype: add\nobjectClass: group\nsAMAccountName: crowd\n{members}"
    ));
    let connector = connector(settings(&samba));
    let mirror = settled(&connector, by(Protocol::DirSync)).await;
    let mut members = mirror.group("crowd").expect("crowd").members.clone();
    members.sort();
    members.dedup();
    assert_eq!(members.len(), 1_700);
    let listed = connector.groups().await.unwrap().groups;
    assert_eq!(listed.iter().map(|group| group.members.len()).max(), Some(1_700));
}

#[tokio::test]
async fn an_account_signs_in_to_a_domain_by_each_of_its_names() {
    let samba = domain();
    for bind_dn in [ADMIN, "CORP\\Administrator", &format!("CN=Administrator,CN=Users,{BASE}")] {
        let base = format!("CN=Users,{BASE}");
        let connector = connector(Settings { bind_dn: bind_dn.to_owned(), base, ..settings(&samba) });
        let answer = connector.sign_in(READER, PASSWORD, NOW).await.unwrap();
        assert!(matches!(answer, SignIn::Accepted(_)), "{bind_dn}: {answer}");
        let answer = connector.sign_in(READER, "wrong", NOW).await.unwrap();
        assert!(matches!(answer, SignIn::WrongPassword { .. }), "{bind_dn}: {answer}");
    }
}
