//! A desk: an authority that answers CMP over HTTP, with one secret and an open hand, for `openssl cmp` to talk to.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use chancery_ca::{
    Certificate, KeyPair, Profile, Serial,
    cmp::{
        Answer, Body, Enrolment, FailureInfo, Grant, Information, Objection, Order, Protection, Question,
        Request, Responder, Signer, Withdrawal,
    },
};
use time::OffsetDateTime;

use crate::workshop::{Workshop, alice, key, public};

pub(crate) const SECRET: &[u8] = b"a one-time token";

pub(crate) struct Desk {
    pub(crate) workshop: Workshop,
    /// Every body that was read, by its name, and what the client said.
    pub(crate) heard: Mutex<Vec<String>>,
    /// How many times a client has to wait before it gets its certificate.
    pub(crate) patience: Mutex<u32>,
    waiting: Mutex<Option<Enrolment>>,
    issued: Mutex<Vec<Certificate>>,
    signer: (Certificate, KeyPair),
}

impl Desk {
    /// Opens on a port of its own, and serves there for as long as the test runs.
    pub(crate) fn open() -> (Arc<Desk>, u16) {
        let workshop = Workshop::open_at(OffsetDateTime::now_utc());
        let own = key();
        let signer = (issue(&workshop, &public(&own)), own);
        let desk = Arc::new(Desk {
            workshop,
            heard: Mutex::default(),
            patience: Mutex::default(),
            waiting: Mutex::default(),
            issued: Mutex::default(),
            signer,
        });
        let door = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = door.local_addr().expect("a port").port();
        let behind = Arc::clone(&desk);
        thread::spawn(move || {
            door.incoming().flatten().for_each(|stream| behind.serve(stream));
        });
        (desk, port)
    }

    /// Answers one message: read the envelope, prove the sender, read the body, decide, reply as it came.
    pub(crate) fn answer(&self, bytes: &[u8]) -> Vec<u8> {
        let now = OffsetDateTime::now_utc();
        let chain = self.workshop.authority.chain_der();
        let signer = Signer { certificate: &self.signer.0, key: &self.signer.1, chain: &chain };
        let responder = Responder { authority: self.workshop.authority.issuing(), signer: Some(signer) };
        let request = match Request::parse(bytes) {
            Ok(request) => request,
            Err(rejected) => return responder.reject(&rejected, nonce(), now).expect("a reply"),
        };
        let known = self.prove(&request);
        let secret = known.is_ok().then_some(SECRET);
        let mut certificate = None;
        let answer = known
            .and_then(|()| request.body())
            .and_then(|body| self.decide(&request, body, &chain, &mut certificate))
            .unwrap_or_else(Answer::Error);
        responder.reply(&request, secret, &answer, nonce(), now).expect("a reply")
    }

    fn prove(&self, request: &Request) -> Result<(), Objection> {
        let known = match request.protection() {
            Protection::None => return Err(Objection::new(FailureInfo::WrongIntegrity, "nobody knows you")),
            Protection::Mac(_) => request.verify_mac(SECRET),
            Protection::Signature(_) => request.signer().is_some_and(|signer| {
                request.verify_signature(&signer) && self.issued.lock().expect("unbroken").contains(&signer)
            }),
        };
        match known {
            true => Ok(()),
            false => {
                Err(Objection::new(FailureInfo::BadMessageCheck, "the message is not from whom it says"))
            }
        }
    }

    fn decide<'a>(
        &self,
        request: &Request,
        body: Body,
        chain: &'a [&'a [u8]],
        certificate: &'a mut Option<Certificate>,
    ) -> Result<Answer<'a>, Objection> {
        self.heard.lock().expect("unbroken").push(told(&body));
        match body {
            Body::Enrol(enrolment) if *self.patience.lock().expect("unbroken") > 0 => {
                let order = enrolment.order;
                *self.waiting.lock().expect("unbroken") = Some(*enrolment);
                Ok(Answer::Waiting(order))
            }
            Body::Enrol(enrolment) => Ok(self.grant(request, *enrolment, chain, certificate)),
            Body::Poll(id) => {
                let mut patience = self.patience.lock().expect("unbroken");
                *patience -= 1;
                let waiting = self.waiting.lock().expect("unbroken").clone().expect("somebody waits");
                assert_eq!(waiting.order.id, id);
                match *patience {
                    0 => Ok(self.grant(request, waiting, chain, certificate)),
                    _ => Ok(Answer::Later(waiting.order, 1)),
                }
            }
            Body::Confirm(confirmation) => {
                let issued = self.issued.lock().expect("unbroken");
                let known = issued.iter().any(|certificate| confirmation.is_of(certificate));
                match known {
                    true => Ok(Answer::Confirmed),
                    false => Err(Objection::new(FailureInfo::BadCertId, "no such certificate was issued")),
                }
            }
            Body::Withdraw(withdrawal) => Ok(self.withdraw(&withdrawal)),
            Body::Ask(questions) => {
                Ok(Answer::Told(questions.iter().filter_map(|one| self.tell(one)).collect()))
            }
            Body::Error(_) => Ok(Answer::Confirmed),
        }
    }

    fn grant<'a>(
        &self,
        request: &Request,
        enrolment: Enrolment,
        chain: &'a [&'a [u8]],
        certificate: &'a mut Option<Certificate>,
    ) -> Answer<'a> {
        let Enrolment { order, csr, .. } = enrolment;
        if let Err(refusal) = chancery_ca::check_request(&csr, &alice()) {
            return Answer::Declined(order, refusal.into());
        }
        let certificate = certificate.insert(issue(&self.workshop, csr.public_key()));
        self.issued.lock().expect("unbroken").push(certificate.clone());
        Answer::Issued(Grant {
            order,
            certificate: certificate.der(),
            chain,
            anchor: chain.last().copied().filter(|_| matches!(request.protection(), Protection::Mac(_))),
            implicit_confirm: request.header().implicit_confirm,
        })
    }

    fn withdraw(&self, withdrawal: &Withdrawal) -> Answer<'static> {
        let issued = self.issued.lock().expect("unbroken");
        let ours = withdrawal.certificate.is_of(self.workshop.authority.issuing());
        match issued.iter().find(|certificate| withdrawal.certificate.names(certificate)) {
            Some(certificate) => {
                assert_eq!(certificate.serial, withdrawal.certificate.serial());
                assert!(ours);
                Answer::Withdrawn
            }
            None => {
                Answer::NotWithdrawn(Objection::new(FailureInfo::BadCertId, "there is no such certificate"))
            }
        }
    }

    fn tell(&self, question: &Question) -> Option<Information> {
        match question {
            Question::CaCerts => Information::ca_certs(&self.workshop.authority.chain_der()).ok(),
            Question::SignKeyPairTypes => Information::sign_key_pair_types().ok(),
            other => Information::nothing(other),
        }
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("a request");
            match line.trim().split_once(": ") {
                Some(("Content-Length", value)) => length = value.parse().expect("a number"),
                None if line.trim().is_empty() => break,
                _ => {}
            }
        }
        let mut request = vec![0; length];
        reader.read_exact(&mut request).expect("a request");
        let reply = self.answer(&request);
        let head = format!(
            "HTTP/1.0 200 OK\r\nContent-Type: application/pkixcmp\r\nContent-Length: {}\r\n\r\n",
            reply.len()
        );
        let stream = reader.get_mut();
        stream.write_all(&[head.as_bytes(), &reply].concat()).expect("a client that listens");
    }
}

fn issue(workshop: &Workshop, key: &chancery_ca::PublicKey) -> Certificate {
    let serial = Serial::random().expect("randomness");
    let now = OffsetDateTime::now_utc();
    let issued = workshop.authority.issue(key, &alice(), Profile::Client, None, serial, now).expect("issued");
    Certificate::parse(&issued.der).expect("a certificate")
}

fn nonce() -> [u8; 16] {
    *Serial::random().expect("randomness").as_bytes()
}

fn told(body: &Body) -> String {
    match body {
        Body::Enrol(enrolment) => {
            let Order { kind, id } = enrolment.order;
            let names: Vec<String> = enrolment.csr.requested().iter().map(ToString::to_string).collect();
            let replaces = if enrolment.replaces.is_some() { " for an old one" } else { "" };
            format!("{kind:?} {id} {}{replaces}", names.join(","))
        }
        Body::Withdraw(withdrawal) => format!("withdraw {}", withdrawal.reason),
        Body::Confirm(confirmation) => format!("confirm {} {}", confirmation.id, confirmation.accepted),
        Body::Ask(questions) => format!("ask {questions:?}"),
        Body::Poll(id) => format!("poll {id}"),
        Body::Error(text) => format!("error {text}"),
    }
}
