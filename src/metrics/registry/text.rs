//! The lines of Prometheus' text format, of which the exporter offers the escaping alone.

use std::fmt;

use crate::metrics::instrument::Distribution;

/// Writes one value.
pub(super) fn line(text: &mut String, name: &str, labels: &str, value: impl fmt::Display) {
    match labels {
        "" => text.push_str(&format!("{name} {value}\n")),
        labels => text.push_str(&format!("{name}{{{labels}}} {value}\n")),
    }
}

/// Writes a histogram: each bucket counts what is below its bound, those before it included.
pub(super) fn histogram(text: &mut String, name: &str, labels: &str, distribution: &Distribution) {
    let comma = if labels.is_empty() { "" } else { "," };
    let bucket = format!("{name}_bucket");
    let mut below = 0;
    for (bound, count) in &distribution.buckets {
        below += count;
        line(
            text,
            &bucket,
            &format!("{labels}{comma}le=\"{bound}\""),
            below,
        );
    }
    line(
        text,
        &bucket,
        &format!("{labels}{comma}le=\"+Inf\""),
        distribution.count,
    );
    line(text, &format!("{name}_sum"), labels, distribution.sum);
    line(text, &format!("{name}_count"), labels, distribution.count);
}
