//! Opening the file: pragmas, migrations, and the refusal of a file from the future.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::tail::Tail;
use super::{Tx, View};
use crate::id::MessageId;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("src/store/migrations");

/// "CHCY": tells `file(1)` and us whose file this is.
const APPLICATION_ID: i64 = 0x4348_4359;

/// Below this size the whole file is checked at start; above, SQLite reports damage where it meets it.
const CHECK_BELOW: u64 = 64 << 20;

/// Why the file cannot be used; the message says what to do next.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("{path}: {why}. Check that the directory exists and belongs to the service account")]
    Unusable { path: PathBuf, why: String },
    #[error(
        "{path} is damaged ({why}). Stop the daemon, keep the file aside and put the last backup in its place"
    )]
    Damaged { path: PathBuf, why: String },
    #[error(
        "{path} is not a store of Chancery: it carries application id {found:#x}. Give another state_dir"
    )]
    Foreign { path: PathBuf, found: i64 },
    #[error(
        "{path} was written by a newer Chancery (state {found}, this binary knows up to {known}). Install that version again, or restore a backup made by this one"
    )]
    Newer { path: PathBuf, found: String, known: String },
}

/// The writing connection, migrated.
pub(super) fn writer(path: &Path) -> Result<Tx, OpenError> {
    keep_private(path)?;
    let mut conn = connect(path)?;
    let whose = pragma(&mut conn, "application_id").map_err(|why| unreadable(path, why))?;
    if whose != APPLICATION_ID && whose != 0 {
        return Err(OpenError::Foreign { path: path.into(), found: whose });
    }
    check(path, &mut conn)?;
    refuse_newer(path, &mut conn)?;
    conn.run_pending_migrations(MIGRATIONS).map_err(|why| unreadable(path, why))?;
    conn.batch_execute(&format!("PRAGMA application_id = {APPLICATION_ID}"))
        .map_err(|why| unreadable(path, why))?;
    let last_message = MessageId::from_bytes([0; 16]);
    let mut tx = Tx { view: View { conn }, last_message, next_seq: 0, tail: Tail::default() };
    tx.recall_last_message().map_err(|why| unreadable(path, why))?;
    Ok(tx)
}

/// A reading connection on a file that the writer has opened.
pub(super) fn reader(path: &Path) -> Result<View, OpenError> {
    let mut conn = connect(path)?;
    conn.batch_execute("PRAGMA query_only = ON").map_err(|why| unreadable(path, why))?;
    Ok(View { conn })
}

/// Messages and keys' traces are nobody else's to read; SQLite gives its log the mode of the file.
fn keep_private(path: &Path) -> Result<(), OpenError> {
    let made = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    made.map(drop).map_err(|why| OpenError::Unusable { path: path.into(), why: why.to_string() })
}

/// A connection that writes nothing of its own: for checkpoints.
pub(super) fn beside(path: &Path) -> Result<View, OpenError> {
    Ok(View { conn: connect(path)? })
}

fn connect(path: &Path) -> Result<SqliteConnection, OpenError> {
    let unusable = |why: String| OpenError::Unusable { path: path.into(), why };
    let name = path.to_str().ok_or_else(|| unusable("the path is not UTF-8".into()))?;
    let mut conn = SqliteConnection::establish(name).map_err(|why| unusable(why.to_string()))?;
    // `checkpoint.rs` decides when the log is carried back; the limit keeps it from staying large after a burst.
    conn.batch_execute(
        "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
         PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 67108864;",
    )
    .map_err(|why| unreadable(path, why))?;
    Ok(conn)
}

fn check(path: &Path, conn: &mut SqliteConnection) -> Result<(), OpenError> {
    #[derive(QueryableByName)]
    struct Line {
        #[diesel(sql_type = Text)]
        quick_check: String,
    }
    if std::fs::metadata(path).map(|file| file.len()).unwrap_or(0) > CHECK_BELOW {
        return Ok(());
    }
    let lines: Vec<Line> =
        diesel::sql_query("PRAGMA quick_check(1)").load(conn).map_err(|why| unreadable(path, why))?;
    match lines.first() {
        Some(line) if line.quick_check != "ok" => {
            Err(OpenError::Damaged { path: path.into(), why: line.quick_check.clone() })
        }
        _ => Ok(()),
    }
}

fn refuse_newer(path: &Path, conn: &mut SqliteConnection) -> Result<(), OpenError> {
    let known: Vec<String> =
        diesel::migration::MigrationSource::<diesel::sqlite::Sqlite>::migrations(&MIGRATIONS)
            .map_err(|why| unreadable(path, why))?
            .iter()
            .map(|migration| migration.name().version().to_string())
            .collect();
    let applied = conn.applied_migrations().map_err(|why| unreadable(path, why))?;
    let newest = known.iter().max().cloned().unwrap_or_default();
    match applied.iter().map(ToString::to_string).find(|version| !known.contains(version)) {
        Some(found) => Err(OpenError::Newer { path: path.into(), found, known: newest }),
        None => Ok(()),
    }
}

fn pragma(conn: &mut SqliteConnection, name: &str) -> QueryResult<i64> {
    #[derive(QueryableByName)]
    struct Value {
        #[diesel(sql_type = BigInt)]
        application_id: i64,
    }
    diesel::sql_query(format!("PRAGMA {name}")).get_result::<Value>(conn).map(|row| row.application_id)
}

fn unreadable(path: &Path, why: impl std::fmt::Display) -> OpenError {
    let why = why.to_string();
    if why.contains("not a database") || why.contains("malformed") || why.contains("corrupt") {
        return OpenError::Damaged { path: path.into(), why };
    }
    OpenError::Unusable { path: path.into(), why }
}
