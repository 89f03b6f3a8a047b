//! Foreign crates: each has one owner in the library, or is shared on purpose.
//!
//! A crate with one owner can be replaced, or updated over a breaking release, in one place. The
//! crate root may name everything, because re-exports stand there. The rule speaks of the library:
//! tests, examples and benches use what they need.

use std::collections::BTreeMap;

use crate::paths::paths;
use crate::source::{self, code_only};
use crate::tree::{SourceFile, Tree, Violation};

/// Which path belongs to which files; a name that ends in `/` stands for all files below it.
const OWNED: &[(&[&str], &[&str])] = &[
    (&["ractor"], &["src/child/actor.rs", "src/child/actor/"]),
    (&["metrics"], &["src/metrics.rs", "src/metrics/"]),
    (
        &["metrics_exporter_prometheus"],
        &["src/metrics.rs", "src/metrics/"],
    ),
    (&["hyper"], &["src/http.rs", "src/http/"]),
    (&["hyper_util"], &["src/http.rs", "src/http/"]),
    (&["http_body_util"], &["src/http.rs", "src/http/"]),
    (&["tracing_subscriber"], &["src/logging.rs", "src/logging/"]),
    (&["tracing_log"], &["src/logging.rs", "src/logging/"]),
    (&["fastrand"], &["src/policy/"]),
    (&["futures_core"], &["src/bus/"]),
    (&["crossbeam_channel"], &["src/bus/"]),
    (&["crossbeam_queue"], &["src/pool.rs"]),
    (&["pin_project_lite"], &["src/context/", "src/child/"]),
    (&["shuttle"], &["src/sync/"]),
    (&["toml"], &["src/config.rs", "src/config/"]),
    (&["arc_swap"], &["src/config.rs", "src/config/"]),
    (&["notify"], &["src/config.rs", "src/config/"]),
    (&["strsim"], &["src/config.rs", "src/config/"]),
    (&["procfs"], &["src/resources.rs"]),
    (&["quanta"], &["src/time.rs"]),
    (&["mimalloc"], &["src/allocator.rs"]),
    (&["pprof"], &["src/profile/cpu.rs"]),
    (&["dhat"], &["src/profile/heap.rs"]),
    (&["tempfile"], &["src/profile/heap.rs"]),
    (
        &["rustix"],
        &[
            "src/daemon/workers.rs",
            "src/config/files/",
            "src/daemon/token.rs",
            "src/admin/socket.rs",
            "src/admin/socket/",
            "src/lock.rs",
            "src/notify.rs",
            "src/logging/rotate/open.rs",
        ],
    ),
    (&["signal_hook"], &["src/signals.rs", "src/signals/"]),
    (&["tokio", "signal"], &["src/signals.rs", "src/signals/"]),
];

/// The crates that the whole library is written in.
const SHARED: [&str; 5] = ["tokio", "tracing", "thiserror", "serde", "serde_json"];

/// Lists the uses of an owned crate outside its owner.
pub(crate) fn check_uses(tree: &Tree) -> Vec<Violation> {
    let library = tree.library().filter(|file| file.path != "src/lib.rs");
    library.flat_map(check_file).collect()
}

/// Lists the dependencies of the library that are neither owned nor shared.
pub(crate) fn check_dependencies(tree: &Tree) -> Vec<Violation> {
    let owned: Vec<&str> = OWNED.iter().map(|(path, _)| path[0]).collect();
    let undecided = |name: &str| !owned.contains(&name) && !SHARED.contains(&name);
    dependencies(&tree.manifest)
        .into_iter()
        .filter(|(name, _)| undecided(name))
        .map(|(name, line)| Violation {
            path: "Cargo.toml".to_owned(),
            line,
            what: format!("`{name}` has no owner; name its file in tests/tidy/rules/owners.rs, or share it there"),
        })
        .collect()
}

fn check_file(file: &SourceFile) -> Vec<Violation> {
    let code = code_only(&file.text);
    let paths = paths(&code);
    // A module of ours may have the name of a crate; imported, it is the one that is meant.
    let is_ours = |name: &str| {
        let imported = paths.iter().any(|path| {
            let from_us = matches!(path.names[0].as_str(), "crate" | "self" | "super");
            from_us && path.binding.as_deref() == Some(name)
        });
        imported || declares(&code, name)
    };
    let mut found = BTreeMap::new();
    for path in &paths {
        let foreign = path.is_absolute || !is_ours(&path.names[0]);
        for (owned, owners) in OWNED {
            if foreign
                && is_prefix(owned, &path.names)
                && !owners.iter().any(|owner| covers(owner, &file.path))
            {
                let (owned, owner) = (owned.join("::"), owners[0]);
                let what = format!(
                    "`{owned}` belongs to {owner}; use what that offers, or move this there"
                );
                let violation = file.violation_at(path.offset, what);
                // One report for each line and crate is enough.
                found.entry((violation.line, owned)).or_insert(violation);
            }
        }
    }
    found.into_values().collect()
}

fn is_prefix(owned: &[&str], names: &[String]) -> bool {
    names.len() >= owned.len() && owned.iter().zip(names).all(|(owned, name)| owned == name)
}

fn covers(owner: &str, path: &str) -> bool {
    path == owner || (owner.ends_with('/') && path.starts_with(owner))
}

fn declares(code: &str, module: &str) -> bool {
    let words: Vec<&str> = source::words(code).map(|(_, word)| word).collect();
    words.windows(2).any(|pair| pair == ["mod", module])
}

/// Lists the crates that the library depends on, as they are called in code, and their lines.
fn dependencies(manifest: &str) -> Vec<(String, usize)> {
    let mut inside = false;
    let mut found = Vec::new();
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            inside = table == "dependencies" || table.ends_with(".dependencies");
            // `[dependencies.name]` is a dependency by itself.
            let single = table.strip_prefix("dependencies.");
            found.extend(single.map(|name| (name.replace('-', "_"), index + 1)));
        } else if inside && let Some((name, _)) = line.split_once(['=', '.']) {
            let name = name.trim().trim_matches('"');
            if !name.starts_with('#') {
                found.push((name.replace('-', "_"), index + 1));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{check_dependencies, check_uses};
    use crate::tree::{Tree, in_memory, places};

    #[test]
    fn the_owner_and_the_crate_root_may_use_a_crate() {
        let tree = in_memory(&[
            ("src/lib.rs", "pub use ractor::{Actor, ActorRef};"),
            ("src/child/actor.rs", "use ractor::Actor;"),
            (
                "src/metrics.rs",
                "use metrics::counter;\nuse metrics_exporter_prometheus::PrometheusBuilder;",
            ),
            ("src/policy/backoff.rs", "fn f() { fastrand::f64() }"),
            ("src/signals.rs", "use tokio::signal::unix::signal;"),
            ("src/bus/subscriber.rs", "use futures_core::Stream;"),
            ("tests/messages.rs", "use ractor::Actor;"),
        ]);
        assert_eq!(places(&check_uses(&tree)), [""; 0]);
    }

    #[test]
    fn nobody_else_may() {
        for text in [
            "use ractor;",
            "use ractor::Actor;",
            "use ::ractor::Actor;",
            "use {std::fmt, ractor::Actor};",
            "fn f() -> Result<(), ractor::ActorErr> { g() }",
            "fn f() { metrics::counter!(x) }",
            "use crate::metrics; fn f() { ::metrics::counter!(x) }",
            "use tokio::{sync::mpsc, signal};",
            "use tokio::{signal::unix::{self, SignalKind}, sync};",
            "fn f() { tokio::signal::ctrl_c() }",
            "use futures_core as f;",
        ] {
            let tree = in_memory(&[("src/tree.rs", text)]);
            assert_eq!(places(&check_uses(&tree)), ["src/tree.rs:1"], "{text}");
        }
    }

    #[test]
    fn a_module_of_ours_may_have_the_name_of_a_crate() {
        for text in [
            "use crate::metrics; fn f() { metrics::install() }",
            "use crate::{http, metrics}; fn f() { metrics::install() }",
            "fn f() { crate::metrics::install() }",
            "mod metrics; fn f() { metrics::install() }",
            "fn f(metrics: &M) { metrics.install(); let hyper = 1; g(hyper) }",
            "// ractor::Actor\nconst A: &str = \"ractor::Actor\";",
        ] {
            let tree = in_memory(&[("src/daemon.rs", text)]);
            assert_eq!(places(&check_uses(&tree)), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_dependency_without_a_decision_is_reported() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\ntokio = \"1\"\nhyper-util = { version = \"0.1\" }\n\
                        # libc = \"1\"\nlibc = \"1\"\n\n[dependencies.once_cell]\nversion = \"1\"\n\
                        [dev-dependencies]\nproptest = \"1\"\n";
        let tree = Tree {
            manifest: manifest.to_owned(),
            ..Tree::default()
        };
        assert_eq!(
            places(&check_dependencies(&tree)),
            ["Cargo.toml:7", "Cargo.toml:9"]
        );
    }
}
