//! Dialogue: one mail through an open connection, as MAIL, RCPT, DATA and the mail itself.
//!
//! Step by step rather than in one call, because what a failure means depends on the step.

use std::borrow::Cow;
use std::iter;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{MailBodyParameter, MailParameter, RcptParameter};
use lettre::transport::smtp::response::{Response, Severity};
use tokio::time::timeout;

use super::SmtpSettings;
use super::connect::patient;
use super::trouble::{Stage, Trouble};
use crate::envelope::Envelope;

/// A connection on which the relay waits for mail.
pub(super) struct Conversation {
    smtp: AsyncSmtpConnection,
    offers: Offers,
}

/// Which extensions the relay offers, of those that matter here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Offers {
    pub(super) start_tls: bool,
    dsn: bool,
    eight_bit: bool,
    utf8: bool,
}

impl Offers {
    /// Reads the lines of an answer to EHLO; keywords are in any case (RFC 5321 §2.4).
    pub(super) fn read<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let mut offers = Self::default();
        // The first line is the relay's name.
        for word in lines.skip(1).filter_map(|line| line.split_whitespace().next()) {
            match word.to_ascii_uppercase().as_str() {
                "STARTTLS" => offers.start_tls = true,
                "DSN" => offers.dsn = true,
                "8BITMIME" => offers.eight_bit = true,
                "SMTPUTF8" => offers.utf8 = true,
                _ => {}
            }
        }
        offers
    }
}

impl Conversation {
    pub(super) fn new(smtp: AsyncSmtpConnection, offers: Offers) -> Self {
        Self { smtp, offers }
    }

    /// Forgets the mail before, and learns in passing whether the relay is still there.
    pub(super) async fn start_afresh(&mut self, limit: Duration) -> bool {
        patient(limit, Stage::Hello, self.smtp.command(Rset)).await.is_ok()
    }

    /// Hands over one mail, and returns what the relay said to it.
    pub(super) async fn carry(
        &mut self,
        envelope: &Envelope,
        message: &[u8],
        settings: &SmtpSettings,
    ) -> Result<String, Trouble> {
        let content = canonical(message);
        let limit = settings.timeout;
        let mail =
            Mail::new(Some(envelope.from().address()), mail_parameters(self.offers, envelope, &content)?);
        patient(limit, Stage::From, self.smtp.command(mail)).await?;
        let rcpt = Rcpt::new(envelope.to().address(), rcpt_parameters(self.offers, envelope));
        patient(limit, Stage::To, self.smtp.command(rcpt)).await?;
        let go = patient(limit, Stage::Data, self.smtp.command(Data)).await?;
        if !go.has_code(354) {
            return Err(unexpected(Stage::Data, &go));
        }
        self.hand_over(&content, settings.final_timeout).await
    }

    pub(super) async fn quit(mut self, limit: Duration) {
        // The relay may be gone already; there is nothing left to lose.
        let _ = timeout(limit, self.smtp.quit()).await;
    }

    async fn hand_over(&mut self, content: &[u8], limit: Duration) -> Result<String, Trouble> {
        let all_written = AtomicBool::new(false);
        // lettre asks for the next part when the one before is written, and sends the final dot when there is none.
        let end = iter::once_with(|| {
            all_written.store(true, Ordering::Relaxed);
            [].as_slice()
        });
        let parts = content.chunks(PART).chain(end);
        let answer = timeout(limit, self.smtp.message_iter(parts)).await;
        let stage = if all_written.load(Ordering::Relaxed) { Stage::Dot } else { Stage::Body };
        match answer {
            Ok(Ok(reply)) if reply.code().severity == Severity::PositiveCompletion => Ok(spoken(&reply)),
            Ok(Ok(reply)) => Err(unexpected(stage, &reply)),
            Ok(Err(error)) => Err(Trouble::smtp(stage, &error)),
            Err(_) => Err(Trouble::local(stage, "no answer in time")),
        }
    }
}

/// RFC 3461 §4.3–4.4, RFC 6152 §3, RFC 6531 §3.4. lettre writes the values as xtext; doing so here too would spoil them.
fn mail_parameters(
    offers: Offers,
    envelope: &Envelope,
    content: &[u8],
) -> Result<Vec<MailParameter>, Trouble> {
    let mut parameters = Vec::new();
    if envelope.from().needs_utf8() || envelope.to().needs_utf8() {
        if !offers.utf8 {
            return Err(Trouble::hopeless("the relay does not take addresses in other scripts (SMTPUTF8)"));
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !content.is_ascii() {
        if !offers.eight_bit {
            return Err(Trouble::hopeless("the relay does not take mail with 8-bit characters (8BITMIME)"));
        }
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    if offers.dsn {
        let other = |keyword: &str, value: &str| MailParameter::Other {
            keyword: keyword.to_owned(),
            value: Some(value.to_owned()),
        };
        parameters.extend([other("RET", "HDRS"), other("ENVID", envelope.envid())]);
    }
    Ok(parameters)
}

/// RFC 3461 §4.1–4.2. The original recipient is left out for an address in another script, which has its own notation.
fn rcpt_parameters(offers: Offers, envelope: &Envelope) -> Vec<RcptParameter> {
    let other = |keyword: &str, value: String| RcptParameter::Other {
        keyword: keyword.to_owned(),
        value: Some(value),
    };
    let mut parameters = Vec::new();
    if offers.dsn {
        parameters.push(other("NOTIFY", "FAILURE,DELAY".to_owned()));
        if !envelope.to().needs_utf8() {
            parameters.push(other("ORCPT", format!("rfc822;{}", envelope.to())));
        }
    }
    parameters
}

/// The message with CRLF at the end of every line but the last. A bare CR or LF must not be sent (RFC 5321 §2.3.8):
/// servers that take one for a line end could be made to see a second mail inside this one.
fn canonical(message: &[u8]) -> Cow<'_, [u8]> {
    let last = message.strip_suffix(b"\r\n").unwrap_or(message);
    let breaks = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let pairs = last.windows(2).filter(|pair| *pair == b"\r\n").count();
    if last.iter().filter(|byte| breaks(byte)).count() == 2 * pairs {
        return Cow::Borrowed(last);
    }
    let mut clean = Vec::with_capacity(last.len() + 64);
    let mut before = 0;
    for byte in last {
        match byte {
            b'\n' if before == b'\r' => {}
            b'\r' | b'\n' => clean.extend_from_slice(b"\r\n"),
            other => clean.push(*other),
        }
        before = *byte;
    }
    Cow::Owned(clean)
}

fn unexpected(stage: Stage, reply: &Response) -> Trouble {
    let text: Vec<&str> = reply.message().collect();
    Trouble::reply(stage, u16::from(reply.code()), &text.join(" "))
}

fn spoken(reply: &Response) -> String {
    let text: Vec<&str> = reply.message().collect();
    format!("{} {}", reply.code(), text.join(" "))
}

/// How much of a mail is written at once.
const PART: usize = 32 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn offers_are_read_in_any_case_and_the_name_is_not_an_offer() {
        let offers = Offers::read(["DSN", "8bitmime", "Starttls", "", "SIZE 10240000"].into_iter());
        assert_eq!(offers, Offers { start_tls: true, eight_bit: true, ..Offers::default() });
    }

    #[test]
    fn line_ends_become_what_smtp_wants() {
        for (given, sent) in
            [("", ""), ("a\r\n", "a"), ("a\nb\rc\r\n", "a\r\nb\r\nc"), ("\n.\r.\n", "\r\n.\r\n.\r\n")]
        {
            assert_eq!(canonical(given.as_bytes()), sent.as_bytes(), "{given:?}");
        }
        assert!(matches!(canonical(b"a\r\nb\r\n"), Cow::Borrowed(b"a\r\nb")));
    }

    proptest! {
        #[test]
        fn no_mail_holds_a_bare_cr_or_lf(text in "[a.\r\n]{0,40}") {
            let sent = String::from_utf8(canonical(text.as_bytes()).into_owned()).expect("ASCII");
            prop_assert!(!sent.replace("\r\n", "").contains(['\r', '\n']));
        }
    }
}
