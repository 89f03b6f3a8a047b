//! Lines of a profile. That one is taken is claimed by tests/profiles.rs, in a program of its own.

use super::{CpuProfile, without_separators};

#[test]
fn stacks_that_read_alike_are_one_line_of_a_profile() {
    let counts = [("main;a", 2), ("main;b", 1), ("main;a", 3)];
    let counts = counts.map(|(stack, count)| (stack.to_owned(), count));
    let profile = CpuProfile::of(counts.into_iter());
    assert_eq!(profile.folded, "main;a 5\nmain;b 1\n");
    assert_eq!(profile.samples, 6);
    assert_eq!(without_separators("f::<[u8; 4]>"), "f::<[u8, 4]>");
}
