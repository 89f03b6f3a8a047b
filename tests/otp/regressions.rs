//! Scripts that once told the two apart, as small as they get.
//!
//! A script is written out as it was printed when it failed, but in our words: what Erlang reads is made
//! from that.

use perennial::Restart;
use perennial::policy::auto_shutdown::AutoShutdown;
use perennial::policy::restart::Strategy;

use crate::script::{Branch, End, Kind, Leaf, Node, OnStop, Operation, Script, Stop};
use crate::{agreed, node};

fn leaf(name: &str, restart: Restart) -> Leaf {
    Leaf {
        name: name.to_owned(),
        restart,
        is_significant: false,
        stop: Stop::Timeout,
        on_stop: OnStop::Obey,
        kind: Kind::Task,
    }
}

fn branch(name: &str, strategy: Strategy, children: Vec<Node>) -> Branch {
    Branch {
        name: name.to_owned(),
        restart: Restart::Permanent,
        is_significant: false,
        strategy,
        intensity: 1,
        period: 1_000_000,
        auto_shutdown: AutoShutdown::Never,
        children,
    }
}

fn permanent(name: &str) -> Node {
    Node::Leaf(leaf(name, Restart::Permanent))
}

/// Fails with both traces if they differ; passes without Erlang.
fn agree(root: Branch, operations: Vec<Operation>) {
    if node::is_there() {
        let script = Script { root, operations };
        if let Err(page) = agreed(&script) {
            panic!("OTP on the left, ours on the right:{page}");
        }
    }
}

fn path(path: &str) -> String {
    path.to_owned()
}

#[test]
fn a_child_added_at_run_time_has_its_time_when_its_supervisor_is_stopped_by_hand() {
    let root = branch(
        "r",
        Strategy::OneForOne,
        vec![Node::Branch(branch("s", Strategy::OneForOne, vec![]))],
    );
    agree(
        root,
        vec![
            Operation::Start(path("/r/s"), permanent("l")),
            Operation::Stop(path("/r"), path("s")),
        ],
    );
}

#[test]
fn two_members_of_a_group_that_end_together_are_one_restart() {
    let below = branch("s", Strategy::OneForOne, vec![permanent("l")]);
    let children = vec![permanent("a"), Node::Branch(below), permanent("z")];
    let ends = vec![(path("/r/z"), End::Normal), (path("/r/a"), End::Normal)];
    agree(
        branch("r", Strategy::OneForAll, children),
        vec![Operation::Together(path("/r"), ends)],
    );
}

#[test]
fn a_command_on_an_unknown_child_of_a_supervisor_that_leaves_finds_it_gone() {
    let significant = Leaf {
        is_significant: true,
        ..leaf("a", Restart::Transient)
    };
    let below = Branch {
        auto_shutdown: AutoShutdown::AnySignificant,
        ..branch(
            "s",
            Strategy::OneForOne,
            vec![Node::Leaf(significant), permanent("b")],
        )
    };
    let command = Operation::Stop(path("/r/s"), path("nobody"));
    agree(
        branch("r", Strategy::OneForOne, vec![Node::Branch(below)]),
        vec![Operation::InARow(
            path("/r/s"),
            (path("/r/s/a"), End::Normal),
            Box::new(command),
        )],
    );
}

#[test]
fn a_first_start_that_fails_stops_what_had_started_and_a_restart_is_tried_again() {
    let children = vec![permanent("a"), permanent("b"), permanent("c")];
    for strategy in [
        Strategy::OneForOne,
        Strategy::OneForAll,
        Strategy::RestForOne,
    ] {
        let added = Node::Branch(Branch {
            intensity: 5,
            ..branch("s", strategy, children.clone())
        });
        let operations = vec![
            Operation::FailStarts(path("/r/s/b"), 1),
            Operation::Start(path("/r"), added.clone()),
            Operation::Start(path("/r"), added),
            Operation::FailStarts(path("/r/s/c"), 2),
            Operation::End(path("/r/s/a"), End::KilledFromOutside),
            Operation::End(path("/r/s/c"), End::Abnormal),
        ];
        agree(branch("r", Strategy::OneForOne, vec![]), operations);
    }
}
