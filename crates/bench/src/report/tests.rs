//! Reports, written and read back.

use serde_json::Value;

use super::*;
use crate::example::Example;

#[test]
fn json_comes_back_as_it_went() {
    let mut report = Example::default().report();
    report.trials[0].outcome = Outcome::Failed("the disk is full".to_owned());
    report.trials[1].outcome = Outcome::Unsupported("no records".to_owned());
    let back = Report::from_json("it", &report.to_json()).unwrap();
    assert!(back == report, "{}", back.to_json());
    assert_eq!(report.why_not("ycsb-a", "sqlite"), Some(("the disk is full", true)));
    assert_eq!(report.measured("ycsb-a", "memory").len(), 5);
}

#[test]
fn other_forms_are_refused_with_the_reason() {
    let text = Example::default().report().to_json();
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut value: Value = serde_json::from_str(&text).unwrap();
        change(&mut value);
        let error = Report::from_json("old.json", &value.to_string()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        error.to_string()
    };
    let newer = changed(&|value| value["schema"] = 99.into());
    assert!(newer.contains("form 99") && newer.contains("old.json"), "{newer}");
    let other = changed(&|value| value["kind"] = "criterion".into());
    assert!(other.contains("not a report"), "{other}");
    let damaged = changed(&|value| {
        value.as_object_mut().unwrap().remove("trials");
    });
    assert!(damaged.contains("missing field `trials`"), "{damaged}");
    let error = Report::from_json("x", "not json").unwrap_err().to_string();
    assert!(error.contains("not JSON"), "{error}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Report::from_file(Path::new("/nowhere/a.json")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("/nowhere/a.json"), "{error}");
}
