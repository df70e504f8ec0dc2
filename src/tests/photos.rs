//! Photos of people: from the directory to whoever looks at an account, and no further than that.

use std::fs;
use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, GrayImage, ImageEncoder, ImageFormat, RgbImage};

use crate::console::admin;
use crate::town::slapd::{Options, Slapd};
use crate::town::tools::{eventually, tell};
use crate::town::web::Web;
use crate::town::{Town, text};

/// A town that knows alice and bob, and finds their photos in this attribute.
fn town(attribute: &str) -> (Slapd, Town) {
    let slapd = Slapd::start(Options::default());
    slapd.add_person("alice", "Alice Adams", "alice@corp.example", "wonderland");
    slapd.add_person("bob", "Bob Brown", "bob@corp.example", "builder42");
    let photo = format!("photo = \"{attribute}\"");
    let town = Town::plan().ldap(&slapd).with("directory.ldap.attributes", &photo).start();
    eventually("the people are known", || town.ask("account list").as_array().map_or(0, Vec::len) == 2);
    (slapd, town)
}

/// A photo in one shade of grey, taken somewhere.
pub(crate) fn taken(shade: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new(&mut bytes);
    encoder.set_exif_metadata(b"II*\0\x08\0\0\0\0\0\0\0\0\0at home".to_vec()).expect("room for a note");
    let scene = DynamicImage::from(RgbImage::from_pixel(600, 400, [shade; 3].into()));
    scene.write_with_encoder(encoder).expect("a JPEG");
    bytes
}

/// The shade of what is shown, which is small and says nothing of where it was taken.
fn shade(jpeg: &[u8]) -> u8 {
    assert!(!jpeg.windows(4).any(|bytes| bytes == b"Exif"));
    let shown = image::load_from_memory_with_format(jpeg, ImageFormat::Jpeg).expect("a JPEG").into_rgb8();
    assert_eq!(shown.dimensions(), (256, 171));
    shown[(128, 85)][0]
}

fn is_shown(web: &mut Web, shade: u8) -> bool {
    let answer = web.get("/accounts/alice/photo");
    answer.status == 200 && self::shade(&answer.bytes).abs_diff(shade) < 4
}

#[test]
fn a_photo_is_shown_small_and_follows_the_directory() {
    let (slapd, mut town) = town("jpegPhoto");
    let mut web = admin(&town);
    assert_eq!(web.get("/accounts/alice/photo").status, 404);
    assert!(!web.page("/accounts/alice").body.contains("<img"));
    slapd.set_photo("alice", "jpegPhoto", &taken(200));
    eventually("the photo is shown", || is_shown(&mut web, 200));
    assert!(
        web.page("/accounts/alice")
            .body
            .contains("src=\"/accounts/alice/photo\" alt=\"Photo of Alice Adams\"")
    );
    assert_eq!(town.ask("account show alice")["photo"], true);
    assert_eq!(town.ask("account show bob")["photo"], false);

    let answer = web.get("/accounts/alice/photo");
    assert_eq!(
        ["content-type", "x-content-type-options", "cache-control"].map(|name| answer.header(name)),
        ["image/jpeg", "nosniff", "private, no-cache"]
    );
    let known = [("If-None-Match", answer.header("etag"))];
    assert_eq!(web.get_with("/accounts/alice/photo", &known).status, 304);
    assert_eq!(Web::new(&town).get("/accounts/alice/photo").status, 303, "strangers sign in first");

    let (socket, file) = (town.path("control.sock"), town.path("alice.jpeg"));
    let api = |name: &str| {
        let url = format!("http://house/api/v1/accounts/{name}/photo");
        let words = ["-sS", "-o", text(&file), "-w", "%{http_code}", "--unix-socket", text(&socket), &url];
        (tell("curl", &words).well(), fs::read(&file).expect("an answer"))
    };
    assert_eq!(api("Alice"), ("200".to_owned(), answer.bytes.clone()));
    let (status, none) = api("bob");
    let none = String::from_utf8_lossy(&none).into_owned();
    assert!(status == "404" && none.contains("the directory has no photo of bob"), "{none}");

    let mut alice = Web::new(&town);
    alice.submit("/enroll/sign-in", "/enroll/sign-in", &[("name", "alice"), ("password", "wonderland")]);
    assert!(alice.page("/enroll").body.contains("src=\"/enroll/photo\""));
    assert_eq!(alice.get("/enroll/photo").bytes, answer.bytes);

    slapd.set_photo("alice", "jpegPhoto", &taken(50));
    eventually("the new one is shown", || is_shown(&mut web, 50));
    town.stop();
    slapd.set_photo("alice", "jpegPhoto", &taken(120));
    town.open();
    let mut web = admin(&town);
    eventually("what was changed meanwhile is shown", || is_shown(&mut web, 120));
    slapd.modify_ldif(&format!("dn: {}\nchangetype: modify\ndelete: jpegPhoto\n", slapd.person_dn("alice")));
    eventually("it is gone", || web.get("/accounts/alice/photo").status == 404);
    assert_eq!(town.ask("account show alice")["photo"], false);
}

#[test]
fn a_photo_that_cannot_be_shown_is_left_out_and_named_and_the_person_stays() {
    // An attribute that slapd takes any bytes for.
    let (slapd, town) = town("audio");
    let mut bomb = Vec::new();
    let huge = DynamicImage::from(GrayImage::new(20_000, 100));
    huge.write_to(&mut Cursor::new(&mut bomb), ImageFormat::Png).expect("a PNG");
    assert!(bomb.len() < 512 << 10, "{}", bomb.len());
    let mut long = taken(100);
    long.resize(2 << 20, 0);
    let half = taken(100)[..400].to_vec();
    let bad: [(Vec<u8>, &str); 4] = [
        (long, "the photo has 2097152 bytes, more than 524288"),
        (bomb, "the photo has 20000 × 100 pixels, more than there is room for"),
        (b"no picture at all".to_vec(), "the photo is neither a JPEG nor a PNG"),
        (half, "the photo cannot be read: "),
    ];
    for (photo, why) in bad {
        slapd.set_photo("alice", "audio", &photo);
        let named = |list: &serde_json::Value| {
            let named = list["skipped"].as_array().expect("a list");
            named
                .iter()
                .filter_map(|line| line.as_str())
                .any(|line| line.starts_with(&format!("{}: {why}", slapd.person_dn("alice"))))
        };
        let report = town.ask("directory sync");
        assert!(named(&report) && report["removed"] == 0, "{report}");
        let explained = town.ask("directory explain alice");
        let photo = explained["entries"][0]["photo"].as_str().unwrap_or_default();
        assert!(photo.starts_with(&format!("cannot be shown: {why}")), "{explained}");
        assert_eq!(town.ask("account show alice")["photo"], false);
        town.mqtts(None).id("a").password("alice", "wonderland").connect().ping();
    }
    slapd.set_photo("alice", "audio", &taken(200));
    eventually("a good one is shown", || {
        town.ask("directory explain alice")["entries"][0]["photo"] == "can be shown"
    });
}
