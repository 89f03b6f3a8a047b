//! What others claim of a daemon and nobody measured: a registration, a start, a reaction, a look at everything.

mod life;
mod metrics;
mod payloads;
#[cfg(feature = "peers")]
mod proc_daemon;
mod reaction;
mod reading;
mod register;

use crate::heat::{Contender, Effort, Figures, Heat, Measure, Must};

pub(crate) use self::life::{ALONE, be_alone};

/// One run of a contender.
type Run = fn(Effort) -> Option<Figures>;

/// One measure of ours beside others of which nothing is demanded.
fn heat(
    name: &'static str,
    (measure, unit): (&'static str, &'static str),
    ours: (&'static str, Run),
    peers: Vec<(&'static str, Run, Must)>,
) -> Heat {
    let peer = |(name, run, must)| (Contender { name, run }, vec![must]);
    Heat {
        topic: "claims",
        name,
        measures: vec![Measure {
            name: measure,
            unit,
        }],
        ours: Contender {
            name: ours.0,
            run: ours.1,
        },
        peers: peers.into_iter().map(peer).collect(),
    }
}

/// Everything that is measured here.
pub(crate) fn heats() -> Vec<Heat> {
    [
        register::heats(),
        life::heats(),
        reaction::heats(),
        reading::heats(),
        metrics::heats(),
        payloads::heats(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
