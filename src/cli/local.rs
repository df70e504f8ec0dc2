//! Verbs that need no daemon: `init`, `serve`, `demo`, `check-config`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use super::founding::{self, Under};
use super::output::Output;
use super::trouble::Trouble;
use crate::appliance::{self, InitError, Made};
use crate::config::{Config, Problems};
use crate::enrollment::Failure;
use crate::time;

/// How long work outside the tasks, such as a hash or a look-up of a name, may hold up the end.
const LAST_WORK: Duration = Duration::from_secs(5);

#[derive(Args, Debug)]
pub(super) struct Init {
    /// The organisation's domain: what stands after the @ of its people
    #[arg(long, value_parser = super::named)]
    domain: String,
    /// Where the store and the authority are kept [default: as configured]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    #[command(flatten)]
    under: Under,
}

impl Init {
    pub(super) fn run(self, config: Option<PathBuf>, out: &mut Output<'_>) -> Result<(), Trouble> {
        let founding = self.under.read()?;
        let made = appliance::init(&self.domain, config, self.state, founding, time::now());
        let made = runtime()?.block_on(made).map_err(|error| not_made(&error))?;
        let link = match made.made {
            Made::House { link } => link,
            Made::Request(asked) => {
                return founding::show_request(&made.config, &made.state_dir, &asked, out);
            }
        };
        let answer = json!({ "config": made.config, "state_dir": made.state_dir, "link": link });
        out.show(&["config", "state_dir", "link"], &answer)?;
        match out.json() {
            true => Ok(()),
            false => {
                out.text("\nStart the daemon, then open the link: it makes you the first admin, once.\n")
            }
        }
    }
}

#[derive(Args, Debug)]
pub(super) struct Serve {
    /// Written as JSON, with the address of every door, once all of them listen
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

impl Serve {
    pub(super) fn run(self, config: &Path) -> Result<(), Trouble> {
        let (file, config) = (config.to_owned(), load(config)?);
        appliance::log(&config);
        run_to_end(appliance::serve(config, file, self.ready_file))
    }
}

#[derive(Args, Debug)]
pub(super) struct Demo {
    /// Where everything is kept; without it, nothing stays
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Written as JSON, with the address of every door, once all of them listen
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

impl Demo {
    pub(super) fn run(self) -> Result<(), Trouble> {
        run_to_end(appliance::demo(self.dir, self.ready_file))
    }
}

/// Tells every problem of a configuration; a program gets them on standard output.
pub(super) fn check_config(path: &Path, out: &mut Output<'_>) -> Result<(), Trouble> {
    let checked = Config::load(path);
    if out.json() {
        let problems = checked.as_ref().err().map(listed).unwrap_or_default();
        out.value(&json!({ "ok": checked.is_ok(), "problems": problems }))?;
    }
    match checked {
        Ok(_) if out.json() => Ok(()),
        Ok(_) => out.text(&format!("{}: no problems\n", path.display())),
        Err(problems) => Err(Trouble::Usage(problems.to_string())),
    }
}

pub(super) fn not_made(error: &InitError) -> Trouble {
    match error {
        InitError::Exists(_) => Trouble::Refused(error.to_string()),
        InitError::Config(problems) => Trouble::Usage(problems.to_string()),
        InitError::Other(error) => failed(error),
    }
}

fn load(path: &Path) -> Result<Config, Trouble> {
    Config::load(path).map_err(|problems| Trouble::Usage(problems.to_string()))
}

fn listed(problems: &Problems) -> Vec<serde_json::Value> {
    let file = problems.file.display().to_string();
    let one = |problem: &crate::config::Problem| {
        let (line, column) = problem.at.unzip();
        json!({ "file": file, "line": line, "column": column, "what": problem.what })
    };
    problems.list.iter().map(one).collect()
}

pub(super) fn run_to_end(work: impl Future<Output = anyhow::Result<()>>) -> Result<(), Trouble> {
    let runtime = runtime()?;
    let result = runtime.block_on(work);
    runtime.shutdown_timeout(LAST_WORK);
    result.map_err(|error| failed(&error))
}

fn runtime() -> Result<Runtime, Trouble> {
    let runtime = Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Trouble::Failed(format!("cannot start threads: {error}")))
}

fn failed(error: &anyhow::Error) -> Trouble {
    let said = format!("{error:#}");
    match error.downcast_ref::<Failure>() {
        // The unit starts again what failed, but not what was configured wrongly.
        Some(failure) if failure.must_not_be_repeated() => Trouble::Usage(said),
        Some(failure) if failure.is_refusal() => Trouble::Refused(said),
        _ => Trouble::Failed(said),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn check(text: &str) -> (Result<(), Trouble>, Value) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("chancery.toml");
        std::fs::write(&path, text).unwrap();
        let mut printed = Vec::new();
        let result = check_config(&path, &mut Output::onto(&mut printed, true));
        (result, serde_json::from_slice(&printed).unwrap())
    }

    #[test]
    fn a_sound_configuration_has_no_problems() {
        let (result, printed) = check(crate::config::DEFAULT_TEXT);
        assert_eq!(result, Ok(()));
        assert_eq!(printed, json!({ "ok": true, "problems": [] }));
    }

    #[test]
    fn each_problem_of_a_wrong_one_is_told_with_its_place_and_the_code_is_2() {
        let (result, printed) =
            check("[appliance]\ndomain = \"corp.example\"\n\n[mial]\n\n[chat]\nretention = \"soon\"\n");
        let lines: Vec<_> =
            printed["problems"].as_array().unwrap().iter().map(|one| one["line"].as_u64()).collect();
        assert!(lines.contains(&Some(4)) && lines.contains(&Some(7)), "{printed}");
        let trouble = result.unwrap_err();
        assert_eq!(trouble.code(), 2);
        assert!(trouble.to_string().contains("chancery.toml:4:"), "{trouble}");
    }
}
