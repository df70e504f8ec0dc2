//! What somebody asks for in one of the forms, and what is handed over, once: it rides in the page that announces it.

use axum::http::StatusCode;
use chancery_admin_ui::Download;
use chancery_admin_ui::self_service::handover::Handover;
use serde::Deserialize;

use super::desk::{purpose, rooms};
use super::guard::Visitor;
use super::guide;
use crate::console::Console;
use crate::console::certificates::{PEM, find, ledger_row};
use crate::console::enrol::{file_stem, root};
use crate::console::page::{self, Answer, Trouble};
use crate::enrollment::{Enrolled, Request};
use crate::store::Account;
use crate::time;

/// What the forms send.
#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    how: String,
    #[serde(default)]
    csr: String,
    #[serde(default)]
    legacy: String,
    #[serde(default)]
    purpose: String,
}

impl Wanted {
    pub(super) fn request(&self) -> Result<Request, Trouble> {
        match self.how.as_str() {
            "csr" => Ok(Request::Csr(self.csr.clone().into_bytes())),
            "pkcs12" => Ok(Request::MakeKey { p12_password: None, legacy: self.is_legacy() }),
            _ => Err(Trouble::bare(StatusCode::BAD_REQUEST)),
        }
    }

    /// The profile by its word; `None` is a client's.
    pub(super) fn purpose(&self) -> Option<&str> {
        Some(self.purpose.as_str()).filter(|purpose| !purpose.is_empty())
    }

    fn is_legacy(&self) -> bool {
        self.legacy == "yes"
    }
}

/// The page with the files.
pub(super) async fn show(
    console: &Console,
    visitor: &Visitor,
    account: &Account,
    enrolled: Enrolled,
    wanted: &Wanted,
    renewed: &str,
) -> Answer {
    let (file, rooms) = (file_stem(&account.name), rooms(console, account.id).await?);
    let chain = format!("{}{}", enrolled.certificate_pem, enrolled.chain_pem);
    let archive = enrolled.p12.map(|(archive, password)| {
        let download = Download::new(format!("{file}.p12"), "application/x-pkcs12", &archive);
        (download, password.as_str().into())
    });
    let row = ledger_row(&find(console, &enrolled.serial).await?, time::now());
    page::show(&Handover {
        chrome: visitor.chrome(),
        purpose: purpose(&row.profile).to_owned(),
        chain: Download::new(format!("{file}.cert.pem"), PEM, chain.as_bytes()),
        root: root(console),
        archive,
        legacy: wanted.is_legacy(),
        renewed: renewed.to_owned(),
        // What is for mail goes into a mail program.
        guide: (row.profile == "client").then(|| guide::of(&console.house.facts, account, &rooms)),
        file,
        row,
    })
}
