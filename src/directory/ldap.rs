//! People from LDAP: asked at sign-in, and listed as a whole now and then.
//!
//! A sync brings the store to what the directory says, in one transaction, and cuts off who may no longer act. What a
//! broken search could do to a company is made impossible here: an error, a partial or an empty answer disables
//! nobody, and a sync that would take many people away at once is held (`brake`).

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use arc_swap::ArcSwapOption;
use chancery_ldap::{AttributeMap, Connector, Group, Health, Person, Settings, SignIn as Answer};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::brake::{Brake, Held, Leaver};
use super::{Directory, SignIn, is_reserved};
use crate::audit::Deed;
use crate::id::AccountId;
use crate::principal::Principal;
use crate::secret::SecretSource;
use crate::store::{Account, AccountDraft, Source, StoreError, Tx};
use crate::time::{self, Span, Timestamp};

/// `[directory.ldap]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    servers: Vec<String>,
    #[serde(default = "yes")]
    starttls: bool,
    #[serde(default)]
    allow_plain: bool,
    ca_file: Option<PathBuf>,
    #[serde(default)]
    bind_dn: String,
    bind_password: Option<SecretSource>,
    base: String,
    #[serde(default = "default_user_filter")]
    user_filter: String,
    group_filter: Option<String>,
    #[serde(default)]
    attributes: Attributes,
    /// Whether certificates for encrypting mail are written into the entries of their owners.
    #[serde(default)]
    publish_certificates: bool,
    page_size: Option<u32>,
    connect_timeout: Option<Span>,
    operation_timeout: Option<Span>,
}

/// `[directory.ldap.attributes]`: an absent key keeps the craft's own default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Attributes {
    login: Option<String>,
    name: Option<String>,
    mail: Option<String>,
    title: Option<String>,
    groups: Option<String>,
    id: Option<String>,
}

impl Config {
    /// What the craft says of the settings, without asking any server.
    pub(super) fn problems(&self) -> Vec<String> {
        // A password is only looked at when there is one to read; its absence is judged at start.
        match Connector::new(self.settings(), Zeroizing::new("unread".into())) {
            Ok(_) => Vec::new(),
            Err(error) => error
                .problems
                .into_iter()
                .map(|problem| format!("directory.ldap.{}: {}", problem.key, problem.what))
                .collect(),
        }
    }

    fn settings(&self) -> Settings {
        let default = Settings::default();
        let map = AttributeMap::default();
        let given = |given: &Option<String>, default: String| given.clone().unwrap_or(default);
        Settings {
            servers: self.servers.clone(),
            starttls: self.starttls,
            allow_plain: self.allow_plain,
            ca_file: self.ca_file.clone(),
            bind_dn: self.bind_dn.clone(),
            base: self.base.clone(),
            user_filter: self.user_filter.clone(),
            group_filter: self.group_filter.clone(),
            attributes: AttributeMap {
                login: given(&self.attributes.login, map.login),
                name: given(&self.attributes.name, map.name),
                mail: given(&self.attributes.mail, map.mail),
                title: given(&self.attributes.title, map.title),
                groups: given(&self.attributes.groups, map.groups),
                id: given(&self.attributes.id, map.id),
            },
            page_size: self.page_size.unwrap_or(default.page_size),
            connect_timeout: self.connect_timeout.map_or(default.connect_timeout, |span| span.0),
            operation_timeout: self.operation_timeout.map_or(default.operation_timeout, |span| span.0),
        }
    }
}

fn yes() -> bool {
    true
}

fn default_user_filter() -> String {
    Settings::default().user_filter
}

/// The LDAP side of the directory.
pub(crate) struct Ldap {
    pub(super) connector: Connector,
    brake: Brake,
    held: ArcSwapOption<Held>,
    pub(super) publishes: bool,
}

/// What a sync did.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct SyncReport {
    pub(crate) people: usize,
    pub(crate) added: usize,
    pub(crate) changed: usize,
    pub(crate) removed: usize,
    pub(crate) cut_off: usize,
    /// Entries that could not be used, each with the reason.
    pub(crate) skipped: Vec<String>,
}

/// Why a sync changed nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SyncError {
    #[error(transparent)]
    Ldap(#[from] chancery_ldap::Error),
    #[error("the directory lists nobody: check `base` and `user_filter`. Nobody was changed")]
    Empty,
    #[error(
        "this sync would take away {} of {} active people, which looks like a wrong base or filter. Nobody was changed: \
         see `chancery directory held`, then correct the settings, or `chancery directory release {}`",
        .0.leaving.len(), .0.active, .0.change
    )]
    Held(Arc<Held>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The difference between what the store has and what the directory says.
#[derive(Default)]
struct Difference {
    put: Vec<AccountDraft>,
    gone: Vec<AccountId>,
    /// Those who may act today and may not afterwards.
    leaving: Vec<Leaver>,
    report: SyncReport,
}

impl Ldap {
    /// Makes ready to ask; no server is asked yet, so a house starts also while its directory is down.
    pub(crate) fn open(
        directory: &super::Config,
        config: &Config,
        credentials: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let password = match &config.bind_password {
            Some(source) => source.read(credentials).context("directory.ldap.bind_password")?,
            None => Zeroizing::new(String::new()),
        };
        let connector = Connector::new(config.settings(), password).context("[directory.ldap]")?;
        let publishes = config.publish_certificates;
        Ok(Self { connector, brake: Brake::of(directory), held: ArcSwapOption::empty(), publishes })
    }

    /// Connects, binds and looks, for `directory test`.
    pub(crate) async fn check(&self) -> Result<Health, chancery_ldap::Error> {
        self.connector.check().await
    }

    /// Search, then bind. A person that no sync has seen yet becomes known by signing in.
    pub(super) async fn sign_in(
        &self,
        directory: &Directory,
        name: &str,
        password: Zeroizing<String>,
    ) -> SignIn {
        let now = time::now();
        match self.connector.sign_in(name, &password, now.to_offset()).await {
            Ok(Answer::Accepted(person)) => accept(directory, person, now).await,
            Ok(Answer::WrongPassword { .. }) => SignIn::WrongPassword,
            Ok(Answer::Unknown | Answer::Ambiguous) => SignIn::Unknown,
            Ok(Answer::Disabled(person)) => SignIn::Disabled(
                person.disabled.map_or_else(|| "disabled in the directory".into(), |why| why.to_string()),
            ),
            Ok(refused @ Answer::Refused { .. }) => SignIn::Disabled(refused.to_string()),
            Err(error) => SignIn::Unavailable(error.to_string()),
        }
    }

    /// The change that waits for an admin, if one does.
    pub(crate) fn held(&self) -> Option<Arc<Held>> {
        self.held.load_full()
    }

    /// Lists everybody and brings the store to it, unless the brake holds the change and nobody released it.
    pub(super) async fn sync(
        &self,
        directory: &Directory,
        who: &Principal,
        release: Option<&str>,
        now: Timestamp,
    ) -> Result<SyncReport, SyncError> {
        let listing = self.connector.people(now.to_offset()).await?;
        if listing.people.is_empty() {
            return Err(SyncError::Empty);
        }
        let groups = Groups::of(&self.connector.groups().await?.groups);
        let skipped: Vec<_> =
            listing.skipped.iter().map(|entry| (entry.id, format!("{}: {}", entry.dn, entry.why))).collect();
        let known = directory.all();
        let difference = difference(&known, &listing.people, &groups, &skipped);
        let may_act =
            |account: &&Arc<Account>| account.source == Source::Ldap && account.disabled().is_none();
        let active = known.iter().filter(may_act).count();
        let held = self.brake.judge(&difference.leaving, active, now);
        let released = match held {
            Some(held) if release == Some(&*held.change) => Some(held.change),
            Some(held) => return Err(self.hold(directory, who, held, now).await),
            None => None,
        };
        let report = difference.report.clone();
        if !difference.is_empty() {
            let leaving: Vec<_> = difference.leaving.iter().map(|leaver| leaver.id).collect();
            let deeds = difference.deeds(who, released);
            directory.change(move |tx| apply(tx, &difference, deeds, now)).await?;
            leaving.iter().for_each(|id| directory.cut_off(*id));
        }
        self.held.store(None);
        Ok(report)
    }

    /// The same change is held once, however often a sync meets it.
    async fn hold(&self, directory: &Directory, who: &Principal, held: Held, now: Timestamp) -> SyncError {
        if let Some(before) = self.held().filter(|before| before.change == held.change) {
            return SyncError::Held(before);
        }
        let deed = held.deed(who);
        if let Err(error) = directory.store.write(move |tx| tx.remember(deed, now)).await {
            return error.into();
        }
        let held = Arc::new(held);
        self.held.store(Some(held.clone()));
        SyncError::Held(held)
    }
}

impl Difference {
    fn is_empty(&self) -> bool {
        self.put.is_empty() && self.gone.is_empty()
    }

    /// For the audit: the sync, and each of those who leave.
    fn deeds(&self, who: &Principal, released: Option<String>) -> Vec<Deed> {
        let SyncReport { added, changed, removed, .. } = self.report;
        let mut facts = json!({ "added": added, "changed": changed, "removed": removed });
        let verb = match released {
            Some(change) => {
                facts["change"] = json!(change);
                "directory.release"
            }
            None => "directory.sync",
        };
        let leaves = |leaver: &Leaver| {
            Deed::new(who, "account.leave", &leaver.account).with(json!({ "why": leaver.why }))
        };
        let sync = Deed::new(who, verb, "ldap").with(facts);
        std::iter::once(sync).chain(self.leaving.iter().map(leaves)).collect()
    }
}

/// The gone first: their names may have been given to somebody new.
fn apply(tx: &mut Tx, difference: &Difference, deeds: Vec<Deed>, now: Timestamp) -> Result<(), StoreError> {
    let Difference { put, gone, .. } = difference;
    gone.iter().try_for_each(|id| tx.remove_account(*id, now))?;
    // Names may have been swapped among those who stay: each known one first steps aside.
    put.iter().try_for_each(|draft| tx.set_account_name(draft.id, &draft.id.to_string()))?;
    put.iter().try_for_each(|draft| tx.put_account(draft, now))?;
    deeds.into_iter().try_for_each(|deed| tx.remember(deed, now))
}

/// What LDAP says of somebody known already is the sync's to bring in: it alone sees the groups as a whole.
async fn accept(directory: &Directory, person: Person, now: Timestamp) -> SignIn {
    let draft = draft(&person, &Groups::default());
    let id = draft.id;
    if directory.by_id(id).is_none() {
        if is_reserved(&draft.name) || directory.find(&draft.name).is_some() {
            return SignIn::Disabled(format!("the name {} belongs to another account", draft.name));
        }
        let deed =
            Deed::new(&Principal::System, "account.add", &draft.name).with(json!({ "source": "ldap" }));
        let add = move |tx: &mut Tx| tx.put_account(&draft, now).and_then(|()| tx.remember(deed, now));
        if let Err(error) = directory.change(add).await {
            return SignIn::Unavailable(error.to_string());
        }
    }
    match directory.by_id(id) {
        Some(account) => match account.disabled() {
            Some(why) => SignIn::Disabled(why.to_owned()),
            None => SignIn::Accepted(account),
        },
        None => SignIn::Unknown,
    }
}

fn difference(
    known: &[Arc<Account>],
    people: &[Person],
    groups: &Groups,
    skipped: &[(Option<Uuid>, String)],
) -> Difference {
    let mut out = Difference::default();
    out.report.people = people.len();
    out.report.skipped = skipped.iter().map(|(_, why)| why.clone()).collect();
    let by_id: HashMap<AccountId, &Arc<Account>> =
        known.iter().map(|account| (account.id, account)).collect();
    let builtin: HashSet<&str> = known
        .iter()
        .filter(|account| account.source == Source::Builtin)
        .map(|account| account.name.as_str())
        .collect();

    // An entry that could not be read is still there; one without an id might be anybody, so then nobody is removed.
    let mut present: HashSet<AccountId> =
        skipped.iter().filter_map(|(id, _)| id.map(AccountId::from)).collect();
    let removable = skipped.iter().all(|(id, _)| id.is_some());
    for person in people {
        let draft = draft(person, groups);
        present.insert(draft.id);
        if is_reserved(&draft.name) {
            out.report.skipped.push(format!("{}: the name {} is the house's", person.dn, draft.name));
            continue;
        }
        if builtin.contains(draft.name.as_str()) {
            out.report
                .skipped
                .push(format!("{}: the built-in directory has an account {}", person.dn, draft.name));
            continue;
        }
        match by_id.get(&draft.id) {
            None => out.report.added += 1,
            Some(account) if differs(account, &draft) => out.report.changed += 1,
            Some(_) => continue,
        }
        if let (Some(why), Some(old)) = (&draft.directory_disabled, by_id.get(&draft.id)) {
            out.leaving.extend(leaver(old, why));
        }
        out.put.push(draft);
    }
    if removable {
        let is_gone =
            |account: &&Arc<Account>| account.source == Source::Ldap && !present.contains(&account.id);
        for account in known.iter().filter(is_gone) {
            out.gone.push(account.id);
            out.leaving.extend(leaver(account, "no longer in the directory"));
        }
    }
    (out.report.removed, out.report.cut_off) = (out.gone.len(), out.leaving.len());
    out
}

/// Who may not act today has left before.
fn leaver(account: &Account, why: &str) -> Option<Leaver> {
    account.disabled().is_none().then(|| Leaver {
        id: account.id,
        account: account.name.clone(),
        name: account.display.clone(),
        why: why.to_owned(),
    })
}

/// Group names by member, from groups that list their members; servers whose people list their groups need none.
#[derive(Default)]
struct Groups {
    by_dn: HashMap<String, Vec<String>>,
    by_login: HashMap<String, Vec<String>>,
}

impl Groups {
    fn of(groups: &[Group]) -> Self {
        let mut out = Self::default();
        for group in groups {
            for dn in &group.members {
                out.by_dn.entry(dn.to_lowercase()).or_default().push(group.name.clone());
            }
            for login in &group.member_logins {
                out.by_login.entry(login.to_lowercase()).or_default().push(group.name.clone());
            }
        }
        out
    }

    /// Every group of a person, by name.
    fn of_person(&self, person: &Person) -> Vec<String> {
        let listed =
            [self.by_dn.get(&person.dn.to_lowercase()), self.by_login.get(&person.login.to_lowercase())];
        let mut names: Vec<String> = listed.into_iter().flatten().flatten().cloned().collect();
        names.extend(person.groups.iter().map(|dn| group_name(dn).to_owned()));
        names.sort();
        names.dedup();
        names
    }
}

/// The name of a group given by DN: the value of its first part (RFC 4514), as in `cn=ops,ou=groups,…`.
fn group_name(dn: &str) -> &str {
    let first = dn.split(',').next().unwrap_or(dn);
    first.split_once('=').map_or(dn, |(_, value)| value.trim())
}

fn draft(person: &Person, groups: &Groups) -> AccountDraft {
    AccountDraft {
        id: AccountId::from(person.id),
        name: person.login.to_lowercase(),
        display: person.name.clone(),
        mail: person.mail.clone(),
        source: Source::Ldap,
        groups: groups.of_person(person),
        directory_disabled: person.disabled.as_ref().map(ToString::to_string),
    }
}

fn differs(known: &Account, draft: &AccountDraft) -> bool {
    known.name != draft.name
        || known.display != draft.display
        || known.mail != draft.mail
        || known.groups != draft.groups
        || known.directory_disabled != draft.directory_disabled
}
