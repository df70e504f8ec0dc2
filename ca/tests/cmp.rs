//! `openssl cmp` asks, and the craft reads and answers.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::{
    desk::Desk,
    workshop::{UUID, Workshop},
};

/// A client of the desk: `openssl cmp` with its options, in the workshop's folder.
struct Client {
    desk: Arc<Desk>,
    port: u16,
}

impl Client {
    fn new() -> Client {
        let (desk, port) = Desk::open();
        desk.workshop.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out first.key");
        desk.workshop.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out second.key");
        desk.workshop.write("token", "a one-time token\n");
        Client { desk, port }
    }

    fn say(&self, options: &str) -> Result<String, String> {
        let port = self.port;
        self.desk
            .workshop
            .try_openssl(&format!("cmp -server 127.0.0.1:{port} -no_proxy 127.0.0.1 -path cmp {options}"))
    }

    fn secretly(&self, options: &str) -> Result<String, String> {
        self.say(&format!("-ref device -secret file:token {options}"))
    }

    fn signed(&self, options: &str) -> Result<String, String> {
        self.say(&format!(
            "-cert first.pem -key first.key -trusted root.pem -untrusted issuing.pem {options}"
        ))
    }

    fn enrolled() -> Client {
        let client = Client::new();
        client
            .secretly("-cmd ir -newkey first.key -subject /CN=alice.smith -certout first.pem")
            .expect("enrolled");
        client
    }

    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.desk.heard.lock().expect("unbroken"))
    }

    /// Whether the certificate in `NAME.pem` is good and holds the key in `KEY.key`.
    fn check(&self, name: &str, key: &str) {
        let workshop = &self.desk.workshop;
        workshop.openssl(&format!("verify -CAfile root.pem -untrusted issuing.pem {name}.pem"));
        let own = workshop.openssl(&format!("pkey -in {key}.key -pubout"));
        let certified = workshop.openssl(&format!("x509 -in {name}.pem -noout -pubkey"));
        assert_eq!(own.lines().skip(1).collect::<Vec<_>>(), certified.lines().skip(1).collect::<Vec<_>>());
    }
}

#[test]
fn a_device_with_a_token_gets_its_first_certificate_and_confirms_it() {
    let client = Client::new();
    let said = client.secretly(
        "-cmd ir -newkey first.key -subject /CN=alice.smith -certout first.pem -chainout chain.pem -cacertsout ca.pem",
    );
    let said = said.expect("enrolled");
    client.check("first", "first");
    assert_eq!(client.heard(), ["Initial 0 CN=alice.smith", "confirm 0 true"], "{said}");
    client.desk.workshop.openssl("verify -CAfile ca.pem -untrusted issuing.pem first.pem");
}

#[test]
fn an_implicit_confirmation_is_granted_where_it_is_asked_for() {
    let client = Client::new();
    let said = client
        .secretly("-cmd ir -newkey first.key -subject /CN=alice.smith -implicit_confirm -certout first.pem");
    said.expect("enrolled");
    client.check("first", "first");
    assert_eq!(client.heard(), ["Initial 0 CN=alice.smith"]);
}

#[test]
fn every_way_of_asking_ends_with_a_certificate() {
    let client = Client::new();
    client.desk.workshop.openssl("req -new -key first.key -subj /CN=alice.smith -out first.csr");
    let own = format!("urn:uuid:{UUID}");
    for (options, heard) in [
        (format!("-cmd cr -newkey first.key -sans {own} -subject /CN=alice.smith"), "Another 0"),
        ("-cmd cr -newkey first.key -subject /CN=alice.smith -days 7".to_owned(), "Another 0 CN=alice.smith"),
        ("-cmd p10cr -csr first.csr".to_owned(), "Pkcs10 -1 CN=alice.smith"),
        ("-cmd ir -csr first.csr -newkey first.key".to_owned(), "Initial 0 CN=alice.smith"),
        (
            "-cmd ir -newkey first.key -subject /CN=alice.smith -mac hmacWithSHA256 -digest sha512"
                .to_owned(),
            "Initial",
        ),
    ] {
        client.secretly(&format!("{options} -certout first.pem")).expect("enrolled");
        client.check("first", "first");
        let said = client.heard();
        assert!(said[0].starts_with(heard), "{options}: {said:?}");
        assert!(said[1].ends_with("true"), "{options}: {said:?}");
    }
}

#[test]
fn a_certificate_is_renewed_by_token_and_by_its_own_signature() {
    let client = Client::enrolled();
    client.heard();
    client
        .secretly("-cmd kur -oldcert first.pem -newkey second.key -certout second.pem")
        .expect("renewed by token");
    client.check("second", "second");
    let names = format!("CN=alice.smith,URI:urn:uuid:{UUID},email:alice@corp.example for an old one");
    assert_eq!(client.heard(), [format!("KeyUpdate 0 {names}"), "confirm 0 true".to_owned()]);

    client.signed("-cmd kur -newkey second.key -certout second.pem").expect("renewed by signature");
    client.check("second", "second");
    assert_eq!(client.heard(), [format!("KeyUpdate 0 {names}"), "confirm 0 true".to_owned()]);
}

#[test]
fn a_signature_of_any_accepted_kind_protects_a_request() {
    let client = Client::new();
    for (key, digest) in [
        ("EC -pkeyopt ec_paramgen_curve:P-384", "sha384"),
        ("EC -pkeyopt ec_paramgen_curve:P-521", "sha512"),
        ("RSA -pkeyopt rsa_keygen_bits:2048", "sha256"),
    ] {
        client.desk.workshop.openssl(&format!("genpkey -algorithm {key} -out first.key"));
        let first = format!("-cmd ir -newkey first.key -subject /CN=alice.smith -digest {digest}");
        client.secretly(&format!("{first} -certout first.pem")).expect("enrolled");
        client.check("first", "first");
        client
            .signed(&format!("-cmd cr -newkey second.key -digest {digest} -certout second.pem"))
            .expect("signed");
        client.check("second", "second");
        let said = client.signed("-cmd cr -newkey second.key -subject /CN=ceo -certout second.pem");
        assert!(said.expect_err("foreign").contains("CN=ceo"));
        client.signed("-cmd rr -oldcert first.pem -revreason 4").expect("taken back");
        assert_eq!(client.heard().last().map(String::as_str), Some("withdraw superseded"));
    }
}

#[test]
fn a_client_that_does_not_trust_its_certificate_says_so() {
    let client = Client::new();
    let other = Workshop::open_at(OffsetDateTime::now_utc());
    client.desk.workshop.write("other.pem", other.read("root.pem"));
    let ask = "-cmd ir -newkey first.key -subject /CN=alice.smith -out_trusted other.pem -certout first.pem";
    client.secretly(ask).expect_err("it trusts another root");
    assert_eq!(client.heard(), ["Initial 0 CN=alice.smith", "confirm 0 false"]);
}

#[test]
fn a_certificate_is_taken_back_for_a_reason() {
    let client = Client::enrolled();
    client.heard();
    for (reason, told) in [("-revreason 1", "withdraw key-compromise"), ("", "withdraw unspecified")] {
        client.secretly(&format!("-cmd rr -oldcert first.pem {reason}")).expect("taken back");
        assert_eq!(client.heard(), [told]);
    }
    let said = client.secretly("-cmd rr -oldcert first.pem -revreason 2").expect_err("a reason of its own");
    assert!(said.contains("reason 2 is not one for which"), "{said}");
    let said = client.secretly("-cmd rr -oldcert issuing.pem").expect_err("not ours to take back");
    assert!(said.contains("badCertId") && said.contains("there is no such certificate"), "{said}");
}

#[test]
fn what_is_asked_is_told() {
    let client = Client::enrolled();
    client.heard();
    for (kind, heard) in [
        ("signKeyPairTypes", "ask [SignKeyPairTypes]"),
        ("currentCRL", "ask [CurrentCrl]"),
        ("caCerts", "ask [CaCerts]"),
    ] {
        let said = client.secretly(&format!("-cmd genm -infotype {kind}")).expect("told");
        assert!(said.contains(&format!("genp contains ITAV of type: id-it-{kind}")), "{said}");
        assert_eq!(client.heard(), [heard]);
    }
}

#[test]
fn whoever_does_not_know_the_secret_gets_nothing() {
    let client = Client::new();
    let ask = "-cmd ir -newkey first.key -subject /CN=alice.smith -certout first.pem -unprotected_errors";
    let said = client.say(&format!("-ref device -secret pass:guess {ask}")).expect_err("a guess");
    assert!(said.contains("badMessageCheck") && said.contains("not from whom it says"), "{said}");
    let said = client.say(&format!("-unprotected_requests {ask}")).expect_err("nothing is proven");
    assert!(said.contains("wrongIntegrity") && said.contains("nobody knows you"), "{said}");
    assert_eq!(client.heard(), [""; 0]);
}

#[test]
fn possession_is_proven_by_signature_or_not_at_all() {
    let client = Client::new();
    for (proof, told) in [("-1", "missing"), ("0", "not vouched for"), ("2", "by signature")] {
        let ask = "-cmd ir -newkey first.key -subject /CN=alice.smith -certout first.pem";
        let said = client.secretly(&format!("{ask} -popo {proof}")).expect_err("nothing is proven");
        assert!(said.contains("badPOP") && said.contains(told), "{said}");
    }
}

#[test]
fn what_no_csr_may_ask_no_message_may_ask() {
    let client = Client::new();
    client.desk.workshop.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 -out odd.key");
    client
        .desk
        .workshop
        .write("wish.cnf", "[wish]\nbasicConstraints=critical,CA:TRUE\n[odd]\n1.2.3.4=critical,ASN1:NULL\n");
    for (options, info, told) in [
        ("-newkey odd.key -subject /CN=alice.smith", "badCertTemplate", "only P-256"),
        ("-newkey first.key -subject /CN=ceo", "badCertTemplate", "CN=ceo"),
        ("-newkey first.key -subject /CN=alice.smith -sans ceo.corp.example", "badCertTemplate", "DNS:ceo"),
        (
            "-newkey first.key -subject /CN=alice.smith -config wish.cnf -reqexts wish",
            "badCertTemplate",
            "certification authority",
        ),
        (
            "-newkey first.key -subject /CN=alice.smith -config wish.cnf -reqexts odd",
            "unacceptedExtension",
            "1.2.3.4",
        ),
    ] {
        let said = client.secretly(&format!("-cmd ir -certout first.pem {options}")).expect_err("refused");
        assert!(said.contains(info) && said.contains(told), "{options}: {said}");
    }
}

#[test]
fn a_client_waits_until_somebody_has_decided() {
    let client = Client::new();
    for (cmd, heard) in [("ir -subject /CN=alice.smith", "Initial 0"), ("p10cr -csr first.csr", "Pkcs10 -1")]
    {
        client.desk.workshop.openssl("req -new -key first.key -subj /CN=alice.smith -out first.csr");
        *client.desk.patience.lock().expect("unbroken") = 2;
        client
            .secretly(&format!("-cmd {cmd} -newkey first.key -certout first.pem"))
            .expect("enrolled at last");
        client.check("first", "first");
        let said = client.heard();
        assert!(said[0].starts_with(heard), "{said:?}");
        assert_eq!(said.len(), 4, "{said:?}");
    }
}
