//! No wish is lost, whatever came before it, and nobody waits for who has ended.

use std::time::Duration;

use tokio::sync::oneshot;

use super::{MOST_WAITING, requests};
use crate::config::reload::{Cause, Reloaded};
use crate::config::watch::Hint;
use crate::config::{ConfigError, ReloadError};

type Answer = Result<Reloaded, ConfigError>;

#[test]
fn a_signal_and_a_stop_come_through_however_much_waits() {
    let (requests, hearing) = requests();
    for _ in 0..1_000 {
        requests.hint(Hint::Begun);
        requests
            .reload(Cause::Bus, None)
            .expect("somebody hears it");
    }
    requests
        .reload(Cause::Signal, None)
        .expect("somebody hears it");
    requests.hint(Hint::Complete);
    let wishes = hearing.wait(Duration::ZERO);
    let causes: Vec<Cause> = wishes.reloads.iter().map(|reload| reload.cause).collect();
    assert_eq!(causes, [Cause::Bus, Cause::Signal]);
    assert_eq!(wishes.hints, [Hint::Begun, Hint::Complete]);
    assert!(!wishes.is_over);
    for _ in 0..1_000 {
        requests.hint(Hint::Begun);
    }
    requests.stop();
    assert!(hearing.wait(Duration::ZERO).is_over);
    assert!(hearing.wait(Duration::ZERO).is_over, "and stays so");
}

#[test]
fn who_waits_for_an_answer_has_a_bound_and_who_does_not_has_none() {
    let (requests, hearing) = requests();
    let mut answers = Vec::new();
    for _ in 0..MOST_WAITING {
        let (waiting, answer) = oneshot::channel::<Answer>();
        requests
            .reload(Cause::Admin, Some(waiting))
            .expect("there is room");
        answers.push(answer);
    }
    let (waiting, _) = oneshot::channel::<Answer>();
    let refused = requests.reload(Cause::Call, Some(waiting));
    assert!(matches!(refused, Err(ReloadError::Busy)));
    assert!(requests.reload(Cause::Signal, None).is_ok());
    assert_eq!(
        hearing.wait(Duration::ZERO).reloads[0].waiting.len(),
        MOST_WAITING
    );
    let (waiting, _) = oneshot::channel::<Answer>();
    assert!(requests.reload(Cause::Call, Some(waiting)).is_ok());
}

#[test]
fn who_waits_when_the_thread_ends_and_who_comes_after_is_told() {
    let (requests, hearing) = requests();
    let (waiting, mut answer) = oneshot::channel::<Answer>();
    requests
        .reload(Cause::Call, Some(waiting))
        .expect("somebody hears it");
    drop(hearing);
    assert!(
        answer
            .try_recv()
            .is_err_and(|error| error == oneshot::error::TryRecvError::Closed),
        "nobody will answer"
    );
    let refused = requests.reload(Cause::Signal, None);
    assert!(matches!(refused, Err(ReloadError::Ended)));
}
