//! One script on both sides, and where they differ.

use std::any::Any;

use crate::script::Script;
use crate::trace::Step;
use crate::{model, ours};

/// Returns the first difference, printed; `None` when both sides agree.
pub(crate) fn difference(script: &Script) -> (Option<String>, Option<&'static str>) {
    let (model, murky) = model::run(script);
    let ours = ours::run(script);
    for (index, (model, ours)) in model.steps.iter().zip(&ours.steps).enumerate() {
        if model != ours {
            let (model, ours) = (beside(model, ours), beside(ours, model));
            let what = format!("operation {index}\n  the model:\n{model}\n  the library:\n{ours}");
            return (Some(what), None);
        }
    }
    if murky.is_none() && model.end != ours.end {
        let what = format!("the end\n  model: {}\n  ours: {}", model.end, ours.end);
        return (Some(what), None);
    }
    (None, murky.map(|(_, why)| why))
}

/// Prints one side; what the other side has not is marked.
fn beside(step: &Step, other: &Step) -> String {
    let other = other.print();
    let mark = |line: String| match other.contains(&line) {
        true => format!("    {line}"),
        false => format!(" ≠  {line}"),
    };
    let lines: Vec<_> = step.print().into_iter().map(mark).collect();
    lines.join("\n")
}

/// Returns what a panic says.
fn text(payload: &dyn Any) -> Option<&str> {
    let owned = || payload.downcast_ref::<String>().map(String::as_str);
    payload.downcast_ref::<&str>().copied().or_else(owned)
}

/// Panics of leaves are part of a script and are not printed.
pub(crate) fn keep_quiet_about_what_was_told() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if text(info.payload()) != Some("told to") {
            print(info);
        }
    }));
}
