//! `[directory]`: where people come from, and how it is followed.

use std::time::Duration;

use serde::Deserialize;

use super::ldap;
use crate::time::Span;

/// `[directory]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) kind: DirectoryKind,
    /// How often LDAP is asked for everybody, where it does not tell who is gone.
    pub(crate) sync_every: Span,
    /// How often it is asked for changes, where it does not tell by itself.
    pub(crate) ask_every: Span,
    /// A sync that would take away a larger share of the active accounts, from a handful on, …
    pub(crate) brake_percent: u8,
    /// … or more people than these, waits for an admin.
    pub(crate) brake_people: usize,
    /// Groups whose members are admins of the console.
    pub(crate) admin_groups: Vec<String>,
    pub(crate) ldap: Option<ldap::Config>,
}

/// Where people come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DirectoryKind {
    Builtin,
    Ldap,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            kind: DirectoryKind::Builtin,
            sync_every: Span(Duration::from_secs(300)),
            ask_every: Span(Duration::from_secs(1)),
            brake_percent: 10,
            brake_people: 20,
            admin_groups: Vec::new(),
            ldap: None,
        }
    }
}

impl Config {
    /// What the types cannot say.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.kind == DirectoryKind::Ldap && self.ldap.is_none() {
            problems.push("directory.kind is \"ldap\", but there is no [directory.ldap]".into());
        }
        if self.kind == DirectoryKind::Builtin && !self.admin_groups.is_empty() {
            problems
                .push("directory.admin_groups: groups come from LDAP; set directory.kind = \"ldap\"".into());
        }
        for (key, span) in [("sync_every", &self.sync_every), ("ask_every", &self.ask_every)] {
            if *span < Span(Duration::from_secs(1)) {
                problems.push(format!("directory.{key}: at least \"1s\""));
            }
        }
        if self.brake_percent > 100 || self.brake_people == 0 {
            problems.push("directory.brake_percent: 0 to 100; directory.brake_people: at least 1".into());
        }
        if let Some(ldap) = &self.ldap {
            problems.extend(ldap.problems());
        }
        problems
    }
}
