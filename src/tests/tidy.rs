//! The house rules as tests: what the source may not do, wherever somebody works on it next.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::town::Town;

const CRAFTS: [&str; 5] = ["ca", "ldap", "dns", "mail", "admin-ui"];
/// Each craft, and the only role that employs it.
const EMPLOYERS: [(&str, &str); 5] = [
    ("chancery_ca", "enrollment"),
    ("chancery_ldap", "directory"),
    ("chancery_dns", "peer"),
    ("chancery_mail", "outbox"),
    ("chancery_admin_ui", "console"),
];
/// Longer files hold two ideas.
const LINES: usize = 450;

struct Source {
    /// From the root of the repository.
    path: String,
    text: String,
}

impl Source {
    /// Its lines without comments and without what stands in tests at its foot, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().take_while(|(_, line)| *line != "#[cfg(test)]");
        lines.map(|(at, line)| (at + 1, line.split("//").next().unwrap_or(line)))
    }

    /// The top-level module of the root package that it belongs to.
    fn module(&self) -> &str {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs")
    }

    fn is_test(&self) -> bool {
        self.path.split('/').any(|part| part == "tests" || part == "tests.rs")
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder.
fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).expect("inside the repository").display().to_string();
                found.push(Source { path: name, text: fs::read_to_string(&path).expect("a source") });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// What the daemon is made of, without tests, measurements and fuzz targets.
fn product() -> Vec<Source> {
    let beside = |source: &Source| source.is_test() || ["bench", "fuzz"].contains(&source.module());
    sources("src").into_iter().filter(|source| !beside(source)).collect()
}

/// Lines of the product that hold one of these words, but for where they may.
fn found(words: &[&str], allowed: impl Fn(&Source) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for source in product().iter().filter(|source| !allowed(source)) {
        for (at, line) in source.code() {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{at}: {}", source.path, line.trim()));
            }
        }
    }
    found
}

fn assert_none(rule: &str, found: &[String]) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

/// Modules from roof to ground, as the map has them.
fn map() -> Vec<String> {
    let map = fs::read_to_string(root().join("src/lib.rs")).expect("the map");
    let name = |line: &str| {
        let line = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
    };
    map.lines().filter_map(name).collect()
}

/// The modules named behind each `crate::` of a line, groups included.
fn imported(line: &str) -> Vec<String> {
    let word =
        |text: &str| text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    let mut modules = Vec::new();
    for rest in line.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => modules.push(word(rest)),
            Some(group) => {
                let mut depth = 0;
                let mut start = true;
                for (at, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        ' ' => {}
                        _ if start => {
                            modules.push(word(&group[at..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    modules
}

#[test]
fn a_module_imports_only_modules_listed_below_it() {
    let map = map();
    assert!(map.len() > 15, "{map:?}");
    let place = |name: &str| map.iter().position(|module| module == name);
    let mut wrong = Vec::new();
    for source in product().iter().filter(|source| !matches!(source.module(), "lib" | "main")) {
        let own = place(source.module()).unwrap_or_else(|| panic!("{} is not on the map", source.path));
        // A statement may run over several lines; what matters stands behind `crate::`.
        let code: String = source.code().map(|(_, line)| format!("{}\n", line.trim_end())).collect();
        for statement in code.split(';') {
            for module in imported(&statement.replace('\n', " ")) {
                if place(&module).is_some_and(|theirs| theirs < own) {
                    wrong.push(format!("{} imports {module}, which stands above it", source.path));
                }
            }
        }
    }
    assert_none("a module imports only modules listed below it in lib.rs", &wrong);
}

#[test]
fn every_module_of_the_root_is_on_the_map() {
    let map: BTreeSet<String> = map().into_iter().collect();
    let files = product();
    let modules = files.iter().map(Source::module).filter(|name| !matches!(*name, "lib" | "main"));
    let modules: BTreeSet<String> = modules.map(str::to_owned).collect();
    assert_eq!(map, modules);
}

#[test]
fn crafts_know_neither_each_other_nor_the_root_nor_sql() {
    let mut wrong = Vec::new();
    for craft in CRAFTS {
        let own = format!("chancery_{}", craft.replace('-', "_"));
        for source in sources(craft) {
            for (at, line) in source.text.lines().enumerate() {
                let others = EMPLOYERS.iter().any(|(other, _)| *other != own && line.contains(other));
                let root = line.contains("use chancery::") || line.contains("chancery::api");
                if others || root || line.contains("diesel") || line.contains("rusqlite") {
                    wrong.push(format!("{}:{}: {}", source.path, at + 1, line.trim()));
                }
            }
        }
        let manifest = fs::read_to_string(root().join(craft).join("Cargo.toml")).expect("a manifest");
        let names = EMPLOYERS.iter().map(|(other, _)| other.replace('_', "-"));
        for other in names.filter(|other| *other != own.replace('_', "-")) {
            if manifest.contains(&other) {
                wrong.push(format!("{craft}/Cargo.toml names {other}"));
            }
        }
    }
    assert_none("a craft knows its own standard only", &wrong);
}

#[test]
fn each_craft_has_one_employer() {
    for (craft, role) in EMPLOYERS {
        let elsewhere = found(&[craft], |source| source.module() == role);
        assert_none(&format!("{craft} is employed by {role} alone"), &elsewhere);
    }
}

#[test]
fn the_ca_key_is_touched_in_one_place() {
    let words = ["ca::Authority", "KeyPair::open", "TokenKey", "ca::Token::"];
    assert_none(
        "the CA key is touched only in src/enrollment/keys",
        &found(&words, |source| source.path.starts_with("src/enrollment/keys")),
    );
}

#[test]
fn what_the_signer_runs_knows_no_network() {
    let words = ["TcpListener", "TcpStream", "UdpSocket", "crate::door", "crate::store", "crate::broker"];
    let beside = |source: &Source| {
        !source.path.starts_with("src/enrollment/signer") && !source.path.starts_with("src/enrollment/keys")
    };
    assert_none("the signer has a Unix socket, and nothing of the house's", &found(&words, beside));
}

#[test]
fn sql_is_in_the_store_alone() {
    let words = ["diesel", "sql_query", "SELECT ", "INSERT INTO", "DELETE FROM", "PRAGMA "];
    assert_none("SQL appears only in src/store", &found(&words, |source| source.module() == "store"));
}

#[test]
fn the_clock_is_read_in_one_file() {
    let words = ["SystemTime::now", "Instant::now", "OffsetDateTime::now", "UtcDateTime::now"];
    // The doors time their sockets, and diesel's writer nothing: deadlines of input and output are not the house's time.
    let allowed = |source: &Source| matches!(source.module(), "time" | "door");
    assert_none("clocks are read only in src/time.rs", &found(&words, allowed));
}

#[test]
fn the_environment_is_read_in_one_file() {
    let words = ["env::var", "env::vars", "env::args", "env::temp_dir", "env::home_dir", "env::current_dir"];
    assert_none(
        "the environment is read only in src/config.rs",
        &found(&words, |source| source.module() == "config"),
    );
    let mut wrong = Vec::new();
    for source in CRAFTS.iter().flat_map(|craft| sources(&format!("{craft}/src"))) {
        for (at, line) in source.code() {
            if words.iter().any(|word| line.contains(word)) {
                wrong.push(format!("{}:{at}: {}", source.path, line.trim()));
            }
        }
    }
    assert_none("crafts read no environment", &wrong);
}

#[test]
fn nothing_is_allowed_postponed_or_skipped() {
    // Put together here, so that this file does not find itself.
    let words = ["#[allow", "#![allow", "#[ignore", "TODO", "FIXME", "todo!(", "unimplemented!(", "dbg!("];
    let unsafe_word = format!("{} {{", "unsafe");
    let mut wrong = Vec::new();
    let all = ["src", "ca", "ldap", "dns", "mail", "admin-ui"].iter().flat_map(|folder| sources(folder));
    for source in all.filter(|source| source.path != "src/tests/tidy.rs") {
        for (at, line) in source.text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) || line.contains(&unsafe_word) {
                wrong.push(format!("{}:{}: {}", source.path, at + 1, line.trim()));
            }
        }
    }
    assert_none("what is not done is not in the tree", &wrong);
}

#[test]
fn a_file_is_one_idea_and_begins_with_a_sentence() {
    let mut wrong = Vec::new();
    let folders = ["src", "ca/src", "ldap/src", "dns/src", "mail/src", "admin-ui/src"];
    for source in folders.iter().flat_map(|folder| sources(folder)) {
        let lines = source.text.lines().count();
        if lines > LINES && !source.is_test() {
            wrong.push(format!("{} has {lines} lines", source.path));
        }
        let thin = matches!(source.path.as_str(), "src/main.rs");
        if !thin && !source.is_test() && !source.text.starts_with("//! ") {
            wrong.push(format!("{} does not begin with a sentence", source.path));
        }
    }
    assert_none("a file is one idea, which its first line tells", &wrong);
}

#[test]
fn every_table_is_strict() {
    let mut tables = 0;
    for entry in fs::read_dir(root().join("src/store/migrations")).expect("migrations").flatten() {
        let up = fs::read_to_string(entry.path().join("up.sql")).expect("a migration");
        for statement in up.split("CREATE TABLE").skip(1) {
            tables += 1;
            let end = statement.split_once("\n)").map_or("", |(_, end)| end.split(';').next().unwrap_or(end));
            let name = statement.split_whitespace().next().unwrap_or_default();
            assert!(end.contains("STRICT"), "the table {name} is not STRICT");
        }
    }
    assert!(tables > 10, "{tables} tables");
}

/// Paths in backticks that look like files or folders of the repository.
fn paths_in(text: &str) -> Vec<String> {
    let roots = ["src/", "ca/", "ldap/", "dns/", "mail/", "admin-ui/", "packaging/", "systemd/", ".ci/"];
    let words = text.split('`').skip(1).step_by(2).flat_map(str::split_whitespace);
    let named = words.filter(|word| roots.iter().any(|root| word.starts_with(root)));
    let plain = named.filter(|word| !word.contains(['*', '{', '<', '…', '$']));
    plain.map(|word| word.trim_end_matches(['.', ',', ':', ';', ')']).to_owned()).collect()
}

#[test]
fn every_path_that_the_readme_names_exists() {
    let text = fs::read_to_string(root().join("README.md")).expect("README.md");
    let paths = paths_in(&text);
    assert!(paths.len() > 5, "{paths:?}");
    let missing: Vec<String> = paths.into_iter().filter(|path| !root().join(path).exists()).collect();
    assert_none("every path that the README names exists", &missing);
    // The map in the README names modules that exist.
    let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let local = links.filter(|link| !link.is_empty() && !link.contains("://"));
    let broken: Vec<String> = local.filter(|link| !root().join(link).exists()).map(str::to_owned).collect();
    assert_none("every link of the README leads somewhere", &broken);
}

#[test]
fn the_top_level_holds_what_it_should() {
    let wanted = "Cargo.lock Cargo.toml LICENSE README.md admin-ui ca dns ldap mail packaging src systemd";
    let names = fs::read_dir(root()).expect("the root").flatten().map(|entry| entry.file_name());
    let names: BTreeSet<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    // What builds leave behind is not part of it.
    let seen = names.iter().filter(|name| !name.starts_with('.') && *name != "target");
    assert_eq!(seen.map(String::as_str).collect::<Vec<_>>().join(" "), wanted);
}

/// The default configuration with every key that stands behind a `#` switched on.
fn uncommented(default: &str) -> String {
    let is_key = |line: &str| {
        let rest = line.trim_start_matches('#').trim_start();
        let key = rest.split(['=', ' ']).next().unwrap_or_default();
        let named = !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        rest.starts_with('[') || rest.starts_with("{ who") || (named && rest.contains(" = "))
    };
    let line = |line: &str| match line.starts_with('#') && is_key(line) {
        true => line.trim_start_matches('#').to_owned(),
        false => line.to_owned(),
    };
    default.lines().map(|text| line(text) + "\n").collect()
}

#[test]
fn every_key_of_the_default_configuration_is_understood() {
    let default =
        fs::read_to_string(root().join("packaging/chancery.toml")).expect("the default configuration");
    let town = Town::plan().unfounded();
    let write = |text: &str| fs::write(town.path("chancery.toml"), text).expect("our own folder");
    write(&default);
    town.cli("check-config").well();
    // Files that the examples name are put where they can be read.
    for name in ["corp-ca.pem", "root.key"] {
        fs::write(town.path(name), "").expect("our own folder");
    }
    write(&uncommented(&default));
    let told = town.cli("--json check-config").json();
    let problems = told["problems"].as_array().cloned().unwrap_or_default();
    let unknown: Vec<String> = problems
        .iter()
        .filter_map(|problem| problem["what"].as_str())
        // What the examples name does not exist on this machine, which is no fault of the keys.
        .filter(|what| !what.contains("cannot be read") && !what.contains("No such file"))
        .map(str::to_owned)
        .collect();
    assert_none("every key of packaging/chancery.toml is understood", &unknown);
}

#[test]
fn every_key_has_a_sentence() {
    let default =
        fs::read_to_string(root().join("packaging/chancery.toml")).expect("the default configuration");
    let keys = uncommented(&default);
    let silent =
        keys.lines().filter(|line| line.contains(" = ") && !line.contains('#') && !line.contains("who ="));
    // Several keys of one kind share a sentence above or below them; a section that has none at all is too few.
    let silent: Vec<&str> = silent.collect();
    let all = keys.lines().filter(|line| line.contains(" = ")).count();
    assert!(silent.len() * 3 < all, "{} of {all} keys have no sentence: {silent:#?}", silent.len());
}

#[test]
fn a_rule_finds_what_it_looks_for() {
    assert_eq!(imported("use crate::{broker::Broker, chat::{Chat, acl}, time}"), ["broker", "chat", "time"]);
    assert_eq!(imported("use crate::store::{Store, Tx}"), ["store"]);
    assert_eq!(imported("let x = crate::audit::to_hex(crate::id::random())"), ["audit", "id"]);
    assert_eq!(paths_in("see `src/store/mod.rs`, `cargo run` and `src/*.rs`"), ["src/store/mod.rs"]);
    assert!(uncommented("#[door.x]\n#a = 1\n# A sentence.\n").starts_with("[door.x]\na = 1\n# A"));
    assert!(Path::new(&root()).join("src/lib.rs").exists());
}
