//! Prints a random case so that a person can read it: one line for each node, with what is not the
//! default.

use std::fmt;

use perennial::policy::auto_shutdown::AutoShutdown;
use perennial::policy::stop::Stop;

use crate::shape::{Branch, Case, End, Leaf, Life, Limits, Pause, Shape, Start};

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            lives_for,
            budget,
            second,
            seed,
            ..
        } = self;
        writeln!(
            f,
            "lives for {lives_for} ms, budget {budget} ms, second shutdown {second:?}, seed {seed}"
        )?;
        for (at, action) in &self.script {
            writeln!(f, "  at {at} ms: {action:?}")?;
        }
        print(f, "/app", 1, &Shape::Branch(self.root.clone()))
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(f, "it", 1, self)
    }
}

/// Prints one line for each node.
fn print(f: &mut fmt::Formatter<'_>, name: &str, depth: usize, shape: &Shape) -> fmt::Result {
    let indent = "  ".repeat(depth);
    match shape {
        Shape::Leaf(leaf) => writeln!(f, "{indent}{name}: {leaf:?}"),
        Shape::Branch(branch) => {
            writeln!(f, "{indent}{name}: {branch:?}")?;
            let children = branch.children.iter().enumerate();
            children
                .into_iter()
                .try_for_each(|(index, child)| print(f, &format!("c{index}"), depth + 1, child))
        }
    }
}

/// Writes a value unless it is what a node has that says nothing of it.
fn unless<T: PartialEq + fmt::Debug>(default: &T, name: &str, value: &T) -> String {
    match value == default {
        true => String::new(),
        false => format!(", {name} {value:?}"),
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let notable = [
            unless(&None, "restart", &self.restart),
            unless(&false, "significant", &self.is_significant),
            unless(&Start::AtOnce, "start", &self.start),
            unless(&Life::Forever, "life", &self.life),
            unless(&End::AtOnce, "end", &self.end),
            unless(&0, "lingers", &self.lingers),
            unless(&0, "queued", &self.queued),
            unless(&Stop::Ask, "stop", &self.stop),
            unless(&None, "stop timeout", &self.stop_timeout),
            unless(&None, "reserve", &self.stop_reserve),
            unless(&Limits::default(), "limits", &self.limits),
        ];
        write!(f, "{:?}{}", self.kind, notable.concat())
    }
}

impl fmt::Debug for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let notable = [
            unless(&None, "intensity", &self.intensity),
            unless(&None, "on limit", &self.on_limit),
            unless(&AutoShutdown::Never, "auto-shutdown", &self.auto_shutdown),
            unless(&Pause::None, "backoff", &self.pause),
            unless(&None, "restart", &self.restart),
            unless(&Limits::default(), "own limits", &self.limits),
            unless(&None, "stop timeout", &self.stop_timeout),
        ];
        write!(f, "{:?}{}", self.strategy, notable.concat())
    }
}
