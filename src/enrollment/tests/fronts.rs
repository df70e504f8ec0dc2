//! One decision behind all fronts: the same requests end alike by EST, CMP, ACME, self-service and console.
//!
//! Below TLS and sockets, above everything else: EST, CMP and ACME are asked by HTTP requests to their routers.

mod door;
mod requests;

use std::ops::Range;

use futures_util::StreamExt;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::*;
use door::{Acme, Doors};
use requests::Desk;

const REQUESTS: u64 = 1000;
/// Requests under way at a time; they share commits.
const AT_ONCE: usize = 16;

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// What the key signed, without serial and times.
    Issued(Vec<u8>),
    /// Why not, as whoever asked was told.
    Refused(String),
}

/// A house in which bob has a key of his own, and one of alice's keys was revoked.
async fn arrange(house: &House, desk: &Desk) {
    let given = async |name: &str, csr: Vec<u8>| {
        let (who, grant) = (house.principal(name), Grant::client());
        house.enrollment.enroll(&who, name, grant, Request::Csr(csr), house.now).await.unwrap()
    };
    given("bob", desk.plain(Desk::TAKEN, "bob")).await;
    let gone = given("alice", desk.plain(Desk::REVOKED, "alice")).await;
    house.enrollment.revoke(&Principal::Host, &gone.serial, "key-compromise", house.now).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_end_alike_at_every_front() {
    let house = House::new().await;
    let desk = Desk::new(&house.id("alice").to_urn());
    arrange(&house, &desk).await;
    let doors = Doors::of(&house.enrollment);
    let client = Acme::bind(&house, &doors, "alice").await;
    let compared = futures_util::stream::iter(0..REQUESTS).map(async |seed| {
        let asked = desk.draw(seed);
        let est = est(&house, &doors, &asked.der).await;
        for (front, outcome) in [
            ("console", console(&house, &asked.der).await),
            ("self-service", self_service(&house, &asked.der).await),
            ("cmp", cmp(&house, &doors, &asked.der, &est).await),
            ("acme", acme(&house, &doors, &client, &asked).await),
        ] {
            assert_eq!(outcome, est, "{front} and EST about request {seed}: {}", asked.told);
        }
        est
    });
    let outcomes: Vec<Outcome> = compared.buffer_unordered(AT_ONCE).collect().await;
    let refused = |outcome: &Outcome| match outcome {
        Outcome::Issued(_) => None,
        Outcome::Refused(why) => Some(why.clone()),
    };
    let reasons: std::collections::BTreeSet<String> = outcomes.iter().filter_map(refused).collect();
    let issued = outcomes.iter().filter(|outcome| refused(outcome).is_none()).count();
    // The requests are of every kind: many are granted, and there are many ways to be refused.
    assert!(issued > 200 && reasons.len() >= 15, "{issued} issued; {reasons:#?}");
}

async fn console(house: &House, csr: &[u8]) -> Outcome {
    let (who, asked) = (house.principal("alice"), Request::Csr(csr.to_vec()));
    match house.enrollment.enroll(&who, "alice", Grant::client(), asked, time::now()).await {
        Ok(enrolled) => issued(ca::Certificate::from_pem(&enrolled.certificate_pem).unwrap().der()),
        Err(refused) => Outcome::Refused(refused.to_string()),
    }
}

async fn self_service(house: &House, csr: &[u8]) -> Outcome {
    let (who, asked) = (house.principal("alice"), Request::Csr(csr.to_vec()));
    match house.enrollment.enroll_self(&who, Grant::client(), asked, time::now()).await {
        Ok(enrolled) => issued(ca::Certificate::from_pem(&enrolled.certificate_pem).unwrap().der()),
        Err(refused) => Outcome::Refused(refused.to_string()),
    }
}

async fn est(house: &House, doors: &Doors, csr: &[u8]) -> Outcome {
    let token = house.drawn().await;
    let (status, body) = doors.est(&token, csr).await;
    match status {
        200 => issued(&door::certificates(&body)[0]),
        _ => Outcome::Refused(String::from_utf8(body).unwrap().trim_end().to_owned()),
    }
}

/// CMP tells more beside the words, so it is looked for what it has to hold.
async fn cmp(house: &House, doors: &Doors, csr: &[u8], expected: &Outcome) -> Outcome {
    let token = house.drawn().await;
    let answer = doors.cmp(&token, csr).await;
    match expected {
        Outcome::Refused(why) if holds(&answer, why.as_bytes()) => expected.clone(),
        _ => match house.certificate_in(&answer).await {
            Some(der) => issued(&der),
            None => Outcome::Refused(String::from_utf8_lossy(&answer).into_owned()),
        },
    }
}

async fn acme(house: &House, doors: &Doors, client: &Acme, asked: &requests::Asked) -> Outcome {
    match client.order(doors, asked).await {
        Ok(chain) => issued(ca::Certificate::from_pem(&chain).unwrap().der()),
        Err(why) => Outcome::Refused(in_other_words(&why, house)),
    }
}

/// ACME compares the request with the order (RFC 8555 §7.4), in words of its own, before the names are compared with
/// the directory.
fn in_other_words(why: &str, house: &House) -> String {
    let foreign = why.strip_prefix("the certificate request names ");
    let foreign = foreign.and_then(|rest| rest.strip_suffix(", which was not ordered"));
    let account = house.directory.find("alice").unwrap().name.clone();
    foreign.map_or(why.to_owned(), |name| Refused::ForeignName { name: name.into(), account }.to_string())
}

/// The part that is signed, without serialNumber, the shard that follows from it, and validity (RFC 5280 §4.1.2).
fn issued(der: &[u8]) -> Outcome {
    let (_, certificate) = X509Certificate::from_der(der).unwrap();
    let all = certificate.tbs_certificate.as_ref();
    let within = |part: &[u8]| -> Range<usize> {
        let start = part.as_ptr() as usize - all.as_ptr() as usize;
        start..start + part.len()
    };
    let serial = within(certificate.raw_serial());
    let (issuer, subject) = (within(certificate.issuer().as_raw()), within(certificate.subject().as_raw()));
    assert_eq!(serial.len(), 16);
    let shard = format!("/{:02X}.crl", all[serial.end - 1] % 64);
    let named = all.windows(shard.len()).position(|part| part == shard.as_bytes()).expect("its list");
    let kept =
        [0..serial.start, serial.end..issuer.end, subject.start..named, named + shard.len()..all.len()];
    Outcome::Issued(kept.map(|part| &all[part]).concat())
}

fn holds(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}

impl House {
    /// A token for a client of alice's, by name and secret.
    async fn drawn(&self) -> (String, String) {
        let drawn =
            self.enrollment.token(&Principal::Host, "alice", Grant::client(), self.now).await.unwrap();
        (drawn.id, drawn.secret.to_string())
    }

    /// The one of the newest certificates that somewhere stands in an answer.
    async fn certificate_in(&self, answer: &[u8]) -> Option<Vec<u8>> {
        let newest = self.enrollment.list(Some(self.id("alice")), 5 * AT_ONCE as i64).await.unwrap();
        newest.into_iter().filter_map(|line| line.der).find(|der| holds(answer, der))
    }
}
