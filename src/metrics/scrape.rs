//! The text of one scrape: what is said of a node comes together, what is of one name is written together.
//!
//! No recorder of the exporter's stands between: it looks for each series in three maps before it writes
//! it. In return nobody here notices a series that is written twice, which a scraper refuses with all others.

use std::collections::BTreeMap;

use super::instrument::Distribution;
use super::names::Name;
use super::registry::Kind;
use super::text::{self, Labels};

/// The families of one scrape, by name, each with its lines so far.
#[derive(Default)]
pub(super) struct Scrape {
    families: BTreeMap<&'static str, String>,
}

impl Scrape {
    pub(super) fn count(&mut self, name: Name, labels: Labels<'_>, count: u64) {
        let family = self.family(name, Kind::Counter);
        text::line(family, name.name, &text::labels(labels), count);
    }

    pub(super) fn gauge(&mut self, name: Name, labels: Labels<'_>, value: f64) {
        let family = self.family(name, Kind::Gauge);
        text::line(family, name.name, &text::labels(labels), value);
    }

    pub(super) fn histogram(&mut self, name: Name, labels: Labels<'_>, values: &Distribution) {
        let family = self.family(name, Kind::Histogram);
        text::histogram(family, name.name, &text::labels(labels), values);
    }

    /// Returns the lines of a family, which begin with its head.
    fn family(&mut self, Name { name, help }: Name, kind: Kind) -> &mut String {
        self.families.entry(name).or_insert_with(|| {
            let mut text = String::new();
            text::head(&mut text, name, help, kind.code());
            text
        })
    }

    /// Returns everything.
    pub(super) fn render(self) -> String {
        let mut text = String::new();
        for family in self.families.values() {
            text.push_str(family);
            text.push('\n');
        }
        text
    }
}
