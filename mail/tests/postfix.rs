//! Mail through a real Postfix: what arrives, what comes back, and what waits.

mod dovecot;
#[path = "../../src/tests/town/postfix.rs"]
mod postfix;
mod tapped;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chancery_mail::{
    Credentials, Envelope, Mailbox, MessageId, Notice, Outcome, RelayUrl, Scope, Smtp, SmtpSettings,
    TlsPolicy, Transport,
};
use dovecot::Dovecot;
use postfix::Postfix;
use tapped::{Meddling, Tap};
use time::macros::datetime;
use zeroize::Zeroizing;

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).expect("a valid address")
}

fn envelope(to: &str) -> Envelope {
    Envelope::new(mailbox("chancery@corp.example"), mailbox(to), "01JD3K+1=x").expect("a valid envelope")
}

fn notice(to: &str) -> Vec<u8> {
    let id = MessageId::parse("01JD3K@corp.example").expect("a valid id");
    let notice =
        Notice::new(mailbox("chancery@corp.example"), mailbox(to), id, datetime!(2026-11-21 9:30 UTC));
    notice.subject("2 messages wait").text("alice: hello\n.\nbob: a dot alone is no end").build()
}

fn settings(scheme: &str, at: SocketAddr) -> SmtpSettings {
    let relay = RelayUrl::parse(&format!("{scheme}://{at}")).expect("a valid relay");
    let timeout = Duration::from_secs(10);
    SmtpSettings { timeout, final_timeout: timeout, ..SmtpSettings::new(relay, "chancery.corp.example") }
}

fn plain(at: SocketAddr) -> Smtp {
    Smtp::new(settings("smtp", at)).expect("valid settings")
}

fn start_tls(at: SocketAddr, ca: &Postfix) -> Smtp {
    Smtp::new(SmtpSettings { ca_pem: Some(ca.ca_pem()), ..settings("smtp+starttls", at) })
        .expect("valid settings")
}

async fn send(smtp: &Smtp, to: &str) -> Outcome {
    smtp.deliver(&envelope(to), &notice(to)).await
}

#[track_caller]
fn assert_delivered(outcome: &Outcome) {
    assert!(
        matches!(outcome, Outcome::Delivered { detail } if detail.starts_with("250 2.0.0")),
        "{outcome:?}"
    );
}

#[track_caller]
fn assert_deferred(outcome: &Outcome, wanted: (Option<u16>, Scope, bool), reason: &str) {
    let Outcome::Deferred { code, why, scope, ambiguous } = outcome else {
        panic!("not deferred: {outcome:?}")
    };
    assert_eq!((*code, *scope, *ambiguous), wanted, "{why}");
    assert!(why.contains(reason), "{why}");
}

#[tokio::test]
async fn a_notice_arrives_in_the_maildir_as_it_was_written() {
    let postfix = Postfix::start();
    let transport = Transport::Smtp(plain(postfix.smtp));
    assert_delivered(
        &transport.deliver(&envelope("carol@corp.example"), &notice("carol@corp.example")).await,
    );
    let mail = &postfix.wait_for_mail("carol", 1)[0];
    let (_, sent) = mail.split_once("From: chancery@corp.example\n").expect("our headers");
    let written = String::from_utf8(notice("carol@corp.example")).expect("ASCII").replace("\r\n", "\n");
    let (_, written) = written.split_once("From: chancery@corp.example\n").expect("our headers");
    assert_eq!(sent, written);
    assert!(mail.contains("Return-Path: <chancery@corp.example>"), "{mail}");
    transport.close().await;
}

#[tokio::test]
async fn an_unknown_recipient_bounces_and_the_connection_serves_the_next_mail() {
    let postfix = Postfix::start_for(&["erin"]);
    let smtp = plain(postfix.smtp);
    let outcome = send(&smtp, "nobody@corp.example").await;
    assert!(
        matches!(&outcome, Outcome::Bounced { code: Some(550), why } if why.contains("User unknown")),
        "{outcome:?}"
    );
    assert_delivered(&send(&smtp, "erin@corp.example").await);
    let outcome = send(&smtp, "someone@elsewhere.example").await;
    assert!(matches!(&outcome, Outcome::Bounced { code: Some(500..=599), .. }), "{outcome:?}");
    assert_eq!(postfix.log().matches(" connect from").count(), 2, "one by the start, one by us");
}

#[tokio::test]
async fn a_temporary_no_defers_this_envelope_and_it_goes_through_later() {
    let postfix = Postfix::start();
    let smtp = plain(postfix.smtp);
    postfix.reject("bob@corp.example", 450);
    assert_deferred(
        &send(&smtp, "bob@corp.example").await,
        (Some(450), Scope::Envelope, false),
        "refused by the test",
    );
    postfix.reject("bob@corp.example", 421);
    assert_deferred(&send(&smtp, "bob@corp.example").await, (Some(421), Scope::Relay, false), "");
    postfix.accept("bob@corp.example");
    assert_delivered(&send(&smtp, "bob@corp.example").await);
    assert_eq!(postfix.wait_for_mail("bob", 1).len(), 1);
}

#[tokio::test]
async fn while_the_relay_is_down_mail_waits_and_a_stale_connection_is_replaced() {
    let mut postfix = Postfix::start();
    let smtp = plain(postfix.smtp);
    assert_delivered(&send(&smtp, "alice@corp.example").await);
    postfix.stop();
    assert_deferred(
        &send(&smtp, "alice@corp.example").await,
        (None, Scope::Relay, false),
        "connecting to the relay",
    );
    postfix.start_again();
    assert_delivered(&send(&smtp, "alice@corp.example").await);
    postfix.stop();
    postfix.start_again();
    assert_delivered(&send(&smtp, "alice@corp.example").await);
    postfix.wait_for_mail("alice", 3);
}

#[tokio::test]
async fn a_later_failure_comes_back_with_the_envelope_id() {
    let postfix = Postfix::start();
    postfix.bounce_later("dave@corp.example");
    assert_delivered(&send(&plain(postfix.smtp), "dave@corp.example").await);
    let report = &postfix.wait_for_mail("chancery", 1)[0];
    for line in [
        "Original-Envelope-Id: 01JD3K+1=x\n",
        "Original-Recipient: rfc822;dave@corp.example\n",
        "Action: failed\n",
        "Status: 5.3.0\n",
    ] {
        assert!(report.contains(line), "{line} in {report}");
    }
}

#[tokio::test]
async fn mail_goes_through_tls_to_a_relay_of_the_known_authority() {
    let postfix = Postfix::start_with_tls();
    assert_delivered(&send(&start_tls(postfix.smtp, &postfix), "alice@corp.example").await);
    let required = SmtpSettings {
        tls: TlsPolicy::Required,
        ca_pem: Some(postfix.ca_pem()),
        ..settings("smtp", postfix.smtp)
    };
    assert_delivered(&send(&Smtp::new(required).expect("valid"), "alice@corp.example").await);
    let implicit = SmtpSettings { ca_pem: Some(postfix.ca_pem()), ..settings("smtps", postfix.smtps) };
    assert_delivered(&send(&Smtp::new(implicit).expect("valid"), "alice@corp.example").await);
    for mail in postfix.wait_for_mail("alice", 3) {
        assert!(mail.contains("with ESMTPS"), "{mail}");
    }
}

#[tokio::test]
async fn a_relay_of_an_unknown_authority_gets_nothing_in_the_clear() {
    let (postfix, stranger) = (Postfix::start_with_tls(), Postfix::start_with_tls());
    let tap = Tap::on(postfix.smtp, Meddling::None);
    let outcome = send(&start_tls(tap.at, &stranger), "alice@corp.example").await;
    assert_deferred(&outcome, (None, Scope::Relay, false), "UnknownIssuer");
    assert!(tap.overheard().starts_with("EHLO chancery.corp.example\r\nSTARTTLS\r\n"), "{}", tap.overheard());
    assert!(!tap.overheard().contains("MAIL") && postfix.maildir("alice").is_empty());

    // The same way is good with the right authority, and still nothing can be read on it.
    assert_delivered(&send(&start_tls(tap.at, &postfix), "alice@corp.example").await);
    assert!(!tap.overheard().contains("MAIL") && !tap.overheard().contains("2 messages wait"));
}

#[tokio::test]
async fn a_relay_whose_starttls_was_taken_away_gets_no_mail() {
    let postfix = Postfix::start_with_tls();
    let tap = Tap::on(postfix.smtp, Meddling::HideStartTls);
    let outcome = send(&start_tls(tap.at, &postfix), "alice@corp.example").await;
    assert_deferred(&outcome, (None, Scope::Relay, false), "does not offer STARTTLS");
    assert_eq!(tap.overheard(), "EHLO chancery.corp.example\r\n");
}

#[tokio::test]
async fn words_slipped_in_before_tls_are_not_believed() {
    let postfix = Postfix::start_with_tls();
    let tap = Tap::on(postfix.smtp, Meddling::SlipInBeforeTls);
    let outcome = send(&start_tls(tap.at, &postfix), "alice@corp.example").await;
    assert_deferred(&outcome, (None, Scope::Relay, false), "spoke out of turn");
}

#[tokio::test]
async fn a_relay_that_asks_for_a_password_gets_it_and_a_wrong_one_bounces_no_mail() {
    let dovecot = Dovecot::knowing("hunter2");
    let postfix = Postfix::start_with(&format!(
        "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = inet:{}\n",
        dovecot.at
    ));
    let signing_in = |password: &str| {
        let credentials = Some(Credentials::new("chancery", Zeroizing::new(password.to_owned())));
        Smtp::new(SmtpSettings { credentials, ..settings("smtp", postfix.smtp) }).expect("valid settings")
    };
    assert_delivered(&send(&signing_in("hunter2"), "alice@corp.example").await);
    assert!(postfix.log().contains("sasl_username=chancery"), "{}", postfix.log());
    let outcome = send(&signing_in("guessed"), "alice@corp.example").await;
    assert_deferred(&outcome, (Some(535), Scope::Relay, false), "authentication failed");
}

#[tokio::test]
async fn silence_after_the_final_dot_is_told_apart_from_a_mail_that_never_left() {
    let postfix = Postfix::start();
    let outcome =
        send(&plain(Tap::on(postfix.smtp, Meddling::HangUpAfterDot).at), "alice@corp.example").await;
    assert_deferred(&outcome, (None, Scope::Relay, true), "waiting for the relay to take the mail");
    let outcome = send(&plain(Tap::on(postfix.smtp, Meddling::HangUpAtData).at), "alice@corp.example").await;
    assert_deferred(&outcome, (None, Scope::Relay, false), "announcing the mail");
}

#[tokio::test]
async fn a_silent_relay_is_not_waited_for_longer_than_agreed() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = silent.local_addr().expect("an address");
    let impatient = SmtpSettings { timeout: Duration::from_millis(200), ..settings("smtp", at) };
    let outcome = send(&Smtp::new(impatient).expect("valid"), "alice@corp.example").await;
    assert_deferred(&outcome, (None, Scope::Relay, false), "no answer in time");
}

#[tokio::test]
async fn a_body_cannot_end_its_mail_and_begin_another() {
    let postfix = Postfix::start();
    let smtp = plain(postfix.smtp);
    for end in ["\r\n.\r\n", "\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n"] {
        let evil = format!(
            "Subject: one\r\n\r\nfirst{end}MAIL FROM:<x@corp.example>{end}RCPT TO:<bob@corp.example>{end}"
        );
        assert_delivered(&smtp.deliver(&envelope("alice@corp.example"), evil.as_bytes()).await);
    }
    assert!(postfix.wait_for_mail("alice", 5).iter().all(|mail| mail.contains("RCPT TO:<bob@corp.example>")));
    assert!(postfix.maildir("bob").is_empty());
}

#[tokio::test]
async fn fifty_mails_go_through_one_connection() {
    let postfix = Postfix::start();
    let smtp = plain(postfix.smtp);
    let start = Instant::now();
    for _ in 0..50 {
        assert_delivered(&send(&smtp, "bob@corp.example").await);
    }
    println!("50 mails on one connection: {} ms", start.elapsed().as_millis());
    assert_eq!(postfix.wait_for_mail("bob", 50).len(), 50);
    assert_eq!(postfix.log().matches(" connect from").count(), 2, "one by the start, one by us");
}

#[tokio::test]
async fn many_mails_at_once_use_no_more_connections_than_allowed() {
    let postfix = Postfix::start();
    let smtp = Smtp::new(SmtpSettings { connections: 3, ..settings("smtp", postfix.smtp) }).expect("valid");
    let start = Instant::now();
    let trips: Vec<_> = (0..60)
        .map(|_| {
            let smtp = smtp.clone();
            tokio::spawn(async move { send(&smtp, "carol@corp.example").await })
        })
        .collect();
    for trip in trips {
        assert_delivered(&trip.await.expect("no panic"));
    }
    println!("60 mails on three connections: {} ms", start.elapsed().as_millis());
    assert_eq!(postfix.wait_for_mail("carol", 60).len(), 60);
    assert!(postfix.log().matches(" connect from").count() <= 4, "{}", postfix.log());
}
