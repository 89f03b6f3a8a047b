//! What any bytes at all must not break: the syslog example's input, names and paths, whole trees.
//!
//! Each claim is a function of bytes. The tests below give it random ones, the same each time, more of
//! them when `PERENNIAL_LONG` is set; as the library of the crate beside this file it serves
//! `cargo fuzz`, which looks for bytes that reach new code:
//!
//! ```text
//! cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none lines
//! ```
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    unreachable_pub,
    missing_docs,
    reason = "a test fails by panicking, its helpers too; the fuzz targets use this as a library"
)]

#[allow(
    dead_code,
    clippy::print_stdout,
    reason = "the files belong to the tests beside these, which use all of them"
)]
#[path = "../model"]
mod beside {
    pub(crate) mod compare;
    pub(crate) mod model;
    pub(crate) mod ours;
    pub(crate) mod script;
    pub(crate) mod trace;
}

pub mod lines;
pub mod paths;
pub mod trees;

// Under the names by which they know each other.
use self::beside::{compare, model, ours, script, trace};

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::any;
    use proptest::strategy::Strategy;
    use proptest::test_runner::{Config, RngSeed, TestRunner};

    use crate::{lines, paths, trees};

    /// Gives `claim` so many inputs, a hundred times as many in a long run; the simplest that breaks
    /// it is printed.
    fn holds(cases: u32, inputs: impl Strategy<Value = Vec<u8>>, claim: fn(&[u8])) {
        let long = std::env::var_os("PERENNIAL_LONG").is_some();
        let config = Config {
            cases: if long { cases * 100 } else { cases },
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..Config::default()
        };
        let outcome = TestRunner::new(config).run(&inputs, |bytes| {
            claim(&bytes);
            Ok(())
        });
        if let Err(broken) = outcome {
            panic!("{broken}");
        }
    }

    /// Bytes of which most stand for something.
    fn of(alphabet: &'static [u8], length: usize) -> impl Strategy<Value = Vec<u8>> {
        let known = proptest::sample::select(alphabet);
        let byte = proptest::prop_oneof![9 => known, 1 => any::<u8>()];
        vec(byte, 0..length)
    }

    #[test]
    fn any_bytes_are_lines_however_the_network_splits_them() {
        holds(
            2_000,
            of(b"\x00\x01\x02\x0319 <>[]=\"\\-:.T\n\r\xffab", 120),
            lines::check,
        );
    }

    #[test]
    fn a_line_of_rfc_5424_says_the_same_when_it_is_written_again() {
        let field = "(-|[!-~]{1,6}|2003-10-11T22:14:15Z)";
        let data =
            "(-|(\\[[a-c@]{1,3}( [a-c]{1,2}=\"([ -~é]|\\\\[\"\\\\\\]]){0,5}\"){0,2}\\]){1,2})";
        let line =
            format!("<[0-9]{{1,3}}>1 {field} {field} {field} {field} {field} {data}( .{{0,9}})?");
        let line = proptest::string::string_regex(&line).expect("an expression");
        let bytes = line.prop_map(|line| [b"\x00\x00", line.as_bytes(), b"\n"].concat());
        holds(2_000, bytes, lines::check);
    }

    #[test]
    fn any_bytes_are_names_and_paths_or_refused() {
        holds(
            2_000,
            of("ab/.:-_ \u{e9}\u{7f}\n".as_bytes(), 300),
            paths::check,
        );
    }

    #[test]
    fn any_bytes_are_a_tree_that_does_what_the_model_does() {
        holds(200, vec(any::<u8>(), 0..2_000), trees::check);
    }
}
