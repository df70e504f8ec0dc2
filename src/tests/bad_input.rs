//! Bad input: whatever comes in at a door gets a clear answer, brings nothing down and holds up nobody else.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::town::client::{Ending, PATIENCE, Refused};
use crate::town::packet::{self, Delivery, MAXIMUM_PACKET, Version};
use crate::town::tools::{eventually, poll, tell};
use crate::town::{Town, text};

/// Whether the other side closes in time.
fn is_closed(stream: &mut TcpStream, bound: Duration) -> bool {
    let until = Instant::now() + bound;
    let mut buffer = [0; 4096];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            return false;
        }
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => return true,
        }
    }
}

/// Says these bytes and nothing more; the daemon closes.
fn say_and_hang_up(door: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(door).expect("the door is open");
    // The daemon may have heard enough before the end.
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    assert!(is_closed(&mut stream, PATIENCE), "still open after {bytes:02x?}");
}

#[test]
fn every_truncation_of_a_connect_ends_that_connection_and_no_other() {
    let town = Town::start();
    town.account("alice", "correct horse");
    let mut alice = town.mqtt().id("a").password("alice", "correct horse").connect();
    for hello in [town.mqtt().id("x").password("alice", "wrong"), town.mqtt().id("x").v3()] {
        let whole = hello.hello();
        for cut in 0..whole.len() {
            say_and_hang_up(town.door("mqtt"), &whole[..cut]);
            // The same with a length that says that this is all.
            let body = &whole[2..cut.max(2)];
            say_and_hang_up(town.door("mqtt"), &packet::framed(0x10, body));
        }
    }
    alice.ping();
}

#[test]
fn what_is_no_mqtt_is_told_so_with_a_reason_code() {
    let town = Town::plan().rule("any", "both", "open/#").start();
    let alice = town.person("alice");
    let hello = town.as_person(&alice).id("x");
    let publish = |letter: Delivery| packet::publish(Version::V5, &letter);
    let open = |payload: &str| Delivery { id: 1, ..Delivery::new("open/x", payload) };
    let cases: Vec<(&str, Vec<u8>, u8)> = vec![
        ("a second CONNECT", hello.hello(), 0x82),
        ("the reserved type", vec![0x00, 0x00], 0x81),
        ("a packet for clients", packet::framed(0x90, &[0, 1, 0, 0]), 0x82),
        ("SUBSCRIBE with wrong flags", packet::framed(0x80, &[0, 1, 0, 0, 1, b'a', 0]), 0x81),
        ("SUBSCRIBE without filters", packet::framed(0x82, &[0, 1, 0]), 0x82),
        ("SUBSCRIBE with QoS 3", packet::subscribe(Version::V5, 1, &[("open/#", 3)]), 0x82),
        ("a length of five bytes", vec![0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], 0x81),
        ("QoS 3", publish(Delivery { qos: 3, ..open("x") }), 0x81),
        ("a wildcard in a topic", publish(Delivery { topic: "open/+".into(), ..open("x") }), 0x90),
        ("a topic that is no UTF-8", packet::framed(0x30, &[0, 2, 0xC3, 0x28, 0, b'x']), 0x81),
        ("a packet identifier of 0", publish(Delivery { id: 0, ..open("x") }), 0x82),
        ("a topic longer than its packet", packet::framed(0x30, &[0xFF, 0xFF, b'a']), 0x81),
        ("properties longer than their packet", packet::framed(0x30, &[0, 1, b'a', 0x7F]), 0x81),
        ("a property of no such kind", packet::framed(0x30, &[0, 1, b'a', 2, 0x7E, 0]), 0x81),
        ("a property that is not for this packet", packet::framed(0x30, &[0, 1, b'a', 3, 0x21, 0, 9]), 0x81),
        ("a topic alias beyond the maximum", packet::framed(0x30, &[0, 1, b'a', 3, 0x23, 1, 0]), 0x94),
    ];
    for (what, bytes, code) in cases {
        let mut client = hello.connect();
        client.send(&bytes).expect("bytes leave");
        assert_eq!(client.ending(PATIENCE), Ending::Disconnect(code), "{what}");
        assert_eq!(client.ending(PATIENCE), Ending::Closed, "{what}");
    }
    hello.connect().ping();
}

#[test]
fn a_first_packet_that_is_no_connect_is_not_served() {
    let town = Town::start();
    let mut wrong_version = town.mqtt().hello();
    wrong_version[8] = 6;
    let mut wrong_name = town.mqtt().hello();
    wrong_name[4] = b'X';
    let first: [&[u8]; 6] = [
        &packet::ping(),
        b"GET / HTTP/1.1\r\n\r\n",
        &wrong_version,
        &wrong_name,
        &[0xFF; 64],
        &[0x10, 0xFF, 0xFF, 0xFF, 0xFF],
    ];
    for bytes in first {
        let mut client = town.mqtt().open().expect("the door is open");
        client.send(bytes).expect("bytes leave");
        assert_ne!(client.ending(PATIENCE), Ending::StillThere, "{bytes:02x?}");
    }
}

#[test]
fn an_oversized_packet_is_refused_before_its_body_comes() {
    let town = Town::plan().with("door.limits", "packet = 65536").start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let mut reader = town.as_person(&bob).id("b").durable().connect().listen("from/#");
    let mut client = town.as_person(&alice).connect();
    assert_eq!(client.welcome.numbers[&MAXIMUM_PACKET], 65536);
    client.say("to/bob", &"x".repeat(65_000));
    assert_eq!(reader.hear().payload.len(), 65_000);
    // The header alone, with a length of 256 MB.
    client.send(&[0x32, 0xFF, 0xFF, 0xFF, 0x7F]).expect("bytes leave");
    assert_eq!(client.ending(PATIENCE), Ending::Disconnect(0x95));
    // Before CONNECT as well.
    let mut stranger = town.mqtt().open().expect("the door is open");
    stranger.send(&[0x10, 0xFF, 0xFF, 0xFF, 0x7F]).expect("bytes leave");
    assert_ne!(stranger.ending(PATIENCE), Ending::StillThere);
    reader.ping();
}

#[test]
fn noise_at_every_door_brings_nothing_down() {
    let town = Town::start();
    let alice = town.person("alice");
    let mut calm = town.as_person(&alice).id("calm").connect();
    let (hasher, mut count) = (RandomState::new(), 0u64);
    let mut random = || {
        count += 1;
        hasher.hash_one(count)
    };
    let hello = town.mqtt().id("x").hello();
    for _ in 0..200 {
        let mut bytes = hello.clone();
        let at = random() as usize % bytes.len();
        bytes[at] = random() as u8;
        bytes.extend((0..random() % 64).map(|_| random() as u8).collect::<Vec<_>>());
        say_and_hang_up(town.door("mqtt"), &bytes);
    }
    // Somebody who was let in, and then turns to noise.
    for _ in 0..100 {
        let mut client = town.as_person(&alice).id("noisy").connect();
        let kinds = [0x30, 0x32, 0x40, 0x82, 0xA2, 0xC0, 0xE0, 0xF0];
        let body: Vec<u8> = (0..random() % 40).map(|_| (random() % 48) as u8).collect();
        client.send(&packet::framed(kinds[random() as usize % kinds.len()], &body)).expect("bytes leave");
    }
    for door in ["mqtts", "https", "http"] {
        for length in [1, 5, 100, 5000] {
            let bytes: Vec<u8> = (0..length).map(|_| random() as u8).collect();
            say_and_hang_up(town.door(door), &bytes);
        }
    }
    calm.ping();
}

#[test]
fn a_hundred_half_open_handshakes_keep_nobody_out_and_end() {
    let town = Town::plan().with("door.limits", "connect_timeout = \"1s\"").start();
    let alice = town.person("alice");
    let mut silent: Vec<TcpStream> = (0..100)
        .map(|number| {
            let mut stream = TcpStream::connect(town.door("mqtts")).expect("the door is open");
            // Every other one begins a ClientHello.
            let begun: &[u8] = if number % 2 == 0 { &[] } else { &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01] };
            stream.write_all(begun).expect("bytes leave");
            stream
        })
        .collect();
    let began = Instant::now();
    town.as_person(&alice).connect().ping();
    assert!(began.elapsed() < Duration::from_secs(2), "others waited {:?}", began.elapsed());
    let closed = silent
        .iter_mut()
        .filter_map(|stream| is_closed(stream, Duration::from_secs(5)).then_some(()))
        .count();
    assert_eq!(closed, 100);
}

#[test]
fn whoever_says_nothing_is_closed_after_the_connect_timeout() {
    let town = Town::plan().with("door.limits", "connect_timeout = \"1s\"").start();
    let alice = town.person("alice");
    let mut stream = TcpStream::connect(town.door("mqtt")).expect("the door is open");
    let began = Instant::now();
    assert!(is_closed(&mut stream, Duration::from_secs(5)));
    assert!(began.elapsed() >= Duration::from_millis(900), "closed after {:?}", began.elapsed());
    // The same behind a finished handshake, with half a CONNECT.
    let hello = town.as_person(&alice).hello();
    let mut half = town.as_person(&alice).open().expect("the door is open");
    half.send(&hello[..hello.len() / 2]).expect("bytes leave");
    assert_ne!(half.ending(Duration::from_secs(5)), Ending::StillThere);
}

#[test]
fn whoever_falls_silent_is_closed_after_one_and_a_half_keep_alives() {
    let town = Town::start();
    let alice = town.person("alice");
    let mut client = town.as_person(&alice).keep_alive(1).connect();
    let began = Instant::now();
    client.ping();
    assert_eq!(client.ending(Duration::from_secs(5)), Ending::Disconnect(0x8D));
    assert!(began.elapsed() >= Duration::from_millis(1400), "after {:?}", began.elapsed());
}

#[test]
fn a_client_that_never_reads_holds_up_nobody_and_fills_no_memory() {
    let town = Town::plan().rule("any", "both", "open/#").start();
    let [alice, bob, carol] = town.people(["alice", "bob", "carol"]);
    let deaf = town.as_person(&bob).id("deaf").connect().listen("open/#");
    let mut reader = town.as_person(&carol).id("c").connect().listen("open/#");
    let mut sender = town.as_person(&alice).connect();
    let large = "x".repeat(1 << 19);
    for _ in 0..400 {
        assert_eq!(sender.post(Delivery::new("open/x", large.as_str())), 0);
        assert_eq!(reader.hear().payload.len(), large.len());
    }
    let memory = resident(town.pid());
    assert!(memory < 100 << 20, "{} MB are held for a client that does not read", memory >> 20);
    eventually_gone(&town, "deaf");
    drop(deaf);
}

/// The daemon gives a client up after thirty seconds.
fn eventually_gone(town: &Town, client_id: &str) {
    let gone = poll(Duration::from_secs(50), || {
        let sessions = town.ask("session list");
        let live =
            sessions.as_array()?.iter().any(|one| one["client_id"] == client_id && one["state"] == "live");
        (!live).then_some(())
    });
    assert!(gone.is_some(), "{client_id} is still live");
}

/// Bytes of memory that a process holds.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

#[test]
fn junk_is_no_certificate_request() {
    let town = Town::start();
    town.ask("account add alice");
    let csr = town.path("junk.csr");
    let key = town.path("key.pem");
    let words = [
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=alice",
    ];
    let words = [&words[..], &["-outform", "DER", "-keyout", text(&key), "-out", text(&csr)]].concat();
    tell("openssl", &words).well();
    let good = fs::read(&csr).expect("a request");
    let pem = |der: &[u8]| {
        let base = tempfile::NamedTempFile::new().expect("a file");
        fs::write(base.path(), der).expect("our own file");
        let encoded = tell("openssl", &["base64", "-in", text(base.path())]).well();
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{encoded}-----END CERTIFICATE REQUEST-----\n")
            .into_bytes()
    };
    let mut forged = good.clone();
    let last = forged.len() - 3;
    forged[last] ^= 1;
    let mut cases = vec![
        Vec::new(),
        b"hello".to_vec(),
        vec![0x30; 5000],
        b"-----BEGIN CERTIFICATE REQUEST-----\n!!!\n-----END CERTIFICATE REQUEST-----\n".to_vec(),
        pem(&forged),
        "x".repeat(100_000).into_bytes(),
    ];
    cases.extend((1..good.len()).step_by(29).map(|cut| pem(&good[..cut])));
    for (number, junk) in cases.iter().enumerate() {
        fs::write(&csr, junk).expect("our own folder");
        let out = town.path(&format!("out-{number}"));
        let told = town.cli(&format!("cert enroll alice --out {} --csr {}", text(&out), text(&csr)));
        assert!(matches!(told.code, 2 | 3), "{number}: {told:?}");
        assert!(told.err.len() > 20 && !out.join("cert.pem").exists(), "{number}: {told:?}");
    }
    assert_eq!(town.ask("cert list --account alice"), serde_json::json!([]));
    fs::write(&csr, pem(&good)).expect("our own folder");
    town.ask(&format!("cert enroll alice --out {} --csr {}", text(&town.path("good")), text(&csr)));
}

#[test]
fn wrong_usage_of_the_command_line_is_told_apart() {
    let town = Town::start();
    town.refused(2, "account show");
    town.refused(2, "nonsense");
    town.refused(4, "account show nobody");
    town.refused(4, "cert show 00FF");
    town.refused(4, "cert revoke 00FF");
    town.ask("account add alice");
    town.refused(3, "account add Alice");
    town.refused(2, "account add alice/../../x --mail not-an-address");
    assert_eq!(town.say(&["account", "add", "two words"]).code, 2);
    town.refused(4, "room show none");
    town.refused(4, "room add none alice");
    town.refused(3, "directory sync");
    let people = town.cli("account list").well();
    assert!(people.contains("alice") && !people.contains('{'), "{people}");
}

#[test]
fn a_daemon_told_to_stop_says_goodbye() {
    let mut town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let mut client = town.as_person(&alice).id("a").connect();
    let mut silent = TcpStream::connect(town.door("mqtts")).expect("the door is open");
    let mut browser = TcpStream::connect(town.door("https")).expect("the door is open");
    let mut page = TcpStream::connect(town.door("http")).expect("the door is open");
    client.say("to/bob", "last words");
    let began = Instant::now();
    town.stop();
    eprintln!("stopped within {:?}", began.elapsed());
    assert_eq!(client.ending(PATIENCE), Ending::Disconnect(0x8B));
    for stream in [&mut silent, &mut browser, &mut page] {
        assert!(is_closed(stream, PATIENCE));
    }
    assert!(!town.path("control.sock").exists() && !town.path("ready").exists());
    town.open();
    town.as_person(&bob).connect().listen("from/#").hears("from/alice", "last words");
}

#[test]
fn a_client_id_too_long_and_a_name_too_odd_are_refused() {
    let town = Town::start();
    let alice = town.person("alice");
    assert_eq!(town.as_person(&alice).id(&"x".repeat(60_000)).refused(), 0x85);
    assert_eq!(town.mqtt().password(&"x".repeat(60_000), "y").refused(), 0x86);
    assert!(matches!(
        town.mqtt().id("null\0inside").try_connect(),
        Err(Refused::Code(_) | Refused::Closed(_))
    ));
    eventually("the refusals are in the audit", || {
        let list = town.ask("audit list");
        list.as_array()
            .is_some_and(|all| all.iter().filter(|entry| entry["deed"] == "session.refuse").count() >= 2)
    });
}

/// A filter of 65,000 levels once would have been walked by a function that calls itself for each.
#[test]
fn a_filter_of_endless_levels_is_refused_and_a_thousand_subscriptions_are_enough() {
    let town = Town::start();
    let bob = town.person("bob");
    let mut client = town.as_person(&bob).id("deep").connect();
    let deep = format!("presence{}", "/".repeat(65_000));
    assert_eq!(client.subscribe(&[(&deep, 1)]), [0x8F]);
    let names: Vec<String> = (0..1_200).map(|number| format!("from/x{number}")).collect();
    let filters: Vec<(&str, u8)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    let codes = client.subscribe(&filters);
    assert_eq!((codes[999], codes[1_000]), (1, 0x97));
    client.ping();
}

#[test]
fn whoever_is_silent_at_a_web_door_is_closed() {
    let town = Town::start();
    let mut silent = TcpStream::connect(town.door("http")).expect("the door is open");
    assert!(is_closed(&mut silent, Duration::from_secs(25)), "still open");
}
