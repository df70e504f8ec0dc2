//! Reminders: who has a certificate that ends soon, and no successor to it, is told so by a message of the house.
//!
//! It is a message like any other: it waits in the inbox, and whoever is away is told of it by mail. That it was sent is
//! noted in the same unit of work, so each reminder comes once, whatever dies in between; of several that fell due while
//! the house was closed, the last one comes alone.

use std::time::Duration;

use serde_json::json;

use super::{Enrollment, Failure};
use crate::audit::Deed;
use crate::principal::Principal;
use crate::store::{Account, Ending, StoreError, Tx, View};
use crate::time::Timestamp;

impl Enrollment {
    /// Tells all owners whose time has come; says how many.
    pub(crate) async fn remind(&self, now: Timestamp) -> Result<usize, Failure> {
        let mut before: Vec<Duration> = self.cfg.remind.iter().map(|span| span.0).collect();
        before.sort_unstable();
        let mut told = 0;
        for left in before {
            told += self.remind_of(left, now).await?;
        }
        Ok(told)
    }

    /// Those that end within `left`. The nearest come first, so that no later reminder finds them untold.
    async fn remind_of(&self, left: Duration, now: Timestamp) -> Result<usize, Failure> {
        let micros = i64::try_from(left.as_micros()).unwrap_or(i64::MAX);
        let (mut told, mut last) = (0, None);
        loop {
            let look = move |view: &mut View| {
                let page = view.ending(micros, last.as_ref(), AT_ONCE, now)?;
                let (last, mut due) = (page.last().cloned(), Vec::new());
                for one in page.into_iter().filter(|one| is_meant(one, left)) {
                    if !view.is_renewed(&one)? {
                        due.push(one);
                    }
                }
                Ok((last, due))
            };
            let (end, due) = self.store.read(look).await?;
            told += self.tell_owners(due, micros, now).await?;
            match end {
                Some(end) => last = Some(end),
                None => return Ok(told),
            }
        }
    }

    /// The note and the mark that it was sent, in one unit of work.
    async fn tell_owners(&self, due: Vec<Ending>, left: i64, now: Timestamp) -> Result<usize, Failure> {
        let known = due.into_iter().filter_map(|one| Some((self.directory.by_id(one.account)?, one)));
        let due: Vec<_> = known.filter(|(account, _)| account.disabled().is_none()).collect();
        if due.is_empty() {
            return Ok(0);
        }
        let chat = self.chat.clone();
        let tell = move |tx: &mut Tx| -> Result<Vec<_>, StoreError> {
            let mut notes = Vec::new();
            for (account, one) in due {
                if tx.mark_reminded(&one.serial, left)? {
                    let note = chat.put_note(tx, &account, words(&account, &one, now), now)?;
                    let deed = Deed::new(&Principal::System, "certificate.remind", &account.name)
                        .with(json!({ "serial": one.serial, "not_after": one.not_after }));
                    tx.remember(deed, now)?;
                    notes.push((account.id, note));
                }
            }
            Ok(notes)
        };
        let notes = self.store.write(tell).await?;
        notes.iter().for_each(|(account, note)| self.chat.ring_note(*account, *note));
        Ok(notes.len())
    }
}

/// Nobody is told in the first half of a certificate's life: a short one would end soon from its first day.
fn is_meant(one: &Ending, left: Duration) -> bool {
    left * 2 <= one.not_after.since(one.not_before)
}

fn words(account: &Account, one: &Ending, now: Timestamp) -> String {
    let left = one.not_after.since(now);
    let left = match left.as_secs().div_ceil(HOUR) {
        hours @ 0..48 => format!("{hours} hours"),
        hours => format!("{} days", hours.div_ceil(24)),
    };
    let ends: String = one.not_after.to_string().chars().take("2026-11-21T09:30".len()).collect();
    format!(
        "A certificate of yours ends in {left}, on {} UTC: {} ({}, serial {}). Devices renew it themselves while it is \
         good; if yours does not, ask an admin for a new one.",
        ends.replace('T', " "),
        one.names.lines().next().unwrap_or(&account.name),
        one.profile,
        one.serial,
    )
}

const HOUR: u64 = 3600;
/// How many are looked at, and told, in one go.
const AT_ONCE: i64 = 500;
