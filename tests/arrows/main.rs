//! The order of rooms in docs/architecture.md, held against the code: a room imports only from rooms
//! below it, and in the rooms where files are many no files import each other in a circle.

#![allow(clippy::unwrap_used, clippy::string_slice, unreachable_pub)]

mod imports;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use imports::{Crate, root};

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
    assert!(upwards.is_empty(), "rooms import from rooms above them: {upwards:#?}");
}

#[test]
fn files_of_a_room_do_not_import_each_other_in_a_circle() {
    let mut wrong = Vec::new();
    for folder in WITHOUT_CIRCLES {
        let source = folder.split_inclusive("src").next().unwrap();
        let code = Crate::read(&root().join(source));
        let mut graph = BTreeMap::<String, BTreeSet<String>>::new();
        for (from, to) in code.imports() {
            let (from, to) = (code.file(from), code.file(to));
            if [&from, &to].iter().all(|file| file.starts_with(&format!("{folder}/"))) {
                graph.entry(from).or_default().insert(to);
            }
        }
        wrong.extend(in_circles(&graph));
    }
    assert!(wrong.is_empty(), "these imports close a circle: {wrong:#?}");
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
