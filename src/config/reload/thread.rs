//! The thread that reloads: it waits for wishes, and for files that change.

use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::Instant;

use super::{Cause, Reloaded, Reloader, tell_of_panic};
use crate::config::problem::ConfigError;
use crate::config::requests::Requests;
use crate::config::snapshot::{Config, Snapshot};
use crate::config::watch::{Hint, Settle, Watch};
use crate::exit::catch_blocking;

/// How often the files are looked at where no event comes: network file systems, a queue of events that
/// was too full, a folder further up that was replaced.
const POLL_PERIOD: Duration = Duration::from_secs(30);

/// The same while a folder that was watched is missing: another is about to take its place.
const MISSING_PERIOD: Duration = Duration::from_secs(1);

/// What is told after each reload that changed something, was refused or was asked for, and after the one
/// that finds that what was refused is taken back.
type Told<C> = dyn FnMut(Cause, &Result<Reloaded, ConfigError>, &Snapshot<C>) + Send;

impl<C: Config> Reloader<C> {
    /// Goes on reloading on a thread of its own until that is dropped.
    ///
    /// `watches_files` says whether a changed file is reason enough. `told` is called on that thread
    /// after each reload that changed something or was refused, or that somebody has asked for; and once
    /// when what was refused is taken back, with [`Reloaded::Unchanged`].
    ///
    /// # Errors
    ///
    /// The operating system's, when there is no thread to be had.
    pub fn start(
        mut self,
        watches_files: bool,
        mut told: impl FnMut(Cause, &Result<Reloaded, ConfigError>, &Snapshot<C>) + Send + 'static,
    ) -> io::Result<ReloadThread> {
        let requests = self.requests.clone();
        let run = move || {
            let mut watch = watches_files.then(|| Watch::new(self.requests.clone()));
            self.follow(watch.as_mut(), &mut told);
        };
        let named = std::thread::Builder::new().name("perennial-config".to_owned());
        Ok(ReloadThread {
            requests,
            thread: Some(named.spawn(run)?),
        })
    }

    fn follow(&mut self, mut watch: Option<&mut Watch>, told: &mut Told<C>) {
        // What changed between the first reading and the first watch is seen now.
        let mut settle = Settle::now();
        let mut last_look = Instant::now();
        loop {
            let now = Instant::now();
            let mut period = POLL_PERIOD;
            if let Some(watch) = &mut watch {
                let followed = watch.follow(&self.layers, &self.files);
                if followed.is_new {
                    settle.heed(Hint::Begun, now);
                }
                if !followed.is_all_there {
                    period = MISSING_PERIOD;
                }
            }
            let poll = (last_look + period).saturating_duration_since(now);
            let wishes = self
                .hearing
                .wait(settle.left(now).map_or(poll, |left| left.min(poll)));
            if wishes.is_over {
                return;
            }
            for wish in wishes.reloads {
                let result = self.reload(wish.cause);
                self.tell(told, wish.cause, &result);
                for waiting in wish.waiting {
                    // Fails when nobody waits for the answer any more.
                    drop(waiting.send(result.clone()));
                }
            }
            let now = Instant::now();
            for hint in wishes.hints {
                settle.heed(hint, now);
            }
            if settle.is_due(now) || now >= last_look + period {
                last_look = now;
                if watch.is_some() {
                    self.look_and_tell(told);
                }
            }
        }
    }

    fn look_and_tell(&mut self, told: &mut Told<C>) {
        if let Some(result) = self.look() {
            self.tell(told, Cause::File, &result);
        }
    }

    fn tell(&self, told: &mut Told<C>, cause: Cause, result: &Result<Reloaded, ConfigError>) {
        let told = catch_blocking(|| told(cause, result, &self.live.snapshot()));
        tell_of_panic("what is told of reloads", told);
    }
}

/// The thread that reloads; it ends when this is dropped.
#[derive(Debug)]
#[must_use = "nobody reloads any more when this is dropped"]
pub struct ReloadThread {
    requests: Requests,
    thread: Option<JoinHandle<()>>,
}

impl Drop for ReloadThread {
    fn drop(&mut self) {
        // Not joined: a validation of the user's that blocks must not hold the end of the process.
        self.requests.stop();
        drop(self.thread.take());
    }
}
