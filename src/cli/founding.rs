//! Founding under a root that is elsewhere: what `init` and `signer init` take for it, and what they then say.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::output::Output;
use super::trouble::Trouble;
use crate::appliance::Asked;
use crate::enrollment::Founding;

/// Under which root.
#[derive(Args, Debug)]
pub(super) struct Under {
    /// Leave the root where it is: make the issuing CA's key alone, and a request that this root is to answer
    #[arg(long, value_name = "ROOT.PEM", conflicts_with_all = ["issuing", "root_crl"])]
    root: Option<PathBuf>,
    /// Finish with its answer: the issuing CA's certificate
    #[arg(long, value_name = "ISSUING.PEM", requires = "root_crl")]
    issuing: Option<PathBuf>,
    /// And the root's own list
    #[arg(long, value_name = "ROOT.CRL", requires = "issuing")]
    root_crl: Option<PathBuf>,
}

impl Under {
    pub(super) fn read(&self) -> Result<Founding, Trouble> {
        Ok(match (&self.root, &self.issuing, &self.root_crl) {
            (Some(root), _, _) => Founding::Ask { root: text(root)? },
            (_, Some(issuing), Some(list)) => Founding::Answer { issuing: text(issuing)?, list: text(list)? },
            _ => Founding::OwnRoot,
        })
    }
}

/// Where the request is, and what its owner does next.
pub(super) fn show_request(
    config: &Path,
    state_dir: &Path,
    asked: &Asked,
    out: &mut Output<'_>,
) -> Result<(), Trouble> {
    let Asked { request, public_url } = asked;
    let answer: Value = json!({
        "config": config, "state_dir": state_dir, "request": request, "public_url": public_url,
    });
    out.show(&["config", "state_dir", "request", "public_url"], &answer)?;
    match out.json() {
        true => Ok(()),
        false => out.text(&next(&answer["public_url"], FINISH)),
    }
}

/// What is done with a request; `finish` is how its answer comes in.
pub(super) fn next(public_url: &Value, finish: &str) -> String {
    let url = public_url.as_str().unwrap_or_default();
    format!(
        "\nCarry the request to where the root is, and have it answered there:\n    \
         chancery ca root FOLDER --sign issuing.csr --public-url {url}\nThen, here: {finish}\n"
    )
}

const FINISH: &str = "what you said just now, with --issuing issuing-1.pem --root-crl root-1.crl in the place of --root ROOT.PEM";

pub(super) fn text(path: &Path) -> Result<String, Trouble> {
    std::fs::read_to_string(path).map_err(|error| Trouble::file("read", path, &error))
}
