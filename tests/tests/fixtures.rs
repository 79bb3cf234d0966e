//! Captures of other projects give the records that other tools agree on.
//!
//! The captures belong to their authors and are not shipped: where their folder is not there, the
//! test says so and passes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics where it stands")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::agent::binary;
use harness::remark;
use harness::score::{Comparison, Score, Transaction};
use serde_json::Value;

/// What the best of the tools that the expectations come from reaches itself.
const RECALL: f64 = 0.981;
const PRECISION: f64 = 0.989;

/// Replays `capture` and reads what comes out. A capture that ends early may end in code 1.
fn replay(capture: &Path) -> Vec<Value> {
    let output = Command::new(binary().unwrap()).arg("replay").arg(capture).output().unwrap();
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 1)), "{}: {}", capture.display(), output.status);
    lines(&String::from_utf8(output.stdout).unwrap())
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn compare(capture: &Path, expectations: &Path) -> (usize, Comparison) {
    let expected = lines(&fs::read_to_string(expectations).unwrap());
    let expected: Vec<_> = expected.iter().filter_map(Transaction::of_expectation).collect();
    let records = replay(capture).iter().filter_map(Transaction::of_record).collect();
    (expected.len(), Comparison::new(expected, records))
}

/// The folder of the captures: named, or beside the checkout.
fn folder() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures");
    env::var_os("HOOKSENSOR_FIXTURES").map_or_else(beside, PathBuf::from)
}

/// Every capture below `folder`.
fn captures(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            captures(&path, found);
        } else {
            found.push(path);
        }
    }
    found.sort();
}

#[test]
fn captures_of_others_are_understood() {
    let folder = folder();
    if !folder.join("captures").is_dir() {
        remark("left out: no captures; HOOKSENSOR_FIXTURES names their folder");
        return;
    }
    let mut found = Vec::new();
    captures(&folder.join("captures"), &mut found);
    let mut score = Score::default();
    for capture in &found {
        let name = capture.strip_prefix(folder.join("captures")).unwrap();
        let expectations = folder.join("expected").join(name).with_extension("jsonl");
        let (count, comparison) = compare(capture, &expectations);
        assert!(count > 0 || comparison.extra.is_empty(), "{}: {comparison:?}", name.display());
        if !comparison.is_perfect() {
            remark(&format!("{}: {comparison:?}", name.display()));
        }
        score.add(&comparison);
    }
    let (recall, precision) = (score.recall(), score.precision());
    remark(&format!("{} captures: recall {recall:.4}, precision {precision:.4}", found.len()));
    assert!(recall > RECALL && precision > PRECISION, "{recall:.4} {precision:.4}");
}
