//! The gate, over builds whose figures are known: shell scripts that write what a rig would have measured.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Two builds, the figures of which a test chooses.
struct Builds(PathBuf);

impl Builds {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("perf-gate-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Makes a build that measures `p95` at about so many microseconds.
    fn build(&self, name: &str, p95: f64, wobble: f64) -> PathBuf {
        let folder = self.0.join(name);
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join("perf_bus_fanout");
        fs::write(&program, script(&folder, p95, wobble)).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        folder
    }

    fn gate(&self, base: &Path, current: &Path, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_perf-rigs"));
        command.args([
            "gate",
            "--only",
            "perf_bus_fanout",
            "--rounds",
            "8",
            "--out",
        ]);
        command
            .arg(&self.0)
            .arg("--base")
            .arg(base)
            .arg("--current")
            .arg(current);
        command.args(more).output().unwrap()
    }
}

impl Drop for Builds {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Every second run comes out `wobble` times as long.
fn script(folder: &Path, p95: f64, wobble: f64) -> String {
    let report = |p95: f64| {
        serde_json::json!({
            "rig": "perf_bus_fanout",
            "settings": {},
            "machine": {
                "processor": "p", "processors": 2, "memory_bytes": 1, "kernel": "k", "load": 0.0,
                "rustc": "r", "is_release": true, "commit": "c", "versions": [],
            },
            "usage": {
                "cpu_seconds": 1.0, "cpu_percent": 50.0, "resident_before_bytes": 1,
                "resident_after_bytes": 1, "resident_peak_bytes": 1, "descriptors": 1, "threads": 1,
            },
            "figures": [{ "name": "p95", "value": p95, "unit": "µs", "better": "lower" }],
            "series": { "x": "s", "unit": "/s", "columns": [], "drawn": 0, "rows": [] },
        })
    };
    let (usual, other, turn) = (report(p95), report(p95 * wobble), folder.join("turn"));
    let turn = turn.display();
    format!(
        "#!/bin/sh\nwhile [ \"$1\" != --out ]; do shift; done\nmkdir -p \"$2\"\nif [ -e {turn} ]; then rm {turn}\n\
         cat >\"$2/perf_bus_fanout.json\" <<'END'\n{other}\nEND\nelse : >{turn}\n\
         cat >\"$2/perf_bus_fanout.json\" <<'END'\n{usual}\nEND\nfi\n"
    )
}

#[test]
fn a_build_that_is_a_fifth_slower_is_caught_and_a_rerun_is_not() {
    let builds = Builds::new("slower");
    let base = builds.build("base", 50.0, 1.03);
    for (name, p95, code, word) in [
        ("same", 50.0, 0, "kept"),
        ("slower", 60.0, 1, "**worse**"),
        ("faster", 30.0, 0, "kept"),
    ] {
        let output = builds.gate(&base, &builds.build(name, p95, 1.03), &[]);
        let table = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{name}: {table}");
        let row = table.lines().find(|line| line.contains("| p95 |")).unwrap();
        assert!(row.contains(word), "{name}: {row}");
    }
    assert!(
        fs::read_to_string(builds.0.join("gate.json"))
            .unwrap()
            .contains("\"verdict\": \"kept\"")
    );
}

#[test]
fn a_machine_that_is_too_noisy_is_said_to_be() {
    let builds = Builds::new("noisy");
    let base = builds.build("base", 50.0, 2.0);
    let current = builds.build("current", 60.0, 2.0);
    let output = builds.gate(&base, &current, &[]);
    let table = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{table}");
    assert!(table.contains("too noisy to tell"), "{table}");
}

#[test]
fn a_waiver_lets_a_figure_be_worse_and_says_why() {
    let builds = Builds::new("waived");
    let base = builds.build("base", 50.0, 1.0);
    let slower = builds.build("slower", 60.0, 1.0);
    let file = builds.0.join("waivers.toml");
    let waive = |reason: &str| {
        let text = format!(
            "[[waiver]]\nwork = \"bus, 50 000/s\"\nfigure = \"p95\"\nreason = \"{reason}\"\n"
        );
        fs::write(&file, text).unwrap();
        builds.gate(&base, &slower, &["--waivers", file.to_str().unwrap()])
    };
    let output = waive("numbers without a hole");
    assert_eq!(output.status.code(), Some(0));
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("worse, waived: numbers without a hole")
    );
    let output = waive("");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("has no reason"));
}

#[test]
fn a_build_that_is_not_there_is_named() {
    let builds = Builds::new("missing");
    let base = builds.build("base", 50.0, 1.0);
    let output = builds.gate(&base, Path::new("/nowhere"), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere/perf_bus_fanout"));
}

/// A build whose counted work comes out as told.
fn counted(builds: &Builds, name: &str, instructions: f64) -> PathBuf {
    let folder = builds.0.join(name);
    fs::create_dir_all(&folder).unwrap();
    let text = script(&folder, instructions, 1.0)
        .replace("perf_bus_fanout", "perf_instructions")
        .replace("\"p95\"", "\"instructions of a publish\"");
    let program = folder.join("perf_instructions");
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

#[test]
fn what_is_stored_of_one_build_judges_another_without_it() {
    let builds = Builds::new("stored");
    let [stored, history] = ["baseline.json", "history.md"].map(|name| builds.0.join(name));
    let gate = |base: [&str; 2], current: &Path, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_perf-rigs"));
        command.args(["gate", "--only", "perf_instructions", "--out"]);
        command.arg(&builds.0).args(base).arg("--current");
        command.arg(current).args(more).output().unwrap()
    };
    let usual = counted(&builds, "usual", 100.0);
    let build = ["--base", usual.to_str().unwrap()];
    let save = ["--save", stored.to_str().unwrap()];
    let output = gate(build, &usual, &save);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = fs::read_to_string(&stored).unwrap();
    assert!(
        text.contains("\"instructions of a publish\": 100.0"),
        "{text}"
    );
    assert!(
        text.contains("\"on\": \"2 × p"),
        "the machine is named: {text}"
    );
    let file = ["--baseline", stored.to_str().unwrap()];
    let more = ["--history", history.to_str().unwrap()];
    for (instructions, code) in [(100.0, 0), (104.0, 0), (120.0, 1)] {
        let build = counted(&builds, "build", instructions);
        let output = gate(file, &build, &more);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{instructions}: {output:?}"
        );
    }
    let history = fs::read_to_string(&history).unwrap();
    assert_eq!(history.matches("| day |").count(), 1, "{history}");
    let lines: Vec<&str> = history
        .lines()
        .filter(|line| line.contains("| c | c |"))
        .collect();
    assert_eq!(lines.len(), 3, "{history}");
    assert!(
        lines[2].contains("**worse** | instructions, instructions of a publish 1.20"),
        "{history}"
    );
}

#[test]
fn it_has_to_be_said_with_what_to_compare() {
    let builds = Builds::new("nothing");
    let mut command = Command::new(env!("CARGO_BIN_EXE_perf-rigs"));
    let output = command
        .args(["gate", "--current"])
        .arg(&builds.0)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("one of --base and --baseline"));
}
