//! Counters, gauges, histograms and timers of a program's own.
//!
//! Watch for the timer that records once, however it ends, for the name that is refused, and for what a
//! library counts through the crate `metrics`. A daemon that is given the registry (`Daemon::metrics`) serves
//! it beside the metrics of its tree.

#![allow(clippy::print_stdout, reason = "an example talks to the reader")]

use perennial::BoxError;
use perennial::metrics::Registry;

fn main() -> Result<(), BoxError> {
    let registry = Registry::new();
    metrics::set_global_recorder(registry.clone())?;
    let received =
        registry.counter_with("lines_total", "How many lines came.", &[("via", "udp")])?;
    let open = registry.gauge("connections", "How many are open.")?;
    let bounds = [0.001, 0.01, 0.1];
    let times = registry.histogram_with("store_seconds", "How long a line took.", &[], &bounds)?;

    for _line in 0..3 {
        let timer = times.timer();
        received.increment(1);
        drop(timer);
    }
    open.set(2.0);
    metrics::counter!("cache.hits").increment(1);
    // What was not worth measuring.
    times.timer().discard();
    println!("stored {} lines\n", times.distribution().count);

    if let Err(error) = registry.gauge("lines_total", "") {
        println!("refused: {error}\n");
    }
    // How long it took differs from run to run.
    for line in registry
        .render()
        .lines()
        .filter(|line| !line.starts_with("store_seconds_sum"))
    {
        println!("{line}");
    }
    let snapshot = registry.snapshot();
    println!("{} values", snapshot.values.len());
    Ok(())
}
