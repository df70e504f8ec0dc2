//! Approval: what waits, for how long, and what becomes of it.

use super::*;
use crate::store::{NewCertificate, Tx};

/// A house in which an admin agrees to every client's certificate.
async fn house() -> House {
    let cfg = r#"{ "profile": { "client": { "approval": true } } }"#;
    House::ruled(serde_json::from_str(cfg).unwrap()).await
}

async fn asks(house: &House, token: &str, csr: &[u8], now: Timestamp) -> Result<Enrolled, Refused> {
    house.enrollment.enroll_with_token("est", Brought::Secret(token), None, csr, now).await
}

fn waits(asked: Result<Enrolled, Refused>) -> Wait {
    match asked {
        Err(Refused::Waiting(wait)) => wait,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_request_waits_and_is_signed_when_an_admin_agrees() {
    let house = house().await;
    let (token, _) = house.token("alice").await;
    let key = house.key("phone.key");
    let wait = waits(asks(&house, &token, &house.csr(&key, "alice", None), house.now).await);
    assert!(house.enrollment.list(None, 10).await.unwrap().is_empty(), "no serial is spent on it");
    // The same key again is the same request, whoever signed the request anew.
    let later = house.now.after(Duration::from_secs(120));
    let again = waits(asks(&house, &token, &house.csr(&key, "alice", None), later).await);
    assert!(again.id == wait.id && again.until == wait.until && again.retry > wait.retry, "{again:?}");
    // The token is bound to it.
    let other = house.csr(&house.key("other.key"), "alice", None);
    assert!(matches!(asks(&house, &token, &other, later).await, Err(Refused::DeadToken)));

    let root = Principal::Admin("root".into());
    let serial = house.enrollment.approve(&root, &wait.id, later).await.unwrap();
    let enrolled = asks(&house, &token, &house.csr(&key, "alice", None), later).await.unwrap();
    assert_eq!(enrolled.serial, serial);
    assert!(house.verify(&enrolled.certificate_pem, "sslclient").contains(": OK"));
    let twice = house.enrollment.approve(&root, &wait.id, later).await;
    assert!(matches!(twice, Err(Refused::NotPending(_))), "{twice:?}");
    let wanted = [
        "host certificate.token",
        "account:alice certificate.wait",
        "account:alice certificate.enroll?",
        "admin:root certificate.approve",
        "admin:root certificate.issue",
        "admin:root certificate.approve?",
    ];
    assert_eq!(house.deeds().await, wanted);
    // What is handed out once more is not handed out after its revocation.
    house.enrollment.revoke(&root, &serial, "key-compromise", later).await.unwrap();
    let after = asks(&house, &token, &house.csr(&key, "alice", None), later).await;
    assert!(matches!(after, Err(Refused::Status(StatusRefused::Revoked))), "{after:?}");
}

#[tokio::test]
async fn a_request_is_decided_on_again_when_an_admin_agrees() {
    let house = house().await;
    let (token, _) = house.token("alice").await;
    let wait = waits(asks(&house, &token, &house.csr(&house.key("a.key"), "alice", None), house.now).await);
    house.directory.disable(&Principal::Host, "alice", house.now).await.unwrap();
    let approved = house.enrollment.approve(&Principal::Host, &wait.id, house.now).await;
    assert!(matches!(approved, Err(Refused::Disabled { .. })), "{approved:?}");
    assert!(house.enrollment.list(None, 10).await.unwrap().is_empty());
    // It still waits, and is signed once she is back.
    house.directory.enable(&Principal::Host, "alice", house.now).await.unwrap();
    house.enrollment.approve(&Principal::Host, &wait.id, house.now).await.unwrap();
}

#[tokio::test]
async fn only_admins_agree_and_what_they_deny_stays_denied() {
    let house = house().await;
    let (token, _) = house.token("alice").await;
    let csr = house.csr(&house.key("a.key"), "alice", None);
    let wait = waits(asks(&house, &token, &csr, house.now).await);
    for stranger in [house.principal("alice"), Principal::Guest] {
        let approved = house.enrollment.approve(&stranger, &wait.id, house.now).await;
        assert!(matches!(approved, Err(Refused::NotAllowed(_))), "{approved:?}");
        let denied = house.enrollment.deny(&stranger, &wait.id, house.now).await;
        assert!(matches!(denied, Err(Refused::NotAllowed(_))), "{denied:?}");
    }
    house.enrollment.deny(&Principal::Host, &wait.id, house.now).await.unwrap();
    assert!(matches!(asks(&house, &token, &csr, house.now).await, Err(Refused::Denied)));
    let late = house.enrollment.approve(&Principal::Host, &wait.id, house.now).await;
    assert!(matches!(late, Err(Refused::NotPending(_))), "{late:?}");
    assert!(house.enrollment.pending(house.now).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_request_survives_a_restart_and_is_forgotten_when_its_time_is_up() {
    let house = house().await;
    let (token, _) = house.token("alice").await;
    let csr = house.csr(&house.key("a.key"), "alice", None);
    let wait = waits(asks(&house, &token, &csr, house.now).await);
    let again = house.restarted(house.now.after(DAY)).await;
    assert_eq!(again.pending(wait.until.before(DAY)).await.unwrap().len(), 1);
    assert!(again.pending(wait.until).await.unwrap().is_empty());
    let late = again.approve(&Principal::Host, &wait.id, wait.until).await;
    assert!(matches!(late, Err(Refused::NotPending(_))), "{late:?}");
    assert!(matches!(asks(&house, &token, &csr, wait.until).await, Err(Refused::DeadToken)));
    // With a new token the same key may wait anew.
    let drawn = house.enrollment.token(&Principal::Host, "alice", Grant::client(), wait.until).await.unwrap();
    assert!(waits(asks(&house, &drawn.secret, &csr, wait.until).await).until > wait.until);
}

/// Between the serial and the signature a request counts as approved.
#[tokio::test]
async fn a_request_that_a_crash_left_unsigned_waits_again() {
    let house = house().await;
    let (token, _) = house.token("alice").await;
    let csr = house.csr(&house.key("a.key"), "alice", None);
    let wait = waits(asks(&house, &token, &csr, house.now).await);
    let (id, account, now) = (wait.id.clone(), house.id("alice"), house.now);
    let serial = ca::Serial::random().unwrap().to_string();
    let half = move |tx: &mut Tx| {
        let new = NewCertificate {
            serial: serial.clone(),
            account: Some(account),
            name: "alice".into(),
            profile: "client",
            issuer: 1,
            spki: [7; 32],
            not_before: now,
            not_after: now.after(90 * DAY),
        };
        tx.intend_certificate(&new, now)?;
        tx.approve_pending(&id, &serial, now)
    };
    assert!(house.store.write(half).await.unwrap());
    waits(asks(&house, &token, &csr, house.now).await);
    assert!(house.enrollment.pending(house.now).await.unwrap().is_empty());
    let again = house.restarted(house.now).await;
    again.approve(&Principal::Host, &wait.id, house.now).await.unwrap();
    asks(&house, &token, &csr, house.now).await.unwrap();
}

#[tokio::test]
async fn of_many_admins_who_agree_at_once_one_does() {
    let house = house().await;
    let (token, _) = house.token("alice").await;
    let csr = house.csr(&house.key("a.key"), "alice", None);
    let wait = waits(asks(&house, &token, &csr, house.now).await);
    let agree = (0..8).map(|_| {
        let (enrollment, id, now) = (house.enrollment.clone(), wait.id.clone(), house.now);
        tokio::spawn(async move { enrollment.approve(&Principal::Host, &id, now).await })
    });
    let mut approved = Vec::new();
    for one in agree.collect::<Vec<_>>() {
        match one.await.unwrap() {
            Ok(serial) => approved.push(serial),
            Err(refused) => assert!(matches!(refused, Refused::NotPending(_)), "{refused}"),
        }
    }
    let lines = house.enrollment.list(None, 10).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.serial.clone()).collect::<Vec<_>>(), approved);
    assert_eq!(approved.len(), 1);
    assert_eq!(asks(&house, &token, &csr, house.now).await.unwrap().serial, approved[0]);
}

#[tokio::test]
async fn an_account_has_ten_requests_that_wait_and_no_more() {
    let house = house().await;
    for number in 0..11 {
        let (token, _) = house.token("alice").await;
        let csr = house.csr(&house.key(&format!("{number}.key")), "alice", None);
        match asks(&house, &token, &csr, house.now).await {
            Err(Refused::Waiting(_)) if number < 10 => {}
            Err(Refused::Crowded) if number == 10 => {}
            other => panic!("{number}: {other:?}"),
        }
    }
    assert_eq!(house.enrollment.pending(house.now).await.unwrap().len(), 10);
}

#[tokio::test]
async fn a_renewal_waits_too_and_not_with_a_certificate_that_was_taken_back() {
    let house = house().await;
    let request = Request::Csr(house.csr(&house.key("old.key"), "alice", None));
    let first = house.enrollment.enroll(&Principal::Host, "alice", Grant::client(), request, house.now).await;
    house.enrollment.approve(&Principal::Host, &waits(first).id, house.now).await.unwrap();
    let request = Request::Csr(house.csr(&house.path("old.key"), "alice", None));
    let old = house.enrollment.enroll(&Principal::Host, "alice", Grant::client(), request, house.now).await;
    let old = house.presented(&old.unwrap());

    let csr = house.csr(&house.key("new.key"), "alice", None);
    let wait = waits(house.enrollment.renew("est", &old, None, &csr, house.now).await);
    house.enrollment.revoke(&Principal::Host, &old.serial, "key-compromise", house.now).await.unwrap();
    let approved = house.enrollment.approve(&Principal::Host, &wait.id, house.now).await;
    assert!(matches!(approved, Err(Refused::Status(StatusRefused::Revoked))), "{approved:?}");
    let again = house.enrollment.renew("est", &old, None, &csr, house.now).await;
    assert!(matches!(again, Err(Refused::Status(StatusRefused::Revoked))), "{again:?}");
}

#[tokio::test]
async fn no_key_is_kept_while_a_request_waits() {
    let house = house().await;
    let made = Request::MakeKey { p12_password: None, legacy: false };
    let refused = house.enrollment.enroll(&Principal::Host, "alice", Grant::client(), made, house.now).await;
    assert!(matches!(refused, Err(Refused::BringKey(_))), "{refused:?}");
}
