//! The sweep: gives room back, keeps what is owed, and undoes nothing that happens meanwhile.

use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::world::{Deed, World, publish};
use super::*;

/// Every batch begins a segment of its own.
const TINY: Options = Options { segment: 1, most: 1 << 30 };

#[test]
fn a_sweep_gives_room_back_and_keeps_what_is_owed() {
    let mut world = World::new(SMALL);
    world.act(&Deed::Come);
    world.act(&publish(&[0], Some(1)));
    for _ in 0..200 {
        world.act(&publish(&[0], None));
        world.act(&Deed::Take(0, vec![1]));
    }
    let before = world.journal.usage();
    while world.journal.sweep(&world).unwrap() {}
    let after = world.journal.usage();
    assert!(before.segments > 20 && after.segments < 8, "{before:?} {after:?}");
    assert!(after.bytes < after.live * 2 + 5 * SMALL.segment, "{after:?}");
    world.act(&Deed::Crash);
}

#[test]
fn a_sweep_does_not_run_in_circles() {
    let mut world = World::new(SMALL);
    for _ in 0..50 {
        world.act(&Deed::Come);
        world.act(&publish(&[0, 1, 2], Some(2)));
    }
    for _ in 0..1000 {
        if !world.journal.sweep(&world).unwrap() {
            return world.act(&Deed::Restart);
        }
    }
    panic!("it never ends: {:?}", world.journal.usage());
}

#[test]
fn what_somebody_still_holds_keeps_its_segment() {
    let mut world = World::new(TINY);
    world.act(&Deed::Come);
    world.act(&publish(&[0], None));
    let (_, kept) = world.owed(id(1), 0).unwrap();
    world.act(&Deed::Take(0, vec![0]));
    world.act(&publish(&[], None));
    while world.journal.sweep(&world).unwrap() {}
    assert!(world.journal.read(&kept).is_ok());
    let held = world.journal.usage().segments;
    drop(kept);
    while world.journal.sweep(&world).unwrap() {}
    assert!(world.journal.usage().segments < held);
}

/// A world in which something happens while the sweep asks: each deed at its own moment, before or after an answer.
struct Busy<'a> {
    world: &'a World,
    moment: AtomicUsize,
    deeds: Vec<(usize, Deed)>,
}

impl Busy<'_> {
    fn answer<T>(&self, ask: impl Fn() -> T) -> T {
        self.pass();
        let answer = ask();
        self.pass();
        answer
    }

    fn pass(&self) {
        let now = self.moment.fetch_add(1, Ordering::SeqCst);
        let due = self.deeds.iter().filter(|(moment, _)| *moment == now);
        due.for_each(|(_, deed)| self.world.change(deed));
        self.world.check();
    }
}

impl Present for Busy<'_> {
    fn session(&self, id: SessionId) -> Option<SessionState> {
        self.answer(|| self.world.session(id))
    }

    fn owed(&self, session: SessionId, number: u64) -> Option<(Owed, Arc<Kept>)> {
        self.answer(|| self.world.owed(session, number))
    }

    fn retained(&self, topic: &TopicName) -> Option<Arc<Kept>> {
        self.answer(|| self.world.retained(topic))
    }
}

/// Sweeps a segment with a session, a message owed and a retained one while `deeds` happen, then all the rest, so that
/// what stands before the copies goes. True while some deed's moment came.
fn raced(deeds: Vec<(usize, Deed)>) -> bool {
    let mut world = World::new(TINY);
    world.act(&Deed::Come);
    world.act(&Deed::Subscribe(0, 1));
    let told = format!("{deeds:?}");
    world.act(&publish(&[0], Some(1)));
    world.act(&Deed::Publish { to: vec![], from: None, retained: None, size: 2000, rich: false });
    let last = deeds.iter().map(|(moment, _)| *moment).max().unwrap_or(0);
    let busy = Busy { world: &world, moment: AtomicUsize::new(0), deeds };
    let swept = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        while world.journal.sweep(&busy).unwrap() {
            world.check();
        }
        world.sweep_all();
    }));
    assert!(swept.is_ok(), "{told}");
    last < busy.moment.into_inner()
}

#[test]
fn nothing_that_happens_during_a_sweep_is_undone_by_it() {
    let deeds = [
        Deed::Take(0, vec![0]),
        Deed::Release(0, 0),
        Deed::Clear(1),
        publish(&[0], Some(1)),
        Deed::Subscribe(0, 0),
        Deed::Unsubscribe(0, 1),
        Deed::Drop(0),
        Deed::Come,
    ];
    for deed in &deeds {
        let moments = (0..100).take_while(|moment| raced(vec![(*moment, deed.clone())])).count();
        assert!((8..100).contains(&moments), "{deed:?}: {moments} moments");
    }
}

#[test]
fn deeds_that_undo_each_other_may_fall_on_both_sides_of_a_copy() {
    let pairs = [
        [publish(&[0], Some(1)), Deed::Clear(1)],
        [Deed::Subscribe(0, 0), Deed::Unsubscribe(0, 0)],
        [Deed::Release(0, 0), Deed::Take(0, vec![0])],
        [Deed::Receive(0, 7), Deed::Free(0, 7)],
        [publish(&[0], None), Deed::Take(0, vec![0, 1])],
    ];
    for [one, other] in pairs {
        for first in 0..12 {
            for second in first..12 {
                raced(vec![(first, one.clone()), (second, other.clone())]);
            }
        }
    }
}
