//! One trip: how it begins with a claim, and what its outcome means for the envelope, the inbox and the authors.

use std::sync::Arc;
use std::time::Duration;

use chancery_mail::{Outcome, RetryTable};

use super::config::Settings;
use crate::chat::{Chat, MAILED, Receipt};
use crate::directory::Directory;
use crate::store::{Account, Envelope, EnvelopeState, StoreError, Tx, Untold};
use crate::time::Timestamp;

/// A claimed envelope that has something to tell.
pub(super) struct Trip {
    pub(super) envelope: Envelope,
    pub(super) account: Arc<Account>,
    pub(super) untold: Untold,
}

/// What the outcome of a try makes of an envelope.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) state: EnvelopeState,
    /// When it is tried again, or when it ended.
    pub(super) next_at: Timestamp,
    pub(super) detail: String,
    /// What the authors hear, if anything.
    pub(super) word: Option<String>,
}

/// Takes what is due. What has nothing to tell any more ends here, in the same unit of work that would have sent it:
/// a message read before this moment causes no mail. Gives back how many were taken, and those to be carried.
pub(super) fn claim(
    tx: &mut Tx,
    directory: &Directory,
    settings: &Settings,
    limit: i64,
    now: Timestamp,
) -> Result<(usize, Vec<Trip>), StoreError> {
    let claimed = tx.claim_due(now, now.after(LEASE), limit)?;
    let taken = claimed.len();
    let mut trips = Vec::with_capacity(taken);
    for envelope in claimed {
        let id = envelope.id;
        match begin(tx, directory, settings, envelope)? {
            Ok(trip) => trips.push(trip),
            Err(why) => tx.settle_envelope(id, EnvelopeState::Cancelled, 0, now, why)?,
        }
    }
    Ok((taken, trips))
}

/// The trip, or why there is none to make.
fn begin(
    tx: &mut Tx,
    directory: &Directory,
    settings: &Settings,
    mut envelope: Envelope,
) -> Result<Result<Trip, &'static str>, StoreError> {
    let Some(account) = directory.by_id(envelope.account) else { return Ok(Err("the account was removed")) };
    let untold = tx.untold(account.id)?;
    if untold.senders.is_empty() {
        return Ok(Err("read before the mail was sent"));
    }
    // The directory may have corrected the address since the envelope was made.
    let Some(recipient) = settings.address(&account) else {
        return Ok(Err("the account has no mail address any more"));
    };
    if recipient != envelope.recipient {
        tx.readdress_envelope(envelope.id, &recipient)?;
        envelope.recipient = recipient;
    }
    Ok(Ok(Trip { envelope, account, untold }))
}

/// What becomes of an envelope after one more try.
pub(super) fn ending(envelope: &Envelope, outcome: Outcome, retries: &RetryTable, now: Timestamp) -> Ending {
    match outcome {
        Outcome::Delivered { detail } => {
            Ending { state: EnvelopeState::Delivered, next_at: now, detail, word: Some(MAILED.to_owned()) }
        }
        Outcome::Bounced { why, .. } => bounced(why, now),
        Outcome::Deferred { why, ambiguous, .. } => {
            let failures = u32::try_from(envelope.attempts).unwrap_or(0).saturating_add(1);
            let why = if ambiguous { format!("{why} (it may have been taken)") } else { why };
            match retries.next(failures, envelope.created_at.to_offset(), now.to_offset()) {
                Some(at) => {
                    Ending { state: EnvelopeState::Deferred, next_at: at.into(), detail: why, word: None }
                }
                None => bounced(format!("given up after {failures} attempts: {why}"), now),
            }
        }
    }
}

fn bounced(why: String, now: Timestamp) -> Ending {
    let short: String = without_addresses(&why).chars().take(SHORT).collect();
    Ending {
        state: EnvelopeState::Bounced,
        next_at: now,
        detail: why,
        word: Some(format!("failed: {short}")),
    }
}

/// Writes an ending, the fate of the messages and the receipts, in one unit of work; gives back the receipts to ring.
pub(super) fn settle(
    tx: &mut Tx,
    chat: &Chat,
    trip: &Trip,
    ending: &Ending,
    now: Timestamp,
) -> Result<Vec<Receipt>, StoreError> {
    let Trip { envelope, untold, .. } = trip;
    tx.settle_envelope(envelope.id, ending.state, untold.count(), ending.next_at, &ending.detail)?;
    let news = match ending.state {
        EnvelopeState::Delivered => tx.mark_mailed(envelope.account, untold.upto)?,
        EnvelopeState::Bounced => tx.news_of_bounce(envelope, untold.upto)?,
        _ => Vec::new(),
    };
    let Some(word) = &ending.word else { return Ok(Vec::new()) };
    // A note to oneself needs no receipt.
    let of_others = news.into_iter().filter(|(_, author)| *author != envelope.account);
    let receipts: Vec<Receipt> =
        of_others.map(|(id, author)| Receipt { id, author, word: word.clone() }).collect();
    receipts.iter().try_for_each(|receipt| chat.queue_receipt(tx, receipt, now))?;
    Ok(receipts)
}

/// A relay's words with every mail address taken out, for logs and for people who need not know the address.
pub(super) fn without_addresses(said: &str) -> String {
    let words = said.split_whitespace().map(|word| if word.contains('@') { "(address)" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// Longer than any try may take; it matters only where a house died without a word and nobody opened it again.
const LEASE: Duration = Duration::from_secs(3600);

/// Letters of a relay's words that an author gets to read.
const SHORT: usize = 160;

#[cfg(test)]
mod tests {
    use chancery_mail::Scope;

    use super::*;
    use crate::id::{AccountId, EnvelopeId};

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn start() -> Timestamp {
        Timestamp::from_micros(1_795_226_400_000_000)
    }

    fn envelope(attempts: i32) -> Envelope {
        Envelope {
            id: EnvelopeId::new(start()),
            account: AccountId::GUEST,
            recipient: "carol@corp.example".into(),
            route: "mail".into(),
            state: EnvelopeState::Sending,
            waiting: 0,
            attempts,
            next_at: start(),
            detail: None,
            created_at: start(),
        }
    }

    fn later() -> Outcome {
        Outcome::Deferred { code: None, why: "refused".into(), scope: Scope::Relay, ambiguous: false }
    }

    #[test]
    fn a_deferred_envelope_waits_longer_each_time_and_is_given_up_in_the_end() {
        let table = RetryTable::default();
        let wait = |attempts| {
            ending(&envelope(attempts), later(), &table, start()).next_at.since(start()).as_secs() / 60
        };
        assert_eq!([0, 1, 2, 9].map(wait), [2, 5, 10, 120]);
        let over = ending(&envelope(60), later(), &table, start().after(5 * DAY));
        assert_eq!(over.state, EnvelopeState::Bounced);
        assert_eq!(over.word.as_deref(), Some("failed: given up after 61 attempts: refused"));
    }

    #[test]
    fn an_author_hears_why_it_failed_but_not_the_address() {
        let why = "550 5.1.1 <carol@home.example>: Recipient address rejected: User unknown".to_owned();
        let end =
            ending(&envelope(0), Outcome::Bounced { code: Some(550), why }, &RetryTable::default(), start());
        assert_eq!(
            end.word.as_deref(),
            Some("failed: 550 5.1.1 (address) Recipient address rejected: User unknown")
        );
        assert!(end.detail.contains("carol@home.example"), "the admin sees it");
    }

    #[test]
    fn what_may_have_been_taken_already_is_tried_again_and_says_so() {
        let outcome = Outcome::Deferred {
            code: None,
            why: "the line broke".into(),
            scope: Scope::Envelope,
            ambiguous: true,
        };
        let end = ending(&envelope(0), outcome, &RetryTable::default(), start());
        assert_eq!((end.state, end.word), (EnvelopeState::Deferred, None));
        assert!(end.detail.contains("may have been taken"));
    }
}
