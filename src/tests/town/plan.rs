//! What a town shall be like, written down as a configuration.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::dirsrv::{self, Dirsrv};
use super::postfix::Postfix;
use super::samba::{self, Samba};
use super::slapd::Slapd;
use super::softhsm::SoftHsm;
use super::zones::Zones;
use super::{DOMAIN, Town};

/// A configuration in the making. Every door is open on a free port.
#[derive(Default)]
pub(crate) struct Plan {
    /// Lines by section, besides those that every town has.
    lines: BTreeMap<String, String>,
    /// Files beside the configuration: name and content.
    files: Vec<(String, String)>,
    pub(super) state_dir: Option<PathBuf>,
    /// Variables of the daemon's environment, and of the command line's.
    pub(crate) environment: Vec<(String, PathBuf)>,
}

impl Plan {
    /// Makes the state and starts the daemon.
    pub(crate) fn start(&self) -> Town {
        Town::found(self)
    }

    /// Writes the configuration and starts nothing.
    pub(crate) fn unfounded(&self) -> Town {
        Town::lay_out(self)
    }

    /// A line of a section, as `("mail", "grace = \"1s\"")`.
    pub(crate) fn with(mut self, section: &str, line: &str) -> Self {
        let lines = self.lines.entry(section.to_owned()).or_default();
        *lines += line;
        lines.push('\n');
        self
    }

    /// A file beside the configuration, which says `@HERE@` for its folder.
    pub(crate) fn file(mut self, name: &str, content: &str) -> Self {
        self.files.push((name.into(), content.into()));
        self
    }

    /// People come from this directory; it is asked for everybody at the start and when told to.
    pub(crate) fn ldap(self, slapd: &Slapd) -> Self {
        self.ldap_under(slapd, slapd.base)
    }

    /// The same, of a part of the tree.
    pub(crate) fn ldap_under(self, slapd: &Slapd, base: &str) -> Self {
        self.with("directory", "kind = \"ldap\"\nsync_every = \"1h\"")
            .with("directory.ldap", &format!("servers = [\"{}\"]", slapd.ldaps_url))
            .with("directory.ldap", &format!("ca_file = \"{}\"", slapd.ca_pem.display()))
            .with("directory.ldap", &format!("bind_dn = \"{}\"\nbase = \"{}\"", slapd.service_dn, base))
            .with("directory.ldap", "bind_password = { file = \"@HERE@/ldap.password\" }")
            .with("directory.ldap", "connect_timeout = \"2s\"\noperation_timeout = \"5s\"")
            .file("ldap.password", slapd.service_password)
    }

    /// People come from this domain, by an account that may replicate.
    pub(crate) fn samba(self, samba: &Samba) -> Self {
        let filter = "(&(objectClass=user)(!(objectClass=computer)))";
        self.with("directory", "kind = \"ldap\"")
            .with("directory.ldap", &format!("servers = [\"{}\"]\nstarttls = false", samba.url))
            .with("directory.ldap", &format!("bind_dn = \"{}\"", samba::ADMIN))
            .with("directory.ldap", &format!("base = \"OU=people,{}\"", samba::BASE))
            .with("directory.ldap", "bind_password = { file = \"@HERE@/ldap.password\" }")
            .with("directory.ldap", &format!("user_filter = \"{filter}\""))
            .with("directory.ldap.attributes", "login = \"sAMAccountName\"\nname = \"displayName\"")
            .file("ldap.password", samba::PASSWORD)
    }

    /// People come from this 389 Directory Server.
    pub(crate) fn dirsrv(self, server: &Dirsrv) -> Self {
        self.with("directory", "kind = \"ldap\"\nsync_every = \"1h\"")
            .with("directory.ldap", &format!("servers = [\"{}\"]\nstarttls = false", server.url))
            .with(
                "directory.ldap",
                &format!("bind_dn = \"{}\"\nbase = \"{}\"", dirsrv::SERVICE, dirsrv::BASE),
            )
            .with("directory.ldap", "bind_password = { file = \"@HERE@/ldap.password\" }")
            .file("ldap.password", dirsrv::PASSWORD)
    }

    /// Notices leave by this relay.
    pub(crate) fn smtp(self, postfix: &Postfix) -> Self {
        self.with("mail", "transport = \"smtp\"")
            .with("mail", &format!("relay = \"smtp://{}\"", postfix.smtp))
    }

    /// Notices leave by this relay, in TLS from the first byte.
    pub(crate) fn smtps(self, postfix: &Postfix) -> Self {
        self.with("mail", "transport = \"smtp\"\nca_file = \"@HERE@/relay.pem\"")
            .with("mail", &format!("relay = \"smtps://localhost:{}\"", postfix.smtps.port()))
            .file("relay.pem", &String::from_utf8_lossy(&postfix.ca_pem()))
    }

    /// How long a message waits before mail is sent.
    pub(crate) fn grace(self, grace: &str) -> Self {
        self.with("mail", &format!("grace = \"{grace}\""))
    }

    /// Other domains are asked of this hierarchy.
    pub(crate) fn dns(self, zones: &Zones) -> Self {
        self.with("dns", &format!("servers = [\"{}\"]", zones.forwarder))
            .with("dns", "anchors = \"@HERE@/root.key\"")
            .file("root.key", &zones.anchors)
    }

    /// One rule for plain topics.
    pub(crate) fn rule(self, who: &str, may: &str, topic: &str) -> Self {
        self.with("acl", &format!("  {{ who = \"{who}\", may = \"{may}\", topic = \"{topic}\" }},"))
    }

    /// The issuing CA's key is in this token.
    pub(crate) fn token(self, softhsm: &SoftHsm) -> Self {
        self.surrounded_by(softhsm).with("authority.pkcs11", &softhsm.settings())
    }

    /// Whoever looks for a token finds this one.
    pub(crate) fn surrounded_by(mut self, softhsm: &SoftHsm) -> Self {
        self.environment.push(softhsm.variable());
        self
    }

    /// Clients without credentials are guests at the plain door.
    pub(crate) fn guests(self) -> Self {
        self.with("door.mqtt", "allow_anonymous = true")
    }

    /// Keeps the state in this folder.
    pub(crate) fn state_in(mut self, folder: &Path) -> Self {
        self.state_dir = Some(folder.to_owned());
        self
    }

    /// The whole file for a town in this folder; writes the files that it names.
    pub(super) fn config(&self, here: &Path, state: &Path) -> String {
        for (name, content) in &self.files {
            std::fs::write(here.join(name), content).expect("our own folder");
        }
        let quoted = |path: &Path| format!("{:?}", path.display().to_string());
        let mut sections: BTreeMap<&str, String> = BTreeMap::new();
        let control = quoted(&here.join("control.sock"));
        let appliance =
            format!("domain = \"{DOMAIN}\"\nstate_dir = {}\ncontrol = {control}\n", quoted(state));
        sections.insert("appliance", appliance);
        for door in ["door.mqtt", "door.mqtts", "door.ws", "door.wss", "door.quic", "door.https", "door.http"]
        {
            sections.insert(door, "listen = [\"127.0.0.1:0\"]\n".into());
        }
        for (section, lines) in &self.lines {
            let lines = if section == "acl" { format!("rules = [\n{lines}]\n") } else { lines.clone() };
            *sections.entry(section).or_default() += &lines;
        }
        let mut text = String::new();
        for (section, lines) in sections {
            writeln!(text, "[{section}]\n{lines}").expect("memory");
        }
        text.replace("@HERE@", &here.display().to_string())
    }
}
