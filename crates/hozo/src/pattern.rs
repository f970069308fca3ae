//! Patterns over the names of namespaces.

use std::fmt;

use hozo_pages::NamespaceName;
use hozo_traits::Result;

/// A pattern of a `[[namespace]]` section's `match`.
///
/// | in the pattern | stands for |
/// |---|---|
/// | `*` | any characters of one segment, none too: not `/` |
/// | `**` | any characters, `/` too |
/// | `?` | one character, not `/` |
/// | anything else | itself; case matters |
///
/// So `app` is that name alone, `app/*` is `app/a` but not `app/a/b`, `app/**`
/// is both, and `**` is every name. A pattern matches a whole name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern {
    text: String,
    tokens: Vec<Token>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Token {
    Char(char),
    One,
    Many,
    Deep,
}

impl Pattern {
    /// The pattern that `text` writes.
    pub fn new(text: &str) -> Result<Self> {
        // With a letter for each wildcard it must be a name, or no name could
        // ever be of it.
        text.replace(['*', '?'], "x").parse::<NamespaceName>()?;
        let mut tokens = Vec::new();
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            tokens.push(match c {
                '*' if rest.next_if_eq(&'*').is_some() => Token::Deep,
                '*' => Token::Many,
                '?' => Token::One,
                c => Token::Char(c),
            });
        }
        Ok(Pattern { text: text.to_owned(), tokens })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is a name rather than a pattern: nothing in it is a wildcard.
    pub fn is_literal(&self) -> bool {
        self.tokens.iter().all(|t| matches!(t, Token::Char(_)))
    }

    /// Whether `name` as a whole is of this pattern.
    pub fn matches(&self, name: &str) -> bool {
        let name: Vec<Token> = name.chars().map(Token::Char).collect();
        covers(&self.tokens, &name)
    }

    /// Whether every name of `other` is of this pattern too. May answer no
    /// where only a closer look would show it.
    pub fn covers(&self, other: &Pattern) -> bool {
        covers(&self.tokens, &other.tokens)
    }
}

/// Whether `a` takes whatever `b` stands for. A name is a `b` without
/// wildcards, so this is matching, too.
fn covers(a: &[Token], b: &[Token]) -> bool {
    // `row[j]`: the part of `a` from i on covers `b[j..]`; computed from the
    // end of `a` to its start, so that no pattern costs more than |a|·|b|.
    let mut row = vec![false; b.len() + 1];
    row[b.len()] = true;
    for token in a.iter().rev() {
        let mut next = vec![false; b.len() + 1];
        for j in (0..=b.len()).rev() {
            let here = b.get(j).copied();
            let takes = match (token, here) {
                (_, None) => false,
                (Token::Char(c), Some(t)) => t == Token::Char(*c),
                (Token::One, Some(t)) => within(t) && t != Token::Many,
                (Token::Many, Some(t)) => within(t),
                (Token::Deep, Some(_)) => true,
            };
            next[j] = match token {
                Token::Char(_) | Token::One => takes && row[j + 1],
                Token::Many | Token::Deep => row[j] || (takes && next[j + 1]),
            };
        }
        row = next;
    }
    row[0]
}

/// Whether what `t` stands for is within one segment.
fn within(t: Token) -> bool {
    t != Token::Char('/') && t != Token::Deep
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
