//! Notice: the mail that tells of waiting messages.
//!
//! Names, subject and text may come from anybody; whatever they hold, they end up inside their own header or in the
//! body, and nowhere else. The same values always make the same bytes, so a resend is recognised as the same mail.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{
    ContentType, Date, From, Header, HeaderName, HeaderValue, InReplyTo, MIME_VERSION_1_0,
};
use lettre::message::header::{MessageId as MessageIdHeader, References, ReplyTo, Subject, To};
use lettre::message::{Mailbox as Named, Mailboxes, SinglePart};
use time::OffsetDateTime;

use crate::error::{MailError, shortened};
use crate::mailbox::Mailbox;

/// One mail in the making, in plain text.
#[derive(Clone, Debug)]
pub struct Notice {
    from: Named,
    to: Named,
    reply_to: Option<Mailbox>,
    message_id: MessageId,
    date: OffsetDateTime,
    subject: String,
    text: String,
    list_id: Option<ListId>,
    references: Vec<MessageId>,
    in_reply_to: Option<MessageId>,
    auto_submitted: AutoSubmitted,
}

/// The name of one mail for ever (RFC 5322 §3.6.4), such as `<01JD3K@corp.example>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MessageId(String);

/// The name of a conversation by which mail programs sort (RFC 2919), such as `<room.lobby.corp.example>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListId(String);

/// Why no person sent this mail (RFC 3834 §5), so that no machine answers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AutoSubmitted {
    /// Something happened.
    #[default]
    Generated,
    /// Somebody wrote, and this is the automatic answer.
    Replied,
}

impl Notice {
    /// A notice without a subject and text yet.
    pub fn new(from: Mailbox, to: Mailbox, message_id: MessageId, date: OffsetDateTime) -> Self {
        Self {
            from: Named::new(None, from.address()),
            to: Named::new(None, to.address()),
            reply_to: None,
            message_id,
            date,
            subject: String::new(),
            text: String::new(),
            list_id: None,
            references: Vec::new(),
            in_reply_to: None,
            auto_submitted: AutoSubmitted::Generated,
        }
    }

    /// The sender's name, in any script.
    pub fn from_name(mut self, name: &str) -> Self {
        self.from.name = display_name(name);
        self
    }

    /// The recipient's name, in any script.
    pub fn to_name(mut self, name: &str) -> Self {
        self.to.name = display_name(name);
        self
    }

    /// Where an answer goes, if not to the sender.
    pub fn reply_to(mut self, mailbox: Mailbox) -> Self {
        self.reply_to = Some(mailbox);
        self
    }

    /// The subject, in any script; cut after 200 letters.
    pub fn subject(mut self, subject: &str) -> Self {
        // An ASCII subject may look like an encoded word (RFC 2047 §2), and would be shown as what it encodes.
        self.subject = one_line(subject).replace("=?", "= ?");
        self
    }

    /// The text, in any script, lines ended in any way.
    pub fn text(mut self, text: &str) -> Self {
        let unix = text.replace("\r\n", "\n").replace('\r', "\n");
        self.text =
            unix.chars().filter(|letter| !letter.is_control() || matches!(letter, '\n' | '\t')).collect();
        self
    }

    /// The conversation that this belongs to.
    pub fn list_id(mut self, list_id: ListId) -> Self {
        self.list_id = Some(list_id);
        self
    }

    /// The mails before this one in the conversation, oldest first.
    pub fn references(mut self, ids: Vec<MessageId>) -> Self {
        self.references = ids;
        self
    }

    /// The mail that this one follows directly.
    pub fn in_reply_to(mut self, id: MessageId) -> Self {
        self.in_reply_to = Some(id);
        self
    }

    /// Why no person sent this; [`AutoSubmitted::Generated`] unless said otherwise.
    pub fn auto_submitted(mut self, why: AutoSubmitted) -> Self {
        self.auto_submitted = why;
        self
    }

    /// The whole message (RFC 5322, MIME), lines ended with CRLF. ASCII, unless an address itself is not.
    pub fn build(self) -> Vec<u8> {
        let mut part = SinglePart::builder()
            .header(From::from(Mailboxes::from(self.from)))
            .header(To::from(Mailboxes::from(self.to)))
            .header(Subject::from(self.subject))
            .header(date_header(self.date))
            .header(MessageIdHeader::from(self.message_id.to_string()))
            .header(self.auto_submitted)
            .header(MIME_VERSION_1_0);
        if let Some(mailbox) = self.reply_to {
            part = part.header(ReplyTo::from(Mailboxes::from(Named::new(None, mailbox.address()))));
        }
        if let Some(list_id) = self.list_id {
            part = part.header(list_id);
        }
        if !self.references.is_empty() {
            let ids: Vec<String> = self.references.iter().map(MessageId::to_string).collect();
            part = part.header(References::from(ids.join(" ")));
        }
        if let Some(id) = self.in_reply_to {
            part = part.header(InReplyTo::from(id.to_string()));
        }
        part.header(ContentType::TEXT_PLAIN).body(self.text).formatted()
    }
}

/// Years outside 1970–9999 have no place in the header, and a wrong clock must not stop the mail.
fn date_header(date: OffsetDateTime) -> Date {
    const LAST: i64 = 253_402_300_799;
    Date::new(UNIX_EPOCH + Duration::from_secs(date.unix_timestamp().clamp(0, LAST).unsigned_abs()))
}

fn display_name(name: &str) -> Option<String> {
    Some(one_line(name)).filter(|name| !name.is_empty())
}

/// Printable, on one line, and not long: what may stand in a header that people read.
fn one_line(text: &str) -> String {
    const LONGEST: usize = 200;
    let printable =
        text.chars().map(|letter| if letter.is_control() || is_format(letter) { ' ' } else { letter });
    let spaced: String = printable.collect();
    let words: Vec<&str> = spaced.split_whitespace().collect();
    words.join(" ").chars().take(LONGEST).collect()
}

/// Letters that change the direction or the lines of the text around them, by which a name could pose as another.
fn is_format(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

impl MessageId {
    /// Parses `local@domain`, with or without angle brackets.
    ///
    /// # Errors
    /// [`MailError::Identifier`] names the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, MailError> {
        let refuse = |why| MailError::Identifier { kind: "a message id", text: shortened(text), why };
        let bare = text.strip_prefix('<').and_then(|inner| inner.strip_suffix('>')).unwrap_or(text);
        let (left, right) = bare.split_once('@').ok_or_else(|| refuse("there is no @"))?;
        if !is_dot_atom(left) || !is_dot_atom(right) {
            return Err(refuse("it has a character or a dot where none may stand"));
        }
        if bare.len() > MAX_IDENTIFIER {
            return Err(refuse("it is too long"));
        }
        Ok(Self(bare.to_owned()))
    }
}

impl FromStr for MessageId {
    type Err = MailError;

    fn from_str(text: &str) -> Result<Self, MailError> {
        Self::parse(text)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0)
    }
}

impl ListId {
    /// Parses `label.domain`, with or without angle brackets.
    ///
    /// # Errors
    /// [`MailError::Identifier`] names the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, MailError> {
        let refuse = |why| MailError::Identifier { kind: "a list id", text: shortened(text), why };
        let bare = text.strip_prefix('<').and_then(|inner| inner.strip_suffix('>')).unwrap_or(text);
        if !is_dot_atom(bare) || !bare.contains('.') {
            return Err(refuse("it is not names joined by dots"));
        }
        if bare.len() > MAX_IDENTIFIER {
            return Err(refuse("it is too long"));
        }
        Ok(Self(bare.to_owned()))
    }
}

impl fmt::Display for ListId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0)
    }
}

/// RFC 5322 §3.2.3.
fn is_dot_atom(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    text.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(fits))
}

impl Header for ListId {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Id")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self::parse(text)?)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.to_string())
    }
}

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        match text {
            "auto-generated" => Ok(Self::Generated),
            "auto-replied" => Ok(Self::Replied),
            other => Err(format!("{other:?} is not a kind of automatic mail").into()),
        }
    }

    fn display(&self) -> HeaderValue {
        let word = match self {
            Self::Generated => "auto-generated",
            Self::Replied => "auto-replied",
        };
        HeaderValue::new(Self::name(), word.to_owned())
    }
}

/// RFC 2919 §3 for list ids; a message id longer than this would not fit on one line with its header.
const MAX_IDENTIFIER: usize = 250;

#[cfg(test)]
mod tests;
