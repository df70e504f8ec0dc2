//! The service account signs in to a domain controller by Kerberos. `sh packaging/kerberos` builds and runs this.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::town::samba::{BASE, PASSWORD, READER, Samba};
use crate::town::tools::{eventually, tell};
use crate::town::{Town, text};

/// A domain with alice in it, and what the Kerberos library is told.
struct Realm {
    samba: Samba,
    dir: TempDir,
}

impl Realm {
    fn start() -> Self {
        let samba = Samba::start();
        samba.add_person("alice");
        let realm = Self { samba, dir: tempfile::tempdir().expect("a temporary folder") };
        // Samba itself adds the names by which DNS knows it, of which there are none here.
        realm.samba.modify_ldif(&format!(
            "dn: CN=DC1,OU=Domain Controllers,{BASE}\nchangetype: modify\nadd: servicePrincipalName\n\
             servicePrincipalName: ldap/{}\n",
            realm.address()
        ));
        realm
    }

    fn address(&self) -> &str {
        self.samba.url.trim_start_matches("ldap://")
    }

    /// A town that asks this server, to which this is the KDC, and whose service account has the key of this password.
    fn town(&self, server: &str, kdc: &str, password: &str) -> Town {
        let mut plan = Town::plan()
            .with("directory", "kind = \"ldap\"")
            .with("directory.ldap", &format!("servers = [\"{server}\"]\nstarttls = false"))
            .with("directory.ldap", &format!("kerberos = \"{READER}@CORP.EXAMPLE\""))
            .with(
                "directory.ldap",
                &format!("base = \"OU=people,{BASE}\"\nuser_filter = \"(objectClass=user)\""),
            )
            .with("directory.ldap", "operation_timeout = \"2s\"")
            .with("directory.ldap.attributes", "login = \"sAMAccountName\"\nname = \"displayName\"");
        plan.environment = vec![
            ("KRB5_CONFIG".into(), self.configuration(kdc)),
            ("KRB5_CLIENT_KTNAME".into(), self.keytab(password)),
            ("KRB5CCNAME".into(), "MEMORY:".into()),
        ];
        plan.start()
    }

    /// As on any machine, so that names would be looked up.
    fn configuration(&self, kdc: &str) -> PathBuf {
        let path = self.dir.path().join("krb5.conf");
        let realm = format!("CORP.EXAMPLE = {{\n kdc = {kdc}\n }}");
        fs::write(&path, format!("[libdefaults]\n default_realm = CORP.EXAMPLE\n[realms]\n {realm}\n"))
            .expect("our own folder");
        path
    }

    fn keytab(&self, password: &str) -> PathBuf {
        let path = self.dir.path().join("keytab");
        let entry = format!("addent -password -p {READER}@CORP.EXAMPLE -k 1 -e aes256-cts-hmac-sha1-96");
        let words = format!("printf '%s\\n' '{entry}' '{password}' 'wkt {}' | ktutil", text(&path));
        tell("sh", &["-c", &words]).well();
        path
    }
}

/// What is advised about the one server.
fn advice(town: &Town) -> String {
    town.cli("--json directory test").json()["servers"][0]["advice"].to_string()
}

#[test]
fn people_come_in_by_a_ticket() {
    let realm = Realm::start();
    let town = realm.town(&realm.samba.url, realm.address(), PASSWORD);
    eventually("alice is known", || town.ask("account list").as_array().is_some_and(|all| all.len() == 1));
    let test = town.ask("directory test");
    assert_eq!((&test["ok"], &test["servers"][0]["answers"]), (&true.into(), &true.into()), "{test}");
    let log = town.log();
    assert!(!log.contains("refuses") && !log.contains("Kerberos"), "{log}");
}

#[test]
fn a_key_that_is_not_the_accounts_is_told_and_the_house_stands() {
    let realm = Realm::start();
    let mut town = realm.town(&realm.samba.url, realm.address(), "not-it");
    let advice = advice(&town);
    assert!(advice.contains("Kerberos") && advice.contains("Preauthentication failed"), "{advice}");
    assert!(town.is_running());
    town.stop();
}

#[test]
fn a_server_that_says_yes_without_a_proof_is_not_believed() {
    let realm = Realm::start();
    let impostor = TcpListener::bind((realm.address(), 0)).expect("a port");
    let server = format!("ldap://{}", impostor.local_addr().expect("its number"));
    thread::spawn(move || {
        for mut client in impostor.incoming().flatten() {
            let _ = client.read(&mut [0; 8192]);
            let _ = client.write_all(b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00");
        }
    });
    let advice = advice(&realm.town(&server, realm.address(), PASSWORD));
    assert!(advice.contains("without a proof of who it is"), "{advice}");
}

#[test]
fn a_kdc_that_says_nothing_is_not_awaited() {
    let realm = Realm::start();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("its number");
    let _silent_too = UdpSocket::bind(address).expect("the same port");
    let mut town = realm.town(&realm.samba.url, &address.to_string(), PASSWORD);
    let began = Instant::now();
    let advice = advice(&town);
    assert!(advice.contains("no KDC answered within 2s"), "{advice}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    town.stop();
}

#[test]
fn who_signs_in_by_a_ticket_has_no_password_and_no_other_name() {
    let lines = "servers = [\"ldaps://dc1.corp.example\"]\nbase = \"dc=corp,dc=example\"\nkerberos = \"chancery@CORP.EXAMPLE\"";
    let others = "bind_dn = \"cn=chancery\"\nbind_password = { file = \"@HERE@/password\" }";
    let plan =
        Town::plan().with("directory", "kind = \"ldap\"").with("directory.ldap", lines).file("password", "x");
    let told = plan.with("directory.ldap", others).unfounded().refused(2, "check-config");
    assert!(
        told.contains("ldap.kerberos: leave bind_password") && told.contains("ldap.bind_dn: leave it empty"),
        "{told}"
    );
}
