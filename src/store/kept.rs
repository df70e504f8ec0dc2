//! Statements that are prepared once and kept.
//!
//! diesel prepares every UPDATE and every upsert anew, since a changeset may leave a column out and is then another text.
//! These have one text, by which they are found again: on the writer's thread preparing them took longer than running them.

use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel::{RunQueryDsl, query_dsl::methods::ExecuteDsl};

/// A statement whose text is always the same.
pub(super) trait Keep: Sized {
    /// The same, prepared once.
    fn kept(self) -> Kept<Self> {
        Kept(self)
    }
}

impl<S> Keep for S where S: QueryFragment<Sqlite> + ExecuteDsl<SqliteConnection> {}

pub(super) struct Kept<S>(S);

impl<S> RunQueryDsl<SqliteConnection> for Kept<S> {}

impl<S: QueryFragment<Sqlite>> QueryFragment<Sqlite> for Kept<S> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }

    fn is_safe_to_cache_prepared(&self, _: &Sqlite) -> QueryResult<bool> {
        Ok(true)
    }
}

/// They are told apart by their text.
impl<S> QueryId for Kept<S> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}
