//! A card: what mail clients may learn of one person.

use std::sync::Arc;

use uuid::Uuid;

use super::entry::Draft;
use super::schema::Attribute;
use super::tree::Tree;

/// One person as the employer knows them. What is empty is not served, nor is what is not [`Allowed`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Card {
    /// Names the entry: `uid=…,ou=people,SUFFIX`. One for each person, whatever its case.
    pub uid: String,
    /// Full name; the uid where there is none, since the schema wants one.
    pub cn: String,
    /// Family name; the last word of `cn` where there is none, since the schema wants one.
    pub sn: Option<String>,
    /// First name.
    pub given_name: Option<String>,
    /// The name that others see.
    pub display_name: Option<String>,
    /// Mail addresses, the preferred one first.
    pub mail: Vec<String>,
    /// Position in the organisation.
    pub title: Option<String>,
    /// Telephone number.
    pub telephone_number: Option<String>,
    /// A photo as JPEG. Shared, so that the next snapshot costs no copy of it.
    pub jpeg_photo: Option<Arc<[u8]>>,
    /// X.509 certificates in DER by which others encrypt to the person.
    pub user_certificate: Vec<Arc<[u8]>>,
    /// The key that survives renames (RFC 4530).
    pub entry_uuid: Uuid,
}

/// The attributes of a [`Card`] that are served. To everybody who asks, the others do not exist: they are neither sent
/// nor found nor compared nor in the schema. Names and object classes are always served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed(u64);

/// All that a card may hold besides its name.
const CHOICES: [Attribute; 10] = [
    Attribute::Cn,
    Attribute::Sn,
    Attribute::GivenName,
    Attribute::DisplayName,
    Attribute::Mail,
    Attribute::Title,
    Attribute::TelephoneNumber,
    Attribute::JpegPhoto,
    Attribute::UserCertificate,
    Attribute::EntryUuid,
];

impl Allowed {
    /// Reads names such as `mail`; the error says which one is none of a card's.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut allowed = Self(!0);
        for attribute in CHOICES {
            allowed.0 &= !attribute.bit();
        }
        for name in names {
            match Attribute::described(name) {
                Some(attribute) if attribute == Attribute::Uid || CHOICES.contains(&attribute) => {
                    allowed.0 |= attribute.bit();
                }
                _ => {
                    let known = CHOICES.map(|attribute| attribute.definition().names[0]).join(", ");
                    return Err(format!("\"{name}\" is not served; uid is, and these can be: {known}"));
                }
            }
        }
        Ok(allowed)
    }

    pub(super) fn has(self, attribute: Attribute) -> bool {
        self.0 & attribute.bit() != 0
    }
}

/// Everything.
impl Default for Allowed {
    fn default() -> Self {
        Self(!0)
    }
}

impl Card {
    /// The entry of this card; nothing for whoever has no name.
    pub(super) fn draft(self, tree: &Tree, allowed: Allowed) -> Option<Draft> {
        if self.uid.trim().is_empty() {
            return None;
        }
        let cn = if self.cn.trim().is_empty() { self.uid.clone() } else { self.cn };
        let last_word = || cn.split_whitespace().next_back().map(str::to_owned);
        let sn = self.sn.filter(|sn| !sn.trim().is_empty()).or_else(last_word);
        let mut draft = Draft { dn: tree.person(&self.uid), ..Draft::default() };
        let mut say = |attribute, values: Vec<String>| {
            let values = values.into_iter().filter(|value| !value.trim().is_empty());
            draft.texts.extend(values.map(|value| (attribute, value)));
        };
        say(Attribute::Uid, vec![self.uid]);
        say(Attribute::Cn, vec![cn]);
        say(Attribute::Sn, sn.into_iter().collect());
        say(Attribute::GivenName, self.given_name.into_iter().collect());
        say(Attribute::DisplayName, self.display_name.into_iter().collect());
        say(Attribute::Mail, self.mail);
        say(Attribute::Title, self.title.into_iter().collect());
        say(Attribute::TelephoneNumber, self.telephone_number.into_iter().collect());
        say(Attribute::EntryUuid, vec![self.entry_uuid.to_string()]);
        draft.texts.retain(|(attribute, _)| allowed.has(*attribute));
        let binary = self.jpeg_photo.into_iter().map(|photo| (Attribute::JpegPhoto, photo));
        let certificates = self.user_certificate.into_iter().map(|der| (Attribute::UserCertificate, der));
        draft.binary = binary.chain(certificates).filter(|(attribute, _)| allowed.has(*attribute)).collect();
        Some(draft)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_on_the_list_is_not_in_the_entry() {
        let card = Card {
            uid: "alice".into(),
            cn: "Alice Smith".into(),
            mail: vec!["a@corp.example".into(), String::new()],
            title: Some("Director".into()),
            user_certificate: vec![Arc::from([1, 2].as_slice())],
            ..Card::default()
        };
        let tree = Tree::new("dc=corp,dc=example").unwrap();
        let allowed = Allowed::parse(["cn", "SN", "mail", "userCertificate;binary"]).unwrap();
        let draft = card.draft(&tree, allowed).unwrap();
        let texts: Vec<_> = draft.texts.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(texts, ["alice", "Alice Smith", "Smith", "a@corp.example"]);
        assert_eq!(draft.binary.len(), 1);
        assert!(Card::default().draft(&tree, allowed).is_none());
        assert!(Allowed::parse(["userPassword"]).unwrap_err().contains("userPassword"));
    }
}
