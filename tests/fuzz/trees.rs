//! Bytes as the choices that make a declared tree and a script for it, which the library and its model
//! must answer alike: see the tests of the model, which draw their scripts from seeds.
//!
//! A byte is a choice among a few; where they end, each choice is the first. Small changes of the bytes
//! are small changes of the script, which is what a fuzzer lives on.

use std::sync::Once;

use crate::compare;
use crate::script::{
    ADDED, Ask, Auto, Body, End, Limit, Millis, OnLimit, Op, Policy, Restart, Script, Settings,
    Shape, Spec, Starting, Stopping, Wait, fit_tree,
};

/// How many operations a script has at most.
const OPERATIONS: usize = 60;
/// How deep supervisors stand in each other at most.
const DEPTH: usize = 4;
/// How many nodes a tree has at most.
const NODES: usize = 24;

pub fn check(bytes: &[u8]) {
    static QUIET: Once = Once::new();
    QUIET.call_once(compare::keep_quiet_about_what_was_told);
    let script = Choices(bytes).script();
    if let (Some(what), _) = compare::difference(&script) {
        panic!("{}\nthe two differ at {what}", script.print());
    }
}

/// What is left of the bytes.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let (byte, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *byte
    }

    fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count
    }

    fn of<T: Copy, const N: usize>(&mut self, values: [T; N]) -> T {
        values[self.below(N)]
    }

    /// A time from `first` on, the more the larger.
    fn millis(&mut self, first: Millis) -> Millis {
        let byte = Millis::from(self.byte());
        first + byte * byte / 16
    }

    fn script(&mut self) -> Script {
        let settings = self.settings(0, &mut 1);
        let mut root = Spec {
            name: String::new(),
            policy: self.policy(),
            body: Body::Supervisor(settings),
        };
        fit_tree(&mut root, "r".into());
        let mut ops = Vec::new();
        while !self.0.is_empty() && ops.len() < OPERATIONS {
            ops.push(self.op());
        }
        Script { root, ops }
    }

    fn settings(&mut self, depth: usize, nodes: &mut usize) -> Settings {
        let shapes = [
            Shape::OneForOne,
            Shape::OneForAll,
            Shape::RestForOne,
            Shape::Dynamic,
        ];
        let shape = self.of(shapes);
        let mut children = Vec::new();
        for _ in 0..self.below(5) {
            if *nodes < NODES {
                *nodes += 1;
                children.push(self.spec(depth + 1, nodes));
            }
        }
        Settings {
            shape,
            intensity: self.limit(),
            on_limit: self.on_limit().unwrap_or(OnLimit::Escalate),
            auto: self.of([Auto::Never, Auto::Any, Auto::All]),
            children,
        }
    }

    fn spec(&mut self, depth: usize, nodes: &mut usize) -> Spec {
        let body = if depth < DEPTH && self.below(3) == 2 {
            Body::Supervisor(self.settings(depth, nodes))
        } else {
            Body::Leaf(self.stopping())
        };
        Spec {
            name: String::new(),
            policy: self.policy(),
            body,
        }
    }

    fn policy(&mut self) -> Policy {
        Policy {
            restart: self.of([Restart::Permanent, Restart::Transient, Restart::Temporary]),
            wait: match self.below(3) {
                0 => Wait::None,
                1 => Wait::Fixed(self.millis(1)),
                _ => Wait::Growing(self.millis(1).min(300), self.millis(300)),
            },
            attempts: self.of([None, None, None, Some(1), Some(2)]),
            limit: self.limit(),
            on_limit: self.on_limit(),
            significant: self.below(2) == 1,
        }
    }

    fn limit(&mut self) -> Option<Limit> {
        let restarts = self.of([None, None, Some(0), Some(1), Some(2), Some(3)])?;
        let period = self.of([997, 10_007, 60_013]);
        Some(Limit { restarts, period })
    }

    fn on_limit(&mut self) -> Option<OnLimit> {
        let given = [OnLimit::Escalate, OnLimit::Quarantine, OnLimit::Throttle].map(Some);
        self.of([None, given[0], given[1], given[2]])
    }

    fn stopping(&mut self) -> Stopping {
        match self.below(5) {
            0 | 1 => Stopping::AtOnce,
            2 => Stopping::Badly,
            3 => Stopping::Takes(self.millis(1).min(1_500)),
            _ => Stopping::Deaf,
        }
    }

    fn op(&mut self) -> Op {
        let what = self.below(16);
        match what {
            0..=4 => {
                let ends = [End::Fails, End::Fails, End::Normal, End::Panics];
                Op::Exit(self.node(), self.of(ends))
            }
            5 | 6 => {
                let starts = (0..=self.below(3)).map(|_| self.starting()).collect();
                Op::Next(self.node(), starts)
            }
            7..=9 => {
                let asks = [Ask::Stop, Ask::Restart, Ask::Delete, Ask::Release];
                Op::Ask(self.node(), self.of(asks))
            }
            10 => {
                let name = self.below(ADDED.len());
                Op::Add(self.node(), name, self.policy(), self.stopping())
            }
            11..=13 => Op::Wait(self.millis(1)),
            14 => Op::Wait(self.millis(1) * 20),
            _ if self.below(4) == 3 => Op::Shutdown,
            _ => Op::Wait(1),
        }
    }

    fn node(&mut self) -> usize {
        usize::from(self.byte())
    }

    fn starting(&mut self) -> Starting {
        match self.below(4) {
            0 => Starting::Fails,
            1 => Starting::AtOnce,
            2 => Starting::Takes(self.millis(1).min(900)),
            _ => Starting::Never,
        }
    }
}
