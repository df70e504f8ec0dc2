//! Crowds at the doors: those who begin and never end keep nobody else out.

use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::ClientConnection;

use crate::town::Town;
use crate::town::client::{Dial, tls_config};

/// Half-open connections.
const CROWD: usize = 10_000;
/// The beginning of a TLS handshake: a record that announces more than ever comes.
const BEGUN: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

/// One crowd at a time: each needs a file for each of its connections.
static CROWDED: Mutex<()> = Mutex::new(());

/// Lets the test hold a crowd until the guard is dropped, and says how large: smaller only where the system grants a
/// process fewer files.
fn make_room() -> (MutexGuard<'static, ()>, usize) {
    let room = CROWDED.lock().unwrap_or_else(PoisonError::into_inner);
    let files = rlimit::increase_nofile_limit(u64::MAX).expect("the limit of open files");
    (room, usize::try_from(files / 5 * 4).map_or(CROWD, |files| files.min(CROWD)))
}

/// Connections that say this and then nothing.
fn crowd(address: SocketAddr, size: usize, words: &[u8]) -> Vec<TcpStream> {
    let enter = |_| {
        let mut stream = TcpStream::connect(address).expect("the door is open");
        stream.write_all(words).expect("sent");
        stream
    };
    (0..size).map(enter).collect()
}

/// Within a second. The tests beside this one keep the machine busy, so one of five tries is enough; behind a crowd none
/// would be.
fn connects_soon(what: &str, dial: &Dial) {
    let took = |_| {
        let began = Instant::now();
        dial.connect().ping();
        began.elapsed()
    };
    let tries: Vec<Duration> = (0..5).map(took).collect();
    assert!(tries.iter().any(|took| *took < Duration::from_secs(1)), "{what}: {tries:?}");
}

#[test]
fn thousands_of_silent_connections_keep_nobody_out() {
    let (_room, most) = make_room();
    let town = Town::start();
    let bob = town.person("bob");
    let doors = ["mqtt", "mqtts", "ws", "wss"];
    let _crowds = doors.map(|door| crowd(town.door(door), most / doors.len(), b""));
    town.account("carol", "a long enough password");
    let carol = |dial: Dial| dial.password("carol", "a long enough password");
    connects_soon("mqtts", &town.mqtts(Some(&bob)));
    connects_soon("wss", &town.wss(Some(&bob)));
    connects_soon("quic", &town.quic(Some(&bob)));
    connects_soon("mqtt", &carol(town.mqtt()));
    connects_soon("ws", &carol(town.ws()));
}

#[test]
fn thousands_of_handshakes_that_begin_and_never_end_keep_nobody_out() {
    let (_room, most) = make_room();
    let town = Town::start();
    let bob = town.person("bob");
    let mut whole = Vec::new();
    let name = "localhost".try_into().expect("a host name");
    let mut client = ClientConnection::new(tls_config(&town.root(), None, &[]), name).expect("a TLS client");
    client.write_tls(&mut whole).expect("memory");
    let _crowds = [
        crowd(town.door("mqtts"), most.div_ceil(3), &whole),
        crowd(town.door("wss"), most.div_ceil(3), BEGUN),
        crowd(town.door("ws"), most.div_ceil(3), b"GET /mqtt HTTP/1.1\r\n"),
    ];
    town.account("carol", "a long enough password");
    connects_soon("mqtts", &town.mqtts(Some(&bob)));
    connects_soon("wss", &town.wss(Some(&bob)));
    connects_soon("ws", &town.ws().password("carol", "a long enough password"));
}

#[test]
fn a_handshake_that_takes_too_long_is_over() {
    let town = Town::plan().with("door.limits", "connect_timeout = \"500ms\"").start();
    for (door, words) in [("mqtts", &b""[..]), ("wss", BEGUN), ("ws", b"GET /mqtt HTTP/1.1\r\n"), ("ws", b"")]
    {
        let mut stuck = crowd(town.door(door), 1, words).remove(0);
        stuck.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
        let end = std::io::copy(&mut stuck, &mut std::io::sink());
        assert!(end.is_ok() || end.is_err_and(|error| !is_timeout(&error)), "{door} holds on");
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}

#[test]
fn noise_at_the_quic_door_keeps_nobody_out() {
    let town = Town::start();
    let bob = town.person("bob");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    for number in 0..20_000u32 {
        // A long header of version 1 with connection ids and nothing sensible behind them.
        let mut noise = vec![0xC0, 0, 0, 0, 1, 8];
        noise.extend([number.to_be_bytes(), number.to_le_bytes()].concat());
        noise.resize(1200, number as u8);
        let _ = socket.send_to(&noise, town.door("quic"));
    }
    connects_soon("quic", &town.quic(Some(&bob)));
}
