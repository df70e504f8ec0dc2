//! The self-service page.

use chancery_admin_ui::{
    Choice, Chrome, Qr,
    certificates::CertificateRow,
    self_service::{
        Guide, Settings,
        code::Code,
        desk::{Desk, Own},
        handover::Handover,
        revoke::{Revoke, reasons},
        sign_in::SignIn,
        ways::Ways,
    },
};

use super::{NOON, Say, certificate_rows, file, html, outside, pairs};

pub(super) fn pages(say: Say<'_>) -> Vec<(&'static str, String)> {
    let chrome = || Chrome { person: say("alice"), ..outside(say) };
    let [valid, expiring, revoked, _] =
        <[CertificateRow; 4]>::try_from(certificate_rows(say)).expect("four rows");
    let own = |row: &CertificateRow, sessions, renewable| Own {
        row: row.clone(),
        purpose: say("Messages on a device"),
        sessions,
        renewable,
    };
    let desk = |rows| Desk {
        chrome: chrome(),
        file: say("alice"),
        name: say("Alice Liddell"),
        photo: false,
        names: pairs(say, &[("Common name", "alice"), ("Mail", "alice@corp.example")]),
        validity: say("90 days"),
        purposes: vec![
            Choice::new("client", say("Messages on a device")),
            Choice::new("mail-signing", say("Signing mail")),
        ],
        rows,
        guide: guide(say),
        problem: say("The password for the PKCS#12 archive is too short."),
    };
    let ways = |action: &str, renews: &str, chrome| Ways {
        chrome,
        action: action.into(),
        account: say("alice"),
        file: say("alice"),
        renews: if renews.is_empty() { String::new() } else { say(renews) },
        for_mail: false,
        problem: String::new(),
    };
    let handover = |archive, renewed: &str| Handover {
        chrome: chrome(),
        file: say("alice"),
        row: valid.clone(),
        purpose: say("Messages on a device"),
        chain: file(say, "alice.cert.pem"),
        root: file(say, "root.pem"),
        legacy: true,
        renewed: if renewed.is_empty() { String::new() } else { say(renewed) },
        archive,
        guide: Some(guide(say)),
    };
    let code = Code {
        chrome: chrome(),
        qr: Qr::of("https://corp.example:8443/enroll/phone/kq3v9x"),
        url: say("https://corp.example:8443/enroll/phone/kq3v9x").into(),
        expires_at: say(NOON),
        fingerprint: say("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    };
    let revoke = Revoke {
        chrome: chrome(),
        row: expiring.clone(),
        purpose: say("Reading encrypted mail"),
        reasons: reasons(),
        live_sessions: 1,
        problem: say("The certificate was revoked before."),
    };
    let sign_in = |again, problem: &str| SignIn {
        chrome: outside(say),
        name: say("alice"),
        again,
        problem: if problem.is_empty() { String::new() } else { say(problem) },
    };
    let archive = (file(say, "alice.p12"), say("mild-otter-canyon-48-brisk").into());
    let renewed = expiring.serial.clone();
    vec![
        ("own-sign-in", html(sign_in(false, "Name or password is wrong."))),
        ("own-again", html(sign_in(true, ""))),
        ("own", html(desk(vec![own(&valid, 1, true), own(&expiring, 0, true), own(&revoked, 0, false)]))),
        ("empty-own", html(desk(Vec::new()))),
        (
            "own-renew",
            html(ways(&format!("/enroll/certificates/{}/renew", "4F1B2A90"), "4F1B2A90", chrome())),
        ),
        ("own-phone", html(ways("/enroll/phone/kq3v9x", "", outside(say)))),
        ("own-handover", html(handover(None, &renewed))),
        ("own-pkcs12", html(handover(Some(archive), ""))),
        ("own-code", html(code)),
        ("own-revoke", html(revoke)),
    ]
}

fn guide(say: Say<'_>) -> Guide {
    let line = "mosquitto_sub -h corp.example -p 8883 --cafile root.pem --cert alice.pem --key alice.pem -t 'from/#'";
    Guide {
        addresses: pairs(
            say,
            &[("MQTT over TLS", "corp.example:8883"), ("WebSocket", "wss://corp.example:8884/mqtt")],
        ),
        topics: pairs(say, &[("to/NAME", "write to somebody"), ("from/#", "what others write to you")]),
        clients: vec![
            Settings { client: say("mosquitto"), fields: Vec::new(), snippets: vec![say(line)] },
            Settings {
                client: say("MQTTX"),
                fields: pairs(say, &[("Host", "corp.example"), ("Port", "8883")]),
                snippets: Vec::new(),
            },
        ],
    }
}
