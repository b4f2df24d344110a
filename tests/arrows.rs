//! The order of rooms in docs/architecture.md, held against the code: a room imports only from rooms
//! below it, and in the rooms where files are many no files import each other in a circle.
//!
//! This reads text, not types: `use` trees, and paths that begin with `crate`, `super`, `self` or a
//! file of the same folder. Tests and comments are left out.

#![allow(clippy::unwrap_used, clippy::string_slice)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Imports against the order that still exist: from a room, to a room.
const UPWARDS: &[(&str, &str)] = &[
    // To go: numbers are formatted in a room of their own.
    ("check", "report"),
    // To go: the job's error is the job's.
    ("error", "classes"),
    ("error", "config"),
    ("error", "sink"),
    ("error", "source"),
    ("error", "split"),
    // To go: the job takes typed options.
    ("load", "config"),
    // To go: the pipeline counts, and hands rows to whoever watches.
    ("pipeline", "manifest"),
    ("pipeline", "report"),
];

/// Imports of one file by another that still close a circle.
const CIRCLES: &[(&str, &str)] = &[
    // To go, all of them.
    ("src/pipeline/image.rs", "src/pipeline/store.rs"),
    ("src/source/idx.rs", "src/source/array.rs"),
    ("src/source/npy.rs", "src/source/array.rs"),
    ("src/source/catalogue/rules.rs", "src/source/catalogue.rs"),
    ("src/source/fetch/archive.rs", "src/source/fetch.rs"),
    ("src/source/fetch/download.rs", "src/source/fetch.rs"),
    ("src/source/member.rs", "src/source/file.rs"),
];

/// Folders in which files must not import each other in a circle.
const WITHOUT_CIRCLES: [&str; 4] =
    ["src/page", "src/pipeline", "src/source", "crates/emulator/src"];

#[test]
fn rooms_import_only_from_rooms_below() {
    let order = order();
    let code = Crate::read(&root().join("src"));
    let rooms: BTreeSet<&str> = code.modules.keys().filter_map(|module| room(module)).collect();
    let listed: BTreeSet<&str> = order.iter().map(String::as_str).collect();
    assert_eq!(listed, rooms, "the rooms of docs/architecture.md are not those of src/");

    let place = |name: &str| order.iter().position(|room| room == name).unwrap();
    let mut upwards = BTreeMap::<(&str, &str), BTreeSet<String>>::new();
    for (from, to) in code.imports() {
        if let (Some(a), Some(b)) = (room(from), room(to))
            && place(b) < place(a)
        {
            let files = format!("{} imports {}", code.file(from), code.file(to));
            upwards.entry((a, b)).or_default().insert(files);
        }
    }
    let known: BTreeSet<_> = UPWARDS.iter().copied().collect();
    let found: BTreeSet<_> = upwards.keys().copied().collect();
    let new: Vec<_> = upwards.iter().filter(|(pair, _)| !known.contains(*pair)).collect();
    assert!(new.is_empty(), "rooms import from rooms above them: {new:#?}");
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(gone.is_empty(), "these no longer exist; take them out of UPWARDS: {gone:?}");
}

#[test]
fn files_of_a_room_do_not_import_each_other_in_a_circle() {
    let (mut wrong, mut gone) = (Vec::new(), CIRCLES.to_vec());
    for folder in WITHOUT_CIRCLES {
        let source = folder.split_inclusive("src").next().unwrap();
        let code = Crate::read(&root().join(source));
        let mut graph = BTreeMap::<String, BTreeSet<String>>::new();
        for (from, to) in code.imports() {
            let (from, to) = (code.file(from), code.file(to));
            if [&from, &to].iter().any(|file| !file.starts_with(&format!("{folder}/"))) {
                continue;
            }
            if CIRCLES.contains(&(&*from, &*to)) {
                gone.retain(|known| *known != (&*from, &*to));
            } else {
                graph.entry(from).or_default().insert(to);
            }
        }
        wrong.extend(in_circles(&graph));
    }
    assert!(wrong.is_empty(), "these imports close a circle: {wrong:#?}");
    assert!(gone.is_empty(), "these no longer exist; take them out of CIRCLES: {gone:?}");
}

/// What the two tests above rest on: the reading of imports.
#[test]
fn imports_are_found_in_each_form() {
    let text = r#"
        //! use crate::comment::No;
        pub mod child;
        use crate::{a::{self, One}, b::Two as Other};
        use child::Inner;
        use std::fs;
        #[cfg(test)]
        mod tests { use crate::test_only::No; }
        /* crate::comment::no() */
        const TEXT: &str = "crate::text::no()\"crate::text::no()";
        const RAW: &str = r\#"crate::text::no()"\#;
        const QUOTE: [char; 2] = ['"', '\''];
        fn f<'a>(x: &'a str) -> super::Above { crate::c::call(child::go(x)) }
        #[cfg(test)]
        fn g() { crate::test_only::no() }
        fn h() { other::no(self::child::X) }
    "#
    .replace("\\#", "#");
    let module = Module::parse("here.rs".into(), &text);
    assert_eq!(module.children, ["child"]);
    let paths: Vec<_> = module.paths.iter().map(|path| path.join("::")).collect();
    assert_eq!(
        paths,
        [
            "crate::a",
            "crate::a::One",
            "crate::b::Two",
            "child::Inner",
            "std::fs",
            "super::Above",
            "crate::c::call",
            "child::go",
            "other::no",
            "self::child::X",
        ]
    );
    assert_eq!(module.names["Other"].join("::"), "crate::b::Two");
}

/// The imports from whose end its beginning can be reached.
fn in_circles(graph: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let reaches = |from: &String, end: &String| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(file) = next.pop() {
            if file == end {
                return true;
            }
            next.extend(graph.get(file).into_iter().flatten().filter(|to| seen.insert(*to)));
        }
        false
    };
    let imports = graph.iter().flat_map(|(from, all)| all.iter().map(move |to| (from, to)));
    let imports = imports.filter(|(from, to)| reaches(to, from));
    imports.map(|(from, to)| format!("{from} imports {to}")).collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The rooms in docs/architecture.md, from above: the names in the first column of its first table.
fn order() -> Vec<String> {
    let text = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("| `"));
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.split('`').nth(1).unwrap().to_owned()).collect()
}

/// The room that a module is in, none for the crate's root.
fn room(module: &[String]) -> Option<&str> {
    module.first().map(String::as_str)
}

type ModulePath = Vec<String>;

/// The modules of a crate by their paths.
struct Crate {
    modules: BTreeMap<ModulePath, Module>,
}

/// What one file imports and offers.
struct Module {
    file: PathBuf,
    /// Functions, types and values that it defines.
    defined: BTreeSet<String>,
    /// Modules in files of their own.
    children: Vec<String>,
    /// All paths in its code, re-exports aside.
    paths: Vec<Vec<String>>,
    /// The names that its `use` items bring in, re-exports among them, and what they name.
    names: BTreeMap<String, Vec<String>>,
    /// `use path::*`.
    globs: Vec<Vec<String>>,
}

impl Crate {
    fn read(source: &Path) -> Self {
        let mut code = Self { modules: BTreeMap::new() };
        code.add(Vec::new(), source.join("lib.rs"), source);
        code
    }

    fn add(&mut self, path: ModulePath, file: PathBuf, folder: &Path) {
        let text = fs::read_to_string(&file).unwrap();
        let module = Module::parse(file, &text);
        for child in &module.children {
            let inner = folder.join(child);
            let candidates = [folder.join(format!("{child}.rs")), inner.join("mod.rs")];
            let file = candidates.into_iter().find(|file| file.exists()).unwrap();
            self.add([&path[..], std::slice::from_ref(child)].concat(), file, &inner);
        }
        self.modules.insert(path, module);
    }

    fn file(&self, module: &ModulePath) -> String {
        let file = self.modules[module].file.strip_prefix(root()).unwrap();
        file.to_str().unwrap().replace('\\', "/")
    }

    /// Each module that imports from another file of the crate, and that one.
    fn imports(&self) -> Vec<(&ModulePath, &ModulePath)> {
        let mut imports = Vec::new();
        for (path, module) in &self.modules {
            for import in &module.paths {
                if let Some(to) = self.resolve(path, import, 0)
                    && to != path
                {
                    imports.push((path, to));
                }
            }
        }
        imports
    }

    /// The module whose file defines what a path names, where that is in this crate.
    fn resolve(&self, from: &ModulePath, import: &[String], depth: u32) -> Option<&ModulePath> {
        let mut at = from.clone();
        let mut rest = import;
        match import.first()?.as_str() {
            "crate" => (at, rest) = (Vec::new(), &import[1..]),
            "self" => rest = &import[1..],
            "super" => {
                while rest.first().is_some_and(|part| part == "super") {
                    at.pop();
                    rest = &rest[1..];
                }
            }
            name => {
                let module = &self.modules[from];
                let is_here = module.children.iter().any(|child| child == name);
                // A name of a `use` item counts where that stands.
                if !is_here && (depth == 0 || !module.names.contains_key(name)) {
                    return None;
                }
            }
        }
        while let Some((name, after)) = rest.split_first() {
            let module = &self.modules[&at];
            if module.children.contains(name) {
                at.push(name.clone());
                rest = after;
                continue;
            }
            if depth < 8 {
                let named = module.names.get(name).map(|path| [path, after].concat());
                let globs = module.globs.iter().map(|path| [&path[..], rest].concat());
                for path in named.into_iter().chain(globs) {
                    if let Some(found) = self.resolve(&at, &path, depth + 1)
                        && (module.names.contains_key(name)
                            || self.modules[found].defined.contains(name))
                    {
                        return Some(found);
                    }
                }
            }
            break;
        }
        self.modules.get_key_value(&at).map(|(path, _)| path)
    }
}

/// Words that come before the name of what is defined.
const KINDS: [&str; 8] = ["fn", "struct", "enum", "trait", "type", "const", "static", "union"];

impl Module {
    fn parse(file: PathBuf, text: &str) -> Self {
        let text = without_tests(&plain(text));
        let tokens = tokens(&text);
        let mut module = Self {
            file,
            children: Vec::new(),
            paths: Vec::new(),
            names: BTreeMap::new(),
            globs: Vec::new(),
            defined: BTreeSet::new(),
        };
        let mut i = 0;
        let mut is_public = false;
        while i < tokens.len() {
            match tokens[i] {
                "pub" => {
                    is_public = true;
                    i += 1;
                    if tokens.get(i) == Some(&"(") {
                        i += tokens[i..].iter().position(|token| *token == ")").unwrap() + 1;
                    }
                    continue;
                }
                "mod" if tokens.get(i + 2) == Some(&";") => {
                    module.children.push(tokens[i + 1].to_owned());
                    i += 2;
                }
                kind if KINDS.contains(&kind) && i + 1 < tokens.len() => {
                    module.defined.insert(tokens[i + 1].to_owned());
                }
                "use" => i = module.read_use(&tokens, i + 1, &mut Vec::new(), is_public),
                name if is_name(name) && tokens.get(i + 1) == Some(&"::") => {
                    let mut path = vec![name.to_owned()];
                    while tokens.get(i + 1) == Some(&"::")
                        && tokens.get(i + 2).is_some_and(|token| is_name(token))
                    {
                        path.push(tokens[i + 2].to_owned());
                        i += 2;
                    }
                    module.paths.push(path);
                }
                _ => {}
            }
            is_public = false;
            i += 1;
        }
        module
    }

    /// Reads one tree of a `use` item from token `i` on; returns where it ends.
    fn read_use(
        &mut self,
        tokens: &[&str],
        mut i: usize,
        prefix: &mut Vec<String>,
        is_public: bool,
    ) -> usize {
        let depth = prefix.len();
        while let Some(&token) = tokens.get(i) {
            match token {
                "{" => {
                    i += 1;
                    while tokens[i] != "}" {
                        i = self.read_use(tokens, i, prefix, is_public);
                        if tokens[i] == "," {
                            i += 1;
                        }
                    }
                    i += 1;
                    break;
                }
                "*" => {
                    self.globs.push(prefix.clone());
                    if !is_public {
                        self.paths.push(prefix.clone());
                    }
                    i += 1;
                    break;
                }
                "::" => i += 1,
                name => {
                    // `a::{self}` is `a`.
                    if name != "self" || prefix.is_empty() {
                        prefix.push(name.to_owned());
                    }
                    i += 1;
                    if tokens.get(i) == Some(&"::") {
                        continue;
                    }
                    let mut known_as = prefix.last().unwrap().clone();
                    if tokens.get(i) == Some(&"as") {
                        tokens[i + 1].clone_into(&mut known_as);
                        i += 2;
                    }
                    self.names.insert(known_as, prefix.clone());
                    // A re-export shows what another file defines; it does not rest on it.
                    if !is_public {
                        self.paths.push(prefix.clone());
                    }
                    break;
                }
            }
        }
        prefix.truncate(depth);
        i
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::`, and single signs.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let end = if is_part(first) {
            rest.find(|c| !is_part(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        tokens.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    tokens
}

/// The code without comments, and with empty strings.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").unwrap() + 2
        } else if c == '"' {
            string_end(rest)
        } else if rest.starts_with("r\"") || rest.starts_with("r#") {
            let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
            let end = format!("\"{}", "#".repeat(hashes));
            // `r#type` is a name.
            match rest[1 + hashes..].strip_prefix('"').and_then(|body| body.find(&end)) {
                Some(body) => 2 + hashes + body + end.len(),
                None => 0,
            }
        } else if c == '\'' {
            // A character, or a lifetime.
            let mut chars = rest.char_indices().skip(1);
            match (chars.next(), chars.next()) {
                (Some((_, '\\')), _) => rest[3..].find('\'').unwrap() + 4,
                (Some(_), Some((end, '\''))) => end + 1,
                _ => 0,
            }
        } else {
            0
        };
        if skipped == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            out.push(' ');
            rest = &rest[skipped..];
        }
    }
    out
}

fn string_end(text: &str) -> usize {
    let mut escaped = true;
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return i + 1,
            _ => {}
        }
    }
    text.len()
}

/// The code without items that are for tests only.
fn without_tests(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("#[cfg(test)]") {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let mut depth = 0;
        let end = rest.char_indices().find(|(_, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            depth == 0 && matches!(c, '}' | ';')
        });
        rest = &rest[end.map_or(rest.len(), |(i, _)| i + 1)..];
    }
    out + rest
}
