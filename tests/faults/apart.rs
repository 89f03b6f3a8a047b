//! Trees that have nothing to do with one another, and a tree on the smallest runtime there is.

use std::sync::Arc;
use std::time::Duration;

use perennial::{Child, Exit, Handle, Inbox, Reply, Running, Supervisor};
use tokio::runtime::Builder;

use crate::watch::Watch;

/// What the echoing worker is asked.
enum Ask {
    Who(Reply<&'static str>),
    Fail,
}

/// A tree of which there may be two: with the same names, and a worker that knows whose it is.
async fn tree(whose: &'static str) -> (Running, Handle<Ask>) {
    let echo = Child::worker("echo", move |_cx, mut inbox: Inbox<Ask>| async move {
        while let Some(asked) = inbox.recv().await {
            match asked {
                Ask::Who(reply) => drop(reply.send(whose)),
                Ask::Fail => return Err("on purpose".into()),
            }
        }
        Ok(())
    });
    let handle = echo.handle();
    let tree = Supervisor::one_for_one("app")
        .child(Supervisor::one_for_one("inner").child(echo))
        .child(Supervisor::dynamic("late"));
    (tree.start().await.expect("it starts"), handle)
}

async fn until(watch: &mut Watch, events: &[&str]) {
    let events: Vec<_> = events.iter().map(|event| (*event).to_owned()).collect();
    let read = watch.until(&events).await;
    read.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(watch.seen, events);
}

#[tokio::test(start_paused = true)]
async fn two_trees_with_equal_names_do_not_see_each_other() {
    let (one, to_one) = tree("one").await;
    let (two, to_two) = tree("two").await;
    let mut of_one = Watch::new(&one, "/app/inner/echo");
    let mut of_two = two.subscribe("test");
    let from = two.snapshot().from_seq;

    assert_eq!(to_one.call(Ask::Who).await, Ok("one"));
    assert_eq!(to_two.call(Ask::Who).await, Ok("two"));
    to_one.cast(Ask::Fail).expect("it is up");
    until(
        &mut of_one,
        &["exited: failed", "starting", "started", "restarted"],
    )
    .await;
    let late = one.supervisor("/app/late").expect("it is declared");
    let child = Child::task("new", |_cx| std::future::pending());
    let added = late.start_child(child).await.expect("there is room");
    assert_eq!(added, *"/app/late/new");
    assert!(
        two.which_children("/app/late")
            .expect("declared")
            .is_empty()
    );
    assert_eq!(one.stop_child("/app/inner/echo").await, Ok(()));
    assert_eq!(to_two.call(Ask::Who).await, Ok("two"));

    let report = one.stop(Duration::from_secs(10)).await;
    assert_eq!(report.exit, Exit::Shutdown);
    assert!(two.snapshot().shutdown.is_none());
    assert_eq!(two.snapshot().from_seq, from);
    assert!(matches!(of_two.try_recv(), Ok(None)));
    assert_eq!(to_two.call(Ask::Who).await, Ok("two"));
    let report = two.stop(Duration::from_secs(10)).await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_child_of_one_tree_waits_for_the_end_of_its_namesake_in_the_other() {
    let (one, _handle) = tree("one").await;
    let one = Arc::new(one);
    let slow = Child::task("slow", |cx| async move {
        cx.shutdown().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(())
    });
    let late = one.supervisor("/app/late").expect("it is declared");
    late.start_child(slow).await.expect("there is room");
    // Of the same path, but in another tree: it does not ask for its own end, so that it waits.
    let other = Arc::clone(&one);
    let asks = Child::step("slow", move |_cx| {
        let other = Arc::clone(&other);
        async move {
            let began = tokio::time::Instant::now();
            other.stop_child("/app/late/slow").await?;
            match began.elapsed().as_secs() {
                2 => Ok(()),
                other => Err(format!("answered after {other} s").into()),
            }
        }
    });
    let tree = Supervisor::one_for_one("app").child(Supervisor::one_for_one("late").child(asks));
    let two = tree.start().await.expect("it waited");
    assert!(two.stop(Duration::from_secs(5)).await.is_clean());
}

#[test]
fn a_tree_lives_its_whole_life_on_a_current_thread_runtime() {
    let runtime = Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        let (running, handle) = tree("one").await;
        let mut echo = Watch::new(&running, "/app/inner/echo");
        assert_eq!(handle.call(Ask::Who).await, Ok("one"));
        handle.cast(Ask::Fail).expect("it is up");
        until(
            &mut echo,
            &["exited: failed", "starting", "started", "restarted"],
        )
        .await;
        assert_eq!(handle.call(Ask::Who).await, Ok("one"));
        assert_eq!(running.restart_child("/app/inner").await, Ok(()));
        assert_eq!(handle.call(Ask::Who).await, Ok("one"));
        let report = running.stop(Duration::from_secs(10)).await;
        assert!(report.is_clean(), "{report}");
    });
}
