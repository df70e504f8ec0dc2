//! Wills: what the house says for a client whose connection was lost (MQTT 5.0 section 3.1.2.5).
//!
//! A will with a delay waits for the client to come back; it is said at the latest when the session ends. The wills of
//! durable sessions lie in the journal, so that a crash of the house does not silence them.

use std::sync::Arc;
use std::time::Duration;

use super::{Chat, Letter};
use crate::broker::{Attached, Session};
use crate::dialect::plain;
use crate::mqtt::Will;
use crate::principal::Principal;
use crate::time;

impl Chat {
    /// The connection was lost: its client's will is published, now or after its delay.
    pub(crate) async fn last_will(&self, who: Principal, attached: Attached, will: Will) {
        let session = &attached.session;
        let delay = will.delay.min(if session.is_durable() { session.expiry() } else { 0 });
        if delay == 0 {
            return self.say_will(&who, &attached, will).await;
        }
        let chat = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = attached.session.moved_on(&attached) => {}
                () = tokio::time::sleep(Duration::from_secs(delay.into())) => {}
            }
            if !attached.session.came_back(&attached) {
                chat.say_will(&who, &attached, will).await;
            }
        });
    }

    async fn say_will(&self, who: &Principal, attached: &Attached, will: Will) {
        let carried = Some(Box::new(will.properties)).filter(|carried| **carried != Default::default());
        let letter = Letter {
            id: None,
            dup: false,
            qos: will.qos,
            retain: will.retain,
            topic: will.topic,
            payload: will.payload,
            properties: carried,
        };
        self.say(who, &attached.session, letter).await;
        self.broker.forget_will(attached);
    }

    /// Publishes one message for somebody, wherever it goes, and waits until that is done.
    pub(crate) async fn say(&self, who: &Principal, session: &Arc<Session>, letter: Letter) {
        let now = time::now();
        if !plain::is_shared(letter.topic.as_str()) {
            self.publish(who, session, vec![letter], now).await;
            return;
        }
        let relayed = self.relay(session, &mut Default::default(), vec![letter], 0, now);
        if let Some(commit) = relayed.commit {
            let _ = commit.await;
        }
    }

    /// The wills of clients whose connection ended with the house.
    pub(crate) fn wills_of_the_lost(&self) {
        for (attached, will) in self.broker.lost() {
            let Some(who) = self.principal_of(attached.session.account) else { continue };
            let chat = self.clone();
            tokio::spawn(async move { chat.last_will(who, attached, will).await });
        }
    }
}
