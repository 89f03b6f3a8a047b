//! What the model and the library are both given: a declared tree and a list of operations.
//!
//! A script is plain data. It names nodes by a number, which is taken modulo the paths that the tree
//! declares and those that operations may add, so that every list of operations fits every tree and
//! a script that fails can be shrunk piece by piece.

use proptest::prelude::{Just, Strategy, any, prop_oneof};

/// Milliseconds of virtual time.
pub(crate) type Millis = u64;

/// When a child comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restart {
    Permanent,
    Transient,
    Temporary,
}

/// Who goes down with a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    OneForOne,
    OneForAll,
    RestForOne,
    Dynamic,
}

impl Shape {
    pub(crate) fn is_group(self) -> bool {
        matches!(self, Self::OneForAll | Self::RestForOne)
    }
}

/// What a limit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnLimit {
    Escalate,
    Quarantine,
    Throttle,
}

/// When a supervisor ends because its significant children have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Auto {
    Never,
    Any,
    All,
}

/// How long a child waits before it comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    None,
    Fixed(Millis),
    /// First delay, longest delay; factor 2, no jitter, the first restart at once.
    Growing(Millis, Millis),
}

/// At most so many restarts within so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) restarts: u32,
    pub(crate) period: Millis,
}

/// How a node is treated as a child.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) restart: Restart,
    pub(crate) wait: Wait,
    pub(crate) attempts: Option<u32>,
    pub(crate) limit: Option<Limit>,
    pub(crate) on_limit: Option<OnLimit>,
    pub(crate) significant: bool,
}

/// What a leaf does when it is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopping {
    AtOnce,
    /// It stops with an error.
    Badly,
    Takes(Millis),
    /// It never stops and has to be killed.
    Deaf,
}

/// A supervisor's own settings.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) shape: Shape,
    pub(crate) intensity: Option<Limit>,
    pub(crate) on_limit: OnLimit,
    pub(crate) auto: Auto,
    pub(crate) children: Vec<Spec>,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Leaf(Stopping),
    Supervisor(Settings),
}

/// One declared node.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) name: String,
    pub(crate) policy: Policy,
    pub(crate) body: Body,
}

/// What a leaf does when it is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Starting {
    AtOnce,
    Fails,
    Takes(Millis),
    Never,
}

/// How a leaf ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Normal,
    Fails,
    Panics,
}

/// What can be asked by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    Stop,
    Restart,
    Delete,
    Release,
}

/// One operation; a `usize` names a node.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// A leaf that is up ends.
    Exit(usize, End),
    /// Says how the next starts of a leaf go; afterwards they go well.
    Next(usize, Vec<Starting>),
    Ask(usize, Ask),
    /// Adds a leaf to a supervisor, under one of the names kept for that.
    Add(usize, usize, Policy, Stopping),
    Wait(Millis),
    Shutdown,
}

/// A tree and what happens to it.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) root: Spec,
    pub(crate) ops: Vec<Op>,
}

/// How long a leaf may take to start, and to stop.
pub(crate) const START_TIMEOUT: Millis = 1_009;
/// How long a leaf may take to stop.
pub(crate) const STOP_TIMEOUT: Millis = 2_003;
/// The children that a dynamic supervisor accepts.
pub(crate) const MAX_CHILDREN: usize = 2;
/// The names under which children are added.
pub(crate) const ADDED: [&str; 3] = ["x", "y", "z"];

impl Script {
    /// Returns every path that an operation can speak of, parents first.
    pub(crate) fn paths(&self) -> Vec<String> {
        fn walk(spec: &Spec, parent: &str, paths: &mut Vec<String>) {
            let path = format!("{parent}/{}", spec.name);
            paths.push(path.clone());
            if let Body::Supervisor(settings) = &spec.body {
                for child in &settings.children {
                    walk(child, &path, paths);
                }
                paths.extend(ADDED.iter().map(|name| format!("{path}/{name}")));
            }
        }
        let mut paths = Vec::new();
        walk(&self.root, "", &mut paths);
        paths
    }
}

impl Script {
    /// Prints the tree and the operations, one thing a line.
    pub(crate) fn print(&self) -> String {
        fn walk(spec: &Spec, depth: usize, lines: &mut Vec<String>) {
            let Spec { name, policy, body } = spec;
            let indent = "  ".repeat(depth + 1);
            match body {
                Body::Leaf(stop) => lines.push(format!("{indent}{name}: {stop:?} {policy:?}")),
                Body::Supervisor(settings) => {
                    let Settings {
                        shape,
                        intensity,
                        on_limit,
                        auto,
                        children,
                    } = settings;
                    lines.push(format!(
                        "{indent}{name}: {shape:?} {intensity:?} {on_limit:?} {auto:?} {policy:?}"
                    ));
                    for child in children {
                        walk(child, depth + 1, lines);
                    }
                }
            }
        }
        let mut lines = vec!["the tree".to_owned()];
        walk(&self.root, 0, &mut lines);
        let paths = self.paths();
        let path = |node: &usize| &paths[node % paths.len()];
        for (index, op) in self.ops.iter().enumerate() {
            let op = match op {
                Op::Exit(node, end) => format!("{} ends: {end:?}", path(node)),
                Op::Next(node, starts) => format!("{} next starts: {starts:?}", path(node)),
                Op::Ask(node, ask) => format!("{ask:?} {}", path(node)),
                Op::Add(node, name, policy, stop) => {
                    format!(
                        "add {} to {}: {stop:?} {policy:?}",
                        ADDED[*name],
                        path(node)
                    )
                }
                Op::Wait(_) | Op::Shutdown => format!("{op:?}"),
            };
            lines.push(format!("  {index}. {op}"));
        }
        lines.join("\n")
    }

    /// Returns what the supervisor at `path` asks of a child that is added; `None` for a leaf.
    pub(crate) fn settings(&self, path: &str) -> Option<(Shape, Auto)> {
        let mut names = path.split('/').skip(2);
        let found = names.try_fold(&self.root, |spec, name| match &spec.body {
            Body::Supervisor(settings) => settings.children.iter().find(|child| child.name == name),
            Body::Leaf(_) => None,
        })?;
        match &found.body {
            Body::Supervisor(settings) => Some((settings.shape, settings.auto)),
            Body::Leaf(_) => None,
        }
    }
}

/// Makes what was drawn a declaration that `validate` accepts.
pub(crate) fn fit(policy: &mut Policy, parent: (Shape, Auto)) {
    let (shape, auto) = parent;
    if policy.restart == Restart::Permanent || auto == Auto::Never {
        policy.significant = false;
    }
    if shape.is_group() && policy.on_limit == Some(OnLimit::Quarantine) {
        policy.on_limit = None;
    }
    if policy.on_limit == Some(OnLimit::Throttle) {
        policy.attempts = None;
        if let Some(limit) = &mut policy.limit {
            limit.restarts = limit.restarts.max(1);
        }
    }
}

/// Makes a drawn tree one that `validate` accepts, and names its nodes.
pub(crate) fn fit_tree(spec: &mut Spec, name: String) {
    spec.name = name;
    let Body::Supervisor(settings) = &mut spec.body else {
        return;
    };
    if settings.shape.is_group() && settings.on_limit == OnLimit::Quarantine {
        settings.on_limit = OnLimit::Escalate;
    }
    if let (OnLimit::Throttle, Some(limit)) = (settings.on_limit, &mut settings.intensity) {
        limit.restarts = limit.restarts.max(1);
    }
    if settings.shape == Shape::Dynamic {
        settings.children.clear();
    }
    let around = (settings.shape, settings.auto);
    for (index, child) in settings.children.iter_mut().enumerate() {
        fit(&mut child.policy, around);
        fit_tree(child, format!("c{index}"));
    }
}

fn limit() -> impl Strategy<Value = Limit> {
    (0u32..4, prop_oneof![Just(997), Just(10_007), Just(60_013)])
        .prop_map(|(restarts, period)| Limit { restarts, period })
}

fn on_limit() -> impl Strategy<Value = OnLimit> {
    prop_oneof![
        Just(OnLimit::Escalate),
        Just(OnLimit::Quarantine),
        Just(OnLimit::Throttle)
    ]
}

pub(crate) fn policy() -> impl Strategy<Value = Policy> {
    let restart = prop_oneof![
        4 => Just(Restart::Permanent),
        2 => Just(Restart::Transient),
        1 => Just(Restart::Temporary)
    ];
    let wait = prop_oneof![
        Just(Wait::None),
        (1u64..500).prop_map(Wait::Fixed),
        (1u64..300, 300u64..3_000).prop_map(|(first, max)| Wait::Growing(first, max)),
    ];
    let sometimes = |strategy| proptest::option::weighted(0.25, strategy);
    (
        (restart, wait),
        sometimes(1u32..4),
        proptest::option::weighted(0.25, limit()),
        proptest::option::weighted(0.4, on_limit()),
        any::<bool>(),
    )
        .prop_map(
            |((restart, wait), attempts, limit, on_limit, significant)| Policy {
                restart,
                wait,
                attempts,
                limit,
                on_limit,
                significant,
            },
        )
}

fn stopping() -> impl Strategy<Value = Stopping> {
    prop_oneof![
        6 => Just(Stopping::AtOnce),
        1 => Just(Stopping::Badly),
        2 => (1u64..1_500).prop_map(Stopping::Takes),
        1 => Just(Stopping::Deaf),
    ]
}

fn settings(child: impl Strategy<Value = Spec>) -> impl Strategy<Value = Settings> {
    let shape = prop_oneof![
        3 => Just(Shape::OneForOne),
        3 => Just(Shape::OneForAll),
        3 => Just(Shape::RestForOne),
        1 => Just(Shape::Dynamic),
    ];
    let on = prop_oneof![3 => Just(OnLimit::Escalate), 1 => on_limit()];
    let auto = prop_oneof![4 => Just(Auto::Never), 1 => Just(Auto::Any), 1 => Just(Auto::All)];
    let children = proptest::collection::vec(child, 0..5);
    let intensity = proptest::option::weighted(0.6, limit());
    (shape, intensity, on, auto, children).prop_map(
        |(shape, intensity, on_limit, auto, children)| Settings {
            shape,
            intensity,
            on_limit,
            auto,
            children,
        },
    )
}

fn spec(policy: Policy, body: Body) -> Spec {
    Spec {
        name: String::new(),
        policy,
        body,
    }
}

fn tree() -> impl Strategy<Value = Spec> {
    let leaf = (policy(), stopping()).prop_map(|(policy, stop)| spec(policy, Body::Leaf(stop)));
    let below = leaf.prop_recursive(5, 24, 4, |inner| {
        (policy(), settings(inner))
            .prop_map(|(policy, settings)| spec(policy, Body::Supervisor(settings)))
    });
    (policy(), settings(below)).prop_map(|(policy, settings)| {
        let mut root = spec(policy, Body::Supervisor(settings));
        fit_tree(&mut root, "r".into());
        root
    })
}

fn op() -> impl Strategy<Value = Op> {
    let end = prop_oneof![
        2 => Just(End::Normal),
        5 => Just(End::Fails),
        1 => Just(End::Panics)
    ];
    let start = prop_oneof![
        1 => Just(Starting::AtOnce),
        3 => Just(Starting::Fails),
        2 => (1u64..900).prop_map(Starting::Takes),
        1 => Just(Starting::Never),
    ];
    let starts = proptest::collection::vec(start, 1..4);
    let ask = prop_oneof![
        3 => Just(Ask::Stop),
        3 => Just(Ask::Restart),
        2 => Just(Ask::Delete),
        2 => Just(Ask::Release)
    ];
    let wait = prop_oneof![4 => 1u64..200, 4 => 200u64..3_000, 1 => 3_000u64..70_000];
    let node = any::<u16>().prop_map(usize::from);
    prop_oneof![
        30 => (node.clone(), end).prop_map(|(node, end)| Op::Exit(node, end)),
        10 => (node.clone(), starts).prop_map(|(node, starts)| Op::Next(node, starts)),
        15 => (node.clone(), ask).prop_map(|(node, ask)| Op::Ask(node, ask)),
        5 => (node, 0..ADDED.len(), policy(), stopping())
            .prop_map(|(node, name, policy, stop)| Op::Add(node, name, policy, stop)),
        30 => wait.prop_map(Op::Wait),
        1 => Just(Op::Shutdown),
    ]
}

/// Draws a script of at most so many operations.
pub(crate) fn script(operations: usize) -> impl Strategy<Value = Script> {
    (tree(), proptest::collection::vec(op(), 1..=operations))
        .prop_map(|(root, ops)| Script { root, ops })
}
