//! Claims on the time that is kept for a child while its siblings stop.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]

use std::time::Duration;

use perennial::shutdown::report::Outcome;
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
async fn a_wide_subtree_takes_no_more_from_its_siblings_than_there_is() {
    let deaf = |name: String| Child::task(name, |_cx| std::future::pending());
    let slow = Child::task("slow", |cx| async move {
        cx.shutdown().await;
        tokio::time::sleep(Duration::from_millis(80)).await;
        Ok(())
    });
    let wide = (0..1_000).fold(Supervisor::one_for_one("wide"), |wide, number| {
        wide.child(deaf(format!("c{number}")))
    });
    let tree = Supervisor::one_for_one("app").child(slow).child(wide);
    let budget = Duration::from_secs(5);
    // 100 ms of 5.1 s, which shrink to 4.99.
    let floor = Duration::from_millis(97);
    let plan = tree.stop_plan(budget).expect("nothing is set by hand");
    let line = plan.lines.iter().find(|line| line.path == "/app/slow");
    assert!(line.expect("it is planned").allotted >= floor, "{line:?}");
    let running = tree.start().await.expect("it starts");
    let report = running.stop(budget).await;
    let line = &report.root.children[1];
    assert_eq!(
        (line.path.as_str(), &line.outcome),
        ("/app/slow", &Outcome::Stopped)
    );
    assert!(line.allotted >= floor, "{line:?}");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_was_added_has_its_floor_as_one_that_was_declared() {
    let late = Supervisor::one_for_one("late");
    let inner = late.handle();
    let outer = Supervisor::one_for_one("outer").child(late);
    let greedy = Child::task("greedy", |_cx| std::future::pending());
    let tree = Supervisor::one_for_one("app").child(outer).child(greedy);
    let running = tree.start().await.expect("it starts");
    let slow = Child::task("slow", |cx| async move {
        cx.shutdown().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok(())
    });
    inner.start_child(slow).await.expect("it starts");
    let report = running.stop(Duration::from_millis(400)).await;
    let lines = report.lines();
    let (_, slow) = lines
        .iter()
        .find(|(_, line)| line.path == "/app/outer/late/slow")
        .expect("it was up");
    assert_eq!(slow.outcome, Outcome::Stopped, "{report}");
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
