//! What proc-daemon claims in its README and its benches, beside what came of it here.

use std::fmt::Write as _;

use crate::row::{Row, with_unit};

/// One figure that is published.
struct Claim {
    what: &'static str,
    claimed: &'static str,
    /// The measure that stands for it, as a row calls it.
    measure: &'static str,
    /// How many of what the measure counts it is of.
    times: f64,
}

const fn claim(what: &'static str, claimed: &'static str, measure: &'static str) -> Claim {
    Claim {
        what,
        claimed,
        measure,
        times: 1.0,
    }
}

const CLAIMS: &[Claim] = &[
    claim("a daemon is made", "1–5 µs; 2.14 µs", "make a daemon: each"),
    claim(
        "with three tasks",
        "3.76 µs",
        "make a daemon with three tasks: each",
    ),
    claim(
        "a registration",
        "500 ns",
        "register a task, of 100 in a daemon: each",
    ),
    claim(
        "a configuration is made",
        "80.6 ns",
        "make settings: defaults, four values set, validated: each",
    ),
    claim("an error", "31.2 ns", "make an error: each"),
    claim(
        "an error with a source",
        "137 ns",
        "make an error with a source: each",
    ),
    claim(
        "a counter",
        "10 ns; 41 ns",
        "count, held against looked up: each",
    ),
    claim(
        "a subsystem, in memory",
        "4–8 KB",
        "100 tasks: resident per child",
    ),
    claim(
        "the whole of it, in memory",
        "1–2 MB",
        "a daemon with one idle task, probes and metrics: resident",
    ),
    Claim {
        times: 100.0,
        ..claim(
            "100 subsystems are stopped",
            "10–50 µs",
            "100 tasks: ordered stop of a child",
        )
    },
];

/// Lays out what is claimed of what was measured as a Markdown table; `None` when none of it was.
pub(crate) fn table(rows: &[Row]) -> Option<String> {
    let mut text = String::from(
        "| | claimed by proc-daemon | it, here | ours, here |\n|---|---:|---:|---:|\n",
    );
    let head = text.len();
    for claim in CLAIMS {
        let fits = |row: &&Row| row.measure == claim.measure && row.peer_name == "proc-daemon";
        if let Some(row) = rows.iter().find(fits) {
            let [theirs, ours] =
                [row.peer, row.ours].map(|one| with_unit(one * claim.times, row.unit));
            let _infallible = writeln!(
                text,
                "| {} | {} | {theirs} | {ours} |",
                claim.what, claim.claimed
            );
        }
    }
    (text.len() > head).then_some(text)
}

#[cfg(all(test, feature = "peers"))]
mod tests {
    use super::CLAIMS;
    use crate::heat::heats;

    #[test]
    fn every_claim_is_measured_of_both() {
        let heats = heats();
        for claim in CLAIMS {
            let is_measured = heats.iter().any(|heat| {
                let names = heat.measures.iter();
                let mut names = names.map(|measure| format!("{}: {}", heat.name, measure.name));
                names.any(|name| name == claim.measure) && heat.contender("proc-daemon").is_some()
            });
            assert!(is_measured, "{}", claim.measure);
        }
    }
}
