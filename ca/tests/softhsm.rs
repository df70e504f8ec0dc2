//! SoftHSM: tokens in a folder, and for each test that uses them a process of its own.
//!
//! SoftHSM learns from the environment where its tokens are, and a program that has threads cannot change its
//! environment safely. Besides, a PKCS#11 module has one state for the whole process: a login by one test would be a
//! login for all, and no wrong PIN would ever be noticed. So the test program starts itself again, for one test and
//! with that variable set.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use chancery_ca::{Failure, Token};
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    session::{Session, UserType},
    types::AuthPin,
};
use tempfile::TempDir;

pub(crate) const PIN: &str = "7301-alpha";

/// The folder with the tokens.
pub(crate) struct SoftHsm(PathBuf);

/// Runs the body of a test, a closure in the test's function, in a process of its own.
pub(crate) fn alone<F: FnOnce(&SoftHsm)>(body: F) {
    if let Some(folder) = env::var_os(FOLDER) {
        return body(&SoftHsm(folder.into()));
    }
    let folder = TempDir::new().expect("a folder");
    let tokens = folder.path().join("tokens");
    fs::create_dir(&tokens).expect("a writable folder");
    let config = folder.path().join("softhsm2.conf");
    fs::write(&config, format!("directories.tokendir = {}\n", tokens.display())).expect("a writable folder");

    // `ca::pkcs11::a_test::{{closure}}` is the test `pkcs11::a_test` of the program `ca`.
    let name = std::any::type_name::<F>().trim_start_matches("ca::").trim_end_matches("::{{closure}}");
    let output = Command::new(env::current_exe().expect("this program"))
        .args([name, "--exact", "--nocapture"])
        .env("SOFTHSM2_CONF", config)
        .env(FOLDER, folder.path())
        .output()
        .expect("started again");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("1 passed"), "{name}: {}\n{said}", output.status);
    eprintln!("{said}");
}

impl SoftHsm {
    /// Makes a token whose PIN is [`PIN`].
    pub(crate) fn make(&self, label: &str) {
        self.util(&["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", SO_PIN]);
    }

    /// Puts a key that was made elsewhere into a token, as PKCS#8.
    pub(crate) fn import(&self, token: &str, label: &str, id: &str, pem: &str) {
        let file = self.0.join("import.pem");
        fs::write(&file, pem).expect("a writable folder");
        let file = file.display().to_string();
        self.util(&["--import", &file, "--token", token, "--label", label, "--id", id, "--pin", PIN]);
    }

    /// Makes a token and opens it.
    pub(crate) fn open(&self, label: &str) -> Token {
        self.make(label);
        self.try_open(label, PIN).expect("opened")
    }

    pub(crate) fn try_open(&self, label: &str, pin: &str) -> Result<Token, Failure> {
        Token::open(&module(), label, pin.as_bytes())
    }

    fn util(&self, arguments: &[&str]) {
        let output = Command::new("softhsm2-util").args(arguments).output().expect("softhsm2 is installed");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Somebody else in this process who uses the same module.
pub(crate) fn neighbour() -> Pkcs11 {
    let module = Pkcs11::new(module()).expect("a module");
    // Our own code has started it already.
    let _ = module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    module
}

/// The neighbour's session with the only token, logged in.
pub(crate) fn session(module: &Pkcs11) -> Session {
    let slot = module.get_slots_with_initialized_token().expect("slots")[0];
    let session = module.open_rw_session(slot).expect("a session");
    let _ = session.login(UserType::User, Some(&AuthPin::from(PIN)));
    session
}

/// Where Debian and Fedora put the module.
fn module() -> PathBuf {
    let places = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so"];
    let place = places.iter().map(Path::new).find(|place| place.exists());
    place.expect("softhsm2 is installed").to_owned()
}

const SO_PIN: &str = "0000-omega";
const FOLDER: &str = "CHANCERY_TEST_TOKENS";
