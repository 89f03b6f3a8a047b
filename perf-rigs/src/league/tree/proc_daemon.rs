//! proc-daemon's subsystems, without the daemon around them: it stops them in no order.

use std::sync::Arc;

use proc_daemon::ShutdownHandle;
use proc_daemon::shutdown::ShutdownCoordinator;
use proc_daemon::subsystem::SubsystemManager;
use tokio::sync::Semaphore;

pub(super) async fn start(count: usize) -> SubsystemManager {
    let up = Arc::new(Semaphore::new(0));
    // Its own defaults.
    let manager = SubsystemManager::new(ShutdownCoordinator::new(5_000, 10_000, 15_000));
    for number in 0..count {
        let up = Arc::clone(&up);
        manager.register_fn(
            &format!("c{number}"),
            move |mut shutdown: ShutdownHandle| {
                let up = Arc::clone(&up);
                async move {
                    up.add_permits(1);
                    shutdown.cancelled().await;
                    Ok(())
                }
            },
        );
    }
    manager.start_all().await.expect("they start");
    let all = u32::try_from(count).expect("few enough");
    drop(up.acquire_many(all).await.expect("it stays open"));
    manager
}

pub(super) async fn stop(manager: SubsystemManager) {
    manager.stop_all().await.expect("they stop");
}
