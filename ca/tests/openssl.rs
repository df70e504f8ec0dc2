//! The `openssl` command reads and judges what the authority makes.

use std::time::Duration;

use chancery_ca::{
    Authority, Failure, Flavor, KeyKind, KeyPair, Name, Profile, Reason, Refusal, Revoked, Serial, Shard,
    Subject, check_request, pkcs12,
};

use crate::workshop::{NOW, UUID, Workshop, alice, key, laptop, public, read_back, server, urls};

#[test]
fn the_root_and_the_issuing_ca_are_what_they_claim() {
    let workshop = Workshop::open();
    let root = workshop.openssl("x509 -in root.pem -noout -text");
    for expected in [
        "Issuer: O = Corp, CN = corp.example root CA",
        "Subject: O = Corp, CN = corp.example root CA",
        "Not After : Nov 21 12:00:00 2046 GMT",
        "CA:TRUE, pathlen:1",
        "ecdsa-with-SHA384",
        "Certificate Sign, CRL Sign",
    ] {
        assert!(root.contains(expected), "{expected}: {root}");
    }
    let issuing = workshop.openssl("x509 -in issuing.pem -noout -text");
    let root_id = workshop.authority.root().key_id.clone().expect("a key identifier");
    for expected in [
        "Subject: O = Corp, CN = corp.example issuing CA",
        "Not Before: Nov 21 11:55:00 2026 GMT",
        "Not After : Nov 21 12:00:00 2031 GMT",
        "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0",
        "X509v3 Key Usage: critical\n                Digital Signature, Certificate Sign, CRL Sign",
        "TLS Web Client Authentication, TLS Web Server Authentication, E-mail Protection, OCSP Signing",
        "ASN1 OID: secp384r1",
        &format!("URI:http://pki.corp.example/crl/{root_id}.crl"),
        &format!("CA Issuers - URI:http://pki.corp.example/ca/{root_id}.cer"),
    ] {
        assert!(issuing.contains(expected), "{expected}: {issuing}");
    }
    assert!(!issuing.contains("Name Constraints"));
    workshop.verify("", "issuing.pem").expect("a chain");
}

#[test]
fn each_profile_says_what_it_is_good_for() {
    let workshop = Workshop::open();
    let signer = Subject { common_name: "signer".to_owned(), ..Subject::default() };
    let client = "TLS Web Client Authentication\n";
    let both = "TLS Web Client Authentication, TLS Web Server Authentication\n";
    let host = "-purpose sslserver -verify_hostname localhost";
    let (sign, agree) = ("Digital Signature\n", "Key Agreement\n");
    for (profile, subject, options, purpose, end) in [
        (Profile::Client, alice(), "-purpose sslclient", client, "Feb 19 12:00:00 2027"),
        (Profile::MailSigning, alice(), "-purpose smimesign", "E-mail Protection\n", "Nov 21 12:00:00 2027"),
        (Profile::MailEncryption, alice(), "", "E-mail Protection\n", "Nov 21 12:00:00 2027"),
        (Profile::Device, laptop(), "-purpose sslclient", client, "Nov 21 12:00:00 2027"),
        (Profile::Session, alice(), "-purpose sslclient", client, "Nov 22 12:00:00 2026"),
        (Profile::Server, server(), host, "TLS Web Server Authentication\n", "Feb 19 12:00:00 2027"),
        (Profile::Peer, server(), host, both, "Dec 21 12:00:00 2026"),
        (Profile::OcspSigner, signer.clone(), "", "OCSP Signing\n", "Dec 21 12:00:00 2026"),
        (Profile::CmpSigner, signer.clone(), "", "CMC Certificate Authority\n", "Dec 21 12:00:00 2026"),
    ] {
        let issued = workshop.issue("leaf", &public(&key()), &subject, profile);
        workshop.verify(options, "leaf.pem").expect("a good chain");
        let text = workshop.openssl("x509 -in leaf.pem -noout -text -fingerprint -sha256 -serial");
        let usage = if profile == Profile::MailEncryption { agree } else { sign };
        for expected in [
            "Version: 3",
            "X509v3 Basic Constraints: critical\n                CA:FALSE",
            &format!("X509v3 Key Usage: critical\n                {usage}"),
            "Issuer: O = Corp, CN = corp.example issuing CA",
            "X509v3 Authority Key Identifier",
            "X509v3 Subject Key Identifier",
            "Not Before: Nov 21 11:55:00 2026 GMT",
            &format!("Not After : {end} GMT"),
            &format!("X509v3 Extended Key Usage: \n                {purpose}"),
            &format!("serial={}", issued.serial),
        ] {
            assert!(text.contains(expected), "{profile}: {expected}: {text}");
        }
        assert!(
            text.replace(':', "").to_lowercase().contains(&format!("fingerprint={}", issued.fingerprint))
        );
    }
}

#[test]
fn each_profile_carries_its_names_and_no_others() {
    let workshop = Workshop::open();
    for (profile, subject, names) in [
        (Profile::Client, alice(), format!("URI:urn:uuid:{UUID}, email:alice@corp.example\n")),
        (
            Profile::Server,
            server(),
            "DNS:chat.corp.example, DNS:localhost, IP Address:127.0.0.1\n".to_owned(),
        ),
        (
            Profile::Device,
            laptop(),
            format!("URI:urn:uuid:{UUID}, othername: Permanent Identifier::<unsupported>\n"),
        ),
    ] {
        workshop.issue("leaf", &public(&key()), &subject, profile);
        let text = workshop.openssl("x509 -in leaf.pem -noout -subject -ext subjectAltName");
        assert!(text.contains(&names), "{profile}: {text}");
        assert!(text.contains(&format!("CN = {}\n", subject.common_name)), "{profile}: {text}");
    }
}

#[test]
fn a_device_is_read_back_by_its_name_and_may_ask_for_it() {
    let workshop = Workshop::open();
    let issued = workshop.issue("leaf", &public(&key()), &laptop(), Profile::Device);
    assert!(read_back(&issued).names.contains(&Name::Device("laptop 7".to_owned())));
    let asked = |name: &str| {
        let sections = "[req]\ndistinguished_name=dn\n[dn]\n[san]\nsubjectAltName=@names\n[names]\n\
                        otherName=1.3.6.1.5.5.7.8.3;SEQUENCE:device\n[device]\nid=UTF8:";
        workshop.write("device.cnf", format!("{sections}{name}\n"));
        workshop
            .csr("ec -pkeyopt ec_paramgen_curve:P-256", "-config device.cnf -reqexts san -subj /CN=laptop")
    };
    let laptop = Subject { common_name: "laptop".to_owned(), ..laptop() };
    assert_eq!(check_request(&asked("laptop 7"), &laptop), Ok(()));
    assert!(matches!(check_request(&asked("laptop 8"), &laptop), Err(Refusal::ForeignName(_))));
}

#[test]
fn nothing_is_certified_for_encryption_that_only_signs() {
    let workshop = Workshop::open();
    let ed25519 = workshop.csr("ed25519", "-subj /");
    let serial = Serial::random().expect("randomness");
    let refused =
        workshop.authority.issue(ed25519.public_key(), &alice(), Profile::MailEncryption, None, serial, NOW);
    assert!(matches!(refused, Err(Failure::Key(_))), "{refused:?}");
}

#[test]
fn each_profile_says_where_its_revocation_is_told() {
    let workshop = Workshop::open();
    let issuer = workshop.authority.key_id().to_owned();
    let fetch = format!("CA Issuers - URI:http://pki.corp.example/ca/{issuer}.cer\n");
    let ocsp = "OCSP - URI:http://pki.corp.example/ocsp\n";
    // noRevAvail with NULL inside (RFC 9608 §2), by its bytes: not every openssl has a name for it.
    let short_lived: &[u8] = &[0x06, 0x03, 0x55, 0x1D, 0x38, 0x04, 0x02, 0x05, 0x00];
    for profile in Profile::ALL {
        let subject = Subject { dns: server().dns, device: laptop().device, ..alice() };
        let issued = workshop.issue("leaf", &public(&key()), &subject, profile);
        let shard = Shard::of(issued.serial);
        let crl = format!("URI:http://pki.corp.example/crl/{issuer}/{shard}.crl\n");
        let text = workshop.openssl("x509 -in leaf.pem -noout -text");
        let published = !matches!(profile, Profile::Session | Profile::OcspSigner);
        for place in [&crl, &fetch, ocsp] {
            assert_eq!(text.contains(place), published, "{profile}: {place}: {text}");
        }
        let never = issued.der.windows(short_lived.len()).any(|window| window == short_lived);
        assert_eq!(never, profile == Profile::Session, "{profile}: {text}");
        assert_eq!(text.contains("OCSP No Check"), profile == Profile::OcspSigner, "{profile}: {text}");
    }
}

#[test]
fn a_revoked_certificate_is_on_the_crl_and_a_good_one_is_not() {
    let workshop = Workshop::open();
    let good = workshop.issue("good", &public(&key()), &alice(), Profile::Client);
    let bad = workshop.issue("bad", &public(&key()), &alice(), Profile::Client);
    let next = NOW + Duration::from_secs(86400);

    let crl = workshop.authority.crl(&[], 1, NOW, next).expect("a CRL");
    workshop.write("list.crl", crl);
    workshop.verify("-crl_check -CRLfile list.crl", "bad.pem").expect("nothing is revoked yet");

    let reasons =
        Reason::ALL.map(|reason| Revoked { serial: Serial::random().expect("randomness"), at: NOW, reason });
    let own = Revoked { serial: bad.serial, at: NOW, reason: Reason::KeyCompromise };
    let revoked = [&[own], &reasons[..]].concat();
    let crl = workshop.authority.crl(&revoked, 300, NOW, next).expect("a CRL");
    workshop.write("list.crl", crl);
    workshop.verify("-crl_check -CRLfile list.crl", "good.pem").expect("still good");
    let said = workshop.verify("-crl_check -CRLfile list.crl", "bad.pem").expect_err("it is revoked");
    assert!(said.contains("certificate revoked"), "{said}");

    let text = workshop.openssl("crl -in list.crl -inform DER -noout -text -CAfile issuing.pem");
    for expected in [
        "verify OK",
        "Version 2",
        "X509v3 CRL Number: \n                300",
        "Last Update: Nov 21 12:00:00 2026 GMT",
        "Next Update: Nov 22 12:00:00 2026 GMT",
        "Key Compromise",
        "Affiliation Changed",
        "Superseded",
        "Cessation Of Operation",
        "Certificate Hold",
        "Privilege Withdrawn",
        &format!("Serial Number: {}", bad.serial),
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains(&good.serial.to_string()));
    // RFC 5280 §5.3.1: an unspecified reason is left out, so seven of the eight entries give one.
    assert_eq!(text.matches("CRL Reason Code").count(), 7);
}

#[test]
fn the_root_publishes_a_list_too_and_can_renew_it() {
    let workshop = Workshop::open();
    workshop.issue("leaf", &public(&key()), &alice(), Profile::Client);
    workshop.write("root.crl", &workshop.root_crl);
    let crl = workshop.authority.crl(&[], 1, NOW, NOW + Duration::from_secs(86400)).expect("a CRL");
    workshop.write("issuing.crl", crl);
    workshop.openssl("crl -in root.crl -inform DER -out root.crl.pem");
    workshop.openssl("crl -in issuing.crl -inform DER -out issuing.crl.pem");
    let both = [workshop.read("root.crl.pem"), workshop.read("issuing.crl.pem")].concat();
    workshop.write("both.pem", both);
    workshop.verify("-crl_check_all -CRLfile both.pem", "leaf.pem").expect("the whole chain is checked");

    let root_pem = workshop.authority.root_pem();
    let issuing = workshop.authority.issuing().serial.expect("our own form");
    let root = Authority::open(&root_pem, workshop.root_key, &root_pem, urls()).expect("the root, unlocked");
    assert_eq!(root.chain_der().len(), 1);
    let revoked = [Revoked { serial: issuing, at: NOW, reason: Reason::Superseded }];
    assert!(root.crl(&revoked, 2, NOW, NOW + Duration::from_secs(86400)).is_ok());
}

#[test]
fn a_mailbox_outside_ascii_is_written_and_read_back() {
    let workshop = Workshop::open();
    let subject = Subject { mail: Some("алиса@corp.example".to_owned()), ..alice() };
    let issued = workshop.issue("leaf", &public(&key()), &subject, Profile::Client);
    let text = workshop.openssl("x509 -in leaf.pem -noout -text");
    assert!(text.contains("SmtpUTF8Mailbox"), "{text}");
    assert!(read_back(&issued).names.contains(&Name::Mail("алиса@corp.example".to_owned())));
}

#[test]
fn an_archive_opens_with_its_password_and_holds_key_and_chain() {
    let workshop = Workshop::open();
    let device = key();
    let issued = workshop.issue("leaf", &public(&device), &alice(), Profile::Client);
    let chain = workshop.authority.chain_der();
    for (flavor, cipher) in
        [(Flavor::Modern, "PBES2, PBKDF2, AES-256-CBC"), (Flavor::Legacy, "pbeWithSHA1And3-KeyTripleDES-CBC")]
    {
        let archive =
            pkcs12(&issued.der, &device, &chain, "correct-horse", "Alice's phone", flavor).expect("packed");
        workshop.write("a.p12", archive);
        let info = workshop.openssl("pkcs12 -in a.p12 -info -noout -passin pass:correct-horse");
        assert!(info.contains(cipher), "{info}");
        assert!(workshop.try_openssl("pkcs12 -in a.p12 -noout -passin pass:wrong").is_err());

        let all = workshop.openssl("pkcs12 -in a.p12 -nodes -passin pass:correct-horse");
        assert_eq!(all.matches("BEGIN CERTIFICATE").count(), 3);
        assert!(all.contains("friendlyName: Alice's phone"), "{all}");
        workshop.openssl("pkcs12 -in a.p12 -nodes -nocerts -out opened.key -passin pass:correct-horse");
        workshop.openssl("pkcs12 -in a.p12 -nokeys -clcerts -out opened.pem -passin pass:correct-horse");
        let public = |line| workshop.openssl(line).lines().skip(1).collect::<String>();
        assert_eq!(public("pkey -in opened.key -pubout"), public("x509 -in opened.pem -noout -pubkey"));
    }
}

#[test]
fn an_archive_needs_a_password_and_the_right_key() {
    let workshop = Workshop::open();
    let device = key();
    let issued = workshop.issue("leaf", &public(&device), &alice(), Profile::Client);
    let pack = |key: &KeyPair, password: &str, name: &str| {
        pkcs12(&issued.der, key, &[], password, name, Flavor::Modern)
    };
    assert!(pack(&device, "correct-horse", "alice").is_ok());
    assert!(matches!(pack(&device, "short", "alice"), Err(Failure::Pkcs12(_))));
    assert!(matches!(pack(&device, "correct\0horse", "alice"), Err(Failure::Pkcs12(_))));
    assert!(matches!(pack(&device, "correct-horse", "ali\0ce"), Err(Failure::Pkcs12(_))));
    assert!(matches!(pack(&key(), "correct-horse", "alice"), Err(Failure::OpenSsl(_))));
}

#[test]
fn openssl_opens_a_sealed_key_and_we_open_openssls() {
    let workshop = Workshop::open();
    let own = KeyPair::generate(KeyKind::P384).expect("a key");
    workshop.write("own.key", own.seal(b"passphrase").expect("sealed"));
    let info = workshop.openssl("asn1parse -in own.key");
    assert!(info.contains("PBES2") && info.contains(":scrypt") && info.contains("aes-256-cbc"), "{info}");
    workshop.openssl("pkey -in own.key -passin pass:passphrase -pubout -out own.pub -outform DER");
    assert_eq!(workshop.read("own.pub"), public(&own).spki_der());

    workshop.openssl(
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes-256-cbc -pass pass:theirs -out t.key",
    );
    let theirs = String::from_utf8(workshop.read("t.key")).expect("PEM");
    assert_eq!(KeyPair::open(&theirs, b"theirs").expect("opened").kind(), KeyKind::P256);
    workshop.openssl("genpkey -algorithm ED25519 -aes-256-cbc -pass pass:theirs -out t.key");
    let theirs = String::from_utf8(workshop.read("t.key")).expect("PEM");
    assert!(matches!(KeyPair::open(&theirs, b"theirs"), Err(Failure::Key(_))));
}

#[test]
fn an_authority_is_not_put_together_from_parts_that_do_not_fit() {
    let workshop = Workshop::open();
    let (root, issuing) = (workshop.authority.root_pem(), workshop.authority.chain_pem());
    let other = Workshop::open();
    let leaf = workshop.issue("leaf", &public(&key()), &alice(), Profile::Client);
    let open = |issuing: &str, key: KeyPair, root: &str| Authority::open(issuing, key, root, urls());
    assert!(matches!(open(&issuing, key(), &root), Err(Failure::Authority(_))));
    assert!(matches!(open(&issuing, key(), &other.authority.root_pem()), Err(Failure::Authority(_))));
    assert!(matches!(open(&leaf.pem, key(), &root), Err(Failure::Authority(_))));
    assert!(matches!(open(&issuing, key(), &issuing), Err(Failure::Authority(_))));
    assert!(matches!(open("", key(), &root), Err(Failure::Certificate(_))));
    let secure = chancery_ca::Urls { crl: "https://pki.corp.example/".to_owned(), ..urls() };
    let opened = Authority::open(&root, workshop.root_key, &root, secure);
    assert!(matches!(opened, Err(Failure::Name { what: "URL", .. })));
}

#[test]
fn a_certificate_keeps_within_its_profile_and_its_issuer() {
    let workshop = Workshop::open();
    let device = public(&key());
    let issue = |subject: &Subject, profile, days: Option<u64>, now| {
        let validity = days.map(|days| Duration::from_secs(days * 86400));
        workshop.authority.issue(
            &device,
            subject,
            profile,
            validity,
            Serial::random().expect("randomness"),
            now,
        )
    };
    let issued = issue(&alice(), Profile::Client, Some(7), NOW).expect("a week");
    assert_eq!(issued.not_after, NOW + Duration::from_secs(7 * 86400));
    assert!(matches!(issue(&alice(), Profile::Client, Some(0), NOW), Err(Failure::Validity(_))));
    assert!(matches!(issue(&alice(), Profile::Client, Some(3650), NOW), Err(Failure::Validity(_))));
    assert!(matches!(issue(&alice(), Profile::Session, Some(2), NOW), Err(Failure::Validity(_))));

    let end = workshop.authority.issuing().not_after;
    let late =
        issue(&alice(), Profile::Client, None, end - Duration::from_secs(86400)).expect("the last day");
    assert_eq!(late.not_after, end);
    for wrong in [end + Duration::from_secs(1), NOW - Duration::from_secs(86400)] {
        assert!(matches!(issue(&alice(), Profile::Client, None, wrong), Err(Failure::Validity(_))));
        assert!(workshop.authority.crl(&[], 1, wrong, wrong + Duration::from_secs(60)).is_err());
    }
    for (subject, profile) in [
        (server(), Profile::Client),
        (server(), Profile::Device),
        (alice(), Profile::Server),
        (alice(), Profile::Peer),
    ] {
        assert!(matches!(issue(&subject, profile, None, NOW), Err(Failure::Incomplete { .. })), "{profile}");
    }
}

#[test]
fn a_certificate_tells_whose_it_is() {
    let workshop = Workshop::open();
    let issued = workshop.issue("leaf", &public(&key()), &alice(), Profile::Client);
    let certificate = read_back(&issued);
    assert_eq!(certificate.account_uuid().as_deref(), Some(UUID));
    assert_eq!(certificate.serial, Some(issued.serial));
    assert_eq!(certificate.serial_hex, issued.serial.to_string());
    assert_eq!(certificate.common_name.as_deref(), Some("alice.smith"));
    assert_eq!(certificate.subject, "O=Corp, CN=alice.smith");
    assert_eq!(certificate.issuer, workshop.authority.issuer_name());
    assert_eq!(certificate.issuer_key_id.as_deref(), Some(workshop.authority.key_id()));
    assert!(certificate.is_valid_at(NOW) && !certificate.is_valid_at(NOW + Duration::from_secs(91 * 86400)));
    assert!(!certificate.is_authority && workshop.authority.issuing().is_authority);

    // Another authority's serial has another length and is still told.
    workshop
        .openssl("req -x509 -nodes -newkey ed25519 -keyout x.key -out x.pem -subj /CN=x -set_serial 0x1234");
    let text = String::from_utf8(workshop.read("x.pem")).expect("PEM");
    let foreign = chancery_ca::Certificate::from_pem(&text).expect("a certificate");
    assert_eq!((foreign.serial, foreign.serial_hex.as_str(), foreign.account_uuid()), (None, "1234", None));
}

#[test]
fn an_operators_own_root_can_stand_above() {
    let workshop = Workshop::open();
    let issuing_key = KeyPair::generate(KeyKind::P256).expect("a key");
    workshop.write("sub.key", issuing_key.to_pkcs8_pem().as_bytes());
    workshop.openssl(
        "req -x509 -nodes -newkey rsa:3072 -keyout op.key -out op.pem -days 9999 -subj /C=DE/O=Op/CN=Root",
    );
    workshop.openssl("req -new -key sub.key -out sub.csr -subj /C=DE/O=Op/CN=Sub");
    workshop.write(
        "sub.ext",
        "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n\
         authorityKeyIdentifier=keyid\n",
    );
    workshop
        .openssl("x509 -req -in sub.csr -CA op.pem -CAkey op.key -days 9000 -extfile sub.ext -out sub.pem");
    let text = |name| String::from_utf8(workshop.read(name)).expect("PEM");
    let authority = Authority::open(&text("sub.pem"), issuing_key, &text("op.pem"), urls()).expect("opened");
    // The operator's files begin now, so the signature is made an hour after that.
    let later = authority.issuing().not_before + Duration::from_secs(3600);
    let issued = authority
        .issue(&public(&key()), &alice(), Profile::Client, None, Serial::random().expect("randomness"), later)
        .expect("issued");
    workshop.write("leaf.pem", &issued.pem);
    workshop.write("sub.crl", authority.crl(&[], 7, later, later + Duration::from_secs(60)).expect("a CRL"));
    workshop.openssl(&format!(
        "verify -attime {} -CAfile op.pem -untrusted sub.pem -crl_check -CRLfile sub.crl leaf.pem",
        later.unix_timestamp()
    ));
}

#[test]
fn an_authority_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>(_: T) {}
    shared(Workshop::open().authority);
}
