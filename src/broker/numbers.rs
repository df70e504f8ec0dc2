//! How much there is: sessions, subscriptions, queues, retained messages; counted when somebody asks.

use super::{Broker, memory};
use crate::journal::Usage;

/// The broker in numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Numbers {
    pub(crate) live: usize,
    /// Sessions without a connection.
    pub(crate) waiting: usize,
    /// Sessions that outlive their connection, whether they have one or not.
    pub(crate) durable: usize,
    pub(crate) subscriptions: usize,
    /// Those among them that are shared.
    pub(crate) shared: usize,
    /// Messages that the queues owe.
    pub(crate) owed: usize,
    pub(crate) owed_bytes: u64,
    /// Those among them that were sent and not acknowledged.
    pub(crate) in_flight: usize,
    pub(crate) retained: usize,
    pub(crate) retained_bytes: usize,
    /// Bytes that queues and retained messages hold in memory, about.
    pub(crate) memory: usize,
}

impl Broker {
    /// Looks at every session once.
    pub(crate) fn numbers(&self) -> Numbers {
        let (retained_bytes, retained) = self.retained_usage();
        let mut all = Numbers { retained, retained_bytes, memory: memory::held(), ..Numbers::default() };
        for session in self.all() {
            session.add_to(&mut all);
        }
        all
    }

    /// How much the journal holds.
    pub(crate) fn journal_usage(&self) -> Usage {
        self.journal().usage()
    }

    /// Whether queues and retained messages hold as much memory as they may.
    pub(crate) fn is_full(&self) -> bool {
        memory::held() >= self.0.config.memory_bytes
    }
}
