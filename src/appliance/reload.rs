//! Reloading: other rules and another server certificate from now on, without dropping anyone.
//!
//! On SIGHUP the configuration is read and checked as at start. Its `[acl]` holds from the next message on. What else
//! has changed in it takes a restart; a file with problems changes nothing.

use std::path::PathBuf;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::duties::Duties;
use crate::chat::acl;
use crate::config::Config;

/// Listens for SIGHUP from now on.
pub(super) fn hangups() -> std::io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// Reloads whenever it is told to, until the house stops.
pub(super) async fn run(
    mut told: Signal,
    path: Option<PathBuf>,
    duties: Duties,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            _ = told.recv() => {}
            _ = stop.changed() => return,
        }
        if let Some(path) = &path {
            match Config::load(path) {
                Ok(config) => reload(&config, &duties),
                Err(problems) => {
                    tracing::error!(%problems, "the configuration was not reloaded: nothing changes")
                }
            }
        }
        if let Err(error) = duties.renew().await {
            tracing::error!(%error, "the server certificate could not be reloaded");
        }
    }
}

fn reload(config: &Config, duties: &Duties) {
    // A configuration that loads has rules that compile.
    if let Ok(rules) = acl::Rules::compile(&config.acl) {
        duties.house.chat.set_rules(rules);
        tracing::info!(rules = config.acl.rules.len(), "the rules were reloaded");
    }
}
