//! The control socket: the API for whoever is root or the service account on this host.
//!
//! The file's mode lets nobody else in, and the kernel says who the caller is; both are checked.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use axum::Router;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Binds a socket of this mode. One left over from a process that died is replaced; one that answers is not.
pub(crate) async fn bind(path: &Path, mode: u32) -> Result<UnixListener> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    if UnixStream::connect(path).await.is_ok() {
        bail!("{} is answered by another daemon: is Chancery running already?", path.display());
    }
    if path.exists() {
        std::fs::remove_file(path)
            .with_context(|| format!("cannot replace the old socket {}", path.display()))?;
    }
    let listener =
        UnixListener::bind(path).with_context(|| format!("cannot make the socket {}", path.display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    Ok(listener)
}

/// Serves the API until told to stop, then takes the socket away.
pub(crate) async fn serve(
    listener: UnixListener,
    path: PathBuf,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let owner = std::fs::metadata(&path).map(|file| file.uid()).unwrap_or(0);
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                let caller = stream.peer_cred().map(|who| who.uid());
                if caller.is_ok_and(|uid| uid == 0 || uid == owner) {
                    open.spawn(super::https::speak(stream, router.clone()));
                }
            },
            Some(_) = open.join_next(), if !open.is_empty() => {}
            _ = stop.changed() => break,
        }
    }
    let _ = std::fs::remove_file(&path);
}
