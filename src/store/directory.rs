//! What the directory said, beside its people: groups with their members, up to where it was heard, and whose password it
//! accepted.

use diesel::prelude::*;
use diesel::upsert::excluded;
use uuid::Uuid;

use super::account::{from_json, to_json};
use super::schema::{directory_group, mark, verifier};
use super::{StoreError, Tx, View, id16};
use crate::id::AccountId;
use crate::time::Timestamp;

/// A group, as the directory has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DirectoryGroup {
    pub(crate) id: Uuid,
    pub(crate) dn: String,
    pub(crate) name: String,
    /// Names of the members' entries.
    pub(crate) members: Vec<String>,
    pub(crate) logins: Vec<String>,
}

type Columns = (Vec<u8>, String, String, String, String);

impl View {
    /// Every group.
    pub(crate) fn directory_groups(&mut self) -> Result<Vec<DirectoryGroup>, StoreError> {
        let rows: Vec<Columns> = directory_group::table.load(&mut self.conn)?;
        let read = |(id, dn, name, members, logins): Columns| {
            let (members, logins) = (from_json(&members)?, from_json(&logins)?);
            Ok(DirectoryGroup { id: Uuid::from_bytes(id16(id)?), dn, name, members, logins })
        };
        rows.into_iter().map(read).collect()
    }

    /// The Argon2id string of a password that the directory accepted since then.
    pub(crate) fn verifier(&mut self, id: AccountId, since: Timestamp) -> Result<Option<String>, StoreError> {
        let row = verifier::table.find(id.to_bytes().to_vec()).filter(verifier::at.ge(since.micros()));
        Ok(row.select(verifier::phc).first(&mut self.conn).optional()?)
    }

    /// Up to where the directory was heard, in its own words.
    pub(crate) fn directory_checkpoint(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let data: Option<Option<Vec<u8>>> =
            mark::table.find(CHECKPOINT).select(mark::data).first(&mut self.conn).optional()?;
        Ok(data.flatten())
    }
}

impl Tx {
    /// Adds a group or brings it up to date.
    pub(crate) fn put_directory_group(&mut self, group: &DirectoryGroup) -> Result<(), StoreError> {
        let (members, logins) = (to_json(&group.members)?, to_json(&group.logins)?);
        diesel::insert_into(directory_group::table)
            .values((
                directory_group::id.eq(&group.id.as_bytes()[..]),
                directory_group::dn.eq(&group.dn),
                directory_group::name.eq(&group.name),
                directory_group::members.eq(members),
                directory_group::logins.eq(logins),
            ))
            .on_conflict(directory_group::id)
            .do_update()
            .set((
                directory_group::dn.eq(excluded(directory_group::dn)),
                directory_group::name.eq(excluded(directory_group::name)),
                directory_group::members.eq(excluded(directory_group::members)),
                directory_group::logins.eq(excluded(directory_group::logins)),
            ))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// The group is gone.
    pub(crate) fn remove_directory_group(&mut self, id: Uuid) -> Result<(), StoreError> {
        diesel::delete(directory_group::table.find(id.as_bytes().to_vec())).execute(&mut self.view.conn)?;
        Ok(())
    }

    /// The directory accepted this password just now.
    pub(crate) fn put_verifier(
        &mut self,
        id: AccountId,
        phc: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        diesel::replace_into(verifier::table)
            .values((
                verifier::account.eq(&id.to_bytes()[..]),
                verifier::phc.eq(phc),
                verifier::at.eq(now.micros()),
            ))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// Verifiers of before are of no more use.
    pub(crate) fn forget_verifiers(&mut self, before: Timestamp) -> Result<(), StoreError> {
        diesel::delete(verifier::table.filter(verifier::at.lt(before.micros())))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// Everything that was heard up to here is written.
    pub(crate) fn set_directory_checkpoint(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        diesel::insert_into(mark::table)
            .values((mark::name.eq(CHECKPOINT), mark::value.eq(0), mark::data.eq(bytes)))
            .on_conflict(mark::name)
            .do_update()
            .set(mark::data.eq(bytes))
            .execute(&mut self.view.conn)?;
        Ok(())
    }
}

const CHECKPOINT: &str = "directory";
