//! A forger on the way to a resolver: hands most questions on, and answers chosen ones itself, over UDP and TCP.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

pub(crate) const SOA: u16 = 6;
pub(crate) const DNSKEY: u16 = 48;
pub(crate) const TLSA: u16 = 52;

/// The forger; it ends with the runtime of its test.
pub(crate) struct Forger {
    pub(crate) address: SocketAddr,
}

/// What the forger says to a question; nothing means what the resolver says. The second argument asks the resolver.
type Forgery = dyn Fn(&Question, &dyn Fn(&[u8]) -> Vec<u8>) -> Option<Vec<u8>> + Send + Sync;

impl Forger {
    pub(crate) async fn start(
        resolver: SocketAddr,
        forge: impl Fn(&Question, &dyn Fn(&[u8]) -> Vec<u8>) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Forger {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = tcp.local_addr().expect("its address");
        let udp = UdpSocket::bind(address).await.expect("the same port");
        let forge: Arc<Forgery> = Arc::new(forge);
        tokio::spawn(over_udp(udp, resolver, forge.clone()));
        tokio::spawn(over_tcp(tcp, resolver, forge));
        Forger { address }
    }
}

async fn over_udp(socket: UdpSocket, resolver: SocketAddr, forge: Arc<Forgery>) {
    let mut buffer = [0; 4096];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let reply = reply(&buffer[..length], resolver, &*forge);
        let _ = socket.send_to(&reply, from).await;
    }
}

async fn over_tcp(listener: TcpListener, resolver: SocketAddr, forge: Arc<Forgery>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let forge = forge.clone();
        tokio::spawn(async move {
            while let Ok(length) = stream.read_u16().await {
                let mut question = vec![0; length.into()];
                stream.read_exact(&mut question).await?;
                let reply = reply(&question, resolver, &*forge);
                stream.write_all(&framed(&reply)).await?;
            }
            Ok::<_, std::io::Error>(())
        });
    }
}

fn reply(question: &[u8], resolver: SocketAddr, forge: &Forgery) -> Vec<u8> {
    let relay = |question: &[u8]| relay(question, resolver).expect("the resolver answers");
    forge(&Question(question.to_vec()), &relay).unwrap_or_else(|| relay(question))
}

/// The resolver's answer, over TCP so that it is whole.
fn relay(question: &[u8], resolver: SocketAddr) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(resolver)?;
    stream.write_all(&framed(question))?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("a DNS message");
    [&length.to_be_bytes(), message].concat()
}

/// A question on the wire (RFC 1035 §4.1).
pub(crate) struct Question(Vec<u8>);

impl Question {
    /// Whether it asks for `kind` at `name`.
    pub(crate) fn is(&self, name: &str, kind: u16) -> bool {
        let asked = [&wire(name)[..], &kind.to_be_bytes(), &[0, 1]].concat();
        self.0[HEADER..self.end()].eq_ignore_ascii_case(&asked)
    }

    /// The same question about another name.
    pub(crate) fn renamed(&self, name: &str) -> Vec<u8> {
        [&self.0[..HEADER], &wire(name), &self.0[self.end() - 4..]].concat()
    }

    /// The same question from somebody who has not heard of EDNS, so that no signatures come.
    pub(crate) fn without_edns(&self) -> Vec<u8> {
        let mut plain = self.0[..self.end()].to_vec();
        plain[10..12].fill(0);
        plain
    }

    /// NODATA, with the unsigned SOA record of `zone` as its only witness.
    pub(crate) fn denied_by(&self, zone: &str) -> Vec<u8> {
        [&self.0[..2], &[0x81, 0x80, 0, 1, 0, 0, 0, 1, 0, 0], &self.0[HEADER..self.end()], &soa(zone)]
            .concat()
    }

    /// SERVFAIL.
    pub(crate) fn failed(&self) -> Vec<u8> {
        [&self.0[..2], &[0x81, 0x82, 0, 1, 0, 0, 0, 0, 0, 0], &self.0[HEADER..self.end()]].concat()
    }

    /// An answer to an equally long question, passed off as one to this.
    pub(crate) fn with_answer_to(&self, other: &[u8]) -> Vec<u8> {
        assert_eq!(self.end(), skip_name(other, HEADER) + 4, "compressed names would point elsewhere");
        [&other[..HEADER], &self.0[HEADER..self.end()], &other[self.end()..]].concat()
    }

    fn end(&self) -> usize {
        skip_name(&self.0, HEADER) + 4
    }
}

/// The answer with its own witnesses replaced by the unsigned SOA record of `zone`.
pub(crate) fn without_proof(answer: &[u8], zone: &str) -> Vec<u8> {
    let mut end = skip_name(answer, HEADER) + 4;
    for _ in 0..u16::from_be_bytes([answer[6], answer[7]]) {
        let data = skip_name(answer, end) + 10;
        end = data + usize::from(u16::from_be_bytes([answer[data - 2], answer[data - 1]]));
    }
    let mut forged = [&answer[..end], &soa(zone)].concat();
    forged[8..12].copy_from_slice(&[0, 1, 0, 0]);
    forged
}

fn soa(zone: &str) -> Vec<u8> {
    let data = [&wire(&format!("ns.{zone}"))[..], &wire(&format!("admin.{zone}")), &[0, 0, 0, 60].repeat(5)]
        .concat();
    let length = u16::try_from(data.len()).expect("a short record");
    [&wire(zone)[..], &SOA.to_be_bytes(), &[0, 1, 0, 0, 0, 60], &length.to_be_bytes(), &data].concat()
}

fn wire(name: &str) -> Vec<u8> {
    let labels = name.split('.').flat_map(|label| {
        let length = u8::try_from(label.len()).expect("a label");
        std::iter::once(length).chain(label.bytes())
    });
    labels.chain([0]).collect()
}

fn skip_name(message: &[u8], mut at: usize) -> usize {
    loop {
        match message[at] {
            0 => return at + 1,
            length if length >= 0xC0 => return at + 2,
            length => at += 1 + usize::from(length),
        }
    }
}

const HEADER: usize = 12;
