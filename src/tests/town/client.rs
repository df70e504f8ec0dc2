//! A small MQTT client that blocks: 3.1.1 and 5, through every door, with every reason code in sight and bytes of choice.

mod exchange;

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::Person;
use super::carrier::{Quic, Stream, Web};
use super::packet::{self, Connect, Delivery, Packet, Properties, Version};

/// How long an answer may take on a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A session that stays when its connection ends.
const LONG: u32 = 3600;

/// A client that has not rung yet.
#[derive(Clone)]
pub(crate) struct Dial {
    address: SocketAddr,
    carrier: Carrier,
    tls: Option<(PathBuf, Option<Person>)>,
    /// What a proxy in front says first.
    header: Vec<u8>,
    hello: Connect,
}

/// What carries MQTT.
#[derive(Clone)]
enum Carrier {
    Tcp,
    /// With an `Origin`, as a page has one.
    Web(Option<String>),
    Quic,
}

/// Why there is no conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The reason code of a CONNACK, or of a DISCONNECT.
    Code(u8),
    /// The connection was closed without a word of MQTT.
    Closed(String),
}

/// How a conversation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With this reason code.
    Disconnect(u8),
    /// Without a word.
    Closed,
    /// It has not.
    StillThere,
}

/// An open conversation.
pub(crate) struct Client {
    stream: Box<dyn Stream>,
    input: Vec<u8>,
    waiting: VecDeque<Delivery>,
    version: Version,
    last_id: u16,
    /// Whether a session of this id was there before.
    pub(crate) present: bool,
    /// What the daemon announced in its CONNACK.
    pub(crate) welcome: Properties,
    /// What the last packet had by way of properties, unless it was a PUBLISH or CONNACK.
    pub(crate) said: Properties,
    /// Bytes of the largest packet it reads.
    limit: usize,
    /// Whether deliveries are acknowledged as they are heard.
    pub(crate) acknowledges: bool,
}

impl Dial {
    /// To a plain door.
    pub(crate) fn plain(address: SocketAddr) -> Self {
        let hello = Connect {
            version: Version::V5,
            client_id: String::new(),
            clean: true,
            keep_alive: 0,
            expiry: 0,
            receive_maximum: 0,
            username: None,
            password: None,
            will: None,
            properties: Properties::default(),
        };
        Self { address, carrier: Carrier::Tcp, tls: None, header: Vec::new(), hello }
    }

    /// To a TLS door that `root` vouches for, showing a person's certificate or none.
    pub(crate) fn tls(address: SocketAddr, root: &Path, person: Option<&Person>) -> Self {
        Self { tls: Some((root.to_owned(), person.cloned())), ..Self::plain(address) }
    }

    /// To a QUIC door.
    pub(crate) fn quic(address: SocketAddr, root: &Path, person: Option<&Person>) -> Self {
        Self { carrier: Carrier::Quic, ..Self::tls(address, root, person) }
    }

    /// Through a WebSocket.
    pub(crate) fn web(self) -> Self {
        Self { carrier: Carrier::Web(None), ..self }
    }

    /// Through a WebSocket that a page of this origin opens.
    pub(crate) fn page(self, origin: &str) -> Self {
        Self { carrier: Carrier::Web(Some(origin.into())), ..self }
    }

    /// Behind a proxy that says this first.
    pub(crate) fn behind(self, header: Vec<u8>) -> Self {
        Self { header, ..self }
    }

    /// Under this client id.
    pub(crate) fn id(mut self, client_id: &str) -> Self {
        self.hello.client_id = client_id.into();
        self
    }

    /// With a session that outlives the connection, taking up an earlier one.
    pub(crate) fn durable(self) -> Self {
        self.lasting(LONG)
    }

    /// With a session that outlives the connection by so many seconds.
    pub(crate) fn lasting(mut self, seconds: u32) -> Self {
        self.hello.clean = false;
        self.hello.expiry = seconds;
        self
    }

    /// Takes no more deliveries at a time than these.
    pub(crate) fn at_most(mut self, deliveries: u16) -> Self {
        self.hello.receive_maximum = deliveries;
        self
    }

    /// In MQTT 3.1.1.
    pub(crate) fn v3(mut self) -> Self {
        self.hello.version = Version::V3;
        self
    }

    /// With a user name.
    pub(crate) fn named(mut self, name: &str) -> Self {
        self.hello.username = Some(name.into());
        self
    }

    /// With a user name and a password.
    pub(crate) fn password(mut self, name: &str, password: &str) -> Self {
        self.hello.password = Some(password.into());
        self.named(name)
    }

    /// To be heard from at least every so many seconds.
    pub(crate) fn keep_alive(mut self, seconds: u16) -> Self {
        self.hello.keep_alive = seconds;
        self
    }

    /// At another address, after the doors have moved.
    pub(crate) fn at(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// The bytes of its CONNECT.
    pub(crate) fn hello(&self) -> Vec<u8> {
        packet::connect(&self.hello)
    }

    /// Connects; the daemon lets it in.
    pub(crate) fn connect(&self) -> Client {
        self.try_connect()
            .unwrap_or_else(|refused| panic!("{} is refused: {refused:?}", self.hello.client_id))
    }

    /// Connects, or is refused with a reason code.
    pub(crate) fn refused(&self) -> u8 {
        match self.try_connect() {
            Err(Refused::Code(code)) => code,
            Err(other) => panic!("no reason code: {other:?}"),
            Ok(_) => panic!("{} was let in", self.hello.client_id),
        }
    }

    /// Connects, or says why not.
    pub(crate) fn try_connect(&self) -> Result<Client, Refused> {
        let mut client = self.open().map_err(|error| Refused::Closed(error.to_string()))?;
        client.send(&self.hello()).map_err(|error| Refused::Closed(error.to_string()))?;
        match client.packet(PATIENCE) {
            Ok(Some(Packet::ConnAck { present, code: 0, properties })) => {
                client.present = present;
                client.welcome = properties;
                Ok(client)
            }
            Ok(Some(Packet::ConnAck { code, .. } | Packet::Disconnect { code })) => Err(Refused::Code(code)),
            Ok(Some(other)) => panic!("the first answer is {other:?}"),
            Ok(None) => panic!("no answer to CONNECT within {PATIENCE:?}"),
            Err(closed) => Err(Refused::Closed(closed)),
        }
    }

    /// A connection on which nothing was said yet.
    pub(crate) fn open(&self) -> std::io::Result<Client> {
        let stream: Box<dyn Stream> = match (&self.carrier, &self.tls) {
            (Carrier::Quic, Some((root, person))) => {
                Box::new(Quic::open(self.address, tls_config(root, person.as_ref(), &["mqtt"]))?)
            }
            (Carrier::Quic, None) => panic!("there is no QUIC without TLS"),
            (Carrier::Web(origin), None) => Box::new(Web::open(self.socket()?, origin.as_deref())?),
            (Carrier::Web(origin), Some(_)) => Box::new(Web::open(self.secure()?, origin.as_deref())?),
            (Carrier::Tcp, None) => Box::new(self.socket()?),
            (Carrier::Tcp, Some(_)) => Box::new(self.secure()?),
        };
        Ok(Client {
            stream,
            input: Vec::new(),
            waiting: VecDeque::new(),
            version: self.hello.version,
            last_id: 0,
            present: false,
            welcome: Properties::default(),
            said: Properties::default(),
            limit: self.limit(),
            acknowledges: true,
        })
    }

    fn socket(&self) -> std::io::Result<TcpStream> {
        let mut socket = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.write_all(&self.header)?;
        Ok(socket)
    }

    fn secure(&self) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let (root, person) = self.tls.as_ref().expect("a TLS door");
        let name = ServerName::try_from("localhost").expect("a host name");
        let config = tls_config(root, person.as_ref(), &[]);
        Ok(StreamOwned::new(ClientConnection::new(config, name).expect("a TLS client"), self.socket()?))
    }
}

/// How a client talks TLS with the house.
pub(crate) fn tls_config(root: &Path, person: Option<&Person>, alpn: &[&str]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(root).expect("the root certificate"))
        .expect("the root certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("TLS versions").with_root_certificates(roots);
    let mut config = match person {
        None => builder.with_no_client_auth(),
        Some(person) => {
            let chain = ["cert.pem", "chain.pem"].iter().flat_map(|name| {
                CertificateDer::pem_file_iter(person.folder.join(name)).expect("a certificate").flatten()
            });
            let key = PrivateKeyDer::from_pem_file(person.folder.join("key.pem")).expect("a key");
            builder.with_client_auth_cert(chain.collect(), key).expect("certificate and key fit")
        }
    };
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

impl Client {
    /// Subscribes; the daemon's answer to each filter.
    pub(crate) fn subscribe(&mut self, filters: &[(&str, u8)]) -> Vec<u8> {
        let id = self.fresh_id();
        let bytes = packet::subscribe(self.version, id, filters);
        self.send(&bytes).expect("SUBSCRIBE is sent");
        self.answer("SUBACK", |packet| match packet {
            Packet::SubAck { id: of, codes } if of == id => Some(codes),
            _ => None,
        })
    }

    /// Subscribes to one filter with QoS 1, which is granted.
    pub(crate) fn listen(mut self, filter: &str) -> Self {
        assert_eq!(self.subscribe(&[(filter, 1)]), [1], "{filter}");
        self
    }

    /// Takes a subscription back.
    pub(crate) fn unsubscribe(&mut self, filter: &str) -> Vec<u8> {
        let id = self.fresh_id();
        let bytes = packet::unsubscribe(self.version, id, filter);
        self.send(&bytes).expect("UNSUBSCRIBE is sent");
        self.answer("UNSUBACK", |packet| match packet {
            Packet::UnsubAck { id: of, codes } if of == id => Some(codes),
            _ => None,
        })
    }

    /// Publishes with QoS 1; the reason code of the acknowledgement.
    pub(crate) fn publish(&mut self, topic: &str, payload: &str) -> u8 {
        self.post(Delivery::new(topic, payload))
    }

    /// Publishes what is accepted, whether or not anybody subscribed (0x10, MQTT 5.0 section 3.4.2.1).
    pub(crate) fn say(&mut self, topic: &str, payload: &str) {
        let code = self.publish(topic, payload);
        assert!(matches!(code, 0 | 0x10), "{topic}: {code:#x}");
    }

    /// Publishes to the last acknowledgement of its QoS; the reason code of the first.
    pub(crate) fn post(&mut self, letter: Delivery) -> u8 {
        if letter.qos == 0 {
            self.put(&Delivery { id: 0, ..letter });
            return 0;
        }
        let (id, qos) = (self.fresh_id(), letter.qos);
        self.put(&Delivery { id, ..letter });
        if qos == 2 {
            return self.exactly_once(id);
        }
        self.answer("PUBACK", |packet| match packet {
            Packet::PubAck { id: of, code } if of == id => Some(code),
            _ => None,
        })
    }

    /// Publishes as it stands, and waits for nothing.
    pub(crate) fn put(&mut self, letter: &Delivery) {
        let bytes = packet::publish(self.version, letter);
        self.send(&bytes).expect("PUBLISH is sent");
    }

    /// The next delivery.
    pub(crate) fn hear(&mut self) -> Delivery {
        self.hear_within(PATIENCE).unwrap_or_else(|| panic!("nothing is delivered within {PATIENCE:?}"))
    }

    /// The next delivery, which has this topic and text.
    pub(crate) fn hears(&mut self, topic: &str, text: &str) -> Delivery {
        let heard = self.hear();
        assert_eq!((heard.topic.as_str(), heard.text().as_str()), (topic, text), "{heard:?}");
        heard
    }

    /// The next delivery, if there is one in time.
    pub(crate) fn hear_within(&mut self, bound: Duration) -> Option<Delivery> {
        let until = Instant::now() + bound;
        while self.waiting.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            match self.packet(left) {
                Ok(Some(Packet::Publish(delivery))) => self.waiting.push_back(delivery),
                Ok(Some(other)) => panic!("{other:?} instead of a delivery"),
                Ok(None) => return None,
                Err(closed) => panic!("the connection ended instead of a delivery: {closed}"),
            }
        }
        let heard = self.waiting.pop_front()?;
        match heard.qos {
            1 if self.acknowledges => self.acknowledge(&heard),
            2 if self.acknowledges => self.take_exactly_once(&heard),
            _ => {}
        }
        Some(heard)
    }

    /// Nothing is on its way: what the daemon sent before it answered a ping, and a moment later, is nothing.
    pub(crate) fn hears_nothing(&mut self) {
        self.ping();
        if let Some(heard) = self.hear_within(Duration::from_millis(200)) {
            panic!("heard {heard:?}");
        }
    }

    /// Settles a delivery.
    pub(crate) fn acknowledge(&mut self, heard: &Delivery) {
        self.send(&packet::puback(heard.id)).expect("PUBACK is sent");
    }

    /// The daemon is there: it answers a ping.
    pub(crate) fn ping(&mut self) {
        self.send(&packet::ping()).expect("PINGREQ is sent");
        self.answer("PINGRESP", |packet| (packet == Packet::Pong).then_some(()));
    }

    /// How the conversation ends, if it does in time.
    pub(crate) fn ending(&mut self, bound: Duration) -> Ending {
        let until = Instant::now() + bound;
        loop {
            match self.packet(until.saturating_duration_since(Instant::now())) {
                Ok(Some(Packet::Disconnect { code })) => return Ending::Disconnect(code),
                Ok(Some(Packet::ConnAck { code, .. })) if code >= 0x80 => return Ending::Disconnect(code),
                Ok(Some(_)) => {}
                Ok(None) => return Ending::StillThere,
                Err(_) => return Ending::Closed,
            }
        }
    }

    /// Says goodbye.
    pub(crate) fn leave(mut self) {
        self.send(&packet::disconnect()).expect("DISCONNECT is sent");
        // The daemon closes; the session has ended by then.
        assert_eq!(self.ending(PATIENCE), Ending::Closed);
    }

    /// Any bytes.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// The next packet; `None` when the time is over, an error when the connection is.
    pub(crate) fn packet(&mut self, bound: Duration) -> Result<Option<Packet>, String> {
        let until = Instant::now() + bound;
        let mut buffer = [0; 16 * 1024];
        loop {
            if let Some(taken) = packet::take(self.version, &mut self.input) {
                assert!(
                    taken.length <= self.limit,
                    "{} bytes: {:?} [MQTT-3.1.2-24]",
                    taken.length,
                    taken.packet
                );
                self.said = taken.said;
                return Ok(Some(taken.packet));
            }
            let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.stream.wait_at_most(left).map_err(|error| error.to_string())?;
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err("closed".into()),
                Ok(count) => self.input.extend(&buffer[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if Instant::now() >= until {
                        return Ok(None);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    fn answer<T>(&mut self, what: &str, wanted: impl Fn(Packet) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.packet(until.saturating_duration_since(Instant::now())) {
                Ok(Some(Packet::Publish(delivery))) => self.waiting.push_back(delivery),
                Ok(Some(packet)) => {
                    let said = format!("{packet:?}");
                    return wanted(packet).unwrap_or_else(|| panic!("{said} instead of {what}"));
                }
                Ok(None) => panic!("no {what} within {PATIENCE:?}"),
                Err(closed) => panic!("the connection ended instead of {what}: {closed}"),
            }
        }
    }

    fn fresh_id(&mut self) -> u16 {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        self.last_id
    }
}
