//! Connections come and go: which session they get, what stays of it, and when it is over.

use std::sync::Arc;

use super::session::{Attached, Session};
use super::{Broker, Hello};
use crate::id::SessionId;
use crate::journal::{JournalError, Records};
use crate::mqtt::{Reason, Will};
use crate::time::Timestamp;

impl Broker {
    /// Gives a connection its session: the one it had, or a new one. A connection that held it before is told that
    /// it was taken over ([MQTT-3.1.4-3]).
    pub(crate) async fn attach(&self, mut hello: Hello, now: Timestamp) -> Result<Attached, JournalError> {
        let known = self.read().named(&hello);
        if let Some(known) = known {
            known.hand_over(Reason::SessionTakenOver).await;
        }
        let (expiry, will) = (hello.expiry, hello.will.take());
        let (attached, gone) = self.seat(hello, now);
        attached.session.keep_will(will);
        if let Err(error) = self.keep(&attached, gone, expiry).await {
            attached.session.detach(attached.generation, None, now);
            attached.session.given_back();
            if !attached.present {
                self.remove(&attached.session);
            }
            return Err(error);
        }
        Ok(attached)
    }

    /// Decides under one lock which session it is: others may have come while somebody was waited for. Gives the
    /// durable session that had to go.
    fn seat(&self, hello: Hello, now: Timestamp) -> (Attached, Option<Arc<Session>>) {
        let mut sessions = self.write();
        let known = sessions.named(&hello);
        if let Some(known) = &known {
            known.end(Reason::SessionTakenOver);
        }
        let resumable =
            |known: &Arc<Session>| !hello.clean_start && known.is_durable() && !known.is_expired(now);
        let (session, present, gone) = match known {
            Some(known) if resumable(&known) => (known, true, None),
            gone => {
                gone.iter().for_each(|gone| sessions.remove(gone));
                let session = Arc::new(Session::new(&hello, now));
                sessions.add(session.clone());
                (session, false, gone)
            }
        };
        let attached = session.attach(hello.live, hello.expiry, present);
        drop(sessions);
        if let Some(gone) = &gone {
            gone.is_over();
            self.turn();
        }
        (attached, gone.filter(|gone| gone.is_durable()))
    }

    /// Brings the disk to what memory decided. Nothing is written for a session that another has replaced by now.
    async fn keep(
        &self,
        attached: &Attached,
        gone: Option<Arc<Session>>,
        expiry: u32,
    ) -> Result<(), JournalError> {
        let (session, mut records) = (&attached.session, Records::new());
        if let Some(gone) = gone {
            records.dropped(gone.id);
            self.drop_rows(gone.id);
        }
        if session.is_durable() && self.holds(session) {
            match attached.present {
                // The will comes with the state.
                false => records.session(&session.as_kept()),
                true => {
                    records.attached(session.id, expiry);
                    records.will(session.id, session.as_kept().will.as_ref());
                }
            }
        }
        if records.is_empty() { Ok(()) } else { self.commit(records).await }
    }

    /// A connection is over. The session stays for its expiry, or goes.
    pub(crate) async fn detach(
        &self,
        attached: &Attached,
        expiry: Option<u32>,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        let session = attached.session.clone();
        if !session.detach(attached.generation, expiry, now) {
            return Ok(()); // Somebody else holds it by now.
        }
        let expiry = session.expiry();
        let written = if expiry == 0 || !self.holds(&session) {
            self.forget(&session).await
        } else if session.is_live() {
            Ok(()) // Its client is back already.
        } else {
            let mut records = Records::new();
            records.ended(session.id, expiry, now);
            self.commit(records).await
        };
        session.given_back();
        written
    }

    /// Whether this session is the one of its client id; another may have replaced it.
    pub(super) fn holds(&self, session: &Session) -> bool {
        self.read().by_id.contains_key(&session.id)
    }

    /// The will of a connection was published, or its client said goodbye: the journal need not keep it.
    pub(crate) fn forget_will(&self, attached: &Attached) {
        let session = &attached.session;
        if session.forget_will(attached) && self.holds(session) {
            let mut records = Records::new();
            records.will(session.id, None);
            self.0.journal.note(records);
        }
    }

    /// Sessions whose client left a will when its connection ended with the house.
    pub(crate) fn lost(&self) -> Vec<(Attached, Will)> {
        self.all().iter().filter_map(Session::lost).collect()
    }

    /// Drops durable sessions whose time is over.
    pub(crate) fn expire(&self, now: Timestamp) -> usize {
        let over: Vec<_> = {
            let mut sessions = self.write();
            let over: Vec<_> = sessions.by_id.values().filter(|held| held.is_expired(now)).cloned().collect();
            over.iter().for_each(|gone| sessions.remove(gone));
            over
        };
        if over.is_empty() {
            return 0;
        }
        self.turn();
        let mut records = Records::new();
        for gone in &over {
            gone.is_over();
            records.dropped(gone.id);
            self.drop_rows(gone.id);
        }
        self.0.journal.note(records);
        over.len()
    }

    /// Takes a session out of memory and, if it was durable, off the disk with its queue.
    async fn forget(&self, session: &Arc<Session>) -> Result<(), JournalError> {
        self.remove(session);
        if !session.is_durable() {
            return Ok(());
        }
        self.drop_rows(session.id);
        let mut records = Records::new();
        records.dropped(session.id);
        self.commit(records).await
    }

    fn remove(&self, session: &Session) {
        self.write().remove(session);
        session.is_over();
        self.turn();
    }

    /// Chat that was queued for a session that is no more. Nobody waits for it; what a crash leaves goes at start.
    fn drop_rows(&self, gone: SessionId) {
        let store = self.0.store.clone();
        tokio::spawn(async move {
            if let Err(error) = store.write(move |tx| tx.drop_queue(gone)).await {
                tracing::warn!(%error, "the queue of a session that is over could not be dropped yet");
            }
        });
    }
}
