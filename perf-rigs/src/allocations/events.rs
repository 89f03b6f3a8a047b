//! An event published to subscribers that read it.

use perennial::Bus;
use tokio::sync::broadcast;

use crate::{Row, count_rounds};

const ROUNDS: u64 = 1_000_000;
const CAPACITY: usize = 4_096;

pub(crate) fn rows() -> Vec<Row> {
    vec![
        count_rounds(
            "publish, nobody reads",
            "perennial",
            ROUNDS,
            |rounds| async move {
                let bus = Bus::new(CAPACITY);
                for number in 0..rounds {
                    bus.publish(number);
                }
            },
        ),
        count_rounds(
            "publish and receive, 8",
            "perennial",
            ROUNDS,
            |rounds| async move {
                let bus = Bus::new(CAPACITY);
                let mut readers = [(); 8].map(|()| bus.subscribe("reader"));
                for number in 0..rounds {
                    bus.publish(number);
                    for reader in &mut readers {
                        assert_eq!(reader.recv().await, Ok(number));
                    }
                }
            },
        ),
        count_rounds(
            "publish and receive, 8",
            "tokio broadcast",
            ROUNDS,
            |rounds| async move {
                let (bus, _) = broadcast::channel(CAPACITY);
                let mut readers = [(); 8].map(|()| bus.subscribe());
                for number in 0..rounds {
                    bus.send(number).expect("there are readers");
                    for reader in &mut readers {
                        assert_eq!(reader.recv().await, Ok(number));
                    }
                }
            },
        ),
    ]
}
