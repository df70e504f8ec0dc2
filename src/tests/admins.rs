//! Admins whom the directory made: a group says who they are, from one click to the next.

use crate::town::Town;
use crate::town::slapd::{Options, Slapd};
use crate::town::tools::eventually;
use crate::town::web::Web;

const NAMES: &str = "admin_groups = [\"operators\"]";

fn company() -> Slapd {
    let slapd = Slapd::start(Options::default());
    for uid in ["alice", "bob", "carol"] {
        slapd.add_person(uid, uid, &format!("{uid}@corp.example"), "wonderland");
    }
    slapd.add_group("operators", &["alice", "carol"]);
    slapd
}

fn town(slapd: &Slapd) -> Town {
    let groups = "group_filter = \"(objectClass=groupOfNames)\"";
    let town = Town::plan().ldap(slapd).with("directory", NAMES).with("directory.ldap", groups).start();
    eventually("alice is in her group", || town.ask("account list").to_string().contains("operators"));
    town
}

fn sign_in(web: &mut Web, name: &str, password: &str) -> u16 {
    web.submit("/sign-in", "/sign-in", &[("name", name), ("password", password)]).status
}

fn deeds(town: &Town) -> Vec<String> {
    let list = town.ask("audit list");
    let entries = list.as_array().expect("a list").iter().filter(|entry| entry["deed"] == "admin.sign-in");
    entries.map(ToString::to_string).collect()
}

#[test]
fn whoever_is_in_the_group_governs_until_they_are_not() {
    let slapd = company();
    let town = town(&slapd);
    let (mut alice, mut bob, mut carol) = (Web::new(&town), Web::new(&town), Web::new(&town));
    assert_eq!(sign_in(&mut alice, "alice", "wonderland"), 200);
    assert_eq!(sign_in(&mut carol, "Carol", "wonderland"), 200);
    assert!(alice.page("/accounts").body.contains("bob"));

    // Not by a wrong password, not without the group, and an admin's own password is nobody else's.
    assert_eq!(sign_in(&mut bob, "alice", "mistyped"), 403);
    assert_eq!(sign_in(&mut bob, "bob", "wonderland"), 403);
    assert_eq!(sign_in(&mut bob, "nobody", "wonderland"), 403);
    assert_ne!(bob.get("/accounts").status, 200);
    let told = deeds(&town);
    for words in ["in no group of admins", "wrong password", "unknown name", "directory"] {
        assert!(told.iter().any(|deed| deed.contains(words)), "{words}: {told:#?}");
    }

    // Out of the group, or disabled: out of the console with the next click.
    slapd.modify_ldif(&format!(
        "dn: cn=operators,ou=groups,{}\nchangetype: modify\ndelete: member\nmember: {}\n",
        slapd.base,
        slapd.person_dn("alice")
    ));
    eventually("alice is out", || alice.get("/accounts").status != 200);
    assert_eq!(sign_in(&mut alice, "alice", "wonderland"), 403);
    assert_eq!(carol.get("/accounts").status, 200);
    slapd.disable("carol");
    eventually("carol is out", || carol.get("/accounts").status != 200);
}

#[test]
fn without_such_groups_nobody_of_the_directory_governs() {
    let slapd = company();
    let town = Town::plan().ldap(&slapd).start();
    eventually("alice is there", || town.cli("account show alice").code == 0);
    assert_eq!(sign_in(&mut Web::new(&town), "alice", "wonderland"), 403);
    assert!(deeds(&town).iter().any(|deed| deed.contains("unknown name")));
}
