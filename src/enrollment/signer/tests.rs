//! What the signer promises over its socket.

use std::sync::Arc;
use std::time::Duration;

use chancery_ca as ca;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

use super::*;
use crate::enrollment::{self, authority::Authority, shards::Shards, status::Index};
use crate::store::Store;

const BASE: &str = "http://pki.corp.example";
const DAY: Duration = Duration::from_secs(86_400);

/// A signer that runs as a task, with its state in a folder.
struct Office {
    folder: TempDir,
    rules: Config,
    stop: Option<watch::Sender<bool>>,
}

impl Office {
    fn open(rules: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Place { state: folder.path(), http_base: BASE, credentials: None };
        Signer::found(&enrollment::Config::default(), "corp.example", place, Founding::OwnRoot, time::now())
            .unwrap();
        let mut office = Self { folder, rules, stop: None };
        office.start();
        office
    }

    /// Any number may be issued.
    fn busy() -> Self {
        let most = u64::MAX;
        let rules = Config { issued_per_second: most, issued_per_minute: most, ..Config::default() };
        Self::open(Config { issued_per_day: most, ..rules })
    }

    fn start(&mut self) {
        let place = Place { state: self.folder.path(), http_base: BASE, credentials: None };
        let open = || Signer::open(&enrollment::Config::default(), &self.rules, place).ok();
        // The run before closes its book a moment after its end.
        let signer = std::iter::repeat_with(open).flatten().next().unwrap();
        let (stop, stopping) = watch::channel(false);
        let listener = UnixListener::bind(self.socket()).unwrap();
        tokio::spawn(signer.serve(listener, self.socket(), Vec::new(), stopping));
        self.stop = Some(stop);
    }

    async fn stop(&mut self) {
        drop(self.stop.take());
        while self.socket().exists() {
            tokio::task::yield_now().await;
        }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("signer.sock")
    }

    /// The authority of a house that employs this signer.
    async fn employed(&self) -> (TempDir, Authority) {
        let house = tempfile::tempdir().unwrap();
        let authority = self.employ(&house, true).await.unwrap();
        (house, authority)
    }

    async fn employ(&self, house: &TempDir, found: bool) -> Result<Authority, Failure> {
        let cfg = enrollment::Config { signer: Some(self.socket()), ..enrollment::Config::default() };
        let place = Place { state: house.path(), http_base: BASE, credentials: None };
        if found {
            Authority::found(&cfg, "corp.example", place, Founding::OwnRoot, time::now()).await?;
        }
        Authority::open(&cfg, place).await
    }
}

fn order(authority: &Authority) -> Order {
    let subject = ca::Subject {
        common_name: "alice".into(),
        uri: vec!["urn:uuid:2f1c0a52-6a0e-4b57-9d3b-0c5ea3a4b8d1".into()],
        ..ca::Subject::default()
    };
    let key = ca::KeyPair::generate(ca::KeyKind::P256).unwrap().public_key().unwrap();
    Order { key, subject, profile: ca::Profile::Client, validity: 90 * DAY, issuer: authority.current() }
}

fn serial() -> ca::Serial {
    ca::Serial::random().unwrap()
}

fn refusal<T>(answer: Result<T, Failure>) -> Refusal {
    match answer.err() {
        Some(Failure::Signer(Trouble::Refused { why, .. })) => why,
        other => panic!("{other:?} instead of a refusal"),
    }
}

/// What the signer has made when this house asked for another issuing CA.
async fn rolled(authority: &Authority) -> Arc<Issuer> {
    match authority.roll(time::now()).await.unwrap() {
        Rolled::Made(new) => new,
        Rolled::Asked(request) => panic!("a request, {}", request.display()),
    }
}

#[tokio::test]
async fn an_issuing_ca_is_made_once_for_a_house_that_asks_twice() {
    let mut office = Office::busy();
    let (house, authority) = office.employed().await;
    let (first, again) = (rolled(&authority).await, rolled(&authority).await);
    assert_eq!(first.key_id(), again.key_id());
    authority.install(first.clone());
    assert_ne!(rolled(&authority).await.key_id(), first.key_id());

    // A house that heard nothing of it learns of it at its start, also after a restart of the signer.
    std::fs::remove_file(house.path().join("authority/issuing-3.pem")).unwrap();
    office.stop().await;
    office.start();
    let authority = office.employ(&house, false).await.unwrap();
    assert_eq!(authority.issuers().all().map(|one| one.number).collect::<Vec<_>>(), [3, 2, 1]);
    authority.sign(order(&authority), serial(), time::now()).await.unwrap();
}

#[tokio::test]
async fn the_signer_makes_no_more_issuing_cas_than_it_may() {
    let office = Office::busy();
    let (_house, authority) = office.employed().await;
    for _ in 0..2 {
        authority.install(rolled(&authority).await);
    }
    let third = rolled(&authority).await;
    // Whoever has taken over the daemon does not count what he was given.
    let client = Client::new(&office.socket(), third.root());
    let refused = refusal(client.roll(&third, time::now()).await);
    assert!(matches!(refused, Refusal::Roll { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_house_with_a_signer_issues_and_has_no_key() {
    let office = Office::busy();
    let (house, authority) = office.employed().await;
    let (order, serial, now) = (order(&authority), serial(), time::now());
    let issued = authority.sign(order.clone(), serial, now).await.unwrap();
    let certificate = ca::Certificate::parse(&issued.der).unwrap();
    assert!(authority.current().has_issued(&certificate) && certificate.serial == Some(serial));
    let (_, last) = authority.life(&order.issuer, order.validity, now).unwrap();
    assert_eq!(Timestamp::from(certificate.not_after), last);

    let mut files: Vec<_> = std::fs::read_dir(house.path().join("authority"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["issuing.pem", "root.crl", "root.pem"]);
    let book = std::fs::read_to_string(office.folder.path().join(BOOK)).unwrap();
    assert!(book.contains(&serial.to_string()) && book.contains(&issued.fingerprint), "{book}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_serial_that_was_signed_is_not_signed_again_not_even_by_the_next_run() {
    let mut office = Office::busy();
    let (_house, authority) = office.employed().await;
    let (serial, now) = (serial(), time::now());
    let used = Refusal::Serial { serial: serial.to_string() };
    authority.sign(order(&authority), serial, now).await.unwrap();
    assert_eq!(refusal(authority.sign(order(&authority), serial, now).await), used);

    office.stop().await;
    let away = authority.sign(order(&authority), self::serial(), now).await.err().unwrap().to_string();
    assert!(away.contains("signer.sock") && away.contains("systemctl status chancery-signer"), "{away}");
    office.start();
    assert_eq!(refusal(authority.sign(order(&authority), serial, now).await), used);
    authority.sign(order(&authority), self::serial(), now).await.unwrap();
}

#[tokio::test]
async fn the_signer_applies_its_own_rules() {
    let office = Office::open(Config { issued_per_day: 2, ..Config::default() });
    let (_house, authority) = office.employed().await;
    let now = time::now();
    let long = Order { validity: 91 * DAY, ..order(&authority) };
    assert!(matches!(refusal(authority.sign(long, serial(), now).await), Refusal::Validity { .. }));
    let late = authority.sign(order(&authority), serial(), now.before(Duration::from_secs(3600))).await;
    assert!(matches!(refusal(late), Refusal::Clock { .. }));
    let nameless = Order { subject: ca::Subject::default(), ..order(&authority) };
    assert!(matches!(refusal(authority.sign(nameless, serial(), now).await), Refusal::Request(_)));
    authority.sign(order(&authority), serial(), now).await.unwrap();
    let often = refusal(authority.sign(order(&authority), serial(), now).await);
    assert_eq!(often, Refusal::Often { most: 2, seconds: 86_400 });
    let list = |revoked, days| {
        let (issuer, shard) = (authority.current(), Some("2A".parse().unwrap()));
        authority.sign_crl(List {
            issuer,
            shard,
            revoked,
            number: 1,
            now,
            next_update: now.after(DAY * days),
        })
    };
    assert!(matches!(refusal(list(Vec::new(), 30).await), Refusal::List { .. }));
    // It puts no serial on the list of a shard that it does not belong to.
    let stray = "4A0B000000000000000000000000002B".parse().unwrap();
    let stray = ca::Revoked { serial: stray, at: now.to_offset(), reason: ca::Reason::Superseded };
    assert!(matches!(refusal(list(vec![stray], 1).await), Refusal::Request(_)));
    list(Vec::new(), 1).await.unwrap();
}

#[tokio::test]
async fn a_list_longer_than_a_request_comes_back_whole_and_is_kept() {
    let office = Office::busy();
    let (house, authority) = office.employed().await;
    let now = time::now();
    let one = |_| ca::Revoked { serial: serial(), at: now.to_offset(), reason: ca::Reason::Superseded };
    let revoked: Vec<_> = (0..5000).map(one).collect();
    let (issuer, next_update) = (authority.current(), now.after(DAY));
    let list = List { issuer, shard: None, revoked, number: 7, now, next_update };
    let der = authority.sign_crl(list).await.unwrap();
    let info = crl::info(&der).unwrap();
    assert_eq!((info.number, info.count), (7, 5000));
    assert_eq!(std::fs::read(house.path().join("authority/issuing.crl")).unwrap(), der);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_signer_is_away_the_last_list_of_a_shard_is_shown_until_it_ends() {
    let mut office = Office::busy();
    let (house, authority) = office.employed().await;
    let store = Store::open(&house.path().join("chancery.db"), 2).unwrap();
    let (now, issuer) = (time::now(), authority.current());
    let index = Arc::new(Index::load(&store, now).await.unwrap());
    let shards = Arc::new(Shards::new(store.clone(), Arc::new(authority), index.clone()));
    let [known, other] = ["2A", "2B"].map(|name| name.parse().unwrap());
    let first = shards.of(&issuer, known, now).await.unwrap();

    office.stop().await;
    let hours = |hours: u64| now.after(Duration::from_secs(hours * 3600));
    assert!(matches!(shards.of(&issuer, other, now).await, Err(Failure::NoList)));
    assert_eq!(shards.of(&issuer, known, hours(23)).await.unwrap(), first);
    assert!(matches!(shards.of(&issuer, known, hours(25)).await, Err(Failure::NoList)));
    // Also by a house that was started meanwhile.
    let authority = Arc::new(office.employ(&house, false).await.unwrap());
    let again = Arc::new(Shards::new(store, authority, index));
    assert_eq!(again.of(&issuer, known, now).await.unwrap(), first);

    // It is tried again after a moment, and not with every question.
    office.start();
    assert!(matches!(
        shards.of(&issuer, other, now.after(Duration::from_secs(14))).await,
        Err(Failure::NoList)
    ));
    assert!(shards.of(&issuer, other, now.after(Duration::from_secs(15))).await.is_ok());
}

#[tokio::test]
async fn a_signer_of_another_authority_is_noticed() {
    let (ours, other) = (Office::busy(), Office::busy());
    let (house, _) = ours.employed().await;
    let swapped = other.employ(&house, false).await.err().unwrap();
    assert!(matches!(swapped, Failure::Signer(Trouble::Other { .. })), "{swapped}");
}

#[tokio::test]
async fn garbage_ends_its_connection_and_harms_nobody_else() {
    let office = Office::busy();
    let (_house, authority) = office.employed().await;
    for garbage in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xFF; 5000], &[0; 4096], b"\0\0\0\x02\0\0\0\0\0\0\0\x01{}"]
    {
        for _ in 0..20 {
            let mut stranger = UnixStream::connect(office.socket()).await.unwrap();
            // It may be turned away before it has said everything.
            let _ = stranger.write_all(garbage).await;
            let mut said = Vec::new();
            let _ = stranger.read_to_end(&mut said).await;
            assert!(String::from_utf8_lossy(&said).contains("refused"), "{garbage:?}: {said:?}");
        }
    }
    authority.sign(order(&authority), serial(), time::now()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_share_the_connection_and_the_disk() {
    let office = Office::busy();
    let (_house, authority) = office.employed().await;
    let (order, authority) = (order(&authority), Arc::new(authority));
    let began = time::monotonic();
    let ask = |_| {
        let (authority, order) = (authority.clone(), order.clone());
        tokio::spawn(async move { authority.sign(order, serial(), time::now()).await.map(drop) })
    };
    let asked: Vec<_> = (0..COUNT).map(ask).collect();
    for one in asked {
        one.await.unwrap().unwrap();
    }
    let took = began.elapsed();

    let place = Place { state: office.folder.path(), http_base: BASE, credentials: None };
    let issuers = Issuers::read(&keys::folder(place.state)).unwrap();
    let keys = Arc::new(Keys::open(&enrollment::Config::default(), place, &issuers).unwrap());
    let began = time::monotonic();
    let sign = |_| {
        let (keys, order) = (keys.clone(), order.clone());
        tokio::spawn(async move { keys.sign(order, serial(), time::now()).await.map(drop) })
    };
    for one in (0..COUNT).map(sign).collect::<Vec<_>>() {
        one.await.unwrap().unwrap();
    }
    let rate = |took: Duration| f64::from(COUNT) / took.as_secs_f64();
    eprintln!("{:.0} certificates in a second, by the keys alone {:.0}", rate(took), rate(began.elapsed()));
    let book = std::fs::read_to_string(office.folder.path().join(BOOK)).unwrap();
    assert_eq!(book.lines().count(), COUNT as usize);
}

const COUNT: u32 = 1000;
