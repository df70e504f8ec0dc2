//! Requests as `openssl req` writes them: every kind of key, every kind of name.

use chancery_ca::{Csr, Name, Profile, check_request};

use crate::workshop::{UUID, Workshop, alice};

/// rustls/rcgen#448: the curve of a key is not told by the hash of its signature.
#[test]
fn requests_of_every_key_kind_become_certificates_of_the_same_key() {
    let workshop = Workshop::open();
    for (kind, hash) in [
        ("ec -pkeyopt ec_paramgen_curve:P-256", "-sha256"),
        ("ec -pkeyopt ec_paramgen_curve:P-256", "-sha512"),
        ("ec -pkeyopt ec_paramgen_curve:P-384", "-sha256"),
        ("ec -pkeyopt ec_paramgen_curve:P-384", "-sha384"),
        ("ec -pkeyopt ec_paramgen_curve:P-521", "-sha256"),
        ("ec -pkeyopt ec_paramgen_curve:P-521", "-sha512"),
        ("ed25519", ""),
        ("rsa:2048", "-sha256"),
        ("rsa:3072", "-sha384"),
        ("rsa:2048", "-sha256 -sigopt rsa_padding_mode:pss"),
    ] {
        let csr = workshop.csr(kind, &format!("{hash} -subj /CN=alice.smith"));
        let issued = workshop.issue("leaf", csr.public_key(), &alice(), Profile::Client);
        assert_eq!(issued.spki_sha256, csr.spki_sha256());
        workshop.verify("-purpose sslclient", "leaf.pem").unwrap_or_else(|said| panic!("{kind}: {said}"));
        let wanted = workshop.openssl("pkey -in asked.key -pubout");
        let given = workshop.openssl("x509 -in leaf.pem -noout -pubkey");
        assert_eq!(
            wanted.lines().skip(1).collect::<Vec<_>>(),
            given.lines().skip(1).collect::<Vec<_>>(),
            "{kind}"
        );
    }
}

#[test]
fn a_request_lists_its_names_and_only_own_ones_pass() {
    let workshop = Workshop::open();
    let own = format!(
        "-addext subjectAltName=email:alice@corp.example,URI:urn:uuid:{UUID} -subj /O=Anything/CN=alice.smith"
    );
    let csr = workshop.csr("ec -pkeyopt ec_paramgen_curve:P-256", &own);
    assert_eq!(
        csr.requested(),
        [
            Name::CommonName("alice.smith".to_owned()),
            Name::Mail("alice@corp.example".to_owned()),
            Name::Uri(format!("urn:uuid:{UUID}")),
        ]
    );
    assert_eq!(check_request(&csr, &alice()), Ok(()));

    for (foreign, told) in [
        ("email:ceo@corp.example", "email:ceo@corp.example"),
        ("DNS:*", "DNS:*"),
        ("IP:127.0.0.1", "IP:127.0.0.1"),
        ("URI:urn:uuid:5f0c9d3e-2b1a-4c8d-9e7f-000000000002", "000000000002"),
        ("otherName:1.3.6.1.4.1.311.20.2.3;UTF8:ceo@corp.example", "otherName:1.3.6.1.4.1.311.20.2.3"),
        ("RID:1.2.3.4", "registeredID"),
    ] {
        let options =
            format!("-subj /CN=alice.smith -addext subjectAltName=email:alice@corp.example,{foreign}");
        let csr = workshop.csr("ed25519", &options);
        let refusal = check_request(&csr, &alice()).expect_err("a foreign name");
        assert!(refusal.to_string().contains(told), "{refusal}");
    }
    for subject in ["/CN=ceo", "/CN=alice.smith/CN=ceo", "/emailAddress=ceo@corp.example", "/UID=ceo"] {
        let csr = workshop.csr("ed25519", &format!("-subj {subject}"));
        assert!(check_request(&csr, &alice()).is_err(), "{subject}");
    }
}

/// rcgen's own reader refuses such requests.
#[test]
fn a_request_with_a_key_identifier_or_a_purpose_is_accepted() {
    let workshop = Workshop::open();
    let options = "-subj /CN=alice.smith -addext subjectKeyIdentifier=hash -addext extendedKeyUsage=clientAuth \
        -addext keyUsage=critical,digitalSignature -addext basicConstraints=critical,CA:FALSE";
    let csr = workshop.csr("ec -pkeyopt ec_paramgen_curve:P-256", options);
    assert_eq!(csr.requested(), [Name::CommonName("alice.smith".to_owned())]);
}

#[test]
fn a_request_may_come_as_der_or_in_either_armour() {
    let workshop = Workshop::open();
    let pem = workshop.request("ed25519", "-subj /CN=alice.smith");
    workshop.openssl("req -in asked.csr -outform DER -out asked.der");
    let text = String::from_utf8(pem.clone()).expect("PEM");
    let old = text.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST").replace('\n', "\r\n");
    for bytes in [pem.as_slice(), &workshop.read("asked.der"), old.as_bytes()] {
        assert!(Csr::parse(bytes).is_ok());
    }
    assert!(Csr::parse([pem.as_slice(), &pem].concat().as_slice()).is_err());
}
