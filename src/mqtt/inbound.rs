//! What a client publishes to us: the way of each identifier from PUBLISH to the last answer (MQTT section
//! 4.3), and how many may be on it.

use super::event::Qos;
use super::ids::Ids;
use super::reason::{Breach, Reason};

/// The messages that a client has sent and is not done with.
pub(super) struct Inbound {
    ids: Ids<Stage>,
    /// What is gone from the client's send quota (MQTT 5.0 section 4.9). Not the length of `ids`: what a session
    /// brings along costs nothing in the next connection.
    spent: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// QoS 1; waits for our PUBACK.
    Single,
    /// QoS 2; waits for our PUBREC.
    New,
    /// Answered with PUBREC; waits for the client's PUBREL.
    Received,
    /// PUBREL came; waits for our PUBCOMP.
    Released,
}

/// What to do with a PUBLISH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Pass it on.
    Never,
    /// Nothing: the answer that is still to come is for both.
    Unanswered,
    /// Answer PUBREC again (\[MQTT-4.3.3-10\]).
    Received,
}

/// What to do with a PUBREL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Release {
    /// Pass it on.
    First,
    /// Nothing: the answer is still to come.
    Unanswered,
    /// Answer PUBCOMP: there is nothing to forget.
    Unknown,
}

impl Inbound {
    pub(super) const fn new() -> Self {
        Self { ids: Ids::new(), spent: 0 }
    }

    /// Remembers what an earlier connection of the session has received and not released.
    pub(super) fn resume(&mut self, received: Vec<u16>) {
        received.into_iter().filter(|id| *id != 0).for_each(|id| self.ids.set(id, Stage::Received));
    }

    /// Notes a PUBLISH of QoS 1 or 2; `maximum` is what we announced, if the version can hear it.
    pub(super) fn publish(
        &mut self,
        id: u16,
        qos: Qos,
        dup: bool,
        maximum: Option<u16>,
    ) -> Result<Seen, Breach> {
        let stage = if qos == Qos::ExactlyOnce { Stage::New } else { Stage::Single };
        match self.ids.get(id) {
            None => {}
            Some(Stage::Received) if qos == Qos::ExactlyOnce => return Ok(Seen::Received),
            // An impatient client of 3.1.1 may repeat itself.
            Some(known) if dup && known == stage => return Ok(Seen::Unanswered),
            Some(_) => return Err(Breach::protocol("PUBLISH with a packet identifier that is in use")),
        }
        if maximum.is_some_and(|maximum| self.spent >= maximum) {
            return Err(Breach::new(Reason::ReceiveMaximumExceeded, "more PUBLISH in flight than announced"));
        }
        self.spent = self.spent.saturating_add(1);
        self.ids.set(id, stage);
        Ok(Seen::Never)
    }

    /// Settles a QoS 1 message; says whether it waited for that.
    pub(super) fn puback(&mut self, id: u16) -> bool {
        self.ids.get(id) == Some(Stage::Single) && self.done(id)
    }

    /// Settles the first half of a QoS 2 message, or all of it when it is not `taken`; says whether it waited
    /// for that.
    pub(super) fn pubrec(&mut self, id: u16, taken: bool) -> bool {
        if self.ids.get(id) != Some(Stage::New) {
            return false;
        }
        if taken {
            self.ids.set(id, Stage::Received);
            true
        } else {
            self.done(id)
        }
    }

    /// Notes a PUBREL.
    pub(super) fn release(&mut self, id: u16) -> Result<Release, Breach> {
        match self.ids.get(id) {
            None => Ok(Release::Unknown),
            Some(Stage::Received) => {
                self.ids.set(id, Stage::Released);
                Ok(Release::First)
            }
            Some(Stage::Released) => Ok(Release::Unanswered),
            Some(Stage::Single | Stage::New) => Err(Breach::protocol("PUBREL before PUBREC")),
        }
    }

    /// Settles a QoS 2 message for good; says whether it waited for that.
    pub(super) fn pubcomp(&mut self, id: u16) -> bool {
        self.ids.get(id) == Some(Stage::Released) && self.done(id)
    }

    fn done(&mut self, id: u16) -> bool {
        self.spent = self.spent.saturating_sub(1);
        self.ids.remove(id).is_some()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }
}
