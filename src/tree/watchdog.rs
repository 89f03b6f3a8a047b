//! Notices, from outside of the worker threads, a handler that runs too long.
//!
//! One thread for the process, whatever trees there are. It moves the coarse clock on, by which runs mark
//! what they do, and looks at the marks now and then. It sees a handler that awaits for ever and one that
//! blocks its thread, also when every worker is blocked, because it needs none of them: what it has to say
//! it says itself.
//!
//! It lives by real time: on a paused clock nothing is ever stuck. Time in which this thread did not run
//! does not count: then the process was suspended, or there was no processor for those it judges either.
//!
//! # Invariants
//!
//! 1. Who is stuck is told of once, until it goes on.
//! 2. Nothing is done to a run that was asked to stop: its deadline sees to it.
//! 3. It keeps nothing alive: a tree that has ended is gone at once, with its runtime.

mod clock;
mod judge;

use std::sync::{Arc, LazyLock, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::time::Instant;

use self::clock::Clock;
use self::judge::{Reading, Stuck, judge};
use crate::context::News;
use crate::event::EventKind;
use crate::exit::{ErrorChain, Exit, catch_blocking};
use crate::policy::stuck::{DEFAULT_STUCK_AFTER, OnStuck};
use crate::shutdown::report::readable;
use crate::supervisor::Tree;
use crate::supervisor::cell::{Cell, Found, Watched};
use crate::sync::{Mutex, lock};
use crate::time::{closest_watch, coarse};

/// How often the coarse clock is moved on at least: a fortieth of the default, and four wake-ups a second.
const LONGEST_TICK: Duration = Duration::from_millis(250);

/// How often at most, however short a time was set: a wake-up costs some 10 µs.
const SHORTEST_TICK: Duration = Duration::from_millis(5);

/// How often the marks are looked at at least: 100 000 children are read in some 10 ms.
const LONGEST_SCAN: Duration = Duration::from_millis(2_500);

/// How often one that has a thread is looked at again before it is said to block it.
const LOOKS: usize = 3;

/// Between two of these looks: longer than a poll should take.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// The thread and what it watches.
static WATCHDOG: LazyLock<Mutex<Watchdog>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Watchdog {
    trees: Vec<Weak<Tree>>,
    thread: Option<Thread>,
    /// Whether the thread sleeps until there is a tree.
    is_asleep: bool,
}

/// Watches a tree for as long as it lives.
pub(super) fn watch(tree: &Arc<Tree>) {
    let mut watchdog = lock(&WATCHDOG);
    watchdog.trees.retain(|tree| tree.strong_count() > 0);
    watchdog.trees.push(Arc::downgrade(tree));
    if std::mem::take(&mut watchdog.is_asleep)
        && let Some(thread) = &watchdog.thread
    {
        thread.unpark();
    }
    if watchdog.thread.is_some() {
        return;
    }
    let named = thread::Builder::new().name("perennial-watchdog".to_owned());
    match named.spawn(run) {
        Ok(spawned) => watchdog.thread = Some(spawned.thread().clone()),
        Err(error) => {
            drop(watchdog);
            tracing::warn!(%error, "no thread for the watchdog: nobody notices who is stuck");
        }
    }
}

fn run() {
    let mut clock = Clock::new();
    let mut scanned = Instant::now();
    loop {
        let shortest = closest_watch().min(DEFAULT_STUCK_AFTER) / 4;
        let tick = shortest.clamp(SHORTEST_TICK, LONGEST_TICK);
        if is_idle() {
            thread::park();
            // There was nobody to watch: the clock goes on where it was, with all it was read for.
            clock.resume();
            scanned = Instant::now();
            continue;
        }
        thread::park_timeout(tick);
        clock.advance(tick);
        if scanned.elapsed() >= shortest.min(LONGEST_SCAN) {
            scanned = Instant::now();
            // The host's subscriber is called, which may panic: those after it are then told of later.
            drop(catch_blocking(|| scan(&present(), &mut clock)));
        }
    }
}

/// Forgets trees that are gone, and tells whether none is left.
fn is_idle() -> bool {
    let mut watchdog = lock(&WATCHDOG);
    watchdog.trees.retain(|tree| tree.strong_count() > 0);
    watchdog.is_asleep = watchdog.trees.is_empty();
    watchdog.is_asleep
}

/// Returns the trees that there are, to be held for no longer than a look takes (invariant 3).
fn present() -> Vec<Arc<Tree>> {
    let watchdog = lock(&WATCHDOG);
    watchdog.trees.iter().filter_map(Weak::upgrade).collect()
}

/// Looks at every run, and tells of those that are newly stuck or no longer.
fn scan(trees: &[Arc<Tree>], clock: &mut Clock) {
    for tree in trees {
        let Some(root) = tree.root_cell() else {
            continue;
        };
        root.visit_watched(None, &mut |cell, owner, watched| {
            let incarnation = watched.run.incarnation();
            match look(cell, watched, clock) {
                Some(stuck) => tell(tree, (cell, owner), watched, &stuck),
                None if cell.goes_on(incarnation) => {
                    watched.run.tell(News::Health);
                    tracing::info!(path = %cell.path(), incarnation, "no longer stuck");
                }
                None => {}
            }
        });
    }
}

/// Judges a run; one that has a thread is looked at again before it is said to block it.
fn look(cell: &Cell, watched: &Watched, clock: &mut Clock) -> Option<Stuck> {
    let after = watched.treatment.stuck_after?;
    let judged = || {
        let reading = Reading {
            kind: cell.kind(),
            mark: watched.run.activity().mark(),
            alive: watched.run.activity().alive(),
            receiving: cell.busy_since(),
        };
        judge(&reading, coarse(), after)
    };
    let mut stuck = judged()?;
    for _ in 0..LOOKS {
        if !stuck.is_blocking {
            break;
        }
        thread::park_timeout(BETWEEN_LOOKS);
        clock.advance(BETWEEN_LOOKS);
        stuck = judged().filter(|again| again.since == stuck.since)?;
    }
    Some(stuck)
}

/// Tells of a run, unless that is known or it has ended meanwhile, and does what was declared.
fn tell(tree: &Tree, (cell, owner): (&Cell, &Cell), watched: &Watched, stuck: &Stuck) {
    let run = &watched.run;
    let lasted = Duration::from_millis(coarse().saturating_sub(stuck.since));
    let (hook, is_blocking) = (stuck.hook, stuck.is_blocking);
    let kind = EventKind::Stuck {
        hook,
        lasted,
        is_blocking,
    };
    match cell.note_stuck((run.incarnation(), stuck.since), tree.events(), kind) {
        None | Some(Found::Known) => return,
        Some(Found::NowAwaits) => return act(tree, (cell, watched), stuck, lasted),
        Some(Found::New) => {}
    }
    owner.count_stuck();
    // Who is stuck is not well.
    run.tell(News::Health);
    let say = || {
        tracing::error!(
            path = %cell.path(), incarnation = run.incarnation(), hook, ?lasted, is_blocking,
            "stuck: it does not come to its end"
        );
    };
    // What follows does not depend on the host's subscriber.
    drop(catch_blocking(say));
    act(tree, (cell, watched), stuck, lasted);
}

/// Does what was declared for a run that is stuck, unless it has been asked to stop.
fn act(tree: &Tree, (cell, watched): (&Cell, &Watched), stuck: &Stuck, lasted: Duration) {
    let Watched { run, treatment } = watched;
    if run.stop().deadline().is_some() {
        return;
    }
    match treatment.on_stuck {
        OnStuck::Restart if !stuck.is_blocking => {
            let hook = stuck.hook;
            let text = format!("stuck: `{hook}` did not end in {}", readable(lasted));
            run.fail_from_outside(Exit::Failed(ErrorChain::message(&text)));
        }
        OnStuck::Report | OnStuck::Restart => {}
        OnStuck::EndProcess => tree.end_process(cell.path(), "stuck"),
    }
}
