//! The rules themselves, each over one file.
//!
//! They must not know where files come from.

use std::path::Component;

use super::{Fault, Source};

/// The modules of the agent in the order in which data moves through them, after what all of them
/// share. A module imports only from those before it; `pipeline` wires them and `cli` starts
/// everything.
const STAGES: [&str; 18] = [
    "time", "config", "kernel", "capture", "id", "tcp", "http", "webhook", "detect", "decide",
    "enforce", "record", "export", "alert", "control", "store", "pipeline", "cli",
];

/// Stages that turn bytes and a time into values, and nothing else.
const PURE: [&str; 9] =
    ["time", "capture", "id", "tcp", "http", "webhook", "detect", "decide", "record"];

/// What a pure stage may not mention: the kernel, the runtime, the clock, the file system.
const IMPURE: [&str; 8] = [
    "aya::",
    "prometheus::",
    "tokio::",
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "Instant",
    "SystemTime",
];

/// Lines before its tests at which a file has to be divided.
const MAX_LINES: usize = 500;

/// Columns of a comment, as rustfmt holds code to them. A link may be longer.
const MAX_WIDTH: usize = 100;

/// What is never committed. Pieced together, so that this file may say it.
const FORBIDDEN: [(&str, &str); 4] = [
    (concat!("TO", "DO"), "an open end belongs into an issue"),
    (concat!("FIX", "ME"), "an open end belongs into an issue"),
    (concat!("dbg", "!("), "a debugging aid was left behind"),
    (concat!("#[al", "low("), "use #[expect(.., reason = \"..\")]"),
];

/// Adds what `source` breaks to `faults`.
pub(super) fn check(source: &Source<'_>, faults: &mut Vec<Fault>) {
    length(source, faults);
    width(source, faults);
    forbidden(source, faults);
    if let Some(stage) = stage(source) {
        direction(source, stage, faults);
        purity(source, stage, faults);
    }
}

fn width(source: &Source<'_>, faults: &mut Vec<Fault>) {
    for (index, line) in source.text.lines().enumerate() {
        let is_prose = line.trim_start().starts_with("//") && !line.contains("://");
        if is_prose && line.chars().count() > MAX_WIDTH {
            let rule = format!("a comment of more than {MAX_WIDTH} columns");
            faults.push(source.fault(index + 1, rule));
        }
    }
}

fn length(source: &Source<'_>, faults: &mut Vec<Fault>) {
    let lines = source.product_lines().count();
    if lines > MAX_LINES {
        let rule = format!("{lines} lines before the tests, and {MAX_LINES} is the end");
        faults.push(source.fault(lines, rule));
    }
}

fn forbidden(source: &Source<'_>, faults: &mut Vec<Fault>) {
    for (index, line) in source.text.lines().enumerate() {
        for (word, reason) in FORBIDDEN {
            if line.contains(word) {
                faults.push(source.fault(index + 1, format!("`{word}`: {reason}")));
            }
        }
    }
}

fn direction(source: &Source<'_>, stage: usize, faults: &mut Vec<Fault>) {
    for (number, line) in code_lines(source) {
        for import in imported(line) {
            let later = STAGES.iter().skip(stage + 1).find(|name| **name == import);
            if let Some(later) = later {
                let rule = format!("`{}` imports from the later `{later}`", STAGES[stage]);
                faults.push(source.fault(number, rule));
            }
        }
    }
}

fn purity(source: &Source<'_>, stage: usize, faults: &mut Vec<Fault>) {
    let stage = STAGES[stage];
    for (number, line) in code_lines(source) {
        let impure = IMPURE.iter().filter(|name| PURE.contains(&stage) && mentions(line, name));
        faults.extend(
            impure.map(|name| source.fault(number, format!("`{stage}` is pure: no `{name}`"))),
        );
        if stage != "kernel" && !PURE.contains(&stage) && mentions(line, "aya::") {
            faults.push(source.fault(number, "only `kernel` imports aya"));
        }
    }
}

/// The index in [`STAGES`] of the module a file of the agent belongs to.
fn stage(source: &Source<'_>) -> Option<usize> {
    let inner = source.path.strip_prefix("sensor/src").ok()?;
    let Some(Component::Normal(first)) = inner.components().next() else { return None };
    let name = first.to_str()?.trim_end_matches(".rs");
    STAGES.iter().position(|stage| *stage == name)
}

fn code_lines<'a>(source: &'a Source<'a>) -> impl Iterator<Item = (usize, &'a str)> {
    source.product_lines().filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The modules that a line names after `crate::`, one or a list in braces.
fn imported(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).flat_map(|rest| {
        let list = rest.strip_prefix('{').map_or(rest, |list| list.trim_end_matches("};"));
        let count = if rest.starts_with('{') { usize::MAX } else { 1 };
        list.split(", ").take(count).map(first_word)
    })
}

fn first_word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// Whether `name` stands in the line as a path of its own, not as the end of a longer word.
fn mentions(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        !line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn check_text(path: &str, text: &str, expected: &[&str]) {
        let mut faults = Vec::new();
        check(&Source { path: Path::new(path), text }, &mut faults);
        let found: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{path}\n{text}");
    }

    #[test]
    fn imports_point_to_earlier_stages() {
        check_text("sensor/src/http/head.rs", "use crate::tcp::Event;", &[]);
        check_text(
            "sensor/src/http/head.rs",
            "use crate::record::Delivery;",
            &["sensor/src/http/head.rs:1: `http` imports from the later `record`"],
        );
        check_text(
            "sensor/src/tcp.rs",
            "\nlet x = crate::capture::f(crate::detect::g());",
            &["sensor/src/tcp.rs:2: `tcp` imports from the later `detect`"],
        );
        check_text(
            "sensor/src/enforce/mod.rs",
            "use crate::{config, control::Socket};",
            &["sensor/src/enforce/mod.rs:1: `enforce` imports from the later `control`"],
        );
        check_text("sensor/src/pipeline.rs", "use crate::store::Store;", &[]);
        check_text("sensor/src/tcp.rs", "/// See [`crate::pipeline`].", &[]);
        check_text("sensor/src/lib.rs", "use crate::pipeline;", &[]);
    }

    #[test]
    fn pure_stages_touch_nothing() {
        for text in ["use aya::maps::Map;", "use std::fs::File;", "let now = Instant::now();"] {
            let mut faults = Vec::new();
            check(&Source { path: Path::new("sensor/src/detect/rate.rs"), text }, &mut faults);
            assert_eq!(faults.len(), 1, "{text}: {faults:?}");
        }
        check_text("sensor/src/export/file.rs", "use std::fs::File;", &[]);
        check_text("sensor/src/kernel/load.rs", "use aya::Ebpf;", &[]);
        check_text("sensor/src/detect/rate.rs", "use hooksensor_ebpf::abi::Reason;", &[]);
        check_text("sensor/src/detect/rate.rs", "fn f() {}\n#[cfg(test)]\nuse std::fs;", &[]);
        check_text("sensor/src/detect/tests.rs", "use std::fs;", &[]);
        check_text(
            "sensor/src/control/server.rs",
            "use aya::Ebpf;",
            &["sensor/src/control/server.rs:1: only `kernel` imports aya"],
        );
    }

    #[test]
    fn comments_are_no_wider_than_code() {
        let wide = format!("fn f() {{}}\n    // {}", "a ".repeat(50));
        check_text(
            "xtask/src/wide.rs",
            &wide,
            &["xtask/src/wide.rs:2: a comment of more than 100 columns"],
        );
        check_text("xtask/src/wide.rs", &format!("// <https://{}>", "a".repeat(100)), &[]);
    }

    #[test]
    fn files_end_before_they_are_too_long() {
        let long = "// line\n".repeat(MAX_LINES + 1);
        check_text(
            "xtask/src/long.rs",
            &long,
            &["xtask/src/long.rs:501: 501 lines before the tests, and 500 is the end"],
        );
        check_text("xtask/src/long.rs", &"// line\n".repeat(MAX_LINES), &[]);
        check_text("xtask/src/tests.rs", &long, &[]);
        check_text("tests/tests/flood.rs", &long, &[]);
    }

    #[test]
    fn open_ends_are_found_in_tests_too() {
        for (word, reason) in FORBIDDEN {
            let text = format!("#[cfg(test)]\n// {word}");
            check_text(
                "tests/src/lib.rs",
                &text,
                &[&format!("tests/src/lib.rs:2: `{word}`: {reason}")],
            );
        }
    }
}
