//! Keys that people sign in with, as the page of an account lists them.

/// One registered key.
#[derive(Clone, Debug, Default)]
pub struct KeyRow {
    /// 32 hexadecimal digits.
    pub id: String,
    /// What it is called; may be empty.
    pub name: String,
    /// Such as `P-256` or `Ed25519`.
    pub kind: String,
    /// RFC 3339.
    pub created_at: String,
}
