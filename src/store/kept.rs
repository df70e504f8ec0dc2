//! Statements that are prepared once and kept.
//!
//! diesel prepares every UPDATE and every upsert anew, since a changeset may leave a column out and is then another text,
//! and everything that it is given as text. These have one text each, and a type by which they are found again: on the
//! writer's thread preparing them took longer than running them, and finding them by their text a sixth of it.

use diesel::RunQueryDsl;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use diesel::sqlite::{Sqlite, SqliteConnection};

/// A statement.
pub(super) trait Statement: 'static {
    /// With a question mark for each value.
    const TEXT: &'static str;
}

/// Names a statement.
macro_rules! statement {
    ($name:ident, $text:expr) => {
        struct $name;

        impl $crate::store::kept::Statement for $name {
            const TEXT: &'static str = $text;
        }
    };
}
pub(super) use statement;

/// A statement with its values.
pub(super) struct Kept<'a, S: Statement>(pub(super) S, pub(super) &'a [Value<'a>]);

/// What is bound.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Number(i64),
    Text(&'a str),
    /// Text, or NULL.
    Maybe(Option<&'a str>),
    Bytes(&'a [u8]),
}

impl<S: Statement> Kept<'_, S> {
    /// How many rows it changed.
    pub(super) fn run(self, conn: &mut SqliteConnection) -> QueryResult<usize> {
        self.execute(conn)
    }
}

impl<S: Statement> RunQueryDsl<SqliteConnection> for Kept<'_, S> {}

impl<S: Statement> QueryFragment<Sqlite> for Kept<'_, S> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let mut from = 0;
        let mut values = self.1.iter();
        for at in memchr::memchr_iter(b'?', S::TEXT.as_bytes()) {
            out.push_sql(&S::TEXT[from..at]);
            match values.next().ok_or(diesel::result::Error::NotFound)? {
                Value::Number(number) => out.push_bind_param::<BigInt, i64>(number)?,
                Value::Text(text) => out.push_bind_param::<Text, &str>(text)?,
                Value::Maybe(text) => out.push_bind_param::<Nullable<Text>, Option<&str>>(text)?,
                Value::Bytes(bytes) => out.push_bind_param::<Binary, &[u8]>(bytes)?,
            }
            from = at + 1;
        }
        out.push_sql(&S::TEXT[from..]);
        Ok(())
    }
}

impl<S: Statement> QueryId for Kept<'_, S> {
    type QueryId = S;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Number(number)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(text)
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Value::Maybe(text)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Value::Bytes(bytes)
    }
}
