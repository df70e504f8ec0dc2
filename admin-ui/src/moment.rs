//! How a moment is written for the eye.

/// RFC 3339 in UTC becomes "2026-11-21 09:30:00"; the foot of the page names the zone. Whatever has
/// another shape stays as it is: a strange time shown is worth more than a strange time hidden.
pub(crate) fn readable(at: impl AsRef<str>) -> String {
    let at = at.as_ref();
    let Some((date, clock)) = at.strip_suffix('Z').and_then(|utc| utc.split_once('T')) else {
        return at.to_owned();
    };
    let clock = clock.split_once('.').map_or(clock, |(seconds, _fraction)| seconds);
    format!("{date} {clock}")
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn a_utc_time_loses_its_letters_and_its_fraction() {
        assert_eq!(readable("2026-11-21T09:30:00Z"), "2026-11-21 09:30:00");
        assert_eq!(readable("2026-11-21T09:30:00.125Z"), "2026-11-21 09:30:00");
    }

    #[test]
    fn anything_else_is_left_alone() {
        for strange in ["", "yesterday", "2026-11-21T09:30:00+01:00", "Z", "T"] {
            assert_eq!(readable(strange), strange);
        }
    }
}
