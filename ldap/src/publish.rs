//! Writing: the certificate of a person that others find in the directory, and nothing else.
//!
//! It stands in `userCertificate`, in binary (RFC 4523 §2.1), where mail programs look for it.

use std::collections::HashSet;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::connector::Connector;
use crate::error::Error;
use crate::request::Modification;
use crate::search::Search;

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// The entry holds what it should.
    Done,
    /// Nobody with this login and id is there.
    NoEntry,
}

const ATTRIBUTE: &str = "userCertificate";
/// How it is named on the wire (RFC 4522 §3).
const IN_BINARY: &str = "userCertificate;binary";

impl Connector {
    /// Sees to it that a person's entry holds `wanted`, if anything, and none of `gone`, all in DER. Other certificates
    /// there are somebody else's and stay; what is so already is not written again. `now` is as for [`Connector::find`].
    pub async fn publish(
        &self,
        login: &str,
        id: Uuid,
        wanted: Option<Vec<u8>>,
        gone: Vec<Vec<u8>>,
        now: OffsetDateTime,
    ) -> Result<Published, Error> {
        // A login may have been given to somebody new.
        let person = self.find(login, now).await?.filter(|person| person.id == id);
        let Some(person) = person else { return Ok(Published::NoEntry) };
        let inner = self.ready().await;
        let certificates = Search::entry("reading certificates", &person.dn, &[IN_BINARY]);
        let found = inner.search(&certificates).await?;
        let held = found.entries.iter().flat_map(|entry| entry.values(ATTRIBUTE));
        let changes = changes(&held.collect(), wanted.as_deref(), &gone);
        if !changes.is_empty() {
            inner.modify("publishing a certificate", &person.dn, &changes).await?;
        }
        Ok(Published::Done)
    }
}

/// Value by value, so that nothing of others is touched (RFC 4511 §4.6).
fn changes<'a>(
    held: &HashSet<&[u8]>,
    wanted: Option<&'a [u8]>,
    gone: &'a [Vec<u8>],
) -> Vec<Modification<'a>> {
    let mut gone: Vec<&[u8]> =
        gone.iter().map(Vec::as_slice).filter(|one| held.contains(one) && Some(*one) != wanted).collect();
    gone.sort_unstable();
    gone.dedup();
    let new: Vec<&[u8]> = wanted.into_iter().filter(|one| !held.contains(one)).collect();
    let mut changes = Vec::new();
    if !gone.is_empty() {
        changes.push(Modification::Delete(IN_BINARY, gone));
    }
    if !new.is_empty() {
        changes.push(Modification::Add(IN_BINARY, new));
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values to delete and to add.
    fn changed(held: &[&[u8]], wanted: Option<&[u8]>, gone: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let gone: Vec<_> = gone.iter().map(|one| one.to_vec()).collect();
        let (mut deleted, mut added) = (Vec::new(), Vec::new());
        for change in changes(&held.iter().copied().collect(), wanted, &gone) {
            let (list, values) = match change {
                Modification::Delete(IN_BINARY, values) => (&mut deleted, values),
                Modification::Add(IN_BINARY, values) => (&mut added, values),
                other => panic!("{other:?}"),
            };
            list.extend(values.into_iter().map(<[u8]>::to_vec));
        }
        (deleted, added)
    }

    #[test]
    fn only_what_differs_is_written_and_what_is_others_stays() {
        let none: (Vec<Vec<u8>>, Vec<Vec<u8>>) = (Vec::new(), Vec::new());
        assert_eq!(changed(&[b"theirs"], Some(b"new"), &[]), (vec![], vec![b"new".to_vec()]));
        let both = (vec![b"old".to_vec()], vec![b"new".to_vec()]);
        assert_eq!(changed(&[b"theirs", b"old"], Some(b"new"), &[b"old"]), both);
        assert_eq!(changed(&[b"theirs", b"new"], Some(b"new"), &[b"old"]), none, "done before");
        assert_eq!(changed(&[b"theirs", b"old"], None, &[b"old"]), (vec![b"old".to_vec()], vec![]));
        assert_eq!(changed(&[b"theirs"], None, &[]), none);
    }
}
