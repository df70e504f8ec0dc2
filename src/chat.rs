//! Chat: what people may say to whom, and what they are owed.
//!
//! `publish` is how a message enters the house and `inbox` how it reaches a session; `relay` passes on what goes to
//! plain topics; `note` is what the house itself says; `receipts`, `presence`, `rooms` and `sys` are what their names
//! say; `acl` is the one place that says who may do what, `rights` what that means for one client now, and `audience`
//! who would hear.

pub(crate) mod acl;
mod audience;
mod inbox;
mod note;
mod presence;
mod publish;
mod receipts;
mod relay;
mod rights;
mod rooms;
mod subscribe;
mod sys;
mod wills;

use std::sync::Arc;

pub(crate) use inbox::{Next, Page, Reader, Settled};
pub(crate) use publish::{Letter, Refusal};
pub(crate) use receipts::{MAILED, Receipt};
pub(crate) use relay::{Relayed, Tracks};
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
    compiled: Arc<rights::Compiled>,
    told: Arc<sys::Told>,
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
        let compiled = Arc::new(rights::Compiled::new(rules));
        Self { store, broker, directory, compiled, told: Arc::default(), domain: domain.into() }
    }

    /// The domain of this house.
    pub(crate) fn domain(&self) -> &str {
        &self.domain
    }
}
