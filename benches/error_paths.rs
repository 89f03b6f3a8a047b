//! What it costs when something is refused: a coded error, one with a source, a report of it, a full mailbox, a tree
//! that can't be.

#![allow(clippy::expect_used, reason = "what fails is no measurement")]

mod setting;

use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use perennial::error::{CodedError, ErrorCode};
use perennial::{Child, Inbox, Supervisor};

fn with_a_source() -> CodedError {
    let source = std::io::Error::new(std::io::ErrorKind::TimedOut, "timeout");
    CodedError::new(ErrorCode::TIMED_OUT, black_box("operation failed")).because(source)
}

fn task() -> Child {
    Child::task("twin", |_cx| async { Ok(()) })
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("error_paths");
    group.bench_function("coded error", |bencher| {
        bencher.iter(|| CodedError::new(ErrorCode::RUNTIME_FAILED, black_box("it failed")));
    });
    group.bench_function("coded error with a source", |bencher| {
        bencher.iter(with_a_source)
    });
    group.bench_function("report of an error", |bencher| {
        let error = with_a_source();
        bencher.iter(|| error.report());
    });

    let runtime = setting::runtime();
    let never_receives = |cx: perennial::Context, inbox: Inbox<u64>| async move {
        cx.shutdown().await;
        drop(inbox);
        Ok(())
    };
    let child = Child::worker("full", never_receives).mailbox(1);
    let handle = child.handle();
    let tree = Supervisor::one_for_one("bench").child(child);
    let running = runtime.block_on(tree.start()).expect("it starts");
    handle.cast(0).expect("there is room for one");
    group.bench_function("cast to a full mailbox", |bencher| {
        bencher.iter(|| {
            handle
                .cast(black_box(1))
                .expect_err("there is no room")
                .into_message()
        });
    });
    runtime.block_on(running.stop(Duration::from_secs(10)));

    group.bench_function("tree with a name twice", |bencher| {
        bencher.iter(|| {
            let tree = Supervisor::one_for_one("bench").child(task()).child(task());
            runtime
                .block_on(tree.start())
                .expect_err("two children have one name")
                .to_string()
        });
    });
    group.finish();
}

fn main() {
    setting::run(bench);
}
