//! What a preview lists is what happens then.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::town::Town;
use crate::town::slapd::{Options, Slapd};
use crate::town::tools::eventually;

const PEOPLE: usize = 400;
const GROUPS: usize = 6;
const CHANGES: usize = 1000;

/// People and groups as they are, and what was done to them.
struct Company {
    slapd: Slapd,
    seed: u64,
    people: Vec<(String, bool)>,
    groups: Vec<BTreeSet<String>>,
    ldif: String,
}

impl Company {
    fn new() -> Self {
        let slapd = Slapd::start(Options::default());
        slapd.add_people("clerk", PEOPLE);
        let people: Vec<_> = (0..PEOPLE).map(|number| (format!("clerk{number:04}"), true)).collect();
        let mut groups = Vec::new();
        for number in 0..GROUPS {
            let members: Vec<&str> =
                people.iter().skip(number).step_by(GROUPS).map(|(uid, _)| &**uid).collect();
            slapd.add_group(&format!("group{number}"), &members);
            groups.push(members.into_iter().map(|uid| slapd.person_dn(uid)).collect());
        }
        Self { slapd, seed: 0x5eed, people, groups, ldif: String::new() }
    }

    /// The same numbers in every run.
    fn draw(&mut self, below: usize) -> usize {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.seed >> 33).expect("31 bits") % below
    }

    fn change(&mut self, number: usize) {
        let (what, at) = (self.draw(100), self.draw(self.people.len()));
        let uid = self.people[at].0.clone();
        let dn = self.slapd.person_dn(&uid);
        let lines = match what {
            0..30 => format!("dn: {dn}\nchangetype: modify\nreplace: cn\ncn: Name {number}\n\n"),
            30..50 => {
                format!("dn: {dn}\nchangetype: modify\nreplace: mail\nmail: m{number}@corp.example\n\n")
            }
            50..60 => format!("dn: {dn}\nchangetype: modify\nreplace: title\ntitle: Title {number}\n\n"),
            60..68 => self.lock_or_unlock(at, &dn),
            68..76 => self.hire(number),
            76..81 => {
                self.people.remove(at);
                format!("dn: {dn}\nchangetype: delete\n\n")
            }
            81..88 => {
                self.people[at].0 = format!("renamed{number}");
                format!("dn: {dn}\nchangetype: modrdn\nnewrdn: uid=renamed{number}\ndeleteoldrdn: 1\n\n")
            }
            _ => self.join_or_leave(&dn),
        };
        self.ldif += &lines;
    }

    fn lock_or_unlock(&mut self, at: usize, dn: &str) -> String {
        let may_act = &mut self.people[at].1;
        *may_act = !*may_act;
        let how = if *may_act {
            "delete: pwdAccountLockedTime"
        } else {
            "replace: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z"
        };
        format!("dn: {dn}\nchangetype: modify\n{how}\n\n")
    }

    fn hire(&mut self, number: usize) -> String {
        let uid = format!("new{number}");
        let dn = self.slapd.person_dn(&uid);
        let entry = format!("objectClass: inetOrgPerson\nuid: {uid}\ncn: New {number}\nsn: {number}\n");
        self.people.push((uid, true));
        format!("dn: {dn}\nchangetype: add\n{entry}\n")
    }

    fn join_or_leave(&mut self, dn: &str) -> String {
        let group = self.draw(GROUPS);
        let members = &mut self.groups[group];
        let verb = if !members.contains(dn) {
            members.insert(dn.to_owned());
            "add"
        } else if members.len() > 1 {
            members.remove(dn);
            "delete"
        } else {
            return String::new();
        };
        let group = format!("cn=group{group},ou=groups,{}", self.slapd.base);
        format!("dn: {group}\nchangetype: modify\n{verb}: member\nmember: {dn}\n\n")
    }

    /// What became of somebody, as an admin is told; nothing if they are as they were.
    fn line(&self, before: Option<&Value>, after: Option<&Value>) -> Option<Value> {
        let said = |account: &Value, what: &str, details: Vec<String>| json!({ "account": account["account"], "name": account["name"], "what": what, "details": details });
        let (old, new) = match (before, after) {
            (Some(old), Some(new)) => (old, new),
            (None, Some(new)) => return Some(said(new, "add", texts(&new["why"]))),
            (old, _) => return Some(said(old?, "remove", Vec::new())),
        };
        let entry = |account: &Value| self.slapd.person_dn(account["account"].as_str().expect("a name"));
        let or_none = |value: &Value| value.as_str().unwrap_or("none").to_owned();
        let facts = [
            ("account", or_none(&old["account"]), or_none(&new["account"])),
            ("name", or_none(&old["name"]), or_none(&new["name"])),
            ("mail", or_none(&old["mail"]), or_none(&new["mail"])),
            ("disabled", or_none(&old["why"]), or_none(&new["why"])),
            ("entry", entry(old), entry(new)),
        ];
        let differ = facts.into_iter().filter(|(_, old, new)| old != new);
        let mut details: Vec<_> = differ.map(|(what, old, new)| format!("{what}: {old} → {new}")).collect();
        if old["title"] != new["title"] {
            details.push("card: title, phone, locale or time zone".into());
        }
        let (was_in, is_in) = (texts(&old["groups"]), texts(&new["groups"]));
        details.extend(is_in.iter().filter(|one| !was_in.contains(one)).map(|one| format!("group: +{one}")));
        details.extend(was_in.iter().filter(|one| !is_in.contains(one)).map(|one| format!("group: -{one}")));
        let what = match (old["why"].is_null(), new["why"].is_null()) {
            (true, false) => "disable",
            (false, true) => "enable",
            _ => "change",
        };
        (!details.is_empty()).then(|| said(old, what, details)).map(|mut line| {
            // Names are those that an admin will see.
            line["name"] = new["name"].clone();
            line
        })
    }
}

/// A text, a list of texts, or nothing.
fn texts(value: &Value) -> Vec<String> {
    let all = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    all.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

/// Everybody, by id.
fn accounts(town: &Town) -> BTreeMap<String, Value> {
    let all = town.ask("account list").as_array().expect("a list").clone();
    all.into_iter().map(|account| (account["id"].to_string(), account)).collect()
}

#[test]
fn a_thousand_changes_at_random_are_previewed_and_are_then_just_so() {
    let mut company = Company::new();
    let groups = "group_filter = \"(objectClass=groupOfNames)\"";
    let mut town = Town::plan().ldap(&company.slapd).with("directory.ldap", groups).start();
    eventually("everybody is there", || {
        let all = accounts(&town);
        all.len() == PEOPLE && all.values().all(|account| account["groups"] != json!([]))
    });
    let before = accounts(&town);
    town.stop();
    (0..CHANGES).for_each(|number| company.change(number));
    company.slapd.modify_ldif(&company.ldif);
    town.open();

    // So many leave that an admin has to agree; until then nothing has happened.
    eventually("the change is held", || town.ask("directory held")["change"].is_string());
    assert!(accounts(&town).keys().eq(before.keys()));
    // Groups are told of by themselves; in which of them somebody is, is not held.
    let (mut before, mut previewed) = (before, Value::Null);
    eventually("the directory has nothing more to tell", || {
        let first = town.ask("directory preview");
        (before, previewed) = (accounts(&town), town.ask("directory preview"));
        first == previewed
    });
    assert_eq!(previewed["held"], true, "{previewed}");
    let change = town.ask("directory held")["change"].as_str().expect("a change").to_owned();
    let done = town.ask(&format!("directory release {change}"));
    let after = accounts(&town);

    let ids: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let happened: BTreeSet<String> = ids
        .into_iter()
        .filter_map(|id| company.line(before.get(id), after.get(id)))
        .map(|line| line.to_string())
        .collect();
    let changes = previewed["changes"].as_array().expect("a list");
    let listed: BTreeSet<String> = changes.iter().map(ToString::to_string).collect();
    assert!(listed.len() == changes.len() && listed.len() > 250, "{}", listed.len());
    let wrong: Vec<_> = listed.symmetric_difference(&happened).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    for count in ["added", "changed", "removed", "cut_off"] {
        assert_eq!(previewed[count], done[count], "{count}");
    }
    assert_eq!(town.ask("directory preview")["changes"], json!([]));
}
