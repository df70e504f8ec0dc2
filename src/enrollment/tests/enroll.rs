//! Enrolling and renewing.

use zeroize::Zeroizing;

use super::*;
use crate::store::CertificateState;

#[tokio::test]
async fn a_certificate_carries_the_names_of_the_directory_and_openssl_accepts_it() {
    let house = House::new().await;
    let enrolled = house.enrolled("alice").await;
    assert!(enrolled.key_pem.is_none() && enrolled.p12.is_none());
    assert!(house.verify(&enrolled.certificate_pem, "sslclient").contains(": OK"));
    let printed = openssl(&["x509", "-in", text(&house.path("leaf.pem")), "-noout", "-text"]);
    let urn = house.id("alice").to_urn();
    for wanted in
        [&format!("URI:{urn}"), "email:alice@corp.example", "CN = alice", "http://pki.corp.example/crl/"]
    {
        assert!(printed.contains(wanted), "{wanted} is missing: {printed}");
    }
    let presented = house.presented(&enrolled);
    assert_eq!((&presented.serial, presented.account), (&enrolled.serial, house.id("alice")));
    assert!(house.enrollment.status(&presented, house.now).await.is_ok());
}

#[tokio::test]
async fn the_ledger_and_the_certificate_agree() {
    let house = House::new().await;
    let enrolled = house.enrolled("alice").await;
    let line = house.enrollment.show(&enrolled.serial.to_lowercase()).await.unwrap().unwrap();
    let certificate = ca::Certificate::parse(line.der.as_deref().unwrap()).unwrap();
    assert_eq!((line.state, line.account), (CertificateState::Active, Some(house.id("alice"))));
    assert_eq!(line.not_before, certificate.not_before.into());
    assert_eq!(
        (line.not_after, enrolled.not_after),
        (certificate.not_after.into(), certificate.not_after.into())
    );
    assert_eq!(house.enrollment.list(Some(house.id("bob")), 10).await.unwrap().len(), 0);
    assert_eq!(house.enrollment.list(None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_request_for_somebody_elses_name_is_refused_with_that_name() {
    let house = House::new().await;
    let key = house.key("alice.key");
    for (name, others, foreign) in [
        ("bob", None, "CN=bob"),
        ("alice", Some("email:bob@corp.example"), "email:bob@corp.example"),
        ("alice", Some("DNS:mqtt.corp.example"), "DNS:mqtt.corp.example"),
    ] {
        let csr = Request::Csr(house.csr(&key, name, others));
        let refused = house
            .enrollment
            .enroll(&Principal::Host, "alice", Grant::client(), csr, house.now)
            .await
            .unwrap_err();
        assert!(matches!(&refused, Refused::ForeignName { name, .. } if name == foreign), "{refused}");
        assert!(refused.to_string().contains(foreign));
    }
    assert!(house.enrollment.list(None, 10).await.unwrap().is_empty());
    assert_eq!(house.deeds().await, ["host certificate.enroll?"; 3]);
}

#[tokio::test]
async fn own_names_may_be_asked_for() {
    let house = House::new().await;
    let others = format!("email:alice@corp.example,URI:{}", house.id("alice").to_urn());
    let csr = house.csr(&house.key("alice.key"), "alice", Some(&others));
    house
        .enrollment
        .enroll(&Principal::Host, "alice", Grant::client(), Request::Csr(csr), house.now)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_key_made_by_the_house_travels_in_an_archive_that_openssl_opens() {
    let house = House::new().await;
    for (chosen, legacy) in [(None, false), (Some("correct horse"), true)] {
        let p12_password = chosen.map(|password| Zeroizing::new(password.to_owned()));
        let request = Request::MakeKey { p12_password, legacy };
        let enrolled = house
            .enrollment
            .enroll(&house.principal("alice"), "alice", Grant::client(), request, house.now)
            .await
            .unwrap();
        let (archive, password) = enrolled.p12.as_ref().unwrap();
        assert!(chosen.is_none_or(|chosen| chosen == password.as_str()) && password.len() >= 12);
        std::fs::write(house.path("alice.p12"), archive).unwrap();
        let pass = format!("pass:{}", password.as_str());
        let mut args =
            vec!["pkcs12", "-in", text(&house.folder.path().join("alice.p12")), "-nodes", "-passin", &pass]
                .into_iter()
                .map(str::to_owned)
                .collect::<Vec<_>>();
        args.extend(legacy.then(|| "-legacy".to_owned()));
        let opened = openssl(&args.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(opened.matches("BEGIN CERTIFICATE").count(), 3);
        let key = ca::KeyPair::from_pkcs8_pem(enrolled.key_pem.as_ref().unwrap()).unwrap();
        let certificate = ca::Certificate::from_pem(&enrolled.certificate_pem).unwrap();
        assert_eq!(key.public_key().unwrap().spki_sha256(), certificate.spki_sha256);
        let printed = format!("{enrolled:?}");
        assert!(!printed.contains(password.as_str()) && !printed.contains("PRIVATE"), "{printed}");
    }
}

#[tokio::test]
async fn a_short_password_for_the_archive_is_refused_before_anything_is_made() {
    let house = House::new().await;
    for password in ["1234567", "nul\0inside"] {
        let request = Request::MakeKey { p12_password: Some(Zeroizing::new(password.into())), legacy: false };
        let refused =
            house.enrollment.enroll(&Principal::Host, "alice", Grant::client(), request, house.now).await;
        assert!(matches!(refused, Err(Refused::Password(8))), "{refused:?}");
    }
    assert!(house.enrollment.list(None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_no_request_is_refused_in_words() {
    let house = House::new().await;
    let mut flipped = house.csr(&house.key("alice.key"), "alice", None);
    let middle = flipped.len() / 2;
    flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
    for bytes in [Vec::new(), b"hello".to_vec(), vec![0x30; 1 << 20], flipped] {
        let refused = house
            .enrollment
            .enroll(&Principal::Host, "alice", Grant::client(), Request::Csr(bytes), house.now)
            .await;
        assert!(matches!(refused, Err(Refused::Request(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_key_of_somebody_else_is_refused() {
    let house = House::new().await;
    let key = house.key("shared.key");
    let ask = async |name: &str| {
        let csr = Request::Csr(house.csr(&key, name, None));
        house.enrollment.enroll(&Principal::Host, name, Grant::client(), csr, house.now).await
    };
    ask("alice").await.unwrap();
    assert!(matches!(ask("bob").await, Err(Refused::KeyTaken)));
    ask("alice").await.unwrap();
}

#[tokio::test]
async fn a_key_that_was_revoked_is_refused() {
    let house = House::new().await;
    let enrolled = house.enrolled("alice").await;
    house.enrollment.revoke(&Principal::Host, &enrolled.serial, "key-compromise", house.now).await.unwrap();
    let csr = Request::Csr(house.csr(&house.path("alice.key"), "alice", None));
    let refused = house.enrollment.enroll(&Principal::Host, "alice", Grant::client(), csr, house.now).await;
    assert!(matches!(refused, Err(Refused::KeyRevoked)));
}

#[tokio::test]
async fn people_enroll_for_themselves_alone_and_guests_for_nobody() {
    let house = House::new().await;
    let key = house.key("alice.key");
    let ask = async |who: &Principal| {
        let csr = Request::Csr(house.csr(&key, "alice", None));
        house.enrollment.enroll(who, "alice", Grant::client(), csr, house.now).await
    };
    for stranger in [house.principal("bob"), Principal::Guest] {
        assert!(matches!(ask(&stranger).await, Err(Refused::NotAllowed(_))));
    }
    ask(&house.principal("alice")).await.unwrap();
    ask(&Principal::Admin("ada".into())).await.unwrap();
    let deeds = house.deeds().await;
    assert_eq!(deeds[..2], ["account:bob certificate.enroll?", "guest certificate.enroll?"]);
    assert_eq!(deeds[2..4], ["account:alice certificate.enroll", "account:alice certificate.issue"]);
}

#[tokio::test]
async fn nobody_enrolls_for_an_account_that_is_disabled_or_unknown() {
    let house = House::new().await;
    house.directory.disable(&Principal::Host, "alice", house.now).await.unwrap();
    let make = || Request::MakeKey { p12_password: None, legacy: false };
    let disabled = house
        .enrollment
        .enroll(&Principal::Host, "alice", Grant::client(), make(), house.now)
        .await
        .unwrap_err();
    assert!(matches!(&disabled, Refused::Disabled { name, .. } if name == "alice"), "{disabled}");
    let unknown = house
        .enrollment
        .enroll(&Principal::Host, "mallory", Grant::client(), make(), house.now)
        .await
        .unwrap_err();
    assert!(matches!(&unknown, Refused::NoAccount(name) if name == "mallory"), "{unknown}");
}

#[tokio::test]
async fn a_good_certificate_renews_itself_and_stays_good() {
    let house = House::new().await;
    let old = house.presented(&house.enrolled("alice").await);
    let csr = house.csr(&house.key("new.key"), "alice", None);
    let later = house.now.after(60 * DAY);
    let new = house.presented(&house.enrollment.renew("api", &old, None, &csr, later).await.unwrap());
    assert_eq!(new.account, old.account);
    assert!(house.enrollment.status(&old, later).await.is_ok());
    assert!(house.enrollment.status(&new, house.now.after(100 * DAY)).await.is_ok());
    let entry = house.audit().await.into_iter().find(|entry| entry.deed == "certificate.renew").unwrap();
    assert!(entry.actor == "account:alice" && entry.details.contains(&old.serial), "{entry:?}");
}

#[tokio::test]
async fn a_certificate_that_ended_or_was_taken_back_does_not_renew_itself() {
    let house = House::new().await;
    let old = house.presented(&house.enrolled("alice").await);
    let csr = house.csr(&house.key("new.key"), "alice", None);
    let forged = Presented { account: house.id("bob"), ..old.clone() };
    let foreign = house
        .enrollment
        .renew("api", &forged, None, &house.csr(&house.path("new.key"), "bob", None), house.now)
        .await;
    assert!(matches!(foreign, Err(Refused::Status(StatusRefused::WrongAccount))), "{foreign:?}");
    house.enrollment.revoke(&Principal::Host, &old.serial, "superseded", house.now).await.unwrap();
    let revoked = house.enrollment.renew("api", &old, None, &csr, house.now).await;
    assert!(matches!(revoked, Err(Refused::Status(StatusRefused::Revoked))), "{revoked:?}");
    let old = house.presented(&house.enrolled("alice").await);
    let expired = house.enrollment.renew("api", &old, None, &csr, house.now.after(91 * DAY)).await;
    assert!(matches!(expired, Err(Refused::Status(StatusRefused::Expired))), "{expired:?}");
}

#[tokio::test]
async fn names_that_cannot_stand_in_a_certificate_send_one_to_the_directory() {
    let house = House::new().await;
    let mail = Some("eve@münchen.example".to_owned());
    let new = NewAccount { name: "eve".into(), mail, ..NewAccount::default() };
    house.directory.add(&Principal::Host, new, house.now).await.unwrap();
    let request = Request::MakeKey { p12_password: None, legacy: false };
    let refused = house
        .enrollment
        .enroll(&Principal::Host, "eve", Grant::client(), request, house.now)
        .await
        .unwrap_err();
    assert!(matches!(refused, Refused::Names(_)) && refused.to_string().contains("directory"), "{refused}");
}
