//! Which file names which: the modules of a crate, and the paths in their code that lead to other files of the crate.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::Source;

/// A module of one crate, as path segments; the crate's root is empty.
pub type Module = Vec<String>;

/// The files of one crate without tests, by module.
pub struct Modules<'tree> {
    files: BTreeMap<Module, &'tree Source>,
}

impl<'tree> Modules<'tree> {
    /// The modules under `root`, a folder such as `actors/src/`.
    pub fn of(sources: &'tree [Source], root: &str) -> Self {
        let own =
            sources.iter().filter(|source| source.is_under(root) && source.is_rust() && !source.is_test());
        Self { files: own.map(|source| (module(&source.path, root), source)).collect() }
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// The other files that this file's code names, each with the first line that does.
    pub fn named_by(&self, from: &Module) -> BTreeMap<&Module, usize> {
        let mut named = BTreeMap::new();
        let Some(source) = self.files.get(from) else { return named };
        for (index, line) in statements(source.shipped()) {
            for path in paths(&line, from) {
                if let Some(found) = self.file_of(&path).filter(|found| *found != from) {
                    named.entry(found).or_insert(index);
                }
            }
        }
        named
    }

    /// Groups of files that name each other, directly or through others.
    pub fn circles(&self) -> Vec<BTreeSet<&Module>> {
        let edges: BTreeMap<&Module, Vec<&Module>> =
            self.files.keys().map(|from| (from, self.named_by(from).into_keys().collect())).collect();
        let reach: BTreeMap<&Module, BTreeSet<&Module>> =
            self.files.keys().map(|from| (from, reachable(&edges, from))).collect();
        let mut circles: Vec<BTreeSet<&Module>> = Vec::new();
        for from in self.files.keys() {
            let circle: BTreeSet<&Module> =
                reach[from].iter().copied().filter(|other| reach[*other].contains(from)).collect();
            if circle.len() > 1 && !circles.contains(&circle) {
                circles.push(circle);
            }
        }
        circles
    }

    /// The file that a path leads to: the longest beginning of it that is a module.
    fn file_of(&self, path: &[String]) -> Option<&Module> {
        let beginnings = (1..=path.len()).rev().map(|length| &path[..length]);
        beginnings.filter_map(|path| self.files.get_key_value(path)).map(|(module, _)| module).next()
    }
}

fn reachable<'a>(edges: &BTreeMap<&'a Module, Vec<&'a Module>>, from: &Module) -> BTreeSet<&'a Module> {
    let mut seen = BTreeSet::new();
    let mut next: Vec<&Module> = edges.get(from).into_iter().flatten().copied().collect();
    while let Some(module) = next.pop() {
        if seen.insert(module) {
            next.extend(edges.get(module).into_iter().flatten().copied());
        }
    }
    seen
}

fn module(path: &str, root: &str) -> Module {
    let inside = path.trim_start_matches(root).trim_end_matches(".rs");
    let is_root = matches!(inside, "lib" | "main");
    inside.split('/').filter(|_| !is_root).map(str::to_owned).collect()
}

/// Lines of code; a `use` with its list is one, with its first line's number.
fn statements(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in code.lines().enumerate() {
        let (number, text) = match open.take() {
            Some((number, begun)) => (number, format!("{begun} {}", line.trim())),
            None => (index + 1, line.to_owned()),
        };
        let is_use = text
            .trim_start()
            .trim_start_matches("pub(crate) ")
            .trim_start_matches("pub ")
            .starts_with("use ");
        if is_use && !text.contains(';') {
            open = Some((number, text));
        } else {
            found.push((number, text));
        }
    }
    found
}

/// The paths of a line that begin in this crate, from its root.
fn paths(line: &str, from: &Module) -> Vec<Module> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut found = Vec::new();
    for root in ["crate::", "super::", "self::"] {
        for (at, _) in line.match_indices(root) {
            let before = &line[..at];
            if before.ends_with(is_part) || before.ends_with("::") {
                continue;
            }
            let rest = &line[at..];
            let end = rest.find(|letter: char| !is_part(letter) && letter != ':').unwrap_or(rest.len());
            let mut path: Module = match root {
                "crate::" => Vec::new(),
                "self::" => from.clone(),
                _ => from[..from.len().saturating_sub(1)].to_vec(),
            };
            for segment in rest[root.len()..end].split("::").filter(|segment| !segment.is_empty()) {
                if segment == "super" {
                    path.pop();
                } else {
                    path.push(segment.to_owned());
                }
            }
            // A list: each of its members is a path of its own.
            match rest[end..].strip_prefix('{').and_then(|list| list.split('}').next()) {
                Some(list) => found.extend(list.split(',').map(|member| {
                    let member = member.trim().split(' ').next().unwrap_or_default();
                    path.iter().cloned().chain(member.split("::").map(str::to_owned)).collect()
                })),
                None => found.push(path),
            }
        }
    }
    found
}

#[test]
fn files_that_name_each_other_are_a_circle() {
    let sources = [
        Source::new("actors/src/a.rs", "use crate::b::{C,\n    D};"),
        Source::new("actors/src/b.rs", "fn x() { super::c::y(); }"),
        Source::new("actors/src/c.rs", "fn y(a: crate::a::A) {}"),
        Source::new("actors/src/d.rs", "use crate::a::A; // crate::e::E\nuse super::e;"),
        Source::new("actors/src/e.rs", "use crate::a::A;\n#[cfg(test)]\nmod tests {\n use crate::d::D;\n}"),
    ];
    let modules = Modules::of(&sources, "actors/src/");
    let name = |name: &str| vec![name.to_owned()];
    let circles = modules.circles();
    assert_eq!(circles, [BTreeSet::from([&name("a"), &name("b"), &name("c")])]);
    assert_eq!(
        modules.named_by(&name("d")).into_iter().collect::<Vec<_>>(),
        [(&name("a"), 1), (&name("e"), 2)]
    );
}
