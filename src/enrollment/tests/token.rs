//! One-time tokens.

use super::*;
use crate::enrollment::token::Mint;

#[tokio::test]
async fn a_token_enrolls_one_device_for_its_account() {
    let house = House::new().await;
    let (token, until) = house.token("alice").await;
    assert_eq!(until, house.now.after(DAY));
    let csr = house.csr(&house.key("phone.key"), "alice", None);
    let enrolled = house
        .enrollment
        .enroll_with_token("api", Brought::Secret(&token), None, &csr, house.now)
        .await
        .unwrap();
    assert_eq!(house.presented(&enrolled).account, house.id("alice"));

    let csr = house.csr(&house.key("thief.key"), "alice", None);
    let again =
        house.enrollment.enroll_with_token("api", Brought::Secret(&token), None, &csr, house.now).await;
    assert!(matches!(again, Err(Refused::DeadToken)), "{again:?}");
    assert_eq!(house.enrollment.list(None, 10).await.unwrap().len(), 1);
    let wanted = [
        "host certificate.token",
        "account:alice certificate.enroll",
        "account:alice certificate.issue",
        "guest certificate.enroll?",
    ];
    assert_eq!(house.deeds().await, wanted);
    let token = token.as_str();
    assert!(house.audit().await.iter().all(|entry| !entry.details.contains(token)));
}

#[tokio::test]
async fn of_many_devices_with_one_token_at_once_one_is_enrolled() {
    let house = House::new().await;
    let (token, _) = house.token("alice").await;
    let tries = (0..8).map(|number| {
        let csr = house.csr(&house.key(&format!("{number}.key")), "alice", None);
        let (enrollment, token, now) = (house.enrollment.clone(), token.clone(), house.now);
        tokio::spawn(async move {
            enrollment.enroll_with_token("api", Brought::Secret(&token), None, &csr, now).await.is_ok()
        })
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
    let (token, _) = house.token("alice").await;
    let key = house.key("phone.key");
    let foreign = house
        .enrollment
        .enroll_with_token("api", Brought::Secret(&token), None, &house.csr(&key, "bob", None), house.now)
        .await;
    assert!(matches!(foreign, Err(Refused::ForeignName { .. })), "{foreign:?}");
    house
        .enrollment
        .enroll_with_token("api", Brought::Secret(&token), None, &house.csr(&key, "alice", None), house.now)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_old_or_invented_token_is_dead() {
    let house = House::new().await;
    let (token, until) = house.token("alice").await;
    let csr = house.csr(&house.key("phone.key"), "alice", None);
    for (token, when) in [(token.as_str(), until), ("", house.now), ("invented", house.now)] {
        let refused =
            house.enrollment.enroll_with_token("api", Brought::Secret(token), None, &csr, when).await;
        assert!(matches!(refused, Err(Refused::DeadToken)), "{refused:?}");
    }
}

#[tokio::test]
async fn a_leavers_token_enrolls_nobody() {
    let house = House::new().await;
    let (token, _) = house.token("alice").await;
    let csr = house.csr(&house.key("phone.key"), "alice", None);
    house.directory.disable(&Principal::Host, "alice", house.now).await.unwrap();
    let disabled =
        house.enrollment.enroll_with_token("api", Brought::Secret(&token), None, &csr, house.now).await;
    assert!(matches!(disabled, Err(Refused::Disabled { .. })), "{disabled:?}");
    house.directory.remove(&Principal::Host, "alice", house.now).await.unwrap();
    let gone =
        house.enrollment.enroll_with_token("api", Brought::Secret(&token), None, &csr, house.now).await;
    assert!(matches!(gone, Err(Refused::Gone)), "{gone:?}");
}

#[tokio::test]
async fn nobody_draws_a_token_for_somebody_else() {
    let house = House::new().await;
    let refused = house.enrollment.token(&house.principal("bob"), "alice", Grant::client(), house.now).await;
    assert!(matches!(refused, Err(Refused::NotAllowed(_))));
    house.enrollment.token(&house.principal("alice"), "alice", Grant::client(), house.now).await.unwrap();
    assert_eq!(house.deeds().await, ["account:bob certificate.token?", "account:alice certificate.token"]);
}

#[tokio::test]
async fn five_wrong_secrets_under_its_name_and_a_token_is_dead() {
    let house = House::new().await;
    let mut names = Vec::new();
    for misses in [4, 5] {
        let drawn =
            house.enrollment.token(&Principal::Host, "alice", Grant::client(), house.now).await.unwrap();
        let key = house.key(&format!("{misses}.key"));
        let csr = house.csr(&key, "alice", None);
        let comes = |secret: String| {
            let (enrollment, csr, id, now) =
                (house.enrollment.clone(), csr.clone(), drawn.id.clone(), house.now);
            async move { enrollment.enroll_with_token("est", Brought::Named(&id, &secret), None, &csr, now).await }
        };
        for number in 0..misses {
            let wrong = comes(format!("wrong {number}")).await;
            assert!(matches!(wrong, Err(Refused::DeadToken)), "{wrong:?}");
        }
        assert_eq!(comes(drawn.secret.to_string()).await.is_ok(), misses < 5, "after {misses}");
        names.push(drawn.id);
    }
    assert_ne!(names[0], names[1]);
}

#[tokio::test]
async fn a_token_is_the_same_after_a_restart_and_another_houses_is_not() {
    let (house, other) = (House::new().await, House::new().await);
    let drawn = house.enrollment.token(&Principal::Host, "alice", Grant::client(), house.now).await.unwrap();
    let again = house.restarted(house.now).await;
    assert_eq!(again.mint.secret(&drawn.id), drawn.secret);
    assert_ne!(other.enrollment.mint.secret(&drawn.id), drawn.secret);
}

#[tokio::test]
async fn a_token_for_a_server_gives_just_that() {
    let house = House::new().await;
    let hosts = vec!["Web.corp.example".to_owned(), "10.0.0.7".into()];
    let grant = Grant::of(Some("server"), hosts).unwrap();
    let own = house.enrollment.token(&house.principal("alice"), "alice", grant.clone(), house.now).await;
    assert!(matches!(own, Err(Refused::NotAllowed(_))), "hosts are for an admin to give");
    let drawn = house.enrollment.token(&Principal::Host, "alice", grant, house.now).await.unwrap();
    let key = house.key("web.key");
    let comes = |names: &str| {
        let csr = house.csr(&key, "web.corp.example", Some(names));
        let (enrollment, secret, now) = (house.enrollment.clone(), drawn.secret.to_string(), house.now);
        async move { enrollment.enroll_with_token("api", Brought::Secret(&secret), None, &csr, now).await }
    };
    let foreign = comes("DNS:mail.corp.example").await;
    assert!(matches!(foreign, Err(Refused::ForeignName { .. })), "{foreign:?}");
    let issued = comes("DNS:web.corp.example,IP:10.0.0.7").await.unwrap();
    assert!(house.verify(&issued.certificate_pem, "sslserver").ends_with(": OK\n"));
    assert_eq!(
        house.enrollment.show(&issued.serial).await.unwrap().unwrap().account,
        Some(house.id("alice"))
    );
}

#[test]
fn neither_name_nor_secret_of_a_token_looks_like_an_option() {
    let folder = tempfile::tempdir().unwrap();
    let mint = Mint::open(folder.path()).unwrap();
    for _ in 0..2000 {
        let (id, secret) = mint.coin();
        assert!(!id.starts_with('-') && !secret.starts_with('-'), "certbot would not take {id}");
    }
}
