//! tokio-graceful-shutdown: three subsystems side by side.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_graceful_shutdown::{SubsystemBuilder, SubsystemHandle, Toplevel};

use super::stage::{CHILDREN, Failed, Stage};
use super::{DEADLINE, Starting, Stopping};

pub(super) fn play(stage: Arc<Stage>) -> Starting {
    Box::pin(async move {
        let (stop, told) = oneshot::channel::<()>();
        let top = Toplevel::new(async move |top: &mut SubsystemHandle| {
            for child in CHILDREN {
                let stage = Arc::clone(&stage);
                let subsystem = async move |subsystem: &mut SubsystemHandle| -> Result<(), Failed> {
                    let told = subsystem.on_shutdown_requested();
                    Arc::clone(&stage).live(child, told).await
                };
                top.start(SubsystemBuilder::new(child, subsystem));
            }
            drop(told.await);
            top.request_shutdown();
        });
        let running = tokio::spawn(top.handle_shutdown_requests(DEADLINE));
        Stopping::new(async move {
            drop(stop);
            format!("{:?}", running.await)
        })
    })
}
