//! `init`: a commented configuration, the store, the authority, and the first admin's way in.

use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{Appliance, STORE};
use crate::api;
use crate::config::{self, Config, Problems};
use crate::enrollment::{Enrollment, Founded, Founding, Place};
use crate::principal::Principal;
use crate::store::Store;
use crate::time::Timestamp;

/// What was made.
pub(crate) struct Initialised {
    pub(crate) config: PathBuf,
    pub(crate) state_dir: PathBuf,
    pub(crate) made: Made,
}

/// How far a house has come.
pub(crate) enum Made {
    /// All of it; with a one-time console link for the first admin.
    House { link: String },
    /// The issuing CA's key, and a request for its certificate.
    Request(Asked),
}

/// A request that a root elsewhere is to answer.
pub(crate) struct Asked {
    pub(crate) request: PathBuf,
    /// Where others will find what the authority publishes, which stands in the certificate.
    pub(crate) public_url: String,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InitError {
    #[error("{0} holds the state of a house already: nothing was changed")]
    Exists(String),
    #[error(transparent)]
    Config(#[from] Problems),
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// Makes a house. `state` goes before what the configuration says.
pub(crate) async fn init(
    domain: &str,
    config: Option<PathBuf>,
    state: Option<PathBuf>,
    founding: Founding,
    now: Timestamp,
) -> Result<Initialised, InitError> {
    let path = config.unwrap_or_else(|| config::DEFAULT_PATH.into());
    let mut config = match path.exists() {
        true => standing(&path, domain)?,
        false => {
            let text = text_for(domain, state.as_deref());
            let config = Config::parse(&path, &text)?;
            refuse_existing(&config.appliance.state_dir)?;
            write_new(&path, &text)?;
            config
        }
    };
    if let Some(state) = state {
        config.appliance.state_dir = state;
    }
    refuse_existing(&config.appliance.state_dir)?;
    let made = found(&config, founding, now).await?;
    Ok(Initialised { config: path, state_dir: config.appliance.state_dir, made })
}

/// Makes state directory, authority, store and the first link; or as much of it as can be made before a root elsewhere
/// has answered.
pub(super) async fn found(config: &Config, founding: Founding, now: Timestamp) -> anyhow::Result<Made> {
    let state = &config.appliance.state_dir;
    make_dir(state)?;
    let domain = &config.appliance.domain;
    let (base, credentials) = (public_url(config), config::credentials());
    let place = Place { state, http_base: &base, credentials: credentials.as_deref() };
    match Enrollment::found(&config.authority, domain, place, founding, now).await? {
        Founded::Asked(request) => return Ok(Made::Request(Asked { request, public_url: base })),
        Founded::Whole => {}
    }
    let store = Store::open(&state.join(STORE), 1)?;
    let port = config
        .door
        .https
        .as_ref()
        .and_then(|door| door.listen.first())
        .map_or(8443, |address| address.port());
    let url = format!("https://{domain}:{port}");
    let (link, _) = api::console_link(&store, &url, &Principal::Host, now).await?;
    Ok(Made::House { link })
}

/// Where others will find what the authority publishes, as far as it is known before the doors are open.
pub(super) fn public_url(config: &Config) -> String {
    let port =
        config.door.http.as_ref().and_then(|door| door.listen.first()).map_or(0, |address| address.port());
    // A port that is chosen at start is not known yet; certificates get the usual one.
    let port = if port == 0 { 8080 } else { port };
    let url = config.authority.public_url.as_deref().map(|url| url.trim_end_matches('/').to_owned());
    url.unwrap_or_else(|| format!("http://{}:{port}", config.appliance.domain))
}

impl Appliance {
    /// Whether a house was made here.
    pub(super) fn exists(state: &Path) -> bool {
        state.join("authority").exists() || state.join(STORE).exists()
    }
}

/// A configuration that stands already, which must be meant for the same house.
pub(super) fn standing(path: &Path, domain: &str) -> Result<Config, Problems> {
    let config = Config::load(path)?;
    if config.appliance.domain == domain {
        return Ok(config);
    }
    let what = format!("appliance.domain is {:?}, but --domain says {domain:?}", config.appliance.domain);
    Err(Problems { file: path.into(), list: vec![config::Problem { at: None, what }] })
}

fn refuse_existing(state: &Path) -> Result<(), InitError> {
    match Appliance::exists(state) {
        true => Err(InitError::Exists(state.display().to_string())),
        false => Ok(()),
    }
}

/// The embedded default with this house's domain and state directory.
pub(super) fn text_for(domain: &str, state: Option<&Path>) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut text = config::DEFAULT_TEXT.replacen("\"corp.example\"  ", &format!("{}  ", quoted(domain)), 1);
    if let Some(state) = state {
        text = text.replacen("\"/var/lib/chancery\"", &quoted(&state.display().to_string()), 1);
    }
    text
}

pub(super) fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o640).open(path);
    file.as_mut()
        .map_err(|error| anyhow::anyhow!("{error}"))
        .and_then(|file| Ok(file.write_all(text.as_bytes())?))
        .with_context(|| format!("cannot write {}", path.display()))
}

pub(super) fn make_dir(path: &Path) -> anyhow::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot make {}", path.display()))
}
