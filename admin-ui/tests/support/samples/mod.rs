//! Every page, filled with a day in the life of corp.example.
//!
//! `say` stands between the samples and the page: it may leave words as they are, or make them awkward.

use chancery_admin_ui::{
    AccountState, CertificateState, Chrome, Download, Nav, Page, SessionState, Source, accounts::AccountRow,
    certificates::CertificateRow, keys::KeyRow, sessions::SessionRow,
};

mod empty;
mod gate;
mod own;
mod people;
mod traffic;
mod trust;

/// What becomes of a sample's words.
pub(crate) type Say<'a> = &'a dyn Fn(&str) -> String;

const SERIALS: [&str; 4] = [
    "4F1B2A90C3D84E7765A1B0C2D3E4F506",
    "1C77E0A9B5D2438FA0E1C6B4D7F8A913",
    "6D02F4E1A8B94C3D9E5F7A6B8C0D1E2F",
    "2B9A4C6E8D0F41A3B5C7D9E1F3A5B7C9",
];
const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIQTxsqkMPYTndlobDC0+T1BjAKBggqhkjOPQQDAjAuMSww\n-----END CERTIFICATE-----\n";
const KEY: &str = "8c1f0a63d2b94e57a0c6f1e2d3b4a596";
const NOON: &str = "2026-11-21T12:00:00Z";

/// Name and HTML of every page, busy, and of every list while it is empty.
pub(crate) fn pages(say: Say<'_>) -> Vec<(&'static str, String)> {
    let mut all = gate::pages(say);
    all.extend(own::pages(say));
    all.extend(people::pages(say));
    all.extend(trust::pages(say));
    all.extend(traffic::pages(say));
    all.extend(empty::pages());
    all
}

fn html(page: impl Page) -> String {
    page.render().expect("the page renders")
}

fn chrome(say: Say<'_>, here: Nav, commands: &[&str]) -> Chrome {
    Chrome {
        domain: say("corp.example"),
        admin: say("root"),
        person: String::new(),
        csrf: say("c5rf-70ken").into(),
        here: Some(here),
        version: say("0.1.0"),
        flash: None,
        commands: commands.iter().copied().map(say).collect(),
    }
}

fn outside(say: Say<'_>) -> Chrome {
    Chrome {
        domain: say("corp.example"),
        csrf: "c5rf-70ken".into(),
        version: say("0.1.0"),
        ..Chrome::default()
    }
}

fn pairs(say: Say<'_>, list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(label, value)| (say(label), say(value))).collect()
}

fn file(say: Say<'_>, name: &str) -> Download {
    Download::new(say(name), "application/x-pem-file", PEM.as_bytes())
}

fn account_rows(say: Say<'_>) -> Vec<AccountRow> {
    let row = |account: &str, name: &str, source, state, sessions, waiting| AccountRow {
        account: say(account),
        name: say(name),
        mail: say(&format!("{account}@corp.example")),
        source,
        state,
        certificates: 2,
        sessions,
        waiting,
    };
    vec![
        row("alice", "Alice Liddell", Source::Builtin, AccountState::Active, 2, 0),
        row("bob", "Bob Cratchit", Source::Ldap, AccountState::Active, 1, 14),
        row("carol", "Carol Danvers", Source::Builtin, AccountState::Disabled, 0, 3),
        row("dmitri", "Дмитрий Карамазов", Source::Ldap, AccountState::DisabledByDirectory, 0, 120),
        AccountRow {
            mail: String::new(),
            ..row("müller.jürgen", "Jürgen Müller", Source::Ldap, AccountState::Gone, 0, 0)
        },
    ]
}

fn certificate_rows(say: Say<'_>) -> Vec<CertificateRow> {
    let row = |index: usize, account: &str, state, until: &str, remaining: &str| CertificateRow {
        serial: say(SERIALS[index]),
        account: if account.is_empty() { String::new() } else { say(account) },
        profile: say(if account.is_empty() { "server" } else { "client" }),
        state,
        not_before: say("2026-08-23T09:12:44Z"),
        not_after: say(until),
        remaining: say(remaining),
    };
    vec![
        row(0, "alice", CertificateState::Valid, "2027-02-19T09:12:44Z", "in 90 days"),
        row(1, "bob", CertificateState::Expiring, "2026-11-30T09:12:44Z", "in 9 days"),
        row(2, "carol", CertificateState::Revoked, "2026-12-24T18:00:00Z", "in 33 days"),
        row(3, "", CertificateState::Expired, "2026-10-01T00:00:00Z", "51 days ago"),
    ]
}

fn key_rows(say: Say<'_>) -> Vec<KeyRow> {
    let row = |name: &str, kind: &str| KeyRow {
        id: say(KEY),
        name: if name.is_empty() { String::new() } else { say(name) },
        kind: say(kind),
        created_at: say(NOON),
    };
    vec![row("gate in the yard", "Ed25519"), row("", "P-256")]
}

fn session_rows(say: Say<'_>) -> Vec<SessionRow> {
    let row = |session: &str, account: &str, client: &str, state, serial: &str, queued| SessionRow {
        session: say(session),
        account: say(account),
        client_id: if client.is_empty() { String::new() } else { say(client) },
        state,
        protocol: say("MQTT 5 · mqtts"),
        address: if queued == 0 { say("192.0.2.17:50122") } else { String::new() },
        serial: if serial.is_empty() { String::new() } else { say(serial) },
        key: if serial.is_empty() { say(KEY) } else { String::new() },
        queued,
        since: say(NOON),
    };
    vec![
        row("01KB2N7V0M5Y3Q8R1T6W9X4Z2A", "alice", "alice-laptop", SessionState::Live, SERIALS[0], 0),
        row(
            "01KB2N7V0M5Y3Q8R1T6W9X4Z2B",
            "bob",
            "a-client-id-that-somebody-made-from-a-whole-host-name.corp.example",
            SessionState::Away,
            SERIALS[1],
            37,
        ),
        row("01KB2N7V0M5Y3Q8R1T6W9X4Z2C", "carol", "", SessionState::Live, "", 0),
    ]
}
