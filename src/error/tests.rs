//! Numbers, words, and errors that carry them.

use std::backtrace::{Backtrace, BacktraceStatus};

use super::{Category, CodedError, ErrorCode};

#[test]
fn numbers_rise_and_words_are_there_once() {
    let all = ErrorCode::ALL;
    assert!(
        all.windows(2)
            .all(|pair| pair[0].number() < pair[1].number())
    );
    for code in all {
        assert_eq!(ErrorCode::named(code.word()), Some(*code));
        assert_ne!(code.category(), Category::Own, "{code}");
    }
}

#[test]
fn an_error_says_what_it_comes_from_and_whether_to_try_again() {
    let inner = CodedError::new(ErrorCode::own(7, "disk_slow", true, ""), "the disk is slow");
    assert!(inner.is_retryable());
    let outer = CodedError::new(ErrorCode::START_FAILED, "the store did not open").because(inner);
    assert!(!outer.is_retryable());
    let shown = format!("{outer:?}");
    assert!(
        shown.starts_with("E4001 start_failed: the store did not open: the disk is slow"),
        "{shown}"
    );
    assert_eq!(
        outer.report().messages,
        ["the store did not open", "the disk is slow"]
    );
}

#[test]
fn an_error_has_a_backtrace_if_and_only_if_the_environment_asks_for_it() {
    let error = CodedError::new(ErrorCode::FULL, "it is full");
    let status = Backtrace::capture().status();
    assert_eq!(error.backtrace().status(), status);
    let shows_one = format!("{error:?}").contains('\n');
    assert_eq!(shows_one, status == BacktraceStatus::Captured);
}

#[cfg(all(feature = "serde", feature = "http"))]
#[test]
fn a_report_can_be_sent_and_read_again() {
    let report = CodedError::new(ErrorCode::FULL, "x").report();
    let text = serde_json::to_string(&report).expect("it can be written");
    assert!(
        text.starts_with(r#"{"code":7001,"word":"full","category":"resource","is_retryable":true"#)
    );
    assert_eq!(
        serde_json::from_str::<super::ErrorReport>(&text).expect("it can be read"),
        report
    );
}
