//! Packet identifiers in use, each with how far its message has come (MQTT section 2.2.1).

use std::collections::VecDeque;

/// Ordered by identifier: both sides count upwards and settle the oldest first, so nearly every change is at
/// one of the ends, and the rest is found by halving. Holds no memory when it is empty.
pub(super) struct Ids<S>(VecDeque<(u16, S)>);

/// Room that is kept although it is not used.
const SPARE: usize = 64;

impl<S: Copy> Ids<S> {
    pub(super) const fn new() -> Self {
        Self(VecDeque::new())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, id: u16) -> Option<S> {
        self.0.get(self.find(id).ok()?).map(|(_, stage)| *stage)
    }

    /// Notes a new identifier, or the next stage of one that is in use.
    pub(super) fn set(&mut self, id: u16, stage: S) {
        match self.find(id) {
            Ok(at) => self.0.iter_mut().skip(at).take(1).for_each(|known| known.1 = stage),
            Err(at) => self.0.insert(at, (id, stage)),
        }
    }

    pub(super) fn remove(&mut self, id: u16) -> Option<S> {
        let (_, stage) = self.0.remove(self.find(id).ok()?)?;
        if self.0.is_empty() {
            self.0 = VecDeque::new();
        } else if self.0.capacity() > SPARE.max(8 * self.0.len()) {
            self.0.shrink_to(2 * self.0.len());
        }
        Some(stage)
    }

    fn find(&self, id: u16) -> Result<usize, usize> {
        match (self.0.front(), self.0.back()) {
            (Some((first, _)), _) if *first == id => Ok(0),
            (_, Some((last, _))) if *last < id => Err(self.0.len()),
            _ => self.0.binary_search_by_key(&id, |(id, _)| *id),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_is_held_for_what_is_gone() {
        let mut ids = Ids::new();
        (1..=60_000).for_each(|id| ids.set(id, ()));
        (1..60_000).for_each(|id| _ = ids.remove(id));
        assert!(ids.0.capacity() <= SPARE, "{}", ids.0.capacity());
        ids.remove(60_000);
        assert_eq!(ids.0.capacity(), 0);
    }

    proptest! {
        // A bug leaves a test with its story, not a file of seeds.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_is_a_map(deeds in prop::collection::vec((0_u8..3, 1_u16..40, any::<u8>()), 0..200)) {
            let (mut ids, mut model) = (Ids::new(), BTreeMap::new());
            for (deed, id, stage) in deeds {
                match deed {
                    0 => prop_assert_eq!(ids.remove(id), model.remove(&id)),
                    1 => prop_assert_eq!(ids.get(id), model.get(&id).copied()),
                    _ => {
                        ids.set(id, stage);
                        model.insert(id, stage);
                    }
                }
                prop_assert_eq!(ids.len(), model.len());
            }
        }
    }
}
