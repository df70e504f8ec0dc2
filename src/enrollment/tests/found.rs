//! Founding and opening.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::secret::SecretSource;

#[tokio::test]
async fn founding_leaves_sealed_keys_that_only_the_owner_may_read() {
    let house = House::new().await;
    let mode = |path: &str| std::fs::metadata(house.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("authority"), 0o700);
    for file in ["root.pem", "root.key", "root.crl", "issuing.pem", "issuing.key", "passphrase"] {
        assert_eq!(mode(&format!("authority/{file}")), 0o600, "{file}");
    }
    for key in ["root.key", "issuing.key"] {
        let sealed = std::fs::read_to_string(house.path("authority").join(key)).unwrap();
        assert!(sealed.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    }
    assert!(!house.path("authority.new").exists());
}

#[tokio::test]
async fn founding_where_an_authority_stands_is_refused_and_changes_nothing() {
    let house = House::new().await;
    let before = std::fs::read(house.path("authority/issuing.pem")).unwrap();
    let again = found(&house.folder, house.now).await;
    assert!(matches!(again, Err(Failure::Founded(_))), "{again:?}");
    assert_eq!(std::fs::read(house.path("authority/issuing.pem")).unwrap(), before);
}

#[tokio::test]
async fn what_a_crash_left_of_a_founding_does_not_hinder_the_next() {
    let (folder, now) = (tempfile::tempdir().unwrap(), time::now());
    std::fs::create_dir(folder.path().join("authority.new")).unwrap();
    std::fs::write(folder.path().join("authority.new/root.key"), "half").unwrap();
    found(&folder, now).await.unwrap();
    assert!(folder.path().join("authority/issuing.key").exists());
}

#[tokio::test]
async fn the_passphrase_may_come_from_a_credential_and_a_wrong_one_is_told_with_both_files() {
    let (folder, credentials, now) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), time::now());
    let cfg = Config { passphrase: Some(SecretSource::Credential("ca".into())), ..Config::default() };
    let place = |credentials| Place { state: folder.path(), http_base: BASE, credentials };
    let found =
        |credentials| Enrollment::found(&cfg, "corp.example", place(credentials), Founding::OwnRoot, now);
    assert!(matches!(found(None).await, Err(Failure::Secret(_))));
    std::fs::write(credentials.path().join("ca"), "open sesame\n").unwrap();
    found(Some(credentials.path())).await.unwrap();
    assert!(!folder.path().join("authority/passphrase").exists());

    let opened = || Authority::open(&cfg, place(Some(credentials.path())));
    assert!(opened().await.is_ok());
    std::fs::write(credentials.path().join("ca"), "open barley\n").unwrap();
    let told = opened().await.err().unwrap().to_string();
    assert!(told.contains("issuing.key") && told.contains(text(&credentials.path().join("ca"))), "{told}");
}

#[tokio::test]
async fn an_authority_that_was_never_founded_names_the_command_that_founds_it() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place { state: folder.path(), http_base: BASE, credentials: None };
    let told = Authority::open(&Config::default(), place).await.err().unwrap().to_string();
    assert!(told.contains("chancery init"), "{told}");
}

#[tokio::test]
async fn a_clock_before_the_issuing_ca_is_told_at_start() {
    let house = House::new().await;
    let opened = open(
        &house.folder,
        &house.store,
        &house.broker,
        &house.directory,
        &house.cfg,
        Timestamp::from_micros(0),
    )
    .await;
    let told = opened.err().unwrap().to_string();
    assert!(told.contains("1970-01-01") && told.contains("set the clock"), "{told}");
}
