//! Holds the README to what compiles and runs: its first Rust block is the first example.

/// Returns the first block that is marked as Rust, without its fences.
fn first_rust_block(readme: &str) -> Option<&str> {
    let (_, after) = readme.split_once("\n```rust\n")?;
    let (block, _) = after.split_once("\n```\n")?;
    Some(block)
}

#[test]
fn the_readme_shows_the_first_example_verbatim() {
    let readme = include_str!("../README.md");
    let example = include_str!("../examples/01_actor.rs");
    let body = example.find("\nuse ").map(|before| &example[before + 1..]);
    let shown = first_rust_block(readme);
    assert!(
        shown.is_some(),
        "README.md has a block that begins with ```rust"
    );
    assert_eq!(
        shown,
        body.map(str::trim_end),
        "copy examples/01_actor.rs into README.md, from its first `use` on"
    );
}

#[test]
fn the_guide_shows_what_compiles() {
    let guide = include_str!("../docs/guide.md");
    let blocks = guide.lines().filter(|line| line.starts_with("```"));
    let begun: Vec<_> = blocks.step_by(2).collect();
    assert!(begun.len() > 5, "it shows code");
    // What is marked in no other way is a documentation test of src/lib.rs.
    assert!(begun.iter().all(|fence| *fence == "```rust"), "{begun:?}");
    assert!(include_str!("../src/lib.rs").contains("include_str!(\"../docs/guide.md\")"));
}
