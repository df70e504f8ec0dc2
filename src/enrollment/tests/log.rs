//! The log: nothing is issued in silence.

use super::*;

#[tokio::test]
async fn a_certificate_is_proven_to_be_in_the_log_and_no_other_is() {
    let house = House::new().await;
    let mut enrolled = Vec::new();
    for name in ["alice", "bob", "alice"] {
        let csr = house.csr(&house.key(&format!("{}.key", enrolled.len())), name, None);
        let grant = Grant::client();
        enrolled.push(
            house
                .enrollment
                .enroll(&Principal::Host, name, grant, Request::Csr(csr), house.now)
                .await
                .unwrap(),
        );
    }
    let line = house.enrollment.log_key();
    assert!(line.starts_with("corp.example/certificates+"), "{line}");
    for one in &enrolled {
        let proven = house.enrollment.prove(&one.serial).await.unwrap();
        let proof = serde_json::to_string(&proven.proof).unwrap();
        assert_eq!(check_proof(&line, &one.certificate_pem, &proof), Ok(3));
        let other = enrolled.iter().find(|other| other.serial != one.serial).unwrap();
        assert!(check_proof(&line, &other.certificate_pem, &proof).is_err());
        assert!(check_proof(&House::new().await.enrollment.log_key(), &one.certificate_pem, &proof).is_err());
    }
    let checked = house.enrollment.check_log().await.unwrap();
    assert!(checked.intact && checked.size == 3, "{checked:?}");
    let unknown = house.enrollment.prove("0123456789ABCDEF0123456789ABCDEF").await;
    assert!(matches!(unknown, Err(Refused::NoCertificate(_))));
}

#[tokio::test]
async fn what_was_taken_out_or_changed_is_noticed() {
    let house = House::new().await;
    let (first, _) = (house.enrolled("alice").await, house.enrolled("bob").await);
    let other = House::new().await.enrolled("alice").await;
    let der = ca::Certificate::from_pem(&other.certificate_pem).unwrap().der().to_vec();
    let serial = first.serial.clone();
    house.store.write(move |tx| tx.activate_certificate(&serial, &der, "", 0)).await.unwrap();
    let checked = house.enrollment.check_log().await.unwrap();
    assert!(!checked.intact && checked.broken.unwrap().contains("at 0"));
}

#[tokio::test]
async fn the_log_grows_out_of_itself_through_a_restart() {
    let house = House::new().await;
    house.enrolled("alice").await;
    let old = house.enrollment.checkpoint().await.unwrap();
    let again = house.restarted(house.now).await;
    house.enrolled("bob").await;
    let (hashes, new) = again.prove_growth(1).await.unwrap();
    let log: ca::log::LogKey = again.log_key().parse().unwrap();
    let [old, new] = [old, new].map(|note| ca::log::Checkpoint::open(&note, &log).unwrap());
    assert_eq!((old.size, new.size), (1, 2));
    assert_eq!(ca::log::verify_consistency(1, &old.root, 2, &new.root, &hashes), Ok(()));
    assert!(again.prove_growth(3).await.is_err());
}
