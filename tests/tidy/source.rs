//! A file as the rules see it: its text, its code without comments and strings, and its strings.

use std::fmt::Write as _;

pub struct Source {
    /// Relative to the project's root, with slashes.
    pub path: String,
    /// The file as it is.
    pub text: String,
    /// The text with comments and the insides of strings blanked; lines keep their numbers.
    pub code: String,
    /// String literals and the number of the line they begin on.
    pub strings: Vec<(usize, String)>,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let (code, strings) = match path.rsplit_once('.').map(|(_, extension)| extension) {
            Some("rs") => Reader::new(text, Language::Rust).read(),
            Some("sql") => Reader::new(text, Language::Sql).read(),
            _ => (text.to_owned(), Vec::new()),
        };
        Self { path: path.to_owned(), text: text.to_owned(), code, strings }
    }

    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub fn is_under(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }

    /// Whether the file holds nothing but tests.
    pub fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap();
        self.path.starts_with("tests/")
            || self.path.starts_with("crates/test-support/")
            || self.path.contains("/tests/")
            || name == "tests.rs"
            || name.ends_with("_tests.rs")
    }

    /// The code that ships: without a test module at the end of the file.
    pub fn shipped(&self) -> &str {
        if self.is_test() {
            return "";
        }
        let inline = self.code.match_indices("#[cfg(test)]").find(|(at, _)| {
            let module = self.code[*at..].lines().nth(1).unwrap_or_default();
            module.trim_start().starts_with("mod ") && module.trim_end().ends_with('{')
        });
        inline.map_or(self.code.as_str(), |(at, _)| &self.code[..at])
    }

    /// A breach for every line of `code` that has one of these words as a whole word.
    pub fn lines_with(&self, code: &str, words: &[&str], why: &str) -> Vec<String> {
        let numbered = code.lines().enumerate();
        let found = numbered.flat_map(|(index, line)| {
            words.iter().filter(move |word| has_word(line, word)).map(move |word| (index + 1, *word))
        });
        found.map(|(line, word)| self.breach(line, &format!("`{word}`: {why}"))).collect()
    }

    pub fn breach(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

/// Whether a text has this word, not as part of a longer one.
pub fn has_word(text: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.match_indices(word).any(|(at, _)| {
        // What ends in a colon or a mark cannot go on as a longer word.
        let begins_within = word.starts_with(is_part) && text[..at].ends_with(is_part);
        let ends_within = word.ends_with(is_part) && text[at + word.len()..].starts_with(is_part);
        !begins_within && !ends_within
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    Rust,
    Sql,
}

struct Reader<'text> {
    rest: &'text str,
    language: Language,
    line: usize,
    code: String,
    strings: Vec<(usize, String)>,
}

impl<'text> Reader<'text> {
    fn new(text: &'text str, language: Language) -> Self {
        Self { rest: text, language, line: 1, code: String::with_capacity(text.len()), strings: Vec::new() }
    }

    fn read(mut self) -> (String, Vec<(usize, String)>) {
        while let Some(next) = self.rest.chars().next() {
            let line_comment = if self.language == Language::Rust { "//" } else { "--" };
            if self.rest.starts_with(line_comment) {
                self.blank(self.rest.find('\n').unwrap_or(self.rest.len()));
                continue;
            }
            if self.rest.starts_with("/*") {
                self.blank(block_comment(self.rest));
                continue;
            }
            if let Some((opening, closing)) = self.string_here() {
                self.string(opening, &closing);
                continue;
            }
            if self.language == Language::Rust && next == '\'' {
                self.blank(char_literal(self.rest));
                continue;
            }
            self.keep(next.len_utf8());
        }
        (self.code, self.strings)
    }

    /// The length of a string's opening and what closes it, where one begins here.
    fn string_here(&self) -> Option<(usize, String)> {
        match self.language {
            Language::Sql if self.rest.starts_with('\'') => return Some((1, "'".to_owned())),
            Language::Sql if self.rest.starts_with('"') => return Some((1, "\"".to_owned())),
            Language::Sql => return None,
            Language::Rust => {}
        }
        if self.rest.starts_with('"') {
            return Some((1, "\"".to_owned()));
        }
        let in_a_name =
            self.code.chars().next_back().is_some_and(|last| last.is_alphanumeric() || last == '_');
        if in_a_name && !self.code.ends_with(['b', 'c']) {
            return None;
        }
        let after = self.rest.strip_prefix('r')?;
        let hashes = after.len() - after.trim_start_matches('#').len();
        let is_raw = after[hashes..].starts_with('"');
        is_raw.then(|| (hashes + 2, format!("\"{}", "#".repeat(hashes))))
    }

    fn string(&mut self, opening: usize, closing: &str) {
        let is_raw = opening > 1;
        let inside = &self.rest[opening..];
        let mut length = inside.len();
        let mut skip = false;
        for (at, letter) in inside.char_indices() {
            if skip {
                skip = false;
                continue;
            }
            skip = letter == '\\' && !is_raw && self.language == Language::Rust;
            if inside[at..].starts_with(closing) {
                length = at;
                break;
            }
        }
        self.strings.push((self.line, inside[..length].to_owned()));
        self.keep(opening);
        self.blank(length);
        self.keep(closing.len().min(self.rest.len()));
    }

    fn keep(&mut self, length: usize) {
        let (text, rest) = self.rest.split_at(length);
        self.line += text.matches('\n').count();
        self.code.push_str(text);
        self.rest = rest;
    }

    fn blank(&mut self, length: usize) {
        let (text, rest) = self.rest.split_at(length);
        for letter in text.chars() {
            let blank = if letter == '\n' { '\n' } else { ' ' };
            self.code.write_char(blank).unwrap();
        }
        self.line += text.matches('\n').count();
        self.rest = rest;
    }
}

/// The length of a block comment, which may hold others.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
            continue;
        }
        if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
            continue;
        }
        at += rest.chars().next().map_or(1, char::len_utf8);
    }
    text.len()
}

/// The length of a character literal, or of the quote alone where it begins a lifetime.
fn char_literal(text: &str) -> usize {
    let inside = &text[1..];
    if let Some(escaped) = inside.strip_prefix('\\') {
        let first = escaped.chars().next().map_or(0, char::len_utf8);
        return escaped[first..].find('\'').map_or(1, |end| 2 + first + end + 1);
    }
    let first = inside.chars().next().map_or(0, char::len_utf8);
    if inside[first..].starts_with('\'') { 1 + first + 1 } else { 1 }
}

#[test]
fn comments_and_strings_are_no_code() {
    let text =
        "a // b\n/* c /* d */ e */ f \"g\\\" // h\" i 'j' 'static r#\"k\" l\"# b\"m\" '\\'' n\n\"o\np\" q";
    let source = Source::new("src/x.rs", text);
    let words: String = source.code.chars().filter(|letter| letter.is_alphabetic()).collect();
    assert_eq!(words, "afistaticrbnq");
    let strings: Vec<_> = source.strings.iter().map(|(line, text)| (*line, text.as_str())).collect();
    assert_eq!(strings, [(2, "g\\\" // h"), (2, "k\" l"), (2, "m"), (3, "o\np")]);
    assert_eq!(source.code.lines().count(), text.lines().count());
    let sql = Source::new("sql/x.sql", "select 'A' -- B\nfrom \"C\";");
    assert_eq!(sql.code, "select ' '     \nfrom \" \";");
}

#[test]
fn a_test_module_does_not_ship() {
    let source =
        Source::new("src/x.rs", "fn a() {}\n#[cfg(test)]\nmod b;\nfn c() {}\n#[cfg(test)]\nmod d {\n}\n");
    assert!(source.shipped().contains("fn c") && !source.shipped().contains("mod d"));
    assert_eq!(Source::new("src/x/tests.rs", "fn a() {}").shipped(), "");
}

#[test]
fn words_are_whole() {
    assert!(has_word("a::sleep(b)", "sleep") && has_word("use precall::x", "precall::"));
    assert!(!has_word("oversleep(b) sleeper", "sleep") && !has_word("my_precall::x", "precall::"));
}
