//! Overview, sessions, outbox, peers, audit.

use chancery_admin_ui::{
    Choice, EnvelopeState, Health, Nav, Paging, Verdict,
    audit::{Audit, AuditRow, Proof},
    outbox::{EnvelopeRow, Outbox},
    overview::{Door, Figure, Overview, Part},
    peer::{Check, Peer},
    peers::{PeerRow, Peers},
    sessions::Sessions,
};

use super::{NOON, SERIALS, Say, certificate_rows, chrome, html, pairs, session_rows};

pub(super) fn pages(say: Say<'_>) -> Vec<(&'static str, String)> {
    let part = |name: &str, health, summary: &str, facts: &[(&str, &str)], advice: &str, href: &str| Part {
        name: say(name),
        health,
        summary: say(summary),
        facts: pairs(say, facts),
        advice: if advice.is_empty() { String::new() } else { say(advice) },
        href: href.into(),
    };
    let figure = |label: &str, value: &str, href: &str| Figure {
        label: say(label),
        value: say(value),
        href: href.into(),
    };
    let door = |name: &str, address: &str, health, note: &str, connections| Door {
        name: say(name),
        address: say(address),
        health,
        note: say(note),
        connections,
    };
    let overview = Overview {
        chrome: chrome(say, Nav::Overview, &["chancery status"]),
        health: Health::Warning,
        summary: say("One part needs attention within nine days."),
        figures: vec![
            figure("accounts", "431", "/accounts"),
            figure("live sessions", "312", "/sessions"),
            figure("messages waiting", "1,204", ""),
            figure("envelopes", "7", "/outbox"),
            figure("certificates in force", "506", "/certificates"),
        ],
        parts: vec![
            part(
                "Store",
                Health::Good,
                "Writes commit in 2 ms.",
                &[("Size", "1.4 GB"), ("Schema", "7")],
                "",
                "",
            ),
            part(
                "Directory",
                Health::Good,
                "Two servers answer.",
                &[("Source", "LDAP"), ("Last sync", "2 minutes ago"), ("People", "431")],
                "",
                "/accounts",
            ),
            part(
                "Authority",
                Health::Warning,
                "One certificate of the appliance ends soon.",
                &[("CRL next update", "2026-11-22 06:00:00 UTC"), ("Issuing CA until", "2031-11-20")],
                "Renew the server certificate before 30 November.",
                "/certificates?state=ending",
            ),
            part("Sessions", Health::Good, "312 live, 98 away.", &[("Queued", "1,204")], "", "/sessions"),
            part(
                "Outbox",
                Health::Bad,
                "The relay refuses mail since 11:42.",
                &[("Waiting", "7"), ("Oldest", "18 minutes")],
                "Look at the relay's answer.",
                "/outbox?state=deferred",
            ),
            part("Peers", Health::Off, "Federation is off.", &[], "", "/peers"),
            part(
                "Audit",
                Health::Good,
                "The chain holds.",
                &[("Entries", "20,118"), ("Head", "9f86d081884c7d65")],
                "",
                "/audit",
            ),
        ],
        doors: vec![
            door("mqtts", "[::]:8883", Health::Good, "MQTT over TLS", Some(312)),
            door("https", "[::]:8443", Health::Good, "console, API", None),
            door("lmtp", "127.0.0.1:2424", Health::Bad, "address in use", None),
        ],
        expiring: certificate_rows(say).drain(1..2).collect(),
    };
    let sessions = Sessions {
        chrome: chrome(say, Nav::Sessions, &["chancery session list", "chancery session kick SESSION"]),
        search: say("corp"),
        topic: say("plant/valve"),
        rows: session_rows(say),
        paging: Paging { page: 3, pages: 3, total: 103 },
    };
    let envelope = |id: &str, account: &str, state, attempts, next_at: &str, answer: &str| EnvelopeRow {
        id: say(id),
        account: say(account),
        route: say("mail"),
        state,
        attempts,
        created_at: say(NOON),
        next_at: if next_at.is_empty() { String::new() } else { say(next_at) },
        answer: if answer.is_empty() { String::new() } else { say(answer) },
    };
    let outbox = Outbox {
        chrome: chrome(say, Nav::Outbox, &["chancery outbox list", "chancery outbox retry ID"]),
        states: vec![
            Choice::new("", "All"),
            Choice { chosen: true, ..Choice::new(say("deferred"), say("Deferred")) },
        ],
        rows: vec![
            envelope("01KB2P0000AAAAAAAAAAAAAAAA", "carol", EnvelopeState::Waiting, 0, NOON, ""),
            envelope(
                "01KB2P0000BBBBBBBBBBBBBBBB",
                "bob",
                EnvelopeState::Deferred,
                3,
                NOON,
                "451 4.3.0 Try again later, the greylist has not seen this sender before",
            ),
            envelope(
                "01KB2P0000CCCCCCCCCCCCCCCC",
                "dmitri",
                EnvelopeState::Bounced,
                1,
                "",
                "550 5.1.1 No such mailbox",
            ),
            envelope(
                "01KB2P0000DDDDDDDDDDDDDDDD",
                "alice",
                EnvelopeState::Delivered,
                1,
                "",
                "250 2.0.0 Ok: queued",
            ),
        ],
        paging: Paging::whole(4),
    };
    let peer_row = |domain: &str, verdict| PeerRow { domain: say(domain), verdict, checked_at: say(NOON) };
    let peers = Peers {
        chrome: chrome(say, Nav::Peers, &["chancery peer list", "chancery peer add DOMAIN"]),
        rows: vec![
            peer_row("partner.example", Verdict::Secure),
            peer_row("old.example", Verdict::Unsigned),
            PeerRow { checked_at: String::new(), ..peer_row("new.example", Verdict::Unknown) },
        ],
        draft: say("exa mple"),
        problem: say("A domain has no spaces."),
    };
    let check = |kind: &str, name: &str, verdict, records: &[&str], explanation: &str| Check {
        kind: say(kind),
        name: say(name),
        verdict,
        records: records.iter().copied().map(say).collect(),
        explanation: say(explanation),
        deadline: say(NOON),
    };
    let peer = Peer {
        chrome: chrome(say, Nav::Peers, &["chancery peer check partner.example"]),
        domain: say("partner.example"),
        added: true,
        verdict: Verdict::Bogus,
        conclusion: say("No way to this domain is proven: its TLSA record is signed with a broken chain."),
        checked_at: say(NOON),
        checks: vec![
            check(
                "SRV",
                "_syn-fed._tcp.partner.example",
                Verdict::Secure,
                &["0 0 8885 chat.partner.example."],
                "The peer's host is proven.",
            ),
            check(
                "TLSA",
                "_8885._tcp.chat.partner.example",
                Verdict::Bogus,
                &[],
                "The signature of key 20326 expired. Ask the peer to sign its zone again.",
            ),
        ],
    };
    let deed = |number, who: &str, deed: &str, subject: &str, refused| AuditRow {
        number,
        at: say(NOON),
        who: say(who),
        deed: say(deed),
        subject: say(subject),
        refused,
        detail: say("reason key-compromise"),
        hash: say("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    };
    let audit = Audit {
        chrome: chrome(say, Nav::Audit, &["chancery audit list", "chancery audit verify"]),
        search: say("root"),
        rows: vec![
            deed(20118, "admin root", "certificate.revoke", SERIALS[2], false),
            deed(20117, "account mallory", "session.open", "client mallory-1", true),
        ],
        paging: Paging { page: 1, pages: 403, total: 20118 },
        head: say("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        proof: Some(Proof {
            holds: true,
            entries: 20118,
            finding: say("Every entry agrees with the one before it."),
            checked_at: say(NOON),
        }),
    };
    vec![
        ("overview", html(overview)),
        ("sessions", html(sessions)),
        ("outbox", html(outbox)),
        ("peers", html(peers)),
        ("peer", html(peer)),
        ("audit", html(audit)),
    ]
}
