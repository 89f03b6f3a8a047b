//! Every fault in every hook, in every phase of a child's life.
//!
//! The table in `table.rs` says what is to happen; a test for each hook runs its cells. Where a cell
//! can do without threads it runs under the paused clock and its times are exact; where a thread is
//! really blocked the only time that is looked at is the budget of the shutdown. Whatever the fault:
//! the supervisors answer while it is on, the siblings live on, and the stop names as hung exactly
//! what blocks its thread.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, its helpers too"
)]

mod apart;
mod cell;
mod expected;
mod gate;
mod hung;
mod odd;
mod runner;
mod site;
mod storm;
mod subject;
mod table;
mod watch;

use cell::Hook;
use runner::{check, check_the_table};

#[test]
fn every_fault_of_every_hook_stands_in_the_table_once() {
    check_the_table();
}

#[test]
fn a_fault_in_the_factory_of_an_actor() {
    check(Hook::ActorFactory);
}

#[test]
fn a_fault_in_the_factory_of_a_task() {
    check(Hook::TaskFactory);
}

#[test]
fn a_fault_in_pre_start() {
    check(Hook::PreStart);
}

#[test]
fn a_fault_in_post_start() {
    check(Hook::PostStart);
}

#[test]
fn a_fault_in_handle() {
    check(Hook::Handle);
}

#[test]
fn a_fault_in_handle_supervisor_evt() {
    check(Hook::HandleSupervisorEvt);
}

#[test]
fn a_fault_in_post_stop() {
    check(Hook::PostStop);
}

#[test]
fn a_fault_in_the_body_of_a_worker() {
    check(Hook::WorkerBody);
}

#[test]
fn a_fault_in_the_body_of_a_task() {
    check(Hook::TaskBody);
}

#[test]
fn a_fault_in_the_body_of_a_step() {
    check(Hook::StepBody);
}

#[test]
fn a_fault_in_the_body_of_a_thread() {
    check(Hook::BlockingBody);
}

#[test]
fn a_fault_in_a_subtask_of_a_task() {
    check(Hook::TaskSubtask);
}

#[test]
fn a_fault_in_a_subtask_of_an_actor() {
    check(Hook::ActorSubtask);
}

#[test]
fn a_fault_in_the_drop_of_an_actor() {
    check(Hook::ActorState);
}

#[test]
fn a_fault_in_the_drop_of_what_a_task_holds() {
    check(Hook::TaskState);
}
