//! What a batch writes once, at its end, however many units have changed it: the head of the audit, the right edge of the
//! log, and the names to be indexed.

use std::sync::Arc;

use diesel::prelude::*;

use super::kept::{Kept, statement};
use super::schema::certificate_text;
use super::{StoreError, Tx};
use crate::time::Timestamp;

/// What is yet to be written of a batch.
#[derive(Default)]
pub(super) struct Tail {
    audit: Option<AuditHead>,
    edge: Option<Arc<[u8]>>,
    /// Serials and names.
    names: Vec<(String, String)>,
}

/// Where the audit ends.
#[derive(Clone, Copy)]
pub(super) struct AuditHead {
    /// The last number.
    pub(super) seq: i64,
    /// Covers everything.
    pub(super) hash: [u8; 32],
    /// The latest time of all that is remembered, which need not be the last one's: clocks are set back.
    pub(super) latest: Timestamp,
}

/// How far a batch was before a unit, for the case that the unit is undone.
pub(super) struct Before {
    audit: Option<AuditHead>,
    edge: Option<Arc<[u8]>>,
    names: usize,
}

impl Tail {
    pub(super) fn before(&self) -> Before {
        Before { audit: self.audit, edge: self.edge.clone(), names: self.names.len() }
    }

    pub(super) fn undo(&mut self, to: Before) {
        (self.audit, self.edge) = (to.audit, to.edge);
        self.names.truncate(to.names);
    }
}

impl Tx {
    /// Where the audit ends, as this unit sees it.
    pub(super) fn head(&mut self) -> Result<Option<AuditHead>, StoreError> {
        match self.tail.audit {
            Some(head) => Ok(Some(head)),
            None => self.view.audit_head(),
        }
    }

    pub(super) fn set_head(&mut self, head: AuditHead) {
        self.tail.audit = Some(head);
    }

    /// The right edge of the log, as this unit sees it.
    pub(crate) fn edge(&mut self) -> Result<Arc<[u8]>, StoreError> {
        match &self.tail.edge {
            Some(edge) => Ok(edge.clone()),
            None => Ok(self.view.log_edge()?.edge.into()),
        }
    }

    pub(super) fn set_edge(&mut self, edge: &[u8]) {
        self.tail.edge = Some(edge.into());
    }

    /// FTS5 writes out what it holds at each savepoint, so that names are indexed after the last.
    pub(super) fn index_later(&mut self, serial: &str, names: &str) {
        self.tail.names.push((serial.to_owned(), names.to_owned()));
    }

    /// Ends a batch.
    pub(super) fn write_tail(&mut self) -> Result<(), StoreError> {
        let (Tail { audit, edge, names }, conn) = (std::mem::take(&mut self.tail), &mut self.view.conn);
        if let Some(AuditHead { seq, hash, latest }) = audit {
            let data = [&hash[..], &latest.micros().to_be_bytes()].concat();
            let values = [HEAD.into(), seq.into(), data[..].into()];
            Kept(SetHead, &values).run(conn)?;
        }
        if let Some(edge) = edge {
            Kept(SetEdge, &[edge[..].into()]).run(conn)?;
        }
        for (serial, names) in names {
            diesel::insert_into(certificate_text::table)
                .values((certificate_text::serial.eq(serial), certificate_text::names.eq(names)))
                .execute(conn)?;
        }
        Ok(())
    }
}

statement!(SetHead, "INSERT OR REPLACE INTO mark (name, value, data) VALUES (?, ?, ?)");
statement!(SetEdge, "UPDATE log_edge SET edge = ?");

/// The mark under which the audit's head is kept.
pub(super) const HEAD: &str = "audit";
