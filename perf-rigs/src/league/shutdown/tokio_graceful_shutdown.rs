//! tokio-graceful-shutdown: subsystems that are all told at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use tokio_graceful_shutdown::{SubsystemBuilder, SubsystemHandle, Toplevel};

use super::witness::Witness;

type Outcome = Result<(), std::io::Error>;

pub(super) struct Top {
    end: Arc<Notify>,
    task: JoinHandle<()>,
}

pub(super) async fn start(count: usize, witness: Witness) -> Top {
    let (up, end) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
    let top = {
        let (up, end) = (Arc::clone(&up), Arc::clone(&end));
        Toplevel::new(async move |subsystem: &mut SubsystemHandle| {
            for number in 0..count {
                let (up, witness) = (Arc::clone(&up), witness.clone());
                let idle = async move |subsystem: &mut SubsystemHandle| -> Outcome {
                    up.add_permits(1);
                    subsystem.on_shutdown_requested().await;
                    witness.stops(number).await;
                    Ok(())
                };
                subsystem.start(SubsystemBuilder::new(format!("c{number}"), idle));
            }
            end.notified().await;
            subsystem.request_shutdown();
        })
    };
    let task = tokio::spawn(async move {
        let ended = top.handle_shutdown_requests(Duration::from_secs(60)).await;
        ended.expect("it stops");
    });
    let all = u32::try_from(count).expect("few enough");
    drop(up.acquire_many(all).await.expect("it stays open"));
    Top { end, task }
}

pub(super) async fn stop(top: Top) {
    top.end.notify_one();
    top.task.await.expect("it ended");
}
