//! What an entry of the catalogue must fulfil beyond having the right keys.

use std::collections::HashSet;

use super::entry::{Entry, EntryFile};
use crate::model::Partition;
use crate::text::is_unsafe;

/// Checks an entry and puts its parts into order and its sums into lower case.
///
/// # Errors
/// What is wrong, with the key.
pub(super) fn check(entry: &mut Entry) -> Result<(), String> {
    folder_name(&entry.name)?;
    classes(&entry.classes)?;
    for mirror in &entry.mirrors {
        let url = reqwest::Url::parse(mirror).ok();
        if !url.is_some_and(|url| ["http", "https"].contains(&url.scheme()) && url.has_host()) {
            return Err(format!("mirrors: {mirror:?} is no http or https address"));
        }
    }
    match entry.suffix.as_str() {
        "" | ".gz" => {}
        suffix => {
            return Err(format!("suffix: {suffix:?} cannot be unpacked, use \".gz\" or \"\""));
        }
    }
    if entry.title.contains(is_unsafe) {
        return Err("title: it has control characters".to_owned());
    }
    check_files(entry)?;
    entry.parts.sort_by_key(|part| part.partition);
    let mut names = HashSet::new();
    for (i, part) in entry.parts.iter_mut().enumerate() {
        for (role, file) in [("images", &mut part.images), ("labels", &mut part.labels)] {
            let at = format!("parts[{i}].{role}");
            check_file(&at, file)?;
            if !names.insert(file.name.clone()) {
                return Err(format!("{at}.name: {:?} is named twice", file.name));
            }
        }
    }
    if let (Some(validation), Some(training)) = (entry.validation, entry.records(Partition::Train))
        && u64::from(validation) > training
    {
        return Err(format!("validation: {validation} of {training} training images"));
    }
    if let Some(archive) = &mut entry.archive {
        file_name("archive.name", &archive.name)?;
        for folder in archive.folder.split('/').filter(|_| !archive.folder.is_empty()) {
            file_name("archive.folder", folder)?;
        }
        sum("archive.sha256", &mut archive.sha256, 64)?;
        sum("archive.md5", &mut archive.md5, 32)?;
    }
    Ok(())
}

/// An entry has parts, or files that need none.
fn check_files(entry: &mut Entry) -> Result<(), String> {
    match (entry.parts.is_empty(), entry.files.is_empty()) {
        (true, true) => return Err("parts: at least one pair of images and labels".to_owned()),
        (false, false) => {
            return Err("files: they stand instead of parts, not beside them".to_owned());
        }
        (false, true) if !entry.records.is_empty() => {
            return Err("records: beside files; parts have their own".to_owned());
        }
        _ => {}
    }
    if !entry.sizes.is_empty() && entry.files.len() != 1 {
        return Err("sizes: the entry itself must have one file".to_owned());
    }
    if entry.archive.is_some() && !entry.files.is_empty() {
        return Err("archive: it holds parts, not files".to_owned());
    }
    let mut names = HashSet::new();
    let whole = entry.files.iter_mut().enumerate().map(|(i, file)| (format!("files[{i}]"), file));
    let sizes = entry.sizes.iter_mut().map(|(size, file)| (format!("sizes.{size}"), file));
    for (at, file) in whole.chain(sizes) {
        file_name(&format!("{at}.name"), &file.name)?;
        if !names.insert(file.name.clone()) {
            return Err(format!("{at}.name: {:?} is named twice", file.name));
        }
        sum(&format!("{at}.sha256"), &mut file.sha256, 64)?;
        sum(&format!("{at}.md5"), &mut file.md5, 32)?;
    }
    match entry.sizes.keys().find(|size| size.parse::<u16>().is_err()) {
        Some(size) => Err(format!("sizes: {size:?} is no number of pixels")),
        None => Ok(()),
    }
}

/// A name is also that of a folder, and a word on the command line.
fn folder_name(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err("its name must be letters, digits, '-', '_' and '.', a letter or digit first".to_owned())
}

fn classes(classes: &[String]) -> Result<(), String> {
    if classes.is_empty() {
        return Err("classes: at least one is wanted".to_owned());
    }
    let mut seen = HashSet::new();
    for class in classes {
        if class.trim().is_empty() {
            return Err("classes: a name is empty".to_owned());
        }
        if class.contains(is_unsafe) {
            return Err(format!("classes: {class:?} has control characters"));
        }
        if !seen.insert(class) {
            return Err(format!("classes: {class:?} is listed twice"));
        }
    }
    Ok(())
}

fn check_file(at: &str, file: &mut EntryFile) -> Result<(), String> {
    file_name(&format!("{at}.name"), &file.name)?;
    for (suffix, what) in [
        (".gz", "is written without \".gz\""),
        (".xz", "is packed with xz, which cannot be unpacked"),
        (".partial", "looks like an unfinished download"),
    ] {
        if file.name.ends_with(suffix) {
            return Err(format!("{at}.name: {:?} {what}", file.name));
        }
    }
    sum(&format!("{at}.sha256"), &mut file.sha256, 64)?;
    sum(&format!("{at}.packed_sha256"), &mut file.packed_sha256, 64)?;
    sum(&format!("{at}.packed_md5"), &mut file.packed_md5, 32)
}

/// A file's name must not lead out of its folder, on any system.
fn file_name(at: &str, name: &str) -> Result<(), String> {
    let bad = |c: char| matches!(c, '/' | '\\' | ':') || c.is_control();
    if name.is_empty() || name == "." || name == ".." || name.contains(bad) {
        return Err(format!("{at}: {name:?} is no plain file name"));
    }
    Ok(())
}

fn sum(at: &str, sum: &mut Option<String>, digits: usize) -> Result<(), String> {
    let Some(text) = sum else { return Ok(()) };
    text.make_ascii_lowercase();
    if text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(format!("{at}: {text:?} is not {digits} hexadecimal digits"))
}

#[cfg(test)]
mod tests {
    use crate::model::Partition;
    use crate::source::Catalogue;

    /// A sound entry with one line replaced.
    fn entry(old: &str, new: &str) -> Result<Catalogue, String> {
        let text = r#"
            [mine]
            title = "of my own"
            classes = ["a", "b"]
            validation = 2
            mirrors = ["https://example.org/data"]
            archive.name = "all.zip"
            [[mine.parts]]
            partition = "test"
            images.name = "test-images"
            labels.name = "test-labels"
            [[mine.parts]]
            partition = "train"
            records = 5
            images.name = "images"
            images.sha256 = "5B4141F0AFBAD91EDEBE8549F8FCFFE087EA10CA49F1DBEF5C9A5CD8815CE37B"
            labels.name = "labels"
        "#;
        assert!(text.contains(old), "{old}");
        Catalogue::builtin().with_text(&text.replace(old, new))
    }

    #[test]
    fn a_user_can_add_an_entry_and_replace_one() {
        let catalogue = entry("of my own", "mine").unwrap();
        let mine = catalogue.get("mine").unwrap();
        assert_eq!((mine.name.as_str(), mine.title.as_str()), ("mine", "mine"));
        assert_eq!((mine.suffix.as_str(), mine.first_label, mine.transposed), (".gz", 0, false));
        let [training, test] = mine.parts.as_slice() else { panic!("{mine:?}") };
        assert_eq!(
            (training.partition, test.partition),
            (Partition::Train, Partition::Test),
            "in source order"
        );
        assert!(training.images.sha256.as_deref().unwrap().starts_with("5b4141f0"));
        assert_eq!(mine.images(), None, "the test part does not say");
        assert!(catalogue.get("mnist").is_some());
        let catalogue = entry("mine", "mnist").unwrap();
        assert_eq!(catalogue.get("mnist").unwrap().title, "of my own");
    }

    #[test]
    fn files_may_stand_instead_of_parts() {
        let text = r#"
            [mine]
            title = "small"
            classes = ["a"]
            records = { train = 5, test = 2 }
            files = [{ name = "mine.npz", md5 = "0123456789ABCDEF0123456789ABCDEF" }]
            sizes.64 = { name = "mine_64.npz" }
        "#;
        let catalogue = Catalogue::builtin().with_text(text).unwrap();
        let (mine, larger) = (catalogue.get("mine").unwrap(), catalogue.get("mine-64").unwrap());
        assert_eq!((mine.images(), larger.images()), (Some(7), Some(7)));
        assert_eq!(mine.records(Partition::Validation), Some(0));
        assert_eq!(
            (larger.title.as_str(), &*larger.files[0].name),
            ("small, 64 × 64", "mine_64.npz")
        );
        assert!(mine.files[0].md5.as_deref().unwrap().ends_with("cdef"));
        assert!(mine.sizes.is_empty() && larger.sizes.is_empty());
    }

    #[test]
    fn errors_name_entry_and_key_on_one_line() {
        for (old, new, says) in [
            ("title =", "titel =", "unknown field `titel`"),
            ("\"of my own\"", "7", "expected a string in `title`"),
            ("validation = 2", "validation = -1", "in `validation`"),
            ("validation = 2", "validation = 6", "validation: 6 of 5 training images"),
            ("[\"a\", \"b\"]", "[]", "classes: at least one"),
            ("\"b\"", "\"a\"", "classes: \"a\" is listed twice"),
            ("\"b\"", "\" \"", "classes: a name is empty"),
            ("\"b\"", "\"\\u001B[2J\"", "classes: \"\\u{1b}[2J\" has control characters"),
            ("of my own", "\\u202E", "title: it has control characters"),
            ("validation = 2", "records = { train = 5 }", "records: beside files"),
            ("validation = 2", "files = [{ name = \"x\" }]", "files: they stand instead of parts"),
            ("validation = 2", "sizes.64 = { name = \"x\" }", "sizes: the entry itself"),
            ("classes = [\"a\", \"b\"]", "", "missing field `classes`"),
            ("https://example", "ftp://example", "mirrors: \"ftp://example.org/data\""),
            ("\"https://example.org/data\"", "\"data\"", "mirrors: \"data\" is no http"),
            ("\"train\"", "\"learn\"", "expected one of train, validation, test"),
            ("records = 5", "records = \"5\"", "records"),
            ("\"images\"", "\"../images\"", "parts[0].images.name: \"../images\" is no plain"),
            ("\"labels\"", "\"a\\\\labels\"", "parts[0].labels.name"),
            ("\"labels\"", "\"labels.xz\"", "packed with xz"),
            ("\"labels\"", "\"labels.gz\"", "without \".gz\""),
            ("\"labels\"", "\"images\"", "parts[0].labels.name: \"images\" is named twice"),
            ("labels.name = \"labels\"", "", "labels"),
            ("5B4141", "XY", "parts[0].images.sha256"),
            ("\"all.zip\"", "\"/all.zip\"", "archive.name"),
            ("\"all.zip\"", "\"a\"\narchive.folder = \"x/../y\"", "archive.folder: \"..\""),
            ("validation = 2", "suffix = \".xz\"", "suffix: \".xz\" cannot be unpacked"),
        ] {
            let error = entry(old, new).unwrap_err();
            assert!(error.contains(says) && error.contains("\"mine\""), "{new}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
        for (files, says) in [
            ("files = [{ name = \"a\" }, { name = \"a\" }]", "files[1].name: \"a\" is named twice"),
            ("files = [{ name = \"a\", md5 = \"x\" }]", "files[0].md5"),
            ("files = [{ name = \"a/b\" }]", "files[0].name"),
            ("files = [{ name = \"a\" }]\narchive.name = \"z.zip\"", "archive: it holds parts"),
            ("files = [{ name = \"a\" }]\nsizes.large = { name = \"b\" }", "sizes: \"large\""),
            (
                "files = [{ name = \"a\" }]\nrecords = { train = 5 }\nvalidation = 6",
                "validation: 6 of 5 training images",
            ),
            ("files = [{ name = \"a\" }]\nrecords = { learn = 5 }", "expected one of train"),
        ] {
            let text = format!("[mine]\nclasses = [\"a\"]\n{files}");
            let error = Catalogue::builtin().with_text(&text).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        let error = Catalogue::builtin().with("../x", toml::Table::new()).unwrap_err();
        assert!(error.contains("\"../x\""), "{error}");
        let error = Catalogue::builtin().with_text("mine = 1").unwrap_err();
        assert_eq!(error, "data set \"mine\": must be a table");
        let text = "[mine]\nclasses = [\"a\"]\nparts = []";
        let error = Catalogue::builtin().with_text(text).unwrap_err();
        assert!(error.contains("parts: at least one"), "{error}");
        let error = Catalogue::builtin().with_text(&text.replace("mine", "\"a/b\"")).unwrap_err();
        assert!(error.contains("its name must be"), "{error}");
    }
}
