//! Chat: what people may say to whom, and what they are owed.
//!
//! `publish` is how a message enters the house and `inbox` how it reaches a session; `receipts`, `presence` and
//! `rooms` are what their names say; `acl` is the one place that says who may do what.

pub(crate) mod acl;
mod inbox;
mod presence;
mod publish;
mod receipts;
mod rooms;
mod subscribe;

use std::sync::Arc;

pub(crate) use inbox::{Next, Page, Reader, Settled};
pub(crate) use publish::{Letter, Refusal};
pub(crate) use receipts::{MAILED, Receipt};
pub(crate) use rooms::RoomRefused;

use crate::broker::Broker;
use crate::directory::Directory;
use crate::store::Store;

/// Cheap handle on the chat.
#[derive(Clone)]
pub(crate) struct Chat {
    store: Store,
    broker: Broker,
    directory: Directory,
    rules: Arc<acl::Rules>,
    /// The house's own domain.
    domain: Arc<str>,
}

impl Chat {
    pub(crate) fn new(
        store: Store,
        broker: Broker,
        directory: Directory,
        rules: acl::Rules,
        domain: &str,
    ) -> Self {
        Self { store, broker, directory, rules: Arc::new(rules), domain: domain.into() }
    }
}
