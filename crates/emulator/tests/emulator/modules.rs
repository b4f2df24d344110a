//! The emulator's modules import each other in one direction only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[test]
fn no_modules_import_each_other_in_a_circle() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        // Tests may import what they like.
        let code = text.split("#[cfg(test)]").next().unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        imports.insert(name, code.lines().flat_map(imported).collect());
    }
    imports.remove("lib");
    assert!(imports["routes"].contains("insert") && imports["insert"].contains("multipart"));

    // What imports nothing that is left goes, until nothing is left.
    while !imports.is_empty() {
        let free =
            |(_, of): &(&String, &BTreeSet<String>)| of.iter().all(|m| !imports.contains_key(m));
        let free: Vec<_> = imports.iter().filter(free).map(|(name, _)| name.clone()).collect();
        assert!(!free.is_empty(), "a circle among {imports:#?}");
        imports.retain(|name, _| !free.contains(name));
    }
}

/// The modules that a line of code imports: of `use crate::{a, b::c};` these are `a` and `b`.
fn imported(line: &str) -> Vec<String> {
    assert_ne!(line, "use crate::{", "this test reads imports of one line only");
    let Some(paths) = line.strip_prefix("use crate::").and_then(|rest| rest.strip_suffix(';'))
    else {
        return Vec::new();
    };
    let list = paths.strip_prefix('{').and_then(|list| list.strip_suffix('}'));
    let paths = list.map_or_else(|| vec![paths], |list| list.split(", ").collect());
    paths.iter().map(|path| path.split("::").next().unwrap().to_owned()).collect()
}
