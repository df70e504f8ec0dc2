//! Addresses: under which bases others ever were told to fetch lists, newest first.
//!
//! A list of a shard names where it is, and holds only for certificates that name the same (RFC 5280 §6.3.3 (b)). So when
//! `public_url` changes, lists go on naming the former place as well, for those who still ask there.

use std::path::Path;

use crate::enrollment::{Failure, safe};

/// Every one that counts, the current one first; it is noted if it is new.
pub(super) fn noted(folder: &Path, current: &str) -> Result<Vec<String>, Failure> {
    let path = folder.join(FILE);
    let noted = safe::get(&path)?.unwrap_or_default();
    let noted = String::from_utf8_lossy(&noted);
    let former = noted.lines().filter(|base| *base != current);
    let all: Vec<_> = std::iter::once(current).chain(former).take(MOST).map(str::to_owned).collect();
    let text = all.join("\n") + "\n";
    if text != noted {
        safe::put(&path, text.as_bytes())?;
    }
    Ok(all)
}

const FILE: &str = "addresses";
/// Beyond it the oldest are forgotten: each makes every list longer, and certificates end.
const MOST: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn former_addresses_are_kept_behind_the_current_one_up_to_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let noted = |base: &str| noted(folder.path(), base).unwrap().join(" ");
        assert_eq!(noted("http://a"), "http://a");
        assert_eq!(noted("http://b"), "http://b http://a");
        assert_eq!(noted("http://b"), "http://b http://a");
        assert_eq!(noted("http://a"), "http://a http://b");
        for number in 0..MOST {
            noted(&format!("http://{number}"));
        }
        assert_eq!(noted("http://7").split(' ').count(), MOST);
        assert!(noted("http://7").ends_with(" http://0"));
    }
}
