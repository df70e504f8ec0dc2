//! Conditions that are part of the statement's text.
//!
//! SQLite uses a partial index only for a query that repeats the index's own condition, which it knows when the query is
//! planned, not when values are bound. A piece of raw SQL says it, but keeps diesel from reusing the prepared statement;
//! these do not.

use diesel::expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::Bool;
use diesel::sqlite::Sqlite;

macro_rules! fixed {
    ($(#[$doc:meta])* $name:ident = $sql:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, QueryId, ValidGrouping)]
        pub(super) struct $name;

        impl Expression for $name {
            type SqlType = Bool;
        }

        impl<Source> AppearsOnTable<Source> for $name {}
        impl<Source> SelectableExpression<Source> for $name {}

        impl QueryFragment<Sqlite> for $name {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
                out.push_sql($sql);
                Ok(())
            }
        }
    };
}

fixed!(
    /// An inbox row that no device has acknowledged (index `inbox_waiting`).
    StillWaiting = "inbox.fate < 2"
);
fixed!(
    /// A request that waits for an admin (index `pending_waiting`).
    Waiting = "pending.state = 'waiting'"
);
fixed!(
    /// An envelope that is not at an end (index `envelope_due`).
    Open = "envelope.state IN ('waiting', 'deferred', 'sending')"
);
