//! `cert enroll`: a certificate and what belongs to it, written into a folder of the caller.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::cert::Grant;
use super::client::{Client, at};
use super::output::{Output, pem};
use super::table::cell;
use super::trouble::Trouble;

/// For everybody to read, as far as the caller's umask lets them.
const PUBLIC: u32 = 0o644;
const SECRET: u32 = 0o600;

#[derive(Args, Debug)]
pub(super) struct Enroll {
    #[arg(value_parser = super::named)]
    account: String,
    #[command(flatten)]
    grant: Grant,
    /// The folder for cert.pem, chain.pem, root.pem and, unless there is a request, key.pem
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A certificate request of the device's own key (PKCS#10, PEM or DER), so that the key never travels
    #[arg(long, value_name = "FILE", conflicts_with_all = ["p12", "legacy"])]
    csr: Option<PathBuf>,
    /// Write ACCOUNT.p12 too (PKCS#12), and print its password
    #[arg(long)]
    p12: bool,
    /// Protect the PKCS#12 the old way, for devices that know no other
    #[arg(long, requires = "p12")]
    legacy: bool,
    /// Replace files that are there already
    #[arg(long)]
    force: bool,
}

impl Enroll {
    /// Everything that can go wrong with the folder does so before anything is issued.
    pub(super) fn run(&self, client: &Client, out: &mut Output<'_>) -> Result<(), Trouble> {
        let body = self.request()?;
        let made = self.prepare()?;
        let asked = client.post(&at(&["accounts", &self.account, "certificates"]), Some(&body));
        if asked.is_err() && made {
            // Nothing is left behind by what was not done; a folder that somebody filled meanwhile stays.
            let _ = std::fs::remove_dir(&self.out);
        }
        let asked = asked?;
        if asked["state"] == "waiting" {
            if made {
                let _ = std::fs::remove_dir(&self.out);
            }
            let request = cell(&asked["request"]);
            return out.done(
                &format!(
                    "nothing is issued yet: the request {request} waits for `chancery cert approve {request}`; enroll \
                     again with the same request afterwards"
                ),
                &asked,
            );
        }
        let Value::Object(mut answer) = asked else {
            return Err(Trouble::Failed(
                "the daemon's answer is no certificate; are both of one version?".into(),
            ));
        };
        let serial = answer.get("serial").and_then(Value::as_str).unwrap_or("unknown").to_owned();
        let files = self.keep(&mut answer).map_err(|why| {
            Trouble::Failed(format!(
                "{why}. The certificate is issued all the same: `chancery cert revoke {serial}`"
            ))
        })?;
        answer.insert("files".into(), files);
        if !out.json() {
            for on_disk in ["certificate", "chain", "root"] {
                answer.remove(on_disk);
            }
        }
        let first =
            ["serial", "account", "profile", "state", "not_before", "not_after", "files", "p12_password"];
        out.show(&first, &Value::Object(answer))
    }

    fn request(&self) -> Result<Value, Trouble> {
        let mut request = self.grant.json();
        let Some(path) = &self.csr else {
            (request["p12"], request["legacy"]) = (json!(self.p12), json!(self.legacy));
            return Ok(request);
        };
        let bytes = std::fs::read(path).map_err(|error| Trouble::file("read", path, &error))?;
        let text = match String::from_utf8(bytes) {
            Ok(text) if text.contains("-----BEGIN") => text,
            Ok(text) => pem("CERTIFICATE REQUEST", text.as_bytes()),
            Err(der) => pem("CERTIFICATE REQUEST", der.as_bytes()),
        };
        request["csr"] = json!(text);
        Ok(request)
    }

    /// Refuses files that are there, makes the folder, and tells whether it was missing.
    fn prepare(&self) -> Result<bool, Trouble> {
        for name in self.names() {
            let path = self.out.join(&name);
            if !self.force && path.symlink_metadata().is_ok() {
                return Err(Trouble::Refused(format!(
                    "{} exists already: choose another folder, or replace it with --force. Nothing was issued",
                    path.display()
                )));
            }
        }
        let missing = !self.out.exists();
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.out);
        made.map_err(|error| Trouble::file("make", &self.out, &error))?;
        Ok(missing)
    }

    /// The files that will be written.
    fn names(&self) -> Vec<String> {
        let mut names = vec!["cert.pem".to_owned(), "chain.pem".into(), "root.pem".into()];
        if self.csr.is_none() {
            names.push("key.pem".into());
        }
        if self.p12 {
            names.push(self.p12_name());
        }
        names
    }

    /// An account's name may hold what a file's name may not.
    fn p12_name(&self) -> String {
        let safe = |character: char| {
            if matches!(character, '/' | '\\') || character.is_control() { '_' } else { character }
        };
        format!("{}.p12", self.account.chars().map(safe).collect::<String>())
    }

    /// Writes the files and takes the secret ones out of the answer: a key is not for a screen or a log.
    fn keep(&self, answer: &mut Map<String, Value>) -> Result<Value, Trouble> {
        let mut files = Map::new();
        let mut put = |field: &str, name: &str, bytes: &[u8], mode: u32| {
            let path = self.out.join(name);
            write(&path, bytes, mode, self.force).map_err(|error| Trouble::file("write", &path, &error))?;
            files.insert(field.into(), json!(path));
            Ok(())
        };
        if let Some(key) = taken(answer, "key") {
            put("key", "key.pem", key.as_bytes(), SECRET)?;
        }
        if let Some(p12) = taken(answer, "p12") {
            let bytes = STANDARD.decode(p12.as_bytes());
            let bytes = bytes.map_err(|_| Trouble::Failed("the daemon's PKCS#12 is not base64".into()))?;
            put("p12", &self.p12_name(), &Zeroizing::new(bytes), SECRET)?;
        }
        for (field, name) in [("certificate", "cert.pem"), ("chain", "chain.pem"), ("root", "root.pem")] {
            let text = answer.get(field).and_then(Value::as_str);
            let text = text.ok_or_else(|| Trouble::Failed(format!("the daemon's answer lacks {field:?}")))?;
            put(field, name, text.as_bytes(), PUBLIC)?;
        }
        Ok(Value::Object(files))
    }
}

fn taken(answer: &mut Map<String, Value>, field: &str) -> Option<Zeroizing<String>> {
    match answer.remove(field) {
        Some(Value::String(text)) => Some(Zeroizing::new(text)),
        _ => None,
    }
}

/// Never through a link or onto a file that somebody else laid there; on disk when it returns.
fn write(path: &Path, bytes: &[u8], mode: u32, force: bool) -> io::Result<()> {
    if force {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn enroll(out: &Path, p12: bool) -> Enroll {
        Enroll {
            account: "a/b".into(),
            grant: Grant::default(),
            out: out.into(),
            csr: None,
            p12,
            legacy: false,
            force: false,
        }
    }

    fn answer() -> Map<String, Value> {
        let answer = json!({ "serial": "0A", "certificate": "C", "chain": "H", "root": "R", "key": "K", "p12": "UEs=" });
        answer.as_object().cloned().unwrap()
    }

    #[test]
    fn keys_are_written_for_the_caller_alone_and_not_printed() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("made/alice");
        let (enroll, mut answer) = (enroll(&out, true), answer());
        assert_eq!(enroll.prepare(), Ok(true));
        let files = enroll.keep(&mut answer).unwrap();
        assert!(!answer.contains_key("key") && !answer.contains_key("p12"));
        assert_eq!(files["p12"], json!(out.join("a_b.p12")));
        assert_eq!(std::fs::read(out.join("a_b.p12")).unwrap(), b"PK");
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&out), 0o700);
        assert_eq!(mode(&out.join("key.pem")), 0o600);
        assert_eq!(mode(&out.join("a_b.p12")), 0o600);
        assert_eq!(std::fs::read_to_string(out.join("cert.pem")).unwrap(), "C");
    }

    #[test]
    fn what_is_there_already_is_refused_before_anything_is_issued() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key.pem"), "old").unwrap();
        let refused = enroll(dir.path(), false).prepare().unwrap_err();
        assert_eq!(refused.code(), 3);
        let force = Enroll { force: true, ..enroll(dir.path(), false) };
        assert_eq!(force.prepare(), Ok(false));
        force.keep(&mut answer()).unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join("key.pem")).unwrap(), "K");
    }

    #[test]
    fn a_request_keeps_its_key_and_may_be_der() {
        let dir = tempfile::tempdir().unwrap();
        let csr = dir.path().join("device.csr");
        std::fs::write(&csr, [0x30, 0x82, 0xff]).unwrap();
        let enroll = Enroll { csr: Some(csr), ..enroll(dir.path(), false) };
        assert!(!enroll.names().contains(&"key.pem".to_owned()));
        let sent = enroll.request().unwrap();
        let expected = "-----BEGIN CERTIFICATE REQUEST-----\nMIL/\n-----END CERTIFICATE REQUEST-----\n";
        assert_eq!(sent, json!({ "csr": expected, "profile": null, "names": [] }));
    }
}
