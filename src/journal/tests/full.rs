//! A disk that is full: refused with a reason, and nothing acknowledged is lost.

use std::process::Command;

use super::*;

/// A file system of its own with this much room.
struct Disk(TempDir);

impl Disk {
    fn of(kilobytes: u32) -> Self {
        let folder = TempDir::new().unwrap();
        let size = format!("size={kilobytes}k");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).status();
        assert!(mount.unwrap().success(), "these tests run as root");
        Self(folder)
    }

    fn room(&self) -> u64 {
        let said = Command::new("df").args(["--output=avail", "-B1"]).arg(self.0.path()).output().unwrap();
        String::from_utf8(said.stdout).unwrap().lines().last().unwrap().trim().parse().unwrap()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        assert!(Command::new("umount").arg(self.0.path()).status().unwrap().success());
    }
}

/// Publishes to session 1 until the journal is full; what was acknowledged.
fn fill(journal: &Journal, first: u64) -> Vec<(u64, Arc<Kept>)> {
    let mut kept = Vec::new();
    for number in first..first + 100_000 {
        let handle = Kept::pending();
        let body = message("a", number.to_string().into_bytes().repeat(100));
        match write(journal, |records| records.message(&body, &[owed(1, number)], false, None, &handle)) {
            Ok(()) => kept.push((number, handle)),
            Err(error) => {
                assert_eq!((error, handle.fate()), (JournalError::Full, Fate::Failed));
                return kept;
            }
        }
    }
    panic!("the disk is never full");
}

/// Session 1 as the broker would hold it.
struct Holder(Vec<(u64, Arc<Kept>)>);

impl Present for Holder {
    fn session(&self, session: SessionId) -> Option<SessionState> {
        (session == id(1)).then(|| state(1))
    }

    fn owed(&self, session: SessionId, number: u64) -> Option<(Owed, Arc<Kept>)> {
        let (_, kept) = self.0.iter().find(|(one, _)| session == id(1) && *one == number)?;
        Some((owed(1, number), kept.clone()))
    }

    fn retained(&self, _: &TopicName) -> Option<Arc<Kept>> {
        None
    }
}

const OPTIONS: Options = Options { segment: 256 << 10, most: 1 << 30 };

#[test]
fn a_full_disk_refuses_messages_and_loses_none_that_it_took() {
    let disk = Disk::of(4096);
    let (journal, _) = Journal::open(disk.0.path(), OPTIONS).unwrap();
    write(&journal, |records| records.session(&state(1))).unwrap();
    let kept = fill(&journal, 0);
    assert!(kept.len() > 1000, "{}", kept.len());
    for (number, handle) in &kept {
        assert_eq!(journal.read(handle).unwrap().payload, number.to_string().into_bytes().repeat(100));
    }
    let numbers =
        |found: &Found| found.sessions[0].queue.iter().map(|one| one.owed.number).collect::<Vec<_>>();
    let expected: Vec<u64> = kept.iter().map(|(number, _)| *number).collect();
    let crashed = copy(disk.0.path());
    let (_, found) = Journal::open(crashed.path(), OPTIONS).unwrap();
    assert_eq!(numbers(&found), expected);
    drop((journal, found));
    let (_, found) = Journal::open(disk.0.path(), OPTIONS).unwrap();
    assert_eq!(numbers(&found), expected);
}

#[test]
fn on_a_full_disk_acknowledgements_still_pass_and_a_sweep_makes_room() {
    let disk = Disk::of(4096);
    let (journal, _) = Journal::open(disk.0.path(), OPTIONS).unwrap();
    write(&journal, |records| records.session(&state(1))).unwrap();
    let mut kept = fill(&journal, 0);
    let next = kept.last().unwrap().0 + 1;
    // Somebody else takes what is left.
    fs::write(disk.0.path().join("other"), vec![1; disk.room() as usize]).unwrap();
    assert_eq!(disk.room(), 0);
    let gone: Vec<u64> = kept.drain(..next as usize / 2).map(|(number, _)| number).collect();
    for numbers in gone.chunks(10) {
        write(&journal, |records| records.taken(id(1), numbers)).unwrap();
    }
    write(&journal, |records| records.subscribed(id(1), &subscription("a"))).unwrap();
    let holder = Holder(kept);
    while journal.sweep(&holder).unwrap() {}
    let more = fill(&journal, next);
    assert!(more.len() as u64 > next / 4, "{} of {next}", more.len());

    let expected: Vec<u64> = holder.0.iter().chain(&more).map(|(number, _)| *number).collect();
    drop((journal, holder, more));
    let (_, found) = Journal::open(disk.0.path(), OPTIONS).unwrap();
    let numbers: Vec<u64> = found.sessions[0].queue.iter().map(|one| one.owed.number).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn a_message_that_is_refused_takes_nothing_with_it() {
    let disk = Disk::of(4096);
    let (journal, _) = Journal::open(disk.0.path(), OPTIONS).unwrap();
    write(&journal, |records| records.session(&state(1))).unwrap();
    fs::write(disk.0.path().join("other"), vec![1; disk.room() as usize]).unwrap();
    // Both wait for the same commit.
    let (open_gate, gate) = mpsc::channel::<()>();
    journal.append(Records::new(), move |_| gate.recv().unwrap());
    let (tell, told) = mpsc::channel();
    for large in [true, false] {
        let mut records = Records::new();
        match large {
            true => records.message(&message("a", vec![0; 3 << 20]), &[], false, None, &Kept::pending()),
            false => records.attached(id(1), 3),
        }
        let tell = tell.clone();
        journal.append(records, move |result| tell.send(result).unwrap());
    }
    open_gate.send(()).unwrap();
    assert_eq!([told.recv().unwrap(), told.recv().unwrap()], [Err(JournalError::Full), Ok(())]);
    drop(journal);
    let (_, found) = Journal::open(disk.0.path(), OPTIONS).unwrap();
    assert_eq!(found.sessions[0].state.expiry, 3);
}

#[test]
fn beyond_its_own_bound_the_journal_takes_all_but_messages() {
    let folder = TempDir::new().unwrap();
    let (journal, _) = Journal::open(folder.path(), Options { segment: 10_000, most: 50_000 }).unwrap();
    write(&journal, |records| records.session(&state(1))).unwrap();
    let mut kept = fill(&journal, 0);
    assert!((40_000..=50_000).contains(&journal.usage().bytes));
    let numbers: Vec<u64> = kept.drain(..).map(|(number, _)| number).collect();
    write(&journal, |records| records.taken(id(1), &numbers)).unwrap();
    let holder = Holder(kept);
    while journal.sweep(&holder).unwrap() {}
    assert!(journal.usage().segments <= 2, "{:?}", journal.usage());
    fill(&journal, numbers.len() as u64);
}
