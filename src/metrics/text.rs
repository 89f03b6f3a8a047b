//! The lines of Prometheus' text format, of which the exporter offers the escaping alone.

use std::fmt;

use metrics_exporter_prometheus::formatting;

use super::instrument::Distribution;
use super::names::Name;

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

/// Writes a family of histograms whose one label is the path; nothing for an empty one.
pub(super) fn family<'a>(
    text: &mut String,
    name: Name,
    series: impl Iterator<Item = (&'a str, Distribution)>,
) {
    let mut series = series.peekable();
    if series.peek().is_none() {
        return;
    }
    formatting::write_help_line(text, name.name, None, None, name.help);
    formatting::write_type_line(text, name.name, None, None, "histogram");
    for (path, distribution) in series {
        let labels = format!("path=\"{}\"", formatting::sanitize_label_value(path));
        histogram(text, name.name, &labels, &distribution);
    }
    text.push('\n');
}
