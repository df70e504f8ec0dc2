//! A tap on the wire between a client and a real relay: it writes down what the client says, and can meddle.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What happens to the conversation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meddling {
    /// Nothing.
    None,
    /// The relay's offer of STARTTLS is made unreadable.
    HideStartTls,
    /// An answer of the attacker's rides along with the relay's last answer before TLS.
    SlipInBeforeTls,
    /// The mail reaches the relay, but its answer is lost.
    HangUpAfterDot,
    /// The connection breaks when DATA is said.
    HangUpAtData,
}

/// A tapped way to a relay. Its threads end with the test process.
pub(crate) struct Tap {
    /// Where to connect instead.
    pub(crate) at: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    /// Taps the way to `relay`.
    pub(crate) fn on(relay: SocketAddr, meddling: Meddling) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let tap = Self { at: listener.local_addr().expect("an address"), heard: Arc::default() };
        let heard = tap.heard.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let relay = TcpStream::connect(relay).expect("the relay runs");
                let (client_too, relay_too) =
                    (client.try_clone().expect("a socket"), relay.try_clone().expect("a socket"));
                let heard = heard.clone();
                thread::spawn(move || listen(client, &relay, meddling, &heard));
                thread::spawn(move || answer(relay_too, &client_too, meddling));
            }
        });
        tap
    }

    /// What the client has said so far, on all its connections.
    pub(crate) fn overheard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().expect("no thread panics here")).into_owned()
    }
}

/// From the client to the relay.
fn listen(mut client: TcpStream, mut relay: &TcpStream, meddling: Meddling, heard: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        let said = &buffer[..count];
        heard.lock().expect("no thread panics here").extend_from_slice(said);
        let hang_up = match meddling {
            Meddling::HangUpAfterDot => said.ends_with(b"\r\n.\r\n"),
            Meddling::HangUpAtData => said == b"DATA\r\n",
            _ => false,
        };
        if hang_up {
            let _ = client.shutdown(Shutdown::Both);
        }
        if relay.write_all(said).is_err() {
            break;
        }
    }
    let _ = relay.shutdown(Shutdown::Write);
}

/// From the relay to the client.
fn answer(mut relay: TcpStream, mut client: &TcpStream, meddling: Meddling) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = relay.read(&mut buffer) {
        let mut said = buffer[..count].to_vec();
        if meddling == Meddling::HideStartTls {
            said = String::from_utf8_lossy(&said).replace("STARTTLS", "XXXXXXXX").into_bytes();
        }
        if meddling == Meddling::SlipInBeforeTls && said.ends_with(b"Ready to start TLS\r\n") {
            said.extend_from_slice(b"250 believe me\r\n");
        }
        if client.write_all(&said).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Write);
}
