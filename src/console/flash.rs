//! The flash: one sentence about the deed that led to a page.
//!
//! It travels in a cookie from the answer that sends the browser on to the page that it then asks for. The cookie
//! holds a code and a subject, never a sentence, so that nobody can put words into the console's mouth.

use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use chancery_admin_ui::Flash;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::cookie;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    SignedIn,
    AccountAdded,
    PasswordSet,
    AccountDisabled,
    AccountEnabled,
    AccountRemoved,
    Revoked,
    Approved,
    Denied,
    KeyRemoved,
    Kicked,
    NotConnected,
    RoomMade,
    RoomDeleted,
    MemberAdded,
    MemberRemoved,
    EnvelopeHurried,
    EnvelopeCancelled,
    PeerAdded,
    PeerRemoved,
}

/// Sends the browser on to `path`, whose page will say what was done to `subject`.
pub(super) fn done(path: &str, done: Done, subject: &str) -> Response {
    let mut response = Redirect::to(path).into_response();
    let subject: String = subject.chars().take(LONGEST).collect();
    let value = format!("{}.{}", done.code(), utf8_percent_encode(&subject, NON_ALPHANUMERIC));
    cookie::set(&mut response, cookie::FLASH, &value);
    response
}

/// The sentence that waits to be shown.
pub(super) fn waiting(headers: &HeaderMap) -> Option<Flash> {
    let (code, subject) = cookie::read(headers, cookie::FLASH)?.split_once('.')?;
    let (done, _, sentence) = WORDS.iter().find(|(_, word, _)| *word == code)?;
    let subject = percent_decode_str(subject).decode_utf8().ok()?;
    let sentence = sentence.replace("{}", &subject);
    Some(if *done == Done::NotConnected { Flash::refused(sentence) } else { Flash::done(sentence) })
}

impl Done {
    fn code(self) -> &'static str {
        WORDS.iter().find(|(done, ..)| *done == self).map_or("", |(_, word, _)| word)
    }
}

/// Characters of a subject that are kept; each may take twelve bytes in the cookie.
const LONGEST: usize = 80;

const WORDS: [(Done, &str, &str); 20] = [
    (Done::SignedIn, "signed-in", "Welcome, {}."),
    (Done::AccountAdded, "account-added", "The account {} was added."),
    (Done::PasswordSet, "password-set", "{} has a new password."),
    (Done::AccountDisabled, "account-disabled", "{} is disabled; its live sessions were cut."),
    (Done::AccountEnabled, "account-enabled", "{} is enabled."),
    (Done::AccountRemoved, "account-removed", "The account {} was removed."),
    (Done::Revoked, "revoked", "The certificate was revoked; live sessions cut: {}."),
    (Done::Approved, "approved", "The request {} was approved, and this is its certificate."),
    (Done::Denied, "denied", "The request {} was denied."),
    (Done::KeyRemoved, "key-removed", "The key was removed; live sessions cut: {}."),
    (Done::Kicked, "kicked", "The client {} was disconnected."),
    (Done::NotConnected, "not-connected", "The client {} was not connected any more."),
    (Done::RoomMade, "room-made", "The room {} was made."),
    (Done::RoomDeleted, "room-deleted", "The room {} was deleted."),
    (Done::MemberAdded, "member-added", "{} is now a member."),
    (Done::MemberRemoved, "member-removed", "{} is no longer a member."),
    (Done::EnvelopeHurried, "envelope-hurried", "The envelope {} is tried again at once."),
    (Done::EnvelopeCancelled, "envelope-cancelled", "The envelope {} was cancelled."),
    (Done::PeerAdded, "peer-added", "{} is now a peer. Check what DNS says of it."),
    (Done::PeerRemoved, "peer-removed", "{} is no longer a peer."),
];

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use axum::http::header::{COOKIE, SET_COOKIE};

    use super::*;

    fn shown(value: &str) -> Option<Flash> {
        let line = format!("{}={value}", cookie::FLASH);
        waiting(&HeaderMap::from_iter([(COOKIE, HeaderValue::try_from(line).unwrap())]))
    }

    #[test]
    fn what_was_done_is_told_on_the_next_page_whatever_the_subject_is_called() {
        for subject in ["bob", "<b>; Path=/é", &"语".repeat(200)] {
            let response = done("/accounts", Done::AccountAdded, subject);
            let line = response.headers()[SET_COOKIE].to_str().unwrap();
            let value = line.split_once('=').unwrap().1.split_once(';').unwrap().0;
            let kept: String = subject.chars().take(80).collect();
            assert_eq!(shown(value).unwrap().text, format!("The account {kept} was added."));
        }
    }

    #[test]
    fn every_deed_has_a_word_of_its_own() {
        for (done, word, _) in WORDS {
            assert_eq!(done.code(), word);
        }
    }

    #[test]
    fn a_cookie_that_is_not_ours_says_nothing() {
        for value in ["", "x", "unknown.bob", "account-added", "account-added.%FF"] {
            assert_eq!(shown(value), None, "{value}");
        }
    }
}
