//! People: from the built-in directory, or as the last sync of LDAP saw them.

use std::sync::Arc;

use diesel::connection::DefaultLoadingMode;
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::kept::{Kept, Value, statement};
use super::schema::{account, verifier};
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
    pub(crate) password: Option<Box<str>>,
    pub(crate) groups: Vec<String>,
    pub(crate) admin_disabled: bool,
    pub(crate) directory_disabled: Option<Box<str>>,
    pub(crate) created_at: Timestamp,
    /// Only of people from LDAP that were heard of since it is kept.
    pub(crate) entry: Option<Arc<Entry>>,
}

/// What the directory says of somebody beyond what others see, from which the account follows. There are as many as people:
/// what few have takes little room where it is absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Where it stands today.
    pub(crate) dn: String,
    /// What they sign in with, in lower case: the account's name, unless that belongs to somebody else.
    pub(crate) login: String,
    /// Names of the groups that it lists itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) groups: Vec<String>,
    /// Why the directory holds it disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) disabled: Option<Box<str>>,
    /// When time alone will disable it, and what is said of it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<Box<(Timestamp, Box<str>)>>,
    /// Only of people that were heard of since it is kept.
    #[serde(default, skip_serializing_if = "Card::is_empty")]
    pub(crate) card: Card,
    /// The digest of the photo, which is kept elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) photo: Option<Box<str>>,
}

/// What others may want to know of somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Card {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) phone: Option<Box<str>>,
    /// As in `de-AT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) locale: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) time_zone: Option<Box<str>>,
}

impl Entry {
    /// As it is written down.
    pub(crate) fn written(&self) -> Result<Arc<str>, StoreError> {
        to_json(self).map(Arc::from)
    }
}

impl Card {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
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
    pub(crate) directory_disabled: Option<Box<str>>,
    pub(crate) entry: Option<Arc<Entry>>,
    /// The entry as it will be written, where it was made ready: the writer has more to do than whoever waits for it.
    pub(crate) written: Option<Arc<str>>,
}

impl AccountDraft {
    /// The digest of the photo, where there is one.
    pub(crate) fn photo(&self) -> Option<&str> {
        self.entry.as_ref()?.photo.as_deref()
    }

    /// The account that the store then has, if it had this one before.
    pub(crate) fn account(self, before: Option<&Account>, now: Timestamp) -> Account {
        Account {
            id: self.id,
            name: self.name,
            display: self.display,
            mail: self.mail,
            source: self.source,
            password: before.and_then(|before| before.password.clone()),
            groups: self.groups,
            admin_disabled: before.is_some_and(|before| before.admin_disabled),
            directory_disabled: self.directory_disabled,
            created_at: before.map_or(now, |before| before.created_at),
            entry: self.entry,
        }
    }
}

impl Account {
    /// What others may want to know; nothing of people of the built-in directory.
    pub(crate) fn card(&self) -> Card {
        self.entry.as_ref().map(|entry| entry.card.clone()).unwrap_or_default()
    }

    /// The digest of the photo, where there is one.
    pub(crate) fn photo(&self) -> Option<&str> {
        self.entry.as_ref()?.photo.as_deref()
    }

    /// Why the account may not act; `None` when it may.
    pub(crate) fn disabled(&self) -> Option<&str> {
        if self.admin_disabled {
            return Some("disabled by an admin");
        }
        self.directory_disabled.as_deref()
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = account)]
struct Row {
    id: Vec<u8>,
    name: String,
    display: String,
    mail: Option<String>,
    source: String,
    password: Option<String>,
    groups: String,
    admin_disabled: bool,
    directory_disabled: Option<String>,
    created_at: i64,
    entry: Option<String>,
}

impl View {
    /// Everybody who has not been removed, by name.
    pub(crate) fn accounts(&mut self) -> Result<Vec<Arc<Account>>, StoreError> {
        let all = account::table.filter(account::removed_at.is_null()).order(account::name);
        let rows = all.select(Row::as_select()).load_iter::<Row, DefaultLoadingMode>(&mut self.conn)?;
        rows.map(|row| from_row(row?).map(Arc::new)).collect()
    }

    /// Somebody who has not been removed.
    pub(crate) fn account(&mut self, id: AccountId) -> Result<Option<Account>, StoreError> {
        let row = account::table.find(id.to_bytes().to_vec()).filter(account::removed_at.is_null());
        row.select(Row::as_select()).first(&mut self.conn).optional()?.map(from_row).transpose()
    }
}

impl Tx {
    /// Adds a person; `false` where somebody with this id had been removed and is back.
    pub(crate) fn add_account(&mut self, draft: &AccountDraft, now: Timestamp) -> Result<bool, StoreError> {
        let (id, (groups, entry)) = (draft.id.to_bytes(), said(draft)?);
        let [name, display, mail, source, groups, disabled, entry] = columns(draft, &groups, &entry);
        let values =
            [id[..].into(), name, display, mail, source, groups, disabled, entry, now.micros().into()];
        let is_new = Kept(Add, &values).run(&mut self.view.conn)? > 0;
        if !is_new {
            self.change_account(draft)?;
        } else if draft.photo().is_some() {
            self.put_photo(draft.id, draft.photo())?;
        }
        Ok(is_new)
    }

    /// Brings what the directory says of a known person up to date.
    pub(crate) fn change_account(&mut self, draft: &AccountDraft) -> Result<(), StoreError> {
        let (id, (groups, entry)) = (draft.id.to_bytes(), said(draft)?);
        let [name, display, mail, source, groups, disabled, entry] = columns(draft, &groups, &entry);
        let values = [name, display, mail, source, groups, disabled, entry, id[..].into()];
        Kept(Change, &values).run(&mut self.view.conn)?;
        self.put_photo(draft.id, draft.photo())
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
        let key = id.to_bytes().to_vec();
        diesel::update(account::table.find(&key))
            .set((account::removed_at.eq(now.micros()), account::password.eq(None::<String>)))
            .execute(&mut self.view.conn)?;
        diesel::delete(verifier::table.find(&key)).execute(&mut self.view.conn)?;
        self.put_photo(id, None)
    }
}

statement!(
    Add,
    "INSERT INTO account (id, name, display, mail, source, groups, directory_disabled, entry, created_at) \
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
);

statement!(
    Change,
    "UPDATE account SET name = ?, display = ?, mail = ?, source = ?, groups = ?, directory_disabled = ?, \
    entry = ?, removed_at = NULL WHERE id = ?"
);

/// Groups and entry, as they are written.
fn said(draft: &AccountDraft) -> Result<(String, Option<Arc<str>>), StoreError> {
    let entry = match (&draft.written, &draft.entry) {
        (Some(written), _) => Some(written.clone()),
        (None, entry) => entry.as_deref().map(Entry::written).transpose()?,
    };
    Ok((to_json(&draft.groups)?, entry))
}

fn columns<'a>(draft: &'a AccountDraft, groups: &'a str, entry: &'a Option<Arc<str>>) -> [Value<'a>; 7] {
    [
        draft.name.as_str().into(),
        draft.display.as_str().into(),
        draft.mail.as_deref().into(),
        draft.source.as_str().into(),
        groups.into(),
        draft.directory_disabled.as_deref().into(),
        entry.as_deref().into(),
    ]
}

fn from_row(row: Row) -> Result<Account, StoreError> {
    Ok(Account {
        id: AccountId::from_bytes(id16(row.id)?),
        name: row.name,
        display: row.display,
        mail: row.mail,
        source: if row.source == "ldap" { Source::Ldap } else { Source::Builtin },
        password: row.password.map(Into::into),
        groups: from_json(&row.groups)?,
        admin_disabled: row.admin_disabled,
        directory_disabled: row.directory_disabled.map(Into::into),
        created_at: Timestamp::from_micros(row.created_at),
        entry: row.entry.as_deref().map(from_json).transpose()?.map(Arc::new),
    })
}

pub(super) fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|why| bad_row(why.to_string()))
}

pub(super) fn from_json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|why| bad_row(why.to_string()))
}
