//! The self-service page: people get, renew and revoke their own certificates.

pub mod code;
pub mod desk;
pub mod handover;
pub mod revoke;
pub mod sign_in;
pub mod ways;

use crate::Choice;

/// For pages on which it is settled what a certificate is for.
pub(crate) const NO_CHOICE: &[Choice] = &[];

/// How one client is set up, with everything filled in.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The client, such as `MQTTX`.
    pub client: String,
    /// Its fields and what to write there.
    pub fields: Vec<(String, String)>,
    /// Text to paste: command lines, or a program.
    pub snippets: Vec<String>,
}

/// What a client needs to know of the house, whichever it is.
#[derive(Clone, Debug, Default)]
pub struct Guide {
    /// Where the house is: kinds of address and the addresses.
    pub addresses: Vec<(String, String)>,
    /// Topics and what they are for.
    pub topics: Vec<(String, String)>,
    /// The clients that people use.
    pub clients: Vec<Settings>,
}
