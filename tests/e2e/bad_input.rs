//! Bad input: a clear line that names file and reason, the right exit code, nothing written.

use std::fs;

use crate::support::{Desk, Ran, SIDE, Server, Set, for_each_row, gzip, idx};

const IMAGES: &str = "train-images-idx3-ubyte";
const LABELS: &str = "train-labels-idx1-ubyte";

/// 255 bytes and an index.
const LONG: &str = concat!(
    "fifty bytes that fill a name up to what files take",
    "fifty bytes that fill a name up to what files take",
    "fifty bytes that fill a name up to what files take",
    "fifty bytes that fill a name up to what files take",
    "fifty bytes that fill a name up to what files take",
    "_____{index}"
);

/// Loads the set and expects exit code 3, the file's name, and each of the words.
fn refused(set: &Set, file: &str, words: &[&str]) {
    let (desk, server) = (Desk::new(), Server::new());
    let ran = desk.load(set, &server, &[]).expect(3);
    for word in [&[file][..], words].concat() {
        assert!(ran.error().contains(word), "{word:?} in {:?}", ran.error());
    }
    assert_eq!(server.emulator().counters().inserts, 0, "nothing was written");
    assert_eq!(desk.files(), ["out/summary.json"]);
    assert_eq!(desk.summary()["exit_code"], 3);
}

/// A set of which one file has other bytes.
fn with(file: &str, bytes: &[u8]) -> Set {
    let set = Set::new(30, 5);
    set.write(file, bytes);
    set
}

fn images(count: u32) -> Vec<u8> {
    idx(8, &[count, SIDE, SIDE], &vec![7; (count * SIDE * SIDE) as usize])
}

#[test]
fn not_an_idx_file() {
    refused(&with(IMAGES, b"\x89PNG\r\n"), IMAGES, &["not an IDX file", "89 50 4e 47"]);
    refused(&with(IMAGES, b""), IMAGES, &["not an IDX file", "empty"]);
    let html = b"<!DOCTYPE html><title>404</title>";
    let set = Set::new(30, 5);
    fs::remove_file(set.path().join(IMAGES)).unwrap();
    set.write("train-images-idx3-ubyte.gz", html);
    refused(&set, "train-images-idx3-ubyte.gz", &["not an IDX file", "HTML"]);
    refused(&with(IMAGES, &idx(0xA, &[1], &[])), IMAGES, &["type code 0x0a"]);
}

#[test]
fn wrong_type() {
    for (code, name, size) in
        [(9, "i8", 1), (0xB, "i16", 2), (0xC, "i32", 4), (0xD, "f32", 4), (0xE, "f64", 8)]
    {
        let floats = idx(code, &[30, 3, 3], &vec![0; 270 * size]);
        let words = [&format!("holds {name} values"), "black and white: source.range"];
        refused(&with(IMAGES, &floats), IMAGES, &words);
    }
    let labels = idx(0xD, &[30], &[0; 120]);
    refused(&with(LABELS, &labels), LABELS, &["holds f32 values; labels are whole numbers"]);
    let labels = idx(0xC, &[30], &(-1_i32).to_be_bytes().repeat(30));
    refused(&with(LABELS, &labels), LABELS, &["record 0 has the label -1"]);
}

#[test]
fn wrong_number_of_dimensions() {
    let planes = idx(8, &[2, 3, 3, 4], &[0; 72]);
    refused(&with(IMAGES, &planes), IMAGES, &["has 4 dimensions (2 × 3 × 3 × 4)"]);
    let colour = idx(8, &[30, 3, 3, 3], &[0; 810]);
    let sizes = ["its images are 28 × 28, those of", "train-images-idx3-ubyte are 3 × 3 × 3"];
    refused(&with(IMAGES, &colour), "t10k-images-idx3-ubyte", &sizes);
    let table = idx(8, &[30, 2], &[0; 60]);
    let words = ["has 2 columns (30 × 2)", "source.label_column"];
    refused(&with(LABELS, &table), LABELS, &words);
}

#[test]
fn swapped_files() {
    let set = Set::new(30, 5);
    let labels = set.read(LABELS);
    refused(&with(IMAGES, &labels), IMAGES, &["holds labels", "swapped"]);
    refused(&with(LABELS, &images(30)), LABELS, &["holds images", "swapped"]);
}

#[test]
fn truncated() {
    let whole = images(30);
    let short = &whole[..whole.len() - 1];
    let sizes = ["truncated", "promises 23520 bytes", "holds 23519"];
    refused(&with(IMAGES, short), IMAGES, &sizes);
    refused(&with(IMAGES, &gzip(short)), IMAGES, &sizes);
    refused(&with(IMAGES, &whole[..10]), IMAGES, &["header is cut off after 8 bytes"]);
}

/// Each kind of damage to a packed file, in each of the four: nothing is uploaded.
#[test]
fn damaged_packed_files() {
    for file in [IMAGES, LABELS, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"] {
        let plain = Set::new(30, 5).read(file);
        let packed = gzip(&plain);
        for cut in [1, 4, 8, 10, packed.len() / 2] {
            refused(&with(file, &packed[..packed.len() - cut]), file, &["cut off"]);
        }
        // A flipped bit of the checksum, and one of the data where it is not compressed.
        let mut checksum = packed.clone();
        let at = checksum.len() - 6;
        checksum[at] ^= 1;
        refused(&with(file, &checksum), file, &["cannot be read"]);
        let mut data = stored(&plain);
        let at = data.len() - 9;
        data[at] ^= 1;
        refused(&with(file, &data), file, &["cannot be read"]);
        // Twice the same, with a last member of just the right length.
        refused(&with(file, &[&*packed, &*packed].concat()), file, &["trailing bytes"]);
        refused(&with(file, &[&*packed, &*gzip(b"x")].concat()), file, &["trailing bytes"]);
        refused(&with(file, &[&*packed, b"x"].concat()), file, &["unpack it with gzip -dc"]);
        let more = b"what is left of something longer";
        refused(&with(file, &[&*packed, more].concat()), file, &["unpack it with gzip -dc"]);
    }
}

/// Gzip without compression.
fn stored(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn trailing_bytes() {
    let mut long = images(30);
    long.push(0);
    refused(&with(IMAGES, &long), IMAGES, &["trailing bytes"]);
    refused(&with(IMAGES, &gzip(&long)), IMAGES, &["trailing bytes"]);
}

#[test]
fn counts_that_differ() {
    let set = with(LABELS, &idx(8, &[29], &[0; 29]));
    refused(&set, LABELS, &["holds 29 labels", "train-images-idx3-ubyte holds 30 images"]);
}

#[test]
fn sizes_that_differ() {
    let set = with("t10k-images-idx3-ubyte", &idx(8, &[5, 2, 2], &[0; 20]));
    refused(&set, "t10k-images-idx3-ubyte", &["train-images-idx3-ubyte are 28 × 28"]);
}

#[test]
fn no_images() {
    let set = with(IMAGES, &idx(8, &[0, SIDE, SIDE], &[]));
    refused(&set, IMAGES, &["holds no images"]);
    let set = with(IMAGES, &idx(8, &[30, 0, SIDE], &[]));
    refused(&set, IMAGES, &["its images are 0 × 28"]);
}

#[test]
fn headers_that_lie() {
    let max = u32::MAX;
    let overflow = idx(8, &[max, max, max], &[]);
    refused(&with(IMAGES, &overflow), IMAGES, &["multiply to more than any file can hold"]);
    let promise = idx(8, &[max, SIDE, SIDE], &[0; 20]);
    refused(&with(IMAGES, &promise), IMAGES, &["truncated", "holds 20"]);
    // A packed file is unpacked only where its header fits the labels.
    refused(&with(IMAGES, &gzip(&promise)), LABELS, &["holds 30 labels", "4294967295 images"]);
    let promise = idx(8, &[30, SIDE, SIDE], &[0; 20]);
    refused(&with(IMAGES, &gzip(&promise)), IMAGES, &["truncated", "holds 20"]);
    // Many zeros, packed: they are not unpacked past what the header promises.
    let mut bomb = gzip(&images(30));
    bomb.extend(gzip(&vec![0; 1 << 26]));
    refused(&with(IMAGES, &bomb), IMAGES, &["trailing bytes"]);
}

#[test]
fn missing_files_and_folders() {
    let set = Set::new(30, 5);
    fs::remove_file(set.path().join(LABELS)).unwrap();
    fs::remove_file(set.path().join("t10k-images-idx3-ubyte")).unwrap();
    let folder = set.path().to_str().unwrap().to_owned();
    let lacks = ["lacks", "train-labels-idx1-ubyte[.gz]", "t10k-images.idx3-ubyte[.gz]"];
    refused(&set, &folder, &lacks);

    let desk = Desk::new();
    let ran = desk.run(&["load", "--source", "absent", "--to", "gs://demo/fm"]).expect(3);
    assert_eq!(ran.error(), "absent: does not exist");
}

/// Settings that cannot work: exit code 2, and not even the output folder is made.
#[test]
fn settings_that_cannot_work() {
    let set = Set::new(30, 5);
    let source = set.path().to_str().unwrap();
    let rows: [(&[&str], &[&str]); 22] = [
        (&["--to", "gs://Bad_Bucket/fm"], &["--to", "lower-case"]),
        (&["--to", "gs://demo/a//b"], &["--to", "empty part"]),
        (&["--to", "gs://demo/x\ny"], &["--to", "character '\\n'"]),
        (&["--to", "s3://demo/fm"], &["--to", "gs://bucket/prefix"]),
        (
            &["--to", "gs://demo/fm", "--name", "image_{idx}.jpg"],
            &["--name", "unknown token {idx}"],
        ),
        (&["--to", "gs://demo/fm", "--name", "image.jpg"], &["--name", "one name", "no {index}"]),
        (&["--to", "gs://demo/fm", "--name", "{label}{index}"], &["--name", "one name"]),
        (&["--to", "gs://demo/fm", "--name", "../{index}"], &["--name", ".."]),
        (&["--to", "gs://demo/fm", "--quality", "0"], &["--quality \"0\"", "from 1 to 100"]),
        (&["--to", "gs://demo/fm", "--quality", "101"], &["--quality \"101\"", "from 1 to 100"]),
        (&["--to", "gs://demo/fm", "--concurrency", "0"], &["--concurrency", "auto"]),
        (&["--to", "gs://demo/fm", "--concurrency", "-1"], &["--concurrency", "auto"]),
        (&["--to", "gs://demo/fm", "--validation", "x"], &["--validation", "whole number"]),
        (&["--to", "gs://demo/fm", "--limit", "0"], &["--limit", "from 1"]),
        (&["--to", "gs://demo/fm", "--sample", "0"], &["--sample", "from 1"]),
        (
            &["--to", "gs://demo/fm", "--sample", "5", "--limit", "5"],
            &["--sample \"5\"", "left out where source.limit is set"],
        ),
        (&["--to", "gs://demo/fm", "--seed", "4294967296"], &["--seed", "4294967295"]),
        (&["--to", "d", "--name", LONG], &["--name", "can take 265 bytes; files allow 255"]),
        (&["--to", "gs://demo/fm", "--endpoint", "http://me:pw@h"], &["--endpoint \"http://…@h\""]),
        (&["--to", "d", "--out", "d/out"], &["--out", "outside of the destination"]),
        (&[], &["no destination: give --to"]),
        (&["--to", "gs://demo/fm", "--config", "absent.toml"], &["absent.toml: cannot be read"]),
    ];
    for_each_row(rows, |(args, words)| {
        let desk = Desk::new();
        let ran = desk.run(&[&["load", "--source", source][..], args].concat()).expect(2);
        for word in words {
            assert!(ran.error().contains(word), "{word:?} in {:?}", ran.error());
        }
        assert_eq!(desk.files(), Vec::<String>::new());
    });
}

#[test]
fn a_split_that_leaves_nothing_to_train_on() {
    let (desk, set) = (Desk::new(), Set::new(30, 5));
    let source = set.path().to_str().unwrap();
    for validation in ["30", "31", "10000"] {
        let args = ["load", "--source", source, "--to", "gs://demo/fm", "--validation", validation];
        let ran = desk.run(&args).expect(2);
        assert_eq!(
            ran.stderr,
            format!(
                "error: {validation} images cannot be held out of a training part of 30: at most \
                 29; --validation says how many\n"
            )
        );
        assert_eq!(desk.summary()["exit_code"], 2);
    }
}

#[test]
fn an_output_folder_that_cannot_be_written() {
    let (desk, set, server) = (Desk::new(), Set::new(30, 5), Server::new());
    fs::write(desk.path("file"), "").unwrap();
    let ran = desk.load(&set, &server, &["--out", "file/out"]).expect(2);
    assert!(ran.error().starts_with("file/out: cannot be written"), "{ran:?}");
    fs::create_dir_all(desk.path("out/vertex.csv")).unwrap();
    let ran = desk.load(&set, &server, &[]).expect(2);
    assert!(ran.error().starts_with("out/vertex.csv: cannot be written"), "{ran:?}");
    assert_eq!(server.emulator().counters().requests, 0);
}

/// What a header promises is not allocated before it is there. The system grants a gigabyte, which the
/// program's threads take some of.
#[cfg(target_os = "linux")]
#[test]
fn a_promise_of_terabytes_costs_nothing() {
    let rows = [
        (IMAGES, idx(8, &[u32::MAX, SIDE, SIDE], &[0; 20])),
        (IMAGES, idx(8, &[30, 65_535, 65_535], &[0; 20])),
        (LABELS, idx(8, &[u32::MAX], &[0; 20])),
        (LABELS, gzip(&idx(8, &[u32::MAX], &[0; 20]))),
        (IMAGES, gzip(&idx(8, &[u32::MAX, SIDE, SIDE], &[0; 20]))),
        (IMAGES, gzip(&idx(8, &[30, 65_535, 65_535], &[0; 20]))),
    ];
    for_each_row(rows, |(file, bytes)| {
        let (desk, set) = (Desk::new(), with(file, &bytes));
        let args = ["check", "--source", set.path().to_str().unwrap(), "--validation", "10"];
        let ran: Ran = desk.command_after("ulimit -v 1000000", &args).output().unwrap().into();
        let ran = ran.expect(3);
        assert!(ran.error().contains(file), "{ran:?}");
    });
}
