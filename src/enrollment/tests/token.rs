//! One-time tokens.

use super::*;

#[tokio::test]
async fn a_token_enrolls_one_device_for_its_account() {
    let house = House::new().await;
    let (token, until) = house.enrollment.token(&Principal::Host, "alice", house.now).await.unwrap();
    assert_eq!(until, house.now.after(DAY));
    let csr = house.csr(&house.key("phone.key"), "alice", None);
    let enrolled = house.enrollment.enroll_with_token(&token, &csr, house.now).await.unwrap();
    assert_eq!(house.presented(&enrolled).account, house.id("alice"));

    let csr = house.csr(&house.key("thief.key"), "alice", None);
    let again = house.enrollment.enroll_with_token(&token, &csr, house.now).await;
    assert!(matches!(again, Err(Refused::DeadToken)), "{again:?}");
    assert_eq!(house.enrollment.list(None, 10).await.unwrap().len(), 1);
    let wanted =
        ["host certificate.token", "account:alice certificate.enroll", "account:alice certificate.issue"];
    assert_eq!(house.deeds().await, wanted);
    let token = token.as_str();
    assert!(house.audit().await.iter().all(|entry| !entry.details.contains(token)));
}

#[tokio::test]
async fn of_many_devices_with_one_token_at_once_one_is_enrolled() {
    let house = House::new().await;
    let (token, _) = house.enrollment.token(&Principal::Host, "alice", house.now).await.unwrap();
    let tries = (0..8).map(|number| {
        let csr = house.csr(&house.key(&format!("{number}.key")), "alice", None);
        let (enrollment, token, now) = (house.enrollment.clone(), token.clone(), house.now);
        tokio::spawn(async move { enrollment.enroll_with_token(&token, &csr, now).await.is_ok() })
    });
    let mut enrolled = 0;
    for one in tries.collect::<Vec<_>>() {
        enrolled += usize::from(one.await.unwrap());
    }
    assert_eq!(enrolled, 1);
    assert_eq!(house.enrollment.list(None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_refused_request_leaves_the_token_alive() {
    let house = House::new().await;
    let (token, _) = house.enrollment.token(&Principal::Host, "alice", house.now).await.unwrap();
    let key = house.key("phone.key");
    let foreign = house.enrollment.enroll_with_token(&token, &house.csr(&key, "bob", None), house.now).await;
    assert!(matches!(foreign, Err(Refused::ForeignName { .. })), "{foreign:?}");
    house.enrollment.enroll_with_token(&token, &house.csr(&key, "alice", None), house.now).await.unwrap();
}

#[tokio::test]
async fn an_old_or_invented_token_is_dead() {
    let house = House::new().await;
    let (token, until) = house.enrollment.token(&Principal::Host, "alice", house.now).await.unwrap();
    let csr = house.csr(&house.key("phone.key"), "alice", None);
    for (token, when) in [(token.as_str(), until), ("", house.now), ("invented", house.now)] {
        let refused = house.enrollment.enroll_with_token(token, &csr, when).await;
        assert!(matches!(refused, Err(Refused::DeadToken)), "{refused:?}");
    }
}

#[tokio::test]
async fn a_leavers_token_enrolls_nobody() {
    let house = House::new().await;
    let (token, _) = house.enrollment.token(&Principal::Host, "alice", house.now).await.unwrap();
    let csr = house.csr(&house.key("phone.key"), "alice", None);
    house.directory.disable(&Principal::Host, "alice", house.now).await.unwrap();
    let disabled = house.enrollment.enroll_with_token(&token, &csr, house.now).await;
    assert!(matches!(disabled, Err(Refused::Disabled { .. })), "{disabled:?}");
    house.directory.remove(&Principal::Host, "alice", house.now).await.unwrap();
    let gone = house.enrollment.enroll_with_token(&token, &csr, house.now).await;
    assert!(matches!(gone, Err(Refused::Gone)), "{gone:?}");
}

#[tokio::test]
async fn nobody_draws_a_token_for_somebody_else() {
    let house = House::new().await;
    let refused = house.enrollment.token(&house.principal("bob"), "alice", house.now).await;
    assert!(matches!(refused, Err(Refused::NotAllowed(_))));
    house.enrollment.token(&house.principal("alice"), "alice", house.now).await.unwrap();
    assert_eq!(house.deeds().await, ["account:bob certificate.token?", "account:alice certificate.token"]);
}
