//! Claims on a log that begins in a program which has a logger or a subscriber of its own already, though
//! not for the whole process.
//!
//! A binary of its own: both are set once in a process.
#![cfg(feature = "logging")]
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use perennial::logging::{FileOptions, LoggingError, Options};
use tracing::subscriber::NoSubscriber;
use tracing_log::log;

/// What a program that uses `env_logger` has.
struct OwnLogger;

impl log::Log for OwnLogger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, _: &log::Record<'_>) {}

    fn flush(&self) {}
}

#[test]
fn a_logger_and_a_subscriber_of_one_thread_do_not_stand_in_the_way_and_one_of_the_process_does() {
    log::set_logger(&OwnLogger).expect("nobody was first");
    let of_this_thread = tracing::subscriber::set_default(NoSubscriber::default());
    let name = format!("perennial-tests-own-logger-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).expect("it can be made");
    let file = folder.join("app.log");
    let options = || Options::new().file(FileOptions::new(&file));
    let logging = options().install().expect("there is none of the process");
    drop(of_this_thread);
    tracing::info!("heard");
    assert!(logging.flush(Duration::from_secs(30)));
    let written = std::fs::read_to_string(&file).expect("it is there");
    assert!(written.contains("heard"), "{written}");
    let again = options().install();
    assert!(matches!(again, Err(LoggingError::AlreadySet)), "{again:?}");
    drop(std::fs::remove_dir_all(&folder));
}
