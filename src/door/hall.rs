//! What every MQTT conversation needs of the house.

use super::crew::Crew;
use super::limits::Gate;
use crate::broker::Broker;
use crate::chat::Chat;
use crate::directory::Directory;
use crate::enrollment::Enrollment;
use crate::mqtt::Limits;
use crate::store::Store;

/// Handles and limits shared by all conversations.
pub(crate) struct Hall {
    pub(crate) store: Store,
    pub(crate) broker: Broker,
    pub(crate) chat: Chat,
    pub(crate) directory: Directory,
    pub(crate) enrollment: Enrollment,
    pub(crate) limits: Limits,
    /// The house's own name, which clients sign.
    pub(crate) domain: Box<str>,
    pub(crate) gate: Gate,
    pub(crate) crew: Crew,
}
