//! Every `precall COMMAND --option` that a document shows is in the definition of the command line.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]

use std::path::Path;

use clap::{Command, CommandFactory};

use super::Arguments;

/// Words after which a command ends.
const ENDS: [&str; 9] = ["|", "||", "&&", "&", ";", ">", ">>", "2>&1", "<"];

/// What follows `precall` where it is no command: a log line, and the sender of a mail.
const NO_COMMANDS: [&str; 2] = ["cannot", "<"];

/// Code of a document: its blocks line by line, joined where a line ends with a backslash, and its spans.
fn code(text: &str) -> Vec<String> {
    let (mut found, mut prose) = (Vec::new(), String::new());
    let (mut is_fenced, mut is_block, mut after_blank, mut list) = (false, false, true, 0);
    for line in text.lines() {
        let (indent, words) = (line.len() - line.trim_start().len(), line.trim());
        if words.starts_with("```") {
            is_fenced = !is_fenced;
            continue;
        }
        if words.is_empty() {
            after_blank = true;
            continue;
        }
        if indent < list {
            list = 0;
        }
        is_block = indent >= list + 4 && (is_block || after_blank);
        if is_fenced || is_block {
            found.push(words.to_owned());
        } else {
            if let Some((marker, _)) = words.split_once(' ').filter(|(marker, _)| is_marker(marker)) {
                list = indent + marker.len() + 1;
            }
            prose.push_str(if after_blank { "\n\n" } else { " " });
            prose.push_str(words);
        }
        after_blank = false;
    }
    let mut lines: Vec<String> = Vec::new();
    for line in found {
        match lines.last_mut().filter(|last| last.ends_with('\\')) {
            Some(last) => last.replace_range(last.len() - 1.., &line),
            None => lines.push(line),
        }
    }
    for paragraph in prose.split("\n\n") {
        lines.extend(paragraph.split('`').skip(1).step_by(2).map(str::to_owned));
    }
    lines
}

fn is_marker(word: &str) -> bool {
    matches!(word, "-" | "*") || word.strip_suffix('.').is_some_and(|n| n.parse::<u8>().is_ok())
}

/// A line of code and what runs inside of it: `$(...)` becomes a line of its own.
fn with_inner(line: &str) -> Vec<String> {
    let (mut line, mut inner) = (line.to_owned(), Vec::new());
    while let Some(start) = line.rfind("$(") {
        let end = line[start..].find(')').map_or(line.len(), |end| start + end);
        inner.push(line[start + 2..end].to_owned());
        line.replace_range(start..(end + 1).min(line.len()), "VALUE");
    }
    inner.push(line);
    inner
}

/// The words of a shell command. A text in quotes is one word; a comment is none.
fn shell_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for letter in line.chars() {
        match quote {
            Some(open) if letter == open => quote = None,
            None if matches!(letter, '\'' | '"') => quote = Some(letter),
            None if letter.is_whitespace() => words.push(std::mem::take(&mut word)),
            None if letter == '#' && word.is_empty() => break,
            None | Some(_) => word.push(letter),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// The words after each `precall` that a line of code runs.
fn commands(line: &str) -> Vec<Vec<String>> {
    let words = shell_words(line);
    let root = Arguments::command();
    let runs = |at: usize| {
        let (word, next) = (words[at].as_str(), words.get(at + 1).map_or("", String::as_str));
        let is_first = at == 0 || ENDS.contains(&words[at - 1].as_str()) || words[at - 1] == "sudo";
        let is_cargo = word == "--" && line.contains("cargo run");
        let is_command = word == "precall" && (is_first || root.find_subcommand(next).is_some());
        let is_text = NO_COMMANDS.iter().any(|text| next.starts_with(text));
        (is_cargo || is_command || (word.ends_with("/precall") && !word.contains("://") && is_first))
            && !is_text
    };
    let starts = (0..words.len()).filter(|at| runs(*at));
    let ends = |word: &&String| !ENDS.contains(&word.as_str());
    starts.map(|at| words[at + 1..].iter().take_while(ends).cloned().collect()).collect()
}

/// What is wrong with these words after `precall`.
fn objection(words: &[String]) -> Option<String> {
    let mut root = Arguments::command();
    root.build();
    let (mut current, mut positions, mut words) = (&root, 0, words.iter());
    while let Some(word) = words.next() {
        let word = word.trim_matches([';', ',', '[', ']']);
        if let Some(name) = word.strip_prefix("--") {
            let (name, value) =
                name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value)));
            let known = current.get_arguments().find(|argument| argument.get_long() == Some(name));
            let Some(known) = known else { return Some(format!("{} has no --{name}", current.get_name())) };
            if value.is_none() && known.get_action().takes_values() {
                words.next();
            }
        } else if current.has_subcommands() {
            for name in word.split('|') {
                let Some(next) = current.find_subcommand(name) else {
                    return (name != "...").then(|| format!("{} has no command {name}", current.get_name()));
                };
                current = if name == word { next } else { current };
            }
        } else if word != "..." {
            positions += 1;
            if positions > places(current) {
                return Some(format!("{} takes no {word}", current.get_name()));
            }
        }
    }
    None
}

/// How many words without a dash a command takes.
fn places(command: &Command) -> usize {
    let many = |argument: &clap::Arg| match argument.get_num_args() {
        Some(range) if range.max_values() > 1 => 1_000,
        _ => 1,
    };
    command.get_positionals().map(many).sum()
}

fn objections(text: &str) -> (usize, Vec<String>) {
    let lines: Vec<String> = code(text).iter().flat_map(|line| with_inner(line)).collect();
    let all: Vec<(&String, Vec<String>)> =
        lines.iter().flat_map(|line| commands(line).into_iter().map(move |words| (line, words))).collect();
    let wrong = all.iter().filter_map(|(line, words)| Some(format!("`{line}`: {}", objection(words)?)));
    (all.len(), wrong.collect())
}

#[test]
fn every_command_in_the_documents_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![root.join("README.md"), root.join("CONTRIBUTING.md"), root.join(".env.example")];
    let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    files.extend(docs.filter(|path| path.extension().is_some_and(|end| end == "md")));
    let (mut count, mut wrong) = (0, Vec::new());
    for file in files {
        let (more, found) = objections(&std::fs::read_to_string(&file).unwrap());
        count += more;
        wrong.extend(found.into_iter().map(|what| format!("{}: {what}", file.display())));
    }
    assert!(wrong.is_empty(), "{} commands do not exist:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 100, "only {count} commands were found");
}

#[test]
fn a_command_that_does_not_exist_is_seen() {
    for text in [
        "Run `precall veriffy`.",
        "Run `precall restore\n--legder FILE` now.",
        "    precall dance",
        "1. Do:\n\n       precall migrate --adapt",
        "```sh run\ntarget/release/precall check && sudo precall keys mend\n```",
        "    precall demo \\\n        --musik",
        "    cargo run --release -- demonstrate",
        "    printf x | precall sign --sekret s",
        "    H=$(precall sign --sekret s)",
        "`precall calls import|deport`",
        "`precall verify FILE`",
    ] {
        assert_eq!(objections(text).1.len(), 1, "{text}: {:?}", code(text));
    }
    for text in [
        "`precall`, `precall keys new|list`, `precall --env-file FILE migrate ...`, `precall why CALL --wire`",
        "- A list:\n    precall goes on by itself",
        "    docker run --name precall --read-only precall check --format json",
        "`precall-call`, `precall: database`, `precall bypass on --for 2h --reason TEXT`",
    ] {
        assert_eq!(objections(text).1, [""; 0], "{text}");
    }
}
