//! Panic hooks set by somebody else, before ours and after it. A binary of its own with one test,
//! because a hook belongs to the whole process.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]

use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use perennial::exit::Panic;
use perennial::{Child, EventKind, Exit, Running, Supervisor};
use tokio::sync::Notify;

/// A task that panics whenever it is told to.
struct Bomb {
    running: Running,
    light: Arc<Notify>,
}

impl Bomb {
    async fn new() -> Self {
        let light = Arc::<Notify>::default();
        let child = Child::task_with("bomb", Arc::clone(&light), |cx, light| async move {
            tokio::select! {
                _deadline = cx.shutdown() => Ok(()),
                () = light.notified() => panic!("as declared"),
            }
        });
        let running = Supervisor::one_for_one("app").child(child).start().await;
        Self {
            running: running.expect("it starts"),
            light,
        }
    }

    /// Lets the child panic, and waits until the next run of it is up.
    async fn explode(&self) -> Panic {
        let mut events = self.running.subscribe("test");
        self.light.notify_one();
        let mut panicked = None;
        loop {
            match events.recv().await.expect("the tree lives").kind {
                EventKind::Exited {
                    exit: Exit::Panicked(panic),
                    ..
                } => panicked = Some(panic),
                EventKind::Restarted { .. } => return panicked.expect("it panicked before"),
                _ => {}
            }
        }
    }
}

/// A hook that counts.
fn counting() -> (Arc<AtomicUsize>, impl Fn() + Send + Sync + 'static) {
    let count = Arc::<AtomicUsize>::default();
    let shared = Arc::clone(&count);
    (count, move || {
        shared.fetch_add(1, Ordering::SeqCst);
    })
}

#[tokio::test(start_paused = true)]
async fn a_childs_panic_reaches_the_hooks_of_others_once_and_needs_none_of_them() {
    let (before, called) = counting();
    panic::set_hook(Box::new(move |_info| called()));
    let bomb = Bomb::new().await;
    let times = |count: &AtomicUsize| count.swap(0, Ordering::SeqCst);

    // Set before ours: ours hands the panic on, and knows the place.
    let caught = bomb.explode().await;
    assert_eq!(&*caught.message, "as declared");
    let place = caught.location.expect("our hook saw it");
    assert!(place.file.ends_with("panic_hook.rs"), "{place}");
    assert_eq!(times(&before), 1);

    // A second tree sets no second hook of ours.
    let other = Bomb::new().await;
    drop(other.explode().await);
    assert_eq!(times(&before), 1);

    // Set after ours, and handing on: everybody is called once.
    let (after, called) = counting();
    let ours = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        called();
        ours(info);
    }));
    let caught = bomb.explode().await;
    assert!(caught.location.is_some());
    assert_eq!((times(&before), times(&after)), (1, 1));

    // A panic that is none of a child's goes the same way.
    let thrown = thread::spawn(|| panic!("elsewhere")).join();
    assert!(thrown.is_err());
    assert_eq!((times(&before), times(&after)), (1, 1));

    // Set instead of ours: the place is not known, all else is as it was. That of an earlier panic
    // must not be shown for it.
    let (alone, called) = counting();
    panic::set_hook(Box::new(move |_info| called()));
    let caught = bomb.explode().await;
    assert_eq!(&*caught.message, "as declared");
    assert_eq!(caught.location, None);
    assert_eq!((times(&before), times(&alone)), (0, 1));

    // Gone altogether, and the default one back.
    drop(panic::take_hook());
    assert_eq!(&*bomb.explode().await.message, "as declared");
    let report = bomb.running.stop(std::time::Duration::from_secs(5)).await;
    assert!(report.is_clean(), "{report}");
}
