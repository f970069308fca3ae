//! Cutting text into SQL statements.

/// Collects lines until they are whole statements.
///
/// A statement ends at a semicolon outside strings, quoted names and comments;
/// that of `CREATE TRIGGER` at the semicolon after its `END`. These are the
/// rules of `sqlite3_complete()`. Each character is looked at once, however
/// many lines a statement has.
#[derive(Debug, Default)]
pub struct Splitter {
    text: String,
    /// How much of `text` was looked at.
    seen: usize,
    /// Where the last whole statement ends, 0 if there is none.
    whole: usize,
    lexing: Lexing,
    state: State,
    word: String,
}

/// What the characters being read are part of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Lexing {
    #[default]
    Between,
    Word,
    /// A string or name up to this character.
    Quoted(char),
    /// After one `-`, which begins a comment if another follows.
    Dash,
    /// After one `/`, which begins a comment if a `*` follows.
    Slash,
    LineComment,
    BlockComment,
    /// In a block comment, after a `*`.
    BlockStar,
}

/// Where in a statement the text is: the states of `sqlite3_complete()`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum State {
    /// Nothing yet.
    #[default]
    Invalid,
    /// After a statement.
    Start,
    Normal,
    Explain,
    Create,
    Trigger,
    /// In a trigger, after a semicolon.
    TriggerSemicolon,
    /// In a trigger, after a semicolon and `END`.
    TriggerEnd,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Token {
    Semicolon,
    Other,
    Explain,
    Create,
    Temp,
    Trigger,
    End,
}

impl State {
    fn after(self, token: Token) -> State {
        match (self, token) {
            (State::Trigger | State::TriggerSemicolon, Token::Semicolon) => State::TriggerSemicolon,
            (State::TriggerSemicolon, Token::End) => State::TriggerEnd,
            (State::TriggerEnd, Token::Semicolon) => State::Start,
            (State::Trigger | State::TriggerSemicolon | State::TriggerEnd, _) => State::Trigger,
            (_, Token::Semicolon) => State::Start,
            (State::Invalid | State::Start, Token::Explain) => State::Explain,
            (State::Invalid | State::Start | State::Explain, Token::Create) => State::Create,
            (State::Explain, Token::Other) => State::Explain,
            (State::Create, Token::Temp) => State::Create,
            (State::Create, Token::Trigger) => State::Trigger,
            _ => State::Normal,
        }
    }
}

impl Splitter {
    /// Nothing collected yet.
    pub fn new() -> Self {
        Splitter::default()
    }

    /// Adds text: a line with its end.
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
        while let Some(c) = self.text[self.seen..].chars().next() {
            self.step(c);
            self.seen += c.len_utf8();
            if self.state == State::Start && self.lexing == Lexing::Between && c == ';' {
                self.whole = self.seen;
            }
        }
    }

    /// Takes the whole statements out, if there are any.
    pub fn take(&mut self) -> Option<String> {
        if self.whole == 0 {
            return None;
        }
        let rest = self.text.split_off(self.whole);
        self.seen -= self.whole;
        self.whole = 0;
        Some(std::mem::replace(&mut self.text, rest))
    }

    /// Takes everything out, whole or not: the text ended.
    pub fn take_rest(&mut self) -> String {
        std::mem::take(self).text
    }

    /// Whether nothing but space and comments is waiting, and none is open.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Invalid | State::Start) && self.is_between()
    }

    /// Whether all lines so far are whole statements, as `sqlite3_complete()`
    /// says it of them.
    pub fn is_complete(&self) -> bool {
        self.state == State::Start && self.is_between()
    }

    fn is_between(&self) -> bool {
        matches!(self.lexing, Lexing::Between | Lexing::LineComment)
    }

    /// Bytes that are waiting.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether no bytes are waiting.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    fn token(&mut self, token: Token) {
        self.state = self.state.after(token);
    }

    fn step(&mut self, c: char) {
        match self.lexing {
            Lexing::Quoted(end) => {
                if c == end {
                    self.lexing = Lexing::Between;
                    self.token(Token::Other);
                }
            }
            Lexing::LineComment => {
                if c == '\n' {
                    self.lexing = Lexing::Between;
                }
            }
            Lexing::BlockComment if c == '*' => self.lexing = Lexing::BlockStar,
            Lexing::BlockComment => {}
            Lexing::BlockStar => match c {
                '/' => self.lexing = Lexing::Between,
                '*' => {}
                _ => self.lexing = Lexing::BlockComment,
            },
            Lexing::Dash if c == '-' => self.lexing = Lexing::LineComment,
            Lexing::Slash if c == '*' => self.lexing = Lexing::BlockComment,
            Lexing::Dash | Lexing::Slash => {
                self.token(Token::Other);
                self.begin(c);
            }
            Lexing::Word if is_word(c) => self.word.push(c),
            Lexing::Word => {
                let token = keyword(&self.word);
                self.word.clear();
                self.token(token);
                self.begin(c);
            }
            Lexing::Between => self.begin(c),
        }
    }

    fn begin(&mut self, c: char) {
        self.lexing = match c {
            ';' => {
                self.token(Token::Semicolon);
                Lexing::Between
            }
            ' ' | '\t' | '\n' | '\r' | '\x0c' => Lexing::Between,
            '\'' | '"' | '`' => Lexing::Quoted(c),
            '[' => Lexing::Quoted(']'),
            '-' => Lexing::Dash,
            '/' => Lexing::Slash,
            c if is_word(c) => {
                self.word.push(c);
                Lexing::Word
            }
            _ => {
                self.token(Token::Other);
                Lexing::Between
            }
        };
    }
}

/// SQLite's characters of names and keywords.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

fn keyword(word: &str) -> Token {
    const KEYWORDS: [(&str, Token); 6] = [
        ("explain", Token::Explain),
        ("create", Token::Create),
        ("temp", Token::Temp),
        ("temporary", Token::Temp),
        ("trigger", Token::Trigger),
        ("end", Token::End),
    ];
    KEYWORDS
        .iter()
        .find(|(keyword, _)| word.eq_ignore_ascii_case(keyword))
        .map_or(Token::Other, |(_, token)| *token)
}
