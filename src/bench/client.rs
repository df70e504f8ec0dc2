//! The load generator: MQTT 3.1.1 frames over mutual TLS, one thread.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::{Buf, BytesMut};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::micros_since;

/// A client's way of proving who it is.
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) root: CertificateDer<'static>,
}

/// An author and a recipient.
pub(crate) struct Pair {
    pub(crate) address: SocketAddr,
    pub(crate) author: Identity,
    pub(crate) recipient: Identity,
    pub(crate) topic: String,
    pub(crate) filter: String,
}

/// What to do.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// As fast as acknowledgements come, with so many outstanding for each author.
    Window { messages: usize, window: usize, size: usize },
    /// So many a second over all pairs.
    Rate { rate: usize, seconds: usize, size: usize },
}

/// What was measured.
pub(crate) struct Figures {
    /// Messages a second, from the first publication to the last acknowledgement of a recipient.
    pub(crate) rate: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

type Tls = TlsStream<TcpStream>;

/// Connects everybody, then runs.
pub(crate) async fn run(pairs: &[Pair], run: Run) -> Result<Figures> {
    let epoch = Instant::now();
    let each = match run {
        Run::Window { messages, .. } => messages / pairs.len(),
        Run::Rate { rate, seconds, .. } => rate * seconds / pairs.len(),
    };
    let mut recipients = Vec::new();
    let mut authors = Vec::new();
    for (at, pair) in pairs.iter().enumerate() {
        let mut stream = connect(pair.address, &pair.recipient, &format!("recipient-{at}")).await?;
        subscribe(&mut stream, &pair.filter).await?;
        recipients.push(tokio::spawn(receive(stream, each, epoch)));
        authors
            .push((connect(pair.address, &pair.author, &format!("author-{at}")).await?, pair.topic.clone()));
    }
    let begun = Instant::now();
    let writers: Vec<_> = authors
        .into_iter()
        .enumerate()
        .map(|(at, (stream, topic))| {
            let beat = Beat { run, at, authors: pairs.len() };
            tokio::spawn(publish(stream, topic, beat, each, epoch))
        })
        .collect();
    let mut latencies = Vec::new();
    for recipient in recipients {
        latencies.extend(
            tokio::time::timeout(Duration::from_secs(120), recipient)
                .await
                .context("messages did not arrive")???,
        );
    }
    let took = begun.elapsed();
    for writer in writers {
        writer.await??;
    }
    latencies.sort_unstable();
    let at = |share: f64| Duration::from_micros(latencies[((latencies.len() - 1) as f64 * share) as usize]);
    Ok(Figures { rate: latencies.len() as f64 / took.as_secs_f64(), p50: at(0.5), p99: at(0.99) })
}

async fn connect(address: SocketAddr, who: &Identity, client_id: &str) -> Result<Tls> {
    let mut roots = RootCertStore::empty();
    roots.add(who.root.clone())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(who.chain.clone(), who.key.clone_key())?;
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let name = ServerName::try_from("localhost")?;
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60];
    text(&mut body, client_id);
    stream.write_all(&frame(0x10, &body)).await?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await?;
    if answer != [0x20, 2, 0, 0] {
        bail!("not let in: {answer:?}");
    }
    Ok(stream)
}

async fn subscribe(stream: &mut Tls, filter: &str) -> Result<()> {
    let mut body = vec![0, 1];
    text(&mut body, filter);
    body.push(1);
    stream.write_all(&frame(0x82, &body)).await?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await?;
    if answer != [0x90, 3, 0, 1, 1] {
        bail!("not subscribed: {answer:?}");
    }
    Ok(())
}

/// Reads until every message has come, acknowledging each; gives the latencies in microseconds.
async fn receive(mut stream: Tls, expected: usize, epoch: Instant) -> Result<Vec<u64>> {
    let (mut input, mut output) = (BytesMut::with_capacity(64 * 1024), Vec::new());
    let mut latencies = Vec::with_capacity(expected);
    while latencies.len() < expected {
        if stream.read_buf(&mut input).await? == 0 {
            bail!("closed after {} of {expected} messages", latencies.len());
        }
        while let Some((kind, body)) = next(&mut input) {
            if kind >> 4 != 3 {
                continue;
            }
            let topic = usize::from(u16::from_be_bytes([body[0], body[1]]));
            let (id, payload) = body[2 + topic..].split_at(2);
            output.extend([0x40, 2, id[0], id[1]]);
            let mut sent = [0; 8];
            sent.copy_from_slice(&payload[..8]);
            latencies.push(micros_since(epoch).saturating_sub(u64::from_be_bytes(sent)));
        }
        stream.write_all(&output).await?;
        stream.flush().await?;
        output.clear();
        input.reserve(16 * 1024);
    }
    Ok(latencies)
}

/// When an author speaks: the authors of a paced run take turns, so that messages come evenly and not in bursts.
#[derive(Clone, Copy)]
struct Beat {
    run: Run,
    at: usize,
    authors: usize,
}

async fn publish(stream: Tls, topic: String, beat: Beat, count: usize, epoch: Instant) -> Result<()> {
    let (reader, writer) = tokio::io::split(stream);
    let (window, size, ticks) = match beat.run {
        Run::Window { window, size, .. } => (window, size, None),
        Run::Rate { rate, size, .. } => {
            let turn = Duration::from_secs(1) / rate as u32;
            let first = tokio::time::Instant::now() + turn * beat.at as u32;
            (1000, size, Some(tokio::time::interval_at(first, turn * beat.authors as u32)))
        }
    };
    let room = Arc::new(Semaphore::new(window));
    let acknowledged = tokio::spawn(acknowledge(reader, count, room.clone()));
    send(writer, &topic, count, size, ticks, &room, epoch).await?;
    acknowledged.await?
}

async fn send(
    mut writer: WriteHalf<Tls>,
    topic: &str,
    count: usize,
    size: usize,
    mut ticks: Option<tokio::time::Interval>,
    room: &Semaphore,
    epoch: Instant,
) -> Result<()> {
    let mut batch = Vec::new();
    for at in 0..count {
        if let Some(ticks) = &mut ticks {
            ticks.tick().await;
        }
        // Whatever fits into the window goes out in one write.
        let permit = match room.try_acquire() {
            Ok(permit) => permit,
            Err(_) => {
                flush(&mut writer, &mut batch).await?;
                room.acquire().await?
            }
        };
        permit.forget();
        let mut body = Vec::with_capacity(size + topic.len() + 8);
        text(&mut body, topic);
        body.extend(((at % 65_535) as u16 + 1).to_be_bytes());
        body.extend(micros_since(epoch).to_be_bytes());
        body.resize(body.len() + size - 8, b'x');
        batch.extend(frame(0x32, &body));
        if ticks.is_some() || batch.len() > 16 * 1024 {
            flush(&mut writer, &mut batch).await?;
        }
    }
    flush(&mut writer, &mut batch).await
}

async fn flush(writer: &mut WriteHalf<Tls>, batch: &mut Vec<u8>) -> Result<()> {
    writer.write_all(batch).await?;
    writer.flush().await?;
    batch.clear();
    Ok(())
}

async fn acknowledge(mut reader: ReadHalf<Tls>, count: usize, room: Arc<Semaphore>) -> Result<()> {
    let (mut input, mut got) = (BytesMut::with_capacity(4096), 0);
    while got < count {
        if reader.read_buf(&mut input).await? == 0 {
            bail!("closed after {got} of {count} acknowledgements");
        }
        let before = got;
        while let Some((kind, _)) = next(&mut input) {
            got += usize::from(kind == 0x40);
        }
        room.add_permits(got - before);
        input.reserve(1024);
    }
    Ok(())
}

fn next(input: &mut BytesMut) -> Option<(u8, BytesMut)> {
    let (mut length, mut shift, mut at) = (0, 0, 1);
    loop {
        let byte = *input.get(at)?;
        length |= usize::from(byte & 127) << shift;
        (shift, at) = (shift + 7, at + 1);
        if byte < 128 {
            break;
        }
    }
    if input.len() < at + length {
        return None;
    }
    let kind = input[0];
    input.advance(at);
    Some((kind, input.split_to(length)))
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let (mut out, mut length) = (vec![kind], body.len());
    loop {
        let more = length > 127;
        out.push((length % 128) as u8 | if more { 128 } else { 0 });
        length /= 128;
        if !more {
            break;
        }
    }
    out.extend(body);
    out
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u16).to_be_bytes());
    out.extend(text.as_bytes());
}
