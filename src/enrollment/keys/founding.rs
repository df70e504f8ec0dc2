//! Founding: how an authority comes into a state folder, whole or not at all, under a root of its own or under one that
//! is elsewhere.

use std::path::{Path, PathBuf};

use chancery_ca as ca;

use super::{Chest, ISSUING, ISSUING_CERTIFICATE, ROOT, ROOT_CERTIFICATE, ROOT_CRL, urls};
use crate::enrollment::{Config, Failure, Place, crl, safe};
use crate::time::Timestamp;

/// Under which root an authority is founded.
pub(crate) enum Founding {
    /// Its own, which is made along with it.
    OwnRoot,
    /// One that is elsewhere, by its certificate in PEM: the issuing CA's key is made, and a request for it.
    Ask { root: String },
    /// The same, with what came back: the issuing CA's certificate and the root's list, in PEM.
    Answer { issuing: String, list: String },
}

/// How far it has come.
#[derive(Debug)]
pub(crate) enum Founded {
    Whole,
    /// The request in this file is to be answered.
    Asked(PathBuf),
}

/// Founds an authority in `STATE/authority`; refuses where there is one.
pub(in crate::enrollment) fn found(
    cfg: &Config,
    domain: &str,
    place: Place<'_>,
    founding: Founding,
    now: Timestamp,
) -> Result<Founded, Failure> {
    let (folder, draft) = (super::folder(place.state), place.state.join("authority.new"));
    if folder.exists() {
        return Err(Failure::Founded(folder));
    }
    let (chest, request) = (Chest::at(&draft, cfg, place.credentials)?, draft.join(REQUEST));
    match founding {
        Founding::Answer { issuing, list } if request.exists() => {
            answer(&draft, &chest, place.http_base, &issuing, &list)?;
            safe::place_folder(&draft, &folder)?;
            Ok(Founded::Whole)
        }
        Founding::Answer { .. } => Err(Failure::NotAsked(request)),
        Founding::OwnRoot | Founding::Ask { .. } if request.exists() => Err(Failure::Asked(draft)),
        Founding::OwnRoot => {
            furnish(&draft, &chest, cfg)?;
            own(&draft, &chest, cfg, &organization(cfg, domain), place.http_base, now)?;
            safe::place_folder(&draft, &folder)?;
            Ok(Founded::Whole)
        }
        Founding::Ask { root } => {
            let root = ca::Certificate::from_pem(&root)?;
            // A root vouches for itself.
            ca::Chain::new(root.clone(), root.clone())?;
            furnish(&draft, &chest, cfg)?;
            let key = chest.make(ISSUING, cfg.curve.into())?;
            safe::put(&draft.join(ROOT_CERTIFICATE), root.to_pem().as_bytes())?;
            safe::put(&request, organization(cfg, domain).request(&key)?.as_bytes())?;
            Ok(Founded::Asked(request))
        }
    }
}

fn furnish(draft: &Path, chest: &Chest, cfg: &Config) -> Result<(), Failure> {
    safe::make_folder(draft)?;
    chest.furnish(cfg)
}

/// Root and issuing CA, made here.
fn own(
    draft: &Path,
    chest: &Chest,
    cfg: &Config,
    organization: &ca::Organization,
    http_base: &str,
    now: Timestamp,
) -> Result<(), Failure> {
    let (kind, at) = (cfg.curve.into(), now.to_offset());
    let root = ca::Root::found(organization, chest.make_sealed(ROOT, kind)?, at)?;
    let issuing = root.certify(&chest.make(ISSUING, kind)?.public_key()?, 1, &urls(http_base), at)?;
    let list = root.crl(1, at, now.after(crl::ROOT_LIFE).to_offset())?;
    safe::put(&draft.join(ROOT_CERTIFICATE), root.certificate().to_pem().as_bytes())?;
    safe::put(&draft.join(ROOT_CRL), &list)?;
    safe::put(&draft.join(ISSUING_CERTIFICATE), issuing.to_pem().as_bytes())
}

/// What came back is taken only if the root that was named signed it, and for the key that lies here.
fn answer(draft: &Path, chest: &Chest, http_base: &str, issuing: &str, list: &str) -> Result<(), Failure> {
    let root = safe::text(&draft.join(ROOT_CERTIFICATE))?;
    ca::Authority::open(issuing, chest.open(ISSUING)?, &root, urls(http_base)).map_err(Failure::Brought)?;
    let list = crl::of_root(list, &ca::Certificate::from_pem(&root)?)?;
    safe::put(&draft.join(ROOT_CRL), &list)?;
    safe::put(&draft.join(ISSUING_CERTIFICATE), issuing.as_bytes())
}

/// Whose authority it is.
fn organization(cfg: &Config, domain: &str) -> ca::Organization {
    let name = cfg.organization.clone().unwrap_or_else(|| domain.to_owned());
    ca::Organization { name, domain: domain.to_owned() }
}

const REQUEST: &str = "issuing.csr";
