//! What the process uses, as metrics and against limits.

use crate::folder::Folder;
use crate::harness::{Running, until_answer};

#[test]
fn what_the_process_uses_is_measured() {
    let folder = Folder::new("measured");
    let mut running = Running::start(&folder, &[]);
    let address = running.hears_of("http");
    let metrics = until_answer(&running, &address, "/metrics", |text| {
        text.contains("process_max_fds")
    });
    for name in [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_threads",
        "process_open_fds",
        "process_start_time_seconds",
    ] {
        let value = metrics
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name} ")));
        let value: f64 = value.expect(name).parse().expect("a number");
        assert!(
            value > 0.0 || name == "process_cpu_seconds_total",
            "{name} {value}"
        );
    }
    assert!(
        metrics.contains("# TYPE process_cpu_seconds_total counter"),
        "{metrics}"
    );
}

#[test]
fn a_soft_limit_is_told_of_once_and_a_hard_one_that_is_set_later_ends_the_process_with_70() {
    let folder = Folder::new("limits");
    folder.write(
        "app.toml",
        "[monitoring]\nsample_interval_ms = 10\nlimits.soft_threads = 1\n",
    );
    let mut running = Running::start(&folder, &[]);
    let address = running.hears_of("http");
    running.hears("limit threads false");
    until_answer(&running, &address, "/metrics", |text| {
        text.contains("perennial_limits_reached_total{limit=\"soft\",resource=\"threads\"} 1")
    });
    folder.replace(
        "app.toml",
        "[monitoring.limits]\nhard_memory_bytes = 1000\n",
    );
    let (status, said, log) = running.end();
    assert_eq!(status.code(), Some(70), "{log}");
    assert!(
        said.contains("@limit memory true") && !said.contains("threads"),
        "{said}"
    );
    assert!(log.contains("shutdown (resource exhausted)"), "{log}");
    assert!(log.contains("the hard limit is 1000 bytes"), "{log}");
}

#[test]
fn a_new_version_judges_what_is_known_and_takes_no_sample() {
    let folder = Folder::new("rejudged");
    let begin = "[monitoring]\nsample_interval = \"1h\"\n";
    folder.write("app.toml", begin);
    let mut running = Running::start(&folder, &[]);
    let address = running.hears_of("http");
    let used = |text: &str| {
        let mut lines = text.lines();
        lines.find_map(|line| {
            line.strip_prefix("process_cpu_seconds_total ")
                .map(str::to_owned)
        })
    };
    let metrics = until_answer(&running, &address, "/metrics", |text| {
        text.contains("process_max_fds")
    });
    let before = used(&metrics);
    // More than the clock of the CPU time counts in, so that another sample would differ.
    for _ in 0..200 {
        running.get(&address, "/metrics");
    }
    folder.replace("app.toml", format!("{begin}limits.soft_threads = 1\n"));
    running.hears("limit threads false");
    assert_eq!(used(&running.get(&address, "/metrics")), before);
    assert_eq!(running.stop().0.code(), Some(0));
}
