//! What is particular to WebSocket (MQTT 5.0 section 6).

use std::net::TcpStream;

use tungstenite::Message;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};

use crate::town::Town;
use crate::town::carrier::{Stream, Web};
use crate::town::client::{PATIENCE, Refused};
use crate::town::packet;
use crate::town::tools::eventually;
use crate::town::web::exchange;

fn open(town: &Town) -> Web<TcpStream> {
    let mut socket = TcpStream::connect(town.door("ws")).expect("the door is open");
    socket.wait_at_most(PATIENCE).expect("a socket");
    Web::open(socket, None).expect("a WebSocket")
}

/// The code with which the server closes.
fn closing(web: &mut Web<TcpStream>) -> Option<CloseCode> {
    loop {
        match web.socket.read() {
            Ok(Message::Close(frame)) => return frame.map(|frame| frame.code),
            Ok(_) => {}
            Err(_) => return None,
        }
    }
}

#[test]
fn packets_need_not_align_with_frames() {
    let town = Town::plan().with("door.ws", "allow_anonymous = true").start();
    let mut web = open(&town);
    // A packet in a frame for each byte, a ping after every one.
    for byte in town.ws().id("odd").hello() {
        web.socket.send(Message::binary(vec![byte])).expect("sent");
        web.socket.send(Message::Ping(vec![byte].into())).expect("sent");
    }
    let Ok(Message::Binary(connack)) = next(&mut web) else { panic!("no CONNACK") };
    assert_eq!((connack[0], connack[3]), (0x20, 0));
    // Two packets in a message of three fragments, of which one is empty.
    let two = [packet::ping(), packet::ping()].concat();
    let fragments = [(&two[..3], Data::Binary), (&[][..], Data::Continue), (&two[3..], Data::Continue)];
    for (at, (part, kind)) in fragments.into_iter().enumerate() {
        let frame = Frame::message(part.to_vec(), OpCode::Data(kind), at == 2);
        web.socket.send(Message::Frame(frame)).expect("sent");
    }
    let mut heard = Vec::new();
    while heard.len() < 4 {
        let Ok(Message::Binary(pong)) = next(&mut web) else { panic!("no PINGRESP") };
        heard.extend(pong);
    }
    assert_eq!(heard, [0xD0, 0, 0xD0, 0]);
    web.socket.close(None).expect("sent");
    assert!(matches!(next(&mut web), Ok(Message::Close(_))));
}

/// The next message that is no pong.
fn next(web: &mut Web<TcpStream>) -> tungstenite::Result<Message> {
    loop {
        match web.socket.read() {
            Ok(Message::Pong(_)) => {}
            other => return other,
        }
    }
}

#[test]
fn a_ping_is_answered_before_anything_of_mqtt_is_said() {
    let town = Town::start();
    let mut web = open(&town);
    web.socket.send(Message::Ping("there?".into())).expect("sent");
    assert_eq!(web.socket.read().expect("an answer"), Message::Pong("there?".into()));
}

#[test]
fn a_text_frame_closes() {
    let town = Town::start();
    let mut web = open(&town);
    web.socket.send(Message::text("hello")).expect("sent");
    assert_eq!(closing(&mut web), Some(CloseCode::Unsupported));
}

#[test]
fn a_message_larger_than_the_largest_packet_closes() {
    let town = Town::plan().with("door.limits", "packet = 1024").start();
    let mut web = open(&town);
    let _ = web.socket.send(Message::binary(vec![0; 2000]));
    assert_eq!(closing(&mut web), Some(CloseCode::Size));
}

#[test]
fn what_is_no_websocket_of_mqtt_hears_an_http_status() {
    let town = Town::start();
    let ask = |path: &str, headers: &[(&str, &str)]| {
        let mut socket = TcpStream::connect(town.door("ws")).expect("the door is open");
        exchange(&mut socket, "GET", "localhost", path, headers, b"").status
    };
    assert_eq!(ask("/mqtt", &[]), 426);
    assert_eq!(ask("/", &[]), 404);
    let mut upgrade =
        vec![("Upgrade", "websocket"), ("Connection", "upgrade"), ("Sec-WebSocket-Version", "13")];
    assert_eq!(ask("/mqtt", &upgrade), 400, "without a key");
    upgrade.push(("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="));
    assert_eq!(ask("/mqtt", &upgrade), 400, "without a subprotocol");
    upgrade.push(("Sec-WebSocket-Protocol", "chat"));
    assert_eq!(ask("/mqtt", &upgrade), 400, "with another");
}

#[test]
fn the_path_is_as_configured() {
    let town = Town::plan().with("door.ws", "path = \"/elsewhere\"").start();
    let refused = town.ws().try_connect().err();
    assert_eq!(refused, Some(Refused::Closed("HTTP 404".into())));
}

/// A page anywhere can make a browser connect with the certificate of whoever looks at it.
#[test]
fn a_page_of_others_cannot_use_a_certificate() {
    let town = Town::plan().with("door.wss", "origins = [\"https://app.example\"]").start();
    let bob = town.person("bob");
    town.account("carol", "a long enough password");
    let refused = town.wss(Some(&bob)).page("https://evil.example").try_connect().err();
    assert_eq!(refused, Some(Refused::Closed("HTTP 403".into())));
    eventually("the log says why", || town.log().contains("a page of another origin"));
    // Listed, ours, or no page at all.
    for origin in ["https://app.example", "https://localhost:8443", "https://mq.corp.example"] {
        town.wss(Some(&bob)).page(origin).connect().leave();
    }
    town.wss(Some(&bob)).connect().leave();
    // Whoever knows the password may say it from anywhere.
    town.wss(None).page("https://evil.example").password("carol", "a long enough password").connect().leave();
}

/// Being on this machine is nothing that a page deserves either.
#[test]
fn a_page_of_others_is_no_guest() {
    let town =
        Town::plan().with("door.ws", "allow_anonymous = true\norigins = [\"http://localhost:3000\"]").start();
    town.ws().connect().leave();
    town.ws().page("http://localhost:3000").connect().leave();
    assert_eq!(town.ws().page("https://evil.example").refused(), 0x87);
}
