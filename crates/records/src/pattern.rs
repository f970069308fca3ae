//! Regular expressions as clients write them.

use hozo_traits::{Error, ErrorKind, Result};
use regex::bytes::{Regex, RegexBuilder};

/// What an expression may become in memory: matching takes time in proportion to
/// it and to each key. A word character of any script takes some 20 KiB.
const REGEX_BYTES_MAX: usize = 2 << 20;

/// The expression that a pattern means. Matching takes time in proportion to
/// the key, whatever the expression; one that would take too much memory is
/// refused.
pub(crate) fn regex(pattern: &[u8]) -> Result<Regex> {
    let invalid = |why: String| Error::new(ErrorKind::Invalid, format!("invalid regex: {why}"));
    let text = std::str::from_utf8(pattern).map_err(|_| invalid("it is not UTF-8".into()))?;
    let (flags, rest) = flags(text);
    let translated = if flags.contains('b') { basic(rest) } else { rest.to_owned() };
    RegexBuilder::new(&translated)
        .case_insensitive(flags.contains('i'))
        .size_limit(REGEX_BYTES_MAX)
        .build()
        .map_err(|e| invalid(e.to_string()))
}

/// What comes before an expression: `(?`, letters that say how to read it, `)`.
fn flags(text: &str) -> (&str, &str) {
    let found = text.strip_prefix("(?").and_then(|rest| rest.split_once(')'));
    match found {
        Some((flags, rest))
            if !flags.is_empty() && flags.bytes().all(|b| b"iabel".contains(&b)) =>
        {
            (flags, rest)
        }
        _ => ("", text),
    }
}

/// A basic expression as an extended one: there, brackets, braces and the like
/// are special only after a backslash.
fn basic(text: &str) -> String {
    let mut extended = String::with_capacity(text.len() + 8);
    let mut chars = text.chars();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        match c {
            '[' if !in_class => in_class = true,
            ']' if in_class => in_class = false,
            '\\' if !in_class => {
                match chars.next() {
                    Some(special @ ('(' | ')' | '{' | '}')) => extended.push(special),
                    Some(other) => extended.extend(['\\', other]),
                    None => extended.push('\\'),
                }
                continue;
            }
            '(' | ')' | '{' | '}' | '+' | '?' | '|' if !in_class => extended.push('\\'),
            _ => {}
        }
        extended.push(c);
    }
    extended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_expressions_mean_the_same_as_extended_ones() {
        for (written, means) in [
            ("a+b?", r"a\+b\?"),
            (r"\(ab\)\{2\}", "(ab){2}"),
            ("[(+]x", "[(+]x"),
            (r"a\.b|c", r"a\.b\|c"),
            (r"\", r"\"),
        ] {
            assert_eq!(basic(written), means);
        }
    }

    #[test]
    fn flags_are_only_those_known() {
        assert_eq!(flags("(?i)a"), ("i", "a"));
        assert_eq!(flags("(?be)"), ("be", ""));
        for none in ["(?:a)", "(?x)a", "(?)a", "a(?i)", "(?i", ""] {
            assert_eq!(flags(none), ("", none));
        }
    }
}
