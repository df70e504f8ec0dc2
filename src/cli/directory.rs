//! `directory`: where people come from.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::Value;

use super::client::{Client, at};
use super::output::Output;
use super::table::cell;
use super::trouble::Trouble;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Connect, bind and look
    Test,
    /// Ask LDAP for everybody now
    Sync,
    /// What a sync would do, without doing it
    Preview {
        /// With the [directory.ldap] of this file instead
        #[arg(long, value_name = "FILE")]
        with: Option<PathBuf>,
    },
    /// Why somebody may act or may not
    Explain {
        #[arg(value_parser = super::named)]
        account: String,
    },
    /// Whom a sync would take away that is held because they are many
    Held,
    /// Let through the change that `directory held` shows
    Release {
        #[arg(value_parser = super::named)]
        change: String,
    },
}

/// The table as it stands in a configuration.
fn ldap_settings(file: &Path) -> Result<Value, Trouble> {
    let wrong = |what: String| Trouble::Usage(format!("{}: {what}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let whole: Value = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    match whole["directory"]["ldap"].clone() {
        Value::Null => Err(wrong("there is no [directory.ldap] in it".into())),
        settings => Ok(settings),
    }
}

fn without_changes(mut preview: Value) -> Value {
    preview.as_object_mut().map(|fields| fields.remove("changes"));
    preview
}

const REPORT: &[&str] = &["people", "added", "changed", "removed", "cut_off"];

impl Verb {
    pub(super) fn run(self, client: &Client, out: &mut Output<'_>) -> Result<(), Trouble> {
        match self {
            Verb::Test => {
                let answer = client.get_patiently(&at(&["directory", "test"]))?;
                let shown = if out.json() { &Value::Null } else { &answer["servers"] };
                match shown.as_array() {
                    None => out.show(&["kind", "ok"], &answer)?,
                    Some(servers) => {
                        out.show(&["protocol", "server", "since"], &answer["followed"])?;
                        for server in servers {
                            out.text("\n")?;
                            out.show(&["server", "answers", "security", "vendor", "sees_people"], server)?;
                        }
                    }
                }
                match answer["ok"].as_bool() {
                    Some(false) => {
                        Err(Trouble::Failed("no server shows people: see the advice above".into()))
                    }
                    _ => Ok(()),
                }
            }
            Verb::Sync => {
                let answer = client.post_patiently(&at(&["directory", "sync"]), None)?;
                out.show(REPORT, &answer)
            }
            Verb::Preview { with } => {
                let settings = with.as_deref().map(ldap_settings).transpose()?;
                let preview = client.post_patiently(&at(&["directory", "preview"]), settings.as_ref())?;
                if out.json() {
                    return out.value(&preview);
                }
                out.list("changes", &["account", "name", "what", "details"], &preview["changes"])?;
                out.text("\n")?;
                out.show(&[REPORT, &["held"]].concat(), &without_changes(preview))
            }
            Verb::Explain { account } => {
                let told = client.get_patiently(&at(&["directory", "explain", &account]))?;
                if out.json() {
                    return out.value(&told);
                }
                out.text(&format!("{account} {}\n\n", cell(&told["decision"])))?;
                if told["known"].is_object() {
                    out.show(&["id", "source", "entry", "groups"], &told["known"])?;
                }
                if told["trouble"].is_string() {
                    out.text(&format!("\nThe directory could not be asked: {}\n", cell(&told["trouble"])))?;
                }
                for entry in told["entries"].as_array().into_iter().flatten() {
                    out.text("\nIn the directory:\n")?;
                    out.show(&["dn", "passes_user_filter", "disabled", "unusable", "groups"], entry)?;
                }
                Ok(())
            }
            Verb::Held => {
                let held = client.get(&at(&["directory", "held"]))?;
                if out.json() || held["change"].is_null() {
                    return out.done("nothing is held", &held);
                }
                out.list("people", &["account", "name", "why"], &held["leaving"])?;
                out.text(&format!(
                    "\nThese {} of {} active people would lose their certificates. If that is so: chancery directory \
                     release {}\n",
                    held["leaving"].as_array().map_or(0, Vec::len),
                    cell(&held["active"]),
                    cell(&held["change"]),
                ))
            }
            Verb::Release { change } => {
                let answer = client.post_patiently(&at(&["directory", "held", &change, "release"]), None)?;
                out.show(REPORT, &answer)
            }
        }
    }
}
