//! Claims on the time that is kept for a child while its siblings stop.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]

use std::time::Duration;

use perennial::{Child, Supervisor};

fn idle(name: &str) -> Child {
    Child::task(name, |cx| async move {
        cx.shutdown().await;
        Ok(())
    })
}

#[test]
fn a_reserve_below_a_supervisor_can_be_kept_though_its_siblings_use_all_their_time() {
    let kept = Duration::from_millis(300);
    let first = Supervisor::one_for_one("first").child(idle("a").stop_reserve(kept));
    let greedy = Supervisor::one_for_one("greedy").child(idle("b"));
    let tree = Supervisor::one_for_one("app").child(first).child(greedy);
    let plan = tree
        .stop_plan(Duration::from_secs(5))
        .expect("300 ms of 5 s can be kept");
    let line = plan.lines.iter().find(|line| line.path == "/app/first/a");
    assert!(line.expect("it is planned").allotted >= kept, "{plan}");
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_whose_children_die_at_a_kill_is_not_hung_however_little_time_it_has() {
    let deaf = Child::task("deaf", |_cx| std::future::pending());
    let inner = Supervisor::one_for_one("inner").child(deaf);
    let outer = Supervisor::one_for_one("outer").child(inner);
    let tree = Supervisor::one_for_one("app").child(outer);
    let running = tree.start().await.expect("it starts");
    let report = running.stop(Duration::ZERO).await;
    assert!(report.hung().is_empty(), "{report}");
}
