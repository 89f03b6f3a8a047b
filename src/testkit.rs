//! For tests of trees: waits without sleeping, orders faults, repeats a run by its seed.
//!
//! Behind the feature `testkit`, for `[dev-dependencies]`; without it nothing of this is in a program.
//! A test reads what the tree says and does to it what only an accident would; the children are the
//! program's own and know nothing of it.
//!
//! - [`run()`] runs a test on the paused clock with a seed, and says how to repeat one that failed.
//! - [`Recorder`] waits for an event or a state by path, and compares the order in which events came.
//! - [`crash`], [`fail`], [`hang`] and [`kill`] do to one child what [`Fault`] says.
//! - [`Chaos`] does it to many, at random moments.
//!
//! ```
//! use std::time::Duration;
//!
//! use perennial::supervisor::status::State;
//! use perennial::testkit::{self, Chaos, Recorder};
//! use perennial::{BoxError, Child, Context, Supervisor};
//!
//! // The program's own tree.
//! fn tree() -> Supervisor {
//!     let idle = |cx: Context| async move {
//!         cx.shutdown().await;
//!         Ok(())
//!     };
//!     Supervisor::rest_for_one("app")
//!         .child(Child::task("store", idle))
//!         .child(Child::task("parser", idle))
//! }
//!
//! fn main() -> Result<(), BoxError> {
//!     testkit::run(7, async {
//!         let running = tree().start().await?;
//!         let mut recorder = Recorder::new(&running);
//!
//!         testkit::crash(&running, "/app/store")?;
//!         recorder.wait_for_event("/app/parser", "started").await?;
//!         recorder.assert_order(&[
//!             ("/app/store", "exited: panicked"),
//!             ("/app/parser", "stopped"),
//!             ("/app/store", "started"),
//!             ("/app/parser", "started"),
//!         ]);
//!
//!         let chaos = Chaos::new().lasting(Duration::from_secs(600)).start(&running);
//!         let report = chaos.finished().await;
//!         for path in ["/app/store", "/app/parser"] {
//!             let settled = recorder.wait_for_state(path, State::Running).await;
//!             settled.map_err(|error| format!("{error}\n{report}"))?;
//!         }
//!         Ok(())
//!     })
//! }
//! ```

mod chaos;
mod fault;
mod observed;
mod order;
mod pattern;
mod recorder;
mod run;

pub use self::chaos::{Chaos, ChaosReport, DEFAULT_MEAN_INTERVAL, Injection, Monkey};
pub use self::fault::{Fault, FaultError, crash, fail, hang, inject, kill};
pub use self::observed::Observed;
pub use self::pattern::UnknownEvent;
pub use self::recorder::{DEFAULT_WAIT_TIMEOUT, Recorder, WaitError};
pub use self::run::{RunError, SEED_VARIABLE, run, seed};
