//! Rolling over to another issuing CA.

use super::*;
use crate::enrollment::crl::info;
use crate::enrollment::roll::RollView;

async fn roll(house: &House, now: Timestamp) -> Result<String, Refused> {
    match house.enrollment.roll(&Principal::Host, now).await? {
        RollView::Issuer(issuer) => Ok(issuer.key_id),
        RollView::Request { request, .. } => panic!("a request, {}", request.display()),
    }
}

#[tokio::test]
async fn certificates_of_both_are_good_and_each_is_on_the_list_of_its_own() {
    let house = House::new().await;
    let own = &house.enrollment;
    let (old, gone) = (house.enrolled("alice").await, house.enrolled("bob").await);
    let first = own.issuer_id();
    let second = roll(&house, house.now).await.unwrap();
    assert_eq!(own.issuer_id(), second);
    assert_ne!(first, second);
    let new = house.enrolled("alice").await;
    for one in [&old, &new, &gone] {
        assert!(house.verify(&one.certificate_pem, "sslclient").ends_with("OK\n"));
    }
    own.revoke(&Principal::Host, &gone.serial, "superseded", house.now).await.unwrap();
    assert!(house.verify(&gone.certificate_pem, "sslclient").contains("revoked"));
    let count = |issuer: &str| info(&own.crl_of(issuer).unwrap()).unwrap().count;
    assert_eq!((count(&first), count(&second)), (1, 0));

    // After a restart as well.
    let again = house.restarted(house.now).await;
    assert_eq!(again.issuer_id(), second);
    assert!(again.identify(ca::Certificate::from_pem(&old.certificate_pem).unwrap().der()).is_some());
    let audit = house.audit().await;
    assert!(audit.iter().any(|entry| entry.deed == "ca.roll" && entry.details.contains(&second)));
}

#[tokio::test]
async fn whoever_has_a_certificate_of_the_former_one_is_to_renew_early() {
    let house = House::new().await;
    let old = house.enrolled("alice").await;
    let before = house.presented(&old).renewal;
    let later = house.now.after(DAY * 10);
    roll(&house, later).await.unwrap();
    let (from, until) = house.presented(&old).renewal;
    assert!(from <= later && until < before.0, "{from} {until}");
    assert!(until > later.after(DAY * 20), "spread, so that not all come at once");
    let request = Request::MakeKey { p12_password: None, legacy: false };
    let new =
        house.enrollment.enroll(&Principal::Host, "bob", Grant::client(), request, later).await.unwrap();
    assert!(house.presented(&new).renewal.0 > later.after(DAY * 59));
}

#[tokio::test]
async fn it_happens_by_itself_at_half_life_and_the_former_one_retires_with_its_last_certificate() {
    let house = House::new().await;
    let own = &house.enrollment;
    let (first, old) = (own.issuer_id(), house.enrolled("alice").await);
    own.keep_issuers(house.now.after(DAY * 900)).await.unwrap();
    assert_eq!(own.issuer_id(), first, "not yet");
    let half = house.now.after(DAY * 914);
    // A certificate of these days lasts into the time of the next.
    let request = Request::MakeKey { p12_password: None, legacy: false };
    own.enroll(&Principal::Host, "bob", Grant::client(), request, half).await.unwrap();
    own.keep_issuers(half).await.unwrap();
    let second = own.issuer_id();
    assert_ne!(second, first);
    own.keep_issuers(half.after(DAY)).await.unwrap();
    assert_eq!(own.issuer_id(), second, "once");
    assert!(own.crl_of(&first).is_some() && house.path("authority/issuing.key").exists());
    own.keep_issuers(half.after(DAY * 92)).await.unwrap();
    assert!(own.certificate_of(&first).is_none());
    assert!(own.identify(ca::Certificate::from_pem(&old.certificate_pem).unwrap().der()).is_none());
    for kind in ["pem", "key"] {
        assert!(!house.path(&format!("authority/issuing.{kind}")).exists());
        assert!(house.path(&format!("authority/issuing-2.{kind}")).exists());
    }
    let again = house.restarted(half.after(DAY * 92)).await;
    assert_eq!(again.issuer_id(), second);
}

#[tokio::test]
async fn there_are_four_at_most() {
    let house = House::new().await;
    for _ in 0..3 {
        roll(&house, house.now).await.unwrap();
    }
    let current = house.enrollment.issuer_id();
    let refused = roll(&house, house.now).await.unwrap_err();
    assert!(refused.to_string().contains("retired"), "{refused}");
    assert_eq!(house.enrollment.issuer_id(), current);
    assert!(house.verify(&house.enrolled("alice").await.certificate_pem, "sslclient").ends_with("OK\n"));
}

#[tokio::test]
async fn where_the_root_is_elsewhere_there_is_one_request_until_it_is_answered() {
    let house = House::new().await;
    let (own, root) = (&house.enrollment, house.path("authority/root.key"));
    let passphrase = std::fs::read(house.path("authority/passphrase")).unwrap();
    let sealed = std::fs::read_to_string(&root).unwrap();
    std::fs::remove_file(&root).unwrap();
    let mut requests = Vec::new();
    for _ in 0..2 {
        let RollView::Request { request, .. } = own.roll(&Principal::Host, house.now).await.unwrap() else {
            panic!("no request");
        };
        requests.push((request.clone(), std::fs::read(&request).unwrap()));
    }
    assert_eq!(requests[0], requests[1]);

    let key = ca::KeyPair::open(&sealed, passphrase.trim_ascii_end()).unwrap();
    let root = ca::Root::open(&own.root_pem(), key).unwrap();
    let csr = ca::Csr::parse(&requests[0].1).unwrap();
    assert!(root.is_asked_by(&csr));
    let urls =
        ca::Urls { crl: format!("{BASE}/c"), shards: Vec::new(), issuer: format!("{BASE}/i"), ocsp: None };
    let answer = root.certify(csr.public_key(), 2, &urls, house.now.to_offset()).unwrap();
    let other = ca::KeyPair::generate(ca::KeyKind::P256).unwrap().public_key().unwrap();
    let other = root.certify(&other, 3, &urls, house.now.to_offset()).unwrap();
    let refused = own.adopt(&Principal::Host, &other.to_pem(), house.now).await.unwrap_err();
    assert!(refused.to_string().contains("no answer to this house's request"), "{refused}");
    own.adopt(&Principal::Host, &answer.to_pem(), house.now).await.unwrap();
    assert_eq!(Some(own.issuer_id()), answer.key_id);
    assert!(house.verify(&house.enrolled("alice").await.certificate_pem, "sslclient").ends_with("OK\n"));
}
