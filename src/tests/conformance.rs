//! Conformance: each normative statement of MQTT 3.1.1 and 5.0 that concerns a server, told as a sentence.
//!
//! A test names its statements behind the version that has them, as "5.0 [MQTT-…]", "3.1.1 [MQTT-…]", or "both
//! [MQTT-…]" where the number is the same; so does a row of a table. What every packet of a server must be is asked
//! by the reader of the tests itself (`town/packet/rules.rs`). `statements.rs` holds the suite to both appendices B.
//!
//! One town serves all tests: each has its own [`Stage`], whose clients and topics nobody else knows.

mod acks;
mod auth;
mod connack;
mod connect;
mod disconnect;
mod encoding;
mod flow;
mod operation;
mod ping;
mod publish;
mod retained;
mod shared;
mod statements;
mod subscribe;
mod topics;
mod unsubscribe;
mod websocket;
mod wills;

use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::town::client::{Client, Dial};
use crate::town::packet::{Delivery, Version};
use crate::town::{Town, text};

/// What guests may neither read nor write.
const FORBIDDEN: &str = "test/nosubscribe";
/// Who has a password.
const ALICE: (&str, &str) = ("alice", "correct horse");

/// One test's place in the common town, in one version of MQTT.
struct Stage {
    version: Version,
    name: String,
}

impl Stage {
    fn new(version: Version) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        Self { version, name: format!("c{}", COUNT.fetch_add(1, Ordering::Relaxed)) }
    }

    /// In MQTT 3.1.1.
    fn in_3() -> Self {
        Self::new(Version::V3)
    }

    /// In MQTT 5.0.
    fn in_5() -> Self {
        Self::new(Version::V5)
    }

    /// One after the other.
    fn both() -> impl Iterator<Item = Self> {
        [Version::V3, Version::V5].into_iter().map(Self::new)
    }

    fn is_5(&self) -> bool {
        self.version == Version::V5
    }

    /// A client that has not rung yet, with a clean start.
    fn dial(&self, who: &str) -> Dial {
        Dial::plain(town().door("mqtt")).version(self.version).id(&self.id(who))
    }

    /// A client of this stage.
    fn client(&self, who: &str) -> Client {
        self.dial(who).connect()
    }

    /// Its client id: letters and digits, as every server must allow them.
    fn id(&self, who: &str) -> String {
        format!("{}{who}", self.name)
    }

    /// A topic or filter of this stage.
    fn topic(&self, leaf: &str) -> String {
        format!("{}/{leaf}", self.name)
    }

    /// A client that subscribed to a filter of this stage.
    fn reader(&self, leaf: &str, options: u8) -> Client {
        self.client("reader").hearing(&self.topic(leaf), options)
    }

    /// A session that outlives its connection, with one subscription; its client is away.
    fn absent(&self, leaf: &str, options: u8) -> Dial {
        let dial = self.dial("reader").durable();
        dial.connect().hearing(&self.topic(leaf), options).leave();
        dial
    }

    fn letter(&self, leaf: &str, words: &str, qos: u8) -> Delivery {
        Delivery { qos, ..Delivery::new(&self.topic(leaf), words) }
    }

    /// Somebody else publishes, and hears that it was taken.
    fn says(&self, letter: Delivery) {
        let mut voice = self.client("voice");
        let code = voice.post(letter);
        assert!(code < 0x80, "{code:#x}");
        voice.leave();
    }

    /// Somebody else publishes a few words.
    fn tells(&self, leaf: &str, words: &str, qos: u8) {
        self.says(self.letter(leaf, words, qos));
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(!town().log().contains("panicked at"), "a panic:\n{}", town().log());
        }
    }
}

/// The daemon of this suite.
fn town() -> &'static Town {
    static TOWN: OnceLock<(Town, Child)> = OnceLock::new();
    let (town, _) = TOWN.get_or_init(|| {
        let plan = Town::plan().guests().with("door.ws", "allow_anonymous = true");
        let plan = plan.rule("guest", "none", FORBIDDEN).rule("guest", "both", "#");
        let town = plan.rule("guest", "subscribe", "$SYS/#").rule("any", "both", "#").start();
        town.account(ALICE.0, ALICE.1);
        let broom = broom(&town);
        (town, broom)
    });
    town
}

/// What is static is never dropped: this process removes the town's folder when ours is gone.
fn broom(town: &Town) -> Child {
    let script = "cat > /dev/null; until rm -rf \"$0\"; do sleep 0.1; done";
    let mut command = Command::new("sh");
    command.args(["-c", script, text(&town.path(""))]).stdin(Stdio::piped()).stderr(Stdio::null());
    command.spawn().expect("every system has a shell")
}
