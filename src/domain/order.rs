//! Sorting of short lists. This avoids monomorphising the standard library's `sort` for each type of item,
//! which costs ten kilobytes of the binary per type.

use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Sorts by a comparison; equal items keep their order.
pub fn by<T>(items: &mut Vec<T>, compare: impl Fn(&T, &T) -> Ordering) {
    let places = places(items.len(), &|a, b| compare(&items[a], &items[b]));
    let mut rest: Vec<Option<T>> = std::mem::take(items).into_iter().map(Some).collect();
    items.extend(places.into_iter().filter_map(|place| rest[place].take()));
}

/// Sorts by the natural order of the items.
pub fn natural<T: Ord>(items: &mut Vec<T>) {
    by(items, T::cmp);
}

/// Sorts by a key of each item.
pub fn by_key<T, K: Ord>(items: &mut Vec<T>, key: impl Fn(&T) -> K) {
    by(items, |a, b| key(a).cmp(&key(b)));
}

/// Returns the items as a set. Collecting into a set would use the standard library's sort.
pub fn set<T: Ord>(items: impl Iterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    set.extend(items);
    set
}

fn places(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    places.sort_by(|a, b| compare(*a, *b));
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_items_stay_as_they_were() {
        let mut items = vec![(2, "a"), (1, "b"), (2, "c"), (1, "d")];
        by_key(&mut items, |item| item.0);
        assert_eq!(items, [(1, "b"), (1, "d"), (2, "a"), (2, "c")]);
        by(&mut items, |a, b| b.1.cmp(a.1));
        assert_eq!(items.first(), Some(&(1, "d")));
        let mut words = vec!["b".to_owned(), "a".to_owned()];
        natural(&mut words);
        assert_eq!(words, ["a", "b"]);
        natural(&mut Vec::<u8>::new());
    }
}
