//! What each file of a crate imports from which other.
//!
//! This reads text, not types: `use` trees, and paths that begin with `crate`, `super`, `self` or a
//! file of the same folder. Tests and comments are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::text::{is_name, plain, tokens, without_tests};

/// The folder of the whole project.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The names from the crate's root to a module.
pub type ModulePath = Vec<String>;

/// The modules of a crate by their paths.
pub struct Crate {
    pub modules: BTreeMap<ModulePath, Module>,
}

/// What one file imports and offers.
pub struct Module {
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
    pub fn read(source: &Path) -> Self {
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

    pub fn file(&self, module: &ModulePath) -> String {
        let file = self.modules[module].file.strip_prefix(root()).unwrap();
        file.to_str().unwrap().replace('\\', "/")
    }

    /// Each module that imports from another file of the crate, and that one.
    pub fn imports(&self) -> Vec<(&ModulePath, &ModulePath)> {
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
