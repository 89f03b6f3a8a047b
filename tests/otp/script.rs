//! A script: a tree, and what is done to it, as data that both sides understand.
//!
//! Names are given by [`generate`](crate::generate), which also sees to it that a script makes sense.

use std::fmt::{self, Display};

use perennial::Restart;
use perennial::policy::auto_shutdown::AutoShutdown;
use perennial::policy::restart::Strategy;

/// The path of the root.
pub(crate) const ROOT: &str = "/r";

/// One script. `Display` writes the term that the Erlang side reads.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) root: Branch,
    pub(crate) operations: Vec<Operation>,
}

#[derive(Debug, Clone)]
pub(crate) enum Node {
    Leaf(Leaf),
    Branch(Branch),
}

#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    pub(crate) name: String,
    pub(crate) restart: Restart,
    pub(crate) is_significant: bool,
    pub(crate) stop: Stop,
    pub(crate) on_stop: OnStop,
    pub(crate) kind: Kind,
}

/// A supervisor. The one child of a dynamic supervisor is what every child of it is like.
#[derive(Debug, Clone)]
pub(crate) struct Branch {
    pub(crate) name: String,
    pub(crate) restart: Restart,
    pub(crate) is_significant: bool,
    pub(crate) strategy: Strategy,
    pub(crate) intensity: u32,
    /// In seconds.
    pub(crate) period: u64,
    pub(crate) auto_shutdown: AutoShutdown,
    pub(crate) children: Vec<Node>,
}

/// OTP's `shutdown` of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Brutal,
    Timeout,
    Infinity,
}

/// What a leaf does when it is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnStop {
    Obey,
    /// It ends with an error.
    Fail,
    /// It does not listen.
    Deaf,
}

/// What a leaf is on our side; to Erlang it is all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Task,
    Worker,
    Actor,
}

/// How a leaf ends without its supervisor having asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Normal,
    Shutdown,
    ShutdownWithReason,
    Abnormal,
    KilledFromOutside,
}

impl End {
    /// Says how it reads in a trace.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Normal | Self::Shutdown | Self::ShutdownWithReason => "normal",
            Self::Abnormal => "failed",
            Self::KilledFromOutside => "killed",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Operation {
    /// So many seconds go by.
    Pass(u64),
    End(String, End),
    /// Several children of one supervisor end before it hears of the first.
    Together(String, Vec<(String, End)>),
    /// A child ends, and a command follows before its supervisor has heard of that.
    InARow(String, (String, End), Box<Operation>),
    /// The next so many starts of this leaf fail.
    FailStarts(String, u32),
    Start(String, Node),
    /// Of a dynamic supervisor: another child like its template.
    StartDynamic(String, Node),
    StopDynamic(String, String),
    Stop(String, String),
    Restart(String, String),
    Delete(String, String),
}

impl Node {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Leaf(leaf) => &leaf.name,
            Self::Branch(branch) => &branch.name,
        }
    }

    pub(crate) fn rename(&mut self, to: &str) {
        match self {
            Self::Leaf(leaf) => to.clone_into(&mut leaf.name),
            Self::Branch(branch) => to.clone_into(&mut branch.name),
        }
    }
}

/// Writes a value as an Erlang atom.
fn atom(value: impl fmt::Debug) -> String {
    let mut atom = String::new();
    for letter in format!("{value:?}").chars() {
        if letter.is_uppercase() && !atom.is_empty() {
            atom.push('_');
        }
        atom.extend(letter.to_lowercase());
    }
    atom
}

fn list<T: Display>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(ToString::to_string).collect();
    format!("[{}]", items.join(","))
}

impl Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{},{}}}.", self.root, list(&self.operations))
    }
}

impl Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaf(leaf) => leaf.fmt(f),
            Self::Branch(branch) => branch.fmt(f),
        }
    }
}

impl Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shutdown = match (self.stop, self.on_stop) {
            (Stop::Brutal, _) => "brutal_kill",
            // It will be used up, in real time.
            (Stop::Timeout | Stop::Infinity, OnStop::Deaf) => "2",
            (Stop::Timeout, _) => "60000",
            (Stop::Infinity, _) => "infinity",
        };
        write!(
            f,
            "{{leaf,<<\"{}\">>,{},{},{shutdown},{}}}",
            self.name,
            atom(self.restart),
            self.is_significant,
            atom(self.on_stop)
        )
    }
}

impl Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let strategy = match self.strategy {
            Strategy::Dynamic => "simple_one_for_one".to_owned(),
            other => atom(other),
        };
        write!(
            f,
            "{{sup,<<\"{}\">>,{},{},infinity,{strategy},{},{},{},{}}}",
            self.name,
            atom(self.restart),
            self.is_significant,
            self.intensity,
            self.period,
            atom(self.auto_shutdown),
            list(&self.children)
        )
    }
}

fn strike(path: &str, end: End) -> String {
    let reason = match end {
        End::Normal => "normal",
        End::Shutdown => "shutdown",
        End::ShutdownWithReason => "{shutdown,by_itself}",
        End::Abnormal => "oops",
        End::KilledFromOutside => return format!("{{kill,<<\"{path}\">>}}"),
    };
    format!("{{exit,<<\"{path}\">>,{reason}}}")
}

impl Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut command = |what: &str, supervisor: &str, name: &str| {
            write!(f, "{{{what},<<\"{supervisor}\">>,<<\"{name}\">>}}")
        };
        match self {
            Self::Pass(seconds) => write!(f, "{{pass,{seconds}}}"),
            Self::StartDynamic(below, child) => command("start_dynamic", below, child.name()),
            Self::StopDynamic(below, name) => command("stop_dynamic", below, name),
            Self::Stop(below, name) => command("stop", below, name),
            Self::Restart(below, name) => command("restart", below, name),
            Self::Delete(below, name) => command("delete", below, name),
            Self::Start(below, child) => write!(f, "{{start,<<\"{below}\">>,{child}}}"),
            Self::FailStarts(path, times) => write!(f, "{{fail,<<\"{path}\">>,{times}}}"),
            Self::End(path, end) => f.write_str(&strike(path, *end)),
            Self::InARow(below, (path, end), command) => {
                let strike = strike(path, *end);
                write!(f, "{{in_a_row,<<\"{below}\">>,{strike},{command}}}")
            }
            Self::Together(below, ends) => {
                let strikes: Vec<_> = ends.iter().map(|(path, end)| strike(path, *end)).collect();
                write!(f, "{{together,<<\"{below}\">>,{}}}", list(&strikes))
            }
        }
    }
}
