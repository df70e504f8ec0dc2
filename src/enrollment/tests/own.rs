//! The house's own certificate.

use super::*;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn leaf(server: &ServerCertificate) -> ca::Certificate {
    ca::Certificate::parse(&server.chain_der[0]).unwrap()
}

#[tokio::test]
async fn the_server_certificate_is_made_once_and_kept() {
    let house = House::new().await;
    let wanted = names(&["Mqtt.corp.example", "127.0.0.1", "::1", "localhost"]);
    let first = house.enrollment.server_certificate(&wanted, house.now).await.unwrap();
    assert!(house.verify(&leaf(&first).to_pem(), "sslserver").contains(": OK"));
    assert_eq!(leaf(&first).dns_names().collect::<Vec<_>>(), ["mqtt.corp.example", "localhost"]);
    assert_eq!(first.chain_der.len(), 2);
    let second = house
        .restarted(house.now)
        .await
        .server_certificate(&wanted, house.now.after(15 * DAY))
        .await
        .unwrap();
    assert_eq!(leaf(&second), leaf(&first));
    assert_eq!(*second.key_pkcs8_der, *first.key_pkcs8_der);
    // One for the doors, one for the signer of the answer that they show beside it.
    let pair = ["system certificate.enroll", "system certificate.issue"];
    assert_eq!(house.deeds().await, [pair, pair].concat());
}

#[tokio::test]
async fn the_server_certificate_is_replaced_for_other_names_near_its_end_and_after_revocation() {
    let house = House::new().await;
    let get =
        async |names: &[String], now| leaf(&house.enrollment.server_certificate(names, now).await.unwrap());
    let (one, two) = (names(&["localhost"]), names(&["localhost", "mqtt.corp.example"]));
    let first = get(&one, house.now).await;
    let renamed = get(&two, house.now).await;
    assert_ne!(renamed, first);
    let renewed = get(&two, house.now.after(61 * DAY)).await;
    assert_ne!(renewed, renamed);
    assert_ne!(renewed.spki_sha256, renamed.spki_sha256);
    let now = house.now.after(61 * DAY);
    house.enrollment.revoke(&Principal::Host, &renewed.serial_hex, "key-compromise", now).await.unwrap();
    assert_ne!(get(&two, now).await, renewed);
}

#[tokio::test]
async fn a_damaged_pair_on_disk_is_replaced() {
    let house = House::new().await;
    let wanted = names(&["localhost"]);
    let first = leaf(&house.enrollment.server_certificate(&wanted, house.now).await.unwrap());
    house.key("server.key");
    let second = leaf(&house.enrollment.server_certificate(&wanted, house.now).await.unwrap());
    assert_ne!(second, first);
    std::fs::write(house.path("server.pem"), "no certificate").unwrap();
    assert_ne!(leaf(&house.enrollment.server_certificate(&wanted, house.now).await.unwrap()), second);
}

#[tokio::test]
async fn names_that_no_server_can_have_are_told() {
    let house = House::new().await;
    for wrong in [names(&[]), names(&["münchen.example"]), names(&["*.corp.example"])] {
        assert!(house.enrollment.server_certificate(&wrong, house.now).await.is_err(), "{wrong:?}");
    }
}
