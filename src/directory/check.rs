//! Looking at the directory's servers, one by one, and what to do about each.

use chancery_ldap::{Error, Health};
use serde::Serialize;

use super::follow::Line;
use super::ldap::Ldap;

/// What an admin is told.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Checked {
    kind: &'static str,
    /// Whether some server shows people.
    ok: bool,
    followed: Option<Line>,
    servers: Vec<Server>,
}

/// One server, as far as it could be asked.
#[derive(Clone, Debug, Serialize)]
struct Server {
    server: String,
    answers: bool,
    security: Option<&'static str>,
    vendor: Option<String>,
    sees_people: Option<bool>,
    pages: Option<bool>,
    /// How changes would be followed, best first.
    protocols: Vec<String>,
    /// What to do; nothing when all is well.
    advice: Vec<String>,
}

impl Ldap {
    /// Each server of the settings; none after one that refuses the service account.
    pub(crate) async fn check_each(&self) -> Checked {
        let checked = self.connector.check_each().await;
        let ok = checked.iter().any(|(_, checked)| checked.as_ref().is_ok_and(|health| health.sees_people));
        let servers = checked.into_iter().map(|(server, checked)| Server::of(server, checked)).collect();
        Checked { kind: "ldap", ok, followed: self.followed().map(|line| (*line).clone()), servers }
    }
}

impl Server {
    fn of(server: String, checked: Result<Health, Error>) -> Self {
        let health = match checked {
            Ok(health) => health,
            Err(error) => {
                return Self {
                    server,
                    answers: false,
                    security: None,
                    vendor: None,
                    sees_people: None,
                    pages: None,
                    protocols: Vec::new(),
                    advice: vec![error.to_string()],
                };
            }
        };
        Self {
            server,
            answers: true,
            security: Some(health.security),
            sees_people: Some(health.sees_people),
            pages: Some(health.pages),
            protocols: health.protocols.iter().map(ToString::to_string).collect(),
            advice: health.advice(),
            vendor: health.vendor,
        }
    }
}
