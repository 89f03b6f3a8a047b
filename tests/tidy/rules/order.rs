//! The order of imports: `lib.rs` declares the modules, and a module uses what stands above it.
//!
//! The order is the architecture. Below [`EDGES`] stand the edges of the library, each of which
//! uses the core and none of the others; below [`TOP`] stands what wires them. References go by
//! module path, so that a direction can be read and searched for: not through the crate root, be
//! it by `crate::Item` or by enough `super::`. Tests may use everything.

use std::ops::Range;

use crate::paths::{WrittenPath, paths};
use crate::source::{self, code_only, inline_modules, without_tests};
use crate::tree::{SourceFile, Tree, Violation};

/// The line of `lib.rs` below which the edges stand.
const EDGES: &str = "// -- edges: each uses the core, none uses another edge --";

/// The line of `lib.rs` below which the composition stands.
const TOP: &str = "// -- top --";

/// Lists the references that go against the order.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let Some(lib) = tree.file("src/lib.rs") else {
        return Vec::new();
    };
    let modules = match Modules::of(lib) {
        Ok(modules) => modules,
        Err(violation) => return vec![violation],
    };
    let library = tree.library().filter(|file| !file.is_test());
    library.flat_map(|file| modules.check_file(file)).collect()
}

/// What `lib.rs` declares.
struct Modules {
    /// The modules in their order.
    order: Vec<String>,
    /// Which of them are edges.
    edges: Range<usize>,
    /// The modules that exist in test builds alone.
    for_tests: Vec<String>,
}

impl Modules {
    fn of(lib: &SourceFile) -> Result<Self, Violation> {
        let everything = code_only(&lib.text);
        let order = declared(&without_tests(&everything));
        let for_tests = declared(&everything);
        let for_tests = for_tests
            .into_iter()
            .filter(|module| !order.contains(module));
        let below = |marker: &str| {
            let line = lib.text.lines().position(|line| line.trim() == marker);
            let what = format!("no line `{marker}`; write it above the modules it speaks of");
            let line = line.ok_or_else(|| lib.violation_in(1, what))?;
            let above = order
                .iter()
                .filter(|(_, offset)| source::line_of(&lib.text, *offset) <= line);
            Ok(above.count())
        };
        let edges = below(EDGES)?..below(TOP)?;
        Ok(Self {
            edges,
            for_tests: for_tests.map(|(name, _)| name).collect(),
            order: order.iter().map(|(name, _)| name.clone()).collect(),
        })
    }

    fn check_file(&self, file: &SourceFile) -> Vec<Violation> {
        let Some(module) = file.module() else {
            return Vec::new();
        };
        if self.for_tests.iter().any(|name| name == module) {
            return Vec::new();
        }
        let Some(own) = self.position(module) else {
            let what = format!(
                "module `{module}` is not declared in src/lib.rs; declare it where it stands in the order"
            );
            return vec![file.violation_in(1, what)];
        };
        let code = without_tests(&code_only(&file.text));
        let inline = inline_modules(&code);
        let mut violations = Vec::new();
        for path in paths(&code) {
            let around = inline.iter().filter(|range| range.contains(&path.offset));
            let depth = depth(&file.path) + around.count();
            if let Some(what) = self.refusal(own, depth, &path) {
                violations.push(file.violation_at(path.offset, what));
            }
        }
        violations
    }

    /// Says what is wrong with a path that a module of the given place in the order writes.
    fn refusal(&self, own: usize, depth: usize, path: &WrittenPath) -> Option<String> {
        let own_name = &self.order[own];
        let names = path.names.as_slice();
        let names = if names.first()? == "self" {
            &names[1..]
        } else {
            names
        };
        let supers = names.iter().take_while(|name| *name == "super").count();
        if supers >= depth {
            let written = path.names.join("::");
            return Some(format!(
                "`{written}` reaches the crate root; write `crate::` and the path of the module"
            ));
        }
        if names.first()? != "crate" {
            return None;
        }
        let used = names.get(1)?;
        let Some(position) = self.position(used) else {
            return Some(format!(
                "`crate::{used}` goes through the crate root; import it by the path of its module"
            ));
        };
        if position > own {
            return Some(format!(
                "`{own_name}` uses `{used}`, which src/lib.rs declares below it; move what is shared up, or the module down"
            ));
        }
        if position != own && self.edges.contains(&position) && self.edges.contains(&own) {
            return Some(format!(
                "the edge `{own_name}` uses the edge `{used}`; wire them where the daemon is composed"
            ));
        }
        None
    }

    fn position(&self, module: &str) -> Option<usize> {
        self.order.iter().position(|name| name == module)
    }
}

/// Lists the modules that a file declares without a body, and where.
fn declared(code: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut words = source::words(code).peekable();
    while let Some((_, word)) = words.next() {
        if let Some((offset, name)) = words.peek().filter(|_| word == "mod") {
            let after = source::skip_space(code.as_bytes(), offset + name.len());
            if code.as_bytes().get(after) == Some(&b';') {
                found.push(((*name).to_owned(), *offset));
            }
        }
    }
    found
}

/// Returns how many `super::` lead from the outermost module of a file to the crate root.
fn depth(path: &str) -> usize {
    path.split('/').count() - 1
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tree::{in_memory, places};

    const LIB: &str = "//! Head.\nmod path;\npub mod policy;\nmod tree;\n\
                       // -- edges: each uses the core, none uses another edge --\n\
                       #[cfg(feature = \"http\")]\nmod http;\nmod metrics;\n\
                       // -- top --\nmod daemon;\n#[cfg(test)]\nmod testing;\n";

    /// Returns what is found in one file of a library that declares the modules of [`LIB`].
    fn found(path: &str, text: &str) -> Vec<String> {
        let violations = check(&in_memory(&[("src/lib.rs", LIB), (path, text)]));
        assert!(violations.iter().all(|violation| violation.path == path));
        violations
            .into_iter()
            .map(|violation| violation.what)
            .collect()
    }

    #[test]
    fn what_stands_above_may_be_used() {
        for (path, text) in [
            (
                "src/tree.rs",
                "use crate::path::Path;\nuse crate::policy::backoff::{Backoff, self};",
            ),
            (
                "src/tree/start.rs",
                "use crate::{path::Path, policy};\nuse super::Node;\nfn f() { crate::tree::g() }",
            ),
            ("src/http.rs", "use crate::tree::Tree;"),
            ("src/daemon.rs", "use crate::{http, metrics::Names};"),
            (
                "src/policy.rs",
                "pub(crate) mod a { use super::B; }\npub(in crate::policy) fn f() {}",
            ),
            (
                "src/path.rs",
                "//! Like [`crate::tree`].\nconst A: &str = \"crate::tree::b\"; // crate::daemon",
            ),
            (
                "src/path.rs",
                "macro_rules! m { () => { $crate::daemon::run() } }",
            ),
        ] {
            assert_eq!(found(path, text), [""; 0], "{text}");
        }
    }

    #[test]
    fn what_stands_below_may_not_be_used() {
        for text in [
            "use crate::tree::Tree;",
            "use crate::{\n    path::Path,\n    tree::Tree,\n};",
            "fn f() -> crate :: tree::Tree { g() }",
            "pub use crate::daemon as d;",
            "fn f() { x.y(|z| crate::metrics::count!(z)) }",
        ] {
            let found = found("src/policy/backoff.rs", text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].contains("declares below it"), "{found:?}");
        }
    }

    #[test]
    fn an_edge_may_not_use_an_edge_in_either_direction() {
        for (path, text) in [
            ("src/metrics.rs", "use crate::http::A;"),
            ("src/metrics/names.rs", "use crate::{http};"),
        ] {
            assert!(
                found(path, text)[0].contains("the edge `metrics` uses the edge `http`"),
                "{text}"
            );
        }
        assert_eq!(found("src/http.rs", "use crate::metrics::A;").len(), 1);
    }

    #[test]
    fn the_crate_root_may_not_be_imported_from() {
        for (path, text) in [
            ("src/tree.rs", "use crate::Path;"),
            ("src/tree.rs", "use crate::*;"),
            ("src/tree.rs", "use crate::{Path as P};"),
            ("src/tree.rs", "use super::path::Path;"),
            ("src/tree/start.rs", "use super::super::path::Path;"),
            ("src/tree/start.rs", "use self::super::super::Path;"),
            ("src/tree.rs", "mod a { use super::super::Path; }"),
        ] {
            let found = found(path, text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].contains("crate root"), "{found:?}");
        }
    }

    #[test]
    fn tests_may_use_everything() {
        for (path, text) in [
            (
                "src/path.rs",
                "fn f() {}\n#[cfg(test)]\nmod tests { use crate::daemon::Daemon; use crate::Path; }",
            ),
            ("src/path/tests.rs", "use crate::daemon::Daemon;"),
            ("src/path/tests/long.rs", "use crate::daemon::Daemon;"),
            ("src/testing.rs", "use crate::daemon::Daemon;"),
        ] {
            assert_eq!(found(path, text), [""; 0], "{text}");
        }
        assert_eq!(
            found(
                "src/path.rs",
                "#[cfg(test)] use crate::tree::A;\nuse crate::tree::B;"
            )
            .len(),
            1
        );
    }

    #[test]
    fn a_reference_is_reported_where_it_stands() {
        let tree = in_memory(&[
            ("src/lib.rs", LIB),
            (
                "src/path.rs",
                "//! Head.\nuse crate::{\n    path,\n    tree::{A, B},\n};\n",
            ),
        ]);
        assert_eq!(places(&check(&tree)), ["src/path.rs:4", "src/path.rs:4"]);
    }

    #[test]
    fn an_undeclared_module_and_a_missing_marker_are_reported() {
        assert!(found("src/stray.rs", "")[0].contains("not declared"));
        let tree = in_memory(&[("src/lib.rs", "mod path;\n// -- top --\n")]);
        assert_eq!(places(&check(&tree)), ["src/lib.rs:1"]);
    }
}
