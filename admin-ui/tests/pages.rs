//! What every page promises, read from the HTML of all of them.

#[path = "support/samples/mod.rs"]
mod samples;
#[path = "support/tags.rs"]
mod tags;

use std::collections::BTreeSet;

use chancery_admin_ui::{CONTENT_SECURITY_POLICY, Nav, asset};
use proptest::prelude::*;
use tags::{Tag, tags};

const POISON: &str = "<script>alert(\"1\")</script>'\" onfocus='x' style=\"y\" & <img src=x onerror=z>";

fn plain() -> Vec<(&'static str, String)> {
    samples::pages(&str::to_owned)
}

fn poisoned() -> Vec<(&'static str, String)> {
    samples::pages(&|words| format!("{words}{POISON}"))
}

fn long() -> Vec<(&'static str, String)> {
    samples::pages(&|words| words.repeat(40))
}

fn everything() -> Vec<(&'static str, String)> {
    [plain(), poisoned(), long()].concat()
}

/// The tags of each form of a page, its own start tag first.
fn forms(html: &str) -> Vec<Vec<Tag>> {
    let mut forms: Vec<Vec<Tag>> = Vec::new();
    let mut inside = false;
    for tag in tags(html) {
        match tag.name.as_str() {
            "form" => {
                assert!(!inside, "a form within a form");
                inside = true;
                forms.push(vec![tag]);
            }
            "/form" => inside = false,
            _ if inside => forms.last_mut().expect("a form is open").push(tag),
            _ => {}
        }
    }
    forms
}

#[test]
fn awkward_words_stay_words() {
    for (name, html) in poisoned() {
        assert!(!html.contains("<script>"), "{name}");
        assert!(!html.contains("<img"), "{name}");
        if !name.starts_with("empty") {
            assert!(html.contains("&#60;script&#62;alert(&#34;1&#34;)"), "{name} lost its words");
        }
        let skeleton = |html: &str| tags(html).into_iter().map(|tag| tag.name).collect::<Vec<_>>();
        let calm = plain().into_iter().find(|(other, _)| *other == name).expect("the same page").1;
        assert_eq!(skeleton(&html), skeleton(&calm), "{name} has other tags with awkward words");
    }
}

#[test]
fn nothing_is_inline() {
    for (name, html) in everything() {
        for tag in tags(&html) {
            assert_ne!(tag.name, "style", "{name}");
            if tag.name == "script" {
                assert!(tag.get("src").is_some_and(|src| src.starts_with("/assets/")), "{name}: {tag:?}");
            }
            for (key, value) in &tag.attributes {
                assert!(key != "style" && !key.starts_with("on"), "{name}: {key} in {tag:?}");
                assert!(!value.trim_start().starts_with("javascript:"), "{name}: {tag:?}");
            }
        }
    }
}

#[test]
fn every_form_that_changes_something_posts_a_csrf_token() {
    let mut seen = 0;
    for (name, html) in everything() {
        for form in forms(&html) {
            let field = |wanted: &str| form.iter().find(|tag| tag.get("name") == Some(wanted));
            assert!(form[0].get("action").is_some_and(|path| path.starts_with('/')), "{name}: {:?}", form[0]);
            assert!(form.iter().any(|tag| tag.get("type") == Some("submit")), "{name}: {:?}", form[0]);
            if form[0].get("role") == Some("search") {
                assert_eq!(form[0].get("method"), Some("get"), "{name}");
                assert!(field("csrf").is_none(), "{name}: a token in an address");
                continue;
            }
            assert_eq!(form[0].get("method"), Some("post"), "{name}: {:?}", form[0]);
            assert_eq!(
                field("csrf").and_then(|tag| tag.get("type")),
                Some("hidden"),
                "{name}: {:?}",
                form[0]
            );
            assert!(
                field("csrf").and_then(|tag| tag.get("value")).is_some_and(|token| !token.is_empty()),
                "{name}"
            );
            seen += 1;
        }
    }
    assert!(seen > 100, "only {seen} forms");
}

#[test]
fn every_path_a_form_posts_to_is_one_the_console_serves() {
    let served = [
        "/sign-in",
        "/sign-out",
        "/link/*",
        "/enroll",
        "/enroll/sign-in",
        "/enroll/sign-out",
        "/enroll/code",
        "/enroll/phone/*",
        "/enroll/certificates/*/renew",
        "/enroll/certificates/*/revoke",
        "/accounts/new",
        "/accounts/*/disable",
        "/accounts/*/enable",
        "/accounts/*/remove",
        "/accounts/*/password",
        "/accounts/*/enrol",
        "/certificates/*/revoke",
        "/pending/*/approve",
        "/pending/*/deny",
        "/keys/*/remove",
        "/sessions/*/kick",
        "/outbox/*/retry",
        "/outbox/*/cancel",
        "/peers/add",
        "/peers/*/remove",
        "/peers/*/check",
        "/rooms/new",
        "/rooms/*/add",
        "/rooms/*/remove",
        "/rooms/*/delete",
    ];
    let matches = |pattern: &str, path: &str| {
        let (pattern, path): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
        pattern.len() == path.len()
            && pattern.iter().zip(&path).all(|(want, part)| *want == "*" || want == part)
    };
    let mut used = BTreeSet::new();
    for (name, html) in [plain(), poisoned()].concat() {
        for form in forms(&html).into_iter().filter(|form| form[0].get("method") == Some("post")) {
            let action = form[0].get("action").expect("an action").to_owned();
            let path = served.iter().find(|pattern| matches(pattern, &action));
            used.insert(*path.unwrap_or_else(|| panic!("{name} posts to {action}")));
        }
    }
    assert_eq!(used, BTreeSet::from(served), "a path without a form");
}

#[test]
fn every_screen_is_in_the_navigation_and_marked_when_there() {
    for (name, html) in plain().into_iter().filter(|(_, html)| html.contains("action=\"/sign-out\"")) {
        let links: Vec<_> = tags(&html).into_iter().filter(|tag| tag.name == "a").collect();
        for nav in Nav::ALL {
            assert!(
                links.iter().any(|link| link.get("href") == Some(nav.href())),
                "{name} lacks {}",
                nav.label()
            );
        }
        assert_eq!(links.iter().filter(|link| link.get("aria-current") == Some("page")).count(), 1, "{name}");
    }
}

#[test]
fn pages_before_sign_in_show_no_way_inside() {
    for name in ["sign-in", "link", "link-used", "signed-out", "own-sign-in", "own-phone"] {
        let html = plain().into_iter().find(|(page, _)| *page == name).expect(name).1;
        assert!(!html.contains("<nav") && !html.contains("/sign-out"), "{name}");
    }
}

#[test]
fn every_page_has_a_language_a_title_one_heading_and_its_landmarks() {
    for (name, html) in everything() {
        let all = tags(&html);
        let count = |wanted: &str| all.iter().filter(|tag| tag.name == wanted).count();
        assert_eq!(
            all.iter().find(|tag| tag.name == "html").and_then(|tag| tag.get("lang")),
            Some("en"),
            "{name}"
        );
        assert_eq!((count("main"), count("h1"), count("header"), count("footer")), (1, 1, 1, 1), "{name}");
        assert!(
            all.iter().any(|tag| tag.get("class") == Some("skip") && tag.get("href") == Some("#main")),
            "{name}"
        );
        let title =
            html.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).expect("a title");
        assert!(title.contains(" · Chancery") && !title.starts_with(' '), "{name}: {title}");
    }
}

#[test]
fn every_field_has_a_label_and_every_id_is_unique() {
    for (name, html) in everything() {
        let all = tags(&html);
        let ids: Vec<_> = all.iter().filter_map(|tag| tag.get("id")).collect();
        assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "{name}: an id twice in {ids:?}");
        let labelled: BTreeSet<_> = all.iter().filter_map(|tag| tag.get("for")).collect();
        for field in all.iter().filter(|tag| ["input", "select", "textarea"].contains(&tag.name.as_str())) {
            if field.get("type") != Some("hidden") && field.get("hidden").is_none() {
                assert!(field.get("id").is_some_and(|id| labelled.contains(id)), "{name}: {field:?}");
            }
        }
        for named in all.iter().filter_map(|tag| tag.get("aria-labelledby").or(tag.get("aria-describedby"))) {
            assert!(ids.contains(&named), "{name}: nothing is called {named}");
        }
    }
}

#[test]
fn every_asset_that_a_page_names_is_served() {
    for (name, html) in plain() {
        for tag in tags(&html) {
            let path = tag.get("href").or(tag.get("src")).unwrap_or_default();
            if let Some(file) = path.strip_prefix("/assets/") {
                let file = file.split('?').next().expect("a file name");
                assert!(asset(file).is_some(), "{name}: {path}");
            }
        }
    }
}

#[test]
fn an_empty_list_says_what_to_do_next() {
    for (name, html) in plain().into_iter().filter(|(name, _)| name.starts_with("empty")) {
        assert!(html.contains("class=\"empty\""), "{name}");
    }
}

#[test]
fn a_page_shows_its_command_line() {
    let html = plain().into_iter().find(|(page, _)| *page == "revoke").expect("revoke").1;
    assert!(html.contains("chancery cert revoke SERIAL --reason REASON"));
}

#[test]
fn a_name_cannot_leave_its_place_in_a_path() {
    let pages = samples::pages(&|words| format!("{words}/../x?y#z"));
    for (name, html) in pages {
        for link in tags(&html).iter().filter_map(|tag| tag.get("href").or(tag.get("action"))) {
            let link = link.replace("&#38;", "&");
            assert!(!link.contains("../") && !link.contains("#z") && !link.contains("?y"), "{name}: {link}");
        }
    }
}

#[test]
fn the_policy_forbids_what_the_pages_do_not_need() {
    assert!(CONTENT_SECURITY_POLICY.starts_with("default-src 'none';"));
    assert!(!CONTENT_SECURITY_POLICY.contains("unsafe"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_words_can_change_the_tags_of_a_page(words in "\\PC{0,40}") {
        let names = |html: &str| tags(html).into_iter().map(|tag| tag.name).collect::<Vec<_>>();
        let pages = samples::pages(&|sample| format!("{sample}{words}"));
        for ((name, html), (_, calm)) in pages.iter().zip(plain()) {
            prop_assert_eq!(names(html), names(&calm), "{}", name);
        }
    }
}
