//! Two patterns from arbitrary text, a line each: nothing panics, answers are the same both ways, a path that is shown is
//! covered by both, and keys find whatever overlaps. `cargo +nightly fuzz run --target x86_64-unknown-linux-gnu glob_overlap`
//! from the top of the repository.

#![no_main]

use intercore::glob::{Key, Pattern};
use libfuzzer_sys::fuzz_target;

fn related(a: &Key, b: &Key) -> bool {
    a.ancestors().any(|key| key == b.as_str()) || a.below().contains(b.as_str())
}

fuzz_target!(|text: &str| {
    let Some((a, b)) = text.split_once('\n') else { return };
    let (wide_a, wide_b) = (Pattern::widened(a), Pattern::widened(b));
    assert_eq!(wide_a.overlaps(&wide_b), wide_b.overlaps(&wide_a));
    let (Ok(a), Ok(b)) = (Pattern::parse(a), Pattern::parse(b)) else { return };
    let (file_a, file_b) = (a.clone().of_file(), b.clone().of_file());
    for (a, b) in [(&a, &b), (&b, &a), (&a, &a), (&file_a, &b), (&a, &file_b), (&file_a, &file_b)] {
        assert_eq!(Pattern::parse(a.as_str()).as_ref(), Ok(a));
        let witness = a.witness(b);
        assert_eq!(witness.is_some(), a.overlaps(b));
        if let Some(path) = witness {
            assert!(a.covers(&path) && b.covers(&path), "{path}");
            assert!(
                related(&a.keys().prefix, &b.keys().prefix) && related(&a.keys().suffix, &b.keys().suffix)
            );
        }
    }
});
