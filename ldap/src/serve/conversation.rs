//! One connection: bytes in, questions to the employer, bytes out.
//!
//! Requests are answered one after the other, in the order in which they came. An abandoned one is not answered, and
//! what breaks the protocol ends the connection with a notice that says so (RFC 4511 §4.4.1).

use std::collections::VecDeque;
use std::time::Duration;

use super::answer::{self, Code, Kind, Outcome};
use super::directory::Directory;
use super::input::Input;
use super::limits::Limits;
use super::message::{Authentication, Message, Operation};
use super::oid;
use super::question::{Identity, Question, Verdict};
use super::schema::{Attribute, Rule};
use super::search::Running;
use super::signing_in::{self, Pending};
use super::target::Target;
use super::test::{How, Item, Test};

/// The state of one connection. It knows no socket, no TLS and no clock.
#[derive(Debug)]
pub struct Conversation {
    limits: Limits,
    input: Input,
    waiting: VecDeque<Message>,
    running: Option<Running>,
    asked: Option<Pending>,
    who: Option<Identity>,
    out: Vec<u8>,
    ended: bool,
}

/// What to do next.
#[derive(Debug)]
pub enum Next {
    /// Write these bytes to the client, then ask again.
    Write(Vec<u8>),
    /// Find the answer and give it to [`Conversation::answer`], then ask again.
    Ask(Question),
    /// A search is at work and has found nothing to write for a while: let others run, then ask again.
    Again,
    /// Read from the client, give it to [`Conversation::receive`], then ask again.
    Read,
    /// Close the connection.
    End,
}

impl Conversation {
    /// A new connection, of nobody.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            input: Input::default(),
            waiting: VecDeque::new(),
            running: None,
            asked: None,
            who: None,
            out: Vec::new(),
            ended: false,
        }
    }

    /// Who has signed in.
    pub fn who(&self) -> Option<&Identity> {
        self.who.as_ref()
    }

    /// Whether more may be read from the client while there are things to write. Reading then lets an abandoned
    /// search end at once.
    pub fn wants_bytes(&self) -> bool {
        !self.ended && self.waiting.len() < self.limits.outstanding
    }

    /// Takes what came from the client, in pieces of any size.
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.ended {
            return;
        }
        self.input.push(bytes);
        self.read();
        if self.input.len() > 2 * self.limits.message {
            self.disconnect(Code::Busy, "too many requests at once");
        }
    }

    /// What to do next. Searches begin with this snapshot and end with the one they began with.
    pub fn next(&mut self, directory: &Directory) -> Next {
        loop {
            if !self.out.is_empty() {
                return Next::Write(std::mem::take(&mut self.out));
            }
            if self.ended {
                return Next::End;
            }
            if self.asked.is_some() {
                return Next::Read;
            }
            if let Some(running) = &mut self.running {
                if running.write(&mut self.out) {
                    self.running = None;
                } else if self.out.is_empty() {
                    return Next::Again;
                }
                continue;
            }
            self.read();
            if self.ended {
                continue;
            }
            let Some(message) = self.waiting.pop_front() else { return Next::Read };
            if let Some(question) = self.handle(message, directory) {
                return Next::Ask(question);
            }
        }
    }

    /// Answers the question that was asked last. Without one, nothing happens.
    pub fn answer(&mut self, verdict: Verdict) {
        let Some(pending) = self.asked.take() else { return };
        let (who, outcome) = pending.settle(verdict);
        self.who = who;
        outcome.write(&mut self.out, pending.id, Kind::Bind);
    }

    /// The time that the client gives the search at work, if there is one. It began when this was first told.
    pub fn time_limit(&self) -> Option<Duration> {
        let limit = self.running.as_ref()?.time_limit;
        (limit > 0).then(|| Duration::from_secs(limit.into()))
    }

    /// The time is up: the search at work ends with what has been found.
    pub fn out_of_time(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop(&mut self.out, Code::TimeLimitExceeded, "the time is up");
        }
    }

    /// Ends the connection with a notice: the server goes down, or whoever signed in may no longer.
    pub fn close(&mut self) {
        if !self.ended {
            self.disconnect(Code::Unavailable, "the connection is closed");
        }
    }

    /// Takes whole messages from what came, as many as may wait.
    fn read(&mut self) {
        while self.wants_bytes() {
            let message = match self.input.next(self.limits.message) {
                Ok(Some(bytes)) => Message::read(&bytes),
                Ok(None) => return,
                Err(text) => return self.disconnect(Code::ProtocolError, text),
            };
            match message {
                None => self.disconnect(Code::ProtocolError, "a request is malformed"),
                Some(Message { operation: Operation::Unbind, .. }) => self.end(),
                Some(Message { operation: Operation::Abandon(id), .. }) => self.abandon(id),
                Some(message) => self.waiting.push_back(message),
            }
        }
    }

    /// A sign-in cannot be abandoned (RFC 4511 §4.11).
    fn abandon(&mut self, id: u32) {
        self.waiting
            .retain(|message| message.id != id || matches!(message.operation, Operation::Bind { .. }));
        self.running = self.running.take().filter(|running| running.id != id);
    }

    fn disconnect(&mut self, code: Code, text: &'static str) {
        self.end();
        answer::write_notice(&mut self.out, code, text);
    }

    fn end(&mut self) {
        self.ended = true;
        self.waiting.clear();
        self.running = None;
        self.asked = None;
        self.who = None;
        self.input = Input::default();
    }

    /// Answers a request, or asks what is needed for the answer.
    fn handle(&mut self, message: Message, directory: &Directory) -> Option<Question> {
        let Message { id, operation, unknown_control, page } = message;
        if unknown_control {
            let text = "a critical control is not known here";
            self.say(id, operation.answered_by(), Outcome::new(Code::UnavailableCriticalExtension, text));
            return None;
        }
        match operation {
            Operation::Bind { version, name, how } => return self.bind(id, version, &name, how, directory),
            Operation::Search(search) => {
                match Running::begin(directory, id, &search, page, &self.limits, self.who.is_some()) {
                    Ok(running) => self.running = Some(running),
                    Err(outcome) => self.say(id, Kind::SearchDone, outcome),
                }
            }
            Operation::Compare { name, attribute, value } => {
                let outcome = compare(directory, &name, &attribute, &value, self.who.is_some());
                self.say(id, Kind::Compare, outcome.unwrap_or_else(|outcome| outcome));
            }
            Operation::Write(kind) => {
                self.say(id, kind, Outcome::new(Code::UnwillingToPerform, "this directory is read-only"));
            }
            Operation::Extended { name, has_value } => {
                let outcome = self.extended(&name, has_value, directory);
                self.say(id, Kind::Extended, outcome);
            }
            // These do not wait.
            Operation::Unbind | Operation::Abandon(_) => {}
        }
        None
    }

    fn say(&mut self, id: u32, kind: Kind, outcome: Outcome) {
        outcome.write(&mut self.out, id, kind);
    }

    /// Whoever signs in is nobody until it is known who they are (RFC 4511 §4.2.1).
    fn bind(
        &mut self,
        id: u32,
        version: u64,
        name: &str,
        how: Authentication,
        directory: &Directory,
    ) -> Option<Question> {
        self.who = None;
        if version != 3 {
            self.say(id, Kind::Bind, Outcome::new(Code::ProtocolError, "this is LDAP version 3"));
            return None;
        }
        match signing_in::begin(directory, id, name, how) {
            Ok((pending, question)) => {
                self.asked = Some(pending);
                Some(question)
            }
            Err(outcome) => {
                self.say(id, Kind::Bind, outcome);
                None
            }
        }
    }

    fn extended(&self, name: &str, has_value: bool, directory: &Directory) -> Outcome {
        match name {
            oid::WHO_AM_I if has_value => Outcome::new(Code::ProtocolError, "Who am I? has no value"),
            oid::WHO_AM_I => {
                let who = self.who.as_ref().map(|who| who.authorization(directory.tree()));
                Outcome { value: Some(who.unwrap_or_default()), ..Outcome::new(Code::Success, "") }
            }
            oid::START_TLS => Outcome::new(Code::ProtocolError, "there is no StartTLS: this is LDAPS"),
            _ => Outcome::new(Code::ProtocolError, "this operation is not known here"),
        }
    }
}

/// Whether an entry has a value (RFC 4511 §4.10).
fn compare(
    directory: &Directory,
    name: &str,
    attribute: &str,
    value: &[u8],
    signed_in: bool,
) -> Result<Outcome, Outcome> {
    let target = Target::find(directory, name, signed_in)?;
    let attribute = Attribute::described(attribute)
        .filter(|attribute| directory.serves(*attribute))
        .ok_or(Outcome::new(Code::UndefinedAttributeType, "this attribute is not known here"))?;
    if attribute.definition().rule == Rule::None {
        return Err(Outcome::new(Code::InappropriateMatching, "these values are not compared"));
    }
    let passes = |how: &dyn Fn(Rule) -> Option<How>| {
        Item::new(attribute, false, how).map(|item| target.passes(directory, &Test::Item(item)))
    };
    let equal = passes(&|rule| How::equal(rule, value))
        .ok_or(Outcome::new(Code::InvalidAttributeSyntax, "the attribute has no such values"))?;
    Ok(match equal {
        true => Outcome::new(Code::CompareTrue, ""),
        false if passes(&|_| Some(How::Present)) == Some(true) => Outcome::new(Code::CompareFalse, ""),
        false => Outcome::new(Code::NoSuchAttribute, "the entry has no such attribute"),
    })
}
