//! Pages before sign-in.

use chancery_admin_ui::{
    Tone,
    link::Link,
    message::{Message, Step},
    sign_in::SignIn,
    signed_out::SignedOut,
};

use super::{Say, html, outside};

pub(super) fn pages(say: Say<'_>) -> Vec<(&'static str, String)> {
    let refused = "The name or the password is wrong. Wait a few seconds before the next try.";
    let sign_in = SignIn { chrome: outside(say), ..SignIn::default() };
    let again = SignIn { chrome: outside(say), name: say("root"), problem: say(refused) };
    let link = Link {
        chrome: outside(say),
        token: say("kq3v9x").into(),
        name: say("root"),
        expires_at: say("2026-11-21T12:15:00Z"),
        problem: say("The two passwords differ."),
    };
    let next = vec![Step { label: say("Sign in"), href: "/sign-in".into() }];
    let used = Message {
        chrome: outside(say),
        tone: Tone::Warn,
        status: 410,
        title: say("This link is used up"),
        what: say(
            "It was used on 21 November at 11:58. Print a fresh one on the host with chancery admin link.",
        ),
        place: say("link kq3v…"),
        next,
    };
    vec![
        ("sign-in", html(sign_in)),
        ("sign-in-refused", html(again)),
        ("link", html(link)),
        ("link-used", html(used)),
        ("signed-out", html(SignedOut { chrome: outside(say), timed_out: false })),
        ("timed-out", html(SignedOut { chrome: outside(say), timed_out: true })),
    ]
}
