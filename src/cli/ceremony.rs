//! `ca root`: the ceremony of a root, on a host without network.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::output::Output;
use super::password;
use super::trouble::Trouble;
use crate::config;
use crate::enrollment::{Ceremony, Failure, Pkcs11, RootKey, Step};
use crate::secret::SecretSource;
use crate::time;

/// One deed of it.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("deed").required(true))]
pub(super) struct Root {
    /// Holds the root, what it has signed, and the transcript
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Make a root for this domain, and its first list
    #[arg(long, group = "deed", value_parser = super::named)]
    domain: Option<String>,
    /// O= of its certificates [default: the domain]
    #[arg(long, requires = "domain", value_parser = super::named)]
    organization: Option<String>,
    /// Certify the issuing CA that asks in this request
    #[arg(long, group = "deed", value_name = "REQUEST", requires = "public_url")]
    sign: Option<PathBuf>,
    /// Where the house publishes the root's list, as its `init` has said
    #[arg(long, value_name = "URL", requires = "sign")]
    public_url: Option<String>,
    /// Sign the root's next list
    #[arg(long, group = "deed")]
    crl: bool,
    /// Hold everything in the folder against the transcript and the root
    #[arg(long, group = "deed")]
    verify: bool,
    #[command(flatten)]
    key: Key,
}

/// Where the root's key is: sealed in the folder with a passphrase, which is asked for, or in a token.
#[derive(Args, Debug)]
struct Key {
    /// Read the passphrase from a file
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_credential")]
    passphrase_file: Option<PathBuf>,
    /// Take the passphrase from a credential of systemd
    #[arg(long, value_name = "NAME")]
    passphrase_credential: Option<String>,
    /// The library of a PKCS#11 token that holds the key
    #[arg(long, value_name = "FILE", requires_all = ["token", "pin_file"], conflicts_with_all = ["passphrase_file", "passphrase_credential"])]
    module: Option<PathBuf>,
    /// The token's label
    #[arg(long, value_name = "LABEL", requires = "module")]
    token: Option<String>,
    /// The key's label
    #[arg(long, value_name = "LABEL", requires = "module", default_value = "root")]
    label: String,
    /// Read the token's PIN from a file
    #[arg(long, value_name = "FILE", requires = "module")]
    pin_file: Option<PathBuf>,
}

impl Root {
    pub(super) fn run(self, out: &mut Output<'_>) -> Result<(), Trouble> {
        if self.verify {
            return self.check(out);
        }
        let ceremony = Ceremony::at(&self.folder, self.key.find()?, config::credentials());
        let now = time::now();
        let step = match (self.domain, self.sign.zip(self.public_url)) {
            (Some(domain), _) => ceremony.found(&domain, self.organization, now),
            (None, Some((request, url))) => {
                let bytes =
                    std::fs::read(&request).map_err(|error| Trouble::file("read", &request, &error))?;
                ceremony.sign(&bytes, &url, now)
            }
            (None, None) => ceremony.list(now),
        };
        show(&step.map_err(|why| trouble(&why))?, out)
    }

    fn check(&self, out: &mut Output<'_>) -> Result<(), Trouble> {
        let checked = Ceremony::check(&self.folder).map_err(|why| trouble(&why))?;
        out.show(&["intact", "files", "broken"], &json!(checked))?;
        match checked.broken {
            None => Ok(()),
            Some(why) => Err(Trouble::Failed(why)),
        }
    }
}

impl Key {
    fn find(&self) -> Result<RootKey, Trouble> {
        if let (Some(module), Some(token), Some(pin)) = (&self.module, &self.token, &self.pin_file) {
            let (module, token, key) = (module.clone(), token.clone(), self.label.clone());
            return Ok(RootKey::Token(Pkcs11 { module, token, key, pin: SecretSource::File(pin.clone()) }));
        }
        let file = self.passphrase_file.clone().map(SecretSource::File);
        let source = file.or_else(|| self.passphrase_credential.clone().map(SecretSource::Credential));
        let passphrase = match source {
            Some(source) => source
                .read(config::credentials().as_deref())
                .map_err(|why| Trouble::Usage(why.to_string()))?,
            None => password::ask("Passphrase")?,
        };
        Ok(RootKey::Sealed(passphrase))
    }
}

fn show(step: &Step, out: &mut Output<'_>) -> Result<(), Trouble> {
    out.show(&["files", "transcript", "sha256"], &json!(step))?;
    match out.json() {
        true => Ok(()),
        false => out.text(
            "\nThe transcript says how each file is checked. Write its SHA-256 down, away from this host.\n",
        ),
    }
}

fn trouble(why: &Failure) -> Trouble {
    match why.is_refusal() {
        true => Trouble::Refused(why.to_string()),
        false => Trouble::Failed(why.to_string()),
    }
}
