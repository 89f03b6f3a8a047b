//! The daemon's refusals; what it does with a process is tested from outside.

use super::{Daemon, DaemonError};
use crate::supervisor::Supervisor;

#[test]
fn a_daemon_without_a_tree_is_a_usage_error() {
    let error = Daemon::new("empty")
        .without_http()
        .run_report()
        .expect_err("there is no tree");
    assert!(matches!(error, DaemonError::NoTree));
}

#[tokio::test]
async fn run_inside_a_runtime_names_what_to_call() {
    let daemon = Daemon::new("nested")
        .tree(Supervisor::one_for_one("app"))
        .without_http();
    let error = daemon.run_report().expect_err("a runtime runs here");
    assert!(matches!(error, DaemonError::InsideRuntime));
    let text = error.to_string();
    assert!(
        text.contains("Daemon::run_async") && text.contains("Supervisor::start"),
        "{text}"
    );
}

#[test]
fn an_address_beyond_loopback_stops_the_daemon_before_its_tree() {
    let address = std::net::SocketAddr::from(([0, 0, 0, 0], 0));
    let daemon = Daemon::new("open")
        .tree(Supervisor::one_for_one("app"))
        .http(address);
    let error = daemon.run_report().expect_err("it is not loopback");
    assert_eq!((error.code(), error.exit_code()), ("config_invalid", 78));
}
