//! What we deliver to a client: the way of each identifier from PUBLISH to the last acknowledgement (MQTT
//! section 4.3).

use super::event::Qos;
use super::ids::Ids;
use super::reason::Breach;

/// The deliveries that a client has not settled.
pub(super) struct Outbound {
    ids: Ids<Stage>,
    /// The last identifier of our own choice.
    chosen: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// QoS 1; waits for PUBACK.
    Single,
    /// QoS 2; waits for PUBREC.
    New,
    /// PUBREC came; waits for our PUBREL.
    Received,
    /// PUBREL sent; waits for PUBCOMP.
    Released,
}

/// What to do with a PUBREC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receipt {
    /// Pass it on.
    First,
    /// The client refused the message, which settles it.
    Refused,
    /// Nothing: the answer is still to come, or none is due.
    Unanswered,
    /// Answer PUBREL again.
    Again,
    /// Answer PUBREL: there is nothing of that name.
    Unknown,
}

/// Below are the caller's own identifiers.
const FIRST_CHOICE: u16 = 32_768;

impl Outbound {
    pub(super) const fn new() -> Self {
        Self { ids: Ids::new(), chosen: 0 }
    }

    /// How many deliveries are not settled.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The identifier for a delivery: the `wanted` one unless it is in flight, or a free one of our own.
    pub(super) fn choose(&mut self, wanted: Option<u16>) -> Option<u16> {
        if let Some(id) = wanted {
            return (id != 0 && self.ids.get(id).is_none()).then_some(id);
        }
        for _ in FIRST_CHOICE..=u16::MAX {
            self.chosen = self.chosen.checked_add(1).unwrap_or_default().max(FIRST_CHOICE);
            if self.ids.get(self.chosen).is_none() {
                return Some(self.chosen);
            }
        }
        None
    }

    /// Notes a delivery under an identifier that was chosen for it.
    pub(super) fn sent(&mut self, id: u16, qos: Qos) {
        self.ids.set(id, if qos == Qos::ExactlyOnce { Stage::New } else { Stage::Single });
    }

    /// Notes a PUBACK; says whether it settles something.
    pub(super) fn on_puback(&mut self, id: u16) -> Result<bool, Breach> {
        match self.ids.get(id) {
            None => Ok(false),
            Some(Stage::Single) => Ok(self.ids.remove(id).is_some()),
            Some(_) => Err(Breach::protocol("PUBACK for a message of QoS 2")),
        }
    }

    /// Notes a PUBREC; `taken` unless the client refuses the message.
    pub(super) fn on_pubrec(&mut self, id: u16, taken: bool) -> Result<Receipt, Breach> {
        match self.ids.get(id) {
            Some(Stage::Single) => Err(Breach::protocol("PUBREC for a message of QoS 1")),
            Some(Stage::New) if taken => {
                self.ids.set(id, Stage::Received);
                Ok(Receipt::First)
            }
            Some(Stage::New) => {
                self.ids.remove(id);
                Ok(Receipt::Refused)
            }
            Some(Stage::Received) => Ok(Receipt::Unanswered),
            Some(Stage::Released) => Ok(Receipt::Again),
            // Whoever refuses has nothing to release ([MQTT-4.3.3-4]).
            None if !taken => Ok(Receipt::Unanswered),
            None => Ok(Receipt::Unknown),
        }
    }

    /// Notes that a delivery is released, be it of an earlier connection; says whether to write PUBREL.
    pub(super) fn release(&mut self, id: u16) -> bool {
        let due = id != 0 && matches!(self.ids.get(id), None | Some(Stage::Received));
        if due {
            self.ids.set(id, Stage::Released);
        }
        due
    }

    /// Notes a PUBCOMP; says whether it settles something.
    pub(super) fn on_pubcomp(&mut self, id: u16) -> Result<bool, Breach> {
        match self.ids.get(id) {
            None => Ok(false),
            Some(Stage::Released) => Ok(self.ids.remove(id).is_some()),
            Some(_) => Err(Breach::protocol("PUBCOMP before PUBREL")),
        }
    }
}
