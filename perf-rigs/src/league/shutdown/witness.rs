//! Sees in which order children stop.

#[cfg(test)]
use std::sync::{Arc, Mutex, PoisonError};

/// A child begins to stop, or has.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Began(usize),
    Ended(usize),
}

/// Notes down how children stop. Nobody does in a measurement.
#[derive(Debug, Clone, Default)]
pub(super) struct Witness {
    #[cfg(test)]
    seen: Option<Arc<Mutex<Vec<Moment>>>>,
}

impl Witness {
    /// A child calls this as the last thing that it does.
    #[cfg(not(test))]
    pub(super) async fn stops(&self, _number: usize) {}

    /// A child calls this as the last thing that it does.
    #[cfg(test)]
    pub(super) async fn stops(&self, number: usize) {
        let Some(seen) = &self.seen else { return };
        let note = |moment| {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push(moment);
        };
        note(Moment::Began(number));
        // On the one thread that there is, whoever else was told gets there meanwhile.
        for _turn in 0..TURNS {
            tokio::task::yield_now().await;
        }
        note(Moment::Ended(number));
    }
}

/// How often a child that stops lets others go first: more often than any library needs to tell three.
#[cfg(test)]
const TURNS: usize = 1_000;

/// How many are looked at.
#[cfg(test)]
pub(super) const WATCHED: usize = 3;

/// Starts and stops a few children, and returns what they did in which order.
#[cfg(test)]
pub(super) fn watch<T, S, E>(
    start: impl FnOnce(usize, Witness) -> S,
    stop: impl FnOnce(T) -> E,
) -> Vec<Moment>
where
    S: Future<Output = T>,
    E: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let seen = Arc::<Mutex<Vec<Moment>>>::default();
    let witness = Witness {
        seen: Some(Arc::clone(&seen)),
    };
    runtime.block_on(async {
        let tree = start(WATCHED, witness).await;
        stop(tree).await;
    });
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.clone()
}

/// Reads what OTP's children did: `n` where the n-th began, `-n` where it had ended, counted from 1.
#[cfg(test)]
pub(super) fn moments(noted: Vec<f64>) -> Vec<Moment> {
    let moment = |noted: f64| {
        let number = noted.abs() as usize - 1;
        match noted > 0.0 {
            true => Moment::Began(number),
            false => Moment::Ended(number),
        }
    };
    noted.into_iter().map(moment).collect()
}
