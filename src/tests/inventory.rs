//! The inventory: certificates are found by whatever is known of them, on the command line, in the API, in the console.

use serde_json::Value;

use crate::town::tools::{tell, tell_line};
use crate::town::web::Web;
use crate::town::{Town, text};

fn serials(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|line| line["serial"].as_str().expect("a serial")).collect()
}

/// A town with a certificate of alice's, one of bob's, and bob's web server.
fn town() -> (Town, [String; 3]) {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let out = town.path("web");
    let web = town.ask(&format!(
        "cert enroll bob --profile server --name web.corp.example --name 192.0.2.7 --out {}",
        text(&out)
    ));
    let web = web["serial"].as_str().expect("a serial").to_owned();
    (town, [alice.serial, bob.serial, web])
}

#[test]
fn a_certificate_is_found_by_whatever_is_known_of_it() {
    let (town, [alice, bob, web]) = town();
    let assert_found = |search: &str, wanted: &[&str]| {
        assert_eq!(serials(&town.ask(&format!("cert list {search}"))), wanted, "{search}");
    };
    let pem = text(&town.path("web/cert.pem")).to_owned();
    let printed = tell_line(&format!("openssl x509 -in {pem} -noout -pubkey -out {pem}.pub"));
    printed.well();
    let der = format!("{pem}.der");
    tell("openssl", &["pkey", "-pubin", "-in", &format!("{pem}.pub"), "-outform", "DER", "-out", &der])
        .well();
    let key = tell("openssl", &["dgst", "-sha256", "-r", &der]).well();
    let key = key.split(' ').next().expect("a hash");

    assert_found("--account alice", &[&alice]);
    assert_found(&format!("--serial {}", alice[..8].to_lowercase()), &[&alice]);
    assert_found("--name B.corp.exam", &[&web]);
    assert_found("--name 192.0.2.7", &[&web]);
    assert_found("--name alice@corp", &[&alice]);
    assert_found("--name %%%", &[]);
    assert_found("--name a_ice@corp", &[]);
    assert_found("--profile client", &[&bob, &alice]);
    assert_found("--profile client --account bob", &[&bob]);
    assert_found(&format!("--key {key}"), &[&web]);
    assert_found("--account alice --expires-before 91d", &[&alice]);
    assert_found("--account alice --expires-before 89d", &[]);
    assert_found("--account alice --expires-after 89d", &[&alice]);
    assert_found("--account alice --expires-after 2999-12-31", &[]);
    town.ask(&format!("cert revoke {bob}"));
    assert_found("--state revoked", &[&bob]);
    assert_found("--state active --profile client", &[&alice]);
    assert_found("--state ending", &[]);

    for nonsense in
        ["--name ab", "--state valid", "--serial xyz", "--key 0a", "--expires-before soon", "--limit 0"]
    {
        town.refused(2, &format!("cert list {nonsense}"));
    }
    town.refused(4, "cert list --account nobody");
    // The API is the same, and takes nothing that it does not know.
    let api = |query: &str| {
        let socket = town.path("control.sock");
        let url = format!("http://house/api/v1/certificates?{query}");
        tell("curl", &["-sS", "--unix-socket", text(&socket), &url])
    };
    assert_eq!(serials(&api("name=web.corp&profile=server").json()), [web.as_str()]);
    assert!(api("colour=red").well().contains("unknown field `colour`"));
}

#[test]
fn a_long_list_comes_in_pages_without_gaps() {
    let (town, _) = town();
    let whole = town.ask("cert list");
    let whole = serials(&whole);
    let mut pages: Vec<String> = Vec::new();
    loop {
        let after = pages.last().map(|last| format!("--after {last}")).unwrap_or_default();
        let page = town.ask(&format!("cert list --limit 2 {after}"));
        pages.extend(serials(&page).iter().map(ToString::to_string));
        if serials(&page).len() < 2 {
            break;
        }
    }
    assert_eq!(pages, whole);
    assert!(town.cli("cert list --limit 2").well().contains(&format!("--after {}", whole[1])));
    town.refused(4, "cert list --after 00FF");
}

#[test]
fn the_console_searches_as_the_command_line_does() {
    let (town, [alice, _, web]) = town();
    let mut admin = Web::new(&town);
    let link = town.ask("admin link")["link"].as_str().expect("a link").to_owned();
    let link = link.split_once("/link/").map(|(_, secret)| format!("/link/{secret}")).expect("a link");
    let word = "a long enough password";
    admin.submit(&link, &link, &[("name", "root"), ("password", word), ("again", word)]);
    let page = admin.page("/certificates?name=web.corp&state=active").body;
    assert!(page.contains(&web) && !page.contains(&alice), "{page}");
    assert!(page.contains("chancery cert list --state active --name web.corp"), "{page}");
    let page = admin.page(&format!("/certificates?serial={}", &alice[..6])).body;
    assert!(page.contains(&alice) && !page.contains(&web), "{page}");
    let wrong = admin.get("/certificates?expires_before=soon");
    assert!(wrong.status == 400 && wrong.body.contains("is no time"), "{} {}", wrong.status, wrong.body);
}
