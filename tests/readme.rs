//! Holds the README and the other pages to what is there: code that compiles and runs, links that lead somewhere.
#![allow(
    clippy::expect_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::path::{Path, PathBuf};

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

/// Finds all pages of the documentation below a folder.
fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("it is there") {
        let path = entry.expect("it is there").path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// Turns the headings of a page into what links call them.
fn anchors(page: &str) -> Vec<String> {
    let mut is_code = false;
    let headings = page.lines().filter(|line| {
        is_code ^= line.starts_with("```");
        !is_code && line.starts_with('#')
    });
    let anchor = |heading: &str| {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = |letter: char| match letter {
            ' ' => Some('-'),
            letter if letter.is_alphanumeric() || "-_".contains(letter) => Some(letter),
            _ => None,
        };
        text.chars().filter_map(kept).collect()
    };
    headings.map(anchor).collect()
}

/// Says what is wrong with a link that stands on a page.
fn check_link(page: &Path, link: &str) -> Result<(), String> {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match path {
        "" => page.to_owned(),
        path => page.with_file_name("").join(path),
    };
    if !target.exists() {
        return Err(format!("{}: {link}: there is no such file", page.display()));
    }
    let has_anchor = || {
        let text = std::fs::read_to_string(&target).unwrap_or_default();
        anchors(&text).iter().any(|known| known == anchor)
    };
    if anchor.is_empty() || has_anchor() {
        return Ok(());
    }
    Err(format!(
        "{}: {link}: there is no such heading",
        page.display()
    ))
}

#[test]
fn every_link_of_the_pages_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let outside = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"];
    let mut all = outside.map(|name| root.join(name)).to_vec();
    pages(&root.join("docs"), &mut all);
    let (mut links, mut wrong) = (0, Vec::new());
    for page in all {
        let text = std::fs::read_to_string(&page).expect("text");
        let targets = text.split("](").skip(1);
        for link in targets.filter_map(|rest| rest.split_once(')').map(|(link, _)| link)) {
            if !link.starts_with("http") && !link.contains(' ') {
                links += 1;
                wrong.extend(check_link(&page, link).err());
            }
        }
    }
    assert!(links > 50, "the links are found: {links}");
    assert_eq!(wrong, Vec::<String>::new());
}
