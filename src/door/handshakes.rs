//! Handshakes under way: a bounded number at a time, and when one more comes, the oldest gives way.
//!
//! Nobody waits in a queue, so those who begin a handshake and never end it keep no place from those who do: a
//! handshake that works is over in a few round trips, and by then nowhere near the oldest. Whoever has not sent a
//! byte yet has not begun and is not counted.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The handshakes of one door.
pub(super) struct Handshakes {
    most: usize,
    under_way: Mutex<UnderWay>,
}

/// By their order of arrival; whoever loses its sender gives way.
#[derive(Default)]
struct UnderWay {
    next: u64,
    places: BTreeMap<u64, oneshot::Sender<()>>,
}

impl Handshakes {
    pub(super) fn new(most: usize) -> Self {
        Self { most, under_way: Mutex::default() }
    }

    /// Whether so many are under way that a newcomer should show first that it is where it says.
    pub(super) fn is_crowded(&self) -> bool {
        self.lock().places.len() >= self.most.div_ceil(2)
    }

    /// Does one handshake, unless enough others begin before it is done.
    pub(super) async fn run<T>(&self, handshake: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let (place, gives_way) = self.enter();
        let done = tokio::select! {
            biased; // An answer that has come counts, however late.
            done = handshake => done,
            _ = gives_way => Err(io::Error::other("it was the oldest of too many handshakes")),
        };
        drop(place);
        done
    }

    fn enter(&self) -> (Place<'_>, oneshot::Receiver<()>) {
        let (sender, gives_way) = oneshot::channel();
        let mut under_way = self.lock();
        if under_way.places.len() >= self.most {
            under_way.places.pop_first();
        }
        let number = under_way.next;
        under_way.next += 1;
        under_way.places.insert(number, sender);
        (Place { handshakes: self, number }, gives_way)
    }

    fn lock(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that is given back however the handshake ends.
struct Place<'a> {
    handshakes: &'a Handshakes,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.handshakes.lock().places.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;

    #[tokio::test]
    async fn the_oldest_gives_way_and_the_newest_is_done() {
        let handshakes = Handshakes::new(2);
        let (oldest, mut oldest_hears) = handshakes.enter();
        let (second, mut second_hears) = handshakes.enter();
        assert_eq!(handshakes.run(ready(Ok(7))).await.expect("it is done"), 7);
        assert_eq!(oldest_hears.try_recv(), Err(TryRecvError::Closed));
        assert_eq!(second_hears.try_recv(), Err(TryRecvError::Empty));
        drop((oldest, second));
        assert!(handshakes.lock().places.is_empty(), "places are given back");
    }

    #[tokio::test]
    async fn a_handshake_that_gave_way_is_over() {
        let handshakes = Handshakes::new(1);
        let stuck = handshakes.run(pending::<io::Result<()>>());
        let (ended, ()) = tokio::join!(stuck, async { drop(handshakes.enter()) });
        assert!(ended.is_err());
    }

    #[tokio::test]
    async fn half_of_the_places_taken_is_a_crowd() {
        let handshakes = Handshakes::new(2);
        assert!(!handshakes.is_crowded());
        let (_place, _line) = handshakes.enter();
        assert!(handshakes.is_crowded());
    }
}
