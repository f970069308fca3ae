//! Processes that do what they should, and ones that do not.

use std::cell::Cell;

use super::*;
use crate::example::Example;
use crate::subject::Target;
use crate::workload::Workload;

fn trial(workload: &str, dir: &tempfile::TempDir) -> Trial {
    let registry = Registry::builtin();
    Trial {
        workload: workload.to_owned(),
        source: Target::of_backend("memory", &registry).unwrap().source,
        parameters: Workload::find(workload).unwrap().parameters(&Example::default().asked),
        warm_up_seconds: 0.0,
        seconds: 0.02,
        seed: 1,
        dir: dir.path().to_owned(),
    }
}

/// What becomes of a trial in a process that runs this script.
fn shell(script: &str) -> Result<Measured> {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    launch(command, &trial("ycsb-a", &dir), &mut |_, _| (), &|| false)
}

#[test]
fn a_trial_is_served_as_lines() {
    let dir = tempfile::tempdir().unwrap();
    let text = serde_json::to_string(&trial("ycsb-a", &dir)).unwrap();
    let mut output = Vec::new();
    serve(&Registry::builtin(), text.as_bytes(), &mut output).unwrap();
    let lines: Vec<Line> = String::from_utf8(output)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (last, before) = lines.split_last().unwrap();
    assert!(matches!(last, Line::Measured(measured) if measured.ops > 0));
    assert!(before.len() >= 2, "loading and running are told");
    assert!(before.iter().all(|line| matches!(line, Line::Progress { .. })));
    assert!(serve(&Registry::builtin(), "{}".as_bytes(), &mut Vec::new()).is_err());
}

#[test]
fn what_a_process_cannot_is_told_apart_from_failure() {
    let answer = |unsupported| {
        format!(
            "cat >/dev/null; echo '{{\"failed\":{{\"unsupported\":{unsupported},\
             \"message\":\"no scans\"}}}}'"
        )
    };
    let error = shell(&answer(true)).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Unsupported, "no scans"));
    assert_eq!(shell(&answer(false)).unwrap_err().kind(), ErrorKind::Internal);
}

#[test]
fn a_process_that_ends_says_how_and_what_it_said() {
    let error = shell("echo 'out of' >&2; echo memory >&2; exit 3").unwrap_err().to_string();
    assert!(error.contains("exit status: 3") && error.contains("out of memory"), "{error}");
    let error = shell("kill -9 $$").unwrap_err().to_string();
    assert!(error.contains("signal: 9"), "{error}");
    let error = shell("echo nonsense").unwrap_err().to_string();
    assert!(error.contains("answer is broken"), "{error}");
    let nowhere = Command::new("/nowhere/hozo");
    let dir = tempfile::tempdir().unwrap();
    let ran = launch(nowhere, &trial("ycsb-a", &dir), &mut |_, _| (), &|| false);
    assert!(ran.unwrap_err().to_string().contains("cannot be started"));
}

#[test]
fn a_process_that_is_stopped_is_ended() {
    let progress = r#"{"progress":{"phase":"run","done":0.5}}"#;
    // It would go on for ever: only being ended lets this test end.
    let script = format!("while true; do echo '{progress}'; done");
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    let told = Cell::new(0);
    let mut count = |_, _| told.set(told.get() + 1);
    let ran = launch(command, &trial("ycsb-a", &dir), &mut count, &|| told.get() >= 3);
    assert!(ran.unwrap_err().to_string().contains("stopped"));
    assert_eq!(told.get(), 3);
}
