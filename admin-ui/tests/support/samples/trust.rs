//! Certificates and enrolment.

use chancery_admin_ui::{
    Choice, Nav, Paging,
    certificate::Certificate,
    certificates::{CertificateRow, Certificates, Search},
    enrol::Enrol,
    enrolled::{Enrolled, Handover},
    pending::{Pending, PendingRow},
    revoke::{Revoke, reasons},
};

use super::{NOON, PEM, Say, certificate_rows, chrome, file, html, pairs};

pub(super) fn pages(say: Say<'_>) -> Vec<(&'static str, String)> {
    let [valid, expiring, revoked, _] =
        <[CertificateRow; 4]>::try_from(certificate_rows(say)).expect("four rows");
    let states = |chosen: &str| {
        ["", "valid", "expiring", "expired", "revoked"].map(|state| Choice {
            chosen: state == chosen,
            ..Choice::new(say(state), if state.is_empty() { "All".into() } else { say(state) })
        })
    };
    let list = Certificates {
        chrome: chrome(say, Nav::Certificates, &["chancery cert list"]),
        states: states("valid").into(),
        search: Search {
            account: say("alice"),
            name: say("corp.example"),
            expires_before: say("30d"),
            ..Search::default()
        },
        problem: String::new(),
        rows: certificate_rows(say),
        paging: Paging { page: 1, pages: 3, total: 121 },
        pending: 2,
    };
    let names = [
        ("Common name", "Alice Liddell"),
        ("URI", "urn:uuid:0d5c1a6e-3c0f-4e1b-9a55-8f2c7f0a4b11"),
        ("Mail", "alice@corp.example"),
    ];
    let show = |row: CertificateRow, revoked_at: &str, reason: &str| Certificate {
        chrome: chrome(say, Nav::Certificates, &["chancery cert show SERIAL", "chancery cert revoke SERIAL"]),
        row,
        names: pairs(say, &names),
        facts: pairs(
            say,
            &[
                ("Issuer", "CN=corp.example issuing CA 1"),
                ("Key", "P-256"),
                ("SHA-256", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
                ("Asked for by", "admin root, key made in the browser"),
            ],
        ),
        revoked_at: if revoked_at.is_empty() { String::new() } else { say(revoked_at) },
        reason: say(reason),
        pem: say(PEM),
        download: file(say, "alice.pem"),
    };
    let pending = Pending {
        chrome: chrome(say, Nav::Certificates, &["chancery cert pending", "chancery cert approve REQUEST"]),
        rows: vec![PendingRow {
            id: say("0011223344556677"),
            account: say("alice"),
            profile: say("server"),
            names: say("web.corp.example"),
            front: say("est"),
            key: say("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
            created_at: say(NOON),
            expires_at: say(NOON),
        }],
        problem: say("The account is disabled."),
    };
    let revoke = Revoke {
        chrome: chrome(say, Nav::Certificates, &["chancery cert revoke SERIAL --reason REASON"]),
        row: valid.clone(),
        reasons: reasons(),
        live_sessions: 2,
        problem: say("The store is read-only."),
    };
    let enrol = Enrol {
        chrome: chrome(
            say,
            Nav::Accounts,
            &["chancery cert enroll alice --out DIR", "chancery cert token alice"],
        ),
        account: say("alice"),
        name: say("Alice Liddell"),
        names: pairs(say, &names),
        validity: say("90 days"),
        csr: say("-----BEGIN CERTIFICATE REQUEST-----"),
        problem: say("The request asks for ceo@corp.example, which is not a name of alice."),
    };
    let done = |handover| Enrolled {
        chrome: chrome(say, Nav::Accounts, &[]),
        account: say("alice"),
        handover,
        usage: vec![say(
            "mosquitto_sub -h chat.corp.example -p 8883 --cafile ca.pem --cert alice.pem --key alice.key.pem -t 'from/#' -v",
        )],
    };
    let certificate = Handover::Certificate {
        row: valid.clone(),
        chain: file(say, "alice.chain.pem"),
        root: file(say, "ca.pem"),
    };
    let pkcs12 = Handover::Pkcs12 {
        row: expiring,
        file: file(say, "alice.p12"),
        root: file(say, "ca.pem"),
        password: say("mild-otter-canyon-48-brisk").into(),
    };
    let token = Handover::Token {
        token: say("CHY-7Q2M-9XKD-44TR-PLWE").into(),
        expires_at: say(NOON),
        root: file(say, "ca.pem"),
    };
    vec![
        ("certificates", html(list)),
        ("certificate", html(show(valid, "", ""))),
        ("certificate-revoked", html(show(revoked, NOON, "key compromise"))),
        ("pending", html(pending)),
        ("revoke", html(revoke)),
        ("enrol", html(enrol)),
        ("enrolled", html(done(certificate))),
        ("enrolled-pkcs12", html(done(pkcs12))),
        ("enrolled-token", html(done(token))),
    ]
}
