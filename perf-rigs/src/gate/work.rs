//! What both builds do, and which of its figures mean something there.

/// One thing that both builds do.
pub(crate) struct Work {
    /// What it is called in the table and in waivers.
    pub(crate) name: &'static str,
    pub(crate) rig: &'static str,
    pub(crate) arguments: &'static [&'static str],
    /// How the figures begin that mean something in this work.
    pub(crate) figures: &'static [&'static str],
    /// Whether its figures are counted and the same in every run: then one round is enough.
    pub(crate) is_counted: bool,
}

const fn timed(
    name: &'static str,
    rig: &'static str,
    arguments: &'static [&'static str],
    figures: &'static [&'static str],
) -> Work {
    Work {
        name,
        rig,
        arguments,
        figures,
        is_counted: false,
    }
}

/// The work of the gate. Where a rig spins to be on time, or does as much as it can, its processor time says nothing.
pub(crate) const WORK: &[Work] = &[
    Work {
        is_counted: true,
        ..timed("instructions", "perf_instructions", &[], &["instructions"])
    },
    timed(
        "bus, 50 000/s",
        "perf_bus_fanout",
        &["--preset", "50k"],
        &["p95", "p99", "memory"],
    ),
    timed(
        "bus, as fast as it can",
        "perf_bus_fanout",
        &["--rate", "0", "--burst", "64"],
        &["received"],
    ),
    timed(
        "bus, 100 000/s by the tick",
        "perf_bus_fanout",
        &["--preset", "cpu"],
        &["cpu"],
    ),
    timed(
        "restarts",
        "perf_restart_storm",
        &["--rate", "0"],
        &["respawn", "restarts", "memory"],
    ),
    timed(
        "configuration",
        "perf_config_reload",
        &["--rate", "50"],
        &["swap", "cpu", "memory"],
    ),
    timed(
        "shutdown of 100",
        "perf_shutdown",
        &["--preset", "100"],
        &["stop of a child", "memory"],
    ),
    timed("messages", "perf_messages", &[], &["handled", "memory"]),
];
