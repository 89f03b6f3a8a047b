//! The names of the contenders are true: each library is seen to stop its children as its name says.

use super::witness::{Moment, WATCHED};
use super::{Library, ours, ours_as_tasks, peers};

fn one_by_one_the_last_first() -> Vec<Moment> {
    let moments = |number| [Moment::Began(number), Moment::Ended(number)];
    (0..WATCHED).rev().flat_map(moments).collect()
}

fn all_begin_before_one_has_ended(seen: &[Moment]) -> bool {
    let is_beginning = |moment: &Moment| matches!(moment, Moment::Began(_));
    seen.len() == 2 * WATCHED && seen.iter().take(WATCHED).all(is_beginning)
}

#[test]
fn each_library_stops_its_children_as_its_name_says() {
    let own = [ours(), ours_as_tasks()];
    for library in own.into_iter().chain(peers()) {
        let Library {
            ten_thousand: contender,
            observe,
            ..
        } = library;
        let name = contender.name;
        // OTP, where there is none.
        let Some(seen) = observe() else { continue };
        let (_, manner) = name.split_once(", ").expect("a name and a manner");
        let is_true = match manner {
            "in order" => seen == one_by_one_the_last_first(),
            "all at once" => all_begin_before_one_has_ended(&seen),
            "kills" => seen.is_empty(),
            _ => false,
        };
        assert!(is_true, "{name}: {seen:?}");
    }
}
