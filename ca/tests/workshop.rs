//! A workshop: a founded authority and a folder in which the `openssl` command works.

use std::{fs, path::PathBuf, process::Command};

use chancery_ca::{
    Authority, AuthorityKey, Certificate, Csr, Issued, KeyKind, KeyPair, Organization, Profile, PublicKey,
    Revoked, Root, Serial, Shard, Subject, Urls,
};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime, macros::datetime};

/// The fixed time at which everything but the mosquitto test happens.
pub(crate) const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

pub(crate) const UUID: &str = "5f0c9d3e-2b1a-4c8d-9e7f-000000000001";

pub(crate) struct Workshop {
    pub(crate) authority: Authority,
    pub(crate) root_key: AuthorityKey,
    pub(crate) root_crl: Vec<u8>,
    folder: TempDir,
}

impl Workshop {
    /// Founds an authority and lays out `root.pem` and `issuing.pem`.
    pub(crate) fn open() -> Workshop {
        Workshop::open_at(NOW)
    }

    pub(crate) fn open_at(now: OffsetDateTime) -> Workshop {
        let founded = Authority::found(&organization(), &urls(), KeyKind::P384, now).expect("founded");
        let authority =
            Authority::open(&founded.issuing_cert_pem, founded.issuing_key, &founded.root_cert_pem, urls());
        Workshop::around(authority.expect("opened"), founded.root_key, founded.root_crl)
    }

    /// The same with keys that are there already.
    pub(crate) fn with_keys(root_key: AuthorityKey, issuing_key: AuthorityKey) -> Workshop {
        let root = Root::found(&organization(), root_key.clone(), NOW).expect("founded");
        let public = issuing_key.public_key().expect("sound");
        let issuing = root.certify(&public, 1, &urls(), NOW).expect("certified");
        let root_crl = root.crl(1, NOW, NOW + Duration::days(365)).expect("a list");
        let root_pem = root.certificate().to_pem();
        let authority = Authority::open(&issuing.to_pem(), issuing_key, &root_pem, urls());
        Workshop::around(authority.expect("opened"), root_key, root_crl)
    }

    fn around(authority: Authority, root_key: AuthorityKey, root_crl: Vec<u8>) -> Workshop {
        let workshop = Workshop { authority, root_key, root_crl, folder: TempDir::new().expect("a folder") };
        workshop.write("root.pem", workshop.authority.root_pem());
        workshop.write("issuing.pem", workshop.authority.chain_pem());
        workshop
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).expect("a writable folder");
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("the file")
    }

    /// Runs `openssl` in the folder; its whole output, or the same as an error where it fails.
    pub(crate) fn try_openssl(&self, line: &str) -> Result<String, String> {
        let output = Command::new("openssl").args(line.split_whitespace()).current_dir(&self.folder).output();
        let output = output.expect("openssl is installed");
        let said = [output.stdout, output.stderr].concat();
        let said = format!("openssl {line}\n{}", String::from_utf8_lossy(&said));
        if output.status.success() { Ok(said) } else { Err(said) }
    }

    pub(crate) fn openssl(&self, line: &str) -> String {
        self.try_openssl(line).unwrap_or_else(|said| panic!("{said}"))
    }

    /// Verifies `NAME` up to the root at `NOW`, with more options.
    pub(crate) fn verify(&self, options: &str, name: &str) -> Result<String, String> {
        let time = NOW.unix_timestamp();
        self.try_openssl(&format!(
            "verify -x509_strict -attime {time} -CAfile root.pem -untrusted issuing.pem {options} {name}"
        ))
    }

    /// Makes a request with `openssl req`: the key by `-newkey` words, then further options.
    pub(crate) fn request(&self, key: &str, options: &str) -> Vec<u8> {
        self.openssl(&format!("req -new -nodes -newkey {key} -keyout asked.key -out asked.csr {options}"));
        self.read("asked.csr")
    }

    pub(crate) fn csr(&self, key: &str, options: &str) -> Csr {
        Csr::parse(&self.request(key, options)).expect("an acceptable request")
    }

    /// Issues at `NOW` and lays out `NAME.pem`.
    pub(crate) fn issue(&self, name: &str, key: &PublicKey, subject: &Subject, profile: Profile) -> Issued {
        self.issue_as(Serial::random().expect("randomness"), name, key, subject, profile)
    }

    pub(crate) fn issue_as(
        &self,
        serial: Serial,
        name: &str,
        key: &PublicKey,
        subject: &Subject,
        profile: Profile,
    ) -> Issued {
        let issued = self.authority.issue(key, subject, profile, None, serial, NOW).expect("issued");
        self.write(&format!("{name}.pem"), &issued.pem);
        issued
    }

    /// The list of a shard, good for a day.
    pub(crate) fn shard(&self, shard: Shard, revoked: &[Revoked]) -> Vec<u8> {
        self.authority.shard_crl(shard, revoked, 7, NOW, NOW + Duration::DAY).expect("a list")
    }
}

pub(crate) fn organization() -> Organization {
    Organization { name: "Corp".to_owned(), domain: "corp.example".to_owned() }
}

pub(crate) fn urls() -> Urls {
    Urls {
        crl: "http://pki.corp.example/crl/{issuer}.crl".to_owned(),
        shards: vec!["http://pki.corp.example/crl/{issuer}/{shard}.crl".to_owned()],
        issuer: "http://pki.corp.example/ca/{issuer}.cer".to_owned(),
        ocsp: Some("http://pki.corp.example/ocsp".to_owned()),
    }
}

pub(crate) fn alice() -> Subject {
    Subject {
        common_name: "alice.smith".to_owned(),
        mail: Some("alice@corp.example".to_owned()),
        organization: Some("Corp".to_owned()),
        uri: vec![format!("urn:uuid:{UUID}")],
        ..Subject::default()
    }
}

pub(crate) fn laptop() -> Subject {
    Subject { device: Some("laptop 7".to_owned()), mail: None, ..alice() }
}

pub(crate) fn server() -> Subject {
    Subject {
        common_name: "chat.corp.example".to_owned(),
        dns: vec!["chat.corp.example".to_owned(), "localhost".to_owned()],
        ip: vec![[127, 0, 0, 1].into()],
        ..Subject::default()
    }
}

/// A new serial that belongs to a shard.
pub(crate) fn serial_of(shard: Shard) -> Serial {
    let mut drawn = std::iter::repeat_with(|| Serial::random().expect("randomness"));
    drawn.find(|serial| Shard::of(*serial) == shard).expect("one in 64")
}

pub(crate) fn key() -> KeyPair {
    KeyPair::generate(KeyKind::P256).expect("a key")
}

pub(crate) fn public(key: &KeyPair) -> PublicKey {
    key.public_key().expect("a sound key")
}

pub(crate) fn read_back(issued: &Issued) -> Certificate {
    Certificate::parse(&issued.der).expect("a certificate")
}
