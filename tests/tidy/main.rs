//! Checks the house rules that neither the compiler nor clippy knows.
//!
//! The rules hold the architecture: which module may use which, who owns which foreign crate, how
//! large a file may grow. Each is one test below, named by the claim it makes. A broken rule is
//! reported as `path:line: what is wrong; what to do`, all of them at once.
//!
//! The checks read text, not a syntax tree, so that they need no dependency and no nightly. They
//! are therefore written to err on the strict side, and each of them is itself tested on a small
//! tree in memory that breaks the rule.

mod paths;
mod rules;
mod source;
mod tree;

use std::io;
use std::path::Path;

use crate::rules::{constants, order, owners, shape};
use crate::tree::{Tree, Violation};

/// Reads the sources of this workspace.
fn workspace() -> io::Result<Tree> {
    Tree::read(Path::new(env!("CARGO_MANIFEST_DIR")))
}

/// Fails the calling test with one line for each violation.
#[track_caller]
fn assert_clean(violations: &[Violation]) {
    let lines: Vec<String> = violations.iter().map(Violation::to_string).collect();
    assert!(
        lines.is_empty(),
        "{} violation(s)\n{}",
        lines.len(),
        lines.join("\n")
    );
}

#[test]
fn a_module_uses_only_what_lib_rs_declares_above_it() -> io::Result<()> {
    assert_clean(&order::check(&workspace()?));
    Ok(())
}

#[test]
fn a_foreign_crate_is_used_by_its_owner_alone() -> io::Result<()> {
    assert_clean(&owners::check_uses(&workspace()?));
    Ok(())
}

#[test]
fn a_dependency_is_either_owned_or_shared() -> io::Result<()> {
    assert_clean(&owners::check_dependencies(&workspace()?));
    Ok(())
}

#[test]
fn a_file_opens_with_a_head_that_says_what_it_is_for() -> io::Result<()> {
    assert_clean(&shape::check_heads(&workspace()?));
    Ok(())
}

#[test]
fn a_library_file_stays_within_its_length() -> io::Result<()> {
    assert_clean(&shape::check_file_lengths(&workspace()?));
    Ok(())
}

#[test]
fn a_library_function_stays_within_its_length() -> io::Result<()> {
    assert_clean(&shape::check_function_lengths(&workspace()?));
    Ok(())
}

#[test]
fn a_file_name_says_more_than_util_or_common() -> io::Result<()> {
    assert_clean(&shape::check_names(&workspace()?));
    Ok(())
}

#[test]
fn numbered_examples_are_short_and_leave_no_gap() -> io::Result<()> {
    assert_clean(&shape::check_examples(&workspace()?));
    Ok(())
}

#[test]
fn a_constant_has_a_comment_above_it() -> io::Result<()> {
    assert_clean(&constants::check(&workspace()?));
    Ok(())
}
