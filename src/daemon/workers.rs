//! The threads that the tree runs on, as `[runtime]` says.

use std::io;

use tokio::runtime::{Builder, Runtime};

use crate::config::{CpuList, Invalid, RuntimeSettings, Settings};
use crate::exit::catch_blocking;

/// Builds the runtime.
pub(super) fn build(settings: &RuntimeSettings) -> io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder
        .thread_name(settings.thread_name())
        .thread_stack_size(settings.stack_size_bytes)
        .max_blocking_threads(settings.max_blocking_threads)
        .enable_all();
    let pinned = settings.cpus.as_ref().map(|cpus| cpus.numbers().len());
    match (settings.worker_threads, pinned) {
        (0, None) => {}
        (0, Some(cpus)) => drop(builder.worker_threads(cpus)),
        (threads, _) => drop(builder.worker_threads(threads)),
    }
    if let Some(cpus) = settings.cpus.clone() {
        builder.on_thread_start(move || {
            // Checked when the configuration was read; a CPU can be taken away since, and then the
            // thread runs where it is let.
            drop(pin(&cpus));
        });
    }
    // tokio panics where a thread can't be had.
    catch_blocking(|| builder.build())
        .unwrap_or_else(|panic| Err(io::Error::other(panic.to_string())))
}

/// Refuses CPUs that the process may not use, and stacks that no thread can have.
pub(super) fn check(settings: &Settings) -> Result<(), Invalid> {
    check_stack(settings.runtime.stack_size_bytes)?;
    let Some(cpus) = &settings.runtime.cpus else {
        return Ok(());
    };
    let allowed = allowed().map_err(|error| Invalid::at("runtime.cpus", error.to_string()))?;
    match cpus.numbers().iter().find(|cpu| !allowed.contains(cpu)) {
        Some(cpu) => Err(Invalid::at(
            "runtime.cpus",
            format!("this process may not use CPU {cpu}"),
        )),
        None => Ok(()),
    }
}

/// Tries whether a thread can have such a stack.
fn check_stack(bytes: usize) -> Result<(), Invalid> {
    let spawned = catch_blocking(|| {
        let thread = std::thread::Builder::new().stack_size(bytes);
        thread.spawn(|| {}).map(std::thread::JoinHandle::join)
    });
    let why = match spawned {
        Ok(Ok(_ended)) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => panic.to_string(),
    };
    let message = format!("no thread can have a stack of {bytes} bytes: {why}");
    Err(Invalid::at("runtime.stack_size_bytes", message))
}

/// Lets the process give way to others; threads that begin after this do as well.
#[cfg(unix)]
pub(super) fn set_nice(nice: i32) -> io::Result<()> {
    Ok(rustix::process::setpriority_process(None, nice)?)
}

#[cfg(not(unix))]
pub(super) fn set_nice(_nice: i32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
fn pin(cpus: &CpuList) -> io::Result<()> {
    let mut set = rustix::thread::CpuSet::new();
    for cpu in cpus.numbers() {
        set.set(*cpu);
    }
    Ok(rustix::thread::sched_setaffinity(None, &set)?)
}

#[cfg(target_os = "linux")]
fn allowed() -> io::Result<Vec<usize>> {
    let set = rustix::thread::sched_getaffinity(None)?;
    Ok((0..rustix::thread::CpuSet::MAX_CPU)
        .filter(|cpu| set.is_set(*cpu))
        .collect())
}

#[cfg(not(target_os = "linux"))]
fn pin(_cpus: &CpuList) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
fn allowed() -> io::Result<Vec<usize>> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "threads can be pinned on Linux only",
    ))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::{allowed, build, check};
    use crate::config::{RuntimeSettings, Settings};

    #[test]
    fn workers_run_on_the_cpus_that_were_named_and_are_called_and_counted_as_was_said() {
        let last = *allowed()
            .expect("there is one")
            .last()
            .expect("there is one");
        let mut settings = RuntimeSettings {
            cpus: Some(last.to_string().parse().expect("a list")),
            thread_name: Some("named".into()),
            ..RuntimeSettings::default()
        };
        let runtime = build(&settings).expect("it can be built");
        let seen = runtime.block_on(async {
            let task = tokio::spawn(async {
                let name = std::thread::current().name().map(str::to_owned);
                (name, allowed().expect("there is one"))
            });
            task.await.expect("it does not panic")
        });
        assert_eq!(seen, (Some("named".to_owned()), vec![last]));
        assert_eq!(runtime.metrics().num_workers(), 1);
        settings.worker_threads = 3;
        assert_eq!(
            build(&settings)
                .expect("it can be built")
                .metrics()
                .num_workers(),
            3
        );
    }

    #[test]
    fn a_stack_or_a_name_that_no_thread_can_have_is_refused_and_no_panic() {
        let mut settings = Settings::default();
        settings.runtime.stack_size_bytes = 1 << 50;
        let refused = check(&settings).expect_err("there is no such memory");
        assert!(
            format!("{refused:?}").contains("no thread can have a stack of 1125899906842624 bytes"),
            "{refused:?}"
        );
        assert!(
            build(&settings.runtime).is_err(),
            "and tokio's panic is an error"
        );
        let named = RuntimeSettings {
            thread_name: Some("a\0b".into()),
            ..RuntimeSettings::default()
        };
        assert!(build(&named).is_err(), "nor can it be called that");
    }

    #[test]
    fn a_cpu_that_is_not_there_is_refused_by_its_number() {
        let mut settings = Settings::default();
        settings.runtime.cpus = Some("1023".parse().expect("a list"));
        let invalid = check(&settings).expect_err("there is no such CPU");
        assert_eq!(
            invalid,
            crate::config::Invalid::at("runtime.cpus", "this process may not use CPU 1023")
        );
    }
}
