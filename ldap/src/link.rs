//! A link: one connection, the library that speaks on it, and the tasks that carry its bytes.
//!
//! Library and relay run in tasks of their own. The library panics on some answers (an unexpected operation during a
//! search, a malformed control); then its task ends, and the link is merely lost. Dropping the last clone ends both.

use std::future::ready;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ldap3::{
    Ldap, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Mod, ResultEntry, SearchStream, StdStream,
};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::task::JoinSet;

use crate::diagnostic;
use crate::error::Error;
use crate::gate::Gate;
use crate::guard;
use crate::settings::Server;
use crate::wire::{self, Wire};

/// An open connection. Clones share it; operations of clones run side by side, but a bind must be alone.
#[derive(Clone)]
pub(crate) struct Link {
    ldap: Ldap,
    server: Arc<str>,
    limit: Duration,
    ending: Arc<OnceLock<String>>,
    gate: Arc<Gate>,
    tasks: Arc<JoinSet<()>>,
}

impl Link {
    /// Connects to a server; `limit` then holds for every operation.
    pub(crate) async fn open(
        server: &Server,
        tls: Option<&Arc<rustls::ClientConfig>>,
        connect_limit: Duration,
        limit: Duration,
    ) -> Result<Self, Error> {
        let wire = wire::dial(server, tls, connect_limit).await?;
        let unusable = |why: String| Error::Unreachable { server: server.url.clone(), why };
        // The library wants a socket of its own; between that socket and the wire stands the guard.
        let (ours, theirs) = UnixStream::pair().map_err(|error| unusable(error.to_string()))?;
        let theirs = theirs.into_std().map_err(|error| unusable(error.to_string()))?;
        let settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(theirs));
        let (driver, ldap) = LdapConnAsync::with_settings(settings, "ldapi:///")
            .await
            .map_err(|error| unusable(error.to_string()))?;
        let ending = Arc::new(OnceLock::new());
        let gate = Arc::new(Gate::new());
        let mut tasks = JoinSet::new();
        tasks.spawn(relay(wire, ours, Arc::clone(&ending), Arc::clone(&gate)));
        tasks.spawn(async {
            // How the connection ended is told by the operation that it failed.
            let _ = driver.drive().await;
        });
        Ok(Self { ldap, server: server.url.as_str().into(), limit, ending, gate, tasks: Arc::new(tasks) })
    }

    /// Signs the connection in. The server's answer, good or bad, is the result.
    pub(crate) async fn bind(&self, dn: &str, password: &str) -> Result<LdapResult, Error> {
        let doing = "signing in";
        let answer = self.ldap().with_timeout(self.limit).simple_bind(dn, password).await;
        answer.map_err(|error| self.failure(doing, error))
    }

    /// Signs the connection in as whoever its client certificate says (RFC 4513 §5.2.3).
    pub(crate) async fn bind_by_certificate(&self) -> Result<LdapResult, Error> {
        let answer = self.ldap().with_timeout(self.limit).sasl_external_bind().await;
        answer.map_err(|error| self.failure("signing in by certificate", error))
    }

    /// The next answer to a search. Every answer is to be fetched in this way: the gate counts them.
    pub(crate) async fn next<'a>(
        &self,
        answers: &mut SearchStream<'a, String, &'a Vec<String>>,
    ) -> Result<Option<ResultEntry>, LdapError> {
        let answer = answers.next().await;
        if let Ok(Some(_)) = answer {
            self.gate.leave();
        }
        answer
    }

    /// Changes an entry; anything but success is an error.
    pub(crate) async fn modify(
        &self,
        doing: &'static str,
        dn: &str,
        changes: Vec<Mod<&[u8]>>,
    ) -> Result<(), Error> {
        let answer = self.ldap().with_timeout(self.limit).modify(dn, changes).await;
        let LdapResult { rc: code, text, .. } = answer.map_err(|error| self.failure(doing, error))?;
        match code {
            0 => Ok(()),
            _ => {
                let (server, text) = (self.server.to_string(), diagnostic::clean(&text));
                Err(Error::Refused { server, doing, code, text })
            }
        }
    }

    /// A handle for one operation.
    pub(crate) fn ldap(&self) -> Ldap {
        self.ldap.clone()
    }

    /// The server as written in the settings.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// The limit for one operation.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Whether it is known to have ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.ending.get().is_some() || self.ldap().is_closed()
    }

    /// Whether both are clones of one connection.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.tasks, &other.tasks)
    }

    /// Takes leave as RFC 4511 §4.3 asks, so that the server's log shows no broken connection.
    pub(crate) async fn close(self) {
        let goodbye = async {
            let _ = self.ldap().unbind().await;
            if let Ok(mut tasks) = Arc::try_unwrap(self.tasks) {
                while tasks.join_next().await.is_some() {}
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), goodbye).await;
    }

    /// What a library error means for the operation that met it.
    pub(crate) fn failure(&self, doing: &'static str, error: LdapError) -> Error {
        match error {
            LdapError::Timeout { .. } => self.timed_out(doing),
            LdapError::EndOfStream | LdapError::OpSend { .. } | LdapError::ResultRecv { .. } => {
                let why = self.ending.get().cloned();
                self.lost(
                    doing,
                    why.unwrap_or_else(|| "the server closed it or broke the protocol".to_owned()),
                )
            }
            other => self.lost(doing, other.to_string()),
        }
    }

    /// What a result other than success means after so many entries (RFC 4511 appendix A): a list that has begun, or met
    /// a limit, was broken off.
    pub(crate) fn broken_off(&self, doing: &'static str, received: usize, result: &LdapResult) -> Error {
        let (server, code, text) = (self.server.to_string(), result.rc, diagnostic::clean(&result.text));
        match code {
            3 | 4 | 11 => Error::Partial { server, received, code, text },
            _ if received > 0 => Error::Partial { server, received, code, text },
            _ => Error::Refused { server, doing, code, text },
        }
    }

    pub(crate) fn timed_out(&self, doing: &'static str) -> Error {
        Error::TimedOut { server: self.server.to_string(), doing, limit: self.limit }
    }

    pub(crate) fn lost(&self, doing: &'static str, why: String) -> Error {
        Error::Lost { server: self.server.to_string(), doing, why }
    }
}

/// Carries bytes until either side ends, and notes how the server's side did. Messages that come together are passed on
/// together.
async fn relay(wire: Box<dyn Wire>, ours: UnixStream, ending: Arc<OnceLock<String>>, gate: Arc<Gate>) {
    let (from_server, mut to_server) = tokio::io::split(wire);
    let (mut from_library, mut to_library) = ours.into_split();
    let down = async {
        let mut from_server = BufReader::with_capacity(AT_ONCE, from_server);
        let (mut message, mut whole) = (Vec::new(), Vec::new());
        let why = loop {
            let read = {
                let mut reading = pin!(guard::read_message(&mut from_server, &mut message));
                tokio::select! {
                    biased;
                    read = &mut reading, if whole.len() < AT_ONCE => read,
                    // Nothing more has come yet.
                    () = ready(()) => {
                        pass_on(&mut to_library, &mut whole).await;
                        reading.await
                    }
                }
            };
            match read {
                Ok(true) => {}
                Ok(false) => break "the server closed it".to_owned(),
                Err(broken) => break broken.to_string(),
            }
            if guard::is_one_of_many(&message) && !gate.enter_at_once(message.len()) {
                // Room is made by whoever reads what was passed on.
                pass_on(&mut to_library, &mut whole).await;
                gate.enter(message.len()).await;
            }
            whole.extend_from_slice(&message);
        };
        pass_on(&mut to_library, &mut whole).await;
        why
    };
    let up = async {
        let _ = tokio::io::copy(&mut from_library, &mut to_server).await;
        let _ = to_server.shutdown().await;
    };
    tokio::select! {
        why = down => { let _ = ending.set(why); }
        () = up => {}
    }
}

/// That the library is gone is noticed on the way up.
async fn pass_on(to_library: &mut OwnedWriteHalf, messages: &mut Vec<u8>) {
    let _ = to_library.write_all(messages).await;
    messages.clear();
}

/// How many bytes are read, and passed on, together.
const AT_ONCE: usize = 64 << 10;
