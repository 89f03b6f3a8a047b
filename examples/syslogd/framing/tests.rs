//! Claims about framing, above all that the network's splits do not show.

use proptest::prelude::*;

use super::{Framer, FramingError, MAX_FRAME};

type Outcome = (Vec<Vec<u8>>, Option<FramingError>);

/// Feeds the parts in turn and collects every frame, with those of `finish`.
fn frames_of(parts: &[&[u8]], lines_only: bool) -> Outcome {
    let mut framer = Framer::new();
    if lines_only {
        framer.lines_only();
    }
    let mut frames = Vec::new();
    for part in parts {
        framer.push(part);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    match framer.finish() {
        Ok(last) => frames.extend(last),
        Err(error) => return (frames, Some(error)),
    }
    (frames, None)
}

fn frames(stream: &[u8]) -> Vec<Vec<u8>> {
    frames_of(&[stream], false).0
}

#[test]
fn what_logger_sends_over_tcp_is_cut_with_and_without_octet_counts() {
    assert_eq!(frames(b"<13>one\n<13>two\n"), [b"<13>one", b"<13>two"]);
    assert_eq!(frames(b"7 <13>one7 <13>two"), [b"<13>one", b"<13>two"]);
}

#[test]
fn one_stream_may_mix_both_framings_and_all_line_ends() {
    let stream = b"<1>a\r\n4 <2>b\n<3>c\0\n\n\r\n6 <4>d\ne<5>f";
    assert_eq!(
        frames(stream),
        [&b"<1>a"[..], b"<2>b", b"<3>c", b"<4>d\ne", b"<5>f"]
    );
}

#[test]
fn a_split_at_every_byte_boundary_gives_the_same_frames() {
    let long = vec![b'x'; MAX_FRAME + 10];
    let mut stream = b"<1>a\r\n4 <2>b\n<3>c\0\n12 ".to_vec();
    stream.extend_from_slice(b"<4>d\nefghijk<5>f\n65536 ");
    stream.extend_from_slice(&long[..MAX_FRAME]);
    stream.extend_from_slice(b"HELLO\n9 tooshort");
    let whole = frames_of(&[&stream], false);
    assert_eq!(whole.0.len(), 7, "the last count says 9 and 8 bytes follow");
    let near_an_edge = |at: &usize| *at < 64 || *at > stream.len() - 64 || at.is_multiple_of(4096);
    for at in (0..=stream.len()).filter(near_an_edge) {
        assert_eq!(
            frames_of(&[&stream[..at], &stream[at..]], false),
            whole,
            "split at {at}"
        );
    }
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(frames_of(&bytes, false), whole);
}

#[test]
fn an_overlong_line_is_truncated_and_counted_and_the_next_line_is_whole() {
    for length in [MAX_FRAME, MAX_FRAME + 1, 3 * MAX_FRAME] {
        let mut framer = Framer::new();
        framer.push(&vec![b'x'; length]);
        framer.push(b"\n<1>next\n");
        assert_eq!(framer.next_frame().unwrap().unwrap().len(), MAX_FRAME);
        assert_eq!(framer.next_frame().unwrap().unwrap(), b"<1>next");
        assert_eq!(framer.truncated_lines(), u64::from(length > MAX_FRAME));
    }
}

#[test]
fn a_line_that_never_ends_keeps_no_more_than_a_frame_and_a_push() {
    let mut framer = Framer::new();
    let mut frames = 0;
    for _ in 0..100 {
        framer.push(&[b'x'; 8192]);
        while framer.next_frame().unwrap().is_some() {
            frames += 1;
        }
        assert!(framer.buffer.len() <= MAX_FRAME + 8192);
    }
    assert_eq!((frames, framer.finish()), (1, Ok(None)));
}

#[test]
fn a_count_that_is_too_large_ends_the_connection_and_says_so_every_time() {
    for stream in [&b"65537 x"[..], b"123456", b"123456-x"] {
        let mut framer = Framer::new();
        framer.push(stream);
        assert_eq!(framer.next_frame(), Err(FramingError::CountTooLarge));
        framer.push(b"\n<13>more\n");
        assert_eq!(framer.next_frame(), Err(FramingError::CountTooLarge));
    }
}

#[test]
fn digits_without_a_space_begin_a_line() {
    let stream = b"2024-11-21 hi\n9\n<13>next\n12x at the end";
    let lines = [&b"2024-11-21 hi"[..], b"9", b"<13>next", b"12x at the end"];
    assert_eq!(frames(stream), lines);
}

#[test]
fn a_stream_that_ends_inside_a_counted_frame_is_an_error() {
    let (whole, error) = frames_of(&[b"3 abc10 de"], false);
    assert_eq!(
        (whole, error),
        (
            vec![b"abc".to_vec()],
            Some(FramingError::Incomplete { received: 5 })
        )
    );
}

#[test]
fn lines_only_reads_a_leading_number_as_text_and_drops_a_line_without_its_end() {
    let mut framer = Framer::new();
    framer.push(b"HELLO web-1\n1 <13>one\n2 <13>tw");
    assert_eq!(framer.next_frame().unwrap().unwrap(), b"HELLO web-1");
    framer.lines_only();
    assert_eq!(framer.next_frame().unwrap().unwrap(), b"1 <13>one");
    assert_eq!(framer.next_frame(), Ok(None));
    assert_eq!(
        framer.finish(),
        Ok(None),
        "a cut line would be stored as line 2 and its resend dropped"
    );
}

proptest! {
    #[test]
    fn no_bytes_and_no_splits_change_the_outcome(
        stream in "[0-9 \\n\\r\\x00<>a-c]{0,80}",
        cuts in proptest::collection::vec(0_usize..81, 0..6),
        lines_only: bool,
    ) {
        let stream = stream.as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let parts: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        prop_assert_eq!(frames_of(&parts, lines_only), frames_of(&[stream], lines_only));
    }

    #[test]
    fn random_bytes_never_make_the_framer_panic(parts in proptest::collection::vec(any::<Vec<u8>>(), 0..8)) {
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        drop(frames_of(&parts, false));
    }
}
