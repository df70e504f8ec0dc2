//! How soon the directory's word is so here, and what it costs.
//!
//! Nothing about speed can fail here: the sentences are tried in small, and `sh packaging/bench directory` tries them in the
//! size in which they are measured, and shows the lines of the table that they print.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::town::dirsrv::Dirsrv;
use crate::town::plan::Plan;
use crate::town::samba::{self, Samba};
use crate::town::slapd::{Options, Slapd};
use crate::town::tools::{eventually, poll};
use crate::town::web::Web;
use crate::town::{Person, Town};

/// How many people are disabled one by one.
fn runs() -> usize {
    if is_measured() { 100 } else { 2 }
}

/// People, and groups, of a large company.
fn size() -> (usize, usize) {
    if is_measured() { (100_000, 2000) } else { (300, 10) }
}

fn is_measured() -> bool {
    std::env::var_os("CHANCERY_MEASURE").is_some()
}

const PATIENCE: Duration = Duration::from_secs(30);
/// Those who measure disable more people in an hour than a brake lets pass. All of them govern.
const LEAVERS: &str = "brake_people = 1000\nbrake_percent = 100\nadmin_groups = [\"leavers\"]";

fn leavers() -> Vec<String> {
    (0..runs()).map(|number| format!("leaver{number:04}")).collect()
}

/// From the change in the directory to the end of everything somebody has here.
struct CutOff {
    session: Duration,
    certificate: Duration,
    console: Duration,
}

/// Everybody leaves, one after the other; gives the table of how long it took.
fn cut_off(server: &str, plan: Plan, password: impl Fn(&str) -> String, disable: impl Fn(&str)) -> String {
    let town = plan.with("directory", LEAVERS).start();
    let last = format!("account show {}", leavers().last().expect("some"));
    let is_in = || Some(town.cli(&last)).filter(|told| told.code == 0 && told.out.contains("leavers"));
    poll(PATIENCE, is_in).expect("everybody is in their group");
    let leave = |name: &String| leaves(&town, name, &password(name), || disable(name));
    table(server, &leavers().iter().map(leave).collect::<Vec<_>>())
}

fn leaves(town: &Town, name: &str, password: &str, disable: impl FnOnce()) -> CutOff {
    let person = town.enroll(name);
    let mut session = town.as_person(&person).id("d").connect();
    let mut web = Web::new(town);
    let shown = web.submit("/sign-in", "/sign-in", &[("name", name), ("password", password)]);
    assert_eq!((shown.status, web.get("/accounts").status), (200, 200), "{name} is in: {}", shown.body);
    let begun = Instant::now();
    disable();
    session.ending(PATIENCE);
    let session = begun.elapsed();
    poll(PATIENCE, || is_refused(town, &person).then_some(())).expect("the certificate is refused");
    let certificate = begun.elapsed();
    poll(PATIENCE, || (web.get("/accounts").status != 200).then_some(())).expect("the browser is out");
    CutOff { session, certificate, console: begun.elapsed() }
}

fn is_refused(town: &Town, person: &Person) -> bool {
    town.as_person(person).try_connect().is_err()
}

fn table(server: &str, runs: &[CutOff]) -> String {
    let row = |what: &str, took: &dyn Fn(&CutOff) -> Duration| {
        let mut took: Vec<_> = runs.iter().map(took).collect();
        took.sort_unstable();
        let at = |percent: usize| took[(took.len() * percent).div_ceil(100) - 1].as_secs_f64() * 1000.0;
        format!("| {server}: {what} | {:.0} ms | {:.0} ms | {:.0} ms |\n", at(50), at(99), at(100))
    };
    let head = format!(
        "| from the disabling to the end of … ({} runs) | p50 | p99 | max |\n|---|--:|--:|--:|\n",
        runs.len()
    );
    head + &row("the MQTT session", &|run| run.session)
        + &row("the certificate", &|run| run.certificate)
        + &row("the console's session", &|run| run.console)
}

#[test]
fn openldap_disables_somebody() {
    let slapd = Slapd::start(Options::default());
    slapd.add_people("leaver", runs());
    slapd.add_group("leavers", &leavers().iter().map(String::as_str).collect::<Vec<_>>());
    let plan = Town::plan().ldap(&slapd).with("directory.ldap", GROUPS);
    let table = cut_off("OpenLDAP, syncrepl", plan, str::to_owned, |name| slapd.disable(name));
    println!("{table}");
}

#[test]
fn ds389_disables_somebody() {
    let server = Dirsrv::start();
    leavers().iter().for_each(|name| server.add_person(name));
    server.add_group("leavers", &leavers().iter().map(String::as_str).collect::<Vec<_>>());
    let plan = Town::plan().dirsrv(&server).with("directory.ldap", GROUPS);
    let table = cut_off("389 Directory Server, syncrepl", plan, str::to_owned, |name| server.disable(name));
    println!("{table}");
}

#[test]
fn active_directory_disables_somebody() {
    let samba = Samba::start();
    leavers().iter().for_each(|name| samba.add_person(name));
    samba.add_group("leavers", &leavers().iter().map(String::as_str).collect::<Vec<_>>());
    let plan = Town::plan().samba(&samba).with("directory.ldap", "group_filter = \"(objectClass=group)\"");
    let table =
        cut_off("Samba AD, DirSync", plan, |_| samba::PASSWORD.to_owned(), |name| samba.disable(name));
    println!("{table}");
}

const GROUPS: &str = "group_filter = \"(objectClass=groupOfNames)\"";
const MEMBERS: usize = 50;

/// Everybody is in two groups, and each group in the one before.
fn company(base: &str) -> String {
    let (people, groups) = size();
    let mut ldif = String::new();
    let dn = |number: usize| format!("uid=person{number:05},ou=people,{base}");
    for number in 0..people {
        ldif += &format!(
            "dn: {}\nobjectClass: inetOrgPerson\nuid: person{number:05}\ncn: Some Body {number}\nsn: {number}\n\
             mail: some.body.{number}@corp.example\ntitle: Clerk\nuserPassword: secret\n\n",
            dn(number)
        );
    }
    for number in 0..groups {
        ldif += &format!(
            "dn: cn=group{number:04},ou=groups,{base}\nobjectClass: groupOfNames\ncn: group{number:04}\n"
        );
        for member in 0..MEMBERS * 2 {
            ldif += &format!("member: {}\n", dn((number * MEMBERS + member) % people));
        }
        if number % 10 == 9 {
            ldif += &format!("member: cn=group{:04},ou=groups,{base}\n", number - 1);
        }
        ldif.push('\n');
    }
    ldif
}

fn dump(slapd: &Slapd) -> Duration {
    let begun = Instant::now();
    let attributes = ["uid", "cn", "mail", "title", "entryUUID", "member", "pwdAccountLockedTime"];
    let done = Command::new("ldapsearch")
        .args(["-x", "-LLL", "-H", &slapd.ldaps_url, "-D", &slapd.service_dn, "-w", slapd.service_password])
        .args(["-E", "pr=500/noprompt", "-b", slapd.base])
        .arg("(|(objectClass=inetOrgPerson)(objectClass=groupOfNames))")
        .args(attributes)
        .env("LDAPTLS_CACERT", &slapd.ca_pem)
        .stdout(Stdio::null())
        .status()
        .expect("ldapsearch");
    assert!(done.success());
    begun.elapsed()
}

/// A line of `/proc/PID/status`, in MiB.
fn memory(town: &Town, line: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", town.pid())).expect("the daemon's status");
    let line = status.lines().find_map(|text| text.strip_prefix(line)).expect("the line");
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().expect("kB") / 1024
}

/// Processor time the daemon has used, in hundredths of a second.
fn ticks(town: &Town) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", town.pid())).expect("the daemon's times");
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap_or(0) + fields[12].parse::<u64>().unwrap_or(0)
}

#[test]
fn a_large_company_comes_in_and_only_its_changes_after_it() {
    let slapd = Slapd::start(Options { entries: company("dc=corp,dc=example"), ..Options::default() });
    dump(&slapd);
    let mut dumps = [dump(&slapd), dump(&slapd), dump(&slapd)];
    dumps.sort_unstable();
    println!("| {:?} people and groups | time | times `ldapsearch` | processor | peak memory |", size());
    println!("|---|--:|--:|--:|--:|");
    println!("| `ldapsearch` | {:.1} s | | | |", dumps[1].as_secs_f64());

    let mut town = Town::plan().ldap(&slapd).with("directory.ldap", GROUPS).start();
    let took = |what: &str, town: &Town, begun: Instant, before: u64| {
        let (time, ticks) = (begun.elapsed().as_secs_f64(), (ticks(town) - before) as f64 / 100.0);
        let ratio = time / dumps[1].as_secs_f64();
        println!("| {what} | {time:.1} s | {ratio:.2} | {ticks:.1} s | {} MiB |", memory(town, "VmHWM:"));
    };
    let begun = Instant::now();
    let last = format!("--json account show person{:05}", size().0 - 1);
    let is_in_groups = |shown: &Value| shown["groups"].as_array().is_some_and(|groups| !groups.is_empty());
    let all = || Some(town.cli(&last)).filter(|told| told.code == 0 && is_in_groups(&told.json()));
    // Looking is not what is measured.
    let added = || {
        town.log()
            .split("added: ")
            .skip(1)
            .filter_map(|rest| rest.split(',').next()?.parse::<usize>().ok())
            .sum::<usize>()
    };
    poll(Duration::from_secs(300), || (added() >= size().0).then_some(())).expect("everybody");
    poll(PATIENCE, all).expect("with their groups");
    took("first sync", &town, begun, 0);

    let (begun, before) = (Instant::now(), ticks(&town));
    for number in 0..runs() {
        let dn = slapd.person_dn(&format!("person{number:05}"));
        slapd.modify_ldif(&format!("dn: {dn}\nchangetype: modify\nreplace: cn\ncn: Another Body\n"));
    }
    let last = format!("account show person{:05}", runs() - 1);
    eventually("the last change is here", || town.ask(&last)["name"] == "Another Body");
    took(&format!("{} changes, one by one", runs()), &town, begun, before);

    let begun = Instant::now();
    town.restart();
    eventually("it is followed again", || town.ask("directory test")["followed"].is_object());
    took("a restart", &town, begun, 0);
    let (begun, before) = (Instant::now(), ticks(&town));
    let left = town.ask("directory sync");
    took("listed once more by an admin", &town, begun, before);
    assert_eq!(
        (&left["added"], &left["changed"], &left["removed"]),
        (&0.into(), &0.into(), &0.into()),
        "{left}"
    );
}

/// How many people there are, and how often each signs in once the directory has accepted them.
fn crowd() -> (usize, usize) {
    if is_measured() { (500, 20) } else { (10, 2) }
}

/// So many sign in at the same time.
const AT_A_TIME: usize = 8;

#[test]
fn a_crowd_signs_in_by_password() {
    let (people, times) = crowd();
    let slapd = Slapd::start(Options::default());
    slapd.add_people("clerk", people);
    let town = Town::plan().ldap(&slapd).start();
    let is_there = |number: usize| town.cli(&format!("account show clerk{number:04}")).code == 0;
    eventually("everybody is there", || is_there(people - 1));
    let sign_in = |number: usize| {
        let name = format!("clerk{:04}", number % people);
        let person = town.mqtt().id(&format!("{name}-{number}")).password(&name, &name);
        person.connect().leave();
    };
    let rate = |what: &str, count: usize| {
        let begun = Instant::now();
        thread::scope(|scope| {
            for first in 0..AT_A_TIME {
                scope.spawn(move || (first..count).step_by(AT_A_TIME).for_each(sign_in));
            }
        });
        println!("| {what} | {:.0} a second |", count as f64 / begun.elapsed().as_secs_f64());
    };
    println!("| {people} people sign in by password, {AT_A_TIME} at a time | |\n|---|--:|");
    rate("the directory is asked", people);
    rate("the directory has accepted them", people * times);
}
