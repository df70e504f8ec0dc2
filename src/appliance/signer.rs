//! The signer's life: a process of its own that opens the CA's key, listens on one Unix socket, and has no network.
//!
//! It reads the same configuration as the house, of which it uses `[authority]` and `[signer]`. What it must not be able
//! to do, such as to reach a network, its unit forbids (`systemd/chancery-signer.service`).

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sd_notify::NotifyState;
use tokio::sync::watch;

use super::init::{self, Asked, InitError};
use crate::config::{self, Config};
use crate::door;
use crate::enrollment::{Founded, Founding, Place, Signer, accounts};
use crate::time::Timestamp;

/// Who is on this machine.
const PASSWD: &str = "/etc/passwd";

/// What was made.
pub(crate) struct SignerMade {
    pub(crate) config: PathBuf,
    pub(crate) state_dir: PathBuf,
    /// What a root elsewhere is to answer first.
    pub(crate) asked: Option<Asked>,
    /// Whether the configuration sends the house to a signer.
    pub(crate) is_used: bool,
}

/// Makes an authority in the signer's state folder, and where there is no configuration, one that uses a signer. `state`
/// goes before what the configuration says.
pub(crate) fn found_signer(
    domain: &str,
    config: Option<PathBuf>,
    state: Option<PathBuf>,
    founding: Founding,
    now: Timestamp,
) -> Result<SignerMade, InitError> {
    let path = config.unwrap_or_else(|| config::DEFAULT_PATH.into());
    let text = init::text_for(domain, None).replacen("#signer = ", "signer = ", 1);
    let stands = path.exists();
    let config = if stands { init::standing(&path, domain)? } else { Config::parse(&path, &text)? };
    let state_dir = state.unwrap_or_else(|| config.signer.state_dir.clone());
    if Signer::exists(&state_dir) {
        return Err(InitError::Exists(state_dir.display().to_string()));
    }
    if !stands {
        init::write_new(&path, &text)?;
    }
    init::make_dir(&state_dir)?;
    let (base, credentials) = (init::public_url(&config), config::credentials());
    let place = Place { state: &state_dir, http_base: &base, credentials: credentials.as_deref() };
    let founded =
        Signer::found(&config.authority, domain, place, founding, now).map_err(anyhow::Error::from)?;
    let (folder, asked) = match founded {
        Founded::Whole => (state_dir.join("authority"), None),
        Founded::Asked(request) => {
            let folder = request.parent().unwrap_or(&state_dir).to_owned();
            (folder, Some(Asked { request, public_url: base }))
        }
    };
    hand_over(&state_dir, &folder)
        .with_context(|| format!("cannot give what is in {} away", state_dir.display()))?;
    Ok(SignerMade { config: path, state_dir, asked, is_used: config.authority.signer.is_some() })
}

/// Runs the signer in the foreground until it is told to stop.
pub(crate) async fn signer(config: Config, socket: PathBuf, state: Option<PathBuf>) -> Result<()> {
    let state = state.unwrap_or_else(|| config.signer.state_dir.clone());
    if !Signer::exists(&state) {
        bail!("{} holds no authority: run `chancery signer init --domain …` first", state.display());
    }
    let (base, credentials) = (init::public_url(&config), config::credentials());
    let place = Place { state: &state, http_base: &base, credentials: credentials.as_deref() };
    let signer = Signer::open(&config.authority, &config.signer, place)?;
    let told_to_stop = super::signals()?;
    refuse_shared(socket.parent().unwrap_or(Path::new(".")))?;
    // The group is the house's; the kernel says besides who calls.
    let listener = door::control::bind(&socket, 0o660).await?;
    let (stop, stopping) = watch::channel(false);
    let clients = accounts(&config.signer.clients, Path::new(PASSWD));
    tracing::info!(socket = %socket.display(), "the signer listens");
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    let serving = tokio::spawn(signer.serve(listener, socket, clients, stopping));
    told_to_stop.await;
    tracing::info!("the signer closes");
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    let _ = stop.send(true);
    Ok(serving.await?)
}

/// Where everybody may write, everybody could put a socket of his own in the place of this one.
fn refuse_shared(folder: &Path) -> Result<()> {
    let mode = std::fs::metadata(folder).map_or(0, |found| found.permissions().mode());
    if mode & 0o002 != 0 {
        bail!("everybody may write in {}: the signer's socket needs a folder of its own", folder.display());
    }
    Ok(())
}

/// What root founded belongs to whom the state folder belongs to.
fn hand_over(state: &Path, folder: &Path) -> std::io::Result<()> {
    let owner = std::fs::metadata(state)?;
    if std::fs::metadata(folder)?.uid() == owner.uid() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder)? {
        chown(entry?.path(), Some(owner.uid()), Some(owner.gid()))?;
    }
    chown(folder, Some(owner.uid()), Some(owner.gid()))
}
