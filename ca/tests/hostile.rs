//! Requests that must not pass, and bytes that must not hurt.

use chancery_ca::{Certificate, Csr, KeyPair, Profile, PublicKey, Refusal, Serial};
use proptest::prelude::*;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, SanType, string::Ia5String};

use crate::workshop::{Workshop, alice, key, public};

#[test]
fn keys_of_other_kinds_and_sizes_are_refused() {
    let workshop = Workshop::open();
    for kind in [
        "rsa:1024",
        "rsa:1024 -sha512",
        "rsa:2048 -pkeyopt rsa_keygen_pubexp:3",
        "rsa-pss -pkeyopt rsa_keygen_bits:2048",
        "ec -pkeyopt ec_paramgen_curve:secp256k1",
        "ec -pkeyopt ec_paramgen_curve:P-224",
        "ec -pkeyopt ec_paramgen_curve:brainpoolP256r1",
        "ec -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit",
        "ed448",
    ] {
        let request = workshop.request(kind, "-subj /CN=alice.smith");
        let refusal = Csr::parse(&request).expect_err("a key that is not certified");
        assert!(matches!(refusal, Refusal::Key(_)), "{kind}: {refusal}");
    }
}

#[test]
fn a_compressed_point_is_refused() {
    let workshop = Workshop::open();
    workshop.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out c.key");
    workshop.openssl("ec -in c.key -pubout -conv_form compressed -outform DER -out c.pub");
    assert!(matches!(PublicKey::from_spki(&workshop.read("c.pub")), Err(Refusal::Key(_))));
}

#[test]
fn a_point_off_the_curve_is_refused() {
    let mut spki = public(&key()).spki_der().to_vec();
    *spki.last_mut().expect("bytes") ^= 1;
    assert!(matches!(PublicKey::from_spki(&spki), Err(Refusal::Key(_))));
}

#[test]
fn the_rights_of_an_authority_are_refused() {
    let workshop = Workshop::open();
    for wish in [
        "basicConstraints=CA:TRUE",
        "basicConstraints=critical,CA:TRUE,pathlen:0",
        "keyUsage=keyCertSign",
        "keyUsage=critical,digitalSignature,cRLSign",
    ] {
        let request = workshop.request("ed25519", &format!("-subj /CN=alice.smith -addext {wish}"));
        assert_eq!(Csr::parse(&request).expect_err("a refusal"), Refusal::AuthorityWanted, "{wish}");
    }
}

#[test]
fn unknown_critical_extensions_are_refused_and_others_passed_over() {
    let workshop = Workshop::open();
    let request = |wish: &str| workshop.request("ed25519", &format!("-subj /CN=alice.smith -addext {wish}"));
    for (name, content, oid) in
        [("1.2.3.4", "ASN1:NULL", "1.2.3.4"), ("nameConstraints", "permitted;DNS:x", "2.5.29.30")]
    {
        let critical = Csr::parse(&request(&format!("{name}=critical,{content}"))).expect_err("a refusal");
        assert_eq!(critical, Refusal::CriticalExtension(oid.to_owned()));
        assert!(Csr::parse(&request(&format!("{name}={content}"))).is_ok(), "{name}");
    }
}

#[test]
fn control_characters_and_masses_of_names_are_refused() {
    for name in ["alice\0.corp.example", "alice\r\nBcc: ceo", "", &"a".repeat(300)] {
        for place in [common_name as fn(&str) -> Vec<u8>, dns_name, mail] {
            let refusal = Csr::parse(&place(name)).expect_err("a name that cannot be read");
            assert!(matches!(refusal, Refusal::UnreadableName(_)), "{name:?}: {refusal}");
        }
    }
    let many = |count: usize| {
        let mut params = CertificateParams::default();
        params.subject_alt_names =
            (0..count).map(|number| SanType::DnsName(ia5(&format!("h{number}")))).collect();
        signed(&params)
    };
    assert_eq!(Csr::parse(&many(10)).expect("ten names").requested().len(), 11);
    assert_eq!(Csr::parse(&many(11)).expect_err("eleven names"), Refusal::TooManyNames(10));
}

#[test]
fn no_part_of_a_request_can_be_changed() {
    let whole = common_name("alice.smith");
    assert!(Csr::parse(&whole).is_ok());
    for place in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[place / 8] ^= 1 << (place % 8);
        assert!(Csr::parse(&flipped).is_err(), "bit {place}");
    }
    for length in 0..whole.len() {
        assert!(Csr::parse(&whole[..length]).is_err(), "cut to {length}");
    }
    assert!(matches!(Csr::parse(&[&whole[..], b"\0"].concat()), Err(Refusal::Malformed(_))));
    let last = whole.len() - 1;
    let forged = [&whole[..last], &[whole[last] ^ 1]].concat();
    assert_eq!(Csr::parse(&forged).expect_err("a refusal"), Refusal::BadSignature);
}

#[test]
fn a_megabyte_is_not_even_read() {
    for filler in [b'0', b'-', b'\n'] {
        let refusal = Csr::parse(&vec![filler; 1 << 20]).expect_err("a refusal");
        assert_eq!(refusal, Refusal::TooLong { found: 1 << 20, most: 16384 });
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        prop_assert!(Csr::parse(&bytes).is_err());
        prop_assert!(PublicKey::from_spki(&bytes).is_err());
        prop_assert!(Certificate::parse(&bytes).is_err());
    }

    #[test]
    fn arbitrary_text_is_refused_without_panic(text in "(-----(BEGIN|END) [A-Z ]{0,20}-----|[A-Za-z0-9+/=:\n]{0,80}|.{0,20}|\n){0,20}") {
        prop_assert!(Csr::parse(text.as_bytes()).is_err());
        prop_assert!(Certificate::from_pem(&text).is_err());
        prop_assert!(KeyPair::from_pkcs8_pem(&text).is_err());
        prop_assert!(KeyPair::open(&text, b"passphrase").is_err());
    }

    #[test]
    fn a_signed_request_may_hold_any_extension_without_panic(
        which in prop::sample::select(vec![14u64, 15, 17, 19, 30, 31, 32, 35, 37, 99]),
        content in prop::collection::vec(any::<u8>(), 0..200),
        tag in any::<u8>(),
    ) {
        let framed = [&[0x30, content.len() as u8 + 2, tag, content.len() as u8][..], &content].concat();
        for content in [content, framed] {
            let mut params = CertificateParams::default();
            params.custom_extensions.push(CustomExtension::from_oid_content(&[2, 5, 29, which], content));
            let _ = Csr::parse(&signed(&params));
        }
    }

    #[test]
    fn a_damaged_certificate_is_read_or_not_but_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut der = CERTIFICATE.with(Clone::clone);
        for (place, byte) in changes {
            *place.get_mut(&mut der) = byte;
        }
        if let Ok(certificate) = Certificate::parse(&der) {
            let _ = certificate.account_uuid();
        }
    }

    #[test]
    fn a_serial_survives_its_text(first in 1u8..=0x7F, rest in any::<[u8; 15]>()) {
        let mut bytes = [first; 16];
        bytes[1..].copy_from_slice(&rest);
        let serial = Serial::from_bytes(bytes).expect("in range");
        prop_assert_eq!(serial.as_bytes(), &bytes);
        prop_assert_eq!(Serial::from_hex(&serial.to_string()), Ok(serial));
        prop_assert_eq!(Serial::from_hex(&serial.to_string().to_lowercase()), Ok(serial));
    }

    #[test]
    fn any_text_is_a_serial_or_is_not(text in ".{0,40}") {
        if let Ok(serial) = Serial::from_hex(&text) {
            prop_assert_eq!(serial.to_string(), text.replace(':', "").to_uppercase());
        }
    }
}

thread_local! {
    static CERTIFICATE: Vec<u8> =
        Workshop::open().issue("leaf", &public(&key()), &alice(), Profile::Client).der;
    static SIGNER: rcgen::KeyPair = rcgen::KeyPair::generate().expect("a key");
}

fn signed(params: &CertificateParams) -> Vec<u8> {
    SIGNER.with(|key| params.serialize_request(key).expect("a request").der().to_vec())
}

fn ia5(text: &str) -> Ia5String {
    Ia5String::try_from(text).expect("ASCII")
}

fn common_name(name: &str) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    signed(&params)
}

fn dns_name(name: &str) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::DnsName(ia5(name))];
    signed(&params)
}

fn mail(name: &str) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::Rfc822Name(ia5(name))];
    signed(&params)
}
