//! A small log collector and the tests of its tree, as its author would write them.

use std::time::Duration;

use perennial::supervisor::status::State;
use perennial::testkit::{self, Chaos, Recorder};
use perennial::{
    Actor, ActorProcessingErr, ActorRef, BoxError, Child, Context, Handle, Inbox, RpcReplyPort,
    Supervisor, SupervisorHandle,
};

// What the program is made of. Nothing in it knows of the tests.

enum StoreMessage {
    Add(String),
    Count(RpcReplyPort<usize>),
}

struct Store;

impl Actor for Store {
    type Msg = StoreMessage;
    type State = Vec<String>;
    type Arguments = ();

    async fn pre_start(
        &self,
        _: ActorRef<StoreMessage>,
        (): (),
    ) -> Result<Vec<String>, ActorProcessingErr> {
        Ok(Vec::new())
    }

    async fn handle(
        &self,
        _: ActorRef<StoreMessage>,
        message: StoreMessage,
        lines: &mut Vec<String>,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            StoreMessage::Add(line) => lines.push(line),
            StoreMessage::Count(reply) => drop(reply.send(lines.len())),
        }
        Ok(())
    }
}

/// Passes on each line that is not empty.
async fn parse(mut lines: Inbox<String>, store: Handle<StoreMessage>) -> Result<(), BoxError> {
    while let Some(line) = lines.recv().await {
        if !line.is_empty() {
            store.send(StoreMessage::Add(line)).await?;
        }
    }
    Ok(())
}

fn connection(name: &str) -> Child {
    Child::task(name, |cx: Context| async move {
        cx.shutdown().await;
        Ok(())
    })
}

struct Collector {
    tree: Supervisor,
    lines: Handle<String>,
    store: Handle<StoreMessage>,
    connections: SupervisorHandle,
}

fn collector() -> Collector {
    let store = Child::actor("store", |_cx| (Store, ()));
    let to_store = store.handle();
    let parser = Child::worker_with("parser", store.handle(), |_cx, lines, store| {
        parse(lines, store)
    });
    let lines = parser.handle();
    let connections = Supervisor::dynamic("connections");
    Collector {
        lines,
        store: to_store,
        connections: connections.handle(),
        tree: Supervisor::rest_for_one("collector")
            .child(store)
            .child(parser.stop_timeout(Duration::from_secs(2)))
            .child(connections),
    }
}

// Its tests.

#[test]
fn a_parser_that_crashes_comes_back_and_the_lines_before_it_are_kept() -> Result<(), BoxError> {
    testkit::run(1, async {
        let Collector {
            tree, lines, store, ..
        } = collector();
        let running = tree.start().await?;
        let mut recorder = Recorder::new(&running);

        lines.send("first".into()).await?;
        while store
            .call(|reply| StoreMessage::Count(reply.into()))
            .await?
            == 0
        {}
        testkit::crash(&running, "/collector/parser")?;
        recorder
            .wait_for_event("/collector/parser", "restarted")
            .await?;

        lines.send("second".into()).await?;
        while store
            .call(|reply| StoreMessage::Count(reply.into()))
            .await?
            < 2
        {}
        recorder.assert_exactly("/collector/store", &[]);
        Ok(())
    })
}

#[test]
fn a_store_that_fails_takes_everything_behind_it_along() -> Result<(), BoxError> {
    testkit::run(2, async {
        let running = collector().tree.start().await?;
        let mut recorder = Recorder::new(&running);

        testkit::fail(&running, "/collector/store")?;
        recorder
            .wait_for_event("/collector/connections", "started")
            .await?;
        recorder.assert_order(&[
            ("/collector/store", "exited: failed"),
            ("/collector/connections", "stopped"),
            ("/collector/parser", "stopped"),
            ("/collector/store", "started"),
            ("/collector/parser", "started"),
            ("/collector/connections", "started"),
        ]);
        Ok(())
    })
}

#[test]
fn a_parser_that_hangs_costs_the_shutdown_no_more_than_its_stop_timeout() -> Result<(), BoxError> {
    testkit::run(3, async {
        let running = collector().tree.start().await?;
        testkit::hang(&running, "/collector/parser")?;
        let began = tokio::time::Instant::now();
        let report = running.stop(Duration::from_secs(10)).await;
        let lines = report.lines();
        let parser = lines
            .iter()
            .find(|(_, line)| line.path == "/collector/parser");
        assert_eq!(
            parser.ok_or("it has a line")?.1.outcome.code(),
            "killed",
            "{report}"
        );
        assert!(began.elapsed() <= Duration::from_secs(2), "{report}");
        Ok(())
    })
}

#[test]
fn the_collector_survives_ten_minutes_of_chaos() -> Result<(), BoxError> {
    for seed in 0..10 {
        testkit::run(seed, async {
            let Collector {
                tree, connections, ..
            } = collector();
            let running = tree.start().await?;
            for number in 0..5 {
                connections
                    .start_child(connection(&format!("conn-{number}")))
                    .await?;
            }
            let mut recorder = Recorder::new(&running);

            let minutes = Duration::from_secs(600);
            let report = Chaos::new()
                .lasting(minutes)
                .start(&running)
                .finished()
                .await;
            for child in ["store", "parser", "connections"] {
                let path = format!("/collector/{child}");
                let settled = recorder.wait_for_state(&path, State::Running).await;
                settled.map_err(|error| format!("{error}\n{report}"))?;
            }
            let stopped = running.stop(Duration::from_secs(5)).await;
            assert!(stopped.is_clean(), "{stopped}\n{report}");
            Ok(())
        })?;
    }
    Ok(())
}
