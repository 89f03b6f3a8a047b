//! Random trees: what is declared, how each leaf behaves, and what is asked of the tree meanwhile.
//!
//! Plain values that print and shrink. What the library refuses to declare is not generated away but
//! mended where the tree is made, so that shrinking stays simple. Times are in milliseconds.

use perennial::policy::auto_shutdown::AutoShutdown;
use perennial::policy::limit::OnLimit;
use perennial::policy::restart::Restart;
use perennial::policy::stop::Stop;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};

/// One node.
#[derive(Clone)]
pub(crate) enum Shape {
    Leaf(Leaf),
    Branch(Branch),
}

/// What a leaf is, and what it does with its life.
#[derive(Clone)]
pub(crate) struct Leaf {
    pub(crate) kind: Kind,
    pub(crate) restart: Option<Restart>,
    pub(crate) is_significant: bool,
    pub(crate) start: Start,
    pub(crate) life: Life,
    pub(crate) end: End,
    /// How long it needs to let go of what it holds, after a failure of its own.
    pub(crate) lingers: u64,
    /// How many messages wait for it from the beginning on; each takes 20 ms.
    pub(crate) queued: u8,
    pub(crate) stop: Stop,
    pub(crate) stop_timeout: Option<u64>,
    pub(crate) stop_reserve: Option<u64>,
    pub(crate) limits: Limits,
}

impl Leaf {
    /// A task that runs until it is asked to stop.
    pub(crate) fn idle() -> Self {
        Self {
            kind: Kind::Task,
            restart: None,
            is_significant: false,
            start: Start::AtOnce,
            life: Life::Forever,
            end: End::AtOnce,
            lingers: 0,
            queued: 0,
            stop: Stop::Ask,
            stop_timeout: None,
            stop_reserve: None,
            limits: Limits::default(),
        }
    }
}

/// A supervisor.
#[derive(Clone)]
pub(crate) struct Branch {
    pub(crate) strategy: Strategies,
    pub(crate) intensity: Option<Limit>,
    pub(crate) on_limit: Option<OnLimit>,
    pub(crate) auto_shutdown: AutoShutdown,
    /// What its children wait before they come back.
    pub(crate) pause: Pause,
    pub(crate) restart: Option<Restart>,
    /// Its own, as a child.
    pub(crate) limits: Limits,
    pub(crate) stop_timeout: Option<u64>,
    /// Of a dynamic one: added while it runs.
    pub(crate) children: Vec<Shape>,
}

/// What bounds the restarts of one child.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Limits {
    pub(crate) pause: Option<Pause>,
    pub(crate) limit: Option<Limit>,
    pub(crate) on_limit: Option<OnLimit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Task,
    Worker,
    Actor,
    Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategies {
    OneForOne,
    OneForAll,
    RestForOne,
    Dynamic,
}

/// At most `restarts` within `period`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) restarts: u32,
    pub(crate) period: u64,
}

/// A backoff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    None,
    Fixed(u64),
    Grows {
        first: u64,
        max: u64,
        attempts: Option<u32>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    AtOnce,
    Slow(u64),
    /// In so many incarnations, from this one on.
    Fails {
        from: u64,
        runs: u64,
    },
    /// In this incarnation.
    Hangs(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Forever,
    /// After so many milliseconds, in the first so many incarnations.
    Fails(u64, u64),
    Panics(u64, u64),
    Ends(u64, u64),
    SubtaskPanics(u64, u64),
    /// Asks something of the tree from inside: in a subtask, or where everything else waits for it.
    Asks {
        after: u64,
        ask: Ask,
        is_inline: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    AtOnce,
    Slow(u64),
    Deaf,
    /// Asks for more time, then needs some.
    Extends {
        by: u64,
        needs: u64,
    },
    Fails,
    Panics,
}

/// Something asked of a node by hand. The number picks the node, modulo how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Adds a well-behaved task to the supervisor.
    Start(u8),
    Stop(u8),
    Restart(u8),
    Delete(u8),
    Release(u8),
    /// Shuts the whole tree down within so many milliseconds.
    Shutdown(u64),
}

/// Something that happens to the tree from outside, at an instant after its start.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Ask(Ask),
    /// Adds a node to the supervisor that the number picks.
    Add(u8, Shape),
}

/// One random case.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) root: Branch,
    pub(crate) script: Vec<(u64, Action)>,
    pub(crate) lives_for: u64,
    pub(crate) budget: u64,
    /// A second shutdown, so long after the first, with so much time.
    pub(crate) second: Option<(u64, u64)>,
    pub(crate) seed: u64,
}

impl Case {
    /// Tells whether nobody asks anything by hand, from outside or from inside.
    pub(crate) fn is_left_alone(&self) -> bool {
        fn asks(shape: &Shape) -> bool {
            match shape {
                Shape::Leaf(leaf) => matches!(leaf.life, Life::Asks { .. }),
                Shape::Branch(branch) => branch.children.iter().any(asks),
            }
        }
        self.script.is_empty() && !self.root.children.iter().any(asks)
    }
}

pub(crate) fn case() -> BoxedStrategy<Case> {
    let script = prop_oneof![
        1 => Just(Vec::new()),
        1 => proptest::collection::vec((instant(), action()), 0..12),
    ];
    let second = proptest::option::weighted(0.3, (0u64..1_500, 0u64..2_000));
    (
        branch(tree()),
        script,
        (0u64..4_000, budget()),
        second,
        any::<u64>(),
    )
        .prop_map(|(mut root, script, (lives_for, budget), second, seed)| {
            root.restart = None;
            Case {
                root,
                script,
                lives_for,
                budget,
                second,
                seed,
            }
        })
        .boxed()
}

fn tree() -> BoxedStrategy<Shape> {
    leaf()
        .prop_map(Shape::Leaf)
        .prop_recursive(5, 28, 4, |below| branch(below).prop_map(Shape::Branch))
        .boxed()
}

fn action() -> BoxedStrategy<Action> {
    let small = leaf()
        .prop_map(Shape::Leaf)
        .prop_recursive(2, 5, 3, |below| branch(below).prop_map(Shape::Branch));
    prop_oneof![
        3 => ask().prop_map(Action::Ask),
        1 => (which(), small).prop_map(|(under, shape)| Action::Add(under, shape)),
    ]
    .boxed()
}

/// Often early, so that several questions meet in one start or one stop.
fn instant() -> BoxedStrategy<u64> {
    prop_oneof![1 => 0u64..200, 1 => 0u64..3_000].boxed()
}

/// Now and then none at all.
fn budget() -> BoxedStrategy<u64> {
    prop_oneof![6 => 50u64..8_000, 1 => 0u64..50].boxed()
}

/// Which node: often one of the first, so that several questions are about the same one.
fn which() -> BoxedStrategy<u8> {
    prop_oneof![2 => 0u8..4, 1 => any::<u8>()].boxed()
}

fn ask() -> BoxedStrategy<Ask> {
    prop_oneof![
        4 => which().prop_map(Ask::Start),
        6 => which().prop_map(Ask::Stop),
        6 => which().prop_map(Ask::Restart),
        3 => which().prop_map(Ask::Delete),
        3 => which().prop_map(Ask::Release),
        1 => (0u64..3_000).prop_map(Ask::Shutdown),
    ]
    .boxed()
}

fn branch(below: impl Strategy<Value = Shape> + 'static) -> BoxedStrategy<Branch> {
    let strategy = prop_oneof![
        Just(Strategies::OneForOne),
        Just(Strategies::OneForAll),
        Just(Strategies::RestForOne),
        Just(Strategies::Dynamic),
    ];
    let auto_shutdown = prop_oneof![
        6 => Just(AutoShutdown::Never),
        1 => Just(AutoShutdown::AnySignificant),
        1 => Just(AutoShutdown::AllSignificant),
    ];
    let whole = (
        strategy,
        proptest::option::weighted(0.4, limit()),
        on_limit(),
        auto_shutdown,
        pause(),
    );
    let own = (
        restart(),
        limits(),
        proptest::option::weighted(0.2, 100u64..3_000),
    );
    (whole, own, proptest::collection::vec(below, 1..5))
        .prop_map(|(whole, own, children)| {
            let (strategy, intensity, on_limit, auto_shutdown, pause) = whole;
            let (restart, limits, stop_timeout) = own;
            Branch {
                strategy,
                intensity,
                on_limit,
                auto_shutdown,
                pause,
                restart,
                limits,
                stop_timeout,
                children,
            }
        })
        .boxed()
}

fn leaf() -> BoxedStrategy<Leaf> {
    let kind = prop_oneof![
        4 => Just(Kind::Task), 3 => Just(Kind::Worker), 2 => Just(Kind::Actor), 1 => Just(Kind::Step),
    ];
    let stop = prop_oneof![
        6 => Just(Stop::Ask), 1 => Just(Stop::Drain), 1 => Just(Stop::Brutal),
    ];
    let kept = (0u8..100, 0u64..300)
        .prop_map(|(n, lingers)| (n >= 90, if n % 4 == 3 { lingers } else { 0 }));
    let stops = (
        stop,
        proptest::option::weighted(0.3, 20u64..3_000),
        proptest::option::weighted(0.2, 0u64..300),
        0u8..6,
    );
    (
        (kind, restart()),
        (start(), life(), end()),
        kept,
        stops,
        limits(),
    )
        .prop_map(
            |((kind, restart), (start, life, end), (is_significant, lingers), stops, limits)| {
                let (stop, stop_timeout, stop_reserve, queued) = stops;
                Leaf {
                    kind,
                    restart,
                    is_significant,
                    start,
                    life,
                    end,
                    lingers,
                    queued,
                    stop,
                    stop_timeout,
                    stop_reserve,
                    limits,
                }
            },
        )
        .boxed()
}

fn start() -> BoxedStrategy<Start> {
    prop_oneof![
        60 => Just(Start::AtOnce),
        8 => (1u64..300).prop_map(Start::Slow),
        8 => (2u64..5, 1u64..5).prop_map(|(from, runs)| Start::Fails { from, runs }),
        4 => (2u64..4).prop_map(Start::Hangs),
        // These fail the start of the whole tree.
        1 => Just(Start::Fails { from: 1, runs: 1 }),
        1 => Just(Start::Hangs(1)),
    ]
    .boxed()
}

fn life() -> BoxedStrategy<Life> {
    let runs = || prop_oneof![1u64..4, Just(u64::MAX)];
    prop_oneof![
        6 => Just(Life::Forever),
        2 => (1u64..400, runs()).prop_map(|(after, runs)| Life::Fails(after, runs)),
        1 => (1u64..400, runs()).prop_map(|(after, runs)| Life::Panics(after, runs)),
        1 => (1u64..400, runs()).prop_map(|(after, runs)| Life::Ends(after, runs)),
        1 => (1u64..400, runs()).prop_map(|(after, runs)| Life::SubtaskPanics(after, runs)),
        1 => (1u64..1_000, ask(), any::<bool>()).prop_map(|(after, ask, is_inline)| Life::Asks { after, ask, is_inline }),
    ]
        .boxed()
}

fn end() -> BoxedStrategy<End> {
    prop_oneof![
        5 => Just(End::AtOnce),
        2 => (1u64..3_000).prop_map(End::Slow),
        1 => Just(End::Deaf),
        1 => (1u64..3_000, 1u64..3_000).prop_map(|(by, needs)| End::Extends { by, needs }),
        1 => Just(End::Fails),
        1 => Just(End::Panics),
    ]
    .boxed()
}

fn restart() -> BoxedStrategy<Option<Restart>> {
    prop_oneof![
        3 => Just(None),
        1 => Just(Some(Restart::Permanent)),
        1 => Just(Some(Restart::Transient)),
        1 => Just(Some(Restart::Temporary)),
    ]
    .boxed()
}

fn limits() -> BoxedStrategy<Limits> {
    let limits = (
        proptest::option::weighted(0.3, pause()),
        proptest::option::weighted(0.4, limit()),
        on_limit(),
    );
    prop_oneof![
        3 => Just(Limits::default()),
        1 => limits.prop_map(|(pause, limit, on_limit)| Limits { pause, limit, on_limit }),
    ]
    .boxed()
}

fn limit() -> BoxedStrategy<Limit> {
    (0u32..6, 50u64..3_000)
        .prop_map(|(restarts, period)| Limit { restarts, period })
        .boxed()
}

fn on_limit() -> BoxedStrategy<Option<OnLimit>> {
    prop_oneof![
        2 => Just(None),
        1 => Just(Some(OnLimit::Escalate)),
        1 => Just(Some(OnLimit::Quarantine)),
        1 => Just(Some(OnLimit::Throttle)),
    ]
    .boxed()
}

fn pause() -> BoxedStrategy<Pause> {
    let attempts = proptest::option::weighted(0.2, 0u32..6);
    prop_oneof![
        1 => Just(Pause::None),
        1 => (20u64..300).prop_map(Pause::Fixed),
        3 => (20u64..100, 0u64..500, attempts)
            .prop_map(|(first, more, attempts)| Pause::Grows { first, max: first + more, attempts }),
    ]
        .boxed()
}
