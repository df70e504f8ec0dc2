//! Pages as answers: the good ones, and the one that says no or that something broke.

use std::ops::Range;
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{HeaderName, HeaderValue};
use axum::response::{Html, IntoResponse, Response};
use chancery_admin_ui::message::{Message, Step};
use chancery_admin_ui::{Chrome, Page, Paging, Tone};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::api::Refused;
use crate::audit::to_hex;
use crate::id::random;
use crate::time::Timestamp;

/// What screens give.
pub(super) type Answer = Result<Response, Trouble>;

/// Why there is no page but a message. The guard makes the page of it, because it knows for whom.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    status: StatusCode,
    title: &'static str,
    what: String,
    /// Under which word the log tells more.
    place: String,
    next: Vec<Step>,
}

/// A page.
pub(super) fn show(page: &impl Page) -> Answer {
    show_as(StatusCode::OK, page)
}

/// A page that is not good news, such as a form that comes back.
pub(super) fn show_as(status: StatusCode, page: &impl Page) -> Answer {
    let html =
        page.render().map_err(|error| Refused::Failed(format!("a page could not be written: {error}")))?;
    Ok((status, Html(html)).into_response())
}

/// The page of a trouble, with the way back from it.
pub(super) fn told(trouble: Trouble, chrome: Chrome, back: Step) -> Response {
    let tone = if trouble.status.is_server_error() { Tone::Bad } else { Tone::Warn };
    let mut next = trouble.next;
    next.push(back);
    let page = Message {
        chrome,
        tone,
        status: trouble.status.as_u16(),
        title: trouble.title.into(),
        what: trouble.what,
        place: trouble.place,
        next,
    };
    match page.render() {
        Ok(html) => (trouble.status, Html(html)).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "The page could not be written.\n").into_response(),
    }
}

/// Any path that no screen has.
pub(super) async fn nothing_here() -> Trouble {
    Trouble::bare(StatusCode::NOT_FOUND)
}

/// A path of ours asked in a way that it does not answer.
pub(super) async fn not_that_way() -> Trouble {
    Trouble::bare(StatusCode::METHOD_NOT_ALLOWED)
}

impl Trouble {
    pub(super) fn new(status: StatusCode, title: &'static str, what: impl Into<String>) -> Self {
        Self { status, title, what: what.into(), place: String::new(), next: Vec::new() }
    }

    /// A request that no page of this site sent.
    pub(super) fn foreign(what: &'static str) -> Self {
        let again = step("Go back, load the page again and send the form once more", "");
        Self::new(StatusCode::FORBIDDEN, "This form is not ours", what).and(again)
    }

    /// All that is known is a status.
    pub(super) fn bare(status: StatusCode) -> Self {
        let (title, what) = match status {
            StatusCode::NOT_FOUND => ("Nothing is here", "There is no page at this address."),
            StatusCode::METHOD_NOT_ALLOWED => (
                "Not in this way",
                "This address is for another kind of request: use the buttons of the console.",
            ),
            StatusCode::PAYLOAD_TOO_LARGE => ("That is too much", "A form of this site holds 64 kB at most."),
            StatusCode::REQUEST_TIMEOUT => ("That took too long", "The form did not arrive in time."),
            _ if status.is_server_error() => ("Something broke", "The request could not be answered."),
            _ => (
                "The request makes no sense",
                "Something in the address or the form is missing or malformed.",
            ),
        };
        Self::new(status, title, what)
    }

    /// With something to do about it.
    pub(super) fn and(mut self, step: Step) -> Self {
        self.next.push(step);
        self
    }

    /// The sentence, for a form that comes back; a failure stays a page of its own.
    pub(super) fn into_sentence(self) -> Result<(StatusCode, String), Trouble> {
        if self.status.is_server_error() { Err(self) } else { Ok((self.status, self.what)) }
    }

    /// What broke goes to the log under a word; the page tells the word and nothing else.
    fn failed(why: &str) -> Self {
        let place = to_hex(&random::<4>());
        tracing::error!(error = why, console.trouble = place, "a page could not be given");
        let what =
            "The house could not do this. Nothing is known to have changed; look before you try again.";
        let trouble = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Something broke", what);
        let see = step("Search the journal for the word above: journalctl -u chancery", "");
        Self { place: format!("trouble {place} in the journal"), ..trouble.and(see) }
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl<E: Into<Refused>> From<E> for Trouble {
    fn from(refused: E) -> Self {
        match refused.into() {
            Refused::BadRequest(why) => {
                Self::new(StatusCode::BAD_REQUEST, "The request makes no sense", sentence(&why))
            }
            Refused::NotFound(why) => Self::new(StatusCode::NOT_FOUND, "Nothing is here", sentence(&why)),
            Refused::Forbidden(why) => Self::new(StatusCode::CONFLICT, "That was refused", sentence(&why)),
            Refused::Failed(why) => Self::failed(&why),
            Refused::Waiting(wait) => {
                let what = format!("The request {} waits for approval: see Certificates.", wait.id);
                Self::new(StatusCode::ACCEPTED, "That takes an approval", what)
            }
        }
    }
}

/// With a capital and a full stop.
pub(super) fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let stop = if words.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{first}{}{stop}", chars.as_str())
}

pub(super) fn step(label: &str, href: &str) -> Step {
    Step { label: label.into(), href: href.into() }
}

/// A path of this site whose parts are names.
pub(super) fn path(parts: &[&str]) -> String {
    parts.iter().map(|part| format!("/{}", utf8_percent_encode(part, NON_ALPHANUMERIC))).collect()
}

/// A command as a shell takes it.
pub(super) fn command_line(program: &str, words: &[&str]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-@:=".contains(c);
    let quoted = words.iter().map(|word| match !word.is_empty() && word.chars().all(plain) {
        true => format!(" {word}"),
        false => format!(" '{}'", word.replace('\'', "'\\''")),
    });
    format!("{program}{}", quoted.collect::<String>())
}

/// A moment that may not have come, as pages take it.
pub(super) fn moment(at: Option<Timestamp>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}

/// A moment among facts that pages show as they are: to the second, in UTC.
pub(super) fn readable(at: Timestamp) -> String {
    at.to_string().chars().take("2026-11-21T09:30:00".len()).collect::<String>().replace('T', " ")
}

/// How long until, or since, a moment.
pub(super) fn distance(to: Timestamp, now: Timestamp) -> String {
    if to > now { format!("in {}", span(to.since(now))) } else { format!("{} ago", span(now.since(to))) }
}

/// A length of time in its largest sensible unit.
pub(super) fn span(span: Duration) -> String {
    match span.as_secs() {
        1 => "1 second".into(),
        seconds @ 0..120 => format!("{seconds} seconds"),
        seconds @ 120..7_200 => format!("{} minutes", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} hours", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// Entries of one page of a list.
pub(super) const ENTRIES: usize = 50;

/// Which of `total` entries stand on a page, counted from 1; a page beyond the end is the last.
pub(super) fn window(wanted: Option<u32>, total: usize) -> (Range<usize>, Paging) {
    let pages = u32::try_from(total.div_ceil(ENTRIES)).unwrap_or(u32::MAX).max(1);
    let page = wanted.unwrap_or(1).clamp(1, pages);
    let first = (page as usize - 1) * ENTRIES;
    (first..total.min(first + ENTRIES), Paging { page, pages, total: total as u64 })
}

/// The header that says when to try again.
pub(super) fn retry_after(wait: Duration) -> [(HeaderName, HeaderValue); 1] {
    [(axum::http::header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_into_pages() {
        let page = |wanted, total| {
            let (range, paging) = window(wanted, total);
            (range, paging.page, paging.pages)
        };
        assert_eq!(page(None, 0), (0..0, 1, 1));
        assert_eq!(page(None, 50), (0..50, 1, 1));
        assert_eq!(page(Some(2), 51), (50..51, 2, 2));
        assert_eq!(page(Some(0), 51), (0..50, 1, 2));
        assert_eq!(page(Some(u32::MAX), 51), (50..51, 2, 2));
    }

    #[test]
    fn a_command_line_can_be_pasted() {
        assert_eq!(
            command_line("chancery", &["account", "show", "ada@corp.example"]),
            "chancery account show ada@corp.example"
        );
        assert_eq!(
            command_line("chancery", &["room", "show", "o'brien's; rm"]),
            r"chancery room show 'o'\''brien'\''s; rm'"
        );
    }

    #[test]
    fn a_name_stays_one_part_of_a_path() {
        assert_eq!(path(&["rooms", "a/b?c"]), "/rooms/a%2Fb%3Fc");
    }

    #[test]
    fn a_distance_is_told_in_words() {
        let now = Timestamp::from_micros(1_795_226_400_000_000);
        assert_eq!(distance(now.after(Duration::from_secs(90 * 86_400)), now), "in 90 days");
        assert_eq!(distance(now.before(Duration::from_secs(3 * 3_600)), now), "3 hours ago");
        assert_eq!(distance(now, now), "0 seconds ago");
        assert_eq!(readable(now.after(Duration::from_micros(7))), "2026-11-21 02:00:00");
    }

    #[test]
    fn a_failure_is_told_without_its_cause() {
        let trouble = Trouble::from(Refused::Failed("/var/lib/chancery/secret".into()));
        assert_eq!(trouble.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!format!("{} {}", trouble.what, trouble.place).contains("secret"));
    }

    #[test]
    fn a_refusal_is_a_sentence() {
        let trouble = Trouble::from(Refused::NotFound("there is no account bob".into()));
        assert_eq!(trouble.what, "There is no account bob.");
    }
}
