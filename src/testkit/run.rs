//! A seeded run on the paused clock, and how to have the same one again.

use std::cell::Cell;
use std::future::Future;

use thiserror::Error;

use crate::exit::BoxError;
use crate::policy::backoff::RUN_SEED;

/// The environment variable whose number replaces the seed of every [`run`].
pub const SEED_VARIABLE: &str = "PERENNIAL_SEED";

/// Says why a run did not begin.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The variable `PERENNIAL_SEED` holds something else than a number.
    #[error("{SEED_VARIABLE} is no number from 0 to 2^64 - 1: {value:?}")]
    InvalidSeed {
        /// What it holds.
        value: String,
    },
    /// It was called inside a tokio runtime, and needs one of its own: in a plain `#[test]`.
    #[error("called inside a tokio runtime; call it in a plain #[test], not in a #[tokio::test]")]
    InsideRuntime,
    /// The runtime could not be made.
    #[error("no runtime could be made")]
    Runtime(#[source] std::io::Error),
}

impl RunError {
    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidSeed { .. } => "invalid_seed",
            Self::InsideRuntime => "inside_runtime",
            Self::Runtime(_) => "runtime",
        }
    }
}

/// Runs `body` on a runtime of its own, with one thread, the clock paused, and everything that this
/// crate draws taken from `seed`.
///
/// The paused clock stands still while anything can go on, and jumps to the next timer when nothing
/// can: an hour of backoff takes no time. Every tree that is started inside draws its jitter from the
/// seed, unless it has a [`Supervisor::seed`](crate::supervisor::Supervisor::seed) of its own, and so
/// does [`Chaos`](super::Chaos); [`seed`] returns it.
///
/// When the body fails, by an error or a panic, the seed is printed to stderr with the command that
/// repeats the run. That sets `PERENNIAL_SEED`, which replaces the seed of every run.
///
/// The same seed gives the same run as long as the tree's own code does: without `select!` unless it is
/// `biased`, random numbers of its own, iteration over a hash map, or threads (`blocking` children,
/// `spawn_blocking`, sockets), which know nothing of the paused clock.
///
/// # Errors
///
/// What the body returns, or [`RunError`] before it began.
pub fn run<T>(seed: u64, body: impl Future<Output = Result<T, BoxError>>) -> Result<T, BoxError> {
    let seed = chosen(seed)?;
    if tokio::runtime::Handle::try_current().is_ok() {
        return Err(RunError::InsideRuntime.into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .map_err(RunError::Runtime)?;
    let replay = Replay {
        seed,
        has_failed: Cell::new(false),
    };
    RUN_SEED.set(Some(seed));
    let outcome = runtime.block_on(body);
    replay.has_failed.set(outcome.is_err());
    // What still runs is dropped while it belongs to the run.
    drop(runtime);
    outcome
}

/// Returns the seed of the [`run`] that the caller is part of; `None` outside of one.
#[must_use]
pub fn seed() -> Option<u64> {
    RUN_SEED.get()
}

fn chosen(seed: u64) -> Result<u64, RunError> {
    match std::env::var(SEED_VARIABLE) {
        Ok(value) => {
            let number = value.trim().parse();
            number.map_err(|_invalid| RunError::InvalidSeed { value })
        }
        Err(std::env::VarError::NotPresent) => Ok(seed),
        Err(std::env::VarError::NotUnicode(value)) => Err(RunError::InvalidSeed {
            value: value.to_string_lossy().into_owned(),
        }),
    }
}

/// Ends a run, and says how to have it again if it failed.
struct Replay {
    seed: u64,
    has_failed: Cell<bool>,
}

impl Drop for Replay {
    #[allow(
        clippy::print_stderr,
        reason = "it speaks to who reads the output of a failed test"
    )]
    fn drop(&mut self) {
        RUN_SEED.set(None);
        if self.has_failed.get() || std::thread::panicking() {
            let seed = self.seed;
            // The test harness names a test's thread after the test.
            let thread = std::thread::current();
            let test = thread.name().filter(|name| *name != "main");
            let test = test.map_or_else(String::new, |name| format!(" {name}"));
            eprintln!("failed with seed {seed}; again: {SEED_VARIABLE}={seed} cargo test{test}");
        }
    }
}
