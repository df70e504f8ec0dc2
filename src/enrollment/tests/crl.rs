//! The lists.

use super::*;

const HOUR: Duration = Duration::from_secs(60 * 60);

#[tokio::test]
async fn the_list_is_signed_anew_every_six_hours_and_not_before() {
    let house = House::new().await;
    let first = house.enrollment.crl_info();
    assert_eq!(first.next_update, house.now.after(DAY));
    house.enrollment.renew_crl_if_due(house.now.after(5 * HOUR)).await;
    assert_eq!(house.enrollment.crl_info(), first);
    house.enrollment.renew_crl_if_due(house.now.after(6 * HOUR)).await;
    let second = house.enrollment.crl_info();
    assert_eq!((second.number, second.this_update), (first.number + 1, house.now.after(6 * HOUR)));
}

#[tokio::test]
async fn a_list_from_the_future_is_replaced_when_the_clock_was_set_right() {
    let house = House::new().await;
    let ahead = house.restarted(house.now.after(30 * DAY)).await;
    ahead.renew_crl_if_due(house.now).await;
    assert_eq!(ahead.crl_info().this_update, house.now);
}

#[tokio::test]
async fn many_revocations_at_once_are_all_on_the_list() {
    let house = House::new().await;
    let mut serials = Vec::new();
    for _ in 0..12 {
        let request = Request::MakeKey { p12_password: None, legacy: false };
        serials.push(
            house
                .enrollment
                .enroll(&Principal::Host, "alice", Grant::client(), request, house.now)
                .await
                .unwrap()
                .serial,
        );
    }
    let before = house.enrollment.crl_info().number;
    let revoke = |serial: String| {
        let (enrollment, now) = (house.enrollment.clone(), house.now);
        tokio::spawn(async move { enrollment.revoke(&Principal::Host, &serial, "unspecified", now).await })
    };
    for one in serials.into_iter().map(revoke).collect::<Vec<_>>() {
        one.await.unwrap().unwrap();
    }
    let after = house.enrollment.crl_info();
    assert_eq!(after.count, 12);
    assert!(after.number <= before + 12, "{after:?}");
}

#[tokio::test]
async fn an_expired_certificate_stays_on_one_more_list_and_leaves_it() {
    let house = House::new().await;
    let enrolled = house.enrolled("alice").await;
    house.enrollment.revoke(&Principal::Host, &enrolled.serial, "unspecified", house.now).await.unwrap();
    house.enrollment.renew_crl_if_due(enrolled.not_after.after(HOUR)).await;
    assert_eq!(house.enrollment.crl_info().count, 1);
    house.enrollment.renew_crl_if_due(enrolled.not_after.after(2 * DAY)).await;
    assert_eq!(house.enrollment.crl_info().count, 0);
}

#[tokio::test]
async fn the_roots_list_is_renewed_while_its_key_is_here_and_kept_when_it_is_not() {
    let house = House::new().await;
    let root_id = house.enrollment.authority.current().root().key_id.clone().unwrap();
    let root_crl = || house.enrollment.crl_of(&root_id).unwrap();
    let first = root_crl();
    house.enrollment.renew_crl_if_due(house.now.after(30 * DAY)).await;
    assert_eq!(root_crl(), first);
    house.enrollment.renew_crl_if_due(house.now.after(200 * DAY)).await;
    let second = root_crl();
    assert_ne!(second, first);
    assert_eq!(std::fs::read(house.path("authority/root.crl")).unwrap(), *second);
    std::fs::write(house.path("root.crl"), &*second).unwrap();
    let printed =
        openssl(&["crl", "-inform", "DER", "-in", text(&house.path("root.crl")), "-noout", "-crlnumber"]);
    assert_eq!(printed.trim().to_lowercase(), "crlnumber=0x02");

    std::fs::remove_file(house.path("authority/root.key")).unwrap();
    house.enrollment.renew_crl_if_due(house.now.after(500 * DAY)).await;
    assert_eq!(root_crl(), second);
}

#[tokio::test]
async fn what_certificates_point_to_is_published_under_that_name() {
    let house = House::new().await;
    let own = &house.enrollment;
    let issuing = ca::Certificate::parse(&own.certificate_of(&own.issuer_id()).unwrap()).unwrap();
    let root =
        ca::Certificate::parse(&own.certificate_of(issuing.issuer_key_id.as_deref().unwrap()).unwrap())
            .unwrap();
    assert_eq!(own.authorities_der(), [issuing.der(), root.der()]);
    assert_eq!(own.crl_of(&own.issuer_id()).unwrap(), own.crl());
    assert!(own.crl_of("00").is_none() && own.certificate_of("00").is_none());
}
