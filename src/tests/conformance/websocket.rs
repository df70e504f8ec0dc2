//! MQTT over WebSocket (chapter 6), frame by frame (RFC 6455).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::town::client::{Dial, PATIENCE};
use crate::town::packet::{self, Delivery, Packet, Version};

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

fn door() -> SocketAddr {
    super::town().door("ws")
}

/// A WebSocket that asks for these subprotocols.
struct Socket {
    stream: TcpStream,
    input: Vec<u8>,
    packets: Vec<u8>,
    /// What the server answered: status and headers.
    head: String,
}

impl Socket {
    fn open(protocols: &str) -> Self {
        let mut stream = TcpStream::connect(door()).expect("the door is open");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let protocols = if protocols.is_empty() {
            String::new()
        } else {
            format!("Sec-WebSocket-Protocol: {protocols}\r\n")
        };
        let request = format!(
            "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{protocols}\r\n"
        );
        stream.write_all(request.as_bytes()).expect("a request leaves");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if !matches!(stream.read(&mut byte), Ok(1)) {
                break;
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("headers are text").to_lowercase();
        Self { stream, input: Vec::new(), packets: Vec::new(), head }
    }

    fn send(&mut self, opcode: u8, last: bool, bytes: &[u8]) {
        let mask = [0x5A, 0xC3, 0x00, 0xFF];
        let mut frame = vec![opcode | u8::from(last) << 7];
        match u16::try_from(bytes.len()).expect("frames of tests are short") {
            short @ ..126 => frame.push(0x80 | short as u8),
            long => {
                frame.push(0x80 | 126);
                frame.extend(long.to_be_bytes());
            }
        }
        frame.extend(mask);
        frame.extend(bytes.iter().zip(mask.into_iter().cycle()).map(|(byte, key)| byte ^ key));
        self.stream.write_all(&frame).expect("a frame leaves");
    }

    fn fill(&mut self, count: usize) -> Option<()> {
        while self.input.len() < count {
            let mut buffer = [0; 4096];
            let read = self.stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
            self.input.extend(&buffer[..read]);
        }
        Some(())
    }

    /// The next frame: opcode and content; `None` at the end.
    fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        self.fill(2)?;
        let (opcode, mut length, mut at) = (self.input[0] & 0x0F, usize::from(self.input[1]), 2);
        assert!(length < 0x80, "a server does not mask (RFC 6455 section 5.1)");
        if length == 126 {
            self.fill(4)?;
            (length, at) = (usize::from(self.input[2]) << 8 | usize::from(self.input[3]), 4);
        }
        assert!(length < 127 || at == 4, "frames of tests are short");
        self.fill(at + length)?;
        let content = self.input.drain(..at + length).skip(at).collect();
        Some((opcode, content))
    }

    /// The next MQTT packet, which comes in binary frames.
    fn packet(&mut self) -> Packet {
        loop {
            if let Some(taken) = packet::take(Version::V5, &mut self.packets) {
                return taken.packet;
            }
            let (opcode, content) = self.frame().expect("an answer");
            assert_eq!(opcode | BINARY, BINARY, "a frame that is not binary: {content:02x?}");
            self.packets.extend(content);
        }
    }

    /// The server ends it, with a closing frame or without.
    fn ends(&mut self) {
        while let Some((opcode, content)) = self.frame() {
            assert!([CLOSE, BINARY].contains(&opcode), "{opcode} {content:02x?}");
        }
    }

    /// Lets itself in.
    fn connected(who: &str) -> Self {
        let mut socket = Self::open("mqtt");
        socket.send(BINARY, true, &hello(who));
        let answer = socket.packet();
        assert!(matches!(answer, Packet::ConnAck { code: 0, .. }), "{answer:?}");
        socket
    }
}

fn hello(who: &str) -> Vec<u8> {
    Dial::plain(door()).id(who).hello()
}

/// both [MQTT-6.0.0-1]
#[test]
fn packets_come_in_binary_frames_and_a_text_frame_ends_the_connection() {
    let mut socket = Socket::connected("w1");
    socket.send(BINARY, true, &packet::ping());
    assert_eq!(socket.packet(), Packet::Pong);
    socket.send(TEXT, true, &packet::ping());
    socket.ends();
    let mut socket = Socket::open("mqtt");
    socket.send(TEXT, true, b"hello");
    socket.ends();
}

/// both [MQTT-6.0.0-2]
#[test]
fn packets_need_not_begin_or_end_with_frames() {
    let mut socket = Socket::open("mqtt");
    let subscribe = packet::subscribe(Version::V5, 1, &[("w2/x", 1)]);
    let publish = packet::publish(Version::V5, &Delivery { id: 2, ..Delivery::new("w2/x", "y".repeat(300)) });
    let all = [hello("w2"), subscribe, publish, packet::ping()].concat();
    // In frames of 1, 2, 3, … bytes, with some that hold nothing.
    let (mut rest, mut size) = (&all[..], 0);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(size.min(rest.len()));
        socket.send(BINARY, true, piece);
        (rest, size) = (after, size + 1);
    }
    let heard: Vec<Packet> = (0..5).map(|_| socket.packet()).collect();
    assert!(matches!(heard[0], Packet::ConnAck { code: 0, .. }), "{heard:?}");
    assert!(heard.contains(&Packet::Pong) && heard.contains(&Packet::PubAck { id: 2, code: 0 }), "{heard:?}");
    // All in one frame, and in a message of several frames with a ping of WebSocket between them.
    let mut socket = Socket::open("mqtt");
    socket.send(BINARY, true, &[hello("w3"), packet::ping(), packet::ping()].concat());
    assert!(matches!(socket.packet(), Packet::ConnAck { code: 0, .. }));
    assert_eq!([socket.packet(), socket.packet()], [Packet::Pong, Packet::Pong]);
    socket.send(BINARY, false, &packet::ping()[..1]);
    socket.send(PING, true, b"there?");
    socket.send(0, true, &packet::ping()[1..]);
    let answers = [socket.frame(), socket.frame()].map(|frame| frame.expect("an answer").0);
    assert!(answers.contains(&PONG) && answers.contains(&BINARY), "{answers:?}");
}

/// both [MQTT-6.0.0-3]
#[test]
fn who_does_not_ask_for_mqtt_is_refused() {
    for protocols in ["", "mqttv3.1, chat", "MQTT"] {
        let socket = Socket::open(protocols);
        assert!(socket.head.starts_with("http/1.1 4"), "{protocols}: {}", socket.head);
    }
}

/// both [MQTT-6.0.0-4]
#[test]
fn the_subprotocol_chosen_is_mqtt() {
    for protocols in ["mqtt", "chat, mqtt", "mqttv3.1,mqtt"] {
        let socket = Socket::open(protocols);
        assert!(socket.head.starts_with("http/1.1 101"), "{}", socket.head);
        let chosen = socket.head.lines().find_map(|line| line.strip_prefix("sec-websocket-protocol:"));
        assert_eq!(chosen.map(str::trim), Some("mqtt"));
    }
}
