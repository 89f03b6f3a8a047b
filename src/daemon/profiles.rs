//! Profiles that a client of the admin socket asks for, where the program is built with them.

use std::time::Duration;

use crate::admin::{Answer, Refusal};

/// Watches where processor time goes.
#[cfg(all(unix, feature = "profiling"))]
pub(super) async fn cpu(time: Duration) -> Answer {
    use crate::profile::cpu::{DEFAULT_FREQUENCY_HZ, Recording};

    let recording = Recording::start(DEFAULT_FREQUENCY_HZ).map_err(|error| refused(&error))?;
    tokio::time::sleep(time).await;
    let profile = elsewhere(move || recording.finish()).await?;
    Ok(serde_json::json!({
        "seconds": time.as_secs(),
        "samples": profile.samples,
        "folded": profile.folded,
    }))
}

/// Watches where processor time goes.
#[cfg(not(all(unix, feature = "profiling")))]
pub(super) async fn cpu(_time: Duration) -> Answer {
    Err(not_built("profiling"))
}

/// Watches where memory comes from.
#[cfg(feature = "heap-profiling")]
pub(super) async fn heap(time: Duration) -> Answer {
    use crate::profile::heap::Recording;

    let recording = elsewhere(Recording::start).await?;
    tokio::time::sleep(time).await;
    let profile = elsewhere(move || recording.finish()).await?;
    Ok(serde_json::json!({
        "seconds": time.as_secs(),
        "allocated_bytes": profile.allocated_bytes,
        "allocations": profile.allocations,
        "kept_bytes": profile.kept_bytes,
        "kept_allocations": profile.kept_allocations,
        "dhat": profile.json,
    }))
}

/// Watches where memory comes from.
#[cfg(not(feature = "heap-profiling"))]
pub(super) async fn heap(_time: Duration) -> Answer {
    Err(not_built("heap-profiling"))
}

/// Does what takes its time, reading the program's debug information, where nobody else has to wait for it.
#[cfg(any(all(unix, feature = "profiling"), feature = "heap-profiling"))]
async fn elsewhere<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, crate::profile::ProfileError> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| refused(&error)),
        Err(error) => Err(Refusal::new("profile_failed", error.to_string())),
    }
}

#[cfg(any(all(unix, feature = "profiling"), feature = "heap-profiling"))]
fn refused(error: &crate::profile::ProfileError) -> Refusal {
    Refusal::new(error.code(), error.to_string())
}

#[cfg(not(all(unix, feature = "profiling", feature = "heap-profiling")))]
fn not_built(feature: &str) -> Refusal {
    let message = format!("the program is built without perennial's feature `{feature}`");
    Refusal::new("unsupported", message)
}
