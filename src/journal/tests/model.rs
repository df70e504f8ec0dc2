//! Whatever happens in whatever order, a restart finds what should be there.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::world::{Deed, World};
use super::*;

fn deed() -> impl Strategy<Value = Deed> {
    let rank = any::<u8>;
    let publish =
        (vec(rank(), 0..4), option::of((rank(), 0_u16..3)), option::of(0_u8..3), 0_u16..300, any::<bool>());
    let publish =
        publish.prop_map(|(to, from, retained, size, rich)| Deed::Publish { to, from, retained, size, rich });
    prop_oneof![
        2 => Just(Deed::Come),
        12 => publish,
        8 => (rank(), vec(rank(), 0..5)).prop_map(|(session, ranks)| Deed::Take(session, ranks)),
        3 => (rank(), rank()).prop_map(|(session, rank)| Deed::Release(session, rank)),
        1 => (rank(), 0_u16..3).prop_map(|(session, id)| Deed::Receive(session, id)),
        1 => (rank(), 0_u16..3).prop_map(|(session, id)| Deed::Free(session, id)),
        1 => (rank(), 0_u32..9).prop_map(|(session, expiry)| Deed::Attach(session, expiry)),
        1 => (rank(), 0_u32..9).prop_map(|(session, expiry)| Deed::End(session, expiry)),
        2 => (rank(), rank()).prop_map(|(session, filter)| Deed::Subscribe(session, filter)),
        1 => (rank(), rank()).prop_map(|(session, filter)| Deed::Unsubscribe(session, filter)),
        1 => (rank(), any::<bool>()).prop_map(|(session, there)| Deed::Will(session, there)),
        1 => (0_u8..3).prop_map(Deed::Clear),
        1 => rank().prop_map(Deed::Restate),
        1 => rank().prop_map(Deed::Drop),
        4 => Just(Deed::Sweep),
        1 => Just(Deed::Restart),
        1 => Just(Deed::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_restart_at_any_point_finds_what_should_be_there(deeds in vec(deed(), 1..120)) {
        let mut world = World::new(SMALL);
        deeds.iter().for_each(|deed| world.act(deed));
        world.act(&Deed::Crash);
        world.sweep_all();
        world.act(&Deed::Restart);
    }
}
