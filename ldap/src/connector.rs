//! The connector: one handle on the whole directory.
//!
//! It keeps one connection, signed in as the service account, for every search, and a few spare ones for the passwords
//! of people. A connection that ended while nobody looked is replaced before anybody notices.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::answer::Outcome;
use crate::assertion::Filter;
use crate::credentials::Credentials;
use crate::entry::Entry;
use crate::error::Error;
use crate::link::Link;
use crate::request::Modification;
use crate::rules::{Judge, Rules};
use crate::schema::Schema;
use crate::search::{Found, Search};
use crate::servers::{Opened, Servers, ServiceAccount};
use crate::settings::{PLAIN, Parsed, Problem, Security, Server, Settings, SettingsError};
use crate::sync::{self, Protocol};
use crate::trust::{self, Identity};

/// A handle on the directory; clones share its connections. Makes none before the first question.
#[derive(Clone)]
pub struct Connector {
    inner: Arc<Inner>,
    judge: Arc<Judge>,
}

/// What a test of the directory found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The server that answered, as written in the settings or found by DNS.
    pub server: String,
    /// `TLS`, `StartTLS` or `not encrypted`.
    pub security: &'static str,
    /// What the server calls itself, where it does.
    pub vendor: Option<String>,
    /// Whether at least one entry passes `user_filter`.
    pub sees_people: bool,
    /// Whether lists can be read in pages (RFC 2696).
    pub pages: bool,
    /// Whether changes can be pushed to us (RFC 4533).
    pub pushes_changes: bool,
    /// How changes would be followed, best first.
    pub protocols: Vec<Protocol>,
    /// Names in the settings that the server's schema does not have, each with its place and what was probably meant.
    pub unknown: Vec<String>,
    /// Preferred servers that failed before this one answered.
    pub tried: Vec<Error>,
}

pub(crate) struct Inner {
    pub(crate) settings: Settings,
    /// The settings' filters, read.
    pub(crate) user_filter: Filter,
    pub(crate) group_filter: Option<Filter>,
    account: ServiceAccount,
    pub(crate) servers: Servers,
    service: tokio::sync::Mutex<Service>,
    refused: tokio::sync::Mutex<Option<(Error, Instant)>>,
    attempts: AtomicU64,
    searches: Semaphore,
    sign_ins: Semaphore,
    spare: Mutex<Vec<Link>>,
}

/// The shared connection, or why there is none.
#[derive(Default)]
struct Service {
    link: Option<Link>,
    since: Option<Instant>,
    failure: Option<(Error, u64)>,
}

/// How many searches share the connection. OpenLDAP closes one on which 1,000 wait (slapd.conf(5), conn_max_pending_auth).
const SEARCHES: usize = 64;
/// How many passwords are checked side by side; a directory has other customers.
const SIGN_INS: usize = 16;
const SPARE: usize = 4;
/// How long a refused service account is not tried again. Directories lock accounts after a few wrong passwords.
pub(crate) const REFUSED_FOR: Duration = Duration::from_secs(30);
/// How long a connection to another than the preferred server is kept before that one is tried again.
pub(crate) const FAIL_BACK: Duration = Duration::from_secs(300);

impl Connector {
    /// Reads the settings and the authorities; connects to nothing. A password alone is a credential too.
    pub fn new(settings: Settings, credentials: impl Into<Credentials>) -> Result<Self, SettingsError> {
        let mut problems = Vec::new();
        let parsed = settings.parse().map_err(|found| problems = found).ok();
        let mut note = |key, what| problems.push(Problem { key, what });
        let (account, identity) = present(&settings.bind_dn, credentials.into()).unwrap_or_else(|problem| {
            note(problem.key, problem.what);
            (ServiceAccount::Nobody, None)
        });
        let any_tls = || settings.servers.iter().any(|url| settings.security(url) != Security::Plain);
        let needs_tls = settings.ca_file.is_some() || (parsed.is_some() && any_tls());
        let tls = needs_tls.then(|| trust::client_config(settings.ca_file.as_deref(), identity)).transpose();
        let tls = tls.unwrap_or_else(|what| {
            note("ca_file", what);
            None
        });
        let Some(Parsed { places, user_filter, group_filter }) = parsed.filter(|_| problems.is_empty())
        else {
            return Err(SettingsError { problems });
        };
        let name_servers = settings.name_servers.clone();
        let (connect_limit, limit) = (settings.connect_timeout, settings.operation_timeout);
        let servers = Servers::new(places, name_servers, tls, connect_limit, limit);
        let inner = Inner {
            account,
            settings,
            user_filter,
            group_filter,
            servers,
            service: tokio::sync::Mutex::default(),
            refused: tokio::sync::Mutex::default(),
            attempts: AtomicU64::new(0),
            searches: Semaphore::new(SEARCHES),
            sign_ins: Semaphore::new(SIGN_INS),
            spare: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner), judge: Arc::default() })
    }

    /// The same directory and the same connections, judging by these rules too who is disabled.
    pub fn with_rules(self, rules: &Rules) -> Result<Self, SettingsError> {
        Ok(Self { judge: Arc::new(rules.parse()?), ..self })
    }

    pub(crate) fn judge(&self) -> Arc<Judge> {
        Arc::clone(&self.judge)
    }

    pub(crate) fn inner(&self) -> Arc<Inner> {
        Arc::clone(&self.inner)
    }

    /// Tests the directory on a connection of its own: connect, TLS, sign in, ask what it can, look for one person.
    pub async fn check(&self) -> Result<Health, Error> {
        let inner = self.ready().await;
        let Opened { link, tried } = inner.servers.open_in_order(Some(&inner.account)).await?;
        inner.health(link, tried).await
    }

    /// Tests each server, in the order of the settings. Where one refuses the service account, those after it are not
    /// asked, for directories lock accounts.
    pub async fn check_each(&self) -> Vec<(String, Result<Health, Error>)> {
        let mut all = Vec::new();
        for (url, server) in self.inner.servers.list().await {
            let checked = match server {
                Ok(server) => self.inner.check_this(&server).await,
                Err(error) => Err(error),
            };
            let is_refused = checked.as_ref().is_err_and(Error::is_about_us);
            all.push((url, checked));
            if is_refused {
                break;
            }
        }
        all
    }

    /// What asks the servers, the preferred one again in time.
    pub(crate) async fn ready(&self) -> &Inner {
        self.fail_back().await;
        &self.inner
    }

    /// Returns to the preferred server in time, aside, so that nobody waits for it.
    async fn fail_back(&self) {
        let Ok(mut service) = self.inner.service.try_lock() else { return };
        let old = service.since.is_some_and(|since| since.elapsed() >= FAIL_BACK);
        if let Some(link) = service.link.clone().filter(|_| old) {
            service.since = Some(Instant::now());
            let inner = Arc::clone(&self.inner);
            tokio::spawn(async move {
                if inner.servers.prefers_another(link.server()).await
                    && let Ok(Opened { link, .. }) = inner.open().await
                {
                    inner.service.lock().await.link = Some(link);
                }
            });
        }
    }
}

/// What the service account is, and what it shows in the TLS handshake.
fn present(bind_dn: &str, credentials: Credentials) -> Result<(ServiceAccount, Option<Identity>), Problem> {
    match credentials {
        Credentials::Password(_) if bind_dn.is_empty() => Ok((ServiceAccount::Nobody, None)),
        // RFC 4513 §5.1.2: a name without a password is an anonymous bind that looks like success.
        Credentials::Password(password) if password.is_empty() => {
            let what = "the password is empty, which a directory takes for nobody at all; name a secret";
            Err(Problem { key: "bind_password", what: what.to_owned() })
        }
        Credentials::Password(password) => {
            Ok((ServiceAccount::Named { dn: bind_dn.to_owned(), password }, None))
        }
        _ if !bind_dn.is_empty() => {
            let what = "leave it empty: the certificate or the ticket says who the service account is";
            Err(Problem { key: "bind_dn", what: what.to_owned() })
        }
        Credentials::Certificate { chain, key } => match Identity::read(&chain, &key) {
            Ok(identity) => Ok((ServiceAccount::Certified, Some(identity))),
            Err(what) => Err(Problem { key: "client_certificate", what }),
        },
        #[cfg(feature = "gssapi")]
        Credentials::Kerberos(name) => Ok((ServiceAccount::Kerberos(name), None)),
        #[cfg(not(feature = "gssapi"))]
        Credentials::Kerberos(_) => {
            let what = "this build has no Kerberos; one that is built with `--features gssapi` has";
            Err(Problem { key: "kerberos", what: what.to_owned() })
        }
    }
}

impl Health {
    /// What is not as it should be, each with what to do about it.
    pub fn advice(&self) -> Vec<String> {
        let only_lists = self.protocols.iter().all(|protocol| *protocol == Protocol::Polling);
        let wrong = [
            (
                !self.sees_people,
                "it shows no people: check base and user_filter, and what the service account may read",
            ),
            (
                self.security == PLAIN,
                "passwords cross the network as they are: use ldaps:// or starttls = true",
            ),
            (
                !self.pages,
                "it has no pages: everybody must fit into the server's size limit for the service account",
            ),
            (
                only_lists,
                "it tells of no changes, everybody is listed again and again: load OpenLDAP's overlay syncprov, turn on \
                 389's Content Synchronization plug-in, or grant the service account Replicating Directory Changes",
            ),
        ];
        let wrong = wrong.into_iter().filter(|(is_wrong, _)| *is_wrong).map(|(_, what)| what.to_owned());
        self.unknown.iter().cloned().chain(wrong).collect()
    }
}

impl Inner {
    async fn check_this(&self, server: &Server) -> Result<Health, Error> {
        let link = self.servers.open_one(server, Some(&self.account)).await?;
        self.health(link, Vec::new()).await
    }

    async fn health(&self, link: Link, tried: Vec<Error>) -> Result<Health, Error> {
        let root = Search::root_dse().run(&link).await?.entries.pop();
        let people = Search::anybody(&self.settings.base, &self.user_filter).run(&link).await?;
        let offers = |oid: &str| root.as_ref().is_some_and(|root| root.has("supportedControl", oid));
        let vendor = ["vendorName", "vendorVersion"]
            .iter()
            .filter_map(|attribute| root.as_ref().and_then(|root| root.text(attribute).ok().flatten()))
            .collect::<Vec<_>>()
            .join(" ");
        let health = Health {
            server: link.server().to_owned(),
            security: self.settings.security(link.server()).name(),
            vendor: Some(vendor).filter(|vendor| !vendor.is_empty()),
            sees_people: !people.entries.is_empty(),
            pages: offers("1.2.840.113556.1.4.319"),
            pushes_changes: offers(sync::SYNC_REQUEST),
            protocols: root.as_ref().map(|root| sync::offered(root, &self.settings)).unwrap_or_default(),
            unknown: match &root {
                Some(root) => self.unknown(root, &link).await,
                None => Vec::new(),
            },
            tried,
        };
        link.close().await;
        Ok(health)
    }

    /// What of the settings the server does not know.
    async fn unknown(&self, root: &Entry, link: &Link) -> Vec<String> {
        let Some(schema) = Schema::at(root, link).await else { return Vec::new() };
        let Settings { user_filter, group_filter, .. } = &self.settings;
        let mut filters = vec![("user_filter", user_filter.as_str(), &self.user_filter)];
        if let (Some(text), Some(filter)) = (group_filter, &self.group_filter) {
            filters.push(("group_filter", text, filter));
        }
        schema.unknown(&self.settings, &filters)
    }

    /// Opens a connection and signs it in as the service account, one at a time. A refusal holds for a while and for
    /// everybody: directories lock accounts.
    pub(crate) async fn open(&self) -> Result<Opened, Error> {
        let mut refused = self.refused.lock().await;
        if let Some((error, at)) = &*refused
            && at.elapsed() < REFUSED_FOR
        {
            return Err(error.clone());
        }
        let outcome = self.servers.open(Some(&self.account)).await;
        let refusal = outcome.as_ref().err().filter(|error| error.is_about_us());
        *refused = refusal.map(|error| (error.clone(), Instant::now()));
        outcome
    }

    /// Searches on the shared connection; once more on a new one when the old turns out to be dead.
    pub(crate) async fn search(&self, search: &Search) -> Result<Found, Error> {
        let _turn = self.turn(&self.searches).await?;
        let (link, reused) = self.service().await?;
        match search.run(&link).await {
            Err(error) if error.is_lost() && reused => {
                self.drop_service(&link, None).await;
                let (link, _) = self.service().await?;
                self.settle(&link, search.run(&link).await).await
            }
            outcome => self.settle(&link, outcome).await,
        }
    }

    /// Changes an entry, on the shared connection. What is lost on the way may have been done: the caller looks again.
    pub(crate) async fn modify(
        &self,
        doing: &'static str,
        dn: &str,
        changes: &[Modification<'_>],
    ) -> Result<(), Error> {
        let _turn = self.turn(&self.searches).await?;
        let (link, _) = self.service().await?;
        self.settle(&link, link.modify(doing, dn, changes).await).await
    }

    /// Signs in as somebody else, on a connection where nobody else's work can be taken for theirs.
    pub(crate) async fn bind_as(&self, dn: &str, password: &str) -> Result<(Outcome, String), Error> {
        let _turn = self.turn(&self.sign_ins).await?;
        while let Some(link) = self.take_spare() {
            match link.bind(dn, password).await {
                Err(error) if error.is_lost() => {}
                outcome => return self.settle_bind(link, outcome),
            }
        }
        let link = self.servers.open(None).await?.link;
        let outcome = link.bind(dn, password).await;
        self.settle_bind(link, outcome)
    }

    async fn turn<'a>(&self, among: &'a Semaphore) -> Result<SemaphorePermit<'a>, Error> {
        let turn = tokio::time::timeout(self.settings.operation_timeout, among.acquire()).await;
        turn.ok().and_then(Result::ok).ok_or(Error::Busy)
    }

    /// The shared connection, and whether it was there already.
    async fn service(&self) -> Result<(Link, bool), Error> {
        let seen = self.attempts.load(Ordering::Acquire);
        let mut service = self.service.lock().await;
        if let Some(link) = service.link.as_ref().filter(|link| !link.is_closed()) {
            return Ok((link.clone(), true));
        }
        service.link = None;
        // Those who waited while an attempt failed share its failure; in a queue each would wait for its own.
        if let Some((error, _)) = service.failure.as_ref().filter(|(_, attempt)| *attempt > seen) {
            return Err(error.clone());
        }
        let outcome = self.open().await;
        let attempt = self.attempts.fetch_add(1, Ordering::AcqRel) + 1;
        match outcome {
            Ok(Opened { link, .. }) => {
                tracing::debug!(ldap.server = link.server(), "Connected to the directory");
                *service = Service { link: Some(link.clone()), since: Some(Instant::now()), failure: None };
                Ok((link, false))
            }
            Err(error) => {
                service.failure = Some((error.clone(), attempt));
                Err(error)
            }
        }
    }

    async fn settle<T>(&self, link: &Link, outcome: Result<T, Error>) -> Result<T, Error> {
        if let Some(error) = outcome.as_ref().err().filter(|error| error.blames_server()) {
            self.drop_service(link, Some(error)).await;
        }
        outcome
    }

    async fn drop_service(&self, link: &Link, blame: Option<&Error>) {
        if let Some(error) = blame {
            tracing::warn!(ldap.server = link.server(), %error, "A directory server failed");
            self.servers.blame(link.server());
        }
        let mut service = self.service.lock().await;
        if service.link.as_ref().is_some_and(|current| current.is_same(link)) {
            service.link = None;
        }
    }

    fn settle_bind(&self, link: Link, outcome: Result<Outcome, Error>) -> Result<(Outcome, String), Error> {
        let server = link.server().to_owned();
        match outcome {
            Ok(answer) => {
                let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
                if spare.len() < SPARE {
                    spare.push(link);
                }
                Ok((answer, server))
            }
            Err(error) => {
                self.servers.blame(&server);
                Err(error)
            }
        }
    }

    fn take_spare(&self) -> Option<Link> {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        spare.retain(|link| !link.is_closed());
        spare.pop()
    }
}
