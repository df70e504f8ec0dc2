//! OCSP, asked and judged by `openssl ocsp`.

use super::*;

/// A request by openssl about one certificate.
fn request(house: &House, certificate_pem: &str, nonce: bool) -> ca::OcspRequest {
    let [issuing, leaf, out] = ["issuing.pem", "asked.pem", "asked.req"].map(|name| house.path(name));
    std::fs::write(&issuing, house.enrollment.chain_pem()).unwrap();
    std::fs::write(&leaf, certificate_pem).unwrap();
    let nonce = if nonce { "-nonce" } else { "-no_nonce" };
    openssl(&["ocsp", nonce, "-issuer", text(&issuing), "-cert", text(&leaf), "-reqout", text(&out)]);
    ca::OcspRequest::parse(&std::fs::read(out).unwrap()).unwrap()
}

/// What openssl reads in an answer about the certificate of the last request, having verified it.
fn judged(house: &House, der: &[u8]) -> String {
    let [issuing, leaf, root, answer] =
        ["issuing.pem", "asked.pem", "root.pem", "answer.der"].map(|name| house.path(name));
    std::fs::write(&root, house.enrollment.root_pem()).unwrap();
    std::fs::write(&answer, der).unwrap();
    let who = ["-issuer", text(&issuing), "-cert", text(&leaf), "-CAfile", text(&root)];
    let (good, said) = say(&[&["ocsp", "-no_nonce", "-respin", text(&answer)], &who[..]].concat());
    assert!(good, "{said}");
    said
}

#[tokio::test]
async fn openssl_hears_good_and_then_revoked_with_the_reason() {
    let house = House::new().await;
    let enrolled = house.enrolled("alice").await;
    let asked = request(&house, &enrolled.certificate_pem, false);
    let answer = house.enrollment.ocsp(&asked, house.now).await.unwrap();
    assert!(judged(&house, &answer.der).contains(": good"));
    // The second time it comes out of memory.
    let again = house.enrollment.ocsp(&asked, house.now.after(Duration::from_secs(60))).await.unwrap();
    assert_eq!(again.der, answer.der);
    house.enrollment.revoke(&Principal::Host, &enrolled.serial, "key-compromise", house.now).await.unwrap();
    let answer = house.enrollment.ocsp(&asked, house.now).await.unwrap();
    let said = judged(&house, &answer.der);
    assert!(said.contains(": revoked") && said.contains("keyCompromise"), "{said}");
    // After a restart the ledger says the same.
    let again = house.restarted(house.now).await.ocsp(&asked, house.now).await.unwrap();
    assert!(judged(&house, &again.der).contains(": revoked"));
}

#[tokio::test]
async fn a_serial_that_was_never_issued_is_unknown_and_not_kept() {
    let (house, other) = (House::new().await, House::new().await);
    let stranger = other.enrolled("alice").await;
    let asked = request(&house, &stranger.certificate_pem, false);
    let answer = house.enrollment.ocsp(&asked, house.now).await.unwrap();
    assert!(judged(&house, &answer.der).contains(": unknown"));
    let later = house.enrollment.ocsp(&asked, house.now.after(Duration::from_secs(2))).await.unwrap();
    assert_ne!(later.der, answer.der);
}

#[tokio::test]
async fn a_nonce_is_answered_each_time_anew() {
    let house = House::new().await;
    let enrolled = house.enrolled("alice").await;
    let asked = request(&house, &enrolled.certificate_pem, true);
    let nonce = asked.nonce().unwrap().to_vec();
    let answer = house.enrollment.ocsp(&asked, house.now).await.unwrap();
    assert!(answer.der.windows(nonce.len()).any(|window| window == nonce));
    let again = house.enrollment.ocsp(&asked, house.now).await.unwrap();
    assert_ne!(again.der, answer.der, "ECDSA draws a number for each signature");
}

#[tokio::test]
async fn an_answer_is_made_anew_at_half_its_life_and_the_signer_in_time() {
    let house = House::new().await;
    let enrolled = house.enrolled("alice").await;
    let asked = request(&house, &enrolled.certificate_pem, false);
    let first = house.enrollment.ocsp(&asked, house.now).await.unwrap();
    let later = house.now.after(Duration::from_secs(31 * 60));
    assert_ne!(house.enrollment.ocsp(&asked, later).await.unwrap().der, first.der);
    let issuer = house.enrollment.authority.current();
    let signer = async |now| house.enrollment.responder(&issuer, now).await.unwrap().signer().clone();
    let old = signer(house.now).await;
    assert_eq!(signer(house.now.after(15 * DAY)).await, old);
    assert_ne!(signer(house.now.after(21 * DAY)).await, old);
}

#[tokio::test]
async fn the_server_certificate_comes_with_an_answer_about_itself() {
    let house = House::new().await;
    let server = house.enrollment.server_certificate(&["localhost".into()], house.now).await.unwrap();
    let leaf = ca::Certificate::parse(&server.chain_der[0]).unwrap();
    request(&house, &leaf.to_pem(), false);
    assert!(judged(&house, &server.staple).contains(": good"));
}
