//! The list of a shard judges the certificates that name it, and no others.

use chancery_ca::{Authority, AuthorityKey, Failure, Profile, Reason, Revoked, Shard, Urls};
use time::Duration;

use crate::workshop::{NOW, Workshop, alice, key, public, serial_of, urls};

/// A certificate of a shard in `NAME.pem`, taken back.
fn taken_back(workshop: &Workshop, name: &str, shard: Shard) -> Revoked {
    let serial = serial_of(shard);
    workshop.issue_as(serial, name, &public(&key()), &alice(), Profile::Client);
    Revoked { serial, at: NOW, reason: Reason::KeyCompromise }
}

#[test]
fn the_list_of_its_shard_judges_a_certificate_and_no_other_shards_does() {
    let workshop = Workshop::open();
    let [own, other] = ["2A", "2B"].map(|name| name.parse().expect("a shard"));
    taken_back(&workshop, "good", own);
    let revoked = [taken_back(&workshop, "bad", own)];
    workshop.write("own.crl", workshop.shard(own, &revoked));
    workshop.write("other.crl", workshop.shard(other, &[]));
    workshop.write("all.crl", workshop.authority.crl(&revoked, 8, NOW, NOW + Duration::DAY).expect("a CRL"));

    for list in ["own.crl", "all.crl"] {
        let options = format!("-crl_check -CRLfile {list}");
        workshop.verify(&options, "good.pem").expect("it was not taken back");
        let said = workshop.verify(&options, "bad.pem").expect_err("it was taken back");
        assert!(said.contains("certificate revoked"), "{list}: {said}");
    }
    for name in ["good.pem", "bad.pem"] {
        let said = workshop.verify("-crl_check -CRLfile other.crl", name).expect_err("it is about others");
        assert!(said.contains("different CRL scope"), "{said}");
    }
    let text = workshop.openssl("crl -in own.crl -inform DER -noout -text -CAfile issuing.pem");
    let url = format!("URI:http://pki.corp.example/crl/{}/2A.crl\n", workshop.authority.key_id());
    for expected in
        ["verify OK", "X509v3 Issuing Distribution Point: critical", &url, "X509v3 CRL Number: \n"]
    {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn a_serial_that_belongs_elsewhere_is_not_put_on_a_list() {
    let workshop = Workshop::open();
    let [own, other] = ["00", "3F"].map(|name| name.parse().expect("a shard"));
    let revoked = [taken_back(&workshop, "bad", own)];
    let stray = workshop.authority.shard_crl(other, &revoked, 7, NOW, NOW + Duration::DAY);
    assert!(matches!(stray, Err(Failure::Shard(_))), "{stray:?}");
}

#[test]
fn a_list_holds_for_certificates_of_a_time_when_it_was_elsewhere() {
    let shard = "00".parse().expect("a shard");
    let issuing_key = AuthorityKey::from(key());
    let workshop = Workshop::with_keys(key().into(), issuing_key.clone());
    let revoked = [taken_back(&workshop, "old", shard)];
    let moved = |shards: &[&str]| {
        let urls = Urls { shards: shards.iter().map(|url| (*url).to_owned()).collect(), ..urls() };
        let chain = &workshop.authority;
        Authority::open(&chain.chain_pem(), issuing_key.clone(), &chain.root_pem(), urls).expect("opened")
    };
    let (new, old) = ("http://new.corp.example/{issuer}/{shard}.crl", &urls().shards[0]);
    for (shards, said) in [(&[new][..], "different CRL scope"), (&[new, old], "certificate revoked")] {
        let list = moved(shards).shard_crl(shard, &revoked, 7, NOW, NOW + Duration::DAY).expect("a list");
        workshop.write("list.crl", list);
        let told = workshop.verify("-crl_check -CRLfile list.crl", "old.pem").expect_err(said);
        assert!(told.contains(said), "{told}");
    }
}

#[test]
fn an_authority_without_urls_of_shards_names_the_complete_list() {
    let issuing_key = AuthorityKey::from(key());
    let workshop = Workshop::with_keys(key().into(), issuing_key.clone());
    let (chain, urls) = (&workshop.authority, Urls { shards: Vec::new(), ..urls() });
    let whole =
        Authority::open(&chain.chain_pem(), issuing_key, &chain.root_pem(), urls).expect("an authority");
    let (serial, shard) = (serial_of("00".parse().expect("a shard")), "00".parse().expect("a shard"));
    let issued = whole.issue(&public(&key()), &alice(), Profile::Client, None, serial, NOW).expect("issued");
    workshop.write("leaf.pem", issued.pem);
    let text = workshop.openssl("x509 -in leaf.pem -noout -text");
    assert!(text.contains(&format!("URI:http://pki.corp.example/crl/{}.crl\n", whole.key_id())), "{text}");
    let list = whole.shard_crl(shard, &[], 7, NOW, NOW + Duration::DAY);
    assert!(matches!(list, Err(Failure::Shard(_))), "{list:?}");
}
