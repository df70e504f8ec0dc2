//! People: from the built-in directory, or as the last sync of LDAP saw them.

use diesel::prelude::*;

use super::schema::account;
use super::{StoreError, Tx, View, bad_row, id16};
use crate::id::AccountId;
use crate::time::Timestamp;

/// Which directory a person comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Builtin,
    Ldap,
}

impl Source {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Source::Builtin => "builtin",
            Source::Ldap => "ldap",
        }
    }
}

/// A person known to the house.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) id: AccountId,
    pub(crate) name: String,
    pub(crate) display: String,
    pub(crate) mail: Option<String>,
    pub(crate) source: Source,
    /// Argon2id PHC string; built-in accounts with a password only.
    pub(crate) password: Option<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) admin_disabled: bool,
    pub(crate) directory_disabled: Option<String>,
    pub(crate) created_at: Timestamp,
}

/// What a directory says of a person; what an admin decided is kept apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccountDraft {
    pub(crate) id: AccountId,
    pub(crate) name: String,
    pub(crate) display: String,
    pub(crate) mail: Option<String>,
    pub(crate) source: Source,
    pub(crate) groups: Vec<String>,
    pub(crate) directory_disabled: Option<String>,
}

impl Account {
    /// Why the account may not act; `None` when it may.
    pub(crate) fn disabled(&self) -> Option<&str> {
        if self.admin_disabled {
            return Some("disabled by an admin");
        }
        self.directory_disabled.as_deref()
    }
}

type Columns =
    (Vec<u8>, String, String, Option<String>, String, Option<String>, String, bool, Option<String>, i64);

impl View {
    /// Everybody who has not been removed, by name.
    pub(crate) fn accounts(&mut self) -> Result<Vec<Account>, StoreError> {
        let rows: Vec<Columns> = account::table
            .filter(account::removed_at.is_null())
            .order(account::name)
            .select((
                account::id,
                account::name,
                account::display,
                account::mail,
                account::source,
                account::password,
                account::groups,
                account::admin_disabled,
                account::directory_disabled,
                account::created_at,
            ))
            .load(&mut self.conn)?;
        rows.into_iter().map(from_row).collect()
    }
}

impl Tx {
    /// Adds a person or brings what the directory says up to date; somebody who had been removed is back.
    pub(crate) fn put_account(&mut self, draft: &AccountDraft, now: Timestamp) -> Result<(), StoreError> {
        let id = draft.id.to_bytes();
        let groups = serde_json::to_string(&draft.groups).unwrap_or_else(|_| "[]".into());
        let said = (
            account::name.eq(&draft.name),
            account::display.eq(&draft.display),
            account::mail.eq(&draft.mail),
            account::source.eq(draft.source.as_str()),
            account::groups.eq(&groups),
            account::directory_disabled.eq(&draft.directory_disabled),
            account::removed_at.eq(None::<i64>),
        );
        diesel::insert_into(account::table)
            .values((account::id.eq(&id[..]), account::created_at.eq(now.micros()), said))
            .on_conflict(account::id)
            .do_update()
            .set(said)
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// Gives a known account another name; nothing happens to an unknown one.
    pub(crate) fn set_account_name(&mut self, id: AccountId, name: &str) -> Result<(), StoreError> {
        diesel::update(account::table.find(id.to_bytes().to_vec()))
            .set(account::name.eq(name))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// Sets the Argon2id string of a built-in account.
    pub(crate) fn set_password(&mut self, id: AccountId, phc: &str) -> Result<(), StoreError> {
        diesel::update(account::table.find(id.to_bytes().to_vec()))
            .set(account::password.eq(phc))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// An admin's decision, which no sync undoes.
    pub(crate) fn set_admin_disabled(&mut self, id: AccountId, disabled: bool) -> Result<(), StoreError> {
        diesel::update(account::table.find(id.to_bytes().to_vec()))
            .set(account::admin_disabled.eq(disabled))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// The person is gone; the row stays, because the audit and old messages name its id.
    pub(crate) fn remove_account(&mut self, id: AccountId, now: Timestamp) -> Result<(), StoreError> {
        diesel::update(account::table.find(id.to_bytes().to_vec()))
            .set((account::removed_at.eq(now.micros()), account::password.eq(None::<String>)))
            .execute(&mut self.view.conn)?;
        Ok(())
    }
}

fn from_row(row: Columns) -> Result<Account, StoreError> {
    let (id, name, display, mail, source, password, groups, admin_disabled, directory_disabled, created_at) =
        row;
    Ok(Account {
        id: AccountId::from_bytes(id16(id)?),
        name,
        display,
        mail,
        source: if source == "ldap" { Source::Ldap } else { Source::Builtin },
        password,
        groups: serde_json::from_str(&groups).map_err(|why| bad_row(why.to_string()))?,
        admin_disabled,
        directory_disabled,
        created_at: Timestamp::from_micros(created_at),
    })
}
