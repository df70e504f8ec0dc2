//! Enrolling: three ways to a new certificate for an account, and what is handed over, once.
//!
//! Nothing that is handed over is kept here: file, password and token ride in the page that announces them.

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::routing::get;
use chancery_admin_ui::enrol::Enrol;
use chancery_admin_ui::enrolled::{Enrolled as Page, Handover};
use chancery_admin_ui::{Download, Nav};
use serde::Deserialize;

use super::Console;
use super::account::find;
use super::certificates::{PEM, find as ledger_line, ledger_row};
use super::guard::Admin;
use super::page::{Answer, Trouble, show, show_as, span};
use crate::api::Refused;
use crate::enrollment::{Enrolled, Grant, Request};
use crate::store::Account;
use crate::time;

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/accounts/{account}/enrol", get(ways).post(enrol))
}

#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    how: String,
    #[serde(default)]
    csr: String,
}

async fn ways(State(console): State<Console>, admin: Admin, Path(name): Path<String>) -> Answer {
    let account = find(&console, &name)?;
    show(&form(&console, &admin, &account, String::new(), String::new()))
}

async fn enrol(
    State(console): State<Console>,
    admin: Admin,
    Path(name): Path<String>,
    Form(sent): Form<Sent>,
) -> Answer {
    let account = find(&console, &name)?;
    let handed = match sent.how.as_str() {
        "csr" => request(&console, &admin, &account, Request::Csr(sent.csr.clone().into_bytes())).await,
        "pkcs12" => {
            let made = Request::MakeKey { p12_password: None, legacy: false };
            request(&console, &admin, &account, made).await
        }
        "token" => token(&console, &admin, &account).await,
        _ => Err(Refused::BadRequest("choose one of the ways to enrol".into()).into()),
    };
    match handed {
        Ok((handover, usage)) => show(&Page {
            chrome: admin.chrome(Nav::Accounts, &[&["cert", "list", "--account", &account.name]]),
            account: account.name.clone(),
            handover,
            usage,
        }),
        Err(trouble) => {
            let (status, problem) = trouble.into_sentence()?;
            show_as(status, &form(&console, &admin, &account, sent.csr, problem))
        }
    }
}

async fn request(
    console: &Console,
    admin: &Admin,
    account: &Account,
    request: Request,
) -> Result<(Handover, Vec<String>), Trouble> {
    let now = time::now();
    let Enrolled { serial, certificate_pem, chain_pem, p12, .. } =
        console.house.enrollment.enroll(&admin.who, &account.name, Grant::client(), request, now).await?;
    let row = ledger_row(&ledger_line(console, &serial).await?, now);
    let (root, file) = (root(console), file_stem(&account.name));
    let handover = match p12 {
        Some((archive, password)) => Handover::Pkcs12 {
            row,
            file: Download::new(format!("{file}.p12"), "application/x-pkcs12", &archive),
            root,
            password: password.as_str().into(),
        },
        None => Handover::Certificate {
            row,
            chain: Download::new(
                format!("{file}.cert.pem"),
                PEM,
                format!("{certificate_pem}{chain_pem}").as_bytes(),
            ),
            root,
        },
    };
    let usage = match handover {
        Handover::Pkcs12 { .. } => vec![
            format!("openssl pkcs12 -in {file}.p12 -noenc -out {file}.pem"),
            listen(console, &file, &format!("{file}.pem"), &format!("{file}.pem")),
        ],
        _ => vec![listen(console, &file, &format!("{file}.cert.pem"), &format!("{file}.key.pem"))],
    };
    Ok((handover, usage))
}

async fn token(
    console: &Console,
    admin: &Admin,
    account: &Account,
) -> Result<(Handover, Vec<String>), Trouble> {
    let enrollment = &console.house.enrollment;
    let drawn = enrollment.token(&admin.who, &account.name, Grant::client(), time::now()).await?;
    let (file, url) = (file_stem(&account.name), &console.house.facts.console_url);
    let usage = vec![
        format!(
            "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj / -keyout {file}.key.pem -out {file}.csr.pem"
        ),
        format!(
            "curl --cacert root.pem -H 'Authorization: Bearer {}' --data-binary @{file}.csr.pem {url}/api/v1/enroll",
            drawn.secret.as_str()
        ),
    ];
    let (token, expires_at) = (drawn.secret.as_str().into(), drawn.until.to_string());
    let handover = Handover::Token { token, expires_at, root: root(console) };
    Ok((handover, usage))
}

/// What a device knows the appliance by, under the name that the command lines use.
pub(super) fn root(console: &Console) -> Download {
    Download::new("root.pem", PEM, console.house.enrollment.root_pem().as_bytes())
}

fn form(console: &Console, admin: &Admin, account: &Account, csr: String, problem: String) -> Enrol {
    let mut names =
        vec![("Common name".to_owned(), account.name.clone()), ("URI".into(), account.id.to_urn())];
    names.extend(account.mail.clone().map(|mail| ("Mail".to_owned(), mail)));
    Enrol {
        chrome: admin.chrome(
            Nav::Accounts,
            &[&["cert", "enroll", &account.name, "--out", "DIR"], &["cert", "token", &account.name]],
        ),
        account: account.name.clone(),
        name: account.display.clone(),
        names,
        validity: span(console.house.enrollment.client_validity()),
        csr,
        problem,
    }
}

/// A client that shows the files and hears what others write.
fn listen(console: &Console, file: &str, certificate: &str, key: &str) -> String {
    let facts = &console.house.facts;
    let (host, port) = (facts.host(), facts.port("mqtts").unwrap_or(8883));
    format!(
        "mosquitto_sub -V 5 -h {host} -p {port} --cafile root.pem --cert {certificate} --key {key} -i {file}-1 -q 1 -v -t 'from/#'"
    )
}

/// An account's name as a part of file names and shell words.
pub(super) fn file_stem(account: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let stem: String = account.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    stem.trim_start_matches(['.', '-']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_called_like_the_account_as_far_as_a_shell_allows() {
        assert_eq!(file_stem("alice"), "alice");
        assert_eq!(file_stem("../o'brien;rm -rf"), "_o_brien_rm_-rf");
    }
}
