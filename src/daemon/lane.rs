//! A place for code of the program's own that somebody waits for.
//!
//! How a struct is written out is the program's code, and may block or panic. Here it does so on a thread
//! of its own: who waits for it is told after a time, and everybody else does not notice.
//!
//! # Invariants
//!
//! 1. There is one such thread at a time, however often it is asked for.
//! 2. Nobody waits for it longer than [`PATIENCE`], the end of the process neither.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::exit::{Panic, catch_blocking};

/// How long somebody waits, for the place and for the code together: a struct is written in milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// The place. Clones speak of the same one.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    place: Arc<Semaphore>,
}

/// Says why there is no result.
#[derive(Debug, Error)]
pub(super) enum LaneError {
    /// What was asked for before has not ended.
    #[error("the program's own code, which was asked for before, does not come to an end")]
    Taken,
    /// It takes too long.
    #[error("the program's own code does not come to an end")]
    Slow,
    /// It panicked.
    #[error("the program's own code panicked: {0}")]
    Panicked(Panic),
    /// There is no thread to be had.
    #[error("there is no thread for the program's own code")]
    Thread(#[source] io::Error),
}

impl LaneError {
    /// Returns the cause as a stable lower-case word.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there is no admin socket"))]
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Taken => "in_progress",
            Self::Slow => "timed_out",
            Self::Panicked(_) => "failed",
            Self::Thread(_) => "thread_failed",
        }
    }
}

impl Lane {
    pub(super) fn new() -> Self {
        Self {
            place: Arc::new(Semaphore::new(1)),
        }
    }

    /// Runs the code.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped the code runs on, and keeps the place until it has ended.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        code: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, LaneError> {
        let until = Instant::now() + PATIENCE;
        let place = timeout_at(until, Arc::clone(&self.place).acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            return Err(LaneError::Taken);
        };
        let (told, result) = oneshot::channel();
        let named = std::thread::Builder::new().name("perennial-lane".to_owned());
        let spawned = named.spawn(move || {
            let result = catch_blocking(code);
            drop(place);
            // Fails when nobody waits any more.
            drop(told.send(result));
        });
        spawned.map_err(LaneError::Thread)?;
        match timeout_at(until, result).await {
            Ok(Ok(result)) => result.map_err(LaneError::Panicked),
            _ => Err(LaneError::Slow),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lane, LaneError};
    use std::sync::mpsc::channel;

    #[tokio::test]
    async fn a_panic_is_told_and_the_place_is_free_again() {
        let lane = Lane::new();
        let panicked = lane.run::<()>(|| panic!("on purpose")).await;
        let told = panicked.expect_err("it panicked").to_string();
        assert!(told.contains("on purpose"), "{told}");
        assert_eq!(lane.run(|| 7).await.ok(), Some(7));
    }

    #[tokio::test(start_paused = true)]
    async fn code_that_hangs_is_given_up_and_keeps_the_place_until_it_ends() {
        let lane = Lane::new();
        let (end, ends) = channel::<()>();
        let slow = lane.run(move || ends.recv()).await;
        assert!(matches!(slow, Err(LaneError::Slow)));
        assert!(matches!(lane.run(|| 7).await, Err(LaneError::Taken)));
        drop(end);
        let free = lane.place.acquire().await;
        drop(free.expect("it is never closed"));
    }
}
