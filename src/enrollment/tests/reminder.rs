//! Reminders: once each, to whom they concern, and not when there is a successor.

use super::*;

/// What waits in somebody's inbox from the house.
async fn notes(house: &House, name: &str) -> Vec<String> {
    let id = house.id(name);
    let rows = house.store.read(move |view| view.inbox_after(id, 0, 100)).await.unwrap().rows;
    assert!(rows.iter().all(|row| row.message.sender == "chancery"));
    rows.iter().map(|row| String::from_utf8_lossy(&row.message.payload).into_owned()).collect()
}

#[tokio::test]
async fn an_owner_is_told_fourteen_seven_and_one_day_before_the_end_and_once_each() {
    let house = House::new().await;
    let enrolled = house.enrolled("alice").await;
    let end = enrolled.not_after;
    let mut told = Vec::new();
    for hours in (0..=20 * 24).rev().step_by(6) {
        let now = end.before(HOUR * hours);
        // Every day the house is opened anew.
        let enrollment = match hours % 24 {
            0 => house.restarted(now).await,
            _ => house.enrollment.clone(),
        };
        if enrollment.remind(now).await.unwrap() > 0 {
            told.push(hours);
        }
    }
    assert_eq!(told, [14 * 24, 7 * 24, 24]);
    let notes = notes(&house, "alice").await;
    assert!(notes[0].contains("in 14 days") && notes[2].contains("in 24 hours"), "{notes:?}");
    assert!(notes.iter().all(|note| note.contains(&enrolled.serial)), "{notes:?}");
    assert_eq!(house.deeds().await.iter().filter(|deed| *deed == "system certificate.remind").count(), 3);
}

#[tokio::test]
async fn of_reminders_that_were_missed_the_last_one_comes_alone() {
    let house = House::new().await;
    let end = house.enrolled("alice").await.not_after;
    assert_eq!(house.enrollment.remind(end.before(DAY * 5)).await.unwrap(), 1);
    assert_eq!(house.enrollment.remind(end.before(DAY * 5)).await.unwrap(), 0);
    assert!(notes(&house, "alice").await[0].contains("in 5 days"));
    assert_eq!(house.enrollment.remind(end).await.unwrap(), 0, "and none after the end");
}

#[tokio::test]
async fn whoever_has_a_successor_or_may_not_act_is_not_told() {
    let house = House::new().await;
    let (alice, bob) = (house.enrolled("alice").await, house.enrolled("bob").await);
    let soon = alice.not_after.before(DAY * 5);
    let renew = house.now.after(DAY * 60);
    let csr = house.csr(&house.key("next.key"), "alice", None);
    let next = house.enrollment.renew("est", &house.presented(&alice), None, &csr, renew).await.unwrap();
    house.directory.disable(&Principal::Host, "bob", renew).await.unwrap();
    assert_eq!(house.enrollment.remind(soon).await.unwrap(), 0);
    // The successor is taken back: now the old one matters again.
    house.enrollment.revoke(&Principal::Host, &next.serial, "key-compromise", soon).await.unwrap();
    assert_eq!(house.enrollment.remind(soon).await.unwrap(), 1);
    // What was taken back ends for nobody.
    house.directory.enable(&Principal::Host, "bob", renew).await.unwrap();
    house.enrollment.revoke(&Principal::Host, &bob.serial, "key-compromise", soon).await.unwrap();
    assert_eq!(house.enrollment.remind(soon).await.unwrap(), 0);
}

#[tokio::test]
async fn another_device_is_no_successor_and_a_short_life_is_no_news() {
    let house = House::new().await;
    let enroll = async |profile: &str, name: Option<&str>, now: Timestamp| {
        let grant = Grant::of(Some(profile), name.map(str::to_owned).into_iter().collect()).unwrap();
        let key = house.key(&format!("{}.key", now.micros()));
        let csr = openssl(&["req", "-new", "-key", text(&key), "-subj", "/"]).into_bytes();
        house.enrollment.enroll(&Principal::Host, "alice", grant, Request::Csr(csr), now).await.unwrap()
    };
    // A session's certificate lives for a day.
    enroll("session", None, house.now).await;
    assert_eq!(house.enrollment.remind(house.now.after(DAY / 2)).await.unwrap(), 0);
    let first = enroll("device", Some("sensor-1"), house.now).await;
    enroll("device", Some("sensor-2"), house.now.after(DAY)).await;
    let soon = first.not_after.before(DAY * 13);
    assert_eq!(house.enrollment.remind(soon).await.unwrap(), 2);
    enroll("device", Some("sensor-1"), soon).await;
    assert_eq!(
        house.enrollment.remind(first.not_after.before(DAY * 6)).await.unwrap(),
        1,
        "of sensor-2 alone"
    );
}

const HOUR: Duration = Duration::from_secs(3600);
