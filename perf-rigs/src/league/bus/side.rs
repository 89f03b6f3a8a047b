//! The broadcasts that are compared, behind one face.

use perennial::{Bus, ReceiveError, Subscriber};
use tokio::sync::broadcast;

/// How many values each of them keeps.
pub(super) const CAPACITY: usize = 4_096;

/// Receiving has come to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Miss {
    /// So many values were lost.
    Lagged(u64),
    /// Nothing follows.
    Closed,
}

/// One broadcast.
pub(super) trait Side<P>: 'static {
    /// What publishes.
    type Publisher: Clone + Send + Sync + 'static;
    /// What receives.
    type Receiver: Send + 'static;

    fn new() -> Self::Publisher;
    fn subscribe(publisher: &Self::Publisher) -> Self::Receiver;
    fn publish(publisher: &Self::Publisher, value: P);
    /// Receives one value or, where that is the point, several; says how many.
    fn receive(receiver: &mut Self::Receiver) -> impl Future<Output = Result<usize, Miss>> + Send;
}

/// Ours, a clone for each receiver.
pub(super) struct Ours;

/// Ours, each value where it stands.
pub(super) struct ByReference;

/// Ours, all that is there at once, where it stands.
pub(super) struct InBatches;

/// tokio's.
pub(super) struct Tokio;

fn missed(error: ReceiveError) -> Miss {
    match error {
        ReceiveError::Lagged(lost) => Miss::Lagged(lost),
        _ => Miss::Closed,
    }
}

macro_rules! ours {
    ($side:ty, $receiver:ident => $receive:expr) => {
        impl<P: Clone + Send + Sync + 'static> Side<P> for $side {
            type Publisher = Bus<P>;
            type Receiver = Subscriber<P>;

            fn new() -> Bus<P> {
                Bus::new(CAPACITY)
            }

            fn subscribe(publisher: &Bus<P>) -> Subscriber<P> {
                publisher.subscribe("rig")
            }

            fn publish(publisher: &Bus<P>, value: P) {
                publisher.publish(value);
            }

            async fn receive($receiver: &mut Subscriber<P>) -> Result<usize, Miss> {
                $receive.map_err(missed)
            }
        }
    };
}

ours!(Ours, receiver => receiver.recv().await.map(|value| {
    std::hint::black_box(&value);
    1
}));
ours!(ByReference, receiver => receiver.recv_ref().await.map(|value| {
    std::hint::black_box(value);
    1
}));
ours!(InBatches, receiver => receiver.recv_each(256, |value| {
    std::hint::black_box(value);
}).await);

impl<P: Clone + Send + Sync + 'static> Side<P> for Tokio {
    type Publisher = broadcast::Sender<P>;
    type Receiver = broadcast::Receiver<P>;

    fn new() -> Self::Publisher {
        broadcast::Sender::new(CAPACITY)
    }

    fn subscribe(publisher: &Self::Publisher) -> Self::Receiver {
        publisher.subscribe()
    }

    fn publish(publisher: &Self::Publisher, value: P) {
        publisher.send(value).ok();
    }

    async fn receive(receiver: &mut Self::Receiver) -> Result<usize, Miss> {
        match receiver.recv().await {
            Ok(value) => {
                std::hint::black_box(&value);
                Ok(1)
            }
            Err(broadcast::error::RecvError::Lagged(lost)) => Err(Miss::Lagged(lost)),
            Err(broadcast::error::RecvError::Closed) => Err(Miss::Closed),
        }
    }
}
