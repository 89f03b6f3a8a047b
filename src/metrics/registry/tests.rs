//! A program's own metrics: what is counted is rendered, what can't be is refused.

use super::{InvalidMetric, Kind, MOST_SERIES, Registry, Value};

#[test]
fn everything_is_rendered_as_prometheus_wants_it() {
    let registry = Registry::new();
    let lines = registry
        .counter_with(
            "lines_total",
            "How many.",
            &[("via", "u\"d\np"), ("host", "a")],
        )
        .expect("new");
    lines.increment(3);
    registry
        .gauge("open", "How many are open.")
        .expect("new")
        .set(1.5);
    let sizes = registry
        .histogram_with("size_bytes", "How large.", &[], &[1.0, 10.0])
        .expect("new");
    for size in [0.5, 1.0, 5.0, 100.0, f64::NAN] {
        sizes.record(size);
    }
    let text = registry.render();
    for line in [
        "# HELP lines_total How many.",
        "# TYPE lines_total counter",
        "lines_total{host=\"a\",via=\"u\\\"d\\np\"} 3",
        "# TYPE open gauge",
        "open 1.5",
        "# TYPE size_bytes histogram",
        "size_bytes_bucket{le=\"1\"} 2",
        "size_bytes_bucket{le=\"10\"} 3",
        "size_bytes_bucket{le=\"+Inf\"} 4",
        "size_bytes_sum 106.5",
        "size_bytes_count 4",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
}

#[test]
fn a_name_means_one_thing() {
    let registry = Registry::new();
    registry.counter("a", "").expect("new").increment(1);
    registry.counter("a", "").expect("the same").increment(1);
    assert_eq!(registry.snapshot().get("a", ""), Some(&Value::Counter(2)));
    let expected = InvalidMetric::Kind {
        name: "a".to_owned(),
        kind: Kind::Counter,
    };
    assert_eq!(registry.gauge("a", "").err(), Some(expected));
}

#[test]
fn names_that_prometheus_refuses_are_refused_here() {
    let registry = Registry::new();
    for name in ["", "1a", "a b", "a-b", "é"] {
        assert_eq!(
            registry.counter(name, "").err(),
            Some(InvalidMetric::Name(name.to_owned()))
        );
        assert!(
            registry.counter_with("a", "", &[(name, "x")]).is_err(),
            "{name:?}"
        );
    }
    assert!(registry.counter_with("a", "", &[("le", "x")]).is_err());
    // A scraper refuses everything for the sake of such a line.
    let twice = [("kind", "x"), ("other", "y"), ("kind", "z")];
    assert_eq!(
        registry.counter_with("a", "", &twice).err(),
        Some(InvalidMetric::LabelTwice("kind".to_owned()))
    );
    assert!(matches!(
        registry.counter("perennial_a", ""),
        Err(InvalidMetric::Reserved(_))
    ));
    assert!(matches!(
        registry.histogram_with("h", "", &[], &[2.0, 1.0]),
        Err(InvalidMetric::Buckets(_))
    ));
}

#[test]
fn there_is_an_end_to_series() {
    let registry = Registry::new();
    for number in 0..MOST_SERIES {
        registry
            .counter_with("a", "", &[("n", &number.to_string())])
            .expect("there is room");
    }
    assert_eq!(
        registry.counter("b", "").err(),
        Some(InvalidMetric::TooMany)
    );
}

#[test]
fn a_timer_records_once_however_it_ends() {
    let registry = Registry::new();
    let times = registry.histogram("seconds", "").expect("new");
    let stopped = times.timer().stop();
    assert_eq!(
        (times.distribution().count, times.distribution().sum),
        (1, stopped.as_secs_f64())
    );
    drop(times.timer());
    assert_eq!(times.distribution().count, 2);
    times.timer().discard();
    assert_eq!(times.distribution().count, 2);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_knows_the_uptime() {
    let registry = Registry::new();
    tokio::time::sleep(std::time::Duration::from_secs(7)).await;
    assert_eq!(registry.snapshot().uptime.as_secs(), 7);
}

#[cfg(feature = "daemon")]
#[test]
fn a_program_that_has_filled_the_registry_does_not_switch_off_the_library_s_own() {
    use crate::metrics::names;

    let registry = Registry::new();
    for number in 0..MOST_SERIES {
        registry
            .counter_with("a", "", &[("n", &number.to_string())])
            .expect("there is room");
    }
    registry.count_one(names::HTTP_REQUESTS, &[("route", "livez"), ("code", "200")]);
    registry.measure(names::READY, 1.0);
    let text = registry.render();
    assert!(text.contains("\nperennial_ready 1\n"), "it is silent");
    assert!(text.contains("perennial_http_requests_total{code=\"200\",route=\"livez\"} 1\n"));
    assert!(registry.counter("b", "").is_err(), "it is still full");
}

#[test]
fn a_histogram_s_own_lines_are_no_metrics_beside_it() {
    for taken in ["took_bucket", "took_sum", "took_count"] {
        let registry = Registry::new();
        registry.histogram("took", "").expect("new");
        assert!(registry.counter(taken, "").is_err(), "{taken}");
        let registry = Registry::new();
        registry.counter(taken, "").expect("new");
        assert!(registry.histogram("took", "").is_err(), "{taken}");
        registry.gauge("took", "").expect("it has one line");
    }
}

#[test]
fn what_is_removed_makes_room_and_is_not_told_of_any_more() {
    let registry = Registry::new();
    let client = |number: usize| registry.counter_with("a", "", &[("n", &number.to_string())]);
    let first = client(0).expect("there is room");
    for number in 1..MOST_SERIES {
        client(number).expect("there is room");
    }
    client(MOST_SERIES).expect_err("it is full");
    assert!(registry.remove("a", &[("n", "0")]));
    assert!(!registry.remove("a", &[("n", "0")]), "it is gone");
    first.increment(1);
    assert_eq!(registry.snapshot().get("a", "n=\"0\""), None);
    client(MOST_SERIES).expect("there is room");
    for number in 1..=MOST_SERIES {
        assert!(registry.remove("a", &[("n", &number.to_string())]));
    }
    assert_eq!(registry.render(), "");
    registry.gauge("a", "").expect("the name is free");
}

#[cfg(feature = "daemon")]
#[test]
fn a_counter_of_seconds_is_read_as_one_and_the_library_s_can_t_be_removed() {
    use crate::metrics::names;

    let registry = Registry::new();
    registry.count_seconds(names::PROCESS_CPU, 1.5);
    let name = names::PROCESS_CPU.name;
    assert_eq!(
        registry.snapshot().get(name, ""),
        Some(&Value::Seconds(1.5))
    );
    assert!(!registry.remove(name, &[]));
    assert!(registry.render().contains(&format!("\n{name} 1.5\n")));
}

#[test]
fn what_is_counted_through_the_crate_metrics_is_in_the_registry() {
    let registry = Registry::new();
    metrics::with_local_recorder(&registry, || {
        metrics::describe_counter!("http.requests", "How many came.");
        metrics::counter!("http.requests", "http.code" => "200").increment(2);
        metrics::counter!("http.requests", "http.code" => "200").increment(1);
        metrics::counter!("seen").absolute(9);
        metrics::counter!("seen").absolute(7);
        metrics::gauge!("open").set(3.0);
        metrics::gauge!("open").increment(2.0);
        metrics::gauge!("open").decrement(1.5);
        metrics::describe_gauge!("open", "How many are open.");
        metrics::histogram!("took").record(0.02);
        metrics::histogram!("took").record_many(0.02, 3);
        metrics::histogram!("took").record_many(f64::INFINITY, 0);
    });
    let text = registry.render();
    for line in [
        "# HELP http_requests How many came.",
        "# TYPE http_requests counter",
        "http_requests{http_code=\"200\"} 3",
        "seen 9",
        "# HELP open How many are open.",
        "open 3.5",
        "took_bucket{le=\"0.01\"} 0",
        "took_bucket{le=\"0.025\"} 4",
        "took_sum 0.08",
        "took_count 4",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
}

#[test]
fn what_is_refused_through_the_crate_metrics_counts_nothing_and_spoils_nothing() {
    let registry = Registry::new();
    metrics::with_local_recorder(&registry, || {
        metrics::counter!("a").increment(1);
        metrics::gauge!("a").set(5.0);
        metrics::histogram!("perennial_ready").record(5.0);
        metrics::counter!("b", "le" => "1").increment(1);
        metrics::counter!("c", "x.y" => "1", "x_y" => "2").increment(1);
    });
    assert_eq!(registry.render(), "# TYPE a counter\na 1\n\n");
}

#[test]
fn all_histograms_of_a_name_have_the_same_bounds() {
    let registry = Registry::new();
    registry
        .histogram_with("took", "", &[], &[1.0, 2.0])
        .expect("new");
    let more = registry.histogram_with("took", "", &[("via", "tcp")], &[5.0]);
    more.expect("new").record(1.5);
    metrics::with_local_recorder(&registry, || {
        metrics::histogram!("took", "via" => "udp").record(1.5);
    });
    let text = registry.render();
    for via in ["tcp", "udp"] {
        let line = format!("took_bucket{{via=\"{via}\",le=\"2\"}} 1");
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
    assert!(!text.contains("le=\"5\""), "{text}");
}

#[test]
fn a_help_text_may_come_after_the_metric() {
    let registry = Registry::new();
    registry.counter("a", "").expect("new").increment(1);
    registry.counter("a", "What it is.").expect("the same");
    registry.counter("a", "Something else.").expect("the same");
    registry.counter("b", "").expect("new");
    registry
        .gauge("b", "Degrees.")
        .expect_err("it is a counter");
    let text = registry.render();
    let expected = "# HELP a What it is.\n# TYPE a counter\na 1\n\n# TYPE b counter\nb 0\n\n";
    assert_eq!(text, expected);
}

#[test]
fn values_that_differ_by_a_backslash_are_two_series() {
    let registry = Registry::new();
    let values = ["a\"b", "a\\\"b", "\\", "\\\\", "\n", "\\n"];
    for value in values {
        let made = registry.counter_with("a", "", &[("n", value)]);
        made.expect("new").increment(1);
    }
    assert_eq!(registry.snapshot().values.len(), values.len());
    let text = registry.render();
    assert!(text.contains("a{n=\"a\\\\\\\"b\"} 1\n"), "{text}");
    assert!(text.contains("a{n=\"\\n\"} 1\n"), "{text}");
}

#[test]
fn what_came_through_the_crate_metrics_is_removed_by_the_name_it_was_given() {
    let registry = Registry::new();
    metrics::with_local_recorder(&registry, || {
        metrics::counter!("cache.hits", "of.kind" => "user").increment(1);
    });
    assert!(registry.remove("cache.hits", &[("of.kind", "user")]));
    assert_eq!(registry.render(), "");
}
