//! Whatever the tree does, the process is gone before the next instant of its ladder.

use crate::process::Daemon;

/// So long that no test gets there: what comes after it did not happen.
const NEVER: u32 = 600_000;

#[test]
fn a_clean_stop_ends_before_graceful_with_0() {
    let daemon = Daemon::start("idle", [60_000, NEVER, 2 * NEVER]).serves_and_says("up");
    let end = daemon.end_by("TERM");
    end.is(
        0,
        60_000,
        &["/app stopped", "idle stopped", "app: ended in time"],
    );
}

#[test]
fn the_program_is_given_the_report_and_the_last_metrics() {
    let mut daemon = Daemon::start("idle", [60_000, NEVER, 2 * NEVER]).serves_and_says("up");
    daemon.signal("TERM");
    daemon.hears("ended 2 true");
    daemon.end().is(0, 60_000, &["app: ended in time"]);
}

#[test]
fn with_every_thread_blocked_liveness_fails_and_readiness_does_not_lie() {
    let set = &["runtime.worker_threads=2"];
    let mut daemon = Daemon::start_with("blocks-on-order", [100, 200, NEVER], set, &[]);
    daemon = daemon.serves_and_says("up");
    daemon.until("/livez", |answer| answer.starts_with("HTTP/1.1 200"));
    daemon.tell("block");
    daemon.until("/livez", |answer| answer.starts_with("HTTP/1.1 503"));
    daemon.end_by("TERM").is(124, NEVER, &["blocks0 hung"]);
}

#[test]
fn a_child_that_ignores_the_stop_is_killed_before_force() {
    let daemon = Daemon::start("ignores", [500, 60_000, NEVER]).serves_and_says("up");
    daemon.end_by("TERM").is(0, 60_000, &["ignores killed"]);
}

#[test]
fn a_child_that_blocks_its_thread_for_ever_is_given_up_on_before_kill() {
    let daemon = Daemon::start("blocks", [300, 600, 60_000]).serves_and_says("up");
    let end = daemon.end_by("TERM");
    end.is(
        124,
        60_000,
        &["blocks hung", "app: the tree did not end in time"],
    );
}

#[test]
fn a_start_that_fails_ends_the_process_although_every_thread_is_blocked() {
    let set = &["runtime.worker_threads=1"];
    let daemon = Daemon::start_with("fails-and-blocks", [300, 600, NEVER], set, &[]);
    daemon
        .end()
        .is(70, NEVER, &["/app/blocks-at-the-end", "still alive"]);
}

#[test]
fn what_cannot_be_killed_has_until_force_to_end_by_itself() {
    let mut daemon = Daemon::start("blocks-a-while", [300, NEVER, 2 * NEVER]).serves_and_says("up");
    daemon.signal("TERM");
    daemon.until("/tree", |answer| answer.contains("\"state\":\"hung\""));
    daemon.tell("go on");
    daemon.end().is(124, NEVER, &["blocks-a-while hung"]);
}

#[test]
fn a_blocking_call_that_never_ends_does_not_hold_the_process() {
    let daemon = Daemon::start("blocking", [300, 60_000, NEVER]).serves_and_says("up");
    daemon.end_by("TERM").is(0, 60_000, &["blocking killed"]);
}

#[test]
fn with_every_thread_blocked_the_daemon_gives_up_before_kill() {
    let set = &["runtime.worker_threads=2"];
    let daemon = Daemon::start_with("all-blocked", [300, 600, 60_000], set, &[]);
    let end = daemon.serves_and_says("up").end_by("TERM");
    end.is(124, 60_000, &["blocks0 hung", "blocks7 hung"]);
}

#[test]
fn a_conductor_that_is_blocked_itself_is_killed_and_says_so() {
    let daemon = Daemon::start("conductor", [100, 200, 1_000]).serves_and_says("up");
    daemon.end_by("TERM").is(124, 60_000, &["app: killed"]);
}

#[test]
fn work_outside_of_the_tree_that_keeps_its_guard_is_named() {
    let daemon = Daemon::start("guarded", [300, 60_000, NEVER]).serves_and_says("up");
    let end = daemon.end_by("TERM");
    end.is(
        124,
        60_000,
        &["idle stopped", "guard \"upload\": still held"],
    );
}

#[test]
fn a_thread_of_the_program_can_ask_for_the_end() {
    let mut daemon = Daemon::start("asks", [60_000, NEVER, 2 * NEVER]).serves_and_says("up");
    daemon.tell("end");
    daemon.end().is(0, 60_000, &["shutdown (requested): root"]);
}

#[test]
fn a_panic_in_post_stop_is_named_and_ends_nothing_else() {
    let daemon = Daemon::start("panics", [60_000, NEVER, 2 * NEVER]).serves_and_says("up");
    let end = daemon.end_by("TERM");
    end.is(
        0,
        60_000,
        &["panics cleanup_failed: panicked:", "idle stopped"],
    );
}

#[test]
fn a_restart_storm_does_not_delay_the_end() {
    let daemon = Daemon::start("crashes", [30_000, 60_000, NEVER]).serves_and_says("up");
    daemon.end_by("TERM").is(0, 30_000, &["/app stopped"]);
}

#[test]
fn a_stderr_that_nobody_reads_holds_nothing_and_changes_no_code() {
    let mut daemon = Daemon::start("noisy", [30_000, 60_000, 90_000]);
    daemon.log_is_full();
    let end = daemon.end_unread_by("TERM");
    // Nothing that was logged before is lost but what there was no room for, and that is counted.
    end.is(0, 90_000, &["line 0"]);
}

#[test]
fn a_process_that_was_stopped_in_the_middle_ends_when_it_goes_on() {
    let daemon = Daemon::start("ignores", [300, 60_000, NEVER]).serves_and_says("up");
    daemon.signal("TERM");
    daemon.until("/readyz", |answer| {
        answer.contains("\"shutting_down\":true")
    });
    daemon.signal("STOP");
    // Past `graceful`: the deadline is over when it goes on.
    std::thread::park_timeout(std::time::Duration::from_millis(500));
    // Late, and no later than that.
    daemon.end_by("CONT").is(124, 60_000, &["ignores killed"]);
}

#[test]
fn in_a_drain_longer_than_graceful_the_tree_serves_and_the_probe_says_503() {
    let set = &["shutdown.drain_delay=\"1s\""];
    let mut daemon =
        Daemon::start_with("serves", [500, 60_000, NEVER], set, &[]).serves_and_says("up");
    daemon.until("/readyz", |answer| answer.starts_with("HTTP/1.1 200"));
    let began = tokio::time::Instant::now();
    daemon.signal("TERM");
    daemon.until("/readyz", |answer| answer.starts_with("HTTP/1.1 503"));
    assert!(daemon.get("/livez").starts_with("HTTP/1.1 200"));
    daemon.hears("stopping");
    assert!(began.elapsed() >= std::time::Duration::from_secs(1));
    daemon.end().is(0, 60_000, &["serves stopped"]);
}

#[test]
fn a_reload_changes_the_ladder_of_the_next_shutdown() {
    let file = std::env::temp_dir().join(format!("perennial-ladder-{}.toml", std::process::id()));
    let steps = |graceful: &str| {
        format!("[shutdown]\ngraceful = \"{graceful}\"\nforce = \"500s\"\nkill = \"600s\"\n")
    };
    std::fs::write(&file, steps("400s")).expect("it can be written");
    let variables = [("PERENNIAL_TEST_ENDING_FILE", file.to_str().expect("text"))];
    let mut daemon = Daemon::start_with("reloaded", [400_000, 500_000, 600_000], &[], &variables);
    daemon = daemon.serves_and_says("up");
    std::fs::write(&file, steps("300ms")).expect("it can be written");
    daemon.signal("HUP");
    daemon.hears("graceful 300ms");
    let end = daemon.end_by("TERM");
    std::fs::remove_file(&file).expect("it is there");
    end.is(0, 400_000, &["ignores killed"]);
}
