//! Certificates taken back while those who hold them are connected: how long until one is cut off, and whether the
//! others notice.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use openssl::x509::X509;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::certificates::{JSON, csr_orders};
use crate::link::{Entrance, Link};
use crate::server::{CLIENT, Ground, Server};
use crate::tally::{Figures, Tally, Watch};
use crate::web::{Site, Web, request};
use crate::{asking, paper};

/// How many of them lose their certificates, one after the other.
const TAKEN_BACK: usize = 200;
/// Connections that are made at a time.
const AT_ONCE: usize = 50;
const PATIENCE: Duration = Duration::from_secs(10);

/// A device with a certificate of its own.
struct Device {
    serial: String,
    entrance: Entrance,
}

/// So many sessions over mutual TLS, each with a certificate of its own; some are cut off, one by one.
pub(crate) async fn run(ground: &Ground, server: &Server, sessions: u64) -> Result<Figures> {
    let control = Site::Control(ground.control());
    let devices = enroll(ground, server, &control, sessions).await?;
    let mut links = connect(&devices).await?;
    let step = (devices.len() / TAKEN_BACK).max(1);
    let tally = Tally::of((devices.len() / step) as u64);
    let watch = Watch::start(server.pid())?;
    let mut web = control.enter().await?;
    for at in (0..devices.len()).step_by(step) {
        let begun = tally.now();
        let mut link = links[at].take().context("it was connected")?;
        let (asked, ended) = tokio::join!(revoke(&mut web, &devices[at].serial), async {
            let ended = tokio::time::timeout(PATIENCE, link.end()).await;
            (ended, tally.now() - begun)
        });
        asked?;
        ended.0.context("its session goes on")?;
        tally.add_latency(ended.1);
        tally.add(1);
    }
    let figures = watch.stop(&tally)?;
    for (at, device) in devices.iter().enumerate() {
        match &mut links[at] {
            Some(link) => {
                tokio::time::timeout(PATIENCE, link.ping()).await?.context("another was disturbed")?
            }
            None => ensure!(device.entrance.enter("back", true).await.is_err(), "one came back"),
        }
    }
    Ok(figures)
}

async fn revoke(web: &mut Web, serial: &str) -> Result<()> {
    web.ask(&request("POST", &format!("/api/v1/certificates/{serial}/revoke"), JSON, b"{}")).await.map(drop)
}

async fn enroll(ground: &Ground, server: &Server, control: &Site, count: u64) -> Result<Vec<Device>> {
    let (keys, requests): (Vec<_>, Vec<_>) = paper::devices(CLIENT, count)?.into_iter().unzip();
    // Answers come in another order than requests went, and each tells by its key whose it is.
    let by_key = keys.iter().map(|key| Ok((key.public_key_to_der()?, key.private_key_to_pkcs8()?)));
    let by_key: HashMap<_, _> = by_key.collect::<Result<_>>()?;
    let answers = Rc::new(RefCell::new(Vec::new()));
    let heard = answers.clone();
    let keep = move |answer: Bytes| {
        heard.borrow_mut().push(answer);
        Ok(())
    };
    asking::run(server, control, csr_orders(CLIENT, requests)?, keep).await?;
    answers.take().iter().map(|answer| device(ground, server, answer, &by_key)).collect()
}

fn device(
    ground: &Ground,
    server: &Server,
    answer: &[u8],
    keys: &HashMap<Vec<u8>, Vec<u8>>,
) -> Result<Device> {
    let answer: Value = serde_json::from_slice(answer)?;
    let word = |name: &str| answer[name].as_str().with_context(|| format!("a certificate without {name}"));
    let parse = |name: &str| -> Result<X509> { Ok(X509::from_pem(word(name)?.as_bytes())?) };
    let (own, issuer) = (parse("certificate")?, parse("chain")?);
    let key = keys.get(&own.public_key()?.public_key_to_der()?).context("a certificate for nobody's key")?;
    let chain = vec![CertificateDer::from(own.to_der()?), CertificateDer::from(issuer.to_der()?)];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.clone()));
    let entrance = server.entrance(Some(ground.shows(chain, key)?));
    Ok(Device { serial: word("serial")?.to_owned(), entrance })
}

async fn connect(devices: &[Device]) -> Result<Vec<Option<Link>>> {
    let mut links: Vec<_> = devices.iter().map(|_| None).collect();
    for (turn, some) in devices.chunks(AT_ONCE).enumerate() {
        let mut coming = JoinSet::new();
        for (at, device) in (turn * AT_ONCE..).zip(some) {
            let entrance = device.entrance.clone();
            coming.spawn_local(async move { (at, entrance.enter(&format!("device-{at}"), true).await) });
        }
        while let Some(come) = coming.join_next().await {
            let (at, link) = come?;
            links[at] = Some(link?);
        }
    }
    Ok(links)
}
