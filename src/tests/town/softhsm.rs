//! SoftHSM: a PKCS#11 token in a folder, which stands for the hardware.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::text;
use super::tools::{Told, run};

const PIN: &str = "7301-alpha";
const SO_PIN: &str = "7301-omega";
/// Where Debian and Fedora have it.
const MODULES: [&str; 3] =
    ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/lib64/libsofthsm2.so"];

/// A token labelled `house`.
pub(crate) struct SoftHsm(TempDir);

impl SoftHsm {
    pub(crate) fn start() -> Self {
        let softhsm =
            Self(tempfile::Builder::new().prefix("softhsm-").tempdir().expect("a temporary folder"));
        let tokens = softhsm.tokens();
        fs::create_dir(&tokens).expect("our own folder");
        let settings = format!("directories.tokendir = {}\n", text(&tokens));
        fs::write(softhsm.path("softhsm2.conf"), settings).expect("our own folder");
        fs::write(softhsm.path("pin"), PIN).expect("our own folder");
        let label = ["--init-token", "--free", "--label", "house"];
        softhsm.util(&[&label[..], &["--pin", PIN, "--so-pin", SO_PIN]].concat()).well();
        softhsm
    }

    /// A file beside the token; `pin` holds its PIN.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Where the token lies.
    pub(crate) fn tokens(&self) -> PathBuf {
        self.path("tokens")
    }

    pub(crate) fn module(&self) -> &'static Path {
        let found = MODULES.iter().map(Path::new).find(|path| path.exists());
        found.expect("softhsm2 is installed")
    }

    /// The variable by which programs find the token.
    pub(super) fn variable(&self) -> (String, PathBuf) {
        ("SOFTHSM2_CONF".into(), self.path("softhsm2.conf"))
    }

    /// What stands under `[authority.pkcs11]`.
    pub(crate) fn settings(&self) -> String {
        format!(
            "module = {:?}\ntoken = \"house\"\nkey = \"issuing\"\npin = {{ file = {:?} }}",
            self.module(),
            self.path("pin")
        )
    }

    /// The same on the command line of a ceremony.
    pub(crate) fn words(&self) -> String {
        format!("--module {} --token house --pin-file {}", text(self.module()), text(&self.path("pin")))
    }

    /// Puts a key that was made elsewhere into the token, as PKCS#8.
    pub(crate) fn import(&self, label: &str, pem: &Path) {
        let words = ["--import", text(pem), "--token", "house", "--label", label, "--id", "01", "--pin", PIN];
        self.util(&words).well();
    }

    fn util(&self, words: &[&str]) -> Told {
        let (name, value) = self.variable();
        run(Command::new("softhsm2-util").args(words).env(name, value))
    }
}
