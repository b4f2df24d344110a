//! Every kind of source, loaded: what was in the arrays is what is at the destination.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use idx2gcs::DataSet;
use idx2gcs::Partition;
use idx2gcs::split::{Split, ValidationSize};
use sha2::{Digest, Sha256};

use crate::support::family::{FAMILY, Kind};
use crate::support::small::Small;
use crate::support::{Desk, Ran, Set, fashion_mnist, for_each_row, gzip, idx};

/// A `.npy` file as numpy writes it.
fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    let length = (11 + text.len()).next_multiple_of(64) - 10;
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(length).unwrap().to_le_bytes());
    bytes.extend(format!("{text:<0$}\n", length - 1).as_bytes());
    bytes.extend(data);
    bytes
}

/// A desk with a config file, which loads into the folder `d` as PNG.
fn load(config: &str, more: &[&str]) -> (Desk, Ran) {
    let desk = Desk::new();
    fs::write(desk.path("c.toml"), config).unwrap();
    let mut args = vec!["load", "--config", "c.toml", "--to", "d", "--format", "png"];
    for usual in [["--validation", "2"], ["--duplicates", "warn"]] {
        if !more.contains(&usual[0]) {
            args.extend(usual);
        }
    }
    args.extend(more);
    let ran = desk.run(&args);
    (desk, ran)
}

/// The pixels of a picture in the folder `d`, with height, width and channels.
fn picture(desk: &Desk, name: &str) -> (Vec<u8>, (u32, u32, u8)) {
    let picture = image::open(desk.path("d").join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let channels = picture.color().channel_count();
    (picture.as_bytes().to_vec(), (picture.height(), picture.width(), channels))
}

fn toml(path: &Path) -> String {
    format!("{:?}", path.to_str().unwrap())
}

/// The rows of `vertex.csv`: index in the file's order, then partition, label.
fn rows(desk: &Desk) -> Vec<(String, Option<String>)> {
    let text = desk.read("out/vertex.csv");
    let rows = text.lines().map(|row| row.split(',').collect::<Vec<_>>());
    rows.map(|row| (row[0].to_owned(), row.get(2).map(|label| (*label).to_owned()))).collect()
}

/// Downloaded where they are nowhere, upright, labels read from the right column and named.
#[tokio::test(flavor = "multi_thread")]
async fn each_named_data_set_is_loaded_as_it_is() {
    for kind in &FAMILY {
        let small = Small::new(kind.name).await;
        let name = kind.name;
        let own = small.text.replace(&format!("[{name}"), &format!("[dataset.{name}"));
        let mut config = format!("{own}\n[source]\ndataset = \"{name}\"\n");
        if name == "fashion-mnist" {
            // The true one may be on this machine.
            kind.unpack(small.target.path());
            config += &format!("path = {}\n", toml(small.target.path()));
        }
        let (desk, ran) = tokio::task::spawn_blocking(move || {
            load(&config, &["--name", "{label}/{index}.{ext}"])
        })
        .await
        .unwrap();
        ran.expect(0);
        let images: u32 = kind.records().iter().sum();
        for index in 0..images {
            let (pixels, _) = picture(&desk, &format!("{}/{index}.png", kind.label(index)));
            assert_eq!(pixels, Kind::pixels(index), "{name} {index}");
        }
        let rows = rows(&desk);
        let count = |part: &str| rows.iter().filter(|(is, _)| is == part).count();
        assert_eq!(count("validation"), 2, "{name}");
        assert_eq!(count("test"), kind.records()[1] as usize, "{name}");
        let classes: BTreeMap<u32, &Option<String>> =
            (0..).zip(&rows).map(|(index, (_, label))| (kind.label(index), label)).collect();
        for (label, class) in classes {
            let nth = label - u32::from(name == "emnist-letters");
            assert_eq!(class.as_deref(), Some(&*format!("class_{nth}")), "{name}");
        }
    }
}

fn npz(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let members: Vec<_> =
        members.iter().map(|(name, bytes)| (format!("{name}.npy"), bytes.clone())).collect();
    crate::support::family::zip(&members)
}

#[test]
fn an_archive_of_arrays_is_a_data_set() {
    let dir = tempfile::tempdir().unwrap();
    let colours: Vec<u8> = (0..5 * 2 * 3 * 3).collect();
    let part = |from: usize, n: usize| colours[from * 18..(from + n) * 18].to_vec();
    let archive = npz(&[
        ("train_images", npy("|u1", "2, 2, 3, 3", &part(0, 2))),
        ("train_labels", npy("|u1", "2, 1", &[3, 1])),
        ("val_images", npy("|u1", "1, 2, 3, 3", &part(2, 1))),
        ("val_labels", npy("|u1", "1, 1", &[0])),
        ("test_images", npy("|u1", "2, 2, 3, 3", &part(3, 2))),
        ("test_labels", npy("|u1", "2, 1", &[1, 1])),
    ]);
    let path = dir.path().join("colours.npz");
    fs::write(&path, archive).unwrap();
    let desk = Desk::new();
    let args = ["load", "--source", path.to_str().unwrap(), "--to", "d", "--format", "png"];
    desk.run(&args).expect(0);
    for index in 0..5 {
        let (pixels, form) = picture(&desk, &format!("image_{index}.png"));
        assert_eq!((pixels, form), (part(index, 1), (2, 3, 3)));
    }
    let parts: Vec<_> = rows(&desk).into_iter().map(|(part, _)| part).collect();
    assert_eq!(parts, ["training", "training", "validation", "test", "test"], "its own validation");
}

#[test]
fn arrays_of_any_number_make_images_and_labels() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let halves: Vec<u8> = (0..12_u8).flat_map(|n| (f32::from(n) / 11.0).to_be_bytes()).collect();
    fs::write(at("floats"), idx(0xD, &[3, 2, 2], &halves)).unwrap();
    let wide: Vec<u8> = [70_000_i64, 0, 3].iter().flat_map(|n| n.to_le_bytes()).collect();
    fs::write(at("wide.npy"), npy("<i8", "3,", &wide)).unwrap();
    let table: Vec<u8> = [9, 1, 9, 2].iter().flat_map(|n: &i16| n.to_be_bytes()).collect();
    fs::write(at("table"), idx(0xB, &[2, 2], &table)).unwrap();
    let more: Vec<u8> =
        [0.0_f64, 0.0, 0.0, 1.0].repeat(2).iter().flat_map(|v| v.to_le_bytes()).collect();
    fs::write(at("more.npz"), npz(&[("only", npy("<f8", "2, 2, 2", &more))])).unwrap();
    let config = format!(
        "[source]\nrange = [0.0, 1.0]\nlabel_column = 1\n[[source.files]]\nimages = {}\nlabels = {}\n\
         partition = \"train\"\n",
        toml(&at("more.npz#only")),
        toml(&at("table"))
    );
    let (desk, ran) = load(&config, &["--validation", "0"]);
    ran.expect(0);
    assert_eq!(picture(&desk, "image_0.png").0, [0, 0, 0, 255]);
    let label = |label: &str| ("training".to_owned(), Some(label.to_owned()));
    assert_eq!(rows(&desk), [label("class_1"), label("class_2")]);

    let config = format!(
        "[source]\nrange = [0, 1]\ntransposed = true\n[[source.files]]\nimages = {}\nlabels = {}\n\
         partition = \"train\"\n",
        toml(&at("floats")),
        toml(&at("wide.npy"))
    );
    let (desk, ran) = load(&config, &["--validation", "0"]);
    ran.expect(0);
    let grey = |n: u32| u8::try_from((n * 255 + 5) / 11).unwrap();
    assert_eq!(picture(&desk, "image_1.png").0, [4, 6, 5, 7].map(grey), "turned");
    assert_eq!(rows(&desk), [label("class_70000"), label("class_0"), label("class_3")]);
}

#[test]
fn booleans_are_black_and_white() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("masks.npy");
    fs::write(&path, npy("|b1", "2, 1, 2", &[0, 1, 1, 0])).unwrap();
    let config = format!("[source]\npath = {}\n", toml(&path));
    let (desk, ran) = load(&config, &["--validation", "0"]);
    ran.expect(0);
    assert_eq!(picture(&desk, "image_0.png").0, [0, 255]);
    assert_eq!(picture(&desk, "image_1.png").0, [255, 0]);
}

/// Masks, and labels in the order of their classes, pack a thousand to one.
#[test]
fn an_archive_may_be_packed_as_well_as_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("masks.npz");
    let mut masks = vec![0; 1 << 25];
    masks[..32].copy_from_slice(&(0..32).collect::<Vec<u8>>());
    fs::write(&path, npz(&[("train_images", npy("|u1", "2, 4096, 4096", &masks))])).unwrap();
    assert!(fs::metadata(&path).unwrap().len() < (1 << 25) / 800);
    let config = format!("[source]\npath = {}\n", toml(&path));
    let (desk, ran) = load(&config, &["--validation", "0"]);
    ran.expect(0);
    assert!(picture(&desk, "image_0.png").0 == masks[..1 << 24]);
}

#[test]
fn images_without_labels_are_listed_without() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pictures.npy");
    fs::write(&path, npy("|u1", "3, 1, 2", &[1, 2, 3, 4, 5, 6])).unwrap();
    let config = format!("[source]\npath = {}\n", toml(&path));
    let (desk, ran) = load(&config, &[]);
    ran.expect(0);
    assert_eq!(picture(&desk, "image_2.png").0, [5, 6]);
    assert!(rows(&desk).iter().all(|(_, label)| label.is_none()));
    assert_eq!(rows(&desk).iter().filter(|(part, _)| part == "validation").count(), 2);
    let zip = ["load", "--config", "c.toml", "--to", "d.zip", "--validation", "1"];
    desk.run(&zip).expect(0);
    assert!(desk.exists("d.zip"));
    let (_, ran) = load(&config, &["--name", "{class}/{index}"]);
    assert!(ran.expect(2).error().contains("asks for labels"));
}

/// One line, file, reason, exit code 2 or 3, nothing written.
#[test]
fn sources_that_cannot_be_meant() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let write = |name: &str, bytes: Vec<u8>| fs::write(at(name), bytes).unwrap();
    write("pickle.npy", npy("|O", "2,", &[0x80, 4]));
    write("pickle", vec![0x80, 4, 0x95, 0]);
    write("strings.npy", npy("<U3", "2,", &[0; 24]));
    write("nan.npy", npy("<f4", "1, 1, 1", &f32::NAN.to_le_bytes()));
    write("other.npz", npz(&[("a", npy("|u1", "1,", &[0])), ("b", npy("|u1", "1,", &[0]))]));
    write("two.npy", npy("|u1", "2, 1, 1", &[0, 1]));
    write("labels.npy", npy("|u1", "2,", &[0, 7]));
    // Far more than the header promises, packed to a few bytes.
    let bomb = [npy("|u1", "2, 1, 1", &[0, 1]), vec![0; 1 << 22]].concat();
    write("bomb.npz", npz(&[("train_images", bomb)]));
    // Four billion images in a packed file of some bytes: nothing is allocated for them.
    write("lie.gz", gzip(&idx(8, &[u32::MAX, 1, 1], &[7; 20])));
    let two = npy("|u1", "2, 1, 1", &[0, 1]);
    write("misspelt.npz", npz(&[("x_train", two), ("y_trian", npy("|u1", "2,", &[0, 1]))]));
    write("split.csv", b"index,partition\n0,train\n9,test\n".to_vec());
    let files = |images: &str, labels: &str| {
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("labels = {}\n", toml(&at(labels)))
        };
        let images = toml(&at(images));
        format!("[[source.files]]\nimages = {images}\n{labels}partition = \"train\"\n")
    };
    let path = |name: &str| format!("[source]\npath = {}\n", toml(&at(name)));
    let rows = [
        (path("pickle.npy"), 3, "pickle.npy: not a usable .npy array: it holds Python objects"),
        (path("pickle"), 3, "a Python pickle, which is never read"),
        (path("strings.npy"), 3, "it holds \"<U3\"; numbers are wanted"),
        (path("nan.npy"), 3, "holds f32 values; say which of them are black and white"),
        (
            path("nan.npy") + "range = [0, 1]\n[split]\nvalidation = 0",
            3,
            "nan.npy: record 0 holds a value that is not a number",
        ),
        (path("lie.gz"), 3, "truncated: the header promises 4294967295 bytes of data"),
        (path("other.npz"), 3, "its arrays (a, b) have none of the known names"),
        (path("bomb.npz") + "[split]\nvalidation = 0", 3, "bomb.npz#train_images: trailing bytes"),
        (files("other.npz", ""), 3, "several arrays; name one as in FILE#a: a, b"),
        (files("other.npz#c", ""), 3, "holds no array \"c\"; its arrays are: a, b"),
        (
            "[source]\nclasses = [\"A\", \"B\"]\n".to_owned() + &files("two.npy", "labels.npy"),
            3,
            "labels.npy: image 1 has the label 7, but the classes are 0 to 1",
        ),
        (
            "[source]\nfirst_label = 4294967295\nclasses = [\"A\", \"B\"]\n".to_owned()
                + &files("two.npy", "labels.npy"),
            3,
            "labels.npy: image 0 has the label 0",
        ),
        (
            "[source]\nclasses = [\"0\",\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\"]\n"
                .to_owned()
                + &files("two.npy", "labels.npy"),
            3,
            "labels.npy: its highest label is 7, but source.classes names 9 classes, up to 8",
        ),
        (path("misspelt.npz"), 3, "some images have no labels of a known name"),
        (
            "[source]\nclasses = [\"A b\", \"A/b\"]\n".to_owned() + &files("two.npy", ""),
            2,
            "both become the label \"A_b\"",
        ),
        (
            files("two.npy", "")
                + &format!("[split]\nmethod = \"file\"\nfile = {}", toml(&at("split.csv"))),
            3,
            "split.csv: line 3: there is no image 9; the last one is 1",
        ),
        (files("two.npy", "") + "[split]\nmethod = \"file\"", 2, "split.file"),
        (
            files("two.npy", "") + "[split]\nmethod = \"stratified\"\nvalidation = 1",
            2,
            "needs labels",
        ),
    ];
    for_each_row(rows, |(config, code, says)| {
        let desk = Desk::new();
        fs::write(desk.path("c.toml"), &config).unwrap();
        let ran = desk.run(&["load", "--config", "c.toml", "--to", "d"]).expect(code);
        assert!(ran.error().contains(says), "{ran:?}");
        assert!(!desk.exists("d"));
    });
}

#[test]
fn images_can_be_split_in_any_usual_way() {
    let set = Set::new(60, 10);
    let source = format!("[source]\npath = {}\n", toml(set.path()));
    let held_out = |split: &str| -> Vec<usize> {
        let desk = Desk::new();
        fs::write(desk.path("c.toml"), format!("{source}[split]\n{split}")).unwrap();
        fs::write(desk.path("list.csv"), "3,validation\n4,test\n65,train\n").unwrap();
        desk.run(&["load", "--config", "c.toml", "--to", "d"]).expect(0);
        let rows = rows(&desk);
        (0..70).filter(|&index| rows[index].0 == "validation").collect()
    };
    let label = |index: &usize| index % 10;
    let stratified = held_out("method = \"stratified\"\nvalidation = 0.5");
    let mut labels: Vec<_> = stratified.iter().map(label).collect();
    labels.sort_unstable();
    assert_eq!(labels, (0..10).flat_map(|n| [n; 3]).collect::<Vec<_>>());
    assert_eq!(held_out("method = \"random\"\nvalidation = 0.15").len(), 9);
    assert_eq!(held_out("method = \"none\""), Vec::<usize>::new());
    assert_eq!(held_out("method = \"file\"\nfile = \"list.csv\""), [3]);
    let by_content = held_out("method = \"hash\"\nvalidation = 0.2");
    assert!((3..25).contains(&by_content.len()), "{by_content:?}");
    assert!(by_content.iter().all(|index| *index < 60));
}

#[test]
fn names_can_tell_the_content() {
    let set = Set::new(20, 5);
    let source = format!("[source]\npath = {}\n", toml(set.path()));
    let (desk, ran) = load(&source, &["--name", "{hash:2}/{hash}.{ext}"]);
    ran.expect(0);
    let names: Vec<_> = desk.files().into_iter().filter(|name| name.contains(".png")).collect();
    assert_eq!(names.len(), 25);
    for name in names {
        let (folder, file) = name.strip_prefix("d/").unwrap().split_once('/').unwrap();
        assert!(file.starts_with(folder) && file.len() == 20, "{name}");
    }
    // A second run finds them by their names, and so does verify.
    let args = ["--config", "c.toml", "--to", "d", "--format", "png", "--validation", "2"];
    let args = [&args[..], &["--name", "{hash:2}/{hash}.{ext}"]].concat();
    desk.run(&[&["load"][..], &args].concat()).expect(0);
    assert_eq!(desk.summary()["already_present"], 25);
    desk.run(&[&["verify"][..], &args].concat()).expect(0);
}

#[test]
fn duplicates_are_refused_unless_they_are_allowed() {
    let set = Set::new(20, 5);
    let twice = [Set::pixels(7), Set::pixels(21), Set::pixels(7), Set::pixels(23), Set::pixels(24)];
    set.write("t10k-images-idx3-ubyte", &idx(8, &[5, 28, 28], &twice.concat()));
    let source = format!("[source]\npath = {}\n", toml(set.path()));
    let (desk, ran) = load(&source, &["--duplicates", "error"]);
    let error = ran.expect(3);
    let error = error.error();
    let says = "1 group of identical images has different labels (7 = 20 = 22)";
    assert!(error.starts_with(says) && error.ends_with("; nothing was written"), "{error}");
    assert!(!desk.exists("d"));
    load(&source, &["--duplicates", "warn"]).1.expect(0);
    load(&source, &["--duplicates", "off"]).1.expect(0);
    let (_, ran) = load(&source, &["--name", "{hash}.{ext}", "--duplicates", "warn"]);
    assert!(ran.expect(3).error().contains("add {index}"));

    let check = |more: &[&str]| {
        let args = ["check", "--config", "c.toml", "--validation", "2"];
        desk.run(&[&args[..], more].concat())
    };
    let ran = check(&[]).expect(3);
    assert!(ran.stdout.contains(&format!("error: {says}")), "{ran:?}");
    let told: serde_json::Value =
        serde_json::from_str(&check(&["--json"]).expect(3).stdout).unwrap();
    assert_eq!(told["findings"][0]["code"], "duplicate-labels");
    assert_eq!((&told["images"], &told["test"]), (&25.into(), &5.into()));
    check(&["--duplicates", "warn"]).expect(0);
}

/// What scikit-learn holds out of Fashion-MNIST with `train_test_split(range(60000), test_size=10000,
/// stratify=labels, random_state=42)`: the SHA-256 of the sorted indices as little-endian u32.
#[test]
#[ignore = "needs Fashion-MNIST; scripts/test.sh runs it"]
fn fashion_mnist_is_stratified_as_scikit_learn_does() {
    let data = DataSet::folder(fashion_mnist()).open_blocking().unwrap();
    let label = |index| data.labels().get(index);
    let held_out = ValidationSize::Count(10_000);
    let split = Split::stratified(&data.parts(), held_out, 42, label).unwrap();
    let mut digest = Sha256::new();
    let mut counts = [0; 10];
    for index in (0..70_000).filter(|&index| split.partition(index) == Partition::Validation) {
        digest.update(index.to_le_bytes());
        counts[label(index).unwrap() as usize] += 1;
    }
    assert_eq!(counts, [1000; 10]);
    assert_eq!(
        data_encoding::HEXLOWER.encode(&digest.finalize()),
        "0bc6362abf66852b799c7127853d43259fb7e992a21d4f863a0f9b669849cde3"
    );
}
