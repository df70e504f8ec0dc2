//! The crew: a few hands that let all conversations take their turns.
//!
//! As a task of a runtime with many threads each conversation would be queued, notified and stolen on its own, and two
//! that are ready at a time would already wake a second thread. Here whoever was rung stands in one line, and a hand
//! lets the first take its turn, then the next. So like is done with like: all that came is read, then all of it is
//! delivered, then all of it is acknowledged, each with warm caches. The first hand has a thread of its own and looks at
//! the sockets itself. Others, which are tasks of the house's runtime, are called when it did not get to the end of the
//! line within a round. So at a low load one thread does all, and at a high one all do.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_task::{Builder, Runnable, ScheduleInfo, Task, WithInfo};
use tokio::net::TcpStream;
use tokio::runtime::{self, Handle};
use tokio::sync::oneshot;

use crate::time;

/// How long a hand works before the runtime looks at its sockets again, and how long politeness lasts.
const ROUND: Duration = Duration::from_millis(1);

/// In a line that is not longer, whoever is rung in somebody's turn comes next, so that it hears soon. In a longer one
/// it waits, and hears at once what all before it have to say.
const SHORT: usize = 16;

thread_local! {
    /// Whether a hand of this thread lets somebody take a turn.
    static IN_TURN: Cell<bool> = const { Cell::new(false) };
}

/// Cheap handle on the crew.
#[derive(Clone)]
pub(crate) struct Crew {
    line: Arc<Line>,
    home: Arc<Home>,
}

/// Where the first hand works, until the last handle is gone.
struct Home {
    runtime: Handle,
    _open: oneshot::Sender<()>,
}

struct Line {
    state: Mutex<State>,
    round: Duration,
}

#[derive(Default)]
struct State {
    /// Who was rung, in this order.
    waiting: VecDeque<Runnable>,
    /// Who was rung in somebody's turn while the line was short: they are next.
    next: VecDeque<Runnable>,
    /// Who asked for another turn during their own: they let others go first.
    polite: VecDeque<Runnable>,
    /// Since when the first of them does.
    polite_since: Option<Instant>,
    /// The first hand, and the others, where they found nobody waiting.
    first: Option<Waker>,
    others: Vec<Waker>,
    /// Hands that do not rest.
    working: usize,
    /// When the last turn began; none since a hand was called.
    turned: Option<Instant>,
}

impl Crew {
    /// Engages so many hands, all but the first as tasks of the runtime that this is called in.
    pub(crate) fn engage(hands: usize) -> io::Result<Self> {
        Self::with_rounds(hands, ROUND)
    }

    fn with_rounds(hands: usize, round: Duration) -> io::Result<Self> {
        let state = State { working: hands.max(1), ..State::default() };
        let line = Arc::new(Line { state: Mutex::new(state), round });
        let (open, closed) = oneshot::channel();
        let home = runtime::Builder::new_current_thread().enable_all().build()?;
        let crew = Self { line, home: Arc::new(Home { runtime: home.handle().clone(), _open: open }) };
        // A hand polls the sockets of many, each of which bounds itself.
        let hand = |first| tokio::task::unconstrained(crew.line.clone().work(first));
        home.spawn(hand(true));
        (1..hands).for_each(|_| _ = tokio::spawn(hand(false)));
        thread::Builder::new().name("doors".into()).spawn(move || {
            let _ = home.block_on(closed);
            home.shutdown_background();
        })?;
        Ok(crew)
    }

    /// Lets the first hand look at a socket.
    pub(crate) fn adopt(&self, stream: TcpStream) -> io::Result<TcpStream> {
        let stream = stream.into_std()?;
        let _at_home = self.home.runtime.enter();
        TcpStream::from_std(stream)
    }

    /// Lets a conversation take its turns, until its end or until what is given back is dropped. A panic in it is
    /// passed on to whoever waits for its end.
    pub(crate) fn look_after<F>(&self, conversation: F) -> Task<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let line = self.line.clone();
        let stand_in_line = move |one, how: ScheduleInfo| line.add(one, how.woken_while_running);
        let (first, end) =
            Builder::new().propagate_panic(true).spawn(|()| conversation, WithInfo(stand_in_line));
        first.schedule();
        end
    }
}

impl Line {
    fn add(&self, one: Runnable, polite: bool) {
        let called = {
            let mut state = self.state();
            let short = state.waiting.len() <= SHORT;
            match (polite, IN_TURN.get() && short) {
                (true, _) => state.polite.push_back(one),
                (false, true) => state.next.push_back(one),
                (false, false) => state.waiting.push_back(one),
            }
            if state.nobody_comes(self.round) { state.call() } else { None }
        };
        called.into_iter().for_each(Waker::wake);
    }

    /// One hand: round after round, and between them the runtime looks at its sockets.
    async fn work(self: Arc<Self>, first: bool) {
        loop {
            if self.round() {
                tokio::task::yield_now().await;
            } else {
                self.rest(first).await;
            }
        }
    }

    /// Lets those who wait take their turns; says whether somebody still waits.
    fn round(&self) -> bool {
        let began = time::monotonic();
        self.state().enough_politeness(began, self.round);
        let mut now = began;
        while let Some(one) = self.next(now) {
            IN_TURN.set(true);
            one.run();
            IN_TURN.set(false);
            now = time::monotonic();
            if now - began >= self.round {
                let called = {
                    let mut state = self.state();
                    let State { waiting, next, .. } = &mut *state;
                    waiting.append(next);
                    if state.waiting.is_empty() { None } else { state.call() }
                };
                called.into_iter().for_each(Waker::wake);
                break;
            }
        }
        self.state().somebody_waits()
    }

    fn next(&self, now: Instant) -> Option<Runnable> {
        let mut state = self.state();
        state.turned = Some(now);
        state.next.pop_front().or_else(|| state.waiting.pop_front())
    }

    /// Until the hand is called.
    async fn rest(&self, first: bool) {
        let mut rests = false;
        poll_fn(|cx| {
            let mut state = self.state();
            if rests || state.somebody_waits() {
                return Poll::Ready(());
            }
            let waker = cx.waker().clone();
            if first {
                state.first = Some(waker)
            } else {
                state.others.push(waker)
            }
            state.working -= 1;
            rests = true;
            Poll::Pending
        })
        .await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn somebody_waits(&self) -> bool {
        !self.waiting.is_empty() || !self.next.is_empty() || !self.polite.is_empty()
    }

    /// Whether those who wait would wait long: all hands rest, or are long in their turns while another could help.
    fn nobody_comes(&self, round: Duration) -> bool {
        let is_long = |turned| time::monotonic() - turned >= round;
        let somebody_rests = self.first.is_some() || !self.others.is_empty();
        self.working == 0 || somebody_rests && self.turned.is_some_and(is_long)
    }

    /// A hand that rests is to work.
    fn call(&mut self) -> Option<Waker> {
        let called = self.first.take().or_else(|| self.others.pop())?;
        self.working += 1;
        self.turned = None;
        Some(called)
    }

    /// Nobody else has come, or politeness has lasted a round: those who let others go first stand in the line.
    fn enough_politeness(&mut self, now: Instant, round: Duration) {
        if self.polite.is_empty() {
            return;
        }
        let since = *self.polite_since.get_or_insert(now);
        if self.waiting.is_empty() || now - since >= round {
            self.waiting.append(&mut self.polite);
            self.polite_since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    fn with_threads(count: usize) -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(count).enable_all().build().unwrap()
    }

    /// Asks for another turn.
    async fn again() {
        let mut asked = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut asked, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    #[tokio::test]
    async fn turns_are_taken_in_order_but_who_is_rung_comes_next_and_who_asks_for_another_last() {
        // However busy the machine is, all of it is one round.
        let crew = Crew::with_rounds(1, Duration::from_secs(3600)).unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let say = |name: &'static str| {
            let said = said.clone();
            move || said.lock().unwrap().push_str(name)
        };
        let ((ring, rung), (begun, begins), (release, released)) =
            (oneshot::channel::<()>(), mpsc::channel(), mpsc::channel());
        let friend = say("friend ");
        let friend = crew.look_after(async move {
            rung.await.unwrap();
            friend();
        });
        let (first, last) = (say("first "), say("last"));
        let author = crew.look_after(async move {
            begun.send(()).unwrap();
            released.recv().unwrap();
            first();
            ring.send(()).unwrap();
            again().await;
            last();
        });
        begins.recv().unwrap();
        let others = ["other ", "another "].map(say).map(|say| crew.look_after(async move { say() }));
        release.send(()).unwrap();
        for one in [friend, author].into_iter().chain(others) {
            one.await;
        }
        assert_eq!(*said.lock().unwrap(), "first friend other another last");
    }

    #[test]
    fn a_long_line_is_shared_by_all_hands() {
        let runtime = with_threads(2);
        let crew = runtime.block_on(async { Crew::engage(2) }).unwrap();
        let seen = Arc::new(Mutex::new(HashSet::new()));
        let busy = (0..8).map(|_| {
            let seen = seen.clone();
            crew.look_after(async move {
                let end = time::monotonic() + Duration::from_secs(20);
                while time::monotonic() < end && seen.lock().unwrap().len() < 2 {
                    seen.lock().unwrap().insert(thread::current().id());
                    let turn = time::monotonic() + ROUND / 4;
                    while time::monotonic() < turn {
                        std::hint::spin_loop();
                    }
                    again().await;
                }
            })
        });
        busy.collect::<Vec<_>>().into_iter().for_each(|one| runtime.block_on(one));
        assert_eq!(seen.lock().unwrap().len(), 2);
    }

    #[test]
    fn a_turn_that_takes_long_holds_nobody_else_up() {
        let runtime = with_threads(2);
        let crew = runtime.block_on(async { Crew::engage(2) }).unwrap();
        let ((begun, begins), (release, released)) = (mpsc::channel(), mpsc::channel());
        let long = crew.look_after(async move {
            begun.send(()).unwrap();
            released.recv_timeout(Duration::from_secs(20)).expect("somebody else has had a turn");
        });
        begins.recv().unwrap();
        while !long.is_finished() {
            let release = release.clone();
            crew.look_after(async move { _ = release.send(()) }).detach();
            thread::yield_now();
        }
        runtime.block_on(long);
    }

    #[tokio::test]
    async fn a_panic_reaches_whoever_waits_and_nobody_else() {
        let crew = Crew::engage(1).unwrap();
        let falls = crew.look_after(async { panic!("a turn that fails, as this test wants it") });
        assert!(tokio::spawn(falls).await.unwrap_err().is_panic());
        crew.look_after(async {}).await;
    }
}
