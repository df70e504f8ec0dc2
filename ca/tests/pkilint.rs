//! What pkilint says of everything that is signed: certificates of each profile, lists, answers.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use chancery_ca::{
    CertId, KeyKind, KeyPair, OcspStatus, Profile, Reason, Responder, Revoked, Serial, Shard, Subject,
};
use time::Duration;

use crate::workshop::{NOW, Workshop, alice, key, laptop, public, serial_of, server};

/// The folder of pkilint's commands.
static PKILINT: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let fetched = Command::new(root.join("packaging/fetch-pkilint")).arg(root.join("target")).output();
    let fetched = fetched.expect("the script");
    assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stderr));
    String::from_utf8(fetched.stdout).expect("a path").trim().into()
});

/// What a linter finds that is at least an error.
///
/// One finding is passed over: it takes every URI for a URL, and so no URN for a URI (RFC 5280 §4.2.1.6 asks for a
/// scheme and what it makes of the rest, and RFC 8141 for no host).
fn findings(workshop: &Workshop, linter: &str, options: &[&str], file: &str) -> String {
    let mut lint = Command::new(PKILINT.join(linter));
    lint.arg("lint").args(options).args(["--severity", "ERROR"]).arg(workshop.path(file));
    let said = lint.output().expect("a linter");
    let said = String::from_utf8([said.stdout, said.stderr].concat()).expect("text");
    // Each finding has a line that says where and one that says what; trouble of its own has any.
    let lines: Vec<_> = said.lines().collect();
    let urn = |at: usize| lines.get(at).is_some_and(|line| line.contains(URN));
    let kept = lines.iter().enumerate().filter(|(at, _)| !urn(*at) && !urn(at + 1));
    kept.map(|(_, line)| *line).collect::<Vec<_>>().join("\n")
}

const URN: &str = r#"pkix.invalid_uri_syntax (ERROR): Invalid URI syntax: "urn:uuid:"#;

fn signer() -> Subject {
    Subject { common_name: "signer".to_owned(), ..Subject::default() }
}

#[test]
fn certificates_of_every_profile_are_without_error() {
    let workshop = Workshop::open();
    for profile in Profile::ALL {
        let subject = match profile {
            // A name that only this machine knows is not one for others.
            Profile::Server | Profile::Peer => {
                Subject { dns: vec!["chat.corp.example".to_owned()], ..server() }
            }
            Profile::Device => laptop(),
            Profile::OcspSigner | Profile::CmpSigner => signer(),
            _ => alice(),
        };
        workshop.issue("leaf", &public(&key()), &subject, profile);
        assert_eq!(findings(&workshop, "lint_pkix_cert", &[], "leaf.pem"), "", "{profile}");
    }
    for own in ["root.pem", "issuing.pem"] {
        assert_eq!(findings(&workshop, "lint_pkix_cert", &[], own), "", "{own}");
    }
}

#[test]
fn an_error_would_be_found() {
    let workshop = Workshop::open();
    // No identifier of the key, and a critical purpose that is none.
    workshop.openssl(
        "req -x509 -nodes -newkey ed25519 -keyout bad.key -out bad.pem -subj /CN=x -addext basicConstraints=CA:TRUE \
         -addext subjectKeyIdentifier=none",
    );
    assert!(findings(&workshop, "lint_pkix_cert", &[], "bad.pem").contains("ERROR"));
}

#[test]
fn lists_are_without_error() {
    let workshop = Workshop::open();
    let revoked =
        Reason::ALL.map(|reason| Revoked { serial: Serial::random().expect("randomness"), at: NOW, reason });
    for (name, lines) in [("empty.crl", &[][..]), ("full.crl", &revoked)] {
        let der = workshop.authority.crl(lines, 7, NOW, NOW + Duration::DAY).expect("signed");
        workshop.write(name, der);
        assert_eq!(
            findings(&workshop, "lint_crl", &["--type", "CRL", "--profile", "PKIX"], name),
            "",
            "{name}"
        );
    }
    let shard: Shard = "2A".parse().expect("a shard");
    let of_shard = Reason::ALL.map(|reason| Revoked { serial: serial_of(shard), at: NOW, reason });
    for (name, lines) in [("empty-2A.crl", &[][..]), ("2A.crl", &of_shard)] {
        workshop.write(name, workshop.shard(shard, lines));
        assert_eq!(
            findings(&workshop, "lint_crl", &["--type", "CRL", "--profile", "PKIX"], name),
            "",
            "{name}"
        );
    }
    workshop.write("root.crl", &workshop.root_crl);
    assert_eq!(findings(&workshop, "lint_crl", &["--type", "CRL", "--profile", "PKIX"], "root.crl"), "");
}

#[test]
fn answers_are_without_error() {
    let workshop = Workshop::open();
    let key = KeyPair::generate(KeyKind::P256).expect("a key");
    let certificate = workshop.issue("ocsp", &public(&key), &signer(), Profile::OcspSigner);
    let certificate = chancery_ca::Certificate::parse(&certificate.der).expect("a certificate");
    let responder = Responder::open(workshop.authority.issuing(), certificate, key).expect("a responder");
    let id = CertId::of(workshop.authority.issuing(), Serial::random().expect("randomness")).expect("named");
    let gone = OcspStatus::Revoked { at: NOW, reason: Reason::KeyCompromise };
    for status in [OcspStatus::Good, gone, OcspStatus::Unknown] {
        let known = [(id.clone(), status)];
        let der = responder.answer(&known, Some(&[7; 32]), NOW, NOW + Duration::HOUR, NOW).expect("signed");
        workshop.write("answer.der", der);
        assert_eq!(findings(&workshop, "lint_ocsp_response", &[], "answer.der"), "", "{status:?}");
    }
}
