//! Claims on declarations that make no sense: each is refused, before anything starts, and says why.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too"
)]

use std::time::Duration;

use perennial::policy::auto_shutdown::AutoShutdown;
use perennial::policy::limit::OnLimit;
use perennial::policy::stop::Stop;
use perennial::supervisor::InvalidTree;
use perennial::{Backoff, Child, Context, Inbox, Restart, Running, StartError, Supervisor};

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A task that runs until it is asked to stop.
fn idle(name: &str) -> Child {
    Child::task(name, |cx: Context| async move {
        cx.shutdown().await;
        Ok(())
    })
}

async fn start(tree: Supervisor) -> Running {
    tree.start().await.expect("it starts")
}

async fn refusal(tree: Supervisor) -> String {
    match tree.start().await {
        Err(StartError::Invalid(invalid @ InvalidTree::Unsupported { .. })) => {
            assert_eq!(invalid.code(), "unsupported");
            invalid.to_string()
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it started"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_go_together_is_refused_with_its_path_and_what_to_do() {
    let app = || Supervisor::one_for_one("app");
    let attempts = Backoff::default().attempts(3);
    let cases = [
        (
            app()
                .auto_shutdown(AutoShutdown::AnySignificant)
                .child(idle("x").significant()),
            "/app/x: a permanent child never ends for good and can't be significant; make it transient",
        ),
        (
            app().child(idle("x").restart(Restart::Transient).significant()),
            "/app/x: a significant child needs a supervisor with auto_shutdown",
        ),
        (
            Supervisor::one_for_all("app").child(idle("x").on_limit(OnLimit::Quarantine)),
            "/app/x: a child of a group can't be quarantined; choose Escalate or Throttle",
        ),
        (
            app().child(idle("x").backoff(attempts).on_limit(OnLimit::Throttle)),
            "/app/x: Throttle never gives up; take the attempts out of the backoff, or choose Quarantine",
        ),
        (
            app().child(idle("x").limit(0, seconds(1)).on_limit(OnLimit::Throttle)),
            "/app/x: a limit of 0 admits no restart, so that Throttle would wait for ever",
        ),
        (
            app().child(idle("x").stop(Stop::Drain)),
            "/app/x: only actors and workers have something to drain",
        ),
        (
            app().child(Child::blocking("x", |_cx| Ok(())).stop(Stop::Brutal)),
            "/app/x: a thread can't be killed; choose Stop::Ask",
        ),
        (
            app().child(Child::step("x", |_cx| async { Ok(()) }).explicit_ready()),
            "/app/x: a step has started when it has finished; it can't say so earlier",
        ),
        (
            app().child(Supervisor::rest_for_one("x").on_limit(OnLimit::Quarantine)),
            "/app/x: the children of a group can't be quarantined; choose Escalate or Throttle",
        ),
        (
            app().intensity(0, seconds(1)).on_limit(OnLimit::Throttle),
            "/app: an intensity of 0 admits no restart, so that Throttle would wait for ever",
        ),
        (
            Supervisor::one_for_all("app")
                .child(Supervisor::one_for_one("x").own_on_limit(OnLimit::Quarantine)),
            "/app/x: a child of a group can't be quarantined; choose Escalate or Throttle",
        ),
    ];
    for (tree, said) in cases {
        assert_eq!(refusal(tree).await, said);
    }
}

#[tokio::test(start_paused = true)]
async fn what_goes_together_is_accepted() {
    let worker = |name: &str| {
        Child::worker(name, |_cx, mut inbox: Inbox<u32>| async move {
            while inbox.recv().await.is_some() {}
            Ok(())
        })
    };
    let tree = Supervisor::one_for_one("app")
        .auto_shutdown(AutoShutdown::AllSignificant)
        .intensity(1, seconds(1))
        .on_limit(OnLimit::Throttle)
        .child(worker("a").stop(Stop::Drain))
        .child(idle("b").restart(Restart::Transient).significant())
        .child(idle("c").restart(Restart::Temporary).significant())
        .child(idle("d").stop(Stop::Brutal).limit(1, seconds(1)))
        .child(Supervisor::one_for_all("e").own_on_limit(OnLimit::Quarantine));
    let report = start(tree).await.stop(seconds(5)).await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_makes_no_sense_under_its_supervisor_is_refused_at_run_time_too() {
    let thread = || Child::blocking("x", |_cx| Ok(()));
    let one_for_one = || Supervisor::one_for_one("app");
    let cases = [
        (one_for_one(), idle("a/b"), "can't be called that"),
        (one_for_one(), idle("x").significant(), "permanent"),
        (
            one_for_one(),
            idle("x").restart(Restart::Transient).significant(),
            "auto_shutdown",
        ),
        (
            Supervisor::one_for_all("app"),
            idle("x").on_limit(OnLimit::Quarantine),
            "group",
        ),
        (
            one_for_one(),
            idle("x").limit(0, seconds(1)).on_limit(OnLimit::Throttle),
            "Throttle",
        ),
        (one_for_one(), idle("x").stop(Stop::Drain), "drain"),
        (one_for_one(), thread().stop(Stop::Brutal), "thread"),
    ];
    for (tree, child, word) in cases {
        let app = tree.handle();
        let _running = start(tree).await;
        let error = app.start_child(child).await.expect_err("no sense");
        assert_eq!(error.code(), "invalid", "{word}");
        assert!(error.to_string().contains(word), "{error}");
        assert!(app.which_children().expect("started").is_empty());
    }
    let tree = Supervisor::dynamic("app").auto_shutdown(AutoShutdown::AnySignificant);
    let app = tree.handle();
    let _running = start(tree).await;
    let child = idle("x").significant();
    app.start_child(child).await.expect("temporary there");
}
