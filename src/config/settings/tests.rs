//! The daemon's own sections: every key has a place in the list of what can be changed live, and
//! combinations that can't be are refused.

use std::time::Duration;

use super::{SECTIONS, Settings, needs_restart};
use crate::config::document::Table;

#[test]
fn the_sections_are_those_of_the_struct() {
    let written = toml::Value::try_from(Settings::default()).expect("it can be written");
    let written: Vec<String> = written
        .as_table()
        .expect("a table")
        .keys()
        .cloned()
        .collect();
    assert_eq!(written, SECTIONS);
}

#[test]
fn the_defaults_do_not_contradict_each_other_and_are_those_of_the_earlier_system() {
    let settings = Settings::default();
    assert_eq!(settings.contradictions(), []);
    assert!(settings.validate().is_ok());
    let shutdown = &settings.shutdown;
    let ladder = [shutdown.graceful, shutdown.force(), shutdown.kill()];
    assert_eq!(ladder, [5, 10, 15].map(Duration::from_secs));
    assert_eq!(settings.logging.max_file_size_bytes, 104_857_600);
    assert_eq!(settings.logging.max_files, 5);
    assert_eq!(settings.monitoring.health_interval, Duration::from_secs(5));
}

#[test]
fn a_contradiction_names_the_key_to_blame() {
    for (text, key) in [
        ("shutdown.force = \"5s\"", "shutdown.force"),
        ("shutdown.kill = \"1s\"", "shutdown.kill"),
        (
            "shutdown = { graceful_ms = 20000, force = \"1s\" }",
            "shutdown.force",
        ),
        ("logging.max_files = 0", "logging.max_files"),
        ("http.listen = \"0.0.0.0:80\"", "http.listen"),
        ("runtime.nice = 20", "runtime.nice"),
        ("runtime.thread_name = \"a\\u0000b\"", "runtime.thread_name"),
        ("bus.capacity = 0", "bus.capacity"),
        (
            "monitoring.sample_interval = \"1ns\"",
            "monitoring.sample_interval",
        ),
        (
            "monitoring.health_interval = \"9ms\"",
            "monitoring.health_interval",
        ),
        (
            "monitoring.liveness_timeout = \"1ms\"",
            "monitoring.liveness_timeout",
        ),
        (
            "monitoring.liveness_timeout = \"0s\"",
            "monitoring.liveness_timeout",
        ),
        ("logging.max_file_age = \"1ns\"", "logging.max_file_age"),
        (
            "monitoring.limits = { soft_threads = 5, hard_threads = 5 }",
            "monitoring.limits.hard_threads",
        ),
        (
            "monitoring.limits.hard_memory_bytes = 0",
            "monitoring.limits.hard_memory_bytes",
        ),
        (
            "monitoring.limits.hard_cpu_percent = nan",
            "monitoring.limits.hard_cpu_percent",
        ),
    ] {
        let mut table =
            crate::config::document::parse("a.toml".as_ref(), text.into()).expect("TOML");
        super::unify_durations(&mut table).expect("no mistake in the durations");
        let (settings, _) =
            crate::config::reader::read::<Settings>(&table, &[]).expect("the types fit");
        let found = settings.contradictions();
        assert_eq!(
            found.iter().map(|(key, _)| *key).collect::<Vec<_>>(),
            [key],
            "{text}"
        );
        let refused = settings.validate().expect_err("it can't be used");
        assert_eq!(refused.problems()[0].key, key, "{text}");
    }
}

#[test]
fn milliseconds_are_another_way_to_write_a_duration() {
    for (text, is_well) in [
        ("shutdown.graceful_ms = 100", true),
        ("shutdown.graceful_ms = -1", false),
        ("shutdown.graceful_ms = \"5s\"", false),
        (
            "shutdown = { graceful = \"5s\", graceful_ms = 5000 }",
            false,
        ),
    ] {
        let mut table: Table =
            crate::config::document::parse("a.toml".as_ref(), text.into()).expect("TOML");
        let unified = super::unify_durations(&mut table);
        assert_eq!(unified.is_ok(), is_well, "{text}");
        if is_well {
            let (settings, _) =
                crate::config::reader::read::<Settings>(&table, &[]).expect("it fits");
            assert_eq!(settings.shutdown.graceful, Duration::from_millis(100));
        }
    }
}

#[test]
fn what_is_not_live_needs_a_restart_and_the_program_s_own_keys_are_its_own() {
    for (key, expected) in [
        ("logging.level", false),
        ("logging.format", true),
        ("shutdown.graceful", false),
        ("monitoring.limits.soft_threads", false),
        ("runtime.worker_threads", true),
        ("signals.hup", true),
        ("store.path", false),
    ] {
        assert_eq!(needs_restart(key), expected, "{key}");
    }
}
