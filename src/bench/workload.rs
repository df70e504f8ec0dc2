//! What is measured: each workload's shape and size, and how it is run against one server.

use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use tokio_rustls::TlsConnector;

use crate::link::Entrance;
use crate::pairs::{Pace, Pair, Talk};
use crate::server::{Ground, Product, Server};
use crate::tally::Figures;
use crate::{certificates, fan, idle, pairs, revocation};

/// Pairs of the throughput workloads, and of those at a fixed rate.
pub(crate) const PAIRS: usize = 50;
const PACED_PAIRS: usize = 10;
/// Messages a second of all pairs together.
pub(crate) const RATE: u64 = 2000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Workload {
    /// 50 publishers to 1 subscriber, QoS 0
    FanIn,
    /// 1 publisher to 500 subscribers, QoS 0
    FanOut,
    /// 50 pairs, QoS 1
    Pairs,
    /// 50 pairs, QoS 1, mutual TLS 1.3
    PairsTls,
    /// 50 pairs, QoS 1, the subscribers with persistent sessions (mosquitto: without, in memory)
    PairsDurable,
    /// 10 pairs, QoS 1, 2,000 messages a second
    Latency,
    /// 10,000 connections at rest
    Idle,
    /// 10,000 connections at rest, mutual TLS 1.3
    IdleTls,
    /// 50 pairs who chat, mutual TLS 1.3 (mosquitto: plain topics)
    Chat,
    /// 10 pairs who chat at 2,000 messages a second, mutual TLS 1.3 (mosquitto: plain topics)
    ChatLatency,
    /// 64 devices that enrol by EST, TLS 1.3, each certificate with a one-time token and a key of its own
    Enroll,
    /// 64 clients who ask about a certificate by OCSP
    Ocsp,
    /// 64 clients who ask about a certificate by OCSP, each time with another nonce
    OcspNonce,
    /// Revocations, one by one, of which each makes a list of 100,000 entries longer
    Crl,
    /// 10,000 sessions, mutual TLS 1.3, each with a certificate of its own, of which 200 are revoked one by one
    Revoke,
}

impl Workload {
    pub(crate) fn is_chat(self) -> bool {
        matches!(self, Workload::Chat | Workload::ChatLatency)
    }

    /// Work for an authority, which mosquitto has none of.
    pub(crate) fn is_about_certificates(self) -> bool {
        matches!(
            self,
            Workload::Enroll | Workload::Ocsp | Workload::OcspNonce | Workload::Crl | Workload::Revoke
        )
    }

    /// Runs it once. `quick` makes it small: enough to see that everything works.
    pub(crate) async fn run(self, ground: &Ground, server: &Server, quick: bool) -> Result<Figures> {
        let part = |whole: u64| if quick { whole / 20 } else { whole };
        let plain = server.entrance(None);
        let tls = || Ok::<_, anyhow::Error>(server.entrance(Some(ground.client()?)));
        let window = Pace::Window { unacknowledged: 20, under_way: 100 };
        let talk = |pace, each| Talk { messages: part(each), pace, lasting: false };
        let paced = talk(
            Pace::Every(Duration::from_secs(PACED_PAIRS as u64) / RATE as u32),
            10 * RATE / PACED_PAIRS as u64,
        );
        match self {
            Workload::FanIn => fan::inward(server, &plain, 50, part(600_000)).await,
            Workload::FanOut => fan::outward(server, &plain, 500, part(2000)).await,
            Workload::Pairs => pairs::run(server, &about_topics(&plain, PAIRS), talk(window, 6000)).await,
            Workload::PairsTls => pairs::run(server, &about_topics(&tls()?, PAIRS), talk(window, 6000)).await,
            Workload::PairsDurable => {
                let lasting = server.product == Product::Chancery;
                let talk = Talk { lasting, ..talk(window, 6000) };
                pairs::run(server, &about_topics(&plain, PAIRS), talk).await
            }
            Workload::Latency => pairs::run(server, &about_topics(&plain, PACED_PAIRS), paced).await,
            Workload::Idle => idle::run(server, &plain, part(10_000)).await,
            Workload::IdleTls => idle::run(server, &tls()?, part(10_000)).await,
            Workload::Chat => {
                let window = Pace::Window { unacknowledged: 50, under_way: u64::MAX };
                pairs::run(server, &chatting(ground, server, PAIRS)?, talk(window, 2000)).await
            }
            Workload::ChatLatency => pairs::run(server, &chatting(ground, server, PACED_PAIRS)?, paced).await,
            Workload::Enroll => certificates::enroll(ground, server, part(20_000)).await,
            Workload::Ocsp => certificates::ocsp(ground, server, part(200_000), false).await,
            Workload::OcspNonce => certificates::ocsp(ground, server, part(200_000), true).await,
            Workload::Revoke => revocation::run(ground, server, part(10_000)).await,
            Workload::Crl => certificates::crl(ground, server, part(100_000)).await,
        }
    }
}

fn about_topics(entrance: &Entrance, count: usize) -> Vec<Pair> {
    (0..count)
        .map(|at| Pair {
            author: entrance.clone(),
            recipient: entrance.clone(),
            topic: format!("b/p/{at}"),
            filter: format!("b/p/{at}"),
        })
        .collect()
}

/// Each with a certificate of their own. To mosquitto a conversation is a topic.
fn chatting(ground: &Ground, server: &Server, count: usize) -> Result<Vec<Pair>> {
    let person = |name: String| -> Result<Entrance> {
        let tls: TlsConnector = ground.connector(&name)?;
        Ok(server.entrance(Some(tls)))
    };
    (0..count)
        .map(|at| {
            let (topic, filter) = match server.product {
                Product::Chancery => (format!("to/b{at}"), "from/#".to_owned()),
                Product::Mosquitto => (format!("to/b{at}"), format!("to/b{at}")),
            };
            Ok(Pair {
                author: person(format!("a{at}"))?,
                recipient: person(format!("b{at}"))?,
                topic,
                filter,
            })
        })
        .collect()
}
