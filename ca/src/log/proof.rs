//! Proofs: what travels with a certificate so that anybody can see that it is in the log.

use serde::{Deserialize, Serialize};

use super::{Checkpoint, Hash, LogKey, LogRefusal, leaf_hash, verify_inclusion};

/// The proof that one certificate is in the log. It is serialized as it stands, and says nothing twice: name, size and
/// root stand in the checkpoint, where they are signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The place of the certificate in the log, counted from 0.
    pub index: u64,
    /// The certificate's leaf: which certificate this is about.
    pub leaf: Hash,
    /// The hashes that lead from the leaf to the root, in that order.
    pub hashes: Vec<Hash>,
    /// A signed checkpoint whose tree holds the certificate.
    pub checkpoint: String,
}

impl Proof {
    /// Reads JSON of at most 192 kB, most of which can be signatures of witnesses.
    pub fn parse(json: &[u8]) -> Result<Proof, LogRefusal> {
        if json.len() > LONGEST {
            return Err(LogRefusal::Malformed("a proof has at most 192 kB"));
        }
        let malformed = LogRefusal::Malformed("it is not the JSON of a proof");
        // An array of the values, in the order in which they happen to stand above, would be read as well.
        if !json.trim_ascii_start().starts_with(b"{") {
            return Err(malformed);
        }
        serde_json::from_slice(json).map_err(|_| malformed)
    }

    /// Demands that the certificate is in the log, as the log itself signed; gives the checkpoint that says so.
    ///
    /// The leaf is compared, the signature verified, the hashes walked from the leaf up to the signed root. That the
    /// log shows the same tree to everybody is not proven: for that, compare the checkpoint with those that others saw.
    pub fn verify(&self, certificate_der: &[u8], log: &LogKey) -> Result<Checkpoint, LogRefusal> {
        if leaf_hash(certificate_der) != self.leaf {
            return Err(LogRefusal::OtherCertificate);
        }
        let checkpoint = Checkpoint::open(&self.checkpoint, log)?;
        verify_inclusion(&self.leaf, self.index, checkpoint.size, &self.hashes, &checkpoint.root)?;
        Ok(checkpoint)
    }
}

const LONGEST: usize = 192 * 1024;
