//! The lines of Prometheus' text format, of which the exporter offers the heads.

use std::fmt;

use metrics_exporter_prometheus::formatting;

use super::instrument::Distribution;

/// Names and values of labels.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

/// Writes what comes before the lines of a family; the help text may be empty.
pub(super) fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    if !help.is_empty() {
        formatting::write_help_line(text, name, None, None, help);
    }
    formatting::write_type_line(text, name, None, None, kind);
}

/// Writes labels, without the braces; their names are good ones.
pub(super) fn labels(labels: Labels<'_>) -> String {
    let mut text = String::new();
    for (label, value) in labels {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(label);
        text.push_str("=\"");
        escape(&mut text, value);
        text.push('"');
    }
    text
}

/// Writes a label's value as the format wants it. The exporter takes a backslash for an escape that is there
/// already, which makes one value of two.
fn escape(text: &mut String, value: &str) {
    for letter in value.chars() {
        match letter {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

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
