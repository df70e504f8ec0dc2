//! What a notice looks like, and what nobody can make it look like.

use proptest::prelude::*;
use time::macros::datetime;

use super::*;

fn notice() -> Notice {
    let mailbox = |text| Mailbox::parse(text).expect("valid");
    let id = MessageId::parse("01JD3K@corp.example").expect("valid");
    Notice::new(
        mailbox("chancery@corp.example"),
        mailbox("carol@corp.example"),
        id,
        datetime!(2026-11-21 09:30 +2),
    )
}

fn built(notice: Notice) -> String {
    String::from_utf8(notice.build()).expect("a notice to ASCII addresses is ASCII")
}

/// Header names in their order, unfolded.
fn header_names(mail: &str) -> Vec<&str> {
    let head = mail.split("\r\n\r\n").next().expect("a head");
    let starts = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
    starts.map(|line| line.split(':').next().expect("a name")).collect()
}

#[test]
fn a_notice_says_who_when_what_and_that_no_person_wrote_it() {
    let mail = built(
        notice().from_name("Chancery").to_name("Carol").subject("3 messages wait").text("alice: hi\nbob: ho"),
    );
    assert_eq!(
        mail,
        "From: Chancery <chancery@corp.example>\r\n\
         To: Carol <carol@corp.example>\r\n\
         Subject: 3 messages wait\r\n\
         Date: Sat, 21 Nov 2026 07:30:00 +0000\r\n\
         Message-ID: <01JD3K@corp.example>\r\n\
         Auto-Submitted: auto-generated\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 7bit\r\n\
         \r\n\
         alice: hi\r\nbob: ho\r\n"
    );
}

#[test]
fn a_conversation_is_told_by_its_headers() {
    let id = |text| MessageId::parse(text).expect("valid");
    let list = ListId::parse("room.lobby.corp.example").expect("valid");
    let mail = built(
        notice()
            .list_id(list)
            .references(vec![id("<1@corp.example>"), id("2@corp.example")])
            .in_reply_to(id("2@corp.example"))
            .reply_to(Mailbox::parse("r+token@corp.example").expect("valid"))
            .auto_submitted(AutoSubmitted::Replied),
    );
    for line in [
        "List-Id: <room.lobby.corp.example>\r\n",
        "References: <1@corp.example> <2@corp.example>\r\n",
        "In-Reply-To: <2@corp.example>\r\n",
        "Reply-To: r+token@corp.example\r\n",
        "Auto-Submitted: auto-replied\r\n",
    ] {
        assert!(mail.contains(line), "{line} in {mail}");
    }
}

#[test]
fn names_in_other_scripts_travel_as_ascii() {
    let mail =
        built(notice().from_name("Jörg Müller").to_name("Олена").subject("Привіт 👋").text("Добрий день"));
    assert!(mail.contains("From: =?utf-8?b?SsO2cmcgTcO8bGxlcg==?= <chancery@corp.example>"), "{mail}");
    assert!(mail.is_ascii() && mail.lines().all(|line| line.len() <= 78), "{mail}");
}

#[test]
fn a_name_cannot_add_a_header_or_a_recipient() {
    let evil = "Bob\r\nBcc: everybody@corp.example\r\n\r\nbody";
    let mail = built(notice().from_name(evil).to_name("\"><evil@corp.example>, \"").subject(evil).text("x"));
    assert_eq!(header_names(&mail), header_names(&built(notice().text("x"))), "{mail}");
    assert!(!mail.contains("\r\nBcc") && !mail.contains("<evil@corp.example>"), "{mail}");
}

#[test]
fn a_subject_cannot_pretend_to_be_encoded_and_a_name_cannot_turn_the_text_around() {
    let mail = built(notice().subject("=?utf-8?b?SGFja2Vk?=").from_name("\u{202e}ecila"));
    assert!(mail.contains("Subject: = ?utf-8?b?SGFja2Vk?=\r\n"), "{mail}");
    assert!(mail.contains("From: ecila <chancery@corp.example>\r\n"), "{mail}");
}

#[test]
fn a_wrong_clock_makes_a_wrong_date_and_no_panic() {
    for (date, written) in
        [(datetime!(1901-01-01 0:00 UTC), "1970"), (datetime!(9999-12-31 23:59 -12), "9999")]
    {
        let mut mail = notice();
        mail.date = date;
        assert!(built(mail).contains(written), "{date}");
    }
}

#[test]
fn identifiers_with_anything_but_an_identifier_are_refused() {
    for text in ["", "a", "@", "a@", "<a@b", "a@b>", "a@b c", "a@b\r\nBcc: c@d", "ä@b", "a..b@c", "<<a@b>>"]
    {
        assert!(MessageId::parse(text).is_err(), "{text:?}");
    }
    for text in ["", "a", "a..b", "a.b\r\nX: y", "a b.c", "<a.b"] {
        assert!(ListId::parse(text).is_err(), "{text:?}");
    }
}

proptest! {
    #[test]
    fn whatever_people_write_the_headers_stay_the_same(name in "\\PC{0,40}|[a-z \r\n\t:<>@\",.\\\\=?]{0,40}", subject in "(\\PC|[\r\n\0\t =?]){0,300}", text in "(\\PC|[\r\n\0\t .]){0,300}") {
        let mail = built(notice().from_name(&name).to_name(&name).subject(&subject).text(&text));
        prop_assert!(mail.is_ascii());
        prop_assert!(mail.lines().all(|line| line.len() <= 998), "RFC 5322 §2.1.1");
        prop_assert!(!mail.replace("\r\n", "").contains(['\r', '\n', '\0']));
        prop_assert_eq!(header_names(&mail), [
            "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
            "Content-Transfer-Encoding",
        ]);
    }
}
