//! The page, as a browser and a reader would find it.

use super::*;
use crate::example::Example;
use crate::report::Outcome;

fn report() -> Report {
    let targets = vec![("sqlite", 1.0), ("memory", 3.0), ("a<b>&\"c", 0.5), ("tape", 1.0)];
    let mut report = Example { targets, ..Example::default() }.report();
    for tried in report.trials.iter_mut().filter(|tried| tried.target == "tape") {
        tried.outcome = Outcome::Failed("it <tore> & burned".to_owned());
    }
    report
}

/// The tags of a page in their order, with their attributes.
fn tags(page: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, after) = after.split_once('>').expect("a tag ends");
        assert!(!tag.contains('<'), "a tag in a tag: {tag}");
        tags.push(tag);
        rest = after;
    }
    tags
}

#[test]
fn it_is_well_formed() {
    let page = page(&report());
    let mut open = Vec::new();
    for tag in tags(&page) {
        let name = tag.split([' ', '\n']).next().unwrap();
        match (tag.strip_prefix('/'), tag.ends_with('/')) {
            (Some(closed), _) => assert_eq!(open.pop(), Some(closed), "closed in another order"),
            (None, true) => {}
            (None, false) if name == "!DOCTYPE" => {}
            (None, false) => open.push(name),
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "a quote is missing: {tag}");
    }
    assert_eq!(open, Vec::<&str>::new());
    for (at, _) in page.match_indices('&') {
        let entity = page[at..].split(';').next().unwrap();
        assert!(["&amp", "&lt", "&gt", "&quot"].contains(&entity), "{entity}");
    }
}

#[test]
fn ids_are_unique_and_what_is_referred_to_is_there() {
    let page = page(&report());
    let values = |attribute: &str| -> Vec<String> {
        let begins = format!(" {attribute}=\"");
        page.split(&begins).skip(1).map(|part| part.split('"').next().unwrap().to_owned()).collect()
    };
    let ids = values("id");
    let mut unique = ids.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), ids.len());
    let labels = values("aria-labelledby");
    assert_eq!(labels.len(), page.matches("<svg").count(), "every picture has words");
    assert!(
        labels.iter().flat_map(|label| label.split(' ')).all(|id| ids.contains(&id.to_owned()))
    );
    let links = values("href");
    assert!(links.iter().all(|link| ids.contains(&link.trim_start_matches('#').to_owned())));
}

#[test]
fn it_needs_nothing_from_elsewhere() {
    let page = page(&report());
    for foreign in ["http:", "https:", "//", " src=", "@import", "url(", "<script", "<link"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(page.contains("prefers-color-scheme: dark"));
}

#[test]
fn it_says_what_was_measured() {
    let page = page(&report());
    assert!(page.contains("a&lt;b&gt;&amp;&quot;c") && !page.contains("a<b>"));
    assert!(page.contains("tape: it &lt;tore&gt; &amp; burned"));
    assert!(page.contains("A &lt;fast&gt; processor &amp; more"));
    for plot in ["Throughput, operations", "Latency by percentile", "Distribution of latencies"] {
        assert_eq!(page.matches(plot).count() % 2, 0, "{plot} for both workloads");
        assert!(page.contains(plot), "{plot}");
    }
    assert!(page.contains("class=\"better\"") && page.contains("class=\"worse\""));
    assert!(page.contains("99 % of operations:"), "hovering tells");
    assert!(page.contains("· update"), "each kind of operation has its line");
    assert!(!page.contains("NaN") && !page.contains("inf"), "no figure is missing");
}

#[test]
fn few_operations_and_one_repetition_can_be_drawn() {
    let mut report = Example { repeat: 1, noise: 0.0, ..Example::default() }.report();
    for tried in &mut report.trials {
        let Outcome::Measured(measured) = &mut tried.outcome else { unreachable!() };
        let mut recorder = crate::latency::Recorder::default();
        recorder.record(crate::latency::Op::Load, 5_000_000_000);
        (measured.latency, measured.ops) = (recorder.latency(), 1);
        (measured.disk_bytes, measured.peak_bytes) = (None, None);
    }
    let page = page(&report);
    assert!(!page.contains("NaN") && !page.contains("inf"));
}

#[test]
fn ticks_are_round_and_within() {
    let scale = svg::LogScale::new(900.0, 1_200_000.0, 0.0, 100.0);
    let ticks: Vec<u64> = scale.ticks().iter().map(|tick| tick.round() as u64).collect();
    assert_eq!(ticks, [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000]);
    assert!((scale.at(1e6) - 97.4).abs() < 0.1, "{}", scale.at(1e6));
    assert_eq!(svg::LogScale::new(5.0, 5.0, 0.0, 1.0).ticks().len(), 1);
    assert_eq!(svg::linear_ticks(870.0, 1000.0), [0.0, 250.0, 500.0, 750.0]);
    assert_eq!(svg::linear_ticks(3.0 * 1048576.0, 1024.0)[..2], [0.0, 1048576.0]);
    assert_eq!(svg::linear_ticks(0.0, 1000.0), [0.0]);
}
