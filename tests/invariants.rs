//! Random trees under the paused clock: the invariants hold, and no shutdown is late.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial::supervisor::status::State;
use perennial::{Backoff, BoxError, Child, Context, Supervisor};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use tokio::time::Instant;

/// What one leaf does with its life.
#[derive(Debug, Clone, Copy)]
enum Behaviour {
    /// Stops when asked to.
    Good,
    /// Fails again and again, after so many milliseconds.
    Fails(u64),
    /// Panics again and again.
    Panics(u64),
    /// Needs so many milliseconds to stop.
    SlowToStop(u64),
    /// Never stops by itself.
    Deaf,
}

#[derive(Debug, Clone)]
enum Shape {
    Leaf(Behaviour),
    Supervisor(u8, Vec<Shape>),
}

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        4 => Just(Behaviour::Good),
        1 => (1u64..400).prop_map(Behaviour::Fails),
        1 => (1u64..400).prop_map(Behaviour::Panics),
        1 => (1u64..3_000).prop_map(Behaviour::SlowToStop),
        1 => Just(Behaviour::Deaf),
    ];
    let tree = leaf
        .prop_map(Shape::Leaf)
        .prop_recursive(4, 24, 4, |below| {
            (0u8..3, proptest::collection::vec(below, 1..5))
                .prop_map(|(kind, children)| Shape::Supervisor(kind, children))
        });
    (0u8..3, proptest::collection::vec(tree, 1..5))
        .prop_map(|(kind, children)| Shape::Supervisor(kind, children))
}

/// What the leaves saw.
#[derive(Default)]
struct Seen {
    alive: HashMap<String, u32>,
    starts: Vec<String>,
    broken: Vec<String>,
}

type Shared = Arc<Mutex<Seen>>;

/// Counts a living incarnation; dropped with the incarnation's state.
struct Alive(String, Shared);

impl Alive {
    fn new(cx: &Context, seen: &Shared) -> Self {
        let name = cx.path().to_string();
        let mut all = seen.lock().expect("no panic holds it");
        let count = all.alive.entry(name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            all.broken.push(format!("two incarnations of {name}"));
        }
        if cx.incarnation() == 1 {
            all.starts.push(name.clone());
        }
        drop(all);
        Self(name, Arc::clone(seen))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        let mut all = self.1.lock().expect("no panic holds it");
        *all.alive.entry(self.0.clone()).or_default() -= 1;
    }
}

async fn live(cx: Context, behaviour: Behaviour, seen: Shared) -> Result<(), BoxError> {
    let _alive = Alive::new(&cx, &seen);
    let until = match behaviour {
        Behaviour::Fails(after) | Behaviour::Panics(after) => Duration::from_millis(after),
        Behaviour::Deaf => return std::future::pending().await,
        Behaviour::Good | Behaviour::SlowToStop(_) => Duration::MAX,
    };
    tokio::select! {
        _deadline = cx.shutdown() => {}
        () = tokio::time::sleep(until) => match behaviour {
            Behaviour::Panics(_) => panic!("as declared"),
            _ => return Err("as declared".into()),
        },
    }
    if let Behaviour::SlowToStop(needs) = behaviour {
        tokio::time::sleep(Duration::from_millis(needs)).await;
    }
    Ok(())
}

fn declare(name: String, shape: &Shape, seen: &Shared) -> perennial::supervisor::Node {
    match shape {
        Shape::Leaf(behaviour) => {
            let behaviour = *behaviour;
            Child::task_with(name, Arc::clone(seen), move |cx, seen| {
                live(cx, behaviour, seen)
            })
            .into()
        }
        Shape::Supervisor(kind, children) => supervisor(name, *kind, children, seen).into(),
    }
}

fn supervisor(name: String, kind: u8, children: &[Shape], seen: &Shared) -> Supervisor {
    let empty = match kind {
        0 => Supervisor::one_for_one(name),
        1 => Supervisor::one_for_all(name),
        _ => Supervisor::rest_for_one(name),
    };
    let backoff =
        Backoff::try_new(Duration::from_millis(20), Duration::from_millis(500)).expect("valid");
    let add = |parent: Supervisor, (index, child): (usize, &Shape)| {
        parent.child(declare(format!("c{index}"), child, seen))
    };
    children
        .iter()
        .enumerate()
        .fold(empty.backoff(backoff), add)
}

/// How many random trees: more in the long run.
fn cases() -> u32 {
    if std::env::var_os("PERENNIAL_LONG").is_some() {
        10_000
    } else {
        1_000
    }
}

/// Keeps the paths below which nothing else was asked.
fn leaves(paths: Vec<String>) -> Vec<String> {
    let has_below = |path: &String| {
        paths
            .iter()
            .any(|other| other.starts_with(&format!("{path}/")))
    };
    paths
        .iter()
        .filter(|path| !has_below(path))
        .cloned()
        .collect()
}

/// Sorts paths into start order: siblings are named by their place.
fn sorted(mut paths: Vec<String>) -> Vec<String> {
    paths.sort();
    paths
}

async fn run(shape: Shape, lives_for: u64, budget: u64, seed: u64) {
    let Shape::Supervisor(kind, children) = shape else {
        unreachable!("the root is a supervisor")
    };
    let seen = Shared::default();
    let tree = supervisor("app".to_owned(), kind, &children, &seen).seed(seed);
    let running = tree.start().await.expect("every leaf starts");
    let starts = seen.lock().expect("no panic holds it").starts.clone();
    assert_eq!(starts, sorted(starts.clone()), "start order");
    tokio::time::sleep(Duration::from_millis(lives_for)).await;
    let mut events = running.subscribe("test");
    // What a group restart is stopping already goes on with that, ahead of its turn.
    let snapshot = running.snapshot();
    let mut early = Vec::new();
    snapshot.root.visit(&mut |node| {
        early.extend((node.state == State::Stopping).then(|| node.path.clone()))
    });
    let (began, budget) = (Instant::now(), Duration::from_millis(budget));
    let report = running.stop(budget).await;
    let took = began.elapsed();
    assert!(took <= budget, "late: {took:?} of {budget:?}\n{report}");
    let mut asked: Option<Vec<String>> = None;
    while let Ok(Some(event)) = events.try_recv() {
        match (event.kind.code(), &mut asked) {
            ("shutdown_began", _) => asked = Some(Vec::new()),
            ("starting", Some(_)) => panic!("a start after shutdown began: {event:?}"),
            ("stop_requested", Some(_))
                if early.iter().any(|other| event.path.is_within(other)) => {}
            ("stop_requested", Some(asked)) => asked.push(event.path.to_string()),
            _ => {}
        }
    }
    let mut asked = leaves(asked.expect("the events were kept"));
    asked.reverse();
    assert_eq!(asked, sorted(asked.clone()), "reverse stop order");
    let all = seen.lock().expect("no panic holds it");
    assert_eq!(all.broken, Vec::<String>::new());
    assert!(
        all.alive.values().all(|count| *count == 0),
        "left over: {:?}\n{report}",
        all.alive
    );
    assert!(
        report.hung().is_empty(),
        "nothing here blocks its thread\n{report}"
    );
    let spent: Duration = report.root.children.iter().map(|line| line.spent).sum();
    assert!(spent <= took, "the report adds up: {spent:?} of {took:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_trees_keep_the_invariants_and_stop_within_their_deadline(
        shape in shape(), lives_for in 0u64..3_000, budget in 200u64..8_000, seed in any::<u64>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(run(shape, lives_for, budget, seed));
    }
}
