//! Claims on how long a daemon inside a runtime of the program's own keeps its pid file locked.
#![cfg(all(unix, feature = "daemon"))]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use perennial::lock::{InstanceLock, LockError};
use perennial::policy::auto_shutdown::AutoShutdown;
use perennial::{Child, Daemon, Restart, Supervisor};
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long the end of a tree may take to be seen, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks at the lock.
const POLL: Duration = Duration::from_millis(5);

fn pid_file(name: &str) -> PathBuf {
    let name = format!("perennial-tests-instance-{name}-{}.pid", std::process::id());
    std::env::temp_dir().join(name)
}

fn daemon(pid_file: &std::path::Path, tree: Supervisor) -> Daemon {
    Daemon::new("instance")
        .without_http()
        .set(format!("daemon.pid_file={}", pid_file.display()))
        .tree(tree)
}

fn is_held(pid_file: &std::path::Path) -> bool {
    matches!(InstanceLock::acquire(pid_file), Err(LockError::Held { .. }))
}

#[tokio::test(flavor = "multi_thread")]
async fn another_instance_may_begin_as_soon_as_the_returned_future_is_over() {
    let path = pid_file("over");
    for _ in 0..20 {
        let seen = path.clone();
        let ends = Child::task("ends", move |_cx| {
            let seen = seen.clone();
            async move {
                assert!(is_held(&seen), "it is locked while the tree runs");
                Ok(())
            }
        });
        let tree = Supervisor::one_for_one("app")
            .auto_shutdown(AutoShutdown::AnySignificant)
            .child(ends.restart(Restart::Transient).significant());
        let (_, exit) = daemon(&path, tree).run_async().await.expect("it runs");
        assert!(!is_held(&path), "{exit}");
    }
    std::fs::remove_file(path).expect("it is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_future_that_is_dropped_keeps_the_lock_until_the_tree_has_stopped() {
    let path = pid_file("dropped");
    let (is_up, is_asked, may_end) = (
        Arc::new(Notify::new()),
        Arc::new(Notify::new()),
        Arc::new(Notify::new()),
    );
    let told = (Arc::clone(&is_asked), Arc::clone(&may_end));
    let slow = Child::task_with("slow", told, |cx, (is_asked, may_end)| async move {
        cx.shutdown().await;
        is_asked.notify_one();
        may_end.notified().await;
        Ok(())
    });
    // Starts when its supervisor knows that the one before is up: what still starts is killed.
    let next = Child::task_with("next", Arc::clone(&is_up), |cx, is_up| async move {
        is_up.notify_one();
        cx.shutdown().await;
        Ok(())
    });
    let tree = Supervisor::one_for_one("app").child(slow.stop_timeout(PATIENCE));
    let tree = tree.child(next);
    let running = daemon(&path, tree).graceful(PATIENCE).run_async();
    tokio::select! {
        ended = running => panic!("nobody has asked for that: {ended:?}"),
        () = is_up.notified() => {}
    }
    is_asked.notified().await;
    assert!(is_held(&path), "something of the tree still runs");
    may_end.notify_one();
    let deadline = Instant::now() + PATIENCE;
    while is_held(&path) {
        assert!(Instant::now() < deadline, "it is locked for ever");
        tokio::time::sleep(POLL).await;
    }
    std::fs::remove_file(path).expect("it is there");
}
