//! What the house writes into the directory: the certificates by which others encrypt mail to a person.

use chancery_ldap::{Connector, Published};
use uuid::Uuid;

use super::Directory;
use crate::store::{Account, Source};
use crate::time::Timestamp;

/// Why a certificate is not in the directory.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotPublished {
    /// It is about this one person's entry.
    #[error("{0}")]
    Entry(String),
    /// The directory as a whole does not take it now.
    #[error("{0}")]
    Directory(String),
}

impl Directory {
    /// Whether anything is written into the directory at all.
    pub(crate) fn publishes(&self) -> bool {
        self.publisher().is_some()
    }

    fn publisher(&self) -> Option<&Connector> {
        self.ldap.as_ref()?.publisher.as_ref()
    }

    /// Sees to it that the entry of a person in LDAP holds `wanted` and none of `gone`, in DER.
    pub(crate) async fn publish(
        &self,
        account: &Account,
        wanted: Option<Vec<u8>>,
        gone: Vec<Vec<u8>>,
        now: Timestamp,
    ) -> Result<(), NotPublished> {
        let Some(publisher) = self.publisher().filter(|_| account.source == Source::Ldap) else {
            return Err(NotPublished::Entry(format!("{} is not in LDAP", account.name)));
        };
        let id = Uuid::from_bytes(account.id.to_bytes());
        match publisher.publish(&account.name, id, wanted, gone, now.to_offset()).await {
            Ok(Published::Done) => Ok(()),
            Ok(Published::NoEntry) => {
                Err(NotPublished::Entry(format!("{} has no entry in LDAP until the next sync", account.name)))
            }
            Err(error) if error.is_about_the_entry() => Err(NotPublished::Entry(error.to_string())),
            Err(error) => Err(NotPublished::Directory(format!("[directory.ldap.publish]: {error}"))),
        }
    }
}
