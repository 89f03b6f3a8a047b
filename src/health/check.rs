//! A check that is asked again and again: what to ask, how often, and how often it has to fail.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::Tally;
use crate::exit::BoxError;

/// How long a check may take when nothing was set: Kubernetes' choice for its probes.
pub const DEFAULT_CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// How often in a row a check has to fail when nothing was set: Kubernetes' choice.
pub const DEFAULT_CHECK_FAILURES: u32 = 3;

/// How often in a row it has to pass after that: Kubernetes' choice.
pub const DEFAULT_CHECK_SUCCESSES: u32 = 1;

type Answer = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// A check of a child, which runs beside it for as long as it is up.
///
/// Defaults: as often as the tree says (5 s, `[monitoring] health_interval`), at most 1 s each, failed
/// after 3 failures in a row, well after 1 success.
///
/// ```
/// # use std::time::Duration;
/// # use perennial::{Child, Context};
/// # use perennial::health::{HealthCheck, OnFailed};
/// # async fn ping() -> Result<(), perennial::BoxError> { Ok(()) }
/// let check = HealthCheck::new(|| async { ping().await }).interval(Duration::from_secs(2));
/// let child = Child::task("database", |cx: Context| async move { cx.shutdown().await; Ok(()) })
///     .health_check(check)
///     .on_failed(OnFailed::Restart);
/// ```
#[derive(Clone)]
#[must_use = "a check does nothing until a child has it"]
pub struct HealthCheck {
    ask: Arc<dyn Fn() -> Answer + Send + Sync>,
    interval: Option<Duration>,
    pub(crate) timeout: Duration,
    failures: u32,
    successes: u32,
}

impl HealthCheck {
    /// Makes a check. What it returns as an error is the reason; a panic, and taking too long, are
    /// failures too. It runs as part of the child's run, for which
    /// [`Context::current`](crate::context::Context::current) is set.
    pub fn new<F, Fut>(ask: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        Self {
            ask: Arc::new(move || Box::pin(ask())),
            interval: None,
            timeout: DEFAULT_CHECK_TIMEOUT,
            failures: DEFAULT_CHECK_FAILURES,
            successes: DEFAULT_CHECK_SUCCESSES,
        }
    }

    /// Sets how long to wait from one answer to the next question; 0 is never to ask. Default: what the
    /// tree says.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Sets how long an answer may take. Default 1 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how often in a row it has to fail before the child counts as failed. Default 3; at least 1.
    pub fn failures(mut self, failures: u32) -> Self {
        self.failures = failures.max(1);
        self
    }

    /// Sets how often in a row it has to pass before the child counts as well again. Default 1; at least
    /// 1.
    pub fn successes(mut self, successes: u32) -> Self {
        self.successes = successes.max(1);
        self
    }

    pub(crate) fn ask(&self) -> impl Future<Output = Result<(), BoxError>> + Send + use<> {
        let ask = Arc::clone(&self.ask);
        async move { ask().await }
    }

    /// Returns its own interval, or else the tree's; `None` when that is never.
    pub(crate) fn interval_or(&self, of_tree: Duration) -> Option<Duration> {
        let interval = self.interval.unwrap_or(of_tree);
        (!interval.is_zero()).then_some(interval)
    }

    pub(crate) fn tally(&self) -> Tally {
        Tally::new(self.failures, self.successes)
    }
}

impl fmt::Debug for HealthCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthCheck")
            .field("interval", &self.interval)
            .field("timeout", &self.timeout)
            .field("failures", &self.failures)
            .field("successes", &self.successes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::HealthCheck;
    use std::time::Duration;

    #[test]
    fn its_own_interval_comes_before_the_trees_and_zero_is_never() {
        let (never, short, long) = (
            Duration::ZERO,
            Duration::from_secs(1),
            Duration::from_secs(5),
        );
        for (own, of_tree, expected) in [
            (None, long, Some(long)),
            (None, never, None),
            (Some(short), long, Some(short)),
            (Some(short), never, Some(short)),
            (Some(never), long, None),
        ] {
            let check = HealthCheck::new(|| async { Ok(()) });
            let check = match own {
                Some(own) => check.interval(own),
                None => check,
            };
            assert_eq!(check.interval_or(of_tree), expected, "{own:?} {of_tree:?}");
        }
    }
}
