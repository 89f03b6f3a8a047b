//! tokio-graceful-shutdown: its own example of a subsystem that is started again after a panic.

use std::sync::Arc;
use std::time::Duration;

use tokio_graceful_shutdown::{ErrorAction, SubsystemBuilder, SubsystemHandle, Toplevel};

use super::probe::Probe;

type Outcome = Result<(), std::io::Error>;

async fn keep_alive(probe: Arc<Probe>, subsystem: &mut SubsystemHandle) -> Outcome {
    loop {
        let probe = Arc::clone(&probe);
        let crasher = async move |_: &mut SubsystemHandle| -> Outcome {
            probe.live().await;
            Ok(())
        };
        let nested = subsystem.start(
            SubsystemBuilder::new("child", crasher)
                .on_failure(ErrorAction::CatchAndLocalShutdown)
                .on_panic(ErrorAction::CatchAndLocalShutdown),
        );
        if nested.join().await.is_ok() {
            return Ok(());
        }
    }
}

pub(super) async fn start(probe: Arc<Probe>) {
    let top = Toplevel::new(async move |subsystem: &mut SubsystemHandle| {
        let keeper =
            async move |subsystem: &mut SubsystemHandle| keep_alive(probe, subsystem).await;
        subsystem.start(SubsystemBuilder::new("keeper", keeper));
    });
    drop(top.handle_shutdown_requests(Duration::from_secs(1)).await);
}
