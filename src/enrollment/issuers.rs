//! The issuing CAs of the house: the one that signs today, and those before it, which stay until the last of their
//! certificates has ended.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use chancery_ca as ca;

use super::status::renewal_window;
use super::{Failure, keys, safe};
use crate::time::Timestamp;

/// One of them, by its certificate and the root's. What its chain shows, it shows.
#[derive(Debug)]
pub(super) struct Issuer {
    /// Which one it is, counted from 1: what the ledger and the names of files say.
    pub(super) number: u32,
    chain: ca::Chain,
}

/// All of them at one moment.
#[derive(Clone)]
pub(super) struct Issuers {
    current: Arc<Issuer>,
    /// Newest first.
    former: Vec<Arc<Issuer>>,
}

impl Issuer {
    pub(super) fn new(number: u32, chain: ca::Chain) -> Arc<Self> {
        Arc::new(Self { number, chain })
    }

    /// Half its life is over: what it signs from now on might be cut short by its own end.
    pub(super) fn is_half_over(&self, now: Timestamp) -> bool {
        let (from, until): (Timestamp, Timestamp) =
            (self.issuing().not_before.into(), self.issuing().not_after.into());
        now.since(from) >= until.since(from) / 2
    }
}

impl Deref for Issuer {
    type Target = ca::Chain;

    fn deref(&self) -> &ca::Chain {
        &self.chain
    }
}

impl Issuers {
    /// Those whose certificates lie in a folder. The one with the highest number is the current one, so that a new one
    /// comes into force with its file, which is written whole or not at all.
    pub(super) fn read(folder: &Path) -> Result<Self, Failure> {
        let certificate = |name: &str| -> Result<ca::Certificate, Failure> {
            let path = folder.join(name);
            ca::Certificate::from_pem(&safe::text(&path)?).map_err(|why| Failure::Unusable { path, why })
        };
        let root = certificate(keys::ROOT_CERTIFICATE)?;
        let mut numbers = numbers(folder)?;
        numbers.sort_unstable_by(|one, other| other.cmp(one));
        let mut all = Vec::new();
        for number in numbers {
            let issuing = certificate(&file(number, "pem"))?;
            let chain = ca::Chain::new(issuing, root.clone())
                .map_err(|why| Failure::Unusable { path: folder.join(file(number, "pem")), why })?;
            all.push(Issuer::new(number, chain));
        }
        let mut all = all.into_iter();
        let current = all.next().ok_or_else(|| Failure::NotFounded(folder.into()))?;
        Ok(Self { current, former: all.collect() })
    }

    /// The one that signs.
    pub(super) fn current(&self) -> &Arc<Issuer> {
        &self.current
    }

    /// Those that signed before.
    pub(super) fn former(&self) -> &[Arc<Issuer>] {
        &self.former
    }

    /// The current one first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Issuer>> {
        std::iter::once(&self.current).chain(&self.former)
    }

    /// The one with this key identifier, lower-case hex.
    pub(super) fn by_key_id(&self, id: &str) -> Option<&Arc<Issuer>> {
        self.all().find(|one| one.key_id() == id)
    }

    /// The one that a certificate names as its issuer.
    pub(super) fn of(&self, certificate: &ca::Certificate) -> Option<&Arc<Issuer>> {
        let named = self.by_key_id(certificate.issuer_key_id.as_deref()?)?;
        (certificate.issuer == named.issuer_name()).then_some(named)
    }

    /// The same with a new one, which signs from now on.
    pub(super) fn with(&self, new: Arc<Issuer>) -> Self {
        Self { former: self.all().cloned().collect(), current: new }
    }

    /// The same without a former one.
    pub(super) fn without(&self, number: u32) -> Self {
        let former = self.former.iter().filter(|one| one.number != number).cloned().collect();
        Self { current: self.current.clone(), former }
    }

    /// Whether there are as many as there may be.
    pub(super) fn are_full(&self) -> bool {
        self.former.len() + 1 >= MOST
    }

    /// When a certificate is best renewed that an issuing CA has signed. Under a former one this begins when its
    /// successor took over, and is spread over a third of what then was left.
    pub(super) fn renewal_window(
        &self,
        number: u32,
        (from, until): (Timestamp, Timestamp),
    ) -> (Timestamp, Timestamp) {
        let (start, end) = renewal_window(from, until);
        if number == self.current.number {
            return (start, end);
        }
        let rolled = from.max(self.current.issuing().not_before.into());
        (start.min(rolled), end.min(rolled.after(until.since(rolled) / 3)))
    }
}

/// What belongs to an issuing CA has its number in its name from the second on.
pub(super) fn name(stem: &str, number: u32) -> String {
    if number == 1 { stem.to_owned() } else { format!("{stem}-{number}") }
}

/// A file of an issuing CA in the authority's folder.
pub(super) fn file(number: u32, kind: &str) -> String {
    format!("{}.{kind}", name(keys::ISSUING, number))
}

/// Of which there are certificates in a folder.
fn numbers(folder: &Path) -> Result<Vec<u32>, Failure> {
    let fault = |why| Failure::file(folder, why);
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fault)? {
        let name = entry.map_err(fault)?.file_name();
        let rest = name.to_str().and_then(|name| name.strip_prefix(keys::ISSUING)?.strip_suffix(".pem"));
        numbers.extend(rest.and_then(|rest| match rest {
            "" => Some(1),
            rest => rest.strip_prefix('-')?.parse().ok(),
        }));
    }
    Ok(numbers)
}

/// How many there may be at a time. Each has a key that must be kept and lists that must be signed.
const MOST: usize = 4;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const START: Timestamp = Timestamp::from_micros(1_795_262_400_000_000);

    /// The issuing CAs of one root that were made on these days.
    fn made_on(days: &[u32]) -> Issuers {
        let organization = ca::Organization { name: "Corp".into(), domain: "corp.example".into() };
        let urls = ca::Urls {
            crl: "http://x/c".into(),
            shards: Vec::new(),
            issuer: "http://x/i".into(),
            ocsp: None,
        };
        let key = || ca::KeyPair::generate(ca::KeyKind::P256).unwrap();
        let root = ca::Root::found(&organization, key(), START.to_offset()).unwrap();
        let make = |(number, day): (u32, &u32)| {
            let at = START.after(DAY * *day).to_offset();
            let issuing = root.certify(&key().public_key().unwrap(), number, &urls, at).unwrap();
            Issuer::new(number, ca::Chain::new(issuing, root.certificate().clone()).unwrap())
        };
        let mut all = (1..).zip(days).map(make);
        let first = Issuers { current: all.next().unwrap(), former: Vec::new() };
        all.fold(first, |issuers, new| issuers.with(new))
    }

    #[test]
    fn whoever_has_a_certificate_of_a_former_one_is_to_renew_within_a_third_of_what_is_left() {
        let issuers = made_on(&[0, 40]);
        let life = (START.after(DAY * 10), START.after(DAY * 100));
        let day = |at: Timestamp| at.since(START).as_secs() / 86_400;
        let (from, until) = issuers.renewal_window(2, life);
        assert_eq!((day(from), day(until)), (70, 85));
        let (from, until) = issuers.renewal_window(1, life);
        assert_eq!((day(from), day(until)), (39, 59), "the new one begins five minutes early");
        // Whoever is late already is not made to wait.
        let (from, until) = issuers.renewal_window(1, (START, START.after(DAY * 42)));
        assert_eq!((day(from), day(until)), (28, 35));
    }

    #[test]
    fn no_two_have_one_name_and_the_newest_signs() {
        let issuers = made_on(&[0, 1, 2]);
        let names: Vec<_> =
            issuers.all().map(|one| (one.number, one.issuing().common_name.clone().unwrap())).collect();
        let expected = [(3, "corp.example CA 3"), (2, "corp.example CA 2"), (1, "corp.example issuing CA")];
        assert_eq!(names, expected.map(|(number, name)| (number, name.to_owned())));
        assert!(!issuers.are_full());
        assert_eq!(issuers.without(2).all().map(|one| one.number).collect::<Vec<_>>(), [3, 1]);
        assert!(issuers.by_key_id("00").is_none());
    }
}
