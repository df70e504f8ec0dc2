//! Servers: the preferred one first, the next when it fails.
//!
//! A server that failed rests for a while, so that not every sign-in waits for it; it is asked at once when all others
//! have failed too. An answer about our account is final: asking elsewhere with the same password would only help to
//! lock it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::diagnostic;
use crate::error::Error;
#[cfg(feature = "gssapi")]
use crate::kerberos;
use crate::link::Link;
use crate::settings::{Security, Server};

/// The list, and who of it rests until when.
pub(crate) struct Servers {
    all: Vec<Server>,
    tls: Option<Arc<rustls::ClientConfig>>,
    connect_limit: Duration,
    limit: Duration,
    rests: Mutex<Vec<Rest>>,
}

/// What is remembered of a server that failed.
#[derive(Clone, Default)]
struct Rest {
    /// Others are preferred until then.
    until: Option<Instant>,
    /// It let somebody wait in vain, and is not asked at all until then.
    silent: Option<(Instant, Error)>,
}

/// Our own account at the directory.
pub(crate) enum ServiceAccount {
    Nobody,
    Named {
        dn: String,
        password: Zeroizing<String>,
    },
    Certified,
    /// By what name the KDC knows it.
    #[cfg(feature = "gssapi")]
    Kerberos(String),
}

impl ServiceAccount {
    async fn sign_in(&self, link: &Link, server: &Server) -> Result<(), Error> {
        let answer = match self {
            Self::Nobody => return Ok(()),
            Self::Named { dn, password } => link.bind(dn, password).await?,
            Self::Certified => link.bind_by("signing in by certificate", "EXTERNAL", b"").await?.outcome,
            #[cfg(feature = "gssapi")]
            Self::Kerberos(name) => kerberos::sign_in(link, &server.host, name).await?,
        };
        match answer.code {
            0 => Ok(()),
            code => {
                let (server, text) = (server.url.clone(), diagnostic::explain(&answer.text));
                Err(Error::ServiceAccount { server, code, text })
            }
        }
    }
}

/// An open connection and the failures on the way to it.
pub(crate) struct Opened {
    pub(crate) link: Link,
    pub(crate) tried: Vec<Error>,
}

/// How a server is reached without TLS, for people.
pub(crate) const PLAIN: &str = "not encrypted";
const REST: Duration = Duration::from_secs(30);
/// Long enough that a crowd does not wait for a silent server one by one, short enough that nobody notices its return.
const SILENCE: Duration = Duration::from_secs(1);

impl Servers {
    pub(crate) fn new(
        all: Vec<Server>,
        tls: Option<Arc<rustls::ClientConfig>>,
        connect_limit: Duration,
        limit: Duration,
    ) -> Self {
        let rests = Mutex::new(vec![Rest::default(); all.len()]);
        Self { all, tls, connect_limit, limit, rests }
    }

    /// Connects to the first server that answers, those at rest last.
    pub(crate) async fn open(&self, account: Option<&ServiceAccount>) -> Result<Opened, Error> {
        self.walk(self.order(), account).await
    }

    /// The same in the order of the settings, whoever rests: what an administrator means by a test.
    pub(crate) async fn open_in_order(&self, account: Option<&ServiceAccount>) -> Result<Opened, Error> {
        self.walk((0..self.all.len()).collect(), account).await
    }

    /// Notes that this server failed in the middle of something.
    pub(crate) fn blame(&self, url: &str) {
        if let Some(index) = self.all.iter().position(|server| server.url == url) {
            self.rest(index, true);
        }
    }

    /// Whether another server is preferred to this one and may be well again.
    pub(crate) fn prefers_another(&self, url: &str) -> bool {
        let first = self.order().first().copied();
        first.and_then(|first| self.all.get(first)).is_some_and(|server| server.url != url)
    }

    /// How a server is reached, for people.
    pub(crate) fn security(&self, url: &str) -> &'static str {
        match self.all.iter().find(|server| server.url == url).map(|server| server.security) {
            Some(Security::Ldaps) => "TLS",
            Some(Security::StartTls) => "StartTLS",
            _ => PLAIN,
        }
    }

    /// As written in the settings.
    pub(crate) fn urls(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|server| server.url.as_str())
    }

    /// Connects to this one, whoever is preferred.
    pub(crate) async fn open_this(
        &self,
        index: usize,
        account: Option<&ServiceAccount>,
    ) -> Result<Link, Error> {
        match self.all.get(index) {
            Some(server) => self.open_one(server, account).await,
            None => Err(Error::NoServer { tried: Vec::new() }),
        }
    }

    async fn walk(&self, order: Vec<usize>, account: Option<&ServiceAccount>) -> Result<Opened, Error> {
        let mut tried = Vec::new();
        for index in order {
            if let Some(error) = self.silence(index) {
                tried.push(error);
                continue;
            }
            // Until it has answered it rests: of many who come at once, one tries it, the others go elsewhere.
            self.rest(index, true);
            match self.open_one(&self.all[index], account).await {
                Ok(link) => {
                    self.rest(index, false);
                    return Ok(Opened { link, tried });
                }
                Err(error) if error.blames_server() => {
                    tracing::warn!(ldap.server = %self.all[index].url, %error, "A directory server failed");
                    if let Error::TimedOut { .. } = error {
                        self.fall_silent(index, error.clone());
                    }
                    tried.push(error);
                }
                Err(error) => {
                    self.rest(index, false);
                    return Err(error);
                }
            }
        }
        Err(if tried.len() == 1 { tried.remove(0) } else { Error::NoServer { tried } })
    }

    async fn open_one(&self, server: &Server, account: Option<&ServiceAccount>) -> Result<Link, Error> {
        let link = Link::open(server, self.tls.as_ref(), self.connect_limit, self.limit).await?;
        if let Some(account) = account {
            account.sign_in(&link, server).await?;
        }
        Ok(link)
    }

    fn order(&self) -> Vec<usize> {
        let now = Instant::now();
        let rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        let resting =
            |index: &usize| rests.get(*index).and_then(|rest| rest.until).is_some_and(|until| now < until);
        let (mut order, last): (Vec<_>, Vec<_>) = (0..self.all.len()).partition(|index| !resting(index));
        order.extend(last);
        order
    }

    fn rest(&self, index: usize, failed: bool) {
        if let Some(rest) = self.rests.lock().unwrap_or_else(PoisonError::into_inner).get_mut(index) {
            rest.until = failed.then(|| Instant::now() + REST);
        }
    }

    fn fall_silent(&self, index: usize, error: Error) {
        if let Some(rest) = self.rests.lock().unwrap_or_else(PoisonError::into_inner).get_mut(index) {
            rest.silent = Some((Instant::now() + SILENCE, error));
        }
    }

    fn silence(&self, index: usize) -> Option<Error> {
        let rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, error) = rests.get(index)?.silent.as_ref()?;
        (Instant::now() < *until).then(|| error.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn two() -> Servers {
        let servers = ["ldap://127.0.0.1:1", "ldap://127.0.0.1:2"].map(str::to_owned).to_vec();
        let settings = Settings { servers, base: "dc=x".to_owned(), starttls: false, ..Settings::default() };
        Servers::new(settings.parse().unwrap().servers, None, Duration::from_secs(3), Duration::from_secs(10))
    }

    #[tokio::test(start_paused = true)]
    async fn the_preferred_server_is_preferred_again_after_its_rest() {
        let servers = two();
        assert!(servers.prefers_another("ldap://127.0.0.1:2"));
        servers.blame("ldap://127.0.0.1:1");
        assert_eq!(servers.order(), [1, 0]);
        assert!(!servers.prefers_another("ldap://127.0.0.1:2"));
        tokio::time::advance(REST).await;
        assert_eq!(servers.order(), [0, 1]);
        assert!(
            servers.prefers_another("ldap://127.0.0.1:2") && !servers.prefers_another("ldap://127.0.0.1:1")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_server_lets_one_wait_and_not_a_crowd() {
        let servers = two();
        let silent = Error::TimedOut { server: "s".to_owned(), doing: "connecting", limit: REST };
        servers.fall_silent(0, silent.clone());
        assert_eq!((servers.silence(0), servers.silence(1)), (Some(silent), None));
        tokio::time::advance(SILENCE).await;
        assert_eq!(servers.silence(0), None);
    }
}
