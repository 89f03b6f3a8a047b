//! A map whose keys rise with the order in which its values come: the children of a supervisor.
//!
//! One vector, because most supervisors never lose a child for good: then a key is a place, a look-up
//! touches one line of memory, and 100 000 children waste none between them. What is removed leaves a
//! hole; once there are more holes than values they are closed, so that a removal costs constant
//! time over the life of the map.

use std::ops::{Bound, RangeBounds};

use super::children::Key;

/// Values in the order of their keys.
#[derive(Debug, Clone)]
pub(super) struct InOrder<V> {
    entries: Vec<(Key, Option<V>)>,
    present: usize,
}

impl<V> Default for InOrder<V> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            present: 0,
        }
    }
}

/// How few entries are left as they are, holes or not.
const FEW: usize = 16;

impl<V> InOrder<V> {
    /// Makes a map with room for so many.
    pub(super) fn with_capacity(count: usize) -> Self {
        Self {
            entries: Vec::with_capacity(count),
            present: 0,
        }
    }

    /// Adds a value, whose key is larger than those of all that are there.
    pub(super) fn insert(&mut self, key: Key, value: V) {
        debug_assert!(
            self.entries.last().is_none_or(|(last, _)| *last < key),
            "keys rise"
        );
        self.entries.push((key, Some(value)));
        self.present += 1;
    }

    pub(super) fn get(&self, key: &Key) -> Option<&V> {
        let (_, value) = self.entries.get(self.place(*key)?)?;
        value.as_ref()
    }

    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut V> {
        let place = self.place(*key)?;
        let (_, value) = self.entries.get_mut(place)?;
        value.as_mut()
    }

    pub(super) fn contains_key(&self, key: &Key) -> bool {
        self.get(key).is_some()
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<V> {
        let place = self.place(*key)?;
        let (_, value) = self.entries.get_mut(place)?;
        let removed = value.take()?;
        self.present -= 1;
        while self.entries.pop_if(|(_, value)| value.is_none()).is_some() {}
        if self.entries.len() > FEW.max(self.present * 2) {
            self.entries.retain(|(_, value)| value.is_some());
        }
        Some(removed)
    }

    pub(super) fn len(&self) -> usize {
        self.present
    }

    pub(super) fn is_empty(&self) -> bool {
        self.present == 0
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&Key, &V)> {
        self.range(..)
    }

    pub(super) fn keys(&self) -> impl DoubleEndedIterator<Item = &Key> {
        self.iter().map(|(key, _)| key)
    }

    pub(super) fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    pub(super) fn into_values(self) -> impl DoubleEndedIterator<Item = V> {
        self.entries.into_iter().filter_map(|(_, value)| value)
    }

    /// Returns the first key that is this one or a later one.
    pub(super) fn first_from(&self, key: Key) -> Option<Key> {
        self.range(key..).next().map(|(key, _)| *key)
    }

    pub(super) fn range(
        &self,
        keys: impl RangeBounds<Key>,
    ) -> impl DoubleEndedIterator<Item = (&Key, &V)> {
        let (from, to) = self.places(&keys);
        let entries = self.entries.get(from..to).into_iter().flatten();
        entries.filter_map(|(key, value)| Some((key, value.as_ref()?)))
    }

    pub(super) fn range_mut(
        &mut self,
        keys: impl RangeBounds<Key>,
    ) -> impl DoubleEndedIterator<Item = (&Key, &mut V)> {
        let (from, to) = self.places(&keys);
        let entries = self.entries.get_mut(from..to).into_iter().flatten();
        entries.filter_map(|(key, value)| Some((&*key, value.as_mut()?)))
    }

    /// Takes out everything from a key on.
    pub(super) fn split_off(&mut self, key: &Key) -> Self {
        let (from, _) = self.places(&(*key..));
        let entries = self.entries.split_off(from);
        let present = entries.iter().filter(|(_, value)| value.is_some()).count();
        self.present -= present;
        Self { entries, present }
    }

    /// Finds a key: where it was put if no hole before it was closed, else by search.
    fn place(&self, key: Key) -> Option<usize> {
        let (first, _) = self.entries.first()?;
        let direct = usize::try_from(key.checked_sub(*first)?).ok()?;
        match self.entries.get(direct) {
            Some((found, _)) if *found == key => Some(direct),
            _ => self
                .entries
                .binary_search_by_key(&key, |(key, _)| *key)
                .ok(),
        }
    }

    fn places(&self, keys: &impl RangeBounds<Key>) -> (usize, usize) {
        let before = |wanted: Key| match self.place(wanted) {
            Some(place) => place,
            None => self.entries.partition_point(|(key, _)| *key < wanted),
        };
        let from = match keys.start_bound() {
            Bound::Unbounded => 0,
            Bound::Included(key) => before(*key),
            Bound::Excluded(key) => before(*key + 1),
        };
        let to = match keys.end_bound() {
            Bound::Unbounded => self.entries.len(),
            Bound::Included(key) => before(*key + 1),
            Bound::Excluded(key) => before(*key),
        };
        (from, to.max(from))
    }
}

#[cfg(test)]
mod tests {
    use super::InOrder;
    use proptest::prelude::{ProptestConfig, Strategy, any, prop_assert_eq, prop_oneof, proptest};
    use std::collections::BTreeMap;

    #[derive(Debug, Clone)]
    enum Step {
        Insert(u64),
        Remove(u64),
        Change(u64),
        SplitOff(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (1u64..4).prop_map(Step::Insert),
            4 => any::<u64>().prop_map(Step::Remove),
            1 => any::<u64>().prop_map(Step::Change),
            1 => any::<u64>().prop_map(Step::SplitOff),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_holds_what_a_map_of_the_standard_library_holds(
            steps in proptest::collection::vec(step(), 1..200), first in 0u64..3,
        ) {
            let (mut ours, mut theirs) = (InOrder::default(), BTreeMap::new());
            let mut next = first;
            for step in steps {
                match step {
                    Step::Insert(gap) => {
                        next += gap;
                        ours.insert(next, next);
                        theirs.insert(next, next);
                    }
                    Step::Remove(key) => {
                        let key = key % (next + 2);
                        prop_assert_eq!(ours.remove(&key), theirs.remove(&key));
                    }
                    Step::Change(key) => {
                        let key = key % (next + 2);
                        ours.range_mut(key..).for_each(|(_, value)| *value += 1);
                        theirs.range_mut(key..).for_each(|(_, value)| *value += 1);
                        prop_assert_eq!(ours.get_mut(&key), theirs.get_mut(&key));
                    }
                    Step::SplitOff(key) => {
                        // Mostly near the end, so that something is left.
                        let key = next.saturating_sub(key % 8);
                        let (off, wanted) = (ours.split_off(&key), theirs.split_off(&key));
                        prop_assert_eq!(off.len(), wanted.len());
                        prop_assert_eq!(
                            off.into_values().collect::<Vec<_>>(),
                            wanted.into_values().collect::<Vec<_>>()
                        );
                    }
                }
                prop_assert_eq!(ours.len(), theirs.len());
                prop_assert_eq!(ours.is_empty(), theirs.is_empty());
                prop_assert_eq!(
                    ours.iter().rev().collect::<Vec<_>>(),
                    theirs.iter().rev().collect::<Vec<_>>()
                );
                for key in [0, next / 2, next, next + 1] {
                    prop_assert_eq!(ours.get(&key), theirs.get(&key));
                    prop_assert_eq!(ours.contains_key(&key), theirs.contains_key(&key));
                    prop_assert_eq!(
                        ours.range(key / 2..key).map(|(key, _)| key).collect::<Vec<_>>(),
                        theirs.range(key / 2..key).map(|(key, _)| key).collect::<Vec<_>>()
                    );
                    prop_assert_eq!(
                        ours.range(..=key).map(|(key, _)| key).collect::<Vec<_>>(),
                        theirs.range(..=key).map(|(key, _)| key).collect::<Vec<_>>()
                    );
                }
            }
        }
    }
}
