//! Where in the document the reader is: a chain on the stack, made into a dotted key only when one is shown.

/// Where in the document the reader is.
#[derive(Clone, Copy)]
pub(super) struct Trail<'t> {
    pub(super) above: Option<&'t Trail<'t>>,
    pub(super) step: Step<'t>,
}

/// One step from a value to one inside it.
#[derive(Clone, Copy)]
pub(super) enum Step<'t> {
    Root,
    Key(&'t str),
    Index(usize),
}

impl Trail<'_> {
    pub(super) fn path(&self) -> String {
        let above = self.above.map(Trail::path).unwrap_or_default();
        match self.step {
            Step::Root => above,
            Step::Key(name) => join(&above, name),
            Step::Index(index) => format!("{above}[{index}]"),
        }
    }
}

/// Joins a key to those around it.
pub(crate) fn join(above: &str, name: &str) -> String {
    match above {
        "" => name.to_owned(),
        above => format!("{above}.{name}"),
    }
}
