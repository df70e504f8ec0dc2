//! Requests of every kind: drawn from a seed, on a few dozen keys.

use openssl::asn1::{Asn1Object, Asn1OctetString};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::Rsa;
use openssl::stack::Stack;
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509Extension, X509NameBuilder, X509Req};

/// Keys, and names for alice and for others.
pub(super) struct Desk {
    keys: Vec<PKey<Private>>,
    urn: String,
}

/// A request.
pub(super) struct Asked {
    pub(super) der: Vec<u8>,
    /// What it holds, for whoever reads a failure.
    pub(super) told: String,
    /// The mail address that it asks for, which an order by ACME then has to name.
    pub(super) mail: Option<&'static str>,
}

/// The same numbers for the same seed (SplitMix64, whose step is the golden ratio).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }
}

impl Desk {
    /// The places of keys that alice cannot have certified.
    pub(super) const TAKEN: usize = 0;
    pub(super) const REVOKED: usize = 1;

    pub(super) fn new(urn: &str) -> Self {
        let mut keys = Vec::new();
        for (curve, count) in [
            (Nid::X9_62_PRIME256V1, 14),
            (Nid::SECP384R1, 5),
            (Nid::SECP521R1, 4),
            (Nid::SECP256K1, 2),
            (Nid::SECP224R1, 1),
        ] {
            keys.extend((0..count).map(|_| elliptic(curve)));
        }
        keys.extend((0..4).map(|_| PKey::generate_ed25519().unwrap()));
        keys.push(PKey::generate_ed448().unwrap());
        keys.extend(
            [1024, 2048, 2048, 3072].map(|bits| Rsa::generate(bits).and_then(PKey::from_rsa).unwrap()),
        );
        let three = BigNum::from_u32(3).unwrap();
        keys.push(Rsa::generate_with_e(2048, &three).and_then(PKey::from_rsa).unwrap());
        Self { keys, urn: urn.to_owned() }
    }

    /// A request on one of the keys for a common name alone.
    pub(super) fn plain(&self, key: usize, name: &str) -> Vec<u8> {
        let mut request = X509Req::builder().unwrap();
        let mut subject = X509NameBuilder::new().unwrap();
        subject.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
        request.set_subject_name(&subject.build()).unwrap();
        request.set_pubkey(&self.keys[key]).unwrap();
        request.sign(&self.keys[key], MessageDigest::sha256()).unwrap();
        request.build().to_der().unwrap()
    }

    /// The request of this number.
    pub(super) fn draw(&self, seed: u64) -> Asked {
        let mut dice = Dice(seed);
        let key = match dice.one_in(3) {
            true => dice.below(self.keys.len()),
            false => 2 + dice.below(12),
        };
        let mut asked = Drawn::new(format!("key {key}"));
        asked.subject(&mut dice);
        asked.alternatives(&mut dice, &self.urn);
        asked.rights(&mut dice);
        asked.sign(&mut dice, &self.keys[key], &self.keys[2])
    }
}

/// A request in the making.
struct Drawn {
    subject: X509NameBuilder,
    extensions: Stack<X509Extension>,
    told: String,
    mail: Option<&'static str>,
}

impl Drawn {
    fn new(told: String) -> Self {
        let (subject, extensions) = (X509NameBuilder::new().unwrap(), Stack::new().unwrap());
        Self { subject, extensions, told, mail: None }
    }

    fn say(&mut self, what: &str) {
        self.told += ", ";
        self.told += what;
    }

    /// Mostly alice's own name, or none.
    fn subject(&mut self, dice: &mut Dice) {
        let common = |name: &'static str| (Nid::COMMONNAME, name);
        let names = match dice.below(10) {
            0 => vec![],
            1 => vec![common("alice"), (Nid::ORGANIZATIONNAME, "Elsewhere")],
            2 => vec![common("alice"), (Nid::PKCS9_EMAILADDRESS, MAIL)],
            3 if dice.one_in(2) => vec![common(["bob", "Alice", "al\0ice"][dice.below(3)])],
            4 if dice.one_in(2) => vec![common("alice"), common("root")],
            5 if dice.one_in(2) => vec![common(MAIL)],
            _ => vec![common("alice")],
        };
        for (kind, name) in names {
            self.say(&format!("{}={name:?}", kind.short_name().unwrap()));
            self.subject.append_entry_by_nid(kind, name).unwrap();
            if name == MAIL {
                self.mail = Some(MAIL);
            }
        }
    }

    /// Own names in this or that spelling, and sometimes another's.
    fn alternatives(&mut self, dice: &mut Dice, urn: &str) {
        if dice.one_in(3) {
            return;
        }
        let (mut names, mut some) = (SubjectAlternativeName::new(), false);
        let mut add = |kind: &str, name: &str| {
            match kind {
                "URI" => names.uri(name),
                "email" => names.email(name),
                "IP" => names.ip(name),
                _ => names.dns(name),
            };
            self.told += &format!(", {kind}:{name}");
            some = true;
        };
        if dice.one_in(2) {
            let upper = format!("urn:uuid:{}", urn["urn:uuid:".len()..].to_uppercase());
            add("URI", if dice.one_in(4) { &upper } else { urn });
        }
        if dice.one_in(2) {
            let mail = if dice.one_in(4) { "alice@CORP.example" } else { MAIL };
            add("email", mail);
            self.mail = Some(MAIL);
        }
        if dice.one_in(8) {
            let (kind, name) = FOREIGN[dice.below(FOREIGN.len())];
            add(kind, name);
        }
        if dice.one_in(40) {
            (0..11).for_each(|number| add("DNS", &format!("host{number}.corp.example")));
        }
        if some {
            let extension = names.build(&X509Req::builder().unwrap().x509v3_context(None)).unwrap();
            self.extensions.push(extension).unwrap();
        }
    }

    /// What a certificate is to be good for: seldom more than anybody may have.
    fn rights(&mut self, dice: &mut Dice) {
        let (extension, told) = match dice.below(30) {
            0 => (BasicConstraints::new().critical().ca().build(), "CA:TRUE"),
            1 => (KeyUsage::new().critical().key_cert_sign().build(), "keyCertSign"),
            2 => (KeyUsage::new().crl_sign().build(), "cRLSign"),
            3 => (unknown(true), "an unknown critical extension"),
            4 => (unknown(false), "an unknown extension"),
            5 => (BasicConstraints::new().build(), "CA:FALSE"),
            6 => (KeyUsage::new().digital_signature().build(), "digitalSignature"),
            7 => (ExtendedKeyUsage::new().server_auth().build(), "serverAuth"),
            _ => return,
        };
        self.say(told);
        self.extensions.push(extension.unwrap()).unwrap();
    }

    fn sign(mut self, dice: &mut Dice, key: &PKey<Private>, other: &PKey<Private>) -> Asked {
        let mut request = X509Req::builder().unwrap();
        request.set_version(0).unwrap();
        request.set_pubkey(key).unwrap();
        if !self.extensions.is_empty() {
            request.add_extensions(&self.extensions).unwrap();
        }
        let foreign = dice.one_in(25);
        if foreign {
            self.say("signed by another key");
        }
        let signer = if foreign { other } else { key };
        let digest = match signer.id() {
            Id::ED25519 | Id::ED448 => MessageDigest::null(),
            _ => [MessageDigest::sha256(), MessageDigest::sha384(), MessageDigest::sha512()][dice.below(3)],
        };
        let subject = std::mem::replace(&mut self.subject, X509NameBuilder::new().unwrap()).build();
        request.set_subject_name(&subject).unwrap();
        request.sign(signer, digest).unwrap();
        let mut der = request.build().to_der().unwrap();
        if dice.one_in(20) {
            // Behind the outermost head, so that it is still one value.
            let at = 8 + dice.below(der.len() - 8);
            der[at] ^= 1 << dice.below(8);
            self.say(&format!("byte {at} bent"));
        }
        Asked { der, told: self.told, mail: self.mail }
    }
}

fn elliptic(curve: Nid) -> PKey<Private> {
    let group = EcGroup::from_curve_name(curve).unwrap();
    EcKey::generate(&group).and_then(PKey::from_ec_key).unwrap()
}

/// An extension under an arc for examples (RFC 5612's enterprise number).
fn unknown(critical: bool) -> Result<X509Extension, openssl::error::ErrorStack> {
    let (kind, value) =
        (Asn1Object::from_str("1.3.6.1.4.1.32473.1")?, Asn1OctetString::new_from_bytes(&[5, 0])?);
    X509Extension::new_from_der(&kind, critical, &value)
}

const MAIL: &str = "alice@corp.example";
const FOREIGN: [(&str, &str); 6] = [
    ("URI", "urn:uuid:5f0c9d3e-2b1a-4c8d-9e7f-000000000001"),
    ("URI", "https://corp.example/alice"),
    ("email", "bob@corp.example"),
    ("DNS", "corp.example"),
    ("DNS", "*.corp.example"),
    ("IP", "192.0.2.7"),
];
