//! The authority at work: certificates given, asked about and taken back.

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use openssl::x509::X509Req;
use serde_json::{Value, json};

use crate::server::{CLIENT, Ground, Server};
use crate::tally::{Figures, Tally, Watch};
use crate::web::{Site, request};
use crate::{asking, paper};

/// Certificates that are made and taken back at a time, to fill a list.
const BATCH: u64 = 20_000;
/// Revocations of which the median is told.
const REVOCATIONS: u64 = 11;

/// Devices enrol by EST, each with a one-time token and a key of its own.
pub(crate) async fn enroll(ground: &Ground, server: &Server, count: u64) -> Result<Figures> {
    let tokens = Rc::new(RefCell::new(Vec::new()));
    let (draw, drawn) =
        (request("POST", &format!("/api/v1/accounts/{CLIENT}/tokens"), "", b""), tokens.clone());
    let keep = move |answer: Bytes| {
        let token: Value = serde_json::from_slice(&answer)?;
        let word = |name: &str| token[name].as_str().with_context(|| format!("a token without {name}"));
        drawn.borrow_mut().push(format!("{}:{}", word("id")?, word("token")?));
        Ok(())
    };
    asking::run(server, &Site::Control(ground.control()), vec![draw.into(); count as usize], keep).await?;
    let asked = paper::requests(CLIENT, count)?.into_iter().zip(tokens.take());
    let asked = asked.map(|(csr, token)| -> Result<Bytes> {
        let head = format!(
            "Content-Type: application/pkcs10\r\nAuthorization: Basic {}\r\n",
            STANDARD.encode(token)
        );
        let body = STANDARD.encode(csr.to_der()?);
        Ok(request("POST", "/.well-known/est/simpleenroll", &head, body.as_bytes()).into())
    });
    let asked = asked.collect::<Result<Vec<_>>>()?;
    asking::run(server, &server.secure_site(ground.client()?), asked, |_| Ok(())).await
}

/// Everybody asks whether one certificate is good; where there is a nonce, each answer has to be signed.
pub(crate) async fn ocsp(ground: &Ground, server: &Server, count: u64, nonce: bool) -> Result<Figures> {
    let [issuer, certificate, to] =
        ["chain.pem", "cert.pem", "question.der"].map(|name| ground.own_file(name));
    let question = paper::question(&issuer, &certificate, &to, nonce)?;
    let post = |body: &[u8]| -> Bytes {
        request("POST", "/ocsp", "Content-Type: application/ocsp-request\r\n", body).into()
    };
    let asked = match nonce {
        true => (0..count).map(|number| post(&paper::renonced(&question, number))).collect(),
        false => vec![post(&question); count as usize],
    };
    // Refusals are five bytes long (RFC 6960 §4.2.1).
    let judge = |answer: Bytes| {
        ensure!(answer.len() > 100, "no answer but {answer:02x?}");
        Ok(())
    };
    asking::run(server, &server.site(), asked, judge).await
}

/// Takes certificates back, one by one, while the list has so many entries: each is answered when a list with it is signed.
pub(crate) async fn crl(ground: &Ground, server: &Server, entries: u64) -> Result<Figures> {
    let control = Site::Control(ground.control());
    fill(server, &control, entries).await?;
    let enrolled = Rc::new(RefCell::new(Vec::new()));
    let serials = enrolled.clone();
    let keep = move |answer: Bytes| {
        serials.borrow_mut().push(serial(&answer)?);
        Ok(())
    };
    give(server, &control, CLIENT, REVOCATIONS, keep).await?;
    let (before, tally) = (listed(&control).await?, Tally::of(REVOCATIONS));
    let mut web = control.enter().await?;
    let watch = Watch::start(server.pid())?;
    for serial in enrolled.take() {
        let path = format!("/api/v1/certificates/{serial}/revoke");
        let begun = tally.now();
        web.ask(&request("POST", &path, JSON, b"{}")).await?;
        tally.add_latency(tally.now() - begun);
        tally.add(1);
    }
    ensure!(listed(&control).await? == before + REVOCATIONS, "the list does not hold what was revoked");
    watch.stop(&tally)
}

/// Has people come, get certificates and leave, until the list is so long.
async fn fill(server: &Server, control: &Site, entries: u64) -> Result<()> {
    loop {
        let held = listed(control).await?;
        if held >= entries {
            return Ok(());
        }
        let name = format!("leaver-{held}");
        let body = json!({ "account": name }).to_string();
        order(control, &request("POST", "/api/v1/accounts", JSON, body.as_bytes())).await?;
        give(server, control, &name, BATCH.min(entries - held), |_| Ok(())).await?;
        order(control, &request("DELETE", &format!("/api/v1/accounts/{name}"), "", b"")).await?;
    }
}

/// Certifies keys for an account, as the host may.
async fn give(
    server: &Server,
    control: &Site,
    account: &str,
    count: u64,
    heard: impl Fn(Bytes) -> Result<()> + 'static,
) -> Result<()> {
    let asked = csr_orders(account, paper::requests(account, count)?)?;
    asking::run(server, control, asked, heard).await.map(drop)
}

/// The orders to certify the keys of these requests for an account.
pub(crate) fn csr_orders(account: &str, requests: Vec<X509Req>) -> Result<Vec<Bytes>> {
    let path = format!("/api/v1/accounts/{account}/certificates");
    let order = |csr: X509Req| -> Result<Bytes> {
        let body = json!({ "csr": String::from_utf8(csr.to_pem()?)? }).to_string();
        Ok(request("POST", &path, JSON, body.as_bytes()).into())
    };
    requests.into_iter().map(order).collect()
}

/// How many certificates the list holds.
async fn listed(control: &Site) -> Result<u64> {
    let shown: Value =
        serde_json::from_slice(&order(control, &request("GET", "/api/v1/ca", "", b"")).await?)?;
    shown["crl"]["entries"].as_u64().context("a list without a length")
}

/// An order on a connection of its own: the house closes one that is silent for long.
async fn order(control: &Site, request: &[u8]) -> Result<Bytes> {
    control.enter().await?.ask(request).await
}

fn serial(enrolled: &[u8]) -> Result<String> {
    let enrolled: Value = serde_json::from_slice(enrolled)?;
    Ok(enrolled["serial"].as_str().context("a certificate without a serial")?.to_owned())
}

pub(crate) const JSON: &str = "Content-Type: application/json\r\n";
