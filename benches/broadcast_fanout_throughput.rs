//! How many events a second one publisher brings to 1, 8 and 16 receivers, none of which loses any: it waits for
//! them every half capacity, and the bench fails when one lagged.

#![allow(clippy::expect_used, reason = "what fails is no measurement")]

mod setting;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::{BenchmarkId, Criterion, Throughput};
use perennial::{Bus, Subscriber};
use tokio::sync::Notify;

const CAPACITY: usize = 4_096;
const ROUND: u64 = 2_048;

/// Counts down what a round still has to bring to whom.
#[derive(Default)]
struct Round {
    left: AtomicU64,
    over: Notify,
}

async fn receive(mut subscriber: Subscriber<Arc<[u8]>>, round: Arc<Round>) {
    while subscriber.recv().await.is_ok() {
        if round.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            round.over.notify_one();
        }
    }
}

fn bench(criterion: &mut Criterion) {
    let runtime = setting::runtime();
    let mut group = criterion.benchmark_group("broadcast_fanout_throughput");
    group.throughput(Throughput::Elements(ROUND));
    for receivers in [1_u64, 8, 16] {
        let bus = Bus::new(CAPACITY);
        let round = Arc::new(Round::default());
        for number in 0..receivers {
            let subscriber = bus.subscribe(format!("receiver-{number}"));
            runtime.spawn(receive(subscriber, Arc::clone(&round)));
        }
        let payload: Arc<[u8]> = vec![7; 128].into();
        group.bench_function(BenchmarkId::from_parameter(receivers), |bencher| {
            bencher.iter(|| {
                runtime.block_on(async {
                    round.left.store(ROUND * receivers, Ordering::Release);
                    for _ in 0..ROUND {
                        bus.publish(Arc::clone(&payload));
                    }
                    round.over.notified().await;
                });
            });
        });
        let lost = bus.statistics().lost;
        assert_eq!(
            lost, 0,
            "{receivers} receivers lost events, though nobody was ahead of them"
        );
    }
    group.finish();
}

fn main() {
    setting::run(bench);
}
