//! The order of children, and many of them.

use perennial::{Child, Context, Supervisor};

use crate::stage::{Stage, Tell, Watched, as_in_otp};

// OTP: order_of_children
#[tokio::test(start_paused = true)]
async fn children_start_as_they_were_declared_and_stop_in_reverse() {
    let stage = Stage::default();
    // Names that are not in the order of the alphabet.
    let names = ["ch7", "ch3", "ch10", "ch2", "ch5"];
    let tree = names.map(|name| stage.child(name)).into_iter();
    let tree = tree.fold(Supervisor::rest_for_one("app"), Supervisor::child);
    let mut tree = Watched::start(as_in_otp(tree, 2)).await;
    assert_eq!(stage.trace(), ["+ch7", "+ch3", "+ch10", "+ch2", "+ch5"]);
    stage.tell("ch10", Tell::Fail);
    tree.until("restarted", "/app/ch5").await;
    assert_eq!(stage.trace(), ["-ch5", "-ch2", "+ch10", "+ch2", "+ch5"]);
    let lines = [
        "ch7 running 1",
        "ch3 running 1",
        "ch10 running 2",
        "ch2 running 2",
        "ch5 running 2",
    ];
    assert_eq!(tree.lines("/app"), lines);
    tree.stops_well().await;
    assert_eq!(stage.trace(), ["-ch5", "-ch2", "-ch10", "-ch3", "-ch7"]);
}

/// A task that runs until it is asked to stop.
fn idle(name: impl Into<String>) -> Child {
    Child::task(name, |cx: Context| async move {
        cx.shutdown().await;
        Ok(())
    })
}

// OTP: scale_start_stop_many_children. That it scales is measured elsewhere; here it has to be right.
#[tokio::test(start_paused = true)]
async fn many_children_are_added_and_stopped_one_after_the_other() {
    let tree = Watched::start(as_in_otp(Supervisor::one_for_one("app"), 2)).await;
    let many = 2_000;
    for number in 0..many {
        tree.app
            .start_child(idle(number.to_string()))
            .await
            .expect("up");
    }
    assert_eq!(tree.counts("/app"), [many, many, 0, many]);
    for number in 0..many {
        let name = number.to_string();
        tree.app.stop_child(&name).await.expect("up");
    }
    assert_eq!(tree.counts("/app"), [many, 0, 0, many]);
    let lines = tree.lines("/app");
    let expected: Vec<_> = (0..many).map(|number| format!("{number} down 1")).collect();
    assert_eq!(lines, expected, "in the order in which they were added");
}

// OTP: simple_one_for_one_scale_many_temporary_children
#[tokio::test(start_paused = true)]
async fn many_dynamic_children_are_added_and_stopped_by_hand() {
    let tree = Watched::start(as_in_otp(Supervisor::dynamic("app"), 2)).await;
    for many in [1_000, 5_000] {
        let mut names = Vec::new();
        for _ in 0..many {
            let path = tree.app.start_child(idle("")).await.expect("up");
            names.push(path.name().to_owned());
        }
        assert_eq!(tree.counts("/app"), [many, many, 0, many]);
        for name in &names {
            tree.app.stop_child(name).await.expect("up");
        }
        assert_eq!(tree.counts("/app"), [0, 0, 0, 0]);
    }
}
