//! Why a metric is refused.

use thiserror::Error;

use super::{Kind, MOST_SERIES};

/// Says why there can be no such metric.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidMetric {
    /// Prometheus would not take the name.
    #[error(
        "`{0}` is no name of a metric or a label; write letters, digits and `_`, a letter first"
    )]
    Name(String),
    /// The name is one of the library's.
    #[error("`{0}` begins as the metrics of the library do; choose another name")]
    Reserved(String),
    /// The name is taken by a metric of another kind.
    #[error("`{name}` is a {} already", kind.code())]
    Kind {
        /// The name.
        name: String,
        /// What it is.
        kind: Kind,
    },
    /// There are too many.
    #[error("there are {MOST_SERIES} series already")]
    TooMany,
    /// Two labels of one series have the same name.
    #[error("the label `{0}` is given twice")]
    LabelTwice(String),
    /// The bounds of a histogram do not rise, or are no numbers.
    #[error("the bounds of the buckets of `{0}` do not rise")]
    Buckets(String),
    /// A histogram writes lines of a name that another metric has, or would have.
    #[error(
        "the histogram `{histogram}` writes lines that are called `{name}`; choose another name"
    )]
    Lines {
        /// The name of the metric that is none of the histogram's.
        name: String,
        /// The histogram.
        histogram: String,
    },
}

impl InvalidMetric {
    /// Returns the cause as a stable lower-case word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Name(_) => "metric_name",
            Self::Reserved(_) => "metric_reserved",
            Self::Kind { .. } => "metric_kind",
            Self::TooMany => "metric_too_many",
            Self::LabelTwice(_) => "metric_label_twice",
            Self::Buckets(_) => "metric_buckets",
            Self::Lines { .. } => "metric_lines",
        }
    }
}
