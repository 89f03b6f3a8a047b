//! Other crates' channels in the place of the bus: a broadcast, and a channel for each receiver.

use std::sync::{Arc, Mutex, PoisonError};

use super::payload::Payload;
use super::side::{CAPACITY, Miss, Side};

/// async-broadcast, which drops the oldest when it is full.
pub(super) struct AsyncBroadcast;

impl<P: Payload> Side<P> for AsyncBroadcast {
    /// The second keeps the channel open, which is closed for good as soon as nobody receives.
    type Publisher = (
        async_broadcast::Sender<P>,
        async_broadcast::InactiveReceiver<P>,
    );
    type Receiver = async_broadcast::Receiver<P>;

    fn new() -> Self::Publisher {
        let (mut sender, receiver) = async_broadcast::broadcast(CAPACITY);
        sender.set_overflow(true);
        (sender, receiver.deactivate())
    }

    fn subscribe((sender, _): &Self::Publisher) -> Self::Receiver {
        sender.new_receiver()
    }

    fn publish((sender, _): &Self::Publisher, value: P) {
        sender.try_broadcast(value).ok();
    }

    async fn receive(receiver: &mut Self::Receiver) -> Result<usize, Miss> {
        match receiver.recv_direct().await {
            Ok(value) => {
                std::hint::black_box(&value);
                Ok(1)
            }
            Err(async_broadcast::RecvError::Overflowed(lost)) => Err(Miss::Lagged(lost)),
            Err(async_broadcast::RecvError::Closed) => Err(Miss::Closed),
        }
    }
}

/// A sender for each receiver. What does not fit is lost without a word.
type Senders<S> = Arc<Mutex<Vec<S>>>;

fn each<S>(senders: &Senders<S>, send: impl FnMut(&S)) {
    let senders = senders.lock().unwrap_or_else(PoisonError::into_inner);
    senders.iter().for_each(send);
}

fn add<S>(senders: &Senders<S>, sender: S) {
    let mut senders = senders.lock().unwrap_or_else(PoisonError::into_inner);
    senders.push(sender);
}

/// flume, one channel for each receiver.
pub(super) struct Flume;

impl<P: Payload> Side<P> for Flume {
    type Publisher = Senders<flume::Sender<P>>;
    type Receiver = flume::Receiver<P>;

    fn new() -> Self::Publisher {
        Arc::default()
    }

    fn subscribe(publisher: &Self::Publisher) -> Self::Receiver {
        let (sender, receiver) = flume::bounded(CAPACITY);
        add(publisher, sender);
        receiver
    }

    fn publish(publisher: &Self::Publisher, value: P) {
        each(publisher, |sender| {
            sender.try_send(value.clone()).ok();
        });
    }

    async fn receive(receiver: &mut Self::Receiver) -> Result<usize, Miss> {
        let value = receiver.recv_async().await.map_err(|_| Miss::Closed)?;
        std::hint::black_box(&value);
        Ok(1)
    }
}

/// kanal, one channel for each receiver.
pub(super) struct Kanal;

impl<P: Payload> Side<P> for Kanal {
    type Publisher = Senders<kanal::AsyncSender<P>>;
    type Receiver = kanal::AsyncReceiver<P>;

    fn new() -> Self::Publisher {
        Arc::default()
    }

    fn subscribe(publisher: &Self::Publisher) -> Self::Receiver {
        let (sender, receiver) = kanal::bounded_async(CAPACITY);
        add(publisher, sender);
        receiver
    }

    fn publish(publisher: &Self::Publisher, value: P) {
        each(publisher, |sender| {
            sender.try_send(value.clone()).ok();
        });
    }

    async fn receive(receiver: &mut Self::Receiver) -> Result<usize, Miss> {
        let value = receiver.recv().await.map_err(|_| Miss::Closed)?;
        std::hint::black_box(&value);
        Ok(1)
    }
}
