//! What somebody may have: a profile and, where the directory knows no names for it, the names.

use std::net::IpAddr;

use ca::Profile;
use chancery_ca as ca;

use super::Refused;
use crate::store::{Account, Token};

/// Which certificate an account may have. Whoever grants it decides about the names; a request only confirms them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    profile: Profile,
    names: Vec<String>,
}

impl Grant {
    /// What everybody has: a client's certificate.
    pub(crate) fn client() -> Self {
        Self { profile: Profile::Client, names: Vec::new() }
    }

    /// A profile by its word, `client` when there is none, and the names that it needs beside the directory's: one for
    /// a device, one to ten hosts or addresses for a server, the domain of a peer.
    pub(crate) fn of(profile: Option<&str>, names: Vec<String>) -> Result<Self, Refused> {
        let profile = profile.map_or(Ok(Profile::Client), str::parse).map_err(Refused::Word)?;
        let needs = match (profile, names.len()) {
            (Profile::OcspSigner | Profile::CmpSigner, _) => {
                return Err(Refused::Grant { profile, needs: "the house itself, which makes its own" });
            }
            (Profile::Device | Profile::Peer, 1) | (Profile::Server, 1..=MOST_HOSTS) => None,
            (Profile::Device, _) => Some("one name, that of the device"),
            (Profile::Peer, _) => Some("one name, the domain"),
            (Profile::Server, _) => Some("one to ten names, hosts or addresses"),
            (_, 0) => None,
            (_, _) => Some("no names: the directory has them"),
        };
        match needs {
            None => Ok(Self { profile, names }),
            Some(needs) => Err(Refused::Grant { profile, needs }),
        }
    }

    /// What a token allows.
    pub(super) fn of_token(token: &Token) -> Result<Self, Refused> {
        Self::of(Some(&token.profile), token.names.clone())
    }

    /// The same again as a certificate that is to be renewed: names of its own it keeps, those of the directory are
    /// taken as they are today.
    pub(super) fn again(certificate: &ca::Certificate, profile: &str) -> Result<Self, Refused> {
        let profile: Profile = profile.parse().map_err(Refused::Word)?;
        let own = |name: &ca::Name| match (profile, name) {
            (Profile::Server | Profile::Peer, ca::Name::Dns(host)) => Some(host.clone()),
            (Profile::Server, ca::Name::Ip(address)) => Some(address.to_string()),
            (Profile::Device, ca::Name::Device(name)) => Some(name.clone()),
            _ => None,
        };
        Self::of(Some(profile.name()), certificate.names.iter().filter_map(own).collect())
    }

    /// Holds it against the profile that somebody asks for, if anybody does.
    pub(super) fn is(&self, profile: Option<&str>) -> Result<(), Refused> {
        match profile {
            Some(asked) if asked != self.profile.name() => {
                Err(Refused::OtherProfile { asked: asked.to_owned(), granted: self.profile })
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn profile(&self) -> Profile {
        self.profile
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether it concerns the account as a person and nothing else, so that the person may ask for it.
    pub(super) fn is_personal(&self) -> bool {
        use Profile::{Client, MailEncryption, MailSigning, Session};
        matches!(self.profile, Client | Session | MailSigning | MailEncryption)
    }

    /// The names of the certificate. A client's URI alone names the account at the door; the rest is for people and
    /// mail programs.
    pub(super) fn subject(&self, account: &Account) -> ca::Subject {
        let mut subject = ca::Subject { common_name: account.name.clone(), ..ca::Subject::default() };
        match self.profile {
            Profile::Client | Profile::Session => {
                subject.mail = account.mail.clone();
                subject.uri = vec![account.id.to_urn()];
            }
            Profile::MailSigning | Profile::MailEncryption => subject.mail = account.mail.clone(),
            Profile::Device => {
                subject.uri = vec![account.id.to_urn()];
                subject.device = self.names.first().cloned();
                subject.common_name = subject.device.clone().unwrap_or_default();
            }
            Profile::Server | Profile::Peer | Profile::OcspSigner | Profile::CmpSigner => {
                subject = hosts(&self.names);
            }
        }
        subject
    }
}

/// A subject that is known by host names and addresses, each once.
pub(super) fn hosts(names: &[String]) -> ca::Subject {
    let mut subject = ca::Subject::default();
    for name in names {
        match name.parse::<IpAddr>() {
            Ok(address) if !subject.ip.contains(&address) => subject.ip.push(address),
            Ok(_) => {}
            Err(_) => {
                let host = name.trim_end_matches('.').to_ascii_lowercase();
                if !subject.dns.contains(&host) {
                    subject.dns.push(host);
                }
            }
        }
    }
    let first = subject.dns.first().cloned().or_else(|| subject.ip.first().map(IpAddr::to_string));
    // For people to read; a long host name stands in full among the others (RFC 9525 §2).
    subject.common_name = first.unwrap_or_default().chars().take(64).collect();
    subject
}

const MOST_HOSTS: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_profile_takes_its_own_names_and_no_others() {
        let names = |count: usize| (0..count).map(|n| format!("host{n}.example")).collect::<Vec<_>>();
        for (profile, takes) in [
            ("client", 0..=0),
            ("session", 0..=0),
            ("mail-signing", 0..=0),
            ("mail-encryption", 0..=0),
            ("device", 1..=1),
            ("peer", 1..=1),
            ("server", 1..=10),
        ] {
            for count in 0..=11 {
                let granted = Grant::of(Some(profile), names(count));
                assert_eq!(granted.is_ok(), takes.contains(&count), "{profile} with {count}");
            }
        }
        assert!(matches!(Grant::of(Some("root"), Vec::new()), Err(Refused::Word(_))));
        assert!(matches!(Grant::of(Some("cmp-signer"), Vec::new()), Err(Refused::Grant { .. })));
        assert_eq!(Grant::of(None, Vec::new()).unwrap(), Grant::client());
    }
}
