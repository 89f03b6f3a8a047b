//! How long a publisher is kept by `Bus::publish` while everybody waits: 1 → 1, 2, 4, 8, 16 with 32, 128 and
//! 512 bytes. Each publish begins when all have received the one before; that wait is not counted.

#![allow(clippy::expect_used, reason = "what fails is no measurement")]

mod setting;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::{BenchmarkId, Criterion};
use perennial::{Bus, Subscriber};

type Payload = Arc<[u8]>;

/// Counts what it receives until the bus closes.
async fn receive(mut subscriber: Subscriber<Payload>, received: Arc<AtomicU64>) {
    while subscriber.recv().await.is_ok() {
        received.fetch_add(1, Ordering::Release);
    }
}

fn bench(criterion: &mut Criterion) {
    let runtime = setting::runtime();
    let mut group = criterion.benchmark_group("broadcast_publish_latency");
    for receivers in [1_u64, 2, 4, 8, 16] {
        for size_bytes in [32, 128, 512] {
            let bus = Bus::new(4_096);
            let received = Arc::new(AtomicU64::new(0));
            for number in 0..receivers {
                let subscriber = bus.subscribe(format!("receiver-{number}"));
                runtime.spawn(receive(subscriber, Arc::clone(&received)));
            }
            let payload: Payload = vec![7; size_bytes].into();
            let mut published = 0;
            let id = BenchmarkId::new(format!("1-to-{receivers}"), format!("{size_bytes}-bytes"));
            group.bench_function(id, |bencher| {
                bencher.iter_custom(|count| {
                    let all_wait = || {
                        while received.load(Ordering::Acquire) < published * receivers {
                            std::thread::yield_now();
                        }
                        published += 1;
                        Arc::clone(&payload)
                    };
                    setting::timed(count, all_wait, |payload| bus.publish(payload))
                });
            });
        }
    }
    group.finish();
}

fn main() {
    setting::run(bench);
}
