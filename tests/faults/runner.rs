//! Runs the cells of a hook: each in a tree, a runtime and a thread of its own.

use std::future::Future;
use std::panic::{self, catch_unwind};
use std::sync::{Arc, Once};
use std::thread;
use std::time::Duration;

use perennial::command::StartChildError;
use perennial::{
    Child, Context, Restart, Running, ShutdownReason, StartError, StopReport, Supervisor,
};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use crate::cell::{Cell, Fault, Hook, Phase, Verdict};
use crate::expected::BUDGET;
use crate::gate::Gate;
use crate::site::Alive;
use crate::subject;
use crate::table::{Row, TABLE};
use crate::watch::{Watch, outcome_of, same, within};

/// The supervisor that is started when the start itself has the fault.
const INNER: &str = "/app/late/inner";

/// Prints what is said of a panic, but no backtrace: hundreds of them, resolved at once, take the
/// seconds in which a child has to start.
fn print_panics_in_short() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| panic::set_hook(Box::new(|info| eprintln!("{info}"))));
}

/// Runs every cell of one hook and fails with one line for each that is not as the table says.
pub(crate) fn check(hook: Hook) {
    print_panics_in_short();
    let rows = TABLE.iter().filter(|Row(own, ..)| *own == hook);
    let cells = rows.flat_map(|Row(hook, fault, verdicts)| {
        Phase::ALL
            .iter()
            .zip(verdicts)
            .map(|(phase, verdict)| Cell {
                hook: *hook,
                fault: *fault,
                phase: *phase,
                verdict: *verdict,
            })
    });
    let exists = |cell: &Cell| !matches!(cell.verdict, Verdict::Never(_));
    let runs: Vec<_> = cells
        .filter(exists)
        .map(|cell| (cell, thread::spawn(move || run(cell))))
        .collect();
    let failed: Vec<_> = runs
        .into_iter()
        .filter_map(|(cell, run)| {
            let outcome = run.join().unwrap_or_else(|_| Err("it panicked".to_owned()));
            outcome.err().map(|error| format!("{cell}: {error}"))
        })
        .collect();
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

/// Says that no row is missing and none stands twice.
pub(crate) fn check_the_table() {
    for (index, Row(hook, fault, _)) in TABLE.iter().enumerate() {
        let same = |Row(other, kind, _): &&Row| other == hook && kind == fault;
        let first = TABLE.iter().position(|row| same(&row));
        assert_eq!(first, Some(index), "{hook:?} × {fault:?} stands twice");
    }
    let hooks = TABLE.chunks(Fault::ALL.len());
    for rows in hooks {
        let faults: Vec<_> = rows.iter().map(|Row(_, fault, _)| *fault).collect();
        assert_eq!(faults, Fault::ALL, "{:?}", rows[0].0);
    }
}

fn run(cell: Cell) -> Result<(), String> {
    in_a_runtime(cell, |gate| in_a_running_tree(cell, gate))?;
    if cell.phase == Phase::Starting {
        in_a_runtime(cell, |gate| in_a_tree_that_starts(cell, gate))?;
    }
    Ok(())
}

fn in_a_runtime<F>(cell: Cell, scenario: impl FnOnce(Arc<Gate>) -> F) -> Result<(), String>
where
    F: Future<Output = Result<(), String>>,
{
    let runtime = runtime(cell).map_err(|error| error.to_string())?;
    let gate = Arc::new(Gate::new());
    let scenario = scenario(Arc::clone(&gate));
    let outcome = catch_unwind(panic::AssertUnwindSafe(|| runtime.block_on(scenario)));
    // Whatever came of it: a blocked thread would keep the runtime, and the test, for ever.
    gate.release();
    runtime.shutdown_timeout(Duration::from_secs(5));
    outcome.unwrap_or_else(|_| Err("the test panicked".to_owned()))
}

fn runtime(cell: Cell) -> std::io::Result<Runtime> {
    match cell.needs_threads() {
        true => Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build(),
        false => Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build(),
    }
}

/// A child that is added to see whether a supervisor answers, and stopped again.
fn probe() -> Child {
    let listens = |cx: Context| async move {
        cx.shutdown().await;
        Ok(())
    };
    Child::task("", listens).restart(Restart::Temporary)
}

/// A child without a fault.
fn good(name: &str, gate: &Arc<Gate>) -> Child {
    Child::task_with(name, Arc::clone(gate), |cx, gate| async move {
        let _alive = Alive::new(&gate);
        cx.shutdown().await;
        Ok(())
    })
}

/// The fault in a tree that is up: the child begins with the tree or, if its start has the fault,
/// below a supervisor that is added.
async fn in_a_running_tree(cell: Cell, gate: Arc<Gate>) -> Result<(), String> {
    let is_late = cell.phase == Phase::Starting;
    let subject = subject::declare(cell, &gate);
    let inner = Supervisor::one_for_one("inner");
    let tree = Supervisor::one_for_one("app").child(good("sibling", &gate));
    let (tree, inner, path) = match is_late {
        true => (tree, inner.child(subject), format!("{INNER}/subject")),
        false => (tree.child(subject), inner, "/app/subject".to_owned()),
    };
    let tree = tree.child(Supervisor::dynamic("late"));
    let running = within("the tree's start", tree.start()).await?;
    let running = running.map_err(|error| error.to_string())?;
    let mut watch = Watch::new(&running, &path);
    let began = Instant::now();
    let starting = is_late.then(|| {
        let late = running.supervisor("/app/late");
        tokio::spawn(async move { late.expect("it is declared").start_child(inner).await })
    });
    provoke(cell, &gate, &running);
    if cell.phase != Phase::ShuttingDown {
        within("the fault", gate.on.wait()).await?;
        answers(cell, &running).await?;
    }
    if cell.phase != Phase::ShuttingDown && cell.fault == Fault::Slow {
        if cell.needs_threads() {
            gate.release();
        }
        within("the end of what is slow", gate.over.wait()).await?;
    }
    watch.until(&cell.events_before_the_stop()).await?;
    if let Some(starting) = starting {
        let answer = within("the answer to start_child", starting).await?;
        check_answer(cell, answer.map_err(|error| error.to_string())?)?;
    }
    if let (false, Some(at)) = (cell.needs_threads(), watch.last_at) {
        same("time", at - began, cell.time_before_the_stop())?;
    }
    check_snapshot(cell, &running, &path)?;
    let (report, took) = match cell.phase {
        Phase::ShuttingDown => stop_into_the_fault(cell, &gate, &running, &mut watch).await?,
        _ => {
            let asked = Instant::now();
            let report = within("the report", running.stop(BUDGET)).await?;
            (report, asked.elapsed())
        }
    };
    check_report(cell, &report, took, &path)?;
    watch.read_on().await?;
    let mut expected = cell.events_before_the_stop();
    expected.extend(cell.events_of_the_stop());
    same("events", watch.seen, expected)?;
    check_remains(cell, &gate).await
}

/// Brings about what leads to the fault.
fn provoke(cell: Cell, gate: &Gate, running: &Running) {
    // Who is no actor, or not up, does not take the message; it looks at the switches.
    match (cell.phase, cell.incarnation()) {
        (Phase::Starting, _) => {}
        (_, 2) if cell.hook == Hook::StepBody => {
            let running = running.observer();
            tokio::spawn(async move { drop(running.restart_child("/app/subject").await) });
        }
        (_, 2) => {
            gate.crash.set();
            drop(gate.address.cast(subject::Msg::Crash));
        }
        (Phase::ShuttingDown, _) if cell.is_at_the_end() => {}
        _ => {
            gate.go.set();
            drop(gate.address.cast(subject::Msg::Go));
        }
    }
}

/// The supervisors answer at once, whatever the child does.
async fn answers(cell: Cell, running: &Running) -> Result<(), String> {
    let asked = Instant::now();
    let parent = match cell.phase {
        Phase::Starting => INNER,
        _ => "/app",
    };
    let allowed: &[&str] = match (cell.phase, cell.verdict) {
        (Phase::ShuttingDown, _) => &["shutting_down", "not_running"],
        // A supervisor whose child did not start is on its way out, or gone.
        (Phase::Starting, Verdict::Ends(_)) => &["starting", "shutting_down", "not_running"],
        (Phase::Starting, Verdict::Hangs) => &["starting"],
        (Phase::Starting, _) => &["starting", "started"],
        _ => &["started"],
    };
    for path in [parent, "/app/late"] {
        let Some(supervisor) = running.supervisor(path) else {
            continue;
        };
        if supervisor.count_children().is_none() || running.snapshot().root.path != "/app" {
            return Err(format!("{path} can't be read"));
        }
        let probe = probe();
        let answer = within(
            "an answer while the fault is on",
            supervisor.start_child(probe),
        );
        let code = match answer.await? {
            Ok(started) => {
                let stopped = within("a stop by hand", supervisor.stop_child(started.name()));
                // It may be stopped already where the supervisor's own start has failed.
                drop(stopped.await?);
                "started"
            }
            Err(error) => error.code(),
        };
        let is_allowed = allowed.contains(&code) || (path != parent && code == "started");
        if !is_allowed {
            return Err(format!(
                "{path} answered {code}, expected one of {allowed:?}"
            ));
        }
    }
    match cell.needs_threads() {
        true => Ok(()),
        false => same("time of the answers", asked.elapsed(), Duration::ZERO),
    }
}

fn check_answer(
    cell: Cell,
    answer: Result<perennial::Path, StartChildError>,
) -> Result<(), String> {
    let seen = match answer {
        Ok(path) => format!("{path} is up"),
        Err(StartChildError::Failed { path, exit }) => format!("{path}: {}", exit.code()),
        Err(error) => error.to_string(),
    };
    let expected = match cell.verdict {
        Verdict::Ends(exit) => format!("{INNER}: {exit}"),
        Verdict::Hangs => format!("{INNER}: start_timed_out"),
        _ => format!("{INNER} is up"),
    };
    same("the answer to start_child", seen, expected)
}

fn check_snapshot(cell: Cell, running: &Running, path: &str) -> Result<(), String> {
    let snapshot = running.snapshot();
    let (mut state, mut last_exit, mut sibling) = (None, None, None);
    snapshot.root.visit(&mut |node| {
        if node.path == *path {
            state = Some(node.state.code());
            last_exit = node.last_exit.as_ref().map(|exit| exit.code());
        } else if node.path == "/app/sibling" {
            sibling = Some((node.state.code(), node.incarnation));
        }
    });
    same("the sibling", sibling, Some(("running", 1)))?;
    let expected = cell.state_before_the_stop();
    if cell.phase == Phase::ShuttingDown {
        return Ok(());
    }
    same("state", state, expected)?;
    match expected {
        Some(_) => same("last exit", last_exit, cell.last_exit()),
        None => Ok(()),
    }
}

/// Stops the tree so that the stop meets the fault.
async fn stop_into_the_fault(
    cell: Cell,
    gate: &Gate,
    running: &Running,
    watch: &mut Watch,
) -> Result<(StopReport, Duration), String> {
    if !cell.is_at_the_end() {
        within("the hook with the fault", gate.entered.wait()).await?;
    }
    let asked = Instant::now();
    running.shutdown(ShutdownReason::Requested, BUDGET);
    let mut until_asked = cell.events_before_the_stop();
    until_asked.push("stop_requested".to_owned());
    watch.until(&until_asked).await?;
    let is_instant = matches!(cell.fault, Fault::Panic | Fault::Error);
    if cell.waits_for_the_stop_on_its_thread() && cell.fault != Fault::Block {
        // With an answer the loop has done all that it decided on, the kill included.
        answers(cell, running).await?;
        gate.release();
    } else if !is_instant {
        within("the fault", gate.on.wait()).await?;
        answers(cell, running).await?;
        if cell.fault == Fault::Slow {
            gate.release();
        }
    }
    let report = within("the report", running.wait()).await?;
    Ok((report, asked.elapsed()))
}

fn check_report(cell: Cell, report: &StopReport, took: Duration, path: &str) -> Result<(), String> {
    if took > BUDGET {
        return Err(format!("the shutdown took {took:?} of {BUDGET:?}"));
    }
    if !cell.needs_threads() {
        same("time of the stop", took, cell.time_of_the_stop())?;
    }
    let lines = report.lines();
    let line = lines.iter().find(|(_, line)| line.path == *path);
    let seen = line.map(|(_, line)| outcome_of(&line.outcome));
    same("outcome", seen.as_deref(), cell.outcome())?;
    // Hung is what blocks, and what stands above it, because that is not over either.
    let hung: Vec<_> = report.hung().iter().map(ToString::to_string).collect();
    let is_above = |above: &&str| path.starts_with(&format!("{above}/")) || *path == **above;
    let chain = ["/app", "/app/late", INNER, path];
    let expected = match cell.outcome() {
        Some("hung") => chain.iter().filter(|path| is_above(path)).collect(),
        _ => Vec::new(),
    };
    let expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
    same("hung", hung, expected)
}

/// Nothing is left but what hangs, and that ends once it is let go.
async fn check_remains(cell: Cell, gate: &Gate) -> Result<(), String> {
    let hangs = cell.outcome() == Some("hung");
    if !hangs {
        return same("what is left alive", *gate.alive.borrow(), 0);
    }
    // A child with a subtask that hangs counts once for itself and once for that.
    let left = *gate.alive.borrow();
    if left > 1 + usize::from(cell.is_subtask()) {
        return Err(format!("{left} things are left alive"));
    }
    gate.release();
    within("the end of what hangs", gate.nothing_left()).await
}

/// The fault in the initial start of the tree itself.
async fn in_a_tree_that_starts(cell: Cell, gate: Arc<Gate>) -> Result<(), String> {
    let tree = Supervisor::one_for_one("app")
        .child(good("before", &gate))
        .child(subject::declare(cell, &gate))
        .child(good("after", &gate));
    let began = Instant::now();
    // Not in a task: the child that blocks might wake it into a slot of its own thread.
    let releasing = async {
        gate.on.wait().await;
        if cell.fault == Fault::Slow {
            gate.release();
        }
        std::future::pending::<()>().await;
    };
    let started = tokio::select! {
        started = within("the tree's start", tree.start()) => started?,
        () = releasing => return Err("it is for ever".to_owned()),
    };
    if !cell.needs_threads() {
        same(
            "time of the start",
            began.elapsed(),
            cell.time_before_the_stop(),
        )?;
    }
    let running = match (started, cell.verdict) {
        (Ok(running), Verdict::Lives(_)) => running,
        (Err(StartError::Failed { path, exit }), verdict) => {
            let expected = match verdict {
                Verdict::Ends(exit) => exit,
                _ => "start_timed_out",
            };
            same("the path", path.as_str(), "/app/subject")?;
            same("the exit of the start", exit.code(), expected)?;
            return check_remains(cell, &gate).await;
        }
        (Ok(_running), _) => return Err("the tree is up".to_owned()),
        (Err(error), _) => return Err(format!("the tree is not up: {error}")),
    };
    let asked = Instant::now();
    let report = within("the report", running.stop(BUDGET)).await?;
    check_report(cell, &report, asked.elapsed(), "/app/subject")?;
    check_remains(cell, &gate).await
}
