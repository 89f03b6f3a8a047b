//! The bus beside other broadcasts, by the measures that its design was made for.

mod calls;
mod latency;
mod loops;
mod payload;
#[cfg(feature = "peers")]
mod peers;
mod side;

use self::payload::{Bytes, Event};
use self::side::{ByReference, InBatches, Ours, Tokio};
use crate::heat::{Contender, Heat, Measure, Must};

/// How fast, and for how much time on a processor.
fn closed_loop() -> Vec<Measure> {
    let measure = |name, unit| Measure { name, unit };
    vec![measure("rate", "/s"), measure("CPU an event", "ns")]
}

fn one(name: &'static str, unit: &'static str) -> Vec<Measure> {
    vec![Measure { name, unit }]
}

/// Names a contender, and gives it its arguments.
macro_rules! contender {
    ($name:literal, $module:ident :: $work:ident, $payload:ty, $side:ty $(, $argument:literal)*) => {
        Contender {
            name: $name,
            run: |effort| Some(Vec::from_iter($module::$work::<$payload, $side>($($argument,)* effort))),
        }
    };
}

/// One heat of ours against tokio's.
macro_rules! heat {
    ($name:expr, $measures:expr, $must:expr, $payload:ty, $ours:ty, $module:ident :: $work:ident $(, $argument:literal)*) => {
        Heat {
            topic: "bus",
            name: $name,
            measures: $measures,
            ours: contender!("perennial", $module::$work, $payload, $ours $(, $argument)*),
            peers: vec![(
                contender!("tokio broadcast", $module::$work, $payload, Tokio $(, $argument)*),
                $must,
            )],
        }
    };
}

/// All heats with one kind of value.
macro_rules! heats_with {
    ($payload:ty, $name:literal) => {{
        use Must::{Any, AtLeast, AtMost};
        type P = $payload;
        let p50 = || one("p50", "ns");
        let mut heats = vec![
            heat!(
                concat!("publish, 8 wait, from a task, ", $name),
                p50(),
                vec![AtMost(0.05)],
                P,
                Ours,
                calls::from_a_task
            ),
            heat!(
                concat!("publish, 8 wait, from a thread, ", $name),
                p50(),
                vec![AtMost(0.40)],
                P,
                Ours,
                calls::from_a_thread
            ),
            heat!(
                concat!("publish, nobody waits, ", $name),
                one("mean", "ns"),
                vec![AtMost(1.0)],
                P,
                Ours,
                calls::nobody_waits,
                1
            ),
            heat!(
                concat!("publish, nobody waits, 2 publishers, ", $name),
                one("mean", "ns"),
                vec![Any],
                P,
                Ours,
                calls::nobody_waits,
                2
            ),
            heat!(
                concat!("deliver, hot runtime, 8 receivers, ", $name),
                p50(),
                vec![AtMost(1.1)],
                P,
                Ours,
                latency::hot,
                8
            ),
            heat!(
                concat!("deliver, hot runtime, 1 receiver, ", $name),
                p50(),
                vec![AtMost(1.5)],
                P,
                Ours,
                latency::hot,
                1
            ),
        ];
        heats.extend([
            heat!(
                concat!("deliver, 1 000/s, 8 receivers, ", $name),
                p50(),
                vec![AtMost(0.5)],
                P,
                Ours,
                latency::paced,
                8,
                1_000
            ),
            heat!(
                concat!("deliver, 1 000/s, 16 receivers, ", $name),
                p50(),
                vec![AtMost(0.5)],
                P,
                Ours,
                latency::paced,
                16,
                1_000
            ),
            heat!(
                concat!("deliver, 50 000/s, 8 receivers, ", $name),
                p50(),
                vec![AtMost(1.05)],
                P,
                Ours,
                latency::paced,
                8,
                50_000
            ),
            heat!(
                concat!("deliver, 50 000/s, 16 receivers, ", $name),
                p50(),
                vec![AtMost(1.05)],
                P,
                Ours,
                latency::paced,
                16,
                50_000
            ),
            heat!(
                concat!("deliver, 250 000/s, 8 receivers, ", $name),
                p50(),
                vec![AtMost(1.05)],
                P,
                Ours,
                latency::paced,
                8,
                250_000
            ),
            heat!(
                concat!("deliver, 250 000/s, 16 receivers, ", $name),
                p50(),
                vec![AtMost(1.05)],
                P,
                Ours,
                latency::paced,
                16,
                250_000
            ),
        ]);
        heats.extend([
            heat!(
                concat!("closed loop, 8 receivers, by value, ", $name),
                closed_loop(),
                vec![AtLeast(1.8), AtMost(0.5)],
                P,
                Ours,
                loops::closed,
                8
            ),
            heat!(
                concat!("closed loop, 8 receivers, by reference, ", $name),
                closed_loop(),
                vec![AtLeast(2.5), AtMost(0.5)],
                P,
                ByReference,
                loops::closed,
                8
            ),
            heat!(
                concat!("closed loop, 8 receivers, in batches, ", $name),
                closed_loop(),
                vec![AtLeast(2.5), AtMost(0.5)],
                P,
                InBatches,
                loops::closed,
                8
            ),
            heat!(
                concat!("closed loop, 1 receiver, by value, ", $name),
                closed_loop(),
                vec![AtLeast(3.0), Any],
                P,
                Ours,
                loops::closed,
                1
            ),
            heat!(
                concat!("closed loop, 1 receiver, by reference, ", $name),
                closed_loop(),
                vec![AtLeast(3.0), Any],
                P,
                ByReference,
                loops::closed,
                1
            ),
            heat!(
                concat!("closed loop, 1 receiver, in batches, ", $name),
                closed_loop(),
                vec![AtLeast(3.0), Any],
                P,
                InBatches,
                loops::closed,
                1
            ),
            heat!(
                concat!("lag-free pace, 8 receivers, ", $name),
                one("events", "/s"),
                vec![AtLeast(1.0)],
                P,
                Ours,
                loops::lag_free_pace,
                8
            ),
        ]);
        heats
    }};
}

/// All heats of the topic.
pub(crate) fn heats() -> Vec<Heat> {
    let mut heats = heats_with!(Bytes, "128 bytes");
    heats.extend(heats_with!(Event, "an event"));
    #[cfg(feature = "peers")]
    heats.extend(beside_others());
    heats
}

/// Crates that are no part of tokio, by the measures that tell most. Shown only.
#[cfg(feature = "peers")]
fn beside_others() -> Vec<Heat> {
    use self::peers::{AsyncBroadcast, Flume, Kanal};
    macro_rules! beside {
        ($name:literal, $measures:expr, $module:ident :: $work:ident $(, $argument:literal)*) => {
            Heat {
                topic: "bus",
                name: $name,
                measures: $measures,
                ours: contender!("perennial", $module::$work, Bytes, Ours $(, $argument)*),
                peers: vec![
                    (contender!("async-broadcast", $module::$work, Bytes, AsyncBroadcast $(, $argument)*), vec![Must::Any; 2]),
                    (contender!("flume, one each", $module::$work, Bytes, Flume $(, $argument)*), vec![Must::Any; 2]),
                    (contender!("kanal, one each", $module::$work, Bytes, Kanal $(, $argument)*), vec![Must::Any; 2]),
                ],
            }
        };
    }
    vec![
        beside!(
            "others: publish, 8 wait, from a task",
            one("p50", "ns"),
            calls::from_a_task
        ),
        beside!(
            "others: deliver, 1 000/s, 8 receivers",
            one("p50", "ns"),
            latency::paced,
            8,
            1_000
        ),
        beside!(
            "others: closed loop, 8 receivers, by value",
            closed_loop(),
            loops::closed,
            8
        ),
    ]
}
