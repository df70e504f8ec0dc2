//! The photos of people: who has which, the directory says; what is shown of them is made afterwards, one by one.
//!
//! What is told of somebody carries the digest of their photo and not the photo, which is asked for again when its turn
//! comes. So a list of 100,000 people is neither grown by their photos nor slowed by decoding them, and a house that
//! stops in between goes on where it was.

use chancery_ldap::Photo as Taken;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Directory;
use super::ldap::{Ldap, SyncError};
use super::thumbnail::{self, Unfit, thumbnail};
use crate::audit::to_hex;
use crate::id::AccountId;
use crate::store::{Photo, StoreError};

impl Directory {
    /// Somebody's photo, as it is shown.
    pub(crate) async fn photo(&self, id: AccountId) -> Result<Option<Photo>, StoreError> {
        self.store.read(move |view| view.photo(id)).await
    }

    /// Waits until people have changed, and maybe their photos.
    pub(crate) async fn turned(&self) {
        self.turned.notified().await;
    }

    /// Develops every photo that waits for it. Those that the directory has no longer, or not in this copy of it, go on
    /// waiting.
    pub(crate) async fn develop(&self) -> Result<(), SyncError> {
        let Some(ldap) = &self.ldap else { return Ok(()) };
        let mut after = None;
        while let Some((id, digest)) = self.store.read(move |view| view.undeveloped(after)).await? {
            after = Some(id);
            let Some(photo) = self.taken(ldap, id, &digest).await? else { continue };
            let developed = tokio::task::spawn_blocking(move || thumbnail(&photo)).await;
            let developed = developed.unwrap_or(Err(Unfit::Panicked)).map_err(|why| why.to_string());
            if let Err(why) = &developed {
                tracing::warn!(account.id = %id, why, "somebody's photo is not shown");
            }
            self.store.write(move |tx| tx.develop(id, &digest, developed)).await?;
        }
        Ok(())
    }

    /// The photo of this digest, from the directory.
    async fn taken(&self, ldap: &Ldap, id: AccountId, digest: &str) -> Result<Option<Vec<u8>>, SyncError> {
        let account = self.by_id(id);
        let Some(entry) = account.as_ref().and_then(|account| account.entry.as_ref()) else {
            return Ok(None);
        };
        match ldap.connector.photo(&entry.dn, Uuid::from_bytes(id.to_bytes())).await {
            Ok(Some(Taken::Bytes(photo))) if digest_of(&photo) == digest => Ok(Some(photo)),
            Err(error) if !error.is_about_the_entry() => Err(error.into()),
            _ => Ok(None),
        }
    }
}

/// The digest of a photo that looks as if it can be shown.
pub(super) fn digest(photo: &Taken) -> Result<String, Unfit> {
    thumbnail::look(photo).map(digest_of)
}

fn digest_of(photo: &[u8]) -> String {
    to_hex(&Sha256::digest(photo))
}
