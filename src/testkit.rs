//! For tests of trees: waits without sleeping, orders faults, repeats a run by its seed.
//!
//! Behind the feature `testkit`, for `[dev-dependencies]`; without it nothing of this is in a program.
//! A test reads what the tree says and does to it what only an accident would; the children are the
//! program's own and know nothing of it.
//!
//! - [`run()`] runs a test on the paused clock with a seed, and says how to repeat one that failed.
//! - [`Recorder`] waits for an event or a state by path, and compares the order in which events came.
//! - [`crash`], [`fail`], [`hang`] and [`kill`] do to one child what [`Fault`] says.

mod fault;
mod observed;
mod order;
mod pattern;
mod recorder;
mod run;

pub use self::fault::{Fault, FaultError, crash, fail, hang, inject, kill};
pub use self::observed::Observed;
pub use self::pattern::UnknownEvent;
pub use self::recorder::{DEFAULT_WAIT_TIMEOUT, Recorder, WaitError};
pub use self::run::{RunError, SEED_VARIABLE, run, seed};
