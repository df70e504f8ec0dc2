//! The command line: arguments → one command.
//!
//! Every verb is one operation of the API, asked of the running daemon over its control socket; only `init`, `serve`,
//! `signer`, `demo`, `check-config` and the ceremony `ca root` work without one. A verb prints for people, or with `--json` one JSON value for
//! programs, on standard output; whatever went wrong goes to standard error and into the exit code ([`Trouble`]).

mod account;
mod admin;
mod audit;
mod ca;
mod ceremony;
mod cert;
mod client;
mod details;
mod directory;
mod enroll;
mod founding;
mod key;
mod local;
mod outbox;
mod output;
mod password;
mod peer;
mod room;
mod session;
mod signer;
mod status;
mod table;
mod trouble;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config;
use client::Client;
use output::Output;
use trouble::Trouble;

const EXIT_CODES: &str = "\
Exit codes: 0 done · 1 failure · 2 wrong usage or configuration · 3 refused, nothing changed · 4 not found · \
5 the daemon cannot be reached";

/// Does what the arguments say.
pub(crate) fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(answer) => {
            // Help and the version come this way too. Where nobody reads them, nothing is left to say.
            let _ = answer.print();
            return ExitCode::from(u8::try_from(answer.exit_code()).unwrap_or(2));
        }
    };
    let mut out = Output::standard(arguments.common.json);
    match run(arguments, &mut out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            trouble.tell();
            ExitCode::from(trouble.code())
        }
    }
}

/// Joins an MQTT chat broker to an organisation: its people, their devices, its peers, its mail.
#[derive(Debug, Parser)]
#[command(name = "chancery", version, after_help = EXIT_CODES, arg_required_else_help = true)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb takes.
#[derive(Args, Debug)]
struct Common {
    /// Print one JSON value instead of text
    #[arg(long, global = true)]
    json: bool,
    /// The configuration [default: /etc/chancery/chancery.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The daemon's control socket [default: the one in the configuration]
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
}

impl Common {
    fn config_path(&self) -> &Path {
        self.config.as_deref().unwrap_or(Path::new(config::DEFAULT_PATH))
    }

    fn client(&self) -> Result<Client, Trouble> {
        Client::new(client::socket(self.socket.as_deref(), self.config.as_deref())?)
    }
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make the store, the authority and, where there is none, a commented configuration
    Init(local::Init),
    /// Run the daemon in the foreground
    Serve(local::Serve),
    /// Run the process that holds the CA's key and has no network
    Signer(signer::Signer),
    /// Try everything on loopback, with three people and embedded defaults
    Demo(local::Demo),
    /// Tell every problem of the configuration at once
    CheckConfig,
    /// Health of every part, with the next step
    Status,
    /// People
    #[command(subcommand)]
    Account(account::Verb),
    /// Certificates of people's devices
    #[command(subcommand)]
    Cert(cert::Verb),
    /// Public keys that people sign in with
    #[command(subcommand)]
    Key(key::Verb),
    /// The authority that issues certificates
    #[command(subcommand)]
    Ca(ca::Verb),
    /// Where people come from
    #[command(subcommand)]
    Directory(directory::Verb),
    /// Rooms and their members
    #[command(subcommand)]
    Room(room::Verb),
    /// MQTT sessions, live and waiting
    #[command(subcommand)]
    Session(session::Verb),
    /// Envelopes that must leave the house
    #[command(subcommand)]
    Outbox(outbox::Verb),
    /// Other domains
    #[command(subcommand)]
    Peer(peer::Verb),
    /// The chain of remembered deeds
    #[command(subcommand)]
    Audit(audit::Verb),
    /// The way in for an admin
    #[command(subcommand)]
    Admin(admin::Verb),
}

fn run(arguments: Arguments, out: &mut Output<'_>) -> Result<(), Trouble> {
    let Arguments { common, verb } = arguments;
    match verb {
        Verb::Init(init) => init.run(common.config, out),
        Verb::Serve(serve) => serve.run(common.config_path()),
        Verb::Signer(signer) => signer.run(common, out),
        Verb::Demo(demo) => demo.run(),
        Verb::CheckConfig => local::check_config(common.config_path(), out),
        Verb::Status => status::run(&common.client()?, out),
        Verb::Account(verb) => verb.run(&common.client()?, out),
        Verb::Cert(verb) => verb.run(&common.client()?, out),
        Verb::Key(verb) => verb.run(&common.client()?, out),
        Verb::Ca(verb) => verb.run(&common, out),
        Verb::Directory(verb) => verb.run(&common.client()?, out),
        Verb::Room(verb) => verb.run(&common.client()?, out),
        Verb::Session(verb) => verb.run(&common.client()?, out),
        Verb::Outbox(verb) => verb.run(&common.client()?, out),
        Verb::Peer(verb) => verb.run(&common.client()?, out),
        Verb::Audit(verb) => verb.run(&common.client()?, out),
        Verb::Admin(verb) => verb.run(&common.client()?, out),
    }
}

/// What is named must have a name: an empty one would ask for something else.
fn named(text: &str) -> Result<String, String> {
    match text {
        "" => Err("it is empty".into()),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(std::iter::once("chancery").chain(line.split(' ')))
    }

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_verb_of_the_surface_is_understood() {
        let surface = "init --domain corp.example\ninit --domain d --config f --state s\nserve\nserve --ready-file f\nsigner --socket s\n\
            signer --socket s --state d --config f\nsigner init --domain d --state s\n\
            demo\ndemo --dir d --ready-file f\ncheck-config\nstatus\naccount list\naccount show a\naccount add a\n\
            account add a --name A --mail a@b.example --password-file f\naccount add a --password-stdin\n\
            account set-password a\naccount set-password a --password-file f\naccount set-password a --password-stdin\n\
            account disable a\naccount enable a\naccount remove a\ncert list\ncert list --account a\n\
            cert list --serial 0a --name n --profile p --state s --expires-before 1d --expires-after 1d --key 0a --limit 5 --after 0A\n\
            cert show 0A\n\
            cert enroll a --out d\ncert enroll a --out d --csr f\ncert enroll a --out d --p12 --legacy --force\n\
            cert token a\ncert pending\ncert approve 0a\ncert deny 0a\ncert revoke 0A\ncert revoke 0A --reason key-compromise\nkey list\nkey list a\n\
            key add a f\nkey add a f --name N\nkey remove 0a\nca show\nca crl\nca crl --der\n\
            ca root d --domain a.example --organization A --passphrase-file f\nca root d --sign r --public-url u\n\
            ca root d --crl --module m --token t --label l --pin-file f\nca root d --verify\nca adopt f\nca roll\n\
            init --domain d --root f\ninit --domain d --issuing f --root-crl f\nsigner init --domain d --root f\n\
            directory test\ndirectory sync\ndirectory held\ndirectory release 0a\n\
            room list\nroom show r\nroom create r\nroom create r --group g\nroom add r a\nroom remove r a\n\
            room delete r\nsession list\nsession show s\nsession kick s\noutbox list\noutbox show e\noutbox retry e\n\
            outbox cancel e\npeer list\npeer show d\npeer add d\npeer remove d\npeer check d\naudit list\n\
            audit list --limit 5 --before 9\naudit export\naudit export --out f\naudit verify\naudit accept-clock\nadmin link";
        for line in surface.lines() {
            assert!(parse(line.trim()).is_ok(), "{line}");
        }
    }

    #[test]
    fn options_of_every_verb_stand_before_or_after_it() {
        for line in [
            "--json --socket s account list",
            "account list --json --socket s",
            "account --json list --socket s",
        ] {
            let common = parse(line).unwrap().common;
            assert!(common.json && common.socket == Some("s".into()), "{line}");
        }
    }

    #[test]
    fn wrong_usage_exits_with_2_and_help_with_0() {
        let exit = |line: &str| parse(line).unwrap_err().exit_code();
        for wrong in [
            "nonsense",
            "account",
            "account show",
            "init",
            "cert enroll alice",
            "cert enroll alice --out d --legacy",
            "cert enroll alice --out d --csr f --p12",
            "account add a --password-file f --password-stdin",
            "account add a --password secret",
            "audit list --limit 0",
            "ca root d",
            "ca root d --crl --verify",
            "ca root d --sign r",
            "init --domain d --issuing f",
        ] {
            assert_eq!(exit(wrong), 2, "{wrong}");
        }
        assert_eq!(exit("--help"), 0);
        assert_eq!(exit("--version"), 0);
        assert_eq!(Arguments::try_parse_from(["chancery"]).unwrap_err().exit_code(), 2);
        assert_eq!(
            Arguments::try_parse_from(["chancery", "account", "show", ""]).unwrap_err().exit_code(),
            2
        );
    }

    #[test]
    fn a_daemon_that_does_not_run_is_code_5() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("control.sock");
        let arguments =
            Arguments::try_parse_from(["chancery", "status", "--socket", socket.to_str().unwrap()]).unwrap();
        let mut printed = Vec::new();
        let trouble = run(arguments, &mut Output::onto(&mut printed, false)).unwrap_err();
        assert_eq!(trouble.code(), 5);
        assert!(
            trouble.to_string().contains(&format!("cannot reach the daemon at {}", socket.display())),
            "{trouble}"
        );
        assert!(printed.is_empty());
    }
}
