//! `GET /metrics`: the house in numbers, for Prometheus.
//!
//! Whoever is on this host may read them, others with the bearer token of `[metrics]`. No label says who or about
//! what: accounts, addresses and topics stay out.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::House;
use crate::metrics::{CONTENT_TYPE as TEXT, Kind, METRICS, Page, Process};
use crate::mqtt::Reason;
use crate::secret::{self, NoSecret, SecretSource};

/// `[metrics]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// What others must show; without it only this host may read.
    pub(crate) token: Option<SecretSource>,
}

impl Config {
    /// Reads the token; `credentials` is the folder in which systemd puts the service's credentials.
    pub(crate) fn token(&self, credentials: Option<&Path>) -> Result<Token, NoSecret> {
        let read = |source: &SecretSource| Ok(secret::digest(&source.read(credentials)?));
        self.token.as_ref().map(read).transpose()
    }
}

/// Hash of the token that lets others than this host read.
pub(crate) type Token = Option<[u8; 32]>;

pub(super) fn routes() -> axum::Router<House> {
    axum::Router::new().route("/metrics", get(show))
}

async fn show(State(house): State<House>, request: Request) -> Response {
    let from = request.extensions().get::<ConnectInfo<SocketAddr>>();
    if !may_read(from.map(|ConnectInfo(from)| from.ip()), request.headers(), house.metrics_token) {
        let how = [(WWW_AUTHENTICATE, "Bearer realm=\"metrics\"")];
        return (
            StatusCode::UNAUTHORIZED,
            how,
            "metrics are for this host, or with the token of [metrics]\n",
        )
            .into_response();
    }
    // Every session is looked at, which takes a moment where there are many.
    match tokio::task::spawn_blocking(move || page(&house)).await {
        Ok(page) => ([(CONTENT_TYPE, TEXT)], page).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Whether somebody may: from this host, or with the token. It takes as long for every wrong one.
fn may_read(from: Option<IpAddr>, headers: &HeaderMap, token: Token) -> bool {
    if from.is_some_and(|from| from.to_canonical().is_loopback()) {
        return true;
    }
    let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    shown.zip(token).is_some_and(|(shown, token)| bool::from(secret::digest(shown).ct_eq(&token)))
}

fn page(house: &House) -> String {
    let mut page = Page::default();
    connections(&mut page);
    traffic(&mut page);
    holdings(&mut page, house);
    people(&mut page, house);
    authority(&mut page);
    disk(&mut page, house);
    process(&mut page, house);
    page.finish()
}

fn connections(page: &mut Page) {
    use Kind::{Counter, Gauge};
    let m = &METRICS;
    let name = "chancery_connections";
    page.each(Gauge, name, "Connections of MQTT and LDAP that are open.", "door", m.connections.each());
    let name = "chancery_handshakes_total";
    page.each(
        Counter,
        name,
        "Handshakes of TLS, WebSocket or QUIC that were done.",
        "door",
        m.handshakes_done.each(),
    );
    let name = "chancery_handshakes_failed_total";
    page.each(Counter, name, "Those that were not.", "door", m.handshakes_failed.each());
    let name = "chancery_connects_total";
    page.each(Counter, name, "Answers to CONNECT, by their reason.", "reason", reasons(m.connects.each()));
    let name = "chancery_binds_total";
    page.each(Counter, name, "Answers to whoever signs in by LDAP.", "result", m.binds.each());
    let (name, help) = ("chancery_faults_total", "Connections that broke the protocol or fell silent.");
    page.each(Counter, name, help, "reason", reasons(m.faults.each()));
    let name = "chancery_limit_hits_total";
    page.each(
        Counter,
        name,
        "How often a limit of the configuration was reached.",
        "limit",
        m.limits().each(),
    );
}

fn traffic(page: &mut Page) {
    use Kind::Counter;
    let m = &METRICS;
    page.one(Counter, "chancery_received_bytes_total", "Bytes of MQTT from clients.", m.bytes_received.get());
    page.one(Counter, "chancery_sent_bytes_total", "Bytes of MQTT to clients.", m.bytes_sent.get());
    page.one(
        Counter,
        "chancery_received_packets_total",
        "MQTT packets from clients.",
        m.packets_received.get(),
    );
    page.one(Counter, "chancery_sent_packets_total", "MQTT packets to clients.", m.packets_sent.get());
    let by_qos = |counts: [u64; 3]| (0..3_u8).zip(counts);
    let name = "chancery_received_messages_total";
    page.each(Counter, name, "PUBLISH packets from clients.", "qos", by_qos(m.received.messages()));
    let name = "chancery_sent_messages_total";
    page.each(Counter, name, "PUBLISH packets to clients.", "qos", by_qos(m.sent.messages()));
    let name = "chancery_received_message_bytes_total";
    page.each(Counter, name, "Topics and payloads from clients.", "qos", by_qos(m.received.bytes()));
    let name = "chancery_sent_message_bytes_total";
    page.each(Counter, name, "Topics and payloads to clients.", "qos", by_qos(m.sent.bytes()));
    let name = "chancery_deliveries_dropped_total";
    page.each(Counter, name, "Deliveries that did not happen.", "reason", m.dropped().each());
    let name = "chancery_publications_refused_total";
    page.each(Counter, name, "Publications that were not taken.", "reason", reasons(m.refused.each()));
}

fn holdings(page: &mut Page, house: &House) {
    use Kind::Gauge;
    let all = house.broker.numbers();
    let states = [("live", all.live), ("waiting", all.waiting)];
    page.each(Gauge, "chancery_sessions", "Sessions with a connection, and without.", "state", states);
    page.one(Gauge, "chancery_sessions_durable", "Sessions that outlive their connection.", all.durable);
    page.one(Gauge, "chancery_subscriptions", "Subscriptions of all sessions.", all.subscriptions);
    page.one(Gauge, "chancery_subscriptions_shared", "Shared ones among them.", all.shared);
    page.one(Gauge, "chancery_queue_messages", "Messages on plain topics that sessions are owed.", all.owed);
    page.one(Gauge, "chancery_queue_bytes", "Topics and payloads of these.", all.owed_bytes);
    page.one(Gauge, "chancery_queue_in_flight_messages", "Those sent and not acknowledged.", all.in_flight);
    page.one(Gauge, "chancery_retained_messages", "Retained messages.", all.retained);
    page.one(Gauge, "chancery_retained_bytes", "Bytes that they count for.", all.retained_bytes);
    page.one(
        Gauge,
        "chancery_memory_bytes",
        "What queues and retained messages hold in memory, about.",
        all.memory,
    );
}

fn people(page: &mut Page, house: &House) {
    use Kind::Gauge;
    page.one(Gauge, "chancery_accounts", "People whom the house knows.", house.directory.count() as u64);
    let held = house.directory.ldap().and_then(|ldap| ldap.held());
    let held = held.map_or(0, |held| held.leaving.len() as u64);
    page.one(Gauge, "chancery_directory_held_people", "Whom a sync that is held would take away.", held);
}

fn authority(page: &mut Page) {
    use Kind::Counter;
    let m = &METRICS;
    let name = "chancery_certificates_issued_total";
    page.one(Counter, name, "Certificates that were signed.", m.certificates_issued.get());
    let name = "chancery_certificates_failed_total";
    let help = "Certificates that were granted and could not be signed.";
    page.one(Counter, name, help, m.certificates_failed.get());
}

fn disk(page: &mut Page, house: &House) {
    use Kind::{Counter, Gauge};
    let journal = house.broker.journal_usage();
    page.one(Gauge, "chancery_journal_bytes", "Size of the journal on disk.", journal.bytes);
    page.one(Gauge, "chancery_journal_live_bytes", "What of it is still needed.", journal.live);
    page.one(Gauge, "chancery_journal_segments", "Files of the journal.", journal.segments);
    page.one(Counter, "chancery_journal_commits_total", "Flushes of the journal.", journal.commits);
    let seconds = journal.flush_micros as f64 / 1e6;
    page.one(Counter, "chancery_journal_flush_seconds_total", "Time that they took.", seconds);
    page.one(
        Counter,
        "chancery_store_commits_total",
        "Transactions of the store.",
        METRICS.store_commits.get(),
    );
}

/// Under the names that every exporter uses for them.
fn process(page: &mut Page, house: &House) {
    use Kind::{Counter, Gauge};
    let me = Process::look();
    page.one(Counter, "process_cpu_seconds_total", "User and system time.", me.cpu_seconds);
    page.one(Gauge, "process_resident_memory_bytes", "Resident memory.", me.resident_bytes);
    page.one(Gauge, "process_open_fds", "Open file descriptors.", me.open_files);
    page.one(Gauge, "process_max_fds", "Most file descriptors that may be open.", me.most_files);
    page.one(Gauge, "process_threads", "Threads.", me.threads);
    let started = house.facts.started.micros() as f64 / 1e6;
    page.one(Gauge, "process_start_time_seconds", "When the house opened, since 1970.", started);
    let version = [(env!("CARGO_PKG_VERSION"), 1)];
    page.each(Gauge, "chancery_build_info", "The version that runs.", "version", version);
}

fn reasons(counts: impl Iterator<Item = (u8, u64)>) -> impl Iterator<Item = (&'static str, u64)> {
    counts.filter_map(|(code, count)| Some((Reason::from_byte(code)?.words(), count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_than_this_host_need_the_token() {
        let (token, none) = (Some(secret::digest("s3cret")), HeaderMap::new());
        let bearer =
            |word: &str| HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {word}").parse().unwrap())]);
        let [here, mapped, there] =
            ["127.0.0.1", "::ffff:127.0.0.1", "192.0.2.1"].map(|text| Some(text.parse::<IpAddr>().unwrap()));
        assert!(may_read(here, &none, token) && may_read(mapped, &none, None));
        assert!(may_read(there, &bearer("s3cret"), token) && may_read(None, &bearer("s3cret"), token));
        for (headers, token) in
            [(none, token), (bearer("wrong"), token), (bearer(""), token), (bearer(""), None)]
        {
            assert!(!may_read(there, &headers, token) && !may_read(None, &headers, token));
        }
    }

    #[test]
    fn a_token_is_read_from_its_file_and_only_its_hash_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "s3cret\n").unwrap();
        let config = Config { token: Some(SecretSource::File(folder.path().join("token"))) };
        assert_eq!(config.token(None).unwrap(), Some(secret::digest("s3cret")));
        assert_eq!(Config::default().token(None).unwrap(), None);
    }
}
