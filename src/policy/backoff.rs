//! How long a child waits before it comes back.
//!
//! Exponential with jitter: a subsystem that fails because something else is away should ask again
//! soon at first, rarely later, and not in step with a thousand others. The value is validated
//! when it is made; the delay is a pure function of the attempt and of a random number given from
//! outside, so that a run can be replayed.

use std::time::Duration;

use thiserror::Error;

/// The first delay that is not zero.
pub const DEFAULT_BACKOFF_FIRST: Duration = Duration::from_millis(100);
/// The longest delay, and the time up and well after which a child counts as recovered.
pub const DEFAULT_BACKOFF_MAX: Duration = Duration::from_secs(30);
/// By what each delay grows.
pub const DEFAULT_BACKOFF_FACTOR: f64 = 2.0;
/// The share of a delay that is random: all of it ("full jitter", AWS Architecture Blog, 2015).
pub const DEFAULT_BACKOFF_JITTER: f64 = 1.0;

/// Decides how long a child waits before each restart in a row.
///
/// The first restart after a good run is immediate: most crashes are over with one. The second
/// waits about 100 ms, the third 200 ms, up to 30 s. Once the child has been up and well for
/// [`reset_after`](Self::reset_after) the count begins anew.
#[derive(Debug, Clone, PartialEq)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    factor: f64,
    jitter: f64,
    reset_after: Option<Duration>,
    immediate_first: bool,
    attempts: Option<u32>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: DEFAULT_BACKOFF_FIRST,
            max: DEFAULT_BACKOFF_MAX,
            factor: DEFAULT_BACKOFF_FACTOR,
            jitter: DEFAULT_BACKOFF_JITTER,
            reset_after: None,
            immediate_first: true,
            attempts: None,
        }
    }
}

impl Backoff {
    /// Makes an exponential backoff from `first` to `max`, otherwise with the defaults.
    ///
    /// # Errors
    ///
    /// [`InvalidBackoff::FirstZero`] or [`InvalidBackoff::MaxBelowFirst`].
    pub fn try_new(first: Duration, max: Duration) -> Result<Self, InvalidBackoff> {
        if first.is_zero() {
            return Err(InvalidBackoff::FirstZero);
        }
        if max < first {
            return Err(InvalidBackoff::MaxBelowFirst { first, max });
        }
        Ok(Self {
            first,
            max,
            ..Self::default()
        })
    }

    /// Restarts at once, always. Intensity is then the only brake.
    #[must_use]
    pub fn none() -> Self {
        Self::fixed(Duration::ZERO)
    }

    /// Waits the same time before every restart, the first one too, without jitter.
    #[must_use]
    pub fn fixed(delay: Duration) -> Self {
        Self {
            first: delay,
            max: delay,
            factor: 1.0,
            jitter: 0.0,
            immediate_first: false,
            reset_after: None,
            attempts: None,
        }
    }

    /// Sets by what each delay grows. Default 2.
    ///
    /// # Errors
    ///
    /// [`InvalidBackoff::Factor`] unless it is a finite number of at least 1.
    pub fn factor(mut self, factor: f64) -> Result<Self, InvalidBackoff> {
        if !factor.is_finite() || factor < 1.0 {
            return Err(InvalidBackoff::Factor { factor });
        }
        self.factor = factor;
        Ok(self)
    }

    /// Sets the share of each delay that is random. Default 1: `delay ∈ [d·(1−jitter), d]`.
    ///
    /// # Errors
    ///
    /// [`InvalidBackoff::Jitter`] unless it lies in 0..=1.
    pub fn jitter(mut self, jitter: f64) -> Result<Self, InvalidBackoff> {
        if !(0.0..=1.0).contains(&jitter) {
            return Err(InvalidBackoff::Jitter { jitter });
        }
        self.jitter = jitter;
        Ok(self)
    }

    /// Gives up after so many restarts in a row. Default: never.
    ///
    /// What giving up means is the child's `on_limit`: by default it is quarantined.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = Some(attempts);
        self
    }

    /// Sets for how long a run has to be up and well before the child counts as recovered, unless the
    /// child says that itself ([`Child::stable_after`](crate::child::Child::stable_after)). Default: the
    /// longest delay, and 30 s where there is none.
    #[must_use]
    pub fn reset_after(mut self, up_and_well: Duration) -> Self {
        self.reset_after = Some(up_and_well);
        self
    }

    /// Tells whether every delay is zero.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.max.is_zero()
    }

    /// Returns for how long a run has to be up and well so that the count starts anew.
    pub(crate) fn resets_after(&self) -> Duration {
        let longest = if self.is_none() {
            DEFAULT_BACKOFF_MAX
        } else {
            self.max
        };
        self.reset_after.unwrap_or(longest)
    }

    /// Tells whether it gives up after a limited number of restarts.
    pub(crate) fn is_limited(&self) -> bool {
        self.attempts.is_some()
    }

    /// Tells whether restart number `attempt` in a row is one too many.
    pub(crate) fn gives_up_at(&self, attempt: u32) -> bool {
        self.attempts.is_some_and(|limit| attempt > limit)
    }

    /// Computes the delay before restart number `attempt` in a row, counted from 1.
    ///
    /// `random` lies in 0..1 and decides where in the jittered range the delay falls.
    pub(crate) fn delay(&self, attempt: u32, random: f64) -> Duration {
        let grown = match (self.immediate_first, attempt) {
            (_, 0) | (true, 1) => return Duration::ZERO,
            // The second restart is the first that waits, and what is fixed does not grow.
            (_, n) => n.saturating_sub(2),
        };
        let factor = self.factor.powi(i32::try_from(grown).unwrap_or(i32::MAX));
        let full = (self.first.as_secs_f64() * factor).min(self.max.as_secs_f64());
        Duration::try_from_secs_f64(full * (1.0 - self.jitter * random)).unwrap_or(self.max)
    }
}

/// Supplies the random numbers of the jitter from a seed.
///
/// Owned here because nothing else of the crate is random, but for the faults of the test kit, which
/// draws from it too.
#[derive(Debug, Clone)]
pub(crate) struct Jitter(fastrand::Rng);

impl Jitter {
    /// Starts the sequence of `seed`.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Returns the next number in 0..1.
    pub(crate) fn next(&mut self) -> f64 {
        self.0.f64()
    }
}

/// Picks a seed that differs from one process to the next; inside a seeded run of the test kit, that
/// run's.
pub(crate) fn random_seed() -> u64 {
    #[cfg(feature = "testkit")]
    if let Some(seed) = RUN_SEED.get() {
        return seed;
    }
    fastrand::u64(..)
}

#[cfg(feature = "testkit")]
thread_local! {
    /// The seed of the run that has this thread for itself.
    pub(crate) static RUN_SEED: std::cell::Cell<Option<u64>> = const { std::cell::Cell::new(None) };
}

/// Says why a backoff makes no sense.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum InvalidBackoff {
    /// The first delay is zero and can't grow.
    #[error("the first delay is zero and can't grow; use Backoff::none() for no delay")]
    FirstZero,
    /// The longest delay is shorter than the first.
    #[error("the longest delay {max:?} is shorter than the first {first:?}")]
    MaxBelowFirst {
        /// The first delay.
        first: Duration,
        /// The longest delay.
        max: Duration,
    },
    /// The factor is not a finite number of at least 1.
    #[error("the factor {factor} is not a finite number of at least 1")]
    Factor {
        /// The factor as given.
        factor: f64,
    },
    /// The jitter lies outside 0..=1.
    #[error("the jitter {jitter} is not between 0 and 1")]
    Jitter {
        /// The jitter as given.
        jitter: f64,
    },
}

impl InvalidBackoff {
    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::FirstZero => "first_zero",
            Self::MaxBelowFirst { .. } => "max_below_first",
            Self::Factor { .. } => "invalid_factor",
            Self::Jitter { .. } => "invalid_jitter",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, InvalidBackoff, Jitter, random_seed};
    use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};
    use std::time::Duration;

    fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn the_first_restart_is_immediate_and_the_next_ones_double() {
        let backoff = Backoff::default();
        let delays: Vec<_> = (1..=11)
            .map(|n| backoff.delay(n, 0.0).as_millis())
            .collect();
        assert_eq!(
            delays,
            [0, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000]
        );
    }

    #[test]
    fn a_fixed_backoff_waits_before_the_first_restart_too() {
        let backoff = Backoff::fixed(millis(50));
        assert_eq!([1, 2, 9].map(|n| backoff.delay(n, 0.7)), [millis(50); 3]);
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        assert_eq!(
            Backoff::try_new(Duration::ZERO, millis(1)),
            Err(InvalidBackoff::FirstZero)
        );
        assert!(matches!(
            Backoff::try_new(millis(2), millis(1)),
            Err(InvalidBackoff::MaxBelowFirst { .. })
        ));
        assert!(matches!(
            Backoff::default().factor(0.9),
            Err(InvalidBackoff::Factor { .. })
        ));
        assert!(Backoff::default().factor(f64::NAN).is_err());
        assert!(matches!(
            Backoff::default().jitter(1.1),
            Err(InvalidBackoff::Jitter { .. })
        ));
        assert!(Backoff::default().jitter(0.0).is_ok());
        assert!(Backoff::default().factor(1.0).is_ok());
    }

    #[test]
    fn each_reason_to_refuse_has_a_code_of_its_own() {
        let limits = |first, max| Backoff::try_new(millis(first), millis(max));
        for (refused, code) in [
            (limits(0, 1), "first_zero"),
            (limits(2, 1), "max_below_first"),
            (Backoff::default().factor(0.9), "invalid_factor"),
            (Backoff::default().jitter(1.1), "invalid_jitter"),
        ] {
            assert_eq!(refused.map_err(|invalid| invalid.code()), Err(code));
        }
    }

    #[test]
    fn a_backoff_is_limited_once_it_has_a_number_of_attempts() {
        assert!(!Backoff::none().is_limited());
        assert!(Backoff::none().attempts(3).is_limited());
    }

    #[test]
    fn without_a_seed_each_tree_has_another() {
        assert_ne!(random_seed(), random_seed());
    }

    #[test]
    fn the_same_seed_gives_the_same_delays() {
        let draw = |seed| {
            let mut jitter = Jitter::seeded(seed);
            (1..20)
                .map(|n| Backoff::default().delay(n, jitter.next()))
                .collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_delay_lies_in_its_jittered_range(
            attempt in any::<u32>(), jitter in 0.0..=1.0f64, random in 0.0..1.0f64, factor in 1.0..8.0f64,
        ) {
            let backoff = Backoff::default().jitter(jitter).and_then(|b| b.factor(factor)).expect("in range");
            let full = backoff.delay(attempt, 0.0);
            let delay = backoff.delay(attempt, random);
            prop_assert!(delay <= full && full <= Duration::from_secs(30));
            prop_assert!(delay + Duration::from_micros(1) >= full.mul_f64(1.0 - jitter));
        }
    }
}
