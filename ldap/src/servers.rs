//! Servers: the preferred one first, the next when it fails.
//!
//! A server that failed rests for a while, so that not every sign-in waits for it; it is asked at once when all others
//! have failed too. An answer about our account is final: asking elsewhere with the same password would only help to
//! lock it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::diagnostic;
use crate::error::Error;
#[cfg(feature = "gssapi")]
use crate::kerberos;
use crate::link::Link;
use crate::settings::{Place, Server};

/// The list, and who of it rests until when.
pub(crate) struct Servers {
    places: Vec<Place>,
    name_servers: Vec<SocketAddr>,
    tls: Option<Arc<rustls::ClientConfig>>,
    connect_limit: Duration,
    limit: Duration,
    /// By URL, for DNS may name others meanwhile and then the same again.
    rests: Mutex<HashMap<String, Rest>>,
}

/// A server, or why a line of the settings stands for none now; under the name that people know it by.
pub(crate) type Listed = (String, Result<Server, Error>);

/// What is remembered of a server that failed.
struct Rest {
    /// Others are preferred until then.
    until: Instant,
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

const REST: Duration = Duration::from_secs(30);
/// Long enough that a crowd does not wait for a silent server one by one, short enough that nobody notices its return.
const SILENCE: Duration = Duration::from_secs(1);

impl Servers {
    pub(crate) fn new(
        places: Vec<Place>,
        name_servers: Vec<SocketAddr>,
        tls: Option<Arc<rustls::ClientConfig>>,
        connect_limit: Duration,
        limit: Duration,
    ) -> Self {
        Self { places, name_servers, tls, connect_limit, limit, rests: Mutex::default() }
    }

    /// Connects to the first server that answers, those at rest last.
    pub(crate) async fn open(&self, account: Option<&ServiceAccount>) -> Result<Opened, Error> {
        self.walk(self.order().await, account).await
    }

    /// The same in the order of the settings, whoever rests: what an administrator means by a test.
    pub(crate) async fn open_in_order(&self, account: Option<&ServiceAccount>) -> Result<Opened, Error> {
        self.walk(self.list().await, account).await
    }

    /// Notes that this server failed in the middle of something.
    pub(crate) fn blame(&self, url: &str) {
        self.rest(url);
    }

    /// Whether another server is preferred to this one and may be well again.
    pub(crate) async fn prefers_another(&self, url: &str) -> bool {
        let order = self.order().await;
        order.iter().find(|(_, server)| server.is_ok()).is_some_and(|(first, _)| first != url)
    }

    /// The list of the moment, in the order of the settings. What DNS says of their domains is asked where it is too old.
    pub(crate) async fn list(&self) -> Vec<Listed> {
        let mut list = Vec::new();
        for place in &self.places {
            match place {
                Place::Server(server) => list.push((server.url.clone(), Ok(server.clone()))),
                Place::Domain(domain) => match domain.servers(&self.name_servers, self.connect_limit).await {
                    Ok(servers) => {
                        list.extend(servers.into_iter().map(|server| (server.url.clone(), Ok(server))));
                    }
                    Err(error) => list.push((domain.url.clone(), Err(error))),
                },
            }
        }
        list
    }

    async fn walk(&self, list: Vec<Listed>, account: Option<&ServiceAccount>) -> Result<Opened, Error> {
        let mut tried = Vec::new();
        for (url, server) in list {
            let server = match self.silence(&url).map_or(server, Err) {
                Ok(server) => server,
                Err(error) => {
                    tried.push(error);
                    continue;
                }
            };
            // Until it has answered it rests: of many who come at once, one tries it, the others go elsewhere.
            self.rest(&url);
            match self.open_one(&server, account).await {
                Ok(link) => {
                    self.rested(&url);
                    return Ok(Opened { link, tried });
                }
                Err(error) if error.blames_server() => {
                    tracing::warn!(ldap.server = %url, %error, "A directory server failed");
                    if let Error::TimedOut { .. } = error {
                        self.fall_silent(&url, error.clone());
                    }
                    tried.push(error);
                }
                Err(error) => {
                    self.rested(&url);
                    return Err(error);
                }
            }
        }
        Err(if tried.len() == 1 { tried.remove(0) } else { Error::NoServer { tried } })
    }

    /// Connects to this one, whoever is preferred.
    pub(crate) async fn open_one(
        &self,
        server: &Server,
        account: Option<&ServiceAccount>,
    ) -> Result<Link, Error> {
        let link = Link::open(server, self.tls.as_ref(), self.connect_limit, self.limit).await?;
        if let Some(account) = account {
            account.sign_in(&link, server).await?;
        }
        Ok(link)
    }

    /// The list of the moment, those at rest last.
    async fn order(&self) -> Vec<Listed> {
        let list = self.list().await;
        let (now, rests) = (Instant::now(), self.rests());
        let resting = |(url, _): &Listed| rests.get(url).is_some_and(|rest| now < rest.until);
        let (last, mut order): (Vec<_>, Vec<_>) = list.into_iter().partition(resting);
        order.extend(last);
        order
    }

    fn rest(&self, url: &str) {
        let (now, mut rests) = (Instant::now(), self.rests());
        rests.retain(|_, rest| now < rest.until);
        let rest = rests.entry(url.to_owned()).or_insert(Rest { until: now, silent: None });
        rest.until = now + REST;
    }

    fn rested(&self, url: &str) {
        self.rests().remove(url);
    }

    fn fall_silent(&self, url: &str, error: Error) {
        if let Some(rest) = self.rests().get_mut(url) {
            rest.silent = Some((Instant::now() + SILENCE, error));
        }
    }

    fn silence(&self, url: &str) -> Option<Error> {
        let rests = self.rests();
        let (until, error) = rests.get(url)?.silent.as_ref()?;
        (Instant::now() < *until).then(|| error.clone())
    }

    fn rests(&self) -> MutexGuard<'_, HashMap<String, Rest>> {
        self.rests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    const FIRST: &str = "ldap://127.0.0.1:1";
    const SECOND: &str = "ldap://127.0.0.1:2";

    fn two() -> Servers {
        let servers = [FIRST, SECOND].map(str::to_owned).to_vec();
        let settings = Settings { servers, base: "dc=x".to_owned(), starttls: false, ..Settings::default() };
        let (places, limits) = (settings.parse().unwrap().places, [3, 10].map(Duration::from_secs));
        Servers::new(places, Vec::new(), None, limits[0], limits[1])
    }

    async fn order(servers: &Servers) -> Vec<String> {
        servers.order().await.into_iter().map(|(url, _)| url).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_preferred_server_is_preferred_again_after_its_rest() {
        let servers = two();
        assert!(servers.prefers_another(SECOND).await);
        servers.blame(FIRST);
        assert_eq!(order(&servers).await, [SECOND, FIRST]);
        assert!(!servers.prefers_another(SECOND).await);
        tokio::time::advance(REST).await;
        assert_eq!(order(&servers).await, [FIRST, SECOND]);
        assert!(servers.prefers_another(SECOND).await && !servers.prefers_another(FIRST).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_server_lets_one_wait_and_not_a_crowd() {
        let servers = two();
        let silent = Error::TimedOut { server: "s".to_owned(), doing: "connecting", limit: REST };
        servers.rest(FIRST);
        servers.fall_silent(FIRST, silent.clone());
        assert_eq!((servers.silence(FIRST), servers.silence(SECOND)), (Some(silent), None));
        tokio::time::advance(SILENCE).await;
        assert_eq!(servers.silence(FIRST), None);
    }
}
