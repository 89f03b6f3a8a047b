//! What the configuration says of signals, in the words of those who hear them.

use crate::config::{SignalMeaning, SignalSettings};
use crate::signals::{Signal, SignalAction};

/// Lists what is said of each signal that there is on this system.
pub(super) fn of(settings: &SignalSettings) -> Vec<(Signal, SignalAction)> {
    let named = [
        (Signal::INTERRUPT, settings.int),
        (Signal::TERMINATE, settings.term),
        #[cfg(unix)]
        (Signal::HANGUP, settings.hup),
        #[cfg(unix)]
        (Signal::QUIT, settings.quit),
        #[cfg(unix)]
        (Signal::USER_1, settings.usr1),
        #[cfg(unix)]
        (Signal::USER_2, settings.usr2),
    ];
    let said = named.into_iter();
    said.filter_map(|(signal, meaning)| Some((signal, action(meaning?))))
        .collect()
}

fn action(meaning: SignalMeaning) -> SignalAction {
    match meaning {
        SignalMeaning::Shutdown => SignalAction::Shutdown,
        SignalMeaning::Reload => SignalAction::Reload,
        SignalMeaning::Reopen => SignalAction::Reopen,
        SignalMeaning::Ignore => SignalAction::Ignore,
        SignalMeaning::Default => SignalAction::Default,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::of;
    use crate::config::{SignalMeaning, SignalSettings};
    use crate::signals::Signal;

    #[test]
    fn each_signal_that_is_named_has_the_meaning_of_its_word_and_no_other_has_one() {
        assert!(of(&SignalSettings::default()).is_empty());
        let settings = SignalSettings {
            int: Some(SignalMeaning::Shutdown),
            term: Some(SignalMeaning::Shutdown),
            hup: Some(SignalMeaning::Ignore),
            quit: Some(SignalMeaning::Default),
            usr1: Some(SignalMeaning::Reload),
            usr2: Some(SignalMeaning::Reopen),
        };
        let said = of(&settings).into_iter();
        let said: Vec<_> = said
            .map(|(signal, action)| (signal, action.code()))
            .collect();
        assert_eq!(
            said,
            [
                (Signal::INTERRUPT, "shutdown"),
                (Signal::TERMINATE, "shutdown"),
                (Signal::HANGUP, "ignore"),
                (Signal::QUIT, "default"),
                (Signal::USER_1, "reload"),
                (Signal::USER_2, "reopen"),
            ]
        );
    }
}
