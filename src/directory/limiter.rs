//! Knocks: how often passwords may be tried from one place.
//!
//! An attempt counts when it is admitted, so that many at once gain nothing, and is taken back when the password was
//! right. What is remembered is bounded; where more places knock than fit, the one longest silent is forgotten.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Wrong passwords that one name may take from one network within [`WINDOW`].
const PER_NAME: usize = 5;
/// Wrong passwords that one name may take from everywhere: who knows a name may bother its owner, but not for long.
const PER_NAME_EVERYWHERE: usize = 50;
const WINDOW: Duration = Duration::from_secs(60);
/// Names and networks remembered at once.
const MOST: usize = 4096;

/// Remembers attempts.
pub(crate) struct Limiter {
    /// Wrong passwords from one network for all names together.
    per_network: usize,
    knocks: Mutex<HashMap<Place, Vec<Instant>>>,
}

/// Who tries: a name from a network, a name from anywhere, or the network for any name.
type Place = (Option<String>, Option<IpAddr>);

impl Limiter {
    pub(crate) fn new(per_network: usize) -> Self {
        Self { per_network, knocks: Mutex::default() }
    }

    /// Counts an attempt, or says how long to wait before the next.
    pub(crate) fn admit(&self, name: &str, from: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut knocks = self.lock();
        let places = self.places(name, from);
        for (place, allowed) in &places {
            if let Some(wait) = knocks.get(place).and_then(|times| wait(times, *allowed, now)) {
                return Err(wait);
            }
        }
        for (place, _) in places {
            make_room(&mut knocks, now);
            let times = knocks.entry(place).or_default();
            times.retain(|time| is_recent(*time, now));
            times.push(now);
        }
        Ok(())
    }

    /// The password was right: what this name tried is forgotten.
    pub(crate) fn forgive(&self, name: &str, from: IpAddr) {
        let mut knocks = self.lock();
        let [(mine, _), others @ ..] = self.places(name, from);
        knocks.remove(&mine);
        for (place, _) in others {
            if let Some(times) = knocks.get_mut(&place) {
                times.pop();
            }
        }
    }

    fn places(&self, name: &str, from: IpAddr) -> [(Place, usize); 3] {
        let network = Some(network(from));
        [
            ((Some(name.to_owned()), network), PER_NAME),
            ((Some(name.to_owned()), None), PER_NAME_EVERYWHERE),
            ((None, network), self.per_network),
        ]
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Place, Vec<Instant>>> {
        self.knocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever has one address of IPv6 has at least a /64 of them (RFC 6177 §2).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

/// Until so many attempts of the window have left it that one more is allowed.
fn wait(times: &[Instant], allowed: usize, now: Instant) -> Option<Duration> {
    let recent: Vec<_> = times.iter().filter(|time| is_recent(**time, now)).collect();
    let oldest = recent.len().checked_sub(allowed).and_then(|at| recent.get(at))?;
    Some(WINDOW.saturating_sub(now.saturating_duration_since(**oldest)))
}

fn is_recent(time: Instant, now: Instant) -> bool {
    now.saturating_duration_since(time) < WINDOW
}

fn make_room(knocks: &mut HashMap<Place, Vec<Instant>>, now: Instant) {
    if knocks.len() < MOST {
        return;
    }
    knocks.retain(|_, times| times.last().is_some_and(|time| is_recent(*time, now)));
    if knocks.len() >= MOST {
        let silent = knocks.iter().min_by_key(|(_, times)| times.last()).map(|(place, _)| place.clone());
        silent.and_then(|place| knocks.remove(&place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn the_sixth_attempt_in_a_minute_waits_until_the_first_is_a_minute_old() {
        let (limiter, start) = (Limiter::new(20), crate::time::monotonic());
        for second in 0..5 {
            assert_eq!(limiter.admit("ada", HERE, after(start, second)), Ok(()));
        }
        assert_eq!(limiter.admit("ada", HERE, after(start, 10)), Err(Duration::from_secs(50)));
        assert_eq!(limiter.admit("ada", HERE, after(start, 60)), Ok(()));
        assert_eq!(limiter.admit("ada", HERE, after(start, 60)), Err(Duration::from_secs(1)));
    }

    #[test]
    fn another_name_and_another_network_are_not_held_up() {
        let (limiter, now) = (Limiter::new(20), crate::time::monotonic());
        for _ in 0..5 {
            assert_eq!(limiter.admit("ada", HERE, now), Ok(()));
        }
        assert_eq!(limiter.admit("bob", HERE, now), Ok(()));
        assert_eq!(limiter.admit("ada", "192.0.2.2".parse().unwrap(), now), Ok(()));
    }

    #[test]
    fn one_network_cannot_go_through_many_names() {
        let (limiter, now) = (Limiter::new(20), crate::time::monotonic());
        for number in 0..20 {
            let host: IpAddr = format!("2001:db8::{number:x}").parse().unwrap();
            assert_eq!(limiter.admit(&format!("name{number}"), host, now), Ok(()));
        }
        assert!(limiter.admit("one-more", "2001:db8::ffff".parse().unwrap(), now).is_err());
        assert_eq!(limiter.admit("one-more", "2001:db8:0:1::1".parse().unwrap(), now), Ok(()));
    }

    #[test]
    fn one_name_is_not_tried_from_everywhere_for_ever() {
        let (limiter, now) = (Limiter::new(20), crate::time::monotonic());
        let from = |number: u8| IpAddr::from([192, 0, 2, number]);
        for number in 0..50 {
            assert_eq!(limiter.admit("ada", from(number), now), Ok(()));
        }
        assert!(limiter.admit("ada", from(99), now).is_err());
        assert_eq!(limiter.admit("bob", from(99), now), Ok(()));
        limiter.forgive("ada", from(7));
        assert_eq!(limiter.admit("ada", from(99), now), Ok(()));
    }

    #[test]
    fn a_right_password_wipes_the_slate() {
        let (limiter, now) = (Limiter::new(20), crate::time::monotonic());
        for _ in 0..100 {
            assert_eq!(limiter.admit("ada", HERE, now), Ok(()));
            limiter.forgive("ada", HERE);
        }
    }

    #[test]
    fn a_crowd_does_not_fill_the_memory() {
        let (limiter, now) = (Limiter::new(20), crate::time::monotonic());
        for number in 0..3_000_u32 {
            let host = IpAddr::V4(std::net::Ipv4Addr::from_bits(number));
            assert_eq!(limiter.admit(&format!("name{number}"), host, now), Ok(()));
        }
        assert!(limiter.lock().len() <= MOST);
    }
}
