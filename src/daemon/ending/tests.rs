//! Which end has which number.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::{DaemonError, DaemonExit};
use crate::exit::{ErrorChain, Exit};
use crate::http::BindError;
use crate::path::Path;
use crate::shutdown::ShutdownReason;
use crate::shutdown::report::{Outcome, StopReport, Stopped};
use crate::tree::StartError;

const GRACEFUL: Duration = Duration::from_secs(5);

fn report(reason: ShutdownReason, exit: Exit, spent: Duration, outcome: Outcome) -> StopReport {
    let root = Stopped {
        path: Path::root("app"),
        allotted: GRACEFUL,
        spent,
        outcome,
        children: Vec::new(),
    };
    StopReport {
        reason,
        exit,
        root,
        guards: Vec::new(),
    }
}

#[test]
fn every_report_has_its_exit_and_every_exit_its_number() {
    let (soon, late) = (Duration::from_secs(1), Duration::from_secs(6));
    let (term, done) = (ShutdownReason::Signal(15), ShutdownReason::Completed);
    let failed = Exit::Failed(ErrorChain::message("no disk"));
    let table = [
        (
            report(term, Exit::Shutdown, soon, Outcome::Stopped),
            DaemonExit::Clean,
            0,
        ),
        (
            report(done, Exit::Normal, Duration::ZERO, Outcome::Stopped),
            DaemonExit::Clean,
            0,
        ),
        (
            report(term, Exit::Shutdown, soon, Outcome::Killed),
            DaemonExit::Clean,
            0,
        ),
        (
            report(term, Exit::Shutdown, late, Outcome::Stopped),
            DaemonExit::Late,
            124,
        ),
        (
            report(term, Exit::Shutdown, soon, Outcome::Hung),
            DaemonExit::Late,
            124,
        ),
        (
            report(
                ShutdownReason::Meltdown,
                Exit::Meltdown,
                late,
                Outcome::Hung,
            ),
            DaemonExit::Meltdown,
            70,
        ),
        (
            report(term, Exit::Meltdown, soon, Outcome::Stopped),
            DaemonExit::Meltdown,
            70,
        ),
        (
            report(
                ShutdownReason::Error,
                failed.clone(),
                soon,
                Outcome::Stopped,
            ),
            DaemonExit::Failed,
            70,
        ),
        (
            report(term, failed, soon, Outcome::Stopped),
            DaemonExit::Failed,
            70,
        ),
    ];
    for (report, exit, number) in table {
        assert_eq!(DaemonExit::of(&report, GRACEFUL), exit, "{report}");
        assert_eq!(exit.exit_code(), number, "{exit}");
    }
    assert_eq!(DaemonExit::Forced(15).exit_code(), 143);
    assert_eq!(DaemonExit::Forced(2).exit_code(), 130);
}

#[test]
fn a_child_that_ends_the_process_by_hanging_ends_it_with_70() {
    let report = report(
        ShutdownReason::Error,
        Exit::Shutdown,
        GRACEFUL,
        Outcome::Hung,
    );
    assert_eq!(DaemonExit::of(&report, GRACEFUL), DaemonExit::Failed);
    assert_eq!(DaemonExit::Failed.exit_code(), 70);
}

#[test]
fn every_error_has_its_number() {
    let address = SocketAddr::from(([0, 0, 0, 0], 9600));
    let source = io::Error::from(io::ErrorKind::AddrInUse);
    let table = [
        (DaemonError::NoTree, 64),
        (DaemonError::InsideRuntime, 70),
        (DaemonError::OutsideRuntime, 70),
        (DaemonError::Start(StartError::ShutDown), 70),
        (DaemonError::Http(BindError::NotLoopback { address }), 78),
        (DaemonError::Http(BindError::Listen { address, source }), 70),
    ];
    for (error, number) in table {
        assert_eq!(error.exit_code(), number, "{error}");
    }
}
