//! Reloads of a process, from every side.

use crate::folder::{Folder, pair};
use crate::harness::{Running, until_answer};

fn running(folder: &Folder, arguments: &[&str]) -> (Running, String) {
    let mut running = Running::start(folder, arguments);
    let address = running.hears_of("http");
    running.hears_of("pair");
    (running, address)
}

#[test]
fn every_way_to_change_a_file_is_seen() {
    use std::os::unix::fs::symlink;

    let folder = Folder::new("ways");
    folder.write("app.toml", pair(1));
    let (mut running, _) = running(&folder, &[]);
    folder.write("app.toml", pair(2));
    running.hears("pair 2");
    folder.replace("app.toml", pair(3));
    running.hears("pair 3");
    // An editor's second save, which ended the watch of an earlier system.
    folder.replace("app.toml", pair(4));
    running.hears("pair 4");
    std::fs::remove_file(folder.path("app.toml")).expect("it is there");
    folder.write("app.toml", pair(5));
    running.hears("pair 5");
    folder.write("elsewhere/app.toml", pair(6));
    symlink(folder.path("elsewhere/app.toml"), folder.path("link")).expect("a link");
    std::fs::rename(folder.path("link"), folder.path("app.toml")).expect("it can be renamed");
    running.hears("pair 6");
    folder.write("elsewhere/app.toml", pair(7));
    running.hears("pair 7");
    folder.write("conf.d/1.toml", pair(8));
    running.hears("pair 8");
    folder.replace("conf.d/1.toml", pair(9));
    running.hears("pair 9");
    let (status, said, log) = running.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(
        !said.contains("@pair 0"),
        "no defaults were ever seen: {said}"
    );
}

#[test]
fn without_hot_reload_a_signal_or_a_message_on_the_bus_reads_it() {
    let folder = Folder::new("signal");
    folder.write("app.toml", pair(1));
    let (mut running, _) = running(&folder, &["--set", "daemon.hot_reload=false"]);
    folder.write("app.toml", pair(2));
    let (running, log) = {
        running.signal("HUP");
        running.hears("pair 2");
        running.log_until("the configuration has changed")
    };
    // No file is looked at, however long it has been there: the change was the signal's.
    assert!(log.contains("cause=\"signal\""), "{log}");
    // Nothing is new, and whoever has asked is told so.
    running.signal("HUP");
    let (mut running, _) = running.log_until("the configuration is unchanged cause=\"signal\"");
    folder.write("app.toml", pair(3));
    running.tell("reload");
    running.hears("pair 3");
    let (status, said, log) = running.stop();
    assert_eq!(
        (status.code(), said.contains("@pair")),
        (Some(0), false),
        "{log}"
    );
}

#[test]
fn a_bad_one_is_told_in_log_and_metrics_and_changes_nothing_and_a_good_one_is_live() {
    let folder = Folder::new("live");
    folder.write("app.toml", pair(1));
    let (mut running, address) = running(&folder, &[]);
    folder.write("app.toml", "[pair]\nfirst = 1\nlast = 2\n");
    until_answer(&running, &address, "/metrics", |text| {
        text.contains("perennial_config_reloads_total{result=\"rejected\"} 1")
    });
    folder.write(
        "app.toml",
        format!(
            "{}[logging]\nlevel = \"debug\"\nmax_files = 2\n[shutdown]\ngraceful = \"3s\"\n",
            pair(2)
        ),
    );
    running.hears("pair 2");
    let metrics = until_answer(&running, &address, "/metrics", |text| {
        text.contains("perennial_config_version 2")
    });
    for line in [
        "perennial_config_reloads_total{result=\"changed\"} 1",
        "own_total 7",
        "perennial_log_lines_dropped_total 0",
    ] {
        assert!(
            metrics.lines().any(|shown| shown == line),
            "{line}\n{metrics}"
        );
    }
    assert!(
        metrics.contains("perennial_config_last_success_timestamp_seconds "),
        "{metrics}"
    );
    running.tell("debug");
    let (running, log) = running.log_until("a detail");
    assert!(
        log.contains("app.toml:3:8: `pair.last`: differs from `pair.first`"),
        "{log}"
    );
    assert!(
        log.contains("needs a restart keys=\"logging.max_files\""),
        "{log}"
    );
    let (status, _, log) = running.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    let budget = log.split("reason=SIGTERM budget=").nth(1);
    // What is left of 3 s when the tree hears of it.
    assert!(
        budget.is_some_and(|budget| budget.starts_with("2.") || budget.starts_with("3s")),
        "the shutdown goes by the new ladder: {log}"
    );
}
