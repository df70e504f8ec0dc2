//! The shards of the lists.

use std::collections::HashMap;

use bytes::Bytes;
use futures_util::FutureExt;

use super::*;
use crate::enrollment::crl::info;

const HOUR: Duration = Duration::from_secs(60 * 60);

impl House {
    async fn shard(&self, issuer: &str, shard: ca::Shard, now: Timestamp) -> Bytes {
        let shown = self.enrollment.crl_of_shard(issuer, &shard.to_string(), now).await;
        shown.unwrap().expect("an issuing CA of the house")
    }

    /// Every shard of the issuing CA that signs.
    async fn shards(&self, now: Timestamp) -> HashMap<ca::Shard, Bytes> {
        let (mut all, issuer) = (HashMap::new(), self.enrollment.issuer_id());
        for shard in ca::Shard::all() {
            all.insert(shard, self.shard(&issuer, shard, now).await);
        }
        all
    }

    /// The shard of a new certificate of bob's, which is taken back.
    async fn taken_back(&self) -> ca::Shard {
        let serial = self.enrolled("bob").await.serial;
        self.enrollment.revoke(&Principal::Host, &serial, "superseded", self.now).await.unwrap();
        ca::Shard::of(serial.parse().unwrap())
    }

    /// How many lists were ever signed.
    async fn signed(&self) -> i64 {
        self.store.read(|view| view.mark("crl")).await.unwrap().unwrap()
    }
}

fn count(list: &[u8]) -> usize {
    info(list).unwrap().count
}

/// A time as it stands in a list, in whole seconds.
fn written(at: Timestamp) -> Timestamp {
    at.to_offset().replace_nanosecond(0).unwrap().into()
}

#[tokio::test]
async fn a_revocation_renews_its_own_shard_and_no_other() {
    let house = House::new().await;
    let before = house.shards(house.now).await;
    let signed = house.signed().await;
    let own = house.taken_back().await;
    let after = house.shards(house.now).await;
    for (shard, list) in &after {
        assert_eq!(count(list), usize::from(*shard == own), "{shard}");
        assert_eq!(*list == before[shard], *shard != own, "{shard}");
    }
    assert!(info(&before[&own]).unwrap().number < info(&after[&own]).unwrap().number);
    assert_eq!(house.signed().await, signed + 2, "the whole list, and the shard");
}

#[tokio::test]
async fn a_shard_to_which_nothing_happened_is_signed_anew_after_six_hours_and_not_before() {
    let house = House::new().await;
    let (issuer, shard) = (house.enrollment.issuer_id(), "2A".parse().unwrap());
    let at = |hours| house.shard(&issuer, shard, house.now.after(HOUR * hours));
    let first = at(0).await;
    assert_eq!(info(&first).unwrap().next_update, written(house.now.after(DAY)));
    assert_eq!(at(5).await, first);
    let second = info(&at(6).await).unwrap();
    assert_eq!(second.this_update, written(house.now.after(HOUR * 6)));
    // One from the future is what a clock leaves behind that was set right.
    assert_eq!(info(&at(0).await).unwrap().this_update, written(house.now));
}

#[tokio::test]
async fn an_expired_certificate_stays_on_one_more_shard_and_leaves_it() {
    let house = House::new().await;
    let (own, issuer) = (house.taken_back().await, house.enrollment.issuer_id());
    let end = house.now.after(DAY * 90);
    assert_eq!(count(&house.shard(&issuer, own, end.after(HOUR)).await), 1);
    assert_eq!(count(&house.shard(&issuer, own, end.after(DAY * 2)).await), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_at_once_or_hangs_up_has_a_shard_signed_once() {
    let house = House::new().await;
    let (issuer, before) = (house.enrollment.issuer_id(), house.signed().await);
    let ask = || house.shard(&issuer, "00".parse().unwrap(), house.now);
    for _ in 0..50 {
        assert!(ask().now_or_never().is_none(), "it is signed aside");
    }
    let lists = futures_util::future::join_all((0..50).map(|_| ask())).await;
    assert!(lists.iter().all(|list| *list == lists[0]));
    assert_eq!(house.signed().await, before + 1);
}

#[tokio::test]
async fn former_issuing_cas_have_shards_of_their_own_until_they_retire() {
    let house = House::new().await;
    let (first, own) = (house.enrollment.issuer_id(), house.taken_back().await);
    house.enrollment.roll(&Principal::Host, house.now).await.unwrap();
    let second = house.enrollment.issuer_id();
    for (issuer, lines) in [(&first, 1), (&second, 0)] {
        assert_eq!(count(&house.shard(issuer, own, house.now).await), lines);
    }
    let late = house.now.after(DAY * 92);
    house.enrollment.keep_issuers(late).await.unwrap();
    assert_eq!(house.enrollment.crl_of_shard(&first, "00", late).await.unwrap(), None);
    assert_eq!(count(&house.shard(&second, own, late).await), 0);
}

#[tokio::test]
async fn there_are_no_shards_but_those_of_issuing_cas_by_their_names() {
    let house = House::new().await;
    let own = &house.enrollment;
    let root = own.authority.current().root().key_id.clone().unwrap();
    for (issuer, shard) in [(root.as_str(), "00"), ("00", "00"), (&own.issuer_id(), "40")] {
        assert_eq!(own.crl_of_shard(issuer, shard, house.now).await.unwrap(), None, "{issuer} {shard}");
    }
}

#[tokio::test]
async fn a_house_that_moved_goes_on_answering_for_certificates_that_name_its_former_address() {
    let house = House::new().await;
    let enrolled = house.enrolled("alice").await;
    std::fs::write(house.path("leaf.pem"), &enrolled.certificate_pem).unwrap();
    std::fs::write(house.path("authority/addresses"), format!("http://new.corp.example\n{BASE}\n")).unwrap();
    let moved = house.restarted(house.now).await;
    let shard = ca::Shard::of(enrolled.serial.parse().unwrap()).to_string();
    let list = moved.crl_of_shard(&moved.issuer_id(), &shard, house.now).await.unwrap().unwrap();
    std::fs::write(house.path("own.crl"), &list).unwrap();
    let text = openssl(&["crl", "-inform", "DER", "-in", text(&house.path("own.crl")), "-noout", "-text"]);
    for base in [BASE, "http://new.corp.example"] {
        assert!(text.contains(&format!("URI:{base}/crl/{}/{shard}.crl", moved.issuer_id())), "{text}");
    }
}
