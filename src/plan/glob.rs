//! Globs, translated into regular expressions that are matched by character.
//!
//! Whole names are matched. `*` stands for any run of characters (none, `/`, `:` and line breaks among them), and so does
//! `**`; `?` for one character; `[ab]`, `[a-z]`, `[!a]`, `[^a]` and `[[:digit:]]` for one of a set; `{a,b,}` for
//! alternatives; `\` takes the next character as it is, inside brackets too. What a shell would quietly take for
//! something else (an unclosed bracket, say) is an error, and so is what nobody sees: a guard that means something else
//! protects nothing.

use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::Regex;
use thiserror::Error;

/// Braces inside each other; far below what the `regex` crate allows.
const MOST_NESTED: usize = 50;

/// POSIX classes, as Unicode's annex on regular expressions has them (<https://unicode.org/reports/tr18/#Compatibility_Properties>);
/// digits are those of ASCII, as in a shell.
const CLASSES: [(&str, &str); 13] = [
    ("alnum", r"\p{Alphabetic}\p{Nd}"),
    ("alpha", r"\p{Alphabetic}"),
    ("blank", r"\p{Zs}\t"),
    ("cntrl", r"\p{Cc}"),
    ("digit", "0-9"),
    ("graph", r"[^\p{White_Space}\p{Cc}\p{Cn}]"),
    ("lower", r"\p{Lowercase}"),
    ("print", r"[^\p{Zl}\p{Zp}\p{Cc}\p{Cn}]"),
    ("punct", r"[[\p{P}\p{S}]--\p{Alphabetic}]"),
    ("space", r"\p{White_Space}"),
    ("upper", r"\p{Uppercase}"),
    ("word", r"\p{Alphabetic}\p{Nd}_"),
    ("xdigit", "0-9A-Fa-f"),
];

/// What is wrong with a glob. Positions are those of characters, from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GlobError {
    /// It has no character.
    #[error("the pattern is empty")]
    Empty,
    /// It begins or ends with a blank that is not escaped.
    #[error("the blank at character {0} is not escaped\nhint: write `\\ ` or `[ ]` for a blank")]
    Blank(usize),
    /// A character that is not shown, where it is more likely left over from a copy than meant.
    #[error(
        "the invisible character U+{1:04X}{name} at character {0} is not escaped\nhint: remove it, or write `\\` before it if it \
         is part of the name", name = known(*.1)
    )]
    Invisible(usize, u32),
    /// A comma outside braces, in a place where other lists are separated by commas.
    #[error(
        "the comma at character {0} does not separate patterns\nhint: put each pattern on a line of its own, or write `\\,` for a \
         comma"
    )]
    Comma(usize),
    /// Nothing follows a backslash.
    #[error("nothing follows the `\\` at character {0}")]
    Escape(usize),
    /// A bracket is never closed.
    #[error("the `[` at character {0} is never closed\nhint: write `\\[` for a literal bracket")]
    OpenBracket(usize),
    /// A range that holds nothing.
    #[error("the range at character {0} is reversed")]
    Reversed(usize),
    #[error("a class cannot be the end of a range, at character {0}")]
    ClassInRange(usize),
    #[error(
        "[:{1}:] at character {0} is not a character class\nhint: use alnum, alpha, blank, cntrl, digit, graph, lower, print, \
             punct, space, upper, word or xdigit"
    )]
    NoClass(usize, String),
    /// A class without `:]`, or one that stands in no bracket.
    #[error("the class at character {0} is not inside brackets\nhint: write it as [[:{1}:]]")]
    BareClass(usize, String),
    /// Collating symbols and equivalence classes.
    #[error("[. .] and [= =] cannot be used, at character {0}")]
    Collating(usize),
    /// A brace is never closed.
    #[error("the `{{` at character {0} is never closed\nhint: write `\\{{` for a literal brace")]
    OpenBrace(usize),
    /// A brace was never opened.
    #[error("the `}}` at character {0} closes nothing\nhint: write `\\}}` for a literal brace")]
    CloseBrace(usize),
    /// Braces without a comma: some tools take them for themselves, others for a group.
    #[error("the braces at character {0} contain no comma\nhint: write `\\{{` for a literal brace")]
    OneAlternative(usize),
    /// Too many braces inside each other.
    #[error("the `{{` at character {0} is nested more than {MOST_NESTED} deep")]
    TooDeep(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Glob {
    /// It matches this name alone.
    Name(String),
    /// It matches what this regular expression does.
    Regex(String),
}

impl Glob {
    /// Translates `glob`.
    ///
    /// # Errors
    /// [`GlobError`] says what is wrong with it, and where.
    pub(super) fn new(glob: &str) -> Result<Self, GlobError> {
        let Parser { regex, name, .. } = Parser::parsed(glob)?;
        Ok(name.map_or_else(|| Self::Regex(format!(r"\A(?:{regex})\z")), Self::Name))
    }
}

/// Whether `glob` is one.
///
/// # Errors
/// [`GlobError`] says what is wrong with it, and where.
pub(crate) fn check(glob: &str) -> Result<(), GlobError> {
    Glob::new(glob).map(drop)
}

/// As [`check`], where a comma outside braces has to be escaped.
///
/// # Errors
/// As [`check`], and [`GlobError::Comma`].
pub(crate) fn check_of_list(glob: &str) -> Result<(), GlobError> {
    Parser::parsed(glob)?.comma.map_or(Ok(()), |position| Err(GlobError::Comma(position)))
}

/// What people call an invisible character.
fn known(code: u32) -> &'static str {
    match code {
        0x09 => " (tab)",
        0x0a => " (line feed)",
        0x0d => " (carriage return)",
        0xad => " (soft hyphen)",
        0x200b => " (zero-width space)",
        0xfeff => " (byte order mark)",
        _ => "",
    }
}

/// Whether a character that is not escaped is surely no part of a name: another pattern begins after it.
fn separates(c: char) -> bool {
    c.is_control() || c == '\u{feff}'
}

/// Characters for which nothing is shown: those that Unicode lets a font ignore, the marks of annotations, and a blank that is no
/// white space.
#[expect(clippy::expect_used, reason = "the pattern is constant")]
static INVISIBLE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[\p{Default_Ignorable_Code_Point}\x{fff9}-\x{fffb}\x{2800}]").expect("a regular expression")
});

fn is_invisible(c: char) -> bool {
    INVISIBLE.is_match(c.encode_utf8(&mut [0; 4]))
}

/// Whether it changes how the character before it looks, as the last one of an emoji does.
fn selects_form(c: char) -> bool {
    matches!(c, '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0020}'..='\u{e007f}' | '\u{e0100}'..='\u{e01ef}')
}

/// What is wrong with a character that is not escaped and that a name begins or ends with.
fn check_end(c: char, position: usize) -> Result<(), GlobError> {
    match c {
        c if c.is_whitespace() => Err(GlobError::Blank(position)),
        c if c.is_control() || is_invisible(c) => Err(GlobError::Invisible(position, c.into())),
        _ => Ok(()),
    }
}

struct Brace {
    /// Where it was opened.
    at: usize,
    has_comma: bool,
    /// Whether names begin with its alternatives.
    is_first: bool,
    /// The end of an alternative that may not be the end of a name, and where.
    bad_end: Option<GlobError>,
}

struct Parser {
    chars: Vec<char>,
    /// The index of the next character.
    at: usize,
    regex: String,
    /// The only name that matches, as long as there is just one.
    name: Option<String>,
    /// The first comma outside braces that is not escaped.
    comma: Option<usize>,
}

impl Parser {
    fn parsed(glob: &str) -> Result<Self, GlobError> {
        let chars = glob.chars().collect();
        let mut parser = Self { chars, at: 0, regex: String::new(), name: Some(String::new()), comma: None };
        parser.whole()?;
        Ok(parser)
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn whole(&mut self) -> Result<(), GlobError> {
        self.peek().ok_or(GlobError::Empty)?;
        // Those that are not closed yet.
        let mut braces: Vec<Brace> = Vec::new();
        // Whether names begin here, and what is wrong if they end here.
        let (mut is_first, mut bad_end) = (true, None);
        while let Some(c) = self.next() {
            let position = self.at;
            if is_first {
                check_end(c, position)?;
            }
            let was_first = std::mem::replace(&mut is_first, false);
            let ends_badly = bad_end.take();
            match c {
                '*' => {
                    while self.peek() == Some('*') {
                        self.at += 1;
                    }
                    self.push(".*");
                }
                '?' => self.push("."),
                '\\' => {
                    let escaped = self.next().ok_or(GlobError::Escape(position))?;
                    self.literal(escaped);
                }
                '[' => self.bracket(position)?,
                '{' if braces.len() == MOST_NESTED => return Err(GlobError::TooDeep(position)),
                '{' => {
                    is_first = was_first;
                    braces.push(Brace { at: position, has_comma: false, is_first, bad_end: None });
                    self.push("(?:");
                }
                ',' if !braces.is_empty() => {
                    if let Some(brace) = braces.last_mut() {
                        brace.has_comma = true;
                        brace.bad_end = brace.bad_end.take().or(ends_badly.clone());
                        is_first = brace.is_first;
                    }
                    self.push("|");
                }
                '}' => match braces.pop() {
                    None => return Err(GlobError::CloseBrace(position)),
                    Some(Brace { at, has_comma: false, .. }) => return Err(GlobError::OneAlternative(at)),
                    Some(brace) => {
                        bad_end = brace.bad_end.or(ends_badly);
                        self.push(")");
                    }
                },
                c => {
                    if !selects_form(c) {
                        bad_end = check_end(c, position).err();
                    }
                    if separates(c) && !(c.is_whitespace() && self.peek().is_none()) {
                        return Err(GlobError::Invisible(position, c.into()));
                    }
                    self.comma = self.comma.or((c == ',').then_some(position));
                    self.literal(c);
                }
            }
        }
        match (braces.last(), bad_end) {
            (Some(brace), _) => Err(GlobError::OpenBrace(brace.at)),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(()),
        }
    }

    fn push(&mut self, regex: &str) {
        self.regex.push_str(regex);
        self.name = None;
    }

    fn literal(&mut self, c: char) {
        self.code(c);
        if let Some(name) = &mut self.name {
            name.push(c);
        }
    }

    /// A character as a regular expression, inside a set too.
    fn code(&mut self, c: char) {
        // Writing to a String cannot fail.
        let _ = write!(self.regex, r"\x{{{:X}}}", u32::from(c));
    }

    /// A set, up to the bracket that closes the one at `opened`.
    fn bracket(&mut self, opened: usize) -> Result<(), GlobError> {
        let bare = self.class_name(self.at).filter(|(name, _)| CLASSES.iter().any(|(class, _)| class == name));
        if let Some((name, end)) = bare
            && self.chars.get(end - 1) == Some(&']')
        {
            return Err(GlobError::BareClass(opened, name));
        }
        self.push("[");
        if let Some('!' | '^') = self.peek() {
            self.at += 1;
            self.regex.push('^');
        }
        // A bracket that comes first is one of the set.
        let begin = self.at;
        loop {
            let position = self.at + 1;
            match self.next() {
                None => return Err(GlobError::OpenBracket(opened)),
                Some(']') if self.at - 1 > begin => break,
                Some('[') if self.peek() == Some(':') && self.class(position)? => {
                    if self.peek() == Some('-') && self.chars.get(self.at + 1).is_some_and(|&c| c != ']') {
                        return Err(GlobError::ClassInRange(self.at + 1));
                    }
                }
                Some('[') if matches!(self.peek(), Some('.' | '=')) => return Err(GlobError::Collating(position)),
                Some(c) => self.range(c, position, opened)?,
            }
        }
        self.regex.push(']');
        Ok(())
    }

    /// A character of a set, or a range that begins with it.
    fn range(&mut self, first: char, position: usize, opened: usize) -> Result<(), GlobError> {
        let first = self.unescaped(first, opened)?;
        self.code(first);
        if self.peek() != Some('-') || self.chars.get(self.at + 1).is_none_or(|&c| c == ']') {
            return Ok(());
        }
        self.at += 1;
        if let (Some('['), Some(':' | '.' | '=')) = (self.peek(), self.chars.get(self.at + 1)) {
            return Err(GlobError::ClassInRange(self.at + 1));
        }
        let last = self.next().ok_or(GlobError::OpenBracket(opened))?;
        let last = self.unescaped(last, opened)?;
        if last < first {
            return Err(GlobError::Reversed(position));
        }
        self.regex.push('-');
        self.code(last);
        Ok(())
    }

    fn unescaped(&mut self, c: char, opened: usize) -> Result<char, GlobError> {
        if c == '\\' { self.next().ok_or(GlobError::OpenBracket(opened)) } else { Ok(c) }
    }

    /// The letters between `:` at `from` and the next `:`, if there are some, and the place after that.
    fn class_name(&self, from: usize) -> Option<(String, usize)> {
        let rest = self.chars.get(from..)?.strip_prefix(&[':'])?;
        let name: String = rest.iter().take_while(|c| c.is_ascii_alphabetic()).collect();
        let after = from + 1 + name.len();
        (!name.is_empty() && self.chars.get(after) == Some(&':')).then_some((name, after + 2))
    }

    /// A class, after the `[` at `position`; `false` if none is meant.
    fn class(&mut self, position: usize) -> Result<bool, GlobError> {
        let letters: String = self.chars[self.at + 1..].iter().take_while(|c| c.is_ascii_alphabetic()).collect();
        if letters.is_empty() {
            return Ok(false);
        }
        let end = self.at + 1 + letters.len();
        if self.chars.get(end..end + 2) != Some(&[':', ']']) {
            return Err(GlobError::BareClass(position, letters));
        }
        let Some((_, class)) = CLASSES.iter().find(|(name, _)| *name == letters) else {
            return Err(GlobError::NoClass(position, letters));
        };
        self.regex.push_str(class);
        self.at = end + 2;
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
