//! Scripts out of nothing, such that both sides can be expected to agree on them.
//!
//! What is switched off here, with the reason, stands in `docs/otp.md`:
//!
//! - a transient supervisor never melts down: our meltdown is abnormal, OTP's is not;
//! - several ends at once and failing starts are never in the same script, nor are actors in the former:
//!   OTP is blocked while it starts a child, and we hear of the next end;
//! - several ends at once below a `rest_for_one` come in start order, for the same reason;
//! - `restart_child` and `delete_child` are not asked of a dynamic supervisor, where OTP refuses them,
//!   nor right after an end: there, ours has not started the child yet.

use perennial::Restart;
use perennial::policy::auto_shutdown::AutoShutdown;
use perennial::policy::restart::Strategy as Restarts;
use proptest::collection::vec;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};
use proptest::sample::Index;

use crate::script::{Branch, End, Kind, Leaf, Node, OnStop, Operation, ROOT, Script, Stop};

/// An operation before it is known which nodes there are.
#[derive(Debug, Clone)]
enum Draft {
    End(Index, End),
    Together(Index, Vec<(Index, End)>),
    /// Who ends, how, and what is asked for right after that.
    InARow(Index, End, Box<Draft>),
    FailStarts(Index, u32),
    Pass,
    /// Where, what, the name of which other, and how often what below it fails at first.
    Start(Index, Box<Node>, Option<Index>, Option<(Index, u32)>),
    Stop(Index),
    Restart(Index),
    Delete(Index),
}

/// How many operations a script has at most.
const MOST_OPERATIONS: usize = 60;
/// A script takes less than the first by itself, and more than each when it lets time pass often enough.
/// No sum of what passes comes near one of them: OTP counts whole seconds, and a script takes some.
const PERIODS: [u64; 2] = [100_000, 1_000_000];
/// How long nothing happens.
const PASSES: u64 = 400_000;
/// An intensity that no script reaches.
const NEVER: u32 = 100_000;

fn restart() -> impl Strategy<Value = Restart> {
    prop_oneof![
        3 => Just(Restart::Permanent),
        2 => Just(Restart::Transient),
        1 => Just(Restart::Temporary),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        2 => Just(End::Normal),
        1 => Just(End::Shutdown),
        1 => Just(End::ShutdownWithReason),
        3 => Just(End::Abnormal),
        2 => Just(End::KilledFromOutside),
    ]
}

fn leaf() -> impl Strategy<Value = Node> {
    let stop = prop_oneof![
        1 => Just(Stop::Brutal),
        4 => Just(Stop::Timeout),
        1 => Just(Stop::Infinity),
    ];
    let on_stop = prop_oneof![
        12 => Just(OnStop::Obey),
        2 => Just(OnStop::Fail),
        1 => Just(OnStop::Deaf),
    ];
    let kind = prop_oneof![Just(Kind::Task), Just(Kind::Worker), Just(Kind::Actor)];
    let parts = (restart(), any::<bool>(), stop, on_stop, kind);
    parts.prop_map(|(restart, is_significant, stop, on_stop, kind)| {
        Node::Leaf(Leaf {
            name: String::new(),
            restart,
            is_significant,
            stop,
            on_stop,
            kind,
        })
    })
}

fn branch(
    children: impl Strategy<Value = Vec<Node>>,
    template: impl Strategy<Value = Node>,
) -> impl Strategy<Value = Branch> {
    let strategy = prop_oneof![
        3 => Just(Restarts::OneForOne),
        2 => Just(Restarts::OneForAll),
        3 => Just(Restarts::RestForOne),
        1 => Just(Restarts::Dynamic),
    ];
    let auto_shutdown = prop_oneof![
        2 => Just(AutoShutdown::Never),
        1 => Just(AutoShutdown::AnySignificant),
        1 => Just(AutoShutdown::AllSignificant),
    ];
    let intensity = (0..5u32, proptest::sample::select(&PERIODS[..]));
    let policies = (strategy, intensity, auto_shutdown, restart(), any::<bool>());
    (policies, children, template).prop_map(|(policies, children, template)| {
        let (strategy, (intensity, period), auto_shutdown, restart, is_significant) = policies;
        Branch {
            name: String::new(),
            restart,
            is_significant,
            strategy,
            intensity,
            period,
            auto_shutdown,
            children: match strategy {
                Restarts::Dynamic => vec![template],
                _ => children,
            },
        }
    })
}

fn node(depth: u32) -> BoxedStrategy<Node> {
    if depth == 0 {
        return leaf().boxed();
    }
    let below = branch(vec(node(depth - 1), 0..4), node(depth - 1));
    prop_oneof![2 => leaf(), 1 => below.prop_map(Node::Branch)].boxed()
}

fn draft(together: bool) -> BoxedStrategy<Draft> {
    let index = any::<Index>;
    let ends = vec((index(), end()), 2..5);
    let fails = proptest::option::weighted(0.2, (index(), 1..3u32));
    let other = proptest::option::weighted(0.2, index());
    let start = (index(), node(1), other, fails)
        .prop_map(|(at, node, other, fails)| Draft::Start(at, Box::new(node), other, fails));
    let start = start.boxed();
    let command = prop_oneof![index().prop_map(Draft::Stop), start.clone()];
    // The one that the other kind of script has instead.
    let special = match together {
        true => prop_oneof![
            (index(), ends).prop_map(|(at, ends)| Draft::Together(at, ends)),
            (index(), end(), command).prop_map(|(at, end, command)| Draft::InARow(
                at,
                end,
                Box::new(command)
            )),
        ]
        .boxed(),
        false => (index(), 1..5u32)
            .prop_map(|(at, times)| Draft::FailStarts(at, times))
            .boxed(),
    };
    prop_oneof![
        8 => (index(), end()).prop_map(|(at, end)| Draft::End(at, end)),
        4 => special,
        3 => start,
        2 => index().prop_map(Draft::Stop),
        2 => index().prop_map(Draft::Restart),
        1 => index().prop_map(Draft::Delete),
        1 => Just(Draft::Pass),
    ]
    .boxed()
}

/// Makes scripts: trees to depth 4, at most 60 operations.
pub(crate) fn scripts() -> impl Strategy<Value = Script> {
    any::<bool>().prop_flat_map(|together| {
        let root = branch(vec(node(3), 1..5), node(2));
        // Most roots last, or most operations would find nothing.
        let lasts = proptest::bool::weighted(0.8);
        let parts = (root, lasts, vec(draft(together), 0..MOST_OPERATIONS));
        parts.prop_map(move |(mut root, lasts, drafts)| {
            if lasts {
                root.intensity = NEVER;
                root.auto_shutdown = AutoShutdown::Never;
            }
            let mut writer = Writer::begin(root, together);
            drafts.into_iter().for_each(|draft| writer.write(draft));
            // A start whose first attempts fail is two.
            writer.operations.truncate(MOST_OPERATIONS);
            Script {
                root: writer.root,
                operations: writer.operations,
            }
        })
    })
}

/// A node that there is, or was.
#[derive(Debug, Clone)]
struct Known {
    path: String,
    parent: String,
    node: Node,
}

/// Turns drafts into operations on nodes that there are, or were.
struct Writer {
    root: Branch,
    together: bool,
    known: Vec<Known>,
    operations: Vec<Operation>,
    next_name: u32,
}

impl Writer {
    fn begin(mut root: Branch, together: bool) -> Self {
        root.name = ROOT[1..].to_owned();
        root.restart = Restart::Temporary;
        root.is_significant = false;
        let mut node = Node::Branch(root);
        make_sense(&mut node, AutoShutdown::Never, together);
        let mut writer = Self {
            root: match &node {
                Node::Branch(root) => root.clone(),
                Node::Leaf(_) => unreachable!("made above"),
            },
            together,
            known: Vec::new(),
            operations: Vec::new(),
            next_name: 10,
        };
        writer.learn(&node, "");
        writer
    }

    fn learn(&mut self, node: &Node, parent: &str) {
        let path = format!("{parent}/{}", node.name());
        self.known.retain(|other| other.path != path);
        self.known.push(Known {
            path: path.clone(),
            parent: parent.to_owned(),
            node: node.clone(),
        });
        if let Node::Branch(branch) = node
            && branch.strategy != Restarts::Dynamic
        {
            branch
                .children
                .iter()
                .for_each(|child| self.learn(child, &path));
        }
    }

    fn pick(&self, at: Index, fits: impl Fn(&Known) -> bool) -> Option<Known> {
        let fitting: Vec<_> = self.known.iter().filter(|known| fits(known)).collect();
        (!fitting.is_empty()).then(|| at.get(&fitting).to_owned().clone())
    }

    fn branch_at(&self, path: &str) -> Option<&Branch> {
        let known = self.known.iter().find(|known| known.path == path)?;
        match &known.node {
            Node::Branch(branch) => Some(branch),
            Node::Leaf(_) => None,
        }
    }

    fn is_dynamic(&self, path: &str) -> bool {
        let branch = self.branch_at(path);
        branch.is_some_and(|branch| branch.strategy == Restarts::Dynamic)
    }

    fn write(&mut self, draft: Draft) {
        let is_leaf = |known: &Known| matches!(known.node, Node::Leaf(_));
        let is_branch = |known: &Known| !is_leaf(known);
        let has_parent = |known: &Known| known.path != ROOT;
        match draft {
            Draft::End(at, end) => {
                if let Some(leaf) = self.pick(at, is_leaf) {
                    self.operations.push(Operation::End(leaf.path, end));
                }
            }
            Draft::FailStarts(at, times) => {
                if let Some(leaf) = self.pick(at, is_leaf) {
                    self.operations
                        .push(Operation::FailStarts(leaf.path, times));
                }
            }
            Draft::Pass => self.operations.push(Operation::Pass(PASSES)),
            Draft::Together(at, ends) => {
                if let Some(branch) = self.pick(at, is_branch) {
                    self.write_together(&branch, ends);
                }
            }
            Draft::InARow(at, end, command) => self.write_in_a_row(at, end, *command),
            Draft::Start(at, node, other, fails) => {
                if let Some(branch) = self.pick(at, is_branch) {
                    self.write_start(&branch, *node, (other, fails));
                }
            }
            Draft::Stop(at) => {
                let child = self.pick(at, has_parent);
                self.operations.extend(child.map(|child| self.stop(child)));
            }
            Draft::Restart(at) => self.write_by_hand(at, Operation::Restart),
            Draft::Delete(at) => self.write_by_hand(at, Operation::Delete),
        }
    }

    fn write_by_hand(&mut self, at: Index, command: fn(String, String) -> Operation) {
        let child = self.pick(at, |known| {
            known.path != ROOT && !self.is_dynamic(&known.parent)
        });
        if let Some(child) = child {
            let name = child.node.name().to_owned();
            self.operations.push(command(child.parent, name));
        }
    }

    /// Writes an end and a command to the same supervisor, if that restarts no groups: there, ours
    /// would answer that it is in progress.
    fn write_in_a_row(&mut self, at: Index, end: End, command: Draft) {
        let is_alone = |known: &Known| {
            let parent = self.branch_at(&known.parent);
            let strategy = parent.map(|parent| parent.strategy);
            matches!(strategy, Some(Restarts::OneForOne | Restarts::Dynamic))
        };
        let victim = self.pick(at, |known| {
            matches!(known.node, Node::Leaf(_)) && is_alone(known)
        });
        let Some(victim) = victim else {
            return;
        };
        let written = self.operations.len();
        match command {
            Draft::Start(_, node, _, _) => {
                let below = self.known.iter().find(|known| known.path == victim.parent);
                if let Some(below) = below.cloned() {
                    self.write_start(&below, *node, (None, None));
                }
            }
            Draft::Stop(at) => {
                // OTP knows a dynamic child by its pid, and that is over; we know it by its name.
                let child = self.pick(at, |known| {
                    known.parent == victim.parent
                        && (known.path != victim.path || !self.is_dynamic(&known.parent))
                });
                self.operations.extend(child.map(|child| self.stop(child)));
            }
            _ => {}
        }
        let command = self.operations.drain(written..).next_back();
        if let Some(command) = command {
            let ends = (victim.path, end);
            self.operations
                .push(Operation::InARow(victim.parent, ends, Box::new(command)));
        }
    }

    fn stop(&self, child: Known) -> Operation {
        let name = child.node.name().to_owned();
        match self.is_dynamic(&child.parent) {
            true => Operation::StopDynamic(child.parent, name),
            false => Operation::Stop(child.parent, name),
        }
    }

    fn write_together(&mut self, branch: &Known, ends: Vec<(Index, End)>) {
        let is_in_order =
            matches!(&branch.node, Node::Branch(branch) if branch.strategy == Restarts::RestForOne);
        let mut victims = Vec::<(String, End)>::new();
        for (at, end) in ends {
            let leaf = self.pick(at, |known| {
                known.parent == branch.path && matches!(known.node, Node::Leaf(_))
            });
            if let Some(leaf) = leaf
                && victims.iter().all(|(path, _)| *path != leaf.path)
            {
                victims.push((leaf.path, end));
            }
        }
        if is_in_order {
            // Names are given in start order here: none is used twice.
            victims
                .sort_by_key(|(path, _)| self.known.iter().position(|known| known.path == *path));
        }
        if !victims.is_empty() {
            self.operations
                .push(Operation::Together(branch.path.clone(), victims));
        }
    }

    fn write_start(
        &mut self,
        below: &Known,
        mut node: Node,
        (other, fails): (Option<Index>, Option<(Index, u32)>),
    ) {
        let Node::Branch(branch) = &below.node else {
            return;
        };
        let is_dynamic = branch.strategy == Restarts::Dynamic;
        if let (true, Some(template)) = (is_dynamic, branch.children.first()) {
            node = template.clone();
        }
        // At run time, what makes no sense is refused; below the node, nothing is left that does.
        let is_significant = is_significant(&node);
        make_sense(&mut node, AutoShutdown::AllSignificant, self.together);
        set_significant(&mut node, is_significant);
        let prefix = if is_dynamic { "" } else { prefix(&node) };
        node.rename(&format!("{prefix}{}", self.next_name));
        self.next_name += 1;
        // Leaves only: what is below a supervisor of the same name may not be what is known of it.
        if matches!(node, Node::Leaf(_))
            && !is_dynamic
            && !self.together
            && let Some(other) = other.and_then(|at| {
                self.pick(at, |known| {
                    known.parent == below.path && prefix == self::prefix(&known.node)
                })
            })
        {
            node.rename(other.node.name());
        }
        self.learn(&node, &below.path);
        if let (Some((at, times)), false) = (fails, self.together) {
            let root = format!("{}/{}", below.path, node.name());
            let leaf = self.pick(at, |known| {
                matches!(known.node, Node::Leaf(_)) && known.path.starts_with(&root)
            });
            if let Some(leaf) = leaf {
                self.operations
                    .push(Operation::FailStarts(leaf.path, times));
            }
        }
        self.operations.push(match is_dynamic {
            true => Operation::StartDynamic(below.path.clone(), node),
            false => Operation::Start(below.path.clone(), node),
        });
    }
}

fn is_significant(node: &Node) -> bool {
    match node {
        Node::Leaf(leaf) => leaf.is_significant,
        Node::Branch(branch) => branch.is_significant,
    }
}

fn set_significant(node: &mut Node, is_significant: bool) {
    match node {
        Node::Leaf(leaf) => leaf.is_significant = is_significant,
        Node::Branch(branch) => branch.is_significant = is_significant,
    }
}

/// Tells from a name what has it: our side knows dynamic supervisors by that.
fn prefix(node: &Node) -> &'static str {
    match node {
        Node::Leaf(_) => "l",
        Node::Branch(branch) if branch.strategy == Restarts::Dynamic => "d",
        Node::Branch(_) => "s",
    }
}

/// Changes what would be refused, or is meant to differ, and names what is below the node.
fn make_sense(node: &mut Node, above: AutoShutdown, together: bool) {
    let may_be_significant =
        |restart: Restart| restart != Restart::Permanent && above != AutoShutdown::Never;
    match node {
        Node::Leaf(leaf) => {
            leaf.is_significant &= may_be_significant(leaf.restart);
            if together && leaf.kind == Kind::Actor {
                leaf.kind = Kind::Worker;
            }
        }
        Node::Branch(branch) => {
            branch.is_significant &= may_be_significant(branch.restart);
            if branch.restart == Restart::Transient {
                branch.intensity = NEVER;
            }
            for (index, child) in branch.children.iter_mut().enumerate() {
                make_sense(child, branch.auto_shutdown, together);
                let name = format!("{}{index}", prefix(child));
                child.rename(&name);
            }
        }
    }
}
