//! Statements that are prepared once and kept.
//!
//! diesel prepares every UPDATE and every upsert anew, since a changeset may leave a column out and is then another text,
//! and everything that it is given as text. These have one text each, by which they are found again: on the writer's
//! thread preparing them took longer than running them.

use diesel::RunQueryDsl;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use diesel::sqlite::{Sqlite, SqliteConnection};

/// A statement, with a question mark for each value.
#[derive(Clone, Copy)]
pub(super) struct Kept<'a>(pub(super) &'static str, pub(super) &'a [Value<'a>]);

/// What is bound.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Number(i64),
    Text(&'a str),
    /// Text, or NULL.
    Maybe(Option<&'a str>),
    Bytes(&'a [u8]),
}

impl Kept<'_> {
    /// How many rows it changed.
    pub(super) fn run(self, conn: &mut SqliteConnection) -> QueryResult<usize> {
        self.execute(conn)
    }
}

impl RunQueryDsl<SqliteConnection> for Kept<'_> {}

impl QueryFragment<Sqlite> for Kept<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let Kept(text, values) = self;
        let mut values = values.iter();
        for (at, words) in text.split('?').enumerate() {
            if at > 0 {
                match values.next().ok_or(diesel::result::Error::NotFound)? {
                    Value::Number(number) => out.push_bind_param::<BigInt, i64>(number)?,
                    Value::Text(text) => out.push_bind_param::<Text, &str>(text)?,
                    Value::Maybe(text) => out.push_bind_param::<Nullable<Text>, Option<&str>>(text)?,
                    Value::Bytes(bytes) => out.push_bind_param::<Binary, &[u8]>(bytes)?,
                }
            }
            out.push_sql(words);
        }
        Ok(())
    }
}

/// They are told apart by their text.
impl QueryId for Kept<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
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
