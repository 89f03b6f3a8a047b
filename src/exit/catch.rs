//! Turns a panic of user code into a value, with its message and place.
//!
//! One panic hook for the process chains to whatever hook stood before. While a thread polls a
//! supervised future the hook also keeps where the panic was raised, which the payload alone does
//! not say.
//!
//! # Invariants
//!
//! 1. The hook is installed once and never removed: another library's hook that is chained above it
//!    stays valid.
//! 2. What the hook keeps is thread-local and counts for the catch that set the mark alone: a panic on one
//!    thread never shows up as another's.

use std::any::Any;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::pin::pin;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use super::{Location, Panic};

static INSTALL: Once = Once::new();
static CHAIN: AtomicBool = AtomicBool::new(true);

thread_local! {
    static SUPERVISED: Cell<bool> = const { Cell::new(false) };
    /// Whether there is a place. What has a destructor is registered for it when a thread first touches it, and
    /// most threads never see a panic.
    static HAS_PLACE: Cell<bool> = const { Cell::new(false) };
    static PLACE: Cell<Option<Location>> = const { Cell::new(None) };
}

/// Installs the hook that remembers where a supervised panic was raised.
pub(crate) fn install_panic_hook() {
    INSTALL.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let supervised = SUPERVISED.get();
            if supervised {
                remember(info);
            }
            if !supervised || CHAIN.load(Ordering::Relaxed) {
                previous(info);
            }
        }));
    });
}

/// Says whether a panic inside a child also reaches the hook that stood before ours.
///
/// A library must not silence its host's hook, so the answer is yes until the daemon, which owns
/// the process and logs each such panic itself, says no.
#[cfg(feature = "daemon")]
pub(crate) fn chain_panics(chain: bool) {
    CHAIN.store(chain, Ordering::Relaxed);
}

fn remember(info: &PanicHookInfo<'_>) {
    let place = info.location().map(|location| Location {
        file: location.file().into(),
        line: location.line(),
        column: location.column(),
    });
    // The last one counts: those before it were caught by the child itself.
    HAS_PLACE.set(place.is_some());
    PLACE.set(place);
}

/// Runs a closure and turns its panic into a value.
pub(crate) fn catch_blocking<T>(body: impl FnOnce() -> T) -> Result<T, Panic> {
    let outer = SUPERVISED.replace(true);
    // What the child caught in an earlier poll is not where this one fails.
    HAS_PLACE.set(false);
    let caught = catch_unwind(AssertUnwindSafe(body));
    SUPERVISED.set(outer);
    caught.map_err(into_panic)
}

fn into_panic(payload: Box<dyn Any + Send>) -> Panic {
    let message = if let Some(text) = payload.downcast_ref::<&'static str>() {
        (*text).into()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.as_str().into()
    } else {
        "a panic whose payload is not text".into()
    };
    let location = match HAS_PLACE.replace(false) {
        true => PLACE.take(),
        false => None,
    };
    // A payload whose own drop panics would escape the catch and take the task with it.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
    Panic { message, location }
}

/// Runs a future of ours and turns its panic into a value. What the user's futures need more than that
/// is in [`Inside`](crate::context::Inside).
pub(crate) async fn catch<F: Future>(hook: F) -> Result<F::Output, Panic> {
    let mut hook = pin!(hook);
    poll_fn(|cx| match catch_blocking(|| hook.as_mut().poll(cx)) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::{catch, catch_blocking, install_panic_hook};

    #[tokio::test]
    async fn a_panic_says_what_and_where() {
        install_panic_hook();
        let caught = catch(async { panic!("no {}", "disk") }).await;
        let Err::<(), _>(panic) = caught else {
            panic!("it panicked")
        };
        assert_eq!(&*panic.message, "no disk");
        let location = panic.location.expect("the hook is ours");
        assert!(location.file.ends_with("catch.rs"), "{location}");
    }

    #[test]
    fn a_payload_that_is_not_text_is_still_a_panic() {
        let caught = catch_blocking(|| std::panic::panic_any(7_u32));
        assert_eq!(
            &*caught.expect_err("it panicked").message,
            "a panic whose payload is not text"
        );
    }
}
