//! The ceremony: a root that is made and used on a host without network, with nothing but a folder.
//!
//! What the root signs lies in the folder under a number, is never written over, and stands with its hash in the
//! [`Transcript`]. The key is sealed in the folder as well, or is in a PKCS#11 token.

use std::path::{Path, PathBuf};

use chancery_ca as ca;
use serde::Serialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::chest::{Chest, Passphrase};
use super::{ROOT, ROOT_CERTIFICATE, urls};
use crate::audit::to_hex;
use crate::enrollment::config::Pkcs11;
use crate::enrollment::transcript::Transcript;
use crate::enrollment::{Failure, crl, safe};
use crate::time::Timestamp;

/// A root's folder, and the way to its key.
pub(crate) struct Ceremony {
    folder: PathBuf,
    key: RootKey,
    /// Where systemd puts credentials, which the token's PIN may be one of.
    credentials: Option<PathBuf>,
}

/// Where a root's key is.
pub(crate) enum RootKey {
    /// In the folder, sealed with this passphrase.
    Sealed(Zeroizing<String>),
    Token(Pkcs11),
}

/// What a step has made.
#[derive(Debug, Serialize)]
pub(crate) struct Step {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) transcript: PathBuf,
    /// To be written down: whoever has this line knows the transcript from a later one.
    pub(crate) sha256: String,
}

/// What a look through a folder has found.
#[derive(Debug, Serialize)]
pub(crate) struct Checked {
    pub(crate) intact: bool,
    /// How many files the transcript names.
    pub(crate) files: usize,
    /// What does not fit.
    pub(crate) broken: Option<String>,
}

impl Ceremony {
    pub(crate) fn at(folder: &Path, key: RootKey, credentials: Option<PathBuf>) -> Self {
        Self { folder: folder.into(), key, credentials }
    }

    /// Makes key and certificate of a root and its first list, in a folder that is not there yet.
    pub(crate) fn found(
        &self,
        domain: &str,
        organization: Option<String>,
        now: Timestamp,
    ) -> Result<Step, Failure> {
        if self.folder.exists() {
            return Err(Failure::Founded(self.folder.clone()));
        }
        let mut draft = self.folder.clone().into_os_string();
        draft.push(".new");
        let draft = PathBuf::from(draft);
        safe::make_folder(&draft)?;
        let name = organization.unwrap_or_else(|| domain.to_owned());
        let organization = ca::Organization { name, domain: domain.to_owned() };
        let key = self.chest(&draft)?.make(ROOT, ca::KeyKind::P384)?;
        let root = ca::Root::found(&organization, key, now.to_offset())?;
        let certificate = root.certificate().to_pem();
        let list = list(&root, 1, now)?;
        let mut transcript = Transcript::begin(domain);
        transcript.root(&self.key.words(), certificate.as_bytes(), now);
        transcript.list(1, list.as_bytes(), now);
        safe::put(&draft.join(ROOT_CERTIFICATE), certificate.as_bytes())?;
        safe::put(&draft.join(list_name(1)), list.as_bytes())?;
        transcript.keep(&draft)?;
        safe::place_folder(&draft, &self.folder)?;
        Ok(self.step([ROOT_CERTIFICATE.to_owned(), list_name(1)], &transcript))
    }

    /// Certifies the issuing CA that asks in PKCS#10.
    pub(crate) fn sign(&self, request: &[u8], http_base: &str, now: Timestamp) -> Result<Step, Failure> {
        let (root, mut transcript) = (self.root()?, Transcript::of(&self.folder)?);
        let csr = ca::Csr::parse(request).map_err(Failure::Request)?;
        if !root.is_asked_by(&csr) {
            let (asked, root) = (csr.requested().to_vec(), root.certificate().subject.clone());
            return Err(Failure::OtherRequest { asked, root });
        }
        let number = self.next(issuing_name);
        let issuing = root.certify(csr.public_key(), number, &urls(http_base), now.to_offset())?.to_pem();
        transcript.issuing(number, request, issuing.as_bytes(), now);
        let (asked, given) = (request_name(number), issuing_name(number));
        safe::put(&self.folder.join(&asked), request)?;
        safe::put(&self.folder.join(&given), issuing.as_bytes())?;
        transcript.keep(&self.folder)?;
        Ok(self.step([given, asked], &transcript))
    }

    /// Signs the root's next list, which the house needs once a year.
    pub(crate) fn list(&self, now: Timestamp) -> Result<Step, Failure> {
        let (root, mut transcript) = (self.root()?, Transcript::of(&self.folder)?);
        let number = self.next(list_name);
        let list = list(&root, number, now)?;
        transcript.list(number, list.as_bytes(), now);
        safe::put(&self.folder.join(list_name(number)), list.as_bytes())?;
        transcript.keep(&self.folder)?;
        Ok(self.step([list_name(number)], &transcript))
    }

    /// Holds a folder against its transcript, and what is in it against the root. No key is needed.
    pub(crate) fn check(folder: &Path) -> Result<Checked, Failure> {
        let transcript = Transcript::of(folder)?;
        let named: Vec<_> = transcript.files().collect();
        let broken = named.iter().find_map(|(hash, name)| wrong(folder, hash, name));
        let broken = broken.map_or_else(|| unnamed(folder, &named), |why| Ok(Some(why)))?;
        Ok(Checked { intact: broken.is_none(), files: named.len(), broken })
    }

    fn root(&self) -> Result<ca::Root, Failure> {
        let key = self.chest(&self.folder)?.open(ROOT)?;
        Ok(ca::Root::open(&safe::text(&self.folder.join(ROOT_CERTIFICATE))?, key)?)
    }

    fn chest(&self, folder: &Path) -> Result<Chest, Failure> {
        Ok(match &self.key {
            RootKey::Sealed(passphrase) => Chest::sealed(folder, Passphrase::Said(passphrase.clone())),
            RootKey::Token(named) => Chest::in_token(folder, named, self.credentials.as_deref())?,
        })
    }

    /// The first number whose name is free.
    fn next(&self, name: fn(u32) -> String) -> u32 {
        (1..).find(|number| !self.folder.join(name(*number)).exists()).unwrap_or(u32::MAX)
    }

    fn step<const N: usize>(&self, names: [String; N], transcript: &Transcript) -> Step {
        Step {
            files: names.iter().map(|name| self.folder.join(name)).collect(),
            transcript: Transcript::path(&self.folder),
            sha256: transcript.sha256(),
        }
    }
}

impl RootKey {
    fn words(&self) -> String {
        match self {
            RootKey::Sealed(_) => format!("sealed with a passphrase in {ROOT}.key"),
            RootKey::Token(named) => {
                format!(
                    "labelled `{}` in the PKCS#11 token `{}`, which it cannot leave",
                    named.key, named.token
                )
            }
        }
    }
}

fn list(root: &ca::Root, number: u32, now: Timestamp) -> Result<String, Failure> {
    let list = root.crl(number.into(), now.to_offset(), now.after(crl::ROOT_LIFE).to_offset())?;
    Ok(ca::crl_to_pem(&list))
}

/// What is wrong with a file that the transcript names.
fn wrong(folder: &Path, hash: &str, name: &str) -> Option<String> {
    let read = |name: &str| std::fs::read(folder.join(name)).map_err(|why| format!("{name}: {why}"));
    let bytes = match read(name) {
        Ok(bytes) => bytes,
        Err(why) => return Some(why),
    };
    if to_hex(&Sha256::digest(&bytes)) != hash {
        return Some(format!("{name} is not the file whose hash the transcript holds"));
    }
    let root = match read(ROOT_CERTIFICATE) {
        Ok(root) => root,
        Err(why) => return Some(why),
    };
    let text = String::from_utf8_lossy(&bytes);
    match signed_by_root(&String::from_utf8_lossy(&root), name, &text) {
        Ok(true) => None,
        Ok(false) | Err(_) => Some(format!("{name} is not signed by the root, or is something else")),
    }
}

/// Certificates and lists must be the root's; a request is only kept.
fn signed_by_root(root: &str, name: &str, text: &str) -> Result<bool, ca::Failure> {
    let root = ca::Certificate::from_pem(root)?;
    match Path::new(name).extension().and_then(|kind| kind.to_str()) {
        Some("pem") => ca::Chain::new(ca::Certificate::from_pem(text)?, root).map(|_| true),
        Some("crl") => ca::crl_from_pem(text).map_or(Ok(false), |list| root.has_signed_list(&list)),
        kind => Ok(kind == Some("csr")),
    }
}

/// A certificate or list in the folder of which the transcript says nothing.
fn unnamed(folder: &Path, named: &[(&str, &str)]) -> Result<Option<String>, Failure> {
    let fault = |why| Failure::file(folder, why);
    for entry in std::fs::read_dir(folder).map_err(fault)? {
        let name = entry.map_err(fault)?.file_name().to_string_lossy().into_owned();
        let counts = [".pem", ".crl", ".csr"].iter().any(|kind| name.ends_with(kind));
        if counts && !named.iter().any(|(_, known)| *known == name) {
            return Ok(Some(format!("the transcript does not know {name}")));
        }
    }
    Ok(None)
}

fn list_name(number: u32) -> String {
    format!("root-{number}.crl")
}

fn issuing_name(number: u32) -> String {
    format!("issuing-{number}.pem")
}

fn request_name(number: u32) -> String {
    format!("issuing-{number}.csr")
}
