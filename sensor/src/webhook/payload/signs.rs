//! Signs of injection: text in a payload that does nothing there, and something in a shell, a
//! template, a query or a page that it is pasted into.
//!
//! It must not know the payload beyond its strings and where they stand. The list is short on
//! purpose: payloads quote source code, and an alert that is mostly wrong is worse than none.
//!
//! | rule | in | is |
//! |---|---|---|
//! | `jndi-lookup` | any text | a lookup as of CVE-2021-44228, plain or disguised by another |
//! | `shell-command` | names | a command that is substituted |
//! | `template-expression` | names | an expression that only a probe has, or a way to a runtime |
//! | `sql-fragment` | names | the end of a literal with a condition, a union or a statement |
//! | `path-traversal` | names | two steps up a tree, plain or percent-encoded |
//! | `script-element` | names | a script, or a handler of an event |
//!
//! *Names* are strings on one line, short, not under a member that holds prose or code, and not
//! what GitHub calls a step of a job: "Run " with the step's command.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

/// Longest string that is a name: branches and paths have up to 255 octets, URLs some more.
const MAX_NAME_BYTES: usize = 1024;

/// Members that hold prose or code, where any of this may be quoted.
const PROSE: [&str; 18] = [
    "body",
    "caption",
    "code",
    "comment",
    "content",
    "description",
    "diff",
    "diff_hunk",
    "html",
    "message",
    "note",
    "notes",
    "patch",
    "snippet",
    "subject",
    "summary",
    "text",
    "title",
];

const JNDI: &str = "jndi-lookup";
const SHELL: &str = "shell-command";
const TEMPLATE: &str = "template-expression";
const SQL: &str = "sql-fragment";
const PATH: &str = "path-traversal";
const SCRIPT: &str = "script-element";

/// What is looked for, in lower case, whatever its case in the text.
const SIGNS: [(&str, &str); 40] = [
    (JNDI, "${jndi:"),
    (JNDI, "${${lower:"),
    (JNDI, "${${upper:"),
    (JNDI, "${${::-"),
    (JNDI, "${${env:"),
    (SHELL, "$(curl "),
    (SHELL, "$(wget "),
    (SHELL, "$(bash "),
    (SHELL, "$(sh "),
    (SHELL, "$(id)"),
    (SHELL, "$(whoami)"),
    (SHELL, "`curl "),
    (SHELL, "`wget "),
    (SHELL, "`id`"),
    (SHELL, "`whoami`"),
    (SHELL, "${ifs}"),
    (TEMPLATE, "{{7*7}}"),
    (TEMPLATE, "${7*7}"),
    (TEMPLATE, "#{7*7}"),
    (TEMPLATE, "<%= 7*7 %>"),
    (TEMPLATE, "__class__.__"),
    (TEMPLATE, ".__globals__"),
    (TEMPLATE, "constructor.constructor("),
    (TEMPLATE, "t(java.lang.runtime)"),
    (TEMPLATE, "freemarker.template.utility.execute"),
    (SQL, "' or '1'='1"),
    (SQL, "' or 1=1"),
    (SQL, "\" or \"1\"=\"1"),
    (SQL, "union select "),
    (SQL, "union all select "),
    (SQL, "'; drop table "),
    (SQL, "'; waitfor delay "),
    (SQL, "' and sleep("),
    (PATH, "../../"),
    (PATH, "..\\..\\"),
    (PATH, "%2e%2e%2f"),
    (PATH, "..%2f..%2f"),
    (SCRIPT, "<script"),
    (SCRIPT, "<svg/onload="),
    (SCRIPT, "<img src=x onerror="),
];

static SEARCH: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::Standard)
        .build(SIGNS.iter().map(|(_, text)| text))
        .expect("a list this short fits the automaton")
});

/// The rule of the first sign in `text`, which stands under a member of this name; "" where there
/// is none.
pub(super) fn sign(member: &str, text: &str) -> Option<&'static str> {
    let is_name = text.len() <= MAX_NAME_BYTES
        && !text.contains('\n')
        && !text.starts_with("Run ")
        && !PROSE.iter().any(|prose| member.eq_ignore_ascii_case(prose));
    // Lookups are resolved wherever text is logged, and no prose quotes them unawares.
    SEARCH
        .find_overlapping_iter(text)
        .map(|found| SIGNS[found.pattern().as_usize()].0)
        .find(|rule| is_name || *rule == JNDI)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(member: &str, text: &str, expected: Option<&str>) {
        assert_eq!(sign(member, text), expected, "{member}: {text}");
    }

    #[test]
    fn every_sign_is_one() {
        for (rule, text) in SIGNS {
            check("ref", &format!("refs/{}x", text.to_uppercase()), Some(rule));
            let in_prose = (rule == JNDI).then_some(rule);
            check("body", &format!("how to do {text}x"), in_prose);
        }
    }

    #[test]
    fn what_payloads_are_full_of() {
        for text in [
            "https://api.github.com/repos/o/r/contents/{+path}",
            "refs/heads/feature/it's-or-not",
            "Merge branch 'main' of ../other",
            "O'Reilly & Sons; select one of us",
            "costs $(5) or ${amount}",
            "`code` in a label",
            "union selection",
            "application/javascript",
        ] {
            check("name", text, None);
        }
        check("name", "many\nlines with $(curl x)", None);
        check("name", &format!("$(curl {}", "x".repeat(MAX_NAME_BYTES)), None);
        check("name", "Run echo $(curl x)", None);
        check("Title", "Document $(curl x)", None);
    }
}
