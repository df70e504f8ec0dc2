//! A search under way: who is next, and what is written of them, piece by piece.
//!
//! It keeps the snapshot that it began with. Between two pieces it holds a place and no part of the answer.

use super::answer::{Code, Kind, Outcome};
use super::block::{self, Bits};
use super::directory::Directory;
use super::limits::Limits;
use super::message::Search;
use super::paging::{Page, Position};
use super::selection::Selection;
use super::target::Target;
use super::test::Test;
use crate::request::Scope;

#[derive(Debug)]
pub(super) struct Running {
    pub(super) id: u32,
    /// In seconds, as the client wants it; 0 is none.
    pub(super) time_limit: u32,
    directory: Directory,
    test: Test,
    selection: Selection,
    fixed: Vec<Target>,
    /// The next person, and the one behind the last.
    next: usize,
    end: usize,
    /// All who could pass, where an index told.
    candidates: Option<Vec<usize>>,
    /// The block that was judged last.
    judged: Option<(usize, Bits)>,
    bounds: Bounds,
    position: Position,
    sent: usize,
}

/// Where an answer ends, though there is more.
#[derive(Debug)]
struct Bounds {
    /// Entries of this answer, and whether the rest is a further page.
    answer: usize,
    paged: bool,
    /// Entries that the client takes, all pages together.
    client: Option<usize>,
    /// Bytes of a piece.
    piece: usize,
}

enum Step {
    Found(Target),
    /// Enough has been looked at for once.
    Later,
    Done,
}

/// Comparisons with whole blocks for each piece: about a millisecond.
const WORK: usize = 64;

impl Running {
    /// Begins a search, or says why not.
    pub(super) fn begin(
        directory: &Directory,
        id: u32,
        search: &Search,
        page: Option<Page>,
        limits: &Limits,
        signed_in: bool,
    ) -> Result<Self, Outcome> {
        admit(search, limits)?;
        // Some clients know no base: to them the one tree that is here is all there is.
        let base = match search.base.trim() {
            "" if search.scope != Scope::Base => directory.tree().suffix(),
            base => base,
        };
        let (fixed, people) = scope(directory, Target::find(directory, base, signed_in)?, search.scope);
        let Page { size, position } = page.clone().unwrap_or_else(|| Page::whole(limits.entries));
        let position =
            position.ok_or(Outcome::new(Code::UnwillingToPerform, "this cookie is none of ours"))?;
        // A page of none is how a client says that it wants no more.
        let stopped = size == 0 && page.is_some();
        let test = Test::new(&search.filter, &|attribute| directory.serves(attribute));
        let after = if position.after.is_empty() { 0 } else { directory.after(&position.after) };
        Ok(Self {
            id,
            time_limit: search.time_limit,
            candidates: directory.candidates(&test),
            directory: directory.clone(),
            selection: Selection::new(search.attributes.iter().map(String::as_str), search.types_only),
            fixed: if stopped { Vec::new() } else { fixed },
            next: people.start.max(after),
            end: if stopped { 0 } else { people.end },
            judged: None,
            bounds: Bounds {
                answer: size.min(limits.entries),
                paged: page.is_some(),
                client: usize::try_from(search.size_limit).ok().filter(|limit| *limit > 0),
                piece: limits.piece,
            },
            test,
            position,
            sent: 0,
        })
    }

    /// Writes the next piece. It returns whether that was the last one.
    pub(super) fn write(&mut self, out: &mut Vec<u8>) -> bool {
        let mut work = WORK;
        while out.len() < self.bounds.piece {
            let outcome = match self.step(&mut work) {
                Step::Later => return false,
                Step::Done => self.outcome(Code::Success, "", Vec::new()),
                Step::Found(target) => match self.full() {
                    Some(outcome) => outcome,
                    None => {
                        self.send(target, out);
                        continue;
                    }
                },
            };
            outcome.write(out, self.id, Kind::SearchDone);
            return true;
        }
        false
    }

    /// Ends it before its time.
    pub(super) fn stop(&self, out: &mut Vec<u8>, code: Code, text: &'static str) {
        self.outcome(code, text, Vec::new()).write(out, self.id, Kind::SearchDone);
    }

    fn outcome(&self, code: Code, text: &'static str, cookie: Vec<u8>) -> Outcome {
        Outcome { cookie: self.bounds.paged.then_some(cookie), ..Outcome::new(code, text) }
    }

    /// How the answer ends, now that one more entry was found, if there is no room for it.
    fn full(&self) -> Option<Outcome> {
        let before = usize::try_from(self.position.sent).unwrap_or(usize::MAX);
        if self.bounds.client.is_some_and(|limit| before >= limit) {
            return Some(self.outcome(Code::SizeLimitExceeded, "there are more than you wanted", Vec::new()));
        }
        if self.sent < self.bounds.answer {
            return None;
        }
        Some(match self.bounds.paged {
            true => self.outcome(Code::Success, "", self.position.cookie()),
            false => self.outcome(Code::SizeLimitExceeded, "there are more; ask page by page", Vec::new()),
        })
    }

    fn send(&mut self, target: Target, out: &mut Vec<u8>) {
        if let Some((entry, block)) = target.entry(&self.directory) {
            entry.write(out, self.id, &block.common().attributes, &self.selection);
        }
        match target {
            Target::Person(place) => {
                self.next = place + 1;
                self.directory.folded_uid(place).unwrap_or_default().clone_into(&mut self.position.after);
            }
            _ => self.position.fixed = self.position.fixed.saturating_add(1),
        }
        self.sent += 1;
        self.position.sent = self.position.sent.saturating_add(1);
    }

    /// The next entry that passes. It is found again until it has been sent.
    fn step(&mut self, work: &mut usize) -> Step {
        while let Some(target) = self.fixed.get(usize::from(self.position.fixed)).copied() {
            if target.passes(&self.directory, &self.test) {
                return Step::Found(target);
            }
            self.position.fixed += 1;
        }
        while self.next < self.end {
            let Some(at) = self.candidate() else { return Step::Done };
            let number = at / block::SIZE;
            let bits = match self.judged {
                Some((judged, bits)) if judged == number => bits,
                _ => {
                    let Some(left) = work.checked_sub(self.test.cost()).or((*work == WORK).then_some(0))
                    else {
                        return Step::Later;
                    };
                    *work = left;
                    let Some(block) = self.directory.block(number) else { return Step::Done };
                    let bits = block.judge(&self.test);
                    self.judged = Some((number, bits));
                    bits
                }
            };
            match first(&bits, at % block::SIZE).map(|bit| number * block::SIZE + bit) {
                Some(place) if place >= self.end => return Step::Done,
                // Whoever passes is a candidate.
                Some(place) => return Step::Found(Target::Person(place)),
                None => self.next = (number + 1) * block::SIZE,
            }
        }
        Step::Done
    }

    /// The next person who could pass.
    fn candidate(&self) -> Option<usize> {
        let Some(candidates) = &self.candidates else { return Some(self.next) };
        let at = candidates.partition_point(|place| *place < self.next);
        candidates.get(at).copied().filter(|place| *place < self.end)
    }
}

/// Refuses what would cost more than it may.
fn admit(search: &Search, limits: &Limits) -> Result<(), Outcome> {
    let no = |text| Err(Outcome::new(Code::AdminLimitExceeded, text));
    let (comparisons, levels) = search.filter.size();
    if comparisons > limits.comparisons || levels > limits.levels {
        return no("this filter asks for too much");
    }
    if search.attributes.len() > limits.attributes {
        return no("these are too many attributes");
    }
    Ok(())
}

/// The entries in scope: those above all people, and a range of people.
fn scope(directory: &Directory, base: Target, scope: Scope) -> (Vec<Target>, std::ops::Range<usize>) {
    let everybody = 0..directory.people();
    match (base, scope) {
        (Target::Person(_) | Target::Root | Target::Subschema, Scope::One) => (Vec::new(), 0..0),
        (Target::Person(place), _) => (Vec::new(), place..place + 1),
        (Target::Suffix, Scope::One) => (vec![Target::People], 0..0),
        (Target::Suffix, Scope::Whole) => (vec![Target::Suffix, Target::People], everybody),
        (Target::People, Scope::One) => (Vec::new(), everybody),
        (Target::People, Scope::Whole) => (vec![Target::People], everybody),
        (only, _) => (vec![only], 0..0),
    }
}

/// The first bit that is set, not before `from`.
fn first(bits: &Bits, from: usize) -> Option<usize> {
    let mut word = bits[from / 64] & (u64::MAX << (from % 64));
    let mut at = from / 64;
    while word == 0 {
        at += 1;
        word = *bits.get(at)?;
    }
    Some(at * 64 + word.trailing_zeros() as usize)
}
