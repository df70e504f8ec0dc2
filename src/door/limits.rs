//! How much one account, and one address, may ask of the doors.
//!
//! What happens before anybody is known counts for the address, what happens after for the account. Connections are
//! counted, rates are token buckets. Nobody is remembered for longer than there is a reason: who has no connection and
//! full buckets is forgotten, so a crowd of strangers leaves nothing behind.
//!
//! Publishing too fast is answered by not reading for a while, not by 0x97: the client then slows down by itself, as
//! TCP makes it, and no acknowledged message nor any other is lost; a refused one would have to be kept and sent again
//! by clients, few of which do.

mod bucket;

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::LimitsConfig;
use crate::id::AccountId;
use crate::metrics::{Count, Limit, METRICS, Traffic};
use crate::mqtt::Reason;
use bucket::Bucket;

/// Whoever comes passes here. Shared by all doors.
pub(crate) struct Gate {
    limits: LimitsConfig,
    opened: Instant,
    addresses: Tallies<IpAddr>,
    accounts: Tallies<AccountId>,
}

/// Why somebody does not get in now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Crowded {
    #[error("its address has as many connections as one may have")]
    Address,
    #[error("its address connects more often than one may")]
    Rate,
    #[error("its account has as many connections as one may have")]
    Account,
}

/// A connection that counts, until this is dropped.
pub(crate) struct Place(Arc<Tally>);

/// A connection at a door, until this is dropped.
pub(crate) struct Arrival {
    door: &'static Count,
    _place: Option<Place>,
}

/// What is known of an address or an account.
#[derive(Default)]
struct Tally {
    open: AtomicUsize,
    /// Of an address: CONNECTs. Of an account: messages.
    first: Bucket,
    /// Of an address: handshakes. Of an account: bytes.
    second: Bucket,
}

impl Gate {
    pub(crate) fn new(limits: &LimitsConfig, now: Instant) -> Self {
        let (addresses, accounts) = (Tallies::default(), Tallies::default());
        Self { limits: limits.clone(), opened: now, addresses, accounts }
    }

    /// Whether an address may begin a handshake of TLS, WebSocket or QUIC.
    pub(crate) fn may_shake(&self, address: IpAddr, now: Instant) -> bool {
        let (per_second, now) = (self.limits.handshakes_per_second, self.nanos(now));
        let may = self.addresses.look(whole(address), now, |tally| tally.second.take(per_second, now));
        if !may {
            METRICS.hit(Limit::HandshakeRate);
        }
        may
    }

    /// A connection is there, on which nothing was said yet.
    pub(crate) fn arrive(&self, door: &str, address: Option<SocketAddr>, now: Instant) -> Arrival {
        let place =
            address.map(|address| self.addresses.look(whole(address.ip()), self.nanos(now), Place::take));
        let door = METRICS.connections.of(door);
        door.add(1);
        Arrival { door, _place: place }
    }

    /// Whether a connection that has arrived may go on to be judged.
    pub(crate) fn may_connect(&self, address: Option<SocketAddr>, now: Instant) -> Result<(), Crowded> {
        let Some(address) = address else { return Ok(()) };
        let now = self.nanos(now);
        self.addresses.look(whole(address.ip()), now, |tally| {
            // It is among them itself.
            if tally.open.load(Ordering::Relaxed) > self.limits.connections_per_address {
                return Err(Crowded::Address.hit());
            }
            let may = tally.first.take(self.limits.connects_per_second, now);
            may.then_some(()).ok_or_else(|| Crowded::Rate.hit())
        })
    }

    /// Gives a connection its place among those of its account. One that takes over another's session needs none of
    /// its own: the other is about to end, and its client could not come back otherwise.
    pub(crate) fn enter(&self, account: AccountId, takes_over: bool, now: Instant) -> Result<Place, Crowded> {
        self.accounts.look(account, self.nanos(now), |tally| {
            let full = tally.open.load(Ordering::Relaxed) >= self.limits.connections_per_account;
            if full && !takes_over { Err(Crowded::Account.hit()) } else { Ok(Place::take(tally)) }
        })
    }

    /// Charges an account for what it published; says how long its connection is not to be read.
    pub(crate) fn charge(&self, account: &Place, came: &Traffic, now: Instant) -> Option<Duration> {
        let (tally, limits, now) = (&account.0, &self.limits, self.nanos(now));
        let messages = tally.first.charge(came.messages(), limits.publish_messages_per_second, now);
        let bytes = tally.second.charge(came.bytes(), limits.publish_bytes_per_second, now);
        let (wait, limit) = match messages >= bytes {
            true => (messages, Limit::PublishMessages),
            false => (bytes, Limit::PublishBytes),
        };
        if wait.is_zero() {
            return None;
        }
        METRICS.hit(limit);
        Some(wait)
    }

    fn nanos(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.opened).as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Crowded {
    /// What the client hears: 0x9F for a rate, 0x97 for a number ("an implementation or administrative imposed limit",
    /// MQTT 5.0 section 3.2.2.2), which waiting alone does not help.
    pub(crate) fn reason(self) -> Reason {
        match self {
            Self::Rate => Reason::ConnectionRateExceeded,
            Self::Address | Self::Account => Reason::QuotaExceeded,
        }
    }

    fn hit(self) -> Self {
        METRICS.hit(match self {
            Self::Address => Limit::AddressConnections,
            Self::Rate => Limit::ConnectRate,
            Self::Account => Limit::AccountConnections,
        });
        self
    }
}

impl Place {
    fn take(tally: &Arc<Tally>) -> Self {
        tally.open.fetch_add(1, Ordering::Relaxed);
        Self(tally.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        self.door.sub(1);
    }
}

/// An address as it counts: whoever has one IPv6 address has the 64 bits below it too (RFC 4291 section 2.5.1).
fn whole(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        four => four,
    }
}

/// What is known, by address or account.
struct Tallies<K>(Mutex<Known<K>>);

struct Known<K> {
    all: HashMap<K, Arc<Tally>>,
    /// At this size those who are of no more interest are forgotten.
    sweep_at: usize,
}

/// Not worth a sweep.
const FEW: usize = 1024;

impl<K> Default for Tallies<K> {
    fn default() -> Self {
        Self(Mutex::new(Known { all: HashMap::new(), sweep_at: FEW }))
    }
}

impl<K: Hash + Eq> Tallies<K> {
    /// Looks at one under the lock, so that nobody forgets it meanwhile.
    fn look<T>(&self, key: K, now: u64, look: impl FnOnce(&Arc<Tally>) -> T) -> T {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.all.len() >= known.sweep_at {
            known.all.retain(|_, tally| tally.matters(now));
            // Twice what is left, so that sweeping costs little for each who came.
            known.sweep_at = 2 * known.all.len() + FEW;
        }
        look(known.all.entry(key).or_default())
    }
}

impl Tally {
    fn matters(&self, now: u64) -> bool {
        self.open.load(Ordering::Relaxed) > 0 || !self.first.is_full(now) || !self.second.is_full(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(change: impl FnOnce(&mut LimitsConfig)) -> (Gate, Instant) {
        let (mut limits, now) = (LimitsConfig::default(), crate::time::monotonic());
        change(&mut limits);
        (Gate::new(&limits, now), now)
    }

    fn address(text: &str) -> Option<SocketAddr> {
        Some(SocketAddr::new(text.parse().unwrap(), 1))
    }

    #[test]
    fn an_address_has_only_so_many_connections_and_those_that_end_make_room() {
        let (gate, now) = gate(|limits| limits.connections_per_address = 2);
        let mut here: Vec<_> = (0..3).map(|_| gate.arrive("mqtt", address("192.0.2.1"), now)).collect();
        assert_eq!(gate.may_connect(address("192.0.2.1"), now), Err(Crowded::Address));
        assert_eq!(gate.may_connect(address("192.0.2.2"), now), Ok(()));
        here.pop();
        assert_eq!(gate.may_connect(address("192.0.2.1"), now), Ok(()));
    }

    #[test]
    fn an_address_connects_only_so_often_and_a_network_of_ipv6_is_one_address() {
        let (gate, now) = gate(|limits| limits.connects_per_second = 2);
        for from in ["2001:db8::1", "2001:db8::2"] {
            assert_eq!(gate.may_connect(address(from), now), Ok(()));
        }
        assert_eq!(gate.may_connect(address("2001:db8::3"), now), Err(Crowded::Rate));
        assert_eq!(gate.may_connect(address("2001:db8:0:1::3"), now), Ok(()));
        assert_eq!(gate.may_connect(address("2001:db8::3"), now + Duration::from_millis(500)), Ok(()));
    }

    #[test]
    fn handshakes_are_counted_apart_from_connects() {
        let (gate, now) = gate(|limits| limits.handshakes_per_second = 1);
        let from = "192.0.2.1".parse().unwrap();
        assert!(gate.may_shake(from, now) && !gate.may_shake(from, now));
        assert_eq!(gate.may_connect(address("192.0.2.1"), now), Ok(()));
    }

    #[test]
    fn an_account_at_its_limit_may_still_take_over_its_own_session() {
        let (gate, now) = gate(|limits| limits.connections_per_account = 1);
        let first = gate.enter(AccountId::GUEST, false, now).unwrap();
        assert_eq!(gate.enter(AccountId::GUEST, false, now).err(), Some(Crowded::Account));
        let second = gate.enter(AccountId::GUEST, true, now).unwrap();
        drop((first, second));
        assert!(gate.enter(AccountId::GUEST, false, now).is_ok());
    }

    #[test]
    fn who_publishes_too_fast_waits_for_the_tighter_of_both_limits() {
        let (gate, now) =
            gate(|limits| (limits.publish_messages_per_second, limits.publish_bytes_per_second) = (10, 1000));
        let place = gate.enter(AccountId::GUEST, false, now).unwrap();
        let mut came = Traffic::default();
        (0..10).for_each(|_| came.add(1, 100));
        assert_eq!(gate.charge(&place, &came, now), None);
        came.add(1, 1000);
        assert_eq!(gate.charge(&place, &came, now), Some(Duration::from_secs(2)));
        assert_eq!(gate.charge(&place, &Traffic::default(), now + Duration::from_secs(2)), None);
    }

    #[test]
    fn strangers_are_forgotten_once_their_buckets_are_full() {
        let (gate, now) = gate(|_| {});
        let _stays = gate.arrive("mqtt", address("192.0.2.1"), now);
        for second in 0..50_u64 {
            let later = now + Duration::from_secs(2 * second);
            for host in 0..1000_u32 {
                let from =
                    SocketAddr::new(std::net::Ipv4Addr::from_bits((second as u32) << 16 | host).into(), 1);
                assert_eq!(gate.may_connect(Some(from), later), Ok(()));
            }
        }
        let known = gate.addresses.0.lock().unwrap();
        assert!(known.all.len() < 4 * FEW, "{}", known.all.len());
        assert!(known.all.contains_key(&"192.0.2.1".parse::<IpAddr>().unwrap()));
    }
}
