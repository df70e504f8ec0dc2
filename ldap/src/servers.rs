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
use crate::link::Link;
use crate::settings::{Security, Server};

/// The list, and who of it rests until when.
pub(crate) struct Servers {
    all: Vec<Server>,
    tls: Option<Arc<rustls::ClientConfig>>,
    connect_limit: Duration,
    limit: Duration,
    rests: Mutex<Vec<Option<Instant>>>,
}

/// Our own account at the directory.
pub(crate) struct ServiceAccount {
    pub(crate) dn: String,
    pub(crate) password: Zeroizing<String>,
}

/// An open connection and the failures on the way to it.
pub(crate) struct Opened {
    pub(crate) link: Link,
    pub(crate) tried: Vec<Error>,
}

const REST: Duration = Duration::from_secs(30);

impl Servers {
    pub(crate) fn new(
        all: Vec<Server>,
        tls: Option<Arc<rustls::ClientConfig>>,
        connect_limit: Duration,
        limit: Duration,
    ) -> Self {
        let rests = Mutex::new(vec![None; all.len()]);
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

    /// How a server is reached, for people.
    pub(crate) fn security(&self, url: &str) -> &'static str {
        match self.all.iter().find(|server| server.url == url).map(|server| server.security) {
            Some(Security::Ldaps) => "TLS",
            Some(Security::StartTls) => "StartTLS",
            _ => "not encrypted",
        }
    }

    async fn walk(&self, order: Vec<usize>, account: Option<&ServiceAccount>) -> Result<Opened, Error> {
        let mut tried = Vec::new();
        for index in order {
            // Until it has answered it rests: of many who come at once, one tries it, the others go elsewhere.
            self.rest(index, true);
            match self.open_one(&self.all[index], account).await {
                Ok(link) => {
                    self.rest(index, false);
                    return Ok(Opened { link, tried });
                }
                Err(error) if error.blames_server() => {
                    tracing::warn!(ldap.server = %self.all[index].url, %error, "A directory server failed");
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
        if let Some(account) = account.filter(|account| !account.dn.is_empty()) {
            let answer = link.bind(&account.dn, &account.password).await?;
            if answer.rc != 0 {
                let text = diagnostic::explain(&answer.text);
                return Err(Error::ServiceAccount { server: server.url.clone(), code: answer.rc, text });
            }
        }
        Ok(link)
    }

    fn order(&self) -> Vec<usize> {
        let now = Instant::now();
        let rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        let resting = |index: &usize| rests.get(*index).copied().flatten().is_some_and(|until| now < until);
        let (mut order, last): (Vec<_>, Vec<_>) = (0..self.all.len()).partition(|index| !resting(index));
        order.extend(last);
        order
    }

    fn rest(&self, index: usize, failed: bool) {
        let until = failed.then(|| Instant::now() + REST);
        if let Some(rest) = self.rests.lock().unwrap_or_else(PoisonError::into_inner).get_mut(index) {
            *rest = until;
        }
    }
}
