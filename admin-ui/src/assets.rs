//! The three files that every page asks for, and the policy under which it asks.

/// The `Content-Security-Policy` that every page is written for: nothing from elsewhere, nothing
/// inline, no frame, no form that leaves the site (W3C CSP Level 3).
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; connect-src 'self'";

/// A file served under `/assets/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// For the `Content-Type` header.
    pub content_type: &'static str,
    /// The body.
    pub bytes: &'static [u8],
    /// For the `ETag` header, quotes included (RFC 9110 §8.8.3).
    pub etag: String,
}

const CSS: &[u8] = include_bytes!("assets/console.css");
const JS: &[u8] = include_bytes!("assets/console.js");
const ICON: &[u8] = include_bytes!("assets/favicon.svg");

/// Changes whenever any asset changes. Pages carry it as `?v=`, so an asset may be cached for long.
const REVISION: u64 = fingerprint(fingerprint(fingerprint(FNV_OFFSET, CSS), JS), ICON);

/// The asset of that file name (what follows `/assets/`), or `None`.
pub fn asset(path: &str) -> Option<Asset> {
    let (content_type, bytes) = match path.trim_start_matches('/') {
        "console.css" => ("text/css; charset=utf-8", CSS),
        "console.js" => ("text/javascript; charset=utf-8", JS),
        "favicon.svg" => ("image/svg+xml", ICON),
        _ => return None,
    };
    Some(Asset { content_type, bytes, etag: format!("\"{:016x}\"", fingerprint(FNV_OFFSET, bytes)) })
}

pub(crate) fn revision() -> String {
    format!("{REVISION:016x}")
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// FNV-1a: it only has to tell two builds apart, and runs at compile time.
const fn fingerprint(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(FNV_PRIME);
        at += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_asset_has_a_type_a_body_and_its_own_etag() {
        let tags: Vec<_> = ["console.css", "console.js", "favicon.svg"]
            .map(|name| asset(name).expect(name))
            .map(|file| (file.content_type, file.etag))
            .into();
        assert!(tags[0].0.starts_with("text/css"));
        assert_ne!(tags[0].1, tags[1].1);
        assert_ne!(tags[1].1, tags[2].1);
        assert!(tags.iter().all(|(_, etag)| etag.starts_with('"') && etag.ends_with('"')));
    }

    #[test]
    fn nothing_else_is_served() {
        for path in ["", "../Cargo.toml", "console.css/", "CONSOLE.CSS"] {
            assert_eq!(asset(path), None, "{path}");
        }
    }
}
