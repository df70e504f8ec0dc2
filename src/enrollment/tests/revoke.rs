//! Taking back.

use super::*;
use crate::broker::{Bell, Hello, Live};
use crate::mqtt::Reason;
use crate::mqtt::Version;
use crate::store::{NewCertificate, Tx};

/// A live session on a certificate; gives the bell by which it hears of its end.
async fn connected(house: &House, presented: &Presented, client: &str) -> Arc<Bell> {
    let bell = Arc::<Bell>::default();
    let live = Live {
        serial: Some(presented.serial.clone()),
        key: None,
        address: None,
        version: Version::V5,
        door: "mqtts",
        since: house.now,
        bell: bell.clone(),
    };
    let (account, client_id) = (presented.account, client.into());
    let hello = Hello { account, client_id, clean_start: true, expiry: 0, will: None, live };
    house.broker.attach(hello, house.now).await.unwrap();
    bell
}

#[tokio::test]
async fn a_revoked_certificate_is_in_the_index_on_the_crl_and_out_of_the_ledgers_favour() {
    let house = House::new().await;
    let (bad, good) = (house.enrolled("alice").await, house.enrolled("bob").await);
    house.enrollment.revoke(&Principal::Host, &bad.serial, "key-compromise", house.now).await.unwrap();

    assert!(house.enrollment.is_revoked(&bad.serial) && !house.enrollment.is_revoked(&good.serial));
    let status = house.enrollment.status(&house.presented(&bad), house.now).await;
    assert!(matches!(status, Err(StatusRefused::Revoked)), "{status:?}");
    assert!(house.verify(&bad.certificate_pem, "sslclient").contains("certificate revoked"));
    assert!(house.verify(&good.certificate_pem, "sslclient").contains(": OK"));
    std::fs::write(house.path("own.crl"), &*house.enrollment.crl()).unwrap();
    let printed = openssl(&["crl", "-inform", "DER", "-in", text(&house.path("own.crl")), "-noout", "-text"]);
    assert!(printed.contains(&bad.serial) && printed.contains("Key Compromise"), "{printed}");
    assert_eq!(house.enrollment.crl_info().count, 1);
}

#[tokio::test]
async fn a_revoked_certificate_ends_its_sessions_and_no_others() {
    let house = House::new().await;
    let lost = house.presented(&house.enrolled("alice").await);
    let kept = house.presented(&house.enrolled("alice").await);
    let (first, second) =
        (connected(&house, &lost, "phone").await, connected(&house, &lost, "old phone").await);
    let other = connected(&house, &kept, "laptop").await;

    let ended =
        house.enrollment.revoke(&Principal::Host, &lost.serial, "superseded", house.now).await.unwrap();
    assert_eq!(ended, 2);
    assert_eq!(first.ending(), Some(Reason::AdministrativeAction));
    assert_eq!(second.ending(), Some(Reason::AdministrativeAction));
    assert!(other.ending().is_none() && house.broker.is_online(house.id("alice")));
}

#[tokio::test]
async fn what_was_revoked_stays_revoked_after_a_restart() {
    let house = House::new().await;
    let enrolled = house.enrolled("alice").await;
    house.enrollment.revoke(&Principal::Host, &enrolled.serial, "unspecified", house.now).await.unwrap();
    let before = house.enrollment.crl_info();
    let again = house.restarted(house.now).await;
    assert!(again.is_revoked(&enrolled.serial));
    assert!(again.crl_info().number > before.number && again.crl_info().count == 1);
}

#[tokio::test]
async fn a_serial_that_a_crash_left_intended_counts_as_issued_and_can_be_revoked() {
    let house = House::new().await;
    let serial = ca::Serial::random().unwrap().to_string();
    let new = NewCertificate {
        serial: serial.clone(),
        account: Some(house.id("alice")),
        name: "alice".into(),
        profile: "client",
        issuer: 1,
        spki: [7; 32],
        not_before: house.now,
        not_after: house.now.after(90 * DAY),
    };
    let now = house.now;
    let intend = move |tx: &mut Tx| tx.intend_certificate(&new, now);
    house.store.write(intend).await.unwrap();

    let again = house.restarted(now).await;
    let presented = Presented { serial: serial.clone(), account: house.id("alice"), renewal: (now, now) };
    assert!(again.status(&presented, now).await.is_ok());
    again.revoke(&Principal::Host, &serial, "unspecified", now).await.unwrap();
    assert!(again.is_revoked(&serial) && again.crl_info().count == 1);
    assert!(again.status(&presented, now).await.is_err());
}

#[tokio::test]
async fn a_leaver_loses_every_certificate() {
    let house = House::new().await;
    let (one, two) = (house.enrolled("alice").await, house.enrolled("alice").await);
    let other = house.enrolled("bob").await;
    let line = connected(&house, &house.presented(&one), "phone").await;
    assert_eq!(house.enrollment.part_with_leavers(&Principal::System, house.now).await.unwrap(), 0);
    house.directory.disable(&Principal::Host, "alice", house.now).await.unwrap();
    house.enrollment.part_with_leavers(&Principal::System, house.now).await.unwrap();
    assert!(house.enrollment.is_revoked(&one.serial) && house.enrollment.is_revoked(&two.serial));
    assert!(!house.enrollment.is_revoked(&other.serial));
    assert_eq!(line.ending(), Some(Reason::AdministrativeAction));
    let shown = house.enrollment.show(&one.serial).await.unwrap().unwrap();
    assert_eq!(shown.reason.as_deref(), Some("affiliation-changed"));
    house.directory.remove(&Principal::Host, "bob", house.now).await.unwrap();
    house.enrollment.part_with_leavers(&Principal::System, house.now).await.unwrap();
    let shown = house.enrollment.show(&other.serial).await.unwrap().unwrap();
    assert_eq!(shown.reason.as_deref(), Some("cessation-of-operation"));
    // There is nothing left to take back.
    house.enrollment.part_with_leavers(&Principal::System, house.now).await.unwrap();
    let taken = house.deeds().await.iter().filter(|deed| *deed == "system certificate.revoke").count();
    assert_eq!(taken, 3);
}

#[tokio::test]
async fn people_take_back_their_own_certificates_alone() {
    let house = House::new().await;
    let enrolled = house.enrolled("alice").await;
    let stranger =
        house.enrollment.revoke(&house.principal("bob"), &enrolled.serial, "unspecified", house.now).await;
    assert!(matches!(stranger, Err(Refused::NotAllowed(_))), "{stranger:?}");
    assert!(!house.enrollment.is_revoked(&enrolled.serial));
    house
        .enrollment
        .revoke(&house.principal("alice"), &enrolled.serial, "key-compromise", house.now)
        .await
        .unwrap();
    let deeds = house.deeds().await;
    assert_eq!(deeds[2..], ["account:bob certificate.revoke?", "account:alice certificate.revoke"]);
}

#[tokio::test]
async fn what_cannot_be_taken_back_is_told() {
    let house = House::new().await;
    let serial = house.enrolled("alice").await.serial;
    let revoke = async |serial: &str, reason: &str| {
        house.enrollment.revoke(&Principal::Host, serial, reason, house.now).await.unwrap_err()
    };
    assert!(matches!(revoke("alice", "unspecified").await, Refused::NoCertificate(_)));
    assert!(revoke(&serial, "because").await.to_string().contains("key-compromise"));
    let unknown = ca::Serial::random().unwrap().to_string();
    assert!(matches!(revoke(&unknown, "unspecified").await, Refused::NoCertificate(_)));
    house.enrollment.revoke(&Principal::Host, &serial, "unspecified", house.now).await.unwrap();
    assert!(matches!(revoke(&serial, "unspecified").await, Refused::AlreadyRevoked(_)));
}

#[tokio::test]
async fn a_certificate_of_another_authority_or_without_an_account_names_nobody() {
    let (house, other) = (House::new().await, House::new().await);
    let foreign = ca::Certificate::from_pem(&other.enrolled("alice").await.certificate_pem).unwrap();
    assert_eq!(house.enrollment.identify(foreign.der()), None);
    assert_eq!(house.enrollment.identify(&house.enrollment.authorities_der()[1]), None);
    assert_eq!(house.enrollment.identify(b"no certificate"), None);
    let own = house.enrollment.server_certificate(&["localhost".into()], house.now).await.unwrap();
    assert_eq!(house.enrollment.identify(&own.chain_der[0]), None);
    let (serial, renewal) = (ca::Serial::random().unwrap().to_string(), (house.now, house.now));
    let unknown = Presented { serial, account: house.id("alice"), renewal };
    assert!(matches!(house.enrollment.status(&unknown, house.now).await, Err(StatusRefused::Unknown)));
}

/// A caller that hung up between the ledger and the sessions once left them alive.
#[tokio::test]
async fn a_revocation_is_brought_to_its_end_when_whoever_asked_hangs_up() {
    let house = House::new().await;
    let enrolled = house.enrolled("alice").await;
    let mut revoking =
        Box::pin(house.enrollment.revoke(&Principal::Host, &enrolled.serial, "key-compromise", house.now));
    let moment = Duration::from_micros(100);
    let taken_back = async || {
        let line = house.enrollment.show(&enrolled.serial).await.unwrap().unwrap();
        line.state == crate::store::CertificateState::Revoked
    };
    while tokio::time::timeout(moment, &mut revoking).await.is_err() && !taken_back().await {}
    drop(revoking);
    while !house.enrollment.is_revoked(&enrolled.serial) || house.enrollment.crl_info().count == 0 {
        tokio::task::yield_now().await;
    }
}
