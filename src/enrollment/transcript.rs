//! The transcript of a ceremony: plain text that names every step with its files, their hashes, and the commands by which
//! anybody can check it afterwards with `sha256sum` and `openssl` alone.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Failure, safe};
use crate::audit::to_hex;
use crate::time::Timestamp;

/// The text so far.
pub(super) struct Transcript(String);

impl Transcript {
    pub(super) fn begin(domain: &str) -> Self {
        Self(format!(
            "The root of {domain}\n\n\
             Each step names its files, each with its SHA-256, and the commands that check it. They stand behind dollar\n\
             signs; in this folder, this runs all of them, and ends with an error if one does not hold:\n\n    \
             sed -n 's/^[$] //p' {NAME} | sh -eu\n"
        ))
    }

    /// The one in a ceremony's folder.
    pub(super) fn of(folder: &Path) -> Result<Self, Failure> {
        safe::text(&Self::path(folder)).map(Self)
    }

    pub(super) fn path(folder: &Path) -> PathBuf {
        folder.join(NAME)
    }

    pub(super) fn keep(&self, folder: &Path) -> Result<(), Failure> {
        safe::put(&Self::path(folder), self.0.as_bytes())
    }

    pub(super) fn sha256(&self) -> String {
        to_hex(&Sha256::digest(&self.0))
    }

    /// The root was made; `whereabouts` is where its key is.
    pub(super) fn root(&mut self, whereabouts: &str, certificate: &[u8], now: Timestamp) {
        self.step("the root", now);
        self.say(&format!("Its key is on P-384, {whereabouts}. It has signed its own certificate."));
        self.file("root.pem", certificate);
        let at = seconds(now);
        self.command(&format!(
            "openssl verify -x509_strict -check_ss_sig -attime {at} -CAfile root.pem root.pem"
        ));
        self.command("openssl x509 -in root.pem -noout -ext basicConstraints | grep -q 'CA:TRUE, pathlen:1'");
    }

    /// The root has signed a list.
    pub(super) fn list(&mut self, number: u32, list: &[u8], now: Timestamp) {
        self.step(&format!("the root's list, number {number}"), now);
        self.say("Nothing is revoked. The list is good for a year.");
        let name = format!("root-{number}.crl");
        self.file(&name, list);
        self.command(&format!("openssl crl -in {name} -CAfile root.pem -noout 2>&1 | grep -qx 'verify OK'"));
        self.command(&format!("openssl crl -in {name} -noout -text | grep -q 'No Revoked Certificates'"));
    }

    /// The root has certified an issuing CA.
    pub(super) fn issuing(&mut self, number: u32, request: &[u8], issuing: &[u8], now: Timestamp) {
        self.step(&format!("issuing CA, number {number}"), now);
        self.say("The certificate holds the key of the request, whose signature proves that its owner has the other half.");
        let (asked, given) = (format!("issuing-{number}.csr"), format!("issuing-{number}.pem"));
        self.file(&asked, request);
        self.file(&given, issuing);
        let at = seconds(now);
        self.command(&format!("openssl req -in {asked} -noout -verify 2>&1 | grep -q 'verify OK'"));
        self.command(&format!(
            "test \"$(openssl req -in {asked} -noout -pubkey)\" = \"$(openssl x509 -in {given} -noout -pubkey)\""
        ));
        self.command(&format!("openssl verify -x509_strict -attime {at} -CAfile root.pem {given}"));
        self.command(&format!(
            "openssl x509 -in {given} -noout -ext basicConstraints | grep -q 'CA:TRUE, pathlen:0'"
        ));
    }

    /// Hash and name of every file, in order.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.lines().filter_map(|line| {
            line.strip_prefix("$ echo '")?.strip_suffix("' | sha256sum -c")?.split_once("  ")
        })
    }

    fn step(&mut self, title: &str, now: Timestamp) {
        let before = self.0.lines().filter(|line| line.starts_with("Step ")).count();
        self.line(&format!("\nStep {}, {now}: {title}\n", before + 1));
    }

    fn say(&mut self, sentence: &str) {
        self.line(&format!("{sentence}\n"));
    }

    fn file(&mut self, name: &str, bytes: &[u8]) {
        self.command(&format!("echo '{}  {name}' | sha256sum -c", to_hex(&Sha256::digest(bytes))));
    }

    fn command(&mut self, line: &str) {
        self.line(&format!("$ {line}"));
    }

    fn line(&mut self, text: &str) {
        // Writing to memory does not fail.
        let _ = writeln!(self.0, "{text}");
    }
}

/// Since 1970, as openssl takes it: the commands must hold for as long as the paper does.
fn seconds(now: Timestamp) -> i64 {
    now.to_offset().unix_timestamp()
}

const NAME: &str = "transcript.txt";
