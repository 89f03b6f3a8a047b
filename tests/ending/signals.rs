//! What signals do at every moment of a process's life.

use crate::process::Daemon;

/// So long that no test gets there.
const NEVER: u32 = 600_000;

/// The steps of a daemon that is to be ended by signals alone.
const LONG: [u32; 3] = [400_000, 500_000, NEVER];

#[test]
fn a_signal_while_a_child_starts_stops_the_start_cleanly() {
    let daemon = Daemon::start("slow-step", LONG).serves_and_says("up");
    let end = daemon.end_by("TERM");
    end.is(
        0,
        400_000,
        &["shutdown (SIGTERM): root", "app: ended in time"],
    );
}

#[test]
fn a_signal_while_the_tree_is_made_ends_the_process_before_the_tree_begins() {
    let mut daemon = Daemon::start("slow-make", LONG);
    daemon.hears("making");
    daemon.signal("TERM");
    daemon.tell("go on");
    let end = daemon.end();
    end.is(
        0,
        400_000,
        &["shutdown (SIGTERM): root", "app: ended in time"],
    );
}

#[test]
fn a_start_that_never_ends_is_killed_and_named() {
    // Nothing is configured yet, so the default holds: 10 s.
    let mut daemon = Daemon::start("slow-make", LONG);
    daemon.hears("making");
    let end = daemon.end_by("TERM");
    end.is(124, 60_000, &["the tree was being made"]);
}

#[test]
fn a_second_signal_forces_the_end_and_names_what_hangs() {
    let daemon = Daemon::start("blocks", LONG).serves_and_says("up");
    daemon.signal("TERM");
    daemon.until("/readyz", |answer| {
        answer.contains("\"shutting_down\":true")
    });
    let end = daemon.end_by("INT");
    end.is(130, 400_000, &["blocks hung", "app: forced"]);
}

#[test]
fn a_second_signal_is_the_code_although_there_is_little_time_to_say_so() {
    let daemon = Daemon::start("blocks", [400_000, 500_000, 500_100]).serves_and_says("up");
    daemon.signal("TERM");
    daemon.until("/readyz", |answer| {
        answer.contains("\"shutting_down\":true")
    });
    daemon.end_by("INT").is(130, 400_000, &["blocks"]);
}

#[test]
fn a_second_signal_ends_a_drain_as_well() {
    let set = &["shutdown.drain_delay=\"300s\""];
    let daemon = Daemon::start_with("idle", LONG, set, &[]).serves_and_says("up");
    daemon.until("/readyz", |answer| answer.starts_with("HTTP/1.1 200"));
    daemon.signal("TERM");
    daemon.until("/readyz", |answer| answer.starts_with("HTTP/1.1 503"));
    daemon.end_by("INT").is(130, 300_000, &["app: forced"]);
}

#[test]
fn a_third_signal_ends_the_process_at_once_whatever_its_threads_do() {
    let daemon = Daemon::start("conductor", LONG).serves_and_says("up");
    let end = daemon.signal_until_end("TERM");
    end.is(143, 400_000, &["app: killed"]);
}

#[test]
fn a_sigterm_on_top_of_another_signal_forces_the_end_as_well() {
    let daemon = Daemon::start("blocks", LONG).serves_and_says("up");
    daemon.signal("INT");
    daemon.until("/readyz", |answer| {
        answer.contains("\"shutting_down\":true")
    });
    let end = daemon.end_by("TERM");
    end.is(143, 400_000, &["blocks hung", "app: forced"]);
}

#[test]
fn every_signal_counts_although_all_threads_of_the_tree_are_blocked() {
    let set = &["runtime.worker_threads=2"];
    let mut daemon = Daemon::start_with("blocks-on-order", LONG, set, &[]).serves_and_says("up");
    daemon.until("/livez", |answer| answer.starts_with("HTTP/1.1 200"));
    daemon.tell("block");
    daemon.until("/livez", |answer| answer.starts_with("HTTP/1.1 503"));
    let end = daemon.signal_until_end("TERM");
    end.is(143, 400_000, &["/app/blocks0"]);
}

#[test]
fn a_signal_can_be_given_another_meaning_or_none() {
    let mut daemon = Daemon::start("idle", LONG).serves_and_says("up");
    daemon.signal("QUIT");
    daemon.signal("USR2");
    daemon.hears("SIGUSR2");
    daemon
        .end_by("INT")
        .is(0, 400_000, &["shutdown (SIGINT): root"]);
}

#[test]
fn the_configuration_has_the_last_word_on_what_a_signal_means() {
    let set = &[
        "signals.hup=\"shutdown\"",
        "signals.int=\"ignore\"",
        "signals.term=\"default\"",
    ];
    let start = || Daemon::start_with("idle", LONG, set, &[]).serves_and_says("up");
    let daemon = start();
    daemon.signal("INT");
    daemon
        .end_by("HUP")
        .is(0, 400_000, &["shutdown (SIGHUP): root"]);
    let end = start().end_by("TERM");
    assert_eq!(end.code, None, "the system does what it does: {}", end.log);
}
