//! The schema: every attribute and object class that is served, by name and number (RFC 4512 §4.1).

/// An attribute that this server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attribute {
    ObjectClass,
    Uid,
    Cn,
    Sn,
    GivenName,
    DisplayName,
    Mail,
    Title,
    TelephoneNumber,
    JpegPhoto,
    UserCertificate,
    EntryUuid,
    Dc,
    O,
    Ou,
    SubschemaSubentry,
    NamingContexts,
    SupportedControl,
    SupportedExtension,
    SupportedFeatures,
    SupportedLdapVersion,
    SupportedSaslMechanisms,
    VendorName,
    /// objectClasses
    Classes,
    /// attributeTypes
    Types,
}

/// How values of an attribute are compared (RFC 4517 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// caseIgnoreMatch, and the same of IA5 strings.
    Text,
    /// telephoneNumberMatch: spaces and hyphens do not count.
    Telephone,
    /// objectIdentifierMatch: a name is as good as its number.
    Identifier,
    /// uuidMatch (RFC 4530).
    Uuid,
    /// distinguishedNameMatch.
    Name,
    /// integerMatch.
    Number,
    /// Nothing is equal to anything: only presence is told.
    None,
}

/// One row of the schema.
pub(super) struct Definition {
    /// The name that answers use comes first.
    pub(super) names: &'static [&'static str],
    pub(super) oid: &'static str,
    pub(super) rule: Rule,
    /// What stands in attributeTypes after the names.
    described: &'static str,
    /// Whether it is sent only to those who ask for it (RFC 4512 §3.4).
    pub(super) operational: bool,
}

const TEXT: &str =
    "EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15";
const IA5: &str =
    "EQUALITY caseIgnoreIA5Match SUBSTR caseIgnoreIA5SubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.26";
const DSA: &str = "SYNTAX 1.3.6.1.4.1.1466.115.121.1.38 NO-USER-MODIFICATION USAGE dSAOperation";

const fn user(
    names: &'static [&'static str],
    oid: &'static str,
    rule: Rule,
    described: &'static str,
) -> Definition {
    Definition { names, oid, rule, described, operational: false }
}

const fn operational(
    names: &'static [&'static str],
    oid: &'static str,
    rule: Rule,
    described: &'static str,
) -> Definition {
    Definition { names, oid, rule, described, operational: true }
}

/// In the order of [`Attribute`]. RFC 4512, 4519, 4523, 4524, 4530, 3045 and 2798 say the same.
static DEFINITIONS: [Definition; 25] = [
    user(
        &["objectClass"],
        "2.5.4.0",
        Rule::Identifier,
        "EQUALITY objectIdentifierMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.38",
    ),
    user(&["uid", "userid"], "0.9.2342.19200300.100.1.1", Rule::Text, TEXT),
    user(&["cn", "commonName"], "2.5.4.3", Rule::Text, TEXT),
    user(&["sn", "surname"], "2.5.4.4", Rule::Text, TEXT),
    user(&["givenName", "gn"], "2.5.4.42", Rule::Text, TEXT),
    user(&["displayName"], "2.16.840.1.113730.3.1.241", Rule::Text, TEXT),
    user(&["mail", "rfc822Mailbox"], "0.9.2342.19200300.100.1.3", Rule::Text, IA5),
    user(&["title"], "2.5.4.12", Rule::Text, TEXT),
    user(
        &["telephoneNumber"],
        "2.5.4.20",
        Rule::Telephone,
        "EQUALITY telephoneNumberMatch SUBSTR telephoneNumberSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.50",
    ),
    user(&["jpegPhoto"], "0.9.2342.19200300.100.1.60", Rule::None, "SYNTAX 1.3.6.1.4.1.1466.115.121.1.28"),
    user(
        &["userCertificate"],
        "2.5.4.36",
        Rule::None,
        "EQUALITY certificateExactMatch SYNTAX 1.3.6.1.1.15.1",
    ),
    operational(
        &["entryUUID"],
        "1.3.6.1.1.16.4",
        Rule::Uuid,
        "EQUALITY uuidMatch ORDERING uuidOrderingMatch SYNTAX 1.3.6.1.1.16.1 SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation",
    ),
    user(
        &["dc", "domainComponent"],
        "0.9.2342.19200300.100.1.25",
        Rule::Text,
        "EQUALITY caseIgnoreIA5Match SUBSTR caseIgnoreIA5SubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE",
    ),
    user(&["o", "organizationName"], "2.5.4.10", Rule::Text, TEXT),
    user(&["ou", "organizationalUnitName"], "2.5.4.11", Rule::Text, TEXT),
    operational(
        &["subschemaSubentry"],
        "2.5.18.10",
        Rule::Name,
        "EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation",
    ),
    operational(
        &["namingContexts"],
        "1.3.6.1.4.1.1466.101.120.5",
        Rule::Name,
        "SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 USAGE dSAOperation",
    ),
    operational(&["supportedControl"], "1.3.6.1.4.1.1466.101.120.13", Rule::Identifier, DSA),
    operational(&["supportedExtension"], "1.3.6.1.4.1.1466.101.120.7", Rule::Identifier, DSA),
    operational(&["supportedFeatures"], "1.3.6.1.4.1.4203.1.3.5", Rule::Identifier, DSA),
    operational(
        &["supportedLDAPVersion"],
        "1.3.6.1.4.1.1466.101.120.15",
        Rule::Number,
        "SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 USAGE dSAOperation",
    ),
    operational(
        &["supportedSASLMechanisms"],
        "1.3.6.1.4.1.1466.101.120.14",
        Rule::Text,
        "SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 USAGE dSAOperation",
    ),
    operational(
        &["vendorName"],
        "1.3.6.1.1.4",
        Rule::Text,
        "SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE NO-USER-MODIFICATION USAGE dSAOperation",
    ),
    operational(
        &["objectClasses"],
        "2.5.21.6",
        Rule::None,
        "EQUALITY objectIdentifierFirstComponentMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.37 USAGE directoryOperation",
    ),
    operational(
        &["attributeTypes"],
        "2.5.21.5",
        Rule::None,
        "EQUALITY objectIdentifierFirstComponentMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.3 USAGE directoryOperation",
    ),
];

impl Attribute {
    pub(super) const ALL: [Self; 25] = [
        Self::ObjectClass,
        Self::Uid,
        Self::Cn,
        Self::Sn,
        Self::GivenName,
        Self::DisplayName,
        Self::Mail,
        Self::Title,
        Self::TelephoneNumber,
        Self::JpegPhoto,
        Self::UserCertificate,
        Self::EntryUuid,
        Self::Dc,
        Self::O,
        Self::Ou,
        Self::SubschemaSubentry,
        Self::NamingContexts,
        Self::SupportedControl,
        Self::SupportedExtension,
        Self::SupportedFeatures,
        Self::SupportedLdapVersion,
        Self::SupportedSaslMechanisms,
        Self::VendorName,
        Self::Classes,
        Self::Types,
    ];

    pub(super) fn definition(self) -> &'static Definition {
        &DEFINITIONS[self as usize]
    }

    /// The attribute of this name or number, whatever its case, without options.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|attribute| {
            let definition = attribute.definition();
            definition.oid == name || definition.names.iter().any(|known| known.eq_ignore_ascii_case(name))
        })
    }

    /// The attribute of a description with its options. What is asked for in a language or a form that no value has,
    /// is not there.
    pub(super) fn described(description: &str) -> Option<Self> {
        let (name, options) = description.split_once(';').unwrap_or((description, ""));
        let attribute = Self::named(name)?;
        let binary = options.eq_ignore_ascii_case("binary") && attribute == Self::UserCertificate;
        (options.is_empty() || binary).then_some(attribute)
    }

    /// As answers spell it. Certificates always travel in binary (RFC 4523 §2.1).
    pub(super) fn spelt(self) -> &'static str {
        match self {
            Self::UserCertificate => "userCertificate;binary",
            other => other.definition().names[0],
        }
    }

    /// What attributeTypes says of it (RFC 4512 §4.1.2).
    pub(super) fn description(self) -> String {
        let Definition { names, oid, described, .. } = self.definition();
        match names {
            [one] => format!("( {oid} NAME '{one}' {described} )"),
            many => format!("( {oid} NAME ( '{}' ) {described} )", many.join("' '")),
        }
    }
}

/// An object class: name, number, what objectClasses says between them and its attributes, and those it must and may have.
struct Class(&'static str, &'static str, &'static str, &'static [Attribute], &'static [Attribute]);

static CLASSES: [Class; 8] = [
    Class("top", "2.5.6.0", "ABSTRACT", &[Attribute::ObjectClass], &[]),
    Class(
        "person",
        "2.5.6.6",
        "SUP top STRUCTURAL",
        &[Attribute::Sn, Attribute::Cn],
        &[Attribute::TelephoneNumber],
    ),
    Class(
        "organizationalPerson",
        "2.5.6.7",
        "SUP person STRUCTURAL",
        &[],
        &[Attribute::Title, Attribute::TelephoneNumber],
    ),
    Class(
        "inetOrgPerson",
        "2.16.840.1.113730.3.2.2",
        "SUP organizationalPerson STRUCTURAL",
        &[],
        &[
            Attribute::DisplayName,
            Attribute::GivenName,
            Attribute::JpegPhoto,
            Attribute::Mail,
            Attribute::Uid,
            Attribute::UserCertificate,
        ],
    ),
    Class("domain", "0.9.2342.19200300.100.4.13", "SUP top STRUCTURAL", &[Attribute::Dc], &[]),
    Class("organization", "2.5.6.4", "SUP top STRUCTURAL", &[Attribute::O], &[]),
    Class("organizationalUnit", "2.5.6.5", "SUP top STRUCTURAL", &[Attribute::Ou], &[]),
    Class("subschema", "2.5.20.1", "AUXILIARY", &[], &[Attribute::Classes, Attribute::Types]),
];

/// What objectClasses says (RFC 4512 §4.1.1), of the attributes that are served.
pub(super) fn classes(served: impl Fn(Attribute) -> bool) -> Vec<String> {
    let list = |word: &str, attributes: &[Attribute]| {
        let served = attributes.iter().filter(|attribute| served(**attribute));
        let names: Vec<_> = served.map(|attribute| attribute.definition().names[0]).collect();
        match names.len() {
            0 => String::new(),
            _ => format!(" {word} ( {} )", names.join(" $ ")),
        }
    };
    let describe = |Class(name, oid, kind, must, may): &Class| {
        format!("( {oid} NAME '{name}' {kind}{}{} )", list("MUST", must), list("MAY", may))
    };
    CLASSES.iter().map(describe).collect()
}

/// The name of an object class that has this name or number.
pub(super) fn class(name: &str) -> Option<&'static str> {
    let found = CLASSES.iter().find(|class| class.1 == name || class.0.eq_ignore_ascii_case(name));
    found.map(|class| class.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_and_number_is_one_attribute() {
        for (place, attribute) in Attribute::ALL.into_iter().enumerate() {
            assert_eq!(place, attribute as usize);
            let definition = attribute.definition();
            for name in definition.names.iter().chain([&definition.oid]) {
                assert_eq!(Attribute::named(&name.to_uppercase()), Some(attribute), "{name}");
            }
            let told = format!("{attribute:?}").to_lowercase();
            assert!(definition.names[0].to_lowercase().ends_with(&told), "{told}");
        }
    }

    #[test]
    fn options_are_those_that_values_have() {
        assert_eq!(Attribute::described("USERCERTIFICATE;Binary"), Some(Attribute::UserCertificate));
        assert_eq!(Attribute::described("userCertificate"), Some(Attribute::UserCertificate));
        assert_eq!(Attribute::described("2.5.4.36;binary"), Some(Attribute::UserCertificate));
        assert_eq!(Attribute::described("cn;lang-de"), None);
        assert_eq!(Attribute::described("cn;binary"), None);
    }

    #[test]
    fn descriptions_read_as_the_standard_writes_them() {
        assert_eq!(
            Attribute::Cn.description(),
            "( 2.5.4.3 NAME ( 'cn' 'commonName' ) EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )"
        );
        let classes = classes(|attribute| attribute != Attribute::TelephoneNumber);
        assert_eq!(classes[1], "( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST ( sn $ cn ) )");
        assert_eq!(classes[2], "( 2.5.6.7 NAME 'organizationalPerson' SUP person STRUCTURAL MAY ( title ) )");
        assert_eq!(class("2.16.840.1.113730.3.2.2"), Some("inetOrgPerson"));
        assert_eq!(class("INETORGPERSON"), class("inetorgperson"));
        assert_eq!(class("groupOfNames"), None);
    }
}
