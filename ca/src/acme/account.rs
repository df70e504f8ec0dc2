//! Accounts: who a client is (RFC 8555 §7.1.2, §7.3).

use serde::{Deserialize, Serialize};

use super::{Binding, Jwk, Payload, Problem, ProblemType, flattened::Flattened, json::Object};
use crate::names::mail_form;

/// A newAccount request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewAccount {
    /// How to reach the owner: `mailto:` with one address each.
    pub contact: Vec<String>,
    /// Whether the client agrees to the terms.
    pub terms_of_service_agreed: bool,
    /// Whether the client only asks which account has its key.
    pub only_return_existing: bool,
    external_account_binding: Option<Object<Flattened>>,
}

impl NewAccount {
    /// Reads the request.
    pub fn read(payload: Payload<'_>) -> Result<NewAccount, Problem> {
        let request: NewAccount = payload.read()?;
        check_contact(&request.contact)?;
        Ok(request)
    }

    /// The external account binding, if the request brings one; key and URL are those of the request around it.
    pub fn binding(&self, account_key: &Jwk, url: &str) -> Result<Option<Binding>, Problem> {
        let message = self.external_account_binding.as_ref();
        message.map(|message| Binding::parse(&message.0, account_key, url)).transpose()
    }
}

/// What the owner of an account changes about it (RFC 8555 §7.3.2, §7.3.6); other members are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AccountUpdate {
    /// The new contacts, if there are any to change.
    pub contact: Option<Vec<String>>,
    status: Option<AccountStatus>,
}

impl AccountUpdate {
    /// Reads the request.
    pub fn read(payload: Payload<'_>) -> Result<AccountUpdate, Problem> {
        let request: AccountUpdate = payload.read()?;
        check_contact(request.contact.as_deref().unwrap_or_default())?;
        match request.status {
            None | Some(AccountStatus::Deactivated) => Ok(request),
            Some(_) => Err(Problem::malformed("a client can only set the status `deactivated`")),
        }
    }

    /// Whether the account is to end.
    pub fn deactivates(&self) -> bool {
        self.status == Some(AccountStatus::Deactivated)
    }
}

/// An account object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Whether it may be used.
    pub status: AccountStatus,
    /// How to reach the owner.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contact: Vec<String>,
    /// Whether the owner agreed to the terms, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms_of_service_agreed: Option<bool>,
    /// The URL of its list of orders.
    pub orders: String,
}

/// Whether an account may be used (RFC 8555 §7.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountStatus {
    /// It may.
    Valid,
    /// Its owner ended it.
    Deactivated,
    /// The server ended it.
    Revoked,
}

/// RFC 8555 §7.3: `mailto:` URLs (RFC 6068) of one address, without headers. Percent signs are refused as well, for
/// they would hide a comma or a line break.
fn check_contact(contact: &[String]) -> Result<(), Problem> {
    if contact.len() > MOST_CONTACTS {
        return Err(Problem::new(ProblemType::InvalidContact, "an account has at most 10 contacts"));
    }
    contact.iter().try_for_each(|contact| {
        let Some(address) = contact.strip_prefix("mailto:") else {
            return Err(Problem::new(
                ProblemType::UnsupportedContact,
                "only `mailto:` contacts are supported",
            ));
        };
        if address.contains([',', '?', '%']) || address.chars().any(char::is_control) {
            return Err(Problem::new(ProblemType::InvalidContact, "a contact is one plain mail address"));
        }
        mail_form(address).map_or(Ok(()), |why| Err(Problem::new(ProblemType::InvalidContact, why)))
    })
}

const MOST_CONTACTS: usize = 10;

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;

    #[test]
    fn a_request_may_say_little_or_much() {
        let little = NewAccount::read(Payload(b"{}")).expect("a request");
        assert!(little.contact.is_empty() && !little.only_return_existing && !little.terms_of_service_agreed);
        let much = br#"{"contact": ["mailto:a@corp.example"], "termsOfServiceAgreed": true,
            "onlyReturnExisting": true, "status": "valid", "orders": ""}"#;
        let much = NewAccount::read(Payload(much)).expect("a request");
        assert_eq!(much.contact, ["mailto:a@corp.example"]);
        assert!(much.only_return_existing && much.terms_of_service_agreed);
    }

    #[test]
    fn a_contact_is_one_plain_address() {
        for (contact, kind) in [
            ("tel:+1", ProblemType::UnsupportedContact),
            ("a@corp.example", ProblemType::UnsupportedContact),
            ("mailto:", ProblemType::InvalidContact),
            ("mailto:a@corp.example,b@corp.example", ProblemType::InvalidContact),
            ("mailto:a@corp.example?subject=x", ProblemType::InvalidContact),
            ("mailto:a%0A@corp.example", ProblemType::InvalidContact),
            ("mailto:a\r\n@corp.example", ProblemType::InvalidContact),
        ] {
            let payload = json!({ "contact": [contact] }).to_string();
            for refused in [
                NewAccount::read(Payload(payload.as_bytes())).map(|_| ()),
                AccountUpdate::read(Payload(payload.as_bytes())).map(|_| ()),
            ] {
                assert_eq!(refused.expect_err(contact).kind(), kind, "{contact}");
            }
        }
        let many = json!({ "contact": vec!["mailto:a@corp.example"; 11] }).to_string();
        assert!(NewAccount::read(Payload(many.as_bytes())).is_err());
    }

    #[test]
    fn an_owner_can_only_end_the_account() {
        let read = |text: &str| AccountUpdate::read(Payload(text.as_bytes()));
        assert!(read(r#"{"status": "deactivated"}"#).expect("an update").deactivates());
        assert!(!read("{}").expect("an update").deactivates());
        assert!(read(r#"{"status": "valid"}"#).is_err());
        assert!(read(r#"{"status": "gone"}"#).is_err());
    }

    #[test]
    fn an_account_is_said_in_the_words_of_the_rfc() {
        let account = Account {
            status: AccountStatus::Valid,
            contact: vec!["mailto:a@corp.example".to_owned()],
            terms_of_service_agreed: Some(true),
            orders: "https://ca.example/acme/orders/1".to_owned(),
        };
        let said = json!({
            "status": "valid",
            "contact": ["mailto:a@corp.example"],
            "termsOfServiceAgreed": true,
            "orders": "https://ca.example/acme/orders/1",
        });
        assert_eq!(to_value(account).expect("JSON"), said);
    }
}
