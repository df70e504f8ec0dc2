//! The one writer: gathers units of work that wait into one transaction, commits, then answers each caller.
//!
//! There is no timer: while one commit is on its way to the disk the next batch gathers behind it, so a lone unit
//! commits at once and a crowd shares the price of the flush. A unit that may refuse after it wrote runs in a savepoint,
//! and is then undone alone. When the database itself fails (disk full), the whole batch is undone and every caller is
//! told: nothing was acknowledged yet.

use diesel::connection::SimpleConnection;
use tokio::sync::{mpsc, oneshot};

use super::checkpoint::Checkpoints;
use super::kept::{Kept, statement};
use super::tail::Tail;
use super::{StoreError, Tx};
use crate::metrics::METRICS;

/// How many units may wait before callers wait too.
const BACKLOG: usize = 8192;
/// How many units share a transaction at most, so that a crowd's first caller is not kept long.
const BATCH: usize = 1024;

/// A unit of work together with the way to answer its caller.
///
/// Without a transaction it is not run, and only answered.
pub(crate) struct Job {
    /// Whether it may have to be undone alone.
    undoable: bool,
    run: Box<Run>,
}

type Run = dyn FnOnce(Option<&mut Tx>) -> Ran + Send;
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// What running left to do, and the answer to give once the unit's fate is known.
struct Ran {
    fate: Fate,
    answer: Answer,
}

enum Fate {
    Kept,
    Refused,
    /// The database failed it.
    Broken(StoreError),
}

impl Job {
    /// A unit that may refuse at any point.
    pub(super) fn new<T, E>(
        work: impl FnOnce(&mut Tx) -> Result<T, E> + Send + 'static,
        answer: oneshot::Sender<Result<T, E>>,
    ) -> Self
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let run = move |tx: Option<&mut Tx>| {
            let result = tx.map_or_else(|| Err(E::from(StoreError::Closed)), work);
            let fate = if result.is_ok() { Fate::Kept } else { Fate::Refused };
            Ran { fate, answer: answer_with(answer, result) }
        };
        Self { undoable: true, run: Box::new(run) }
    }

    /// A unit that refuses before it writes.
    pub(super) fn decided<D, T, E>(
        decide: impl FnOnce(&mut Tx) -> Result<D, E> + Send + 'static,
        write: impl FnOnce(&mut Tx, D) -> Result<T, StoreError> + Send + 'static,
        answer: oneshot::Sender<Result<T, E>>,
    ) -> Self
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let run = move |tx: Option<&mut Tx>| {
            let decided = match tx {
                Some(tx) => decide(tx).map(|decided| write(tx, decided)),
                None => Err(E::from(StoreError::Closed)),
            };
            match decided {
                Ok(Ok(done)) => Ran { fate: Fate::Kept, answer: answer_with(answer, Ok(done)) },
                Err(refused) => Ran { fate: Fate::Refused, answer: answer_with(answer, Err(refused)) },
                // What everybody in the batch is told, it is told too.
                Ok(Err(error)) => {
                    let answer = answer_with(answer, Err(StoreError::Closed.into()));
                    Ran { fate: Fate::Broken(error), answer }
                }
            }
        };
        Self { undoable: false, run: Box::new(run) }
    }
}

/// A caller that went away hears nothing; its unit stands all the same.
fn answer_with<T, E>(answer: oneshot::Sender<Result<T, E>>, result: Result<T, E>) -> Answer
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    Box::new(move |committed| {
        let _ = answer.send(committed.map_err(E::from).and(result));
    })
}

/// Starts the writer; it ends when the last [`super::Store`] is gone and the backlog is written.
pub(super) fn spawn(mut tx: Tx, mut checkpoints: Checkpoints) -> mpsc::Sender<Job> {
    let (sender, mut jobs) = mpsc::channel::<Job>(BACKLOG);
    let run = move || {
        let mut batch = Vec::with_capacity(BATCH);
        let mut failing = false;
        while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
            failing = transact(&mut tx, batch.drain(..), failing);
            checkpoints.after_commit(&mut tx.view.conn);
        }
    };
    // A house without its writer cannot acknowledge anything: `Store::write` then answers `Closed`.
    if let Err(error) = std::thread::Builder::new().name("store-writer".into()).spawn(run) {
        tracing::error!(%error, "the store's writer could not start");
    }
    sender
}

/// Runs and answers one batch; says whether it failed. Trouble is told when it begins and when it is over.
fn transact(tx: &mut Tx, jobs: impl Iterator<Item = Job>, failing: bool) -> bool {
    let mut answers = Vec::new();
    let committed = run_all(tx, jobs, &mut answers).inspect_err(|error| {
        if !failing {
            tracing::error!(%error, "the store cannot write: nothing more is acknowledged until it can");
        }
        // After a full disk SQLite may have ended the transaction itself; then there is nothing to roll back.
        let _ = tx.view.conn.batch_execute("ROLLBACK");
    });
    METRICS.store_commits.add(u64::from(committed.is_ok()));
    if failing && committed.is_ok() {
        tracing::info!("the store can write again");
    }
    for answer in answers {
        answer(match &committed {
            Ok(()) => Ok(()),
            Err(StoreError::Full) => Err(StoreError::Full),
            Err(error) => Err(StoreError::Commit(error.to_string())),
        });
    }
    committed.is_err()
}

/// Runs every job inside one transaction. On `Err` nothing of the batch stands; jobs not yet run are answered too.
fn run_all(
    tx: &mut Tx,
    mut jobs: impl Iterator<Item = Job>,
    answers: &mut Vec<Answer>,
) -> Result<(), StoreError> {
    tx.tail = Tail::default();
    let begun = tx.view.conn.batch_execute("BEGIN IMMEDIATE").map_err(StoreError::from);
    let mut broken = begun.err();
    for job in jobs.by_ref() {
        if broken.is_some() {
            answers.push((job.run)(None).answer);
            continue;
        }
        match run_one(tx, job, answers) {
            Ok(()) => {}
            Err(error) => broken = Some(error),
        }
    }
    match broken {
        Some(error) => Err(error),
        None => {
            tx.write_tail()?;
            tx.view.conn.batch_execute("COMMIT").map_err(StoreError::from)
        }
    }
}

fn run_one(tx: &mut Tx, job: Job, answers: &mut Vec<Answer>) -> Result<(), StoreError> {
    if job.undoable {
        Kept(Begin, &[]).run(&mut tx.view.conn)?;
    }
    let before = job.undoable.then(|| tx.tail.before());
    let ran = (job.run)(Some(tx));
    answers.push(ran.answer);
    match (ran.fate, before) {
        (Fate::Broken(error), _) => return Err(error),
        (Fate::Refused, Some(before)) => {
            tx.tail.undo(before);
            tx.view.conn.batch_execute("ROLLBACK TO unit")?;
        }
        _ => {}
    }
    if job.undoable {
        Kept(End, &[]).run(&mut tx.view.conn)?;
    }
    Ok(())
}

// Unlike other words in SQL they are kept, for there are two to most units.
statement!(Begin, "SAVEPOINT unit");
statement!(End, "RELEASE unit");

#[cfg(test)]
mod tests {
    use super::super::open;
    use super::*;

    type Told = oneshot::Receiver<Result<(), StoreError>>;

    /// Writes a row of the log at this place, of which there can be only one.
    fn row(tx: &mut Tx, place: i64) -> Result<(), StoreError> {
        tx.grow_log(&[(0, place, [0; 32])], b"edge")
    }

    fn refusal() -> StoreError {
        StoreError::Commit("refused".into())
    }

    /// A unit that writes a row, and then may refuse.
    fn writes(place: i64, refuses: bool) -> (Job, Told) {
        let (answer, told) = oneshot::channel();
        let work =
            move |tx: &mut Tx| row(tx, place).and_then(|()| if refuses { Err(refusal()) } else { Ok(()) });
        (Job::new(work, answer), told)
    }

    /// A unit that may refuse, and else writes a row.
    fn decides(place: i64, refuses: bool) -> (Job, Told) {
        let (answer, told) = oneshot::channel();
        let decide = move |_: &mut Tx| if refuses { Err(refusal()) } else { Ok(place) };
        (Job::decided(decide, row, answer), told)
    }

    /// Runs the units as one batch: whether each is told that it stands, and which rows there are then.
    fn batch(units: Vec<(Job, Told)>) -> (Vec<bool>, Vec<i64>) {
        let folder = tempfile::tempdir().unwrap();
        let mut tx = open::writer(&folder.path().join("store.db")).unwrap();
        let (jobs, told): (Vec<_>, Vec<_>) = units.into_iter().unzip();
        transact(&mut tx, jobs.into_iter(), false);
        let told = told.into_iter().map(|mut told| told.try_recv().unwrap().is_ok()).collect();
        let rows = (0..9).filter(|place| !tx.view.log_rows(0, *place, 1).unwrap().is_empty()).collect();
        (told, rows)
    }

    #[test]
    fn what_a_unit_refuses_is_undone_alone() {
        let units =
            vec![writes(0, false), writes(1, true), decides(2, false), decides(3, true), writes(4, false)];
        assert_eq!(batch(units), (vec![true, false, true, false, true], vec![0, 2, 4]));
    }

    #[test]
    fn of_a_batch_that_the_database_fails_nothing_stands_and_everybody_is_told() {
        let units = vec![writes(0, false), decides(1, false), decides(1, false), writes(2, false)];
        assert_eq!(batch(units), (vec![false; 4], vec![]));
    }

    #[test]
    fn a_row_that_is_there_already_fails_one_unit_where_it_can_be_undone_alone() {
        assert_eq!(batch(vec![writes(0, false), writes(0, false)]), (vec![true, false], vec![0]));
    }
}
