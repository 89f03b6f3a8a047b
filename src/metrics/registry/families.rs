//! What a registry holds: families of series, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{HISTOGRAM_LINES, InvalidMetric, Kind, MOST_SERIES, is_reserved};
use crate::metrics::instrument::Cells;

#[derive(Default)]
pub(super) struct Families {
    by_name: BTreeMap<Arc<str>, Family>,
    /// How many series the program has.
    series: usize,
    /// Help texts of what is made without one.
    described: BTreeMap<String, String>,
}

/// All series of one name.
#[derive(Clone)]
pub(super) struct Family {
    pub(super) kind: Kind,
    pub(super) help: Arc<str>,
    /// By the labels, as they are written.
    pub(super) series: BTreeMap<Arc<str>, Cells>,
}

impl Families {
    /// Returns a series that is there, unless a help text comes with it that is not known yet.
    pub(super) fn find(&self, (name, help): (&str, &str), labels: &str) -> Option<Cells> {
        let family = self.by_name.get(name)?;
        let is_explained = help.is_empty() || !family.help.is_empty();
        is_explained.then(|| family.series.get(labels).cloned())?
    }

    /// Returns a series, made if need be; `make` is shown another one of the name.
    pub(super) fn find_or_make(
        &mut self,
        (name, help): (&str, &str),
        labels: &str,
        make: &dyn Fn(Option<&Cells>) -> Cells,
    ) -> Result<Cells, InvalidMetric> {
        let known = self.by_name.get(name);
        let made = make(known.and_then(|family| family.series.values().next()));
        let kind = known.map_or(made.kind(), |family| family.kind);
        if kind != made.kind() {
            let name = name.to_owned();
            return Err(InvalidMetric::Kind { name, kind });
        }
        self.explain(name, help);
        if let Some(found) = self.find((name, ""), labels) {
            return Ok(found);
        }
        let is_own = is_reserved(name);
        if !is_own && self.series >= MOST_SERIES {
            return Err(InvalidMetric::TooMany);
        }
        self.refuse_same_lines(name, kind)?;
        let described = || self.described.get(name).map_or(help, String::as_str);
        let family = self.by_name.entry(name.into()).or_insert_with(|| Family {
            kind,
            help: if help.is_empty() { described() } else { help }.into(),
            series: BTreeMap::new(),
        });
        family.series.insert(labels.into(), made.clone());
        self.series += usize::from(!is_own);
        Ok(made)
    }

    /// Removes a series of the program's.
    pub(super) fn remove(&mut self, name: &str, labels: &str) -> bool {
        let Some(family) = self.by_name.get_mut(name) else {
            return false;
        };
        if is_reserved(name) || family.series.remove(labels).is_none() {
            return false;
        }
        if family.series.is_empty() {
            self.by_name.remove(name);
        }
        self.series -= 1;
        true
    }

    /// Says what a family is that was made without a help text.
    fn explain(&mut self, name: &str, help: &str) {
        if let Some(family) = self.by_name.get_mut(name)
            && family.help.is_empty()
        {
            family.help = help.into();
        }
    }

    /// Remembers what a metric is that was made without a help text, or will be.
    pub(super) fn describe(&mut self, name: String, help: &str) {
        self.explain(&name, help);
        if self.described.len() < MOST_SERIES {
            let known = self.described.entry(name).or_default();
            if known.is_empty() {
                help.clone_into(known);
            }
        }
    }

    /// Returns how many series the program has.
    pub(super) fn series(&self) -> usize {
        self.series
    }

    /// Returns all of them, for whoever reads the numbers when the lock is free again.
    pub(super) fn all(&self) -> Vec<(Arc<str>, Family)> {
        let all = self.by_name.iter();
        all.map(|(name, family)| (Arc::clone(name), family.clone()))
            .collect()
    }

    /// Refuses a metric whose lines would be called as those of another: a histogram writes three kinds of
    /// them, beside those that it is called after.
    fn refuse_same_lines(&self, name: &str, kind: Kind) -> Result<(), InvalidMetric> {
        let lines = |name: &str, histogram: &str| InvalidMetric::Lines {
            name: name.to_owned(),
            histogram: histogram.to_owned(),
        };
        for suffix in HISTOGRAM_LINES {
            let histogram = name.strip_suffix(suffix);
            if let Some((histogram, Family { kind, .. })) =
                histogram.and_then(|histogram| self.by_name.get_key_value(histogram))
                && *kind == Kind::Histogram
            {
                return Err(lines(name, histogram));
            }
            let other = format!("{name}{suffix}");
            if kind == Kind::Histogram && self.by_name.contains_key(&*other) {
                return Err(lines(&other, name));
            }
        }
        Ok(())
    }
}
