//! The site's cookies: their names, what they look like, and how they are read back.
//!
//! The prefix `__Host-` makes browsers refuse them from anybody but this very host over HTTPS (RFC 6265bis §4.1.3.2).

use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

/// Holds a signed-in browser's secret.
pub(super) const SESSION: &str = "__Host-chancery";
/// Holds the secret of a browser at the self-service page.
pub(super) const PERSON: &str = "__Host-chancery-enroll";
/// Binds the forms before sign-in to the browser that asked for them.
pub(super) const BEFORE: &str = "__Host-chancery-pre";
/// What the last deed did, until a page has shown it.
pub(super) const FLASH: &str = "__Host-chancery-flash";

/// The value of the first cookie of that name; `None` also for a value that is longer than ours are.
pub(super) fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    // HTTP/2 may split the cookies over several headers (RFC 9113 §8.2.3).
    let lines = headers.get_all(COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value).filter(|value| value.len() <= LONGEST)
}

/// The value if it is a one-time secret of ours: 192 bits in base64url.
pub(super) fn read_secret<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let ours = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    read(headers, name).filter(|value| value.len() == SECRET && value.bytes().all(ours))
}

/// Gives the browser a cookie that ends with the browser.
pub(super) fn set(response: &mut Response, name: &str, value: &str) {
    put(response, format!("{name}={value}; {ATTRIBUTES}"));
}

/// Takes a cookie back.
pub(super) fn clear(response: &mut Response, name: &str) {
    put(response, format!("{name}=; Max-Age=0; {ATTRIBUTES}"));
}

fn put(response: &mut Response, line: String) {
    if let Ok(line) = HeaderValue::try_from(line) {
        response.headers_mut().append(SET_COOKIE, line);
    }
}

const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";
/// Characters of a one-time secret.
const SECRET: usize = 32;
/// Characters of the longest value: a flash with its subject.
const LONGEST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(lines: &[&'static str]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, HeaderValue::from_static(line))).collect()
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name_among_others_and_in_split_headers() {
        let headers = sent(&["a=1; __Host-chancery-pre=p; b=2", "__Host-chancery=s"]);
        assert_eq!(read(&headers, SESSION), Some("s"));
        assert_eq!(read(&headers, BEFORE), Some("p"));
        assert_eq!(read(&headers, FLASH), None);
        assert_eq!(read(&sent(&["", ";;", "__Host-chancery"]), SESSION), None);
    }

    #[test]
    fn only_a_secret_of_our_shape_is_looked_up() {
        let good = sent(&["__Host-chancery=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-_"]);
        assert_eq!(read_secret(&good, SESSION), Some("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-_"));
        for wrong in [
            "__Host-chancery=",
            "__Host-chancery=short",
            "__Host-chancery=\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"",
        ] {
            assert_eq!(read_secret(&sent(&[wrong]), SESSION), None, "{wrong}");
        }
    }

    #[test]
    fn a_cookie_stays_with_this_host_and_out_of_reach_of_scripts() {
        let mut response = Response::default();
        set(&mut response, SESSION, "s");
        clear(&mut response, FLASH);
        let lines: Vec<_> = response.headers().get_all(SET_COOKIE).iter().collect();
        assert_eq!(lines[0], "__Host-chancery=s; Path=/; Secure; HttpOnly; SameSite=Strict");
        assert_eq!(lines[1], "__Host-chancery-flash=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict");
    }
}
