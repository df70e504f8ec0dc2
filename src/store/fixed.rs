//! Conditions that are part of the statement's text.
//!
//! SQLite uses a partial index only for a query that repeats the index's own condition. Given as a bound value the
//! condition is compared anew, and the statement prepared anew, each time it is bound; as a piece of raw SQL it keeps
//! diesel from reusing the prepared statement at all. These are neither.

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
    /// An inbox row whose message its reader has not called read.
    NotRead = "inbox.fate < 3"
);
fixed!(
    /// An envelope that is not at an end (index `envelope_due`).
    Open = "envelope.state IN ('waiting', 'deferred', 'sending')"
);
