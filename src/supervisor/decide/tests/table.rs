//! The table of state × command: every cell is observed, and `docs/commands.md` shows what was.
//!
//! A supervisor is driven into each state and asked; a child that does as it is told follows until
//! the final answer. The page is written anew with `PERENNIAL_REGENERATE=1`.

use std::fmt::Write as _;
use std::path::Path as FilePath;

use super::*;
use crate::command::{CommandError, StartChildError};
use crate::path::Path;

/// The page, from the root of the crate on.
const PAGE: &str = "docs/commands.md";
const BEGIN: &str = "<!-- generated from src/supervisor/decide/tests/table.rs: begin -->";
const END: &str = "<!-- generated: end -->";

/// The commands on a child that is there, in the order of the columns.
const ASKS: [Ask; 4] = [Ask::Stop, Ask::Restart, Ask::Delete, Ask::Release];

/// The ticket of the command in question.
const ASKED: Ticket = 77;

/// The child in question: the last one, whatever stands before it.
fn subject(bench: &Bench) -> Key {
    let last = bench.supervision.children.keys().next_back();
    last.copied().expect("it has children")
}

/// Lists every state of a child, as an operator would name it, and how it comes about.
fn states() -> Vec<(&'static str, Bench)> {
    let up = |child: Policy| Bench::up(Strategy::OneForOne, None, &[child]);
    let hung = || {
        let mut bench = up(policy(Restart::Permanent));
        bench.is_over(0);
        bench.pass(KILL_PATIENCE);
        bench
    };
    let made = |mut bench: Bench, become_so: &dyn Fn(&mut Bench)| {
        become_so(&mut bench);
        bench
    };
    let permanent = || up(policy(Restart::Permanent));
    let quarantined = Policy {
        limit: in_ten_seconds(0),
        ..policy(Restart::Permanent)
    };
    let added = |bench: &mut Bench| drop(bench.adds(policy(Restart::Permanent), 1));
    vec![
        (
            "starting for the first time, by `start_child`",
            made(Bench::up(Strategy::OneForOne, None, &[]), &added),
        ),
        (
            "starting again",
            made(permanent(), &|bench| drop(bench.ends(0, failed()))),
        ),
        ("up", permanent()),
        ("up, and temporary", up(policy(Restart::Temporary))),
        (
            "ending: its body is over, its task is not",
            made(permanent(), &|bench| drop(bench.is_over(0))),
        ),
        (
            "waiting for its restart",
            made(up(waiting()), &|bench| {
                bench.ends(0, failed());
                bench.ends(0, failed());
            }),
        ),
        (
            "killed because its start took too long",
            made(permanent(), &|bench| {
                bench.ends(0, failed());
                bench.pass(seconds(30));
            }),
        ),
        (
            "stopping, by hand",
            made(permanent(), &|bench| drop(bench.ask(0, Ask::Stop, 1))),
        ),
        (
            "down",
            made(up(policy(Restart::Transient)), &|bench| {
                drop(bench.ends(0, Exit::Normal));
            }),
        ),
        (
            "quarantined",
            made(up(quarantined), &|bench| drop(bench.ends(0, failed()))),
        ),
        ("hung", hung()),
    ]
}

/// Lists what a supervisor may be busy with while its last child is up, or was.
fn modes() -> Vec<(&'static str, Bench)> {
    let two = permanent::<2>();
    let made = |mut bench: Bench, become_so: &dyn Fn(&mut Bench)| {
        become_so(&mut bench);
        bench
    };
    let three = [
        policy(Restart::Permanent),
        policy(Restart::Permanent),
        policy(Restart::Permanent),
    ];
    vec![
        (
            "starting its declared children",
            made(
                Bench::new(rules(Strategy::OneForOne, None), &two),
                &|bench| {
                    bench.tell(Happened::Began);
                    bench.acknowledges(0);
                },
            ),
        ),
        ("watching", Bench::up(Strategy::OneForOne, None, &two)),
        (
            "restarting a group that the child belongs to",
            made(Bench::up(Strategy::OneForAll, None, &three), &|bench| {
                drop(bench.ends(0, failed()));
            }),
        ),
        (
            "stopping its children: a meltdown, or nothing left to do",
            made(
                Bench::up(Strategy::OneForOne, in_ten_seconds(0), &two),
                &|bench| drop(bench.ends(0, failed())),
            ),
        ),
        (
            "stopping its children: its own supervisor asked for that",
            made(Bench::up(Strategy::OneForOne, None, &two), &|bench| {
                drop(bench.stop_within(seconds(5)));
            }),
        ),
        (
            "watching, but the shutdown of the whole tree has begun",
            made(Bench::up(Strategy::OneForOne, None, &two), &|bench| {
                drop(bench.tell(Happened::ShutdownBegan));
            }),
        ),
    ]
}

/// How a child answers to what its supervisor asks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    DoesAsTold,
    HangsWhenStopped,
    FailsToStart,
    NeverStarts,
}

/// What was seen from the command to its answer.
struct Seen {
    steps: Vec<&'static str>,
    answer: Result<(), Refusal>,
    is_at_once: bool,
}

/// Lets a child follow until the command in question is answered.
fn follow(bench: &mut Bench, key: Key, manner: Manner, mut actions: Vec<Action>) -> Seen {
    let mut steps: Vec<&'static str> = Vec::new();
    for round in 0..8 {
        for action in &actions {
            let step = match action {
                Action::Kill { .. } => "is killed",
                Action::Stop { .. } if !killed(&actions).is_empty() => continue,
                Action::Stop { .. } => "is asked to stop",
                Action::Start { .. } => "starts",
                Action::Remove { .. } => "is removed",
                _ => continue,
            };
            steps.push(step);
        }
        let answer = answers(&actions)
            .into_iter()
            .find(|(ticket, _)| *ticket == ASKED);
        if let Some((_, answer)) = answer {
            let is_at_once = round == 0;
            return Seen {
                steps,
                answer,
                is_at_once,
            };
        }
        let exit = match killed(&actions).is_empty() {
            true => Exit::Shutdown,
            false => Exit::Killed,
        };
        actions = match (bench.phase(key), manner) {
            (Phase::Stopping(_), Manner::HangsWhenStopped) => bench.pass(seconds(5)),
            (Phase::Stopping(_) | Phase::StartTimedOut, _) => bench.ends(key, exit),
            (Phase::Starting, Manner::FailsToStart) => bench.ends(key, failed()),
            (Phase::Starting, Manner::NeverStarts) => bench.pass(seconds(30)),
            (Phase::Starting, _) => bench.acknowledges(key),
            (phase, _) => panic!("nothing leads from {phase:?} to an answer"),
        };
    }
    panic!("no answer: {steps:?}")
}

/// Names what has become of a child.
fn fate(bench: &Bench, key: Key) -> &'static str {
    let Some(child) = bench.supervision.children.get(&key) else {
        return "gone";
    };
    match &child.phase {
        Phase::Up { .. } => "up",
        Phase::Down => "down",
        Phase::Hung { .. } => "hung",
        phase => panic!("{phase:?} is not final"),
    }
}

/// Returns the word that the caller gets for a refusal.
fn code(refusal: &Refusal) -> &'static str {
    CommandError::new(refusal.clone(), Path::root("app")).code()
}

/// Asks and describes what follows, as a cell of a table.
fn cell(bench: &mut Bench, ask: Ask, manner: Manner) -> String {
    let key = subject(bench);
    let before = bench.phase(key);
    let actions = bench.ask(key, ask, ASKED);
    let seen = follow(bench, key, manner, actions);
    described(bench, key, seen, before)
}

fn described(bench: &mut Bench, key: Key, seen: Seen, before: Phase) -> String {
    let Seen {
        steps,
        answer,
        is_at_once,
    } = seen;
    let steps = steps.join(", ");
    match answer {
        Ok(()) if steps.is_empty() && bench.phase(key) == before => "`ok`: nothing to do".into(),
        Ok(()) if steps.is_empty() => format!("`ok`: now {}", fate(bench, key)),
        Ok(()) if is_at_once => format!("{steps}: `ok`"),
        Ok(()) => format!("{steps}; `ok` when it is {}", fate(bench, key)),
        Err(Refusal::Hung) => {
            // Its task ends after all, with an exit after which every type but temporary restarts.
            let comes_back = !started(&bench.ends(key, failed())).is_empty();
            let then = match comes_back {
                true => "restarts by its type",
                false => "stays down",
            };
            let steps = if steps.is_empty() {
                steps
            } else {
                format!("{steps}; ")
            };
            format!("{steps}`hung`; should its task end, it {then}")
        }
        Err(refusal) if steps.is_empty() => format!("`{}`", code(&refusal)),
        Err(refusal) => format!("{steps}; `{}`: {}", code(&refusal), fate(bench, key)),
    }
}

/// Says what `start_child` with the name of a child that is there is answered.
fn same_name(bench: &Bench) -> String {
    let is_alive = bench.supervision.has_task(subject(bench));
    let error = StartChildError::AlreadyPresent {
        path: Path::root("app"),
        is_alive,
    };
    let lives = if is_alive {
        "its task lives"
    } else {
        "no task of it lives"
    };
    format!("`{}`: {lives}", error.code())
}

/// Says what `start_child` with another name is answered.
fn another_name(bench: &mut Bench) -> String {
    if let Some(refusal) = bench.supervision.refusal_to_add() {
        let error = StartChildError::new(refusal, Path::root("app"));
        return format!("`{}`", error.code());
    }
    let (key, actions) = bench.adds(policy(Restart::Permanent), ASKED);
    let seen = follow(bench, key, Manner::DoesAsTold, actions);
    described(bench, key, seen, Phase::Pending)
}

fn line(table: &mut String, cells: &[String]) {
    writeln!(table, "| {} |", cells.join(" | ")).expect("a string grows");
}

fn head(table: &mut String, titles: &[&str]) {
    line(
        table,
        &titles.iter().map(ToString::to_string).collect::<Vec<_>>(),
    );
    line(table, &vec!["---".to_owned(); titles.len()]);
}

fn table_of_states() -> String {
    let mut table = String::from("### While the supervisor watches\n\n");
    let commands = [
        "`stop_child`",
        "`restart_child`",
        "`delete_child`",
        "`release`",
    ];
    let titles = [
        &["the child is"][..],
        &commands,
        &["`start_child`, same name"],
    ]
    .concat();
    head(&mut table, &titles);
    for (row, (title, bench)) in states().into_iter().enumerate() {
        let mut cells = vec![title.to_owned()];
        for ask in ASKS {
            let (_, mut bench) = states().swap_remove(row);
            cells.push(cell(&mut bench, ask, Manner::DoesAsTold));
        }
        cells.push(same_name(&bench));
        line(&mut table, &cells);
    }
    table
}

fn table_of_modes() -> String {
    let mut table = String::from("### Whatever the child is doing\n\n");
    let commands = [
        "`stop_child`",
        "`restart_child`",
        "`delete_child`",
        "`release`",
    ];
    let titles = [
        &["the supervisor is"][..],
        &commands,
        &["`start_child`, new name"],
    ]
    .concat();
    head(&mut table, &titles);
    for (row, (title, mut bench)) in modes().into_iter().enumerate() {
        let mut cells = vec![title.to_owned()];
        for ask in ASKS {
            let (_, mut bench) = modes().swap_remove(row);
            cells.push(match bench.is_running() && !bench.supervision.is_quiet() {
                true => "see above".to_owned(),
                false => cell(&mut bench, ask, Manner::DoesAsTold),
            });
        }
        cells.push(another_name(&mut bench));
        line(&mut table, &cells);
    }
    let outside = "restarting a group that the child does not belong to";
    let mut bench = Bench::up(Strategy::RestForOne, None, &permanent::<3>());
    bench.ends(1, failed());
    let mut cells = vec![outside.to_owned()];
    for ask in ASKS {
        // A command that is let through is answered as if there were no group.
        let mut bench = Bench::up(Strategy::RestForOne, None, &permanent::<3>());
        bench.ends(1, failed());
        let actions = bench.ask(0, ask, ASKED);
        let refused = Err(Refusal::InProgress);
        assert!(!answers(&actions).contains(&(ASKED, refused)), "{ask:?}");
        cells.push("see above".to_owned());
    }
    cells.push(another_name(&mut bench));
    line(&mut table, &cells);
    table
}

fn table_of_troubles() -> String {
    let mut table = String::from("### When the child does not do as it is told\n\n");
    head(&mut table, &["the child", "command", "what follows"]);
    let state = |name: &str| {
        let found = states().into_iter().find(|(title, _)| *title == name);
        found.expect("a state of the first table").1
    };
    let rows = [
        ("up", Ask::Stop, Manner::HangsWhenStopped, "`stop_child`"),
        (
            "up",
            Ask::Restart,
            Manner::HangsWhenStopped,
            "`restart_child`",
        ),
        ("up", Ask::Restart, Manner::FailsToStart, "`restart_child`"),
        (
            "up, and temporary",
            Ask::Restart,
            Manner::FailsToStart,
            "`restart_child`",
        ),
        ("down", Ask::Restart, Manner::NeverStarts, "`restart_child`"),
        (
            "quarantined",
            Ask::Release,
            Manner::FailsToStart,
            "`release`",
        ),
    ];
    let title = |manner| match manner {
        Manner::DoesAsTold => "does as it is told",
        Manner::HangsWhenStopped => "neither stops nor dies",
        Manner::FailsToStart => "fails to start",
        Manner::NeverStarts => "is not up in time",
    };
    for (name, ask, manner, command) in rows {
        let follows = cell(&mut state(name), ask, manner);
        let child = format!("is {name}, and {}", title(manner));
        line(&mut table, &[child, command.to_owned(), follows]);
    }
    let mut bench = Bench::up(Strategy::OneForOne, None, &[]);
    let (key, actions) = bench.adds(policy(Restart::Permanent), ASKED);
    let seen = follow(&mut bench, key, Manner::FailsToStart, actions);
    let follows = described(&mut bench, key, seen, Phase::Pending);
    let child = format!("is new, and {}", title(Manner::FailsToStart));
    line(&mut table, &[child, "`start_child`".to_owned(), follows]);
    table
}

#[test]
fn the_page_of_commands_shows_what_every_command_does_in_every_state() {
    let tables = [table_of_states(), table_of_modes(), table_of_troubles()].join("\n");
    let observed = format!("{BEGIN}\n\n{tables}\n{END}");
    let file = FilePath::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = std::fs::read_to_string(&file).expect("the page is there");
    let marked = |marker| page.find(marker).expect("the page has its markers");
    let (begin, end) = (marked(BEGIN), marked(END) + END.len());
    if page[begin..end] == observed {
        return;
    }
    let anew = format!("{}{observed}{}", &page[..begin], &page[end..]);
    if std::env::var_os("PERENNIAL_REGENERATE").is_some() {
        std::fs::write(&file, anew).expect("the page can be written");
        return;
    }
    let differs = |(shown, seen): &(&str, &str)| shown != seen;
    let first = page[begin..end].lines().zip(observed.lines()).find(differs);
    panic!(
        "{PAGE} does not show what the commands do; if that is meant, write it anew with\n\
         PERENNIAL_REGENERATE=1 cargo test --lib the_page_of_commands\n\
         first difference (shown, observed): {first:#?}"
    );
}

#[test]
fn a_supervisor_that_refuses_does_so_whatever_its_child_is_doing() {
    // By hand: each of these is also reached in the tables, but not each in each.
    for (title, mut bench) in modes() {
        let is_open = bench.is_running() && !bench.supervision.is_quiet();
        if is_open {
            continue;
        }
        let key = subject(&bench);
        let phases = states()
            .into_iter()
            .map(|(_, state)| state.phase(subject(&state)));
        for phase in phases.collect::<Vec<_>>() {
            bench.supervision.set_phase(key, phase.clone());
            for ask in ASKS {
                let answered = answers(&bench.ask(key, ask, ASKED));
                let [(ASKED, Err(refusal))] = &answered[..] else {
                    panic!("{title}, {phase:?}, {ask:?}: {answered:?}")
                };
                let is_of_the_supervisor = matches!(
                    refusal,
                    Refusal::Starting | Refusal::InProgress | Refusal::ShuttingDown
                );
                assert!(is_of_the_supervisor, "{title}, {phase:?}, {ask:?}");
                assert_eq!(bench.phase(key), phase);
            }
        }
    }
}
