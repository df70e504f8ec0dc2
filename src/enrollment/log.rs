//! The log: every certificate that was signed, in an append-only Merkle tree (RFC 9162), so that nothing can have been
//! issued in silence.
//!
//! A certificate is entered in the unit of work that notes it as signed. Whoever asks gets the size and the root, signed
//! by a key that signs nothing else, and the proof that a certificate is in it, which anybody can check elsewhere.

use std::path::Path;

pub(super) use ca::log::leaf_hash;
use ca::log::{Checkpoint, Frontier, Hash, LogKey, LogRefusal, Plan, Proof};
use chancery_ca as ca;
use serde::Serialize;

use super::{Enrollment, Failure, Refused, canonical, safe};
use crate::store::{LogRow, Store, StoreError, Tx, View};

/// The key that signs sizes and roots.
pub(super) struct Log {
    name: LogKey,
    key: ca::KeyPair,
}

/// What a look through the whole log found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LogChecked {
    pub(crate) intact: bool,
    pub(crate) size: u64,
    pub(crate) root: String,
    /// What does not fit.
    pub(crate) broken: Option<String>,
}

/// A proof for one certificate, with the name and key of the log it is about.
#[derive(Serialize)]
pub(crate) struct Proven {
    /// As `NAME+ID+KEY` (C2SP signed-note).
    pub(crate) log: String,
    pub(crate) certificate: String,
    pub(crate) proof: Proof,
}

impl Log {
    /// Reads the key, or makes it where there is none. The log is called after the domain.
    pub(super) fn open(state: &Path, domain: &str) -> Result<Self, Failure> {
        let path = state.join(KEY);
        let key = match safe::get(&path)?.map(String::from_utf8) {
            Some(Ok(pem)) => ca::KeyPair::from_pkcs8_pem(&pem)?,
            _ => {
                let key = ca::KeyPair::generate(ca::KeyKind::P256)?;
                safe::put(&path, key.to_pkcs8_pem().as_bytes())?;
                key
            }
        };
        let unusable = |_| Failure::Unusable { path, why: ca::Failure::Key("it cannot be the log's") };
        let origin = format!("{domain}/certificates").parse().map_err(unusable.clone())?;
        let name = LogKey::new(origin, key.public_key()?).map_err(unusable)?;
        Ok(Self { name, key })
    }
}

/// How the log grows by a certificate that was just signed; written in the unit of work that notes it as signed.
pub(super) struct Growth {
    place: i64,
    rows: Vec<LogRow>,
    edge: Vec<u8>,
}

impl Growth {
    pub(super) fn by(tx: &mut Tx, leaf: Hash) -> Result<Self, Failure> {
        let mut frontier = Frontier::from_bytes(&tx.edge()?)?;
        let place = signed(frontier.size());
        let row = |row: ca::log::Row| (i64::from(row.level), signed(row.place), *row.hash.as_bytes());
        let rows = frontier.append(leaf).into_iter().map(row).collect();
        Ok(Self { place, rows, edge: frontier.to_bytes() })
    }

    /// Returns the certificate's place.
    pub(super) fn write(self, tx: &mut Tx) -> Result<i64, StoreError> {
        tx.grow_log(&self.rows, &self.edge)?;
        Ok(self.place)
    }
}

/// Enters what was signed before there was a log, and what a crash left out.
pub(super) async fn catch_up(store: &Store) -> Result<(), Failure> {
    loop {
        let page = |tx: &mut Tx| -> Result<usize, Failure> {
            let page = tx.unlogged(PAGE)?;
            for (serial, der) in &page {
                let place = Growth::by(tx, leaf_hash(der))?.write(tx)?;
                tx.set_log_place(serial, place)?;
            }
            Ok(page.len())
        };
        if store.write(page).await? == 0 {
            return Ok(());
        }
    }
}

impl Enrollment {
    /// The log's name and key in one line, which a verifier is told once.
    pub(crate) fn log_key(&self) -> String {
        self.log.name.to_string()
    }

    /// Size and root of this moment, signed (C2SP tlog-checkpoint).
    pub(crate) async fn checkpoint(&self) -> Result<String, Failure> {
        Ok(self.signed_checkpoint().await?.1)
    }

    /// The proof that a certificate is in the log.
    pub(crate) async fn prove(&self, serial: &str) -> Result<Proven, Refused> {
        let serial = canonical(serial)?;
        let of = serial.clone();
        let found = self.store.read(move |view| view.logged(&of)).await?;
        let (place, der) = found.ok_or(Refused::NoCertificate(serial))?;
        let (size, checkpoint) = self.signed_checkpoint().await?;
        let index = u64::try_from(place).unwrap_or_default();
        let plan = Plan::inclusion(index, size).map_err(|why| Refused::Failed(Failure::Log(why)))?;
        let hashes = self.hashes(plan).await?;
        let proof = Proof { index, leaf: leaf_hash(&der), hashes, checkpoint };
        let certificate = ca::Certificate::parse(&der)?.to_pem();
        Ok(Proven { log: self.log_key(), certificate, proof })
    }

    /// The hashes that prove the log of one size to have grown out of that of another, and the present checkpoint.
    pub(crate) async fn prove_growth(&self, old: u64) -> Result<(Vec<Hash>, String), Refused> {
        let (size, checkpoint) = self.signed_checkpoint().await?;
        let plan = Plan::consistency(old, size).map_err(|why| Refused::Message(why.to_string()))?;
        Ok((self.hashes(plan).await?, checkpoint))
    }

    /// Builds the whole tree anew from the certificates of the ledger and compares it with what was kept.
    pub(crate) async fn check_log(&self) -> Result<LogChecked, Failure> {
        let (mut frontier, mut broken) = (Frontier::new(), None);
        loop {
            let first = signed(frontier.size());
            let page = self.store.read(move |view| read_page(view, first)).await?;
            let Some(last) = page.last().map(|(place, ..)| *place) else { break };
            for (place, der, kept) in page {
                let leaf = leaf_hash(&der);
                if place != signed(frontier.size()) || kept != Some(*leaf.as_bytes()) {
                    broken.get_or_insert_with(|| {
                        format!("the certificate at {} is missing or another", frontier.size())
                    });
                }
                frontier.append(leaf);
            }
            if last + 1 != signed(frontier.size()) {
                break; // Places are missing: the rest cannot be read in order.
            }
        }
        let edge = self.store.read(View::log_edge).await?;
        if Frontier::from_bytes(&edge.edge)?.root() != frontier.root() {
            broken.get_or_insert_with(|| "the kept edge is not that of the certificates".into());
        }
        if edge.published > signed(frontier.size()) {
            let sentence =
                format!("a size of {} was signed before, which the log does not reach", edge.published);
            broken.get_or_insert(sentence);
        }
        let (size, root) = (frontier.size(), frontier.root().to_string());
        Ok(LogChecked { intact: broken.is_none(), size, root, broken })
    }

    async fn signed_checkpoint(&self) -> Result<(u64, String), Failure> {
        // Read and noted in one unit, so that no smaller size is signed after a larger one.
        let take = |tx: &mut Tx| -> Result<Frontier, Failure> {
            let frontier = Frontier::from_bytes(&tx.edge()?)?;
            if tx.publish_log(signed(frontier.size()))? { Ok(frontier) } else { Err(Failure::OldLog) }
        };
        let frontier = self.store.write(take).await?;
        let checkpoint = Checkpoint::of(self.log.name.origin().clone(), &frontier);
        Ok((frontier.size(), checkpoint.sign(&self.log.key)?))
    }

    async fn hashes(&self, plan: Plan) -> Result<Vec<Hash>, Failure> {
        let spans: Vec<_> = plan.spans().collect();
        let read = move |view: &mut View| -> Result<Vec<Hash>, StoreError> {
            let mut hashes = Vec::new();
            for span in spans {
                let rows = view.log_rows(i64::from(span.level), signed(span.first), signed(span.count))?;
                hashes.extend(rows.into_iter().map(Hash::from));
            }
            Ok(hashes)
        };
        Ok(plan.prove(&self.store.read(read).await?)?)
    }
}

/// Checks a proof without the house: the log's line is what it told once.
pub(crate) fn check_proof(log: &str, certificate_pem: &str, proof: &str) -> Result<u64, String> {
    let log: LogKey = log.trim().parse().map_err(|why: LogRefusal| why.to_string())?;
    let certificate = ca::Certificate::from_pem(certificate_pem).map_err(|why| why.to_string())?;
    let proof = Proof::parse(proof.as_bytes()).map_err(|why| why.to_string())?;
    proof.verify(certificate.der(), &log).map(|checkpoint| checkpoint.size).map_err(|why| why.to_string())
}

/// A certificate of the log: its place, its DER, and the hash that was kept there.
type Entered = (i64, Vec<u8>, Option<[u8; 32]>);

/// Certificates from a place on.
fn read_page(view: &mut View, first: i64) -> Result<Vec<Entered>, StoreError> {
    let certificates = view.logged_from(first, PAGE)?;
    let rows = view.log_rows(0, first, PAGE)?;
    let kept = |place: i64| usize::try_from(place - first).ok().and_then(|at| rows.get(at).copied());
    Ok(certificates.into_iter().map(|(place, der)| (place, der, kept(place))).collect())
}

/// Sizes are far below this bound; a hostile number becomes one that is nowhere.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

const KEY: &str = "log.key";
const PAGE: i64 = 1000;
