//! Torn tails and damage: every cut and every flipped bit of a file.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::*;

const FILE: &str = "00000001.journal";

const OPTIONS: Options = Options { segment: 8192, most: 1 << 30 };

/// A journal of one segment with one message in each of `count` batches; where each batch ends.
fn written(folder: &Path, count: u64) -> (Journal, Vec<u64>) {
    let (journal, _) = Journal::open(folder, OPTIONS).unwrap();
    let mut ends = Vec::new();
    for number in 0..count {
        write(&journal, |records| {
            records.session(&state(1));
            let body = message("a", vec![number as u8; 20]);
            records.message(&body, &[owed(1, number)], false, None, &Kept::pending());
        })
        .unwrap();
        ends.push(journal.usage().bytes);
    }
    (journal, ends)
}

/// How many messages a journal holds, which must be the first ones.
fn first_ones(found: &Found) -> usize {
    let queue = found.sessions.first().map(|session| session.queue.as_slice()).unwrap_or_default();
    assert!(queue.iter().map(|one| one.owed.number).eq(0..queue.len() as u64));
    queue.len()
}

fn flip(path: &PathBuf, at: u64, bit: u32) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ (1 << bit)], at).unwrap();
}

#[test]
fn a_log_that_is_cut_anywhere_holds_what_was_committed_before_the_cut() {
    let folder = TempDir::new().unwrap();
    let (_journal, ends) = written(folder.path(), 4);
    for cut in segment::HEADER..=*ends.last().unwrap() {
        let crashed = copy(folder.path());
        OpenOptions::new().write(true).open(crashed.path().join(FILE)).unwrap().set_len(cut).unwrap();
        let whole = ends.iter().filter(|end| **end <= cut).count();
        let (journal, found) = Journal::open(crashed.path(), OPTIONS).unwrap();
        assert_eq!(first_ones(&found), whole, "cut at {cut}");
        // And goes on from there.
        write(&journal, |records| {
            let body = message("a", "more");
            records.message(&body, &[owed(1, whole as u64)], false, None, &Kept::pending());
            records.session(&state(1));
        })
        .unwrap();
        drop((journal, found));
        let (_, found) = Journal::open(crashed.path(), OPTIONS).unwrap();
        assert_eq!(first_ones(&found), whole + 1, "cut at {cut}, and one more");
    }
}

#[test]
fn a_flipped_bit_is_found_and_only_an_unsealed_tail_is_cut_off() {
    let folder = TempDir::new().unwrap();
    let (journal, ends) = written(folder.path(), 3);
    let open = copy(folder.path());
    drop(journal);
    let (last, all) = (ends[1], ends[2]);
    for at in 0..all {
        for (source, may_be_torn) in [(open.path(), at >= last), (folder.path(), false)] {
            let flipped = copy(source);
            flip(&flipped.path().join(FILE), at, at as u32 % 8);
            match Journal::open(flipped.path(), OPTIONS) {
                Err(OpenError::Damaged { path, at: found }) => {
                    assert!(
                        !may_be_torn && path.ends_with(FILE) && found <= at,
                        "bit at {at}, found at {found}"
                    );
                }
                Ok((_, found)) => assert!(may_be_torn && first_ones(&found) == 2, "bit at {at}"),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn damage_says_what_to_do() {
    let folder = TempDir::new().unwrap();
    drop(written(folder.path(), 2));
    flip(&folder.path().join(FILE), 40, 0);
    let error = Journal::open(folder.path(), OPTIONS).map(drop).unwrap_err().to_string();
    assert!(error.contains("00000001.journal is damaged at byte 32: restore"), "{error}");
}

#[test]
fn an_earlier_segment_may_miss_nothing() {
    let folder = TempDir::new().unwrap();
    let (journal, _) = Journal::open(folder.path(), SMALL).unwrap();
    for number in 0..30 {
        let kept = Kept::pending();
        write(&journal, |records| {
            records.message(&message("a", vec![1; 100]), &[owed(1, number)], false, None, &kept);
        })
        .unwrap();
    }
    assert!(journal.usage().segments > 3);
    let shorter = copy(folder.path());
    let second = shorter.path().join("00000002.journal");
    OpenOptions::new().write(true).open(&second).unwrap().set_len(SMALL.segment / 2).unwrap();
    assert!(
        matches!(Journal::open(shorter.path(), SMALL), Err(OpenError::Damaged { path, .. }) if path == second)
    );
    fs::remove_file(&second).unwrap();
    assert!(
        matches!(Journal::open(shorter.path(), SMALL), Err(OpenError::Damaged { path, .. }) if path == second)
    );
}

#[test]
fn a_payload_that_looks_like_a_batch_is_none() {
    let folder = TempDir::new().unwrap();
    let (journal, ends) = written(folder.path(), 2);
    let mut forged = fs::read(folder.path().join(FILE)).unwrap();
    forged.truncate(ends[1] as usize);
    write(&journal, |records| {
        records.message(&message("a", forged), &[owed(1, 2)], false, None, &Kept::pending());
    })
    .unwrap();
    // A torn tail in which batches of this very file stand whole, though not where they were written.
    let torn = copy(folder.path());
    flip(&torn.path().join(FILE), ends[1] + 1, 0);
    let (_, found) = Journal::open(torn.path(), OPTIONS).unwrap();
    assert_eq!(first_ones(&found), 2);
}

#[test]
fn a_batch_behind_a_torn_one_never_counts_again() {
    let folder = quick();
    let (journal, _) = written(folder.path(), 2);
    let tear = journal.usage().bytes;
    for number in [0, 1] {
        let before = journal.usage().bytes;
        let mut records = Records::new();
        records.taken(id(1), &[number]);
        journal.note(records);
        soon(|| journal.usage().bytes > before);
    }
    // Neither was flushed, so a power cut may keep the second without the first.
    let torn = copy(folder.path());
    flip(&torn.path().join(FILE), tear + 1, 0);
    let (journal, found) = Journal::open(torn.path(), OPTIONS).unwrap();
    assert_eq!(first_ones(&found), 2);
    // As long as the torn one, so the second would follow it.
    write(&journal, |records| records.taken(id(9), &[9])).unwrap();
    let (_, found) = Journal::open(copy(torn.path()).path(), OPTIONS).unwrap();
    assert_eq!(first_ones(&found), 2);
}
