//! Every rig runs for a second and leaves a report that can be read. Whether it is fast is not asked here.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use perf_rigs::report::Report;

/// A folder that is gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("perf-rigs-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn call(program: &str, arguments: &[&str], out: &Path) -> Output {
    let mut command = Command::new(program);
    command
        .args(["--seconds", "1", "--json", "--csv", "--svg", "--out"])
        .arg(out);
    command.args(arguments).output().unwrap()
}

/// Runs a rig and returns its report, after a look at what else it left.
fn run(program: &str, arguments: &[&str]) -> Report {
    let name = Path::new(program).file_name().unwrap().to_str().unwrap();
    let folder = Folder::new(&format!("{name}-{}", arguments.join("-").replace(',', "-")));
    let output = call(program, arguments, &folder.0);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(
        errors.contains(name),
        "it says on stderr how far it is: {errors}"
    );
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(table.contains("| figure |"), "{table}");
    let read =
        |ending: &str| std::fs::read_to_string(folder.0.join(format!("{name}.{ending}"))).unwrap();
    let report: Report = serde_json::from_str(&read("json")).unwrap();
    assert_eq!(report.rig, name);
    assert!(
        report.figures.iter().all(|figure| figure.value.is_finite()),
        "{:?}",
        report.figures
    );
    assert!(
        !report.series.rows.is_empty(),
        "it was looked at while it ran"
    );
    assert_eq!(read("csv").lines().count(), report.series.rows.len() + 1);
    assert!(read("svg").contains("</svg>"));
    assert!(report.machine.line().contains("commit"));
    report
}

#[test]
fn perf_bus_fanout_brings_what_was_published_to_everybody() {
    let rig = env!("CARGO_BIN_EXE_perf_bus_fanout");
    for payload in ["arc", "vec", "bytes"] {
        let report = run(
            rig,
            &[
                "--rate",
                "1000",
                "--receivers",
                "3",
                "--capacity",
                "65536",
                "--payload",
                payload,
            ],
        );
        let published = report.figure("published").unwrap();
        assert!(published > 0.0);
        assert_eq!(report.figure("received in all"), Some(published * 3.0));
        assert_eq!(report.figure("lost"), Some(0.0));
    }
}

#[test]
fn perf_bus_fanout_counts_what_a_receiver_that_stalls_loses() {
    let rig = env!("CARGO_BIN_EXE_perf_bus_fanout");
    for bus in ["perennial", "tokio"] {
        let stalls = [
            "--bus",
            bus,
            "--rate",
            "5000",
            "--receivers",
            "2",
            "--capacity",
            "8",
            "--pace",
            "tick",
            "--stall-every",
            "2",
            "--stall-ms",
            "50",
            "--burst",
            "4",
        ];
        let report = run(rig, &stalls);
        let [published, received, lost] =
            ["published", "received in all", "lost"].map(|name| report.figure(name).unwrap());
        assert!(lost > 0.0, "{bus}");
        assert_eq!(
            received + lost,
            published * 2.0,
            "{bus}: everything is received or counted as lost"
        );
    }
}

#[test]
fn perf_restart_storm_keeps_to_a_limit() {
    let rig = env!("CARGO_BIN_EXE_perf_restart_storm");
    let report = run(
        rig,
        &[
            "--rate",
            "50",
            "--limit",
            "3",
            "--period-ms",
            "60000",
            "--on-limit",
            "quarantine",
        ],
    );
    assert_eq!(report.figure("restarts"), Some(3.0));
    assert_eq!(report.figure("most restarts in a period"), Some(3.0));
    assert_eq!(report.figure("quarantined"), Some(1.0));
    assert_eq!(report.figure("stops that were not clean"), Some(0.0));
}

#[test]
fn perf_restart_storm_brings_a_herd_back() {
    let rig = env!("CARGO_BIN_EXE_perf_restart_storm");
    for (kind, rate) in [("task", "20"), ("worker", "20"), ("task", "0")] {
        let report = run(rig, &["--kind", kind, "--rate", rate, "--children", "5"]);
        assert!(report.figure("restarts").unwrap() > 0.0, "{kind} at {rate}");
        assert_eq!(report.figure("quarantined"), Some(0.0));
    }
}

#[test]
fn perf_config_reload_sees_every_change() {
    let rig = env!("CARGO_BIN_EXE_perf_config_reload");
    for by in ["call", "watch"] {
        let report = run(rig, &["--by", by, "--rate", "5", "--size", "1024"]);
        assert!(report.figure("changes").unwrap() > 0.0, "{by}");
        assert_eq!(
            report.figure("changes that were refused"),
            Some(0.0),
            "{by}"
        );
        assert_eq!(report.figure("changes that never came"), Some(0.0), "{by}");
    }
}

#[test]
fn perf_shutdown_kills_the_deaf_and_nobody_else() {
    let rig = env!("CARGO_BIN_EXE_perf_shutdown");
    let polite = run(
        rig,
        &[
            "--depth",
            "2",
            "--width",
            "4",
            "--stop-timeout-ms",
            "60000",
            "--budget-ms",
            "600000",
        ],
    );
    assert!(polite.figure("stops").unwrap() > 0.0);
    assert_eq!(polite.figure("leaves of a tree"), Some(16.0));
    assert_eq!(polite.figure("killed"), Some(0.0));
    let rude = run(
        rig,
        &[
            "--depth",
            "1",
            "--width",
            "4",
            "--deaf",
            "1",
            "--stop-timeout-ms",
            "50",
        ],
    );
    assert_eq!(
        rude.figure("killed"),
        rude.figure("stops").map(|stops| stops * 4.0)
    );
    assert_eq!(rude.figure("hung"), Some(0.0));
}

#[test]
fn perf_scale_weighs_each_tree() {
    let rig = env!("CARGO_BIN_EXE_perf_scale");
    for kind in ["worker", "task"] {
        // More than a second, on a machine that is slow: so much the time does not cut off.
        let report = run(
            rig,
            &["--children", "100,1000", "--kind", kind, "--seconds", "600"],
        );
        for count in [100, 1_000] {
            assert!(
                report
                    .figure(&format!("{count}: start of a child"))
                    .unwrap()
                    > 0.0
            );
        }
        assert_eq!(report.series.rows.len(), 2);
    }
}

#[test]
fn perf_messages_are_handled_or_turned_away() {
    let rig = env!("CARGO_BIN_EXE_perf_messages");
    for how in ["send", "cast", "call"] {
        for kind in ["worker", "actor"] {
            let report = run(rig, &["--how", how, "--kind", kind, "--mailbox", "64"]);
            assert!(
                report.figure("handled in all").unwrap() > 0.0,
                "{how} to a {kind}"
            );
            let away = report.figure("turned away").unwrap();
            assert!(how == "cast" || away == 0.0, "{how} to a {kind}: {away}");
        }
    }
}

#[test]
fn perf_soak_crashes_children_and_stops_clean() {
    let rig = env!("CARGO_BIN_EXE_perf_soak");
    let report = run(rig, &["--children", "20", "--groups", "3", "--rate", "50"]);
    assert!(report.figure("restarts").unwrap() > 0.0);
    assert!(report.figure("most series").unwrap() > 0.0);
    assert_eq!(report.figure("stops that were not clean"), Some(0.0));
}

#[test]
fn perf_instructions_counts_each_work() {
    let rig = env!("CARGO_BIN_EXE_perf_instructions");
    let report = run(rig, &["--share", "0"]);
    assert_eq!(report.figures.len(), report.series.rows.len());
    for figure in &report.figures {
        // Not one of them is done by fewer, and what was optimised away is done by none.
        assert!(figure.value > 10.0, "{figure:?}");
    }
}

#[test]
fn a_rig_says_what_is_wrong_with_its_arguments() {
    let rig = env!("CARGO_BIN_EXE_perf_messages");
    let folder = Folder::new("wrong");
    let output = call(rig, &["--colour", "red"], &folder.0);
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("--colour: there is no such flag") && errors.contains("--mailbox"),
        "{errors}"
    );
}
