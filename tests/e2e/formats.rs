//! Formats of data sets that are no arrays, and arrays that are in no file.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use idx2gcs::encode::{Encoding, OutputFormat};
use idx2gcs::sink::folder::Folder;
use idx2gcs::source::Array;
use idx2gcs::{
    DataSet, Load, Output, Partition, Purpose, Silent, SplitSettings, Transfer, ValidationSize,
};
use md5::{Digest, Md5};
use tokio_util::sync::CancellationToken;

use crate::support::mirror::Mirror;
use crate::support::{Desk, Set, gzip, idx, python};

/// Pixels of an image, 32 × 32 × 3 as a picture has them: no two channels are alike.
fn pixels(seed: u8) -> Vec<u8> {
    (0..3072_u32).map(|i| (i * 7 + u32::from(seed) * 31 + i % 3 * 90).to_le_bytes()[0]).collect()
}

/// A record as CIFAR's authors store it: labels, then all red values, all green, all blue.
fn record(labels: &[u8], seed: u8) -> Vec<u8> {
    let pixels = pixels(seed);
    let channel = |at: usize| pixels.iter().copied().skip(at).step_by(3).collect::<Vec<_>>();
    [labels.to_vec(), channel(0), channel(1), channel(2)].concat()
}

/// Image `index` of a small CIFAR-10 has this label.
fn label(index: u8) -> u8 {
    index * 3 % 10
}

/// The files of CIFAR-10: two images a batch, and the names of the classes.
fn cifar10() -> Vec<(String, Vec<u8>)> {
    let batch = |nth: u8| {
        let of = |index: u8| record(&[label(index)], index);
        [of(nth * 2), of(nth * 2 + 1)].concat()
    };
    let mut files: Vec<_> =
        (0..5).map(|nth| (format!("data_batch_{}.bin", nth + 1), batch(nth))).collect();
    // The archive's own order is not that of the names either.
    files.swap(1, 4);
    files.insert(0, ("test_batch.bin".to_owned(), batch(5)));
    let names = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";
    files.push(("batches.meta.txt".to_owned(), names.into()));
    files
}

fn tar_gz(folder: &str, files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("{folder}/{name}"), &**bytes).unwrap();
    }
    gzip(&archive.into_inner().unwrap())
}

/// The pixels of an image file in the folder `d`.
fn picture(desk: &Desk, name: &str) -> Vec<u8> {
    let picture = image::open(desk.path("d").join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    picture.into_rgb8().into_raw()
}

/// Partition and label of each image, in order.
fn rows(desk: &Desk) -> Vec<(String, String)> {
    let text = desk.read("out/vertex.csv");
    let rows = text.lines().map(|row| row.split(',').collect::<Vec<_>>());
    rows.map(|row| (row[0].to_owned(), row[2].to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn cifar_is_downloaded_and_read_in_its_archive() {
    let published = tempfile::tempdir().unwrap();
    let archive = tar_gz("cifar-10-batches-bin", &cifar10());
    fs::write(published.path().join("cifar-10-binary.tar.gz"), &archive).unwrap();
    let mirror = Mirror::of(published.path()).await;
    let desk = Desk::new();
    let entry = |md5: &str, train: u32| {
        let url = &mirror.url;
        format!(
            "[dataset.cifar10]\ntitle = \"small\"\nclasses = [\"x\"]\nvalidation = 2\n\
             mirrors = [\"{url}\"]\nrecords = {{ train = {train}, test = 2 }}\n\
             files = [{{ name = \"cifar-10-binary.tar.gz\", md5 = \"{md5}\" }}]\n"
        )
    };
    let md5 = data_encoding::HEXLOWER.encode(&Md5::digest(&archive));
    let load = ["load", "--config", "c.toml", "--source", "cifar10", "--to", "d"];
    let load = [&load[..], &["--format", "png"]].concat();

    fs::write(desk.path("c.toml"), entry("no sum", 10)).unwrap();
    desk.run(&load).expect(2);
    fs::write(desk.path("c.toml"), entry(&"0".repeat(32), 10)).unwrap();
    let ran = desk.run(&load).expect(3);
    assert!(ran.error().contains(&format!("its MD5 is {md5}, not 000")), "{ran:?}");
    fs::write(desk.path("c.toml"), entry(&md5, 11)).unwrap();
    let ran = desk.run(&load).expect(3);
    assert!(ran.error().contains("cifar10 has 11 train images, but these files hold 10"));

    fs::write(desk.path("c.toml"), entry(&md5, 10)).unwrap();
    mirror.asked();
    desk.run(&load).expect(0);
    assert_eq!(mirror.asked().len(), 0, "it is in the cache");
    let classes =
        ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
    let rows = rows(&desk);
    for index in 0..12_u8 {
        assert_eq!(picture(&desk, &format!("image_{index}.png")), pixels(index));
        let (partition, class) = &rows[usize::from(index)];
        assert_eq!(class, classes[usize::from(label(index))], "named by the archive itself");
        assert_eq!(partition == "test", index >= 10);
    }
    assert_eq!(rows.iter().filter(|(partition, _)| partition == "validation").count(), 2);

    // The same bytes come from the archive by itself, and from the folder that it unpacks to.
    fs::create_dir_all(desk.path("data/cifar-10-batches-bin")).unwrap();
    for (name, bytes) in cifar10() {
        fs::write(desk.path("data/cifar-10-batches-bin").join(name), bytes).unwrap();
    }
    let archive = published.path().join("cifar-10-binary.tar.gz");
    for source in [archive.to_str().unwrap(), "data", "data/cifar-10-batches-bin"] {
        let again = ["load", "--source", source, "--to", "d", "--format", "png"];
        let ran =
            desk.run(&[&again[..], &["--validation", "2", "--seed", "42"]].concat()).expect(0);
        assert_eq!(desk.summary()["already_present"], 12, "{ran:?}");
    }
    let inspected = desk.run(&["inspect", "data"]).expect(0).stdout;
    assert!(inspected.contains("test_batch.bin: 2 u8 records (2 × 32 × 32 × 3)"), "{inspected}");
}

/// Each image has a class and a superclass.
#[test]
fn the_labels_of_cifar100_are_chosen_by_column() {
    let desk = Desk::new();
    fs::create_dir(desk.path("c100")).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(desk.path("c100").join(name), bytes).unwrap();
    write("train.bin", &[record(&[1, 0], 0), record(&[0, 2], 1), record(&[1, 0], 2)].concat());
    write("test.bin", &record(&[0, 1], 3));
    write("fine_label_names.txt", b"apple\nbear\nwolf\n");
    write("coarse_label_names.txt", b"animals\nfruit\n");
    let load = ["load", "--source", "c100", "--to", "d", "--validation", "1"];
    desk.run(&load).expect(0);
    let labels = |desk: &Desk| rows(desk).into_iter().map(|(_, label)| label).collect::<Vec<_>>();
    assert_eq!(labels(&desk), ["apple", "wolf", "apple", "bear"]);
    fs::write(desk.path("c.toml"), "[source]\nlabel_column = 0\n").unwrap();
    let load = [&load[..], &["--config", "c.toml"]].concat();
    desk.run(&load).expect(0);
    assert_eq!(labels(&desk), ["fruit", "animals", "fruit", "animals"]);
    fs::write(desk.path("c.toml"), "[source]\nrange = [0, 1]\n").unwrap();
    let ran = desk.run(&load).expect(3);
    assert!(ran.error().contains("source.range is for arrays"), "{ran:?}");
}

/// Writes Parquet files with `datasets`, and the images in them beside them, by index.
const DATASETS: &str = r#"
import io, pathlib, sys
import datasets, numpy
from PIL import Image

out = pathlib.Path(sys.argv[1])
(out / "set").mkdir()
(out / "images").mkdir()
names = ["T - shirt / top", "Ankle boot", "Bag"]
features = datasets.Features(
    {"image": datasets.Image(), "label": datasets.ClassLabel(names=names), "note": datasets.Value("string")}
)
index = 0
for split, count in [("train", 7), ("validation", 2), ("test", 3)]:
    rows = {"image": [], "label": [], "note": []}
    for _ in range(count):
        numbers = numpy.random.default_rng(index)
        shape = (20 + index, 30) if index % 2 else (20 + index, 30, 3)
        file = io.BytesIO()
        kind = "PNG" if index % 3 else "JPEG"
        Image.fromarray(numbers.integers(0, 255, shape, "uint8")).save(file, kind)
        (out / "images" / f"image_{index}.{'png' if index % 3 else 'jpg'}").write_bytes(file.getvalue())
        rows["image"].append({"bytes": file.getvalue(), "path": None})
        rows["label"].append(index % 3)
        rows["note"].append("of no use here")
        index += 1
    data = datasets.Dataset.from_dict(rows, features=features)
    data.to_parquet(out / "set" / f"{split}-00000-of-00001.parquet", batch_size=4)
"#;

#[test]
#[ignore = "needs Python; scripts/test.sh runs it"]
fn image_files_in_parquet_are_stored_byte_for_byte() {
    let desk = Desk::new();
    let made = Command::new(python())
        .args(["-c", DATASETS])
        .arg(desk.dir.path())
        .env("HF_HOME", desk.path("hf"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    desk.run(&["load", "--source", "set", "--to", "d"]).expect(0);
    let mut names: Vec<_> =
        fs::read_dir(desk.path("images")).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    for name in &names {
        let (was, is) = (desk.path("images").join(name), desk.path("d").join(name));
        assert_eq!(fs::read(is).unwrap(), fs::read(was).unwrap(), "{}", name.display());
    }
    assert_eq!((names.len(), desk.summary()["uploaded"].as_u64()), (12, Some(12)));
    let rows = rows(&desk);
    let classes = ["T_shirt_top", "Ankle_boot", "Bag"];
    let wanted = (0..12_usize).map(|index| {
        let partition =
            ["training", "validation", "test"][usize::from(index > 6) + usize::from(index > 8)];
        (partition.to_owned(), classes[index % 3].to_owned())
    });
    assert_eq!(rows, wanted.collect::<Vec<_>>());
    desk.run(&["verify", "--source", "set", "--to", "d"]).expect(0);
    let page = desk.read("out/report.html");
    assert!(page.contains("of several sizes") && page.contains("PNG"), "{page}");

    // Asked for other pixels or another format, they are decoded.
    desk.run(&["load", "--source", "set", "--to", "e", "--format", "png"]).expect(0);
    let open = |path: &Path| image::open(path).unwrap().into_rgb8();
    let (was, is) = (desk.path("images/image_0.jpg"), desk.path("e/image_0.png"));
    assert_eq!(open(&was), open(&is));
    desk.run(&["load", "--source", "set", "--to", "f", "--size", "20x10"]).expect(0);
    for name in &names {
        let file = fs::read(desk.path("f").join(name)).unwrap();
        let (format, image) =
            (image::guess_format(&file).unwrap(), image::load_from_memory(&file).unwrap());
        assert_eq!(Ok(format), image::ImageFormat::from_path(name).map_err(|e| e.to_string()));
        assert_eq!((image.width(), image.height()), (20, 10), "{}", name.display());
    }
    let same = fs::read(desk.path("e/image_1.png")).unwrap();
    assert_eq!(same, fs::read(desk.path("images/image_1.png")).unwrap(), "PNG stays what it is");
    let inspected = desk.run(&["inspect", "set/test-00000-of-00001.parquet"]).expect(0).stdout;
    assert!(inspected.contains("3 JPEG, PNG records"), "{inspected}");
}

/// Arrays that another program holds, and one that it reads from somewhere.
#[tokio::test(flavor = "multi_thread")]
async fn arrays_in_memory_are_a_data_set() {
    let dir = tempfile::tempdir().unwrap();
    let train: Vec<u8> = (0..5 * 2 * 3).collect();
    let stream = gzip(&idx(8, &[2, 2, 3], &[9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2]));
    let plain = flate2::read::GzDecoder::new(&*stream);
    let held = std::io::Read::bytes(plain).map(Result::unwrap).collect::<Vec<u8>>();
    let test = Array::read("a socket", move || Ok(std::io::Cursor::new(held.clone()))).unwrap();
    let data = DataSet::arrays(
        Array::new(&[5, 2, 3], train.clone()).unwrap(),
        Some(vec![0_u8, 1, 0, 1, 1].into()),
    )
    .part(Partition::Test, test, Some(vec![1_u32, 0].into()))
    .classes(["cat", "dog"])
    .open()
    .await
    .unwrap();
    let split =
        SplitSettings { validation: Some(ValidationSize::Count(1)), ..SplitSettings::default() };
    let encoding = Encoding { format: OutputFormat::Png, ..Encoding::default() };
    let load = Load::of(data).split(split).encode(encoding).name("{class}/{index}.{ext}").unwrap();
    let at = dir.path().join("d");
    let sink = Arc::new(Folder::new("d", at.clone()));
    let (output, stop) = (Output::open(dir.path().join("out")).unwrap(), CancellationToken::new());
    let (transfer, purpose) = (Transfer::default(), Purpose::Write);
    let prepared = load.prepare(sink, output, transfer, purpose, &stop).await.unwrap();
    assert_eq!(prepared.surveyed.frequencies().totals(), [4, 1, 2]);
    let outcome = prepared.run(Arc::new(Silent), &stop).await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    let pixels = |name: &str| image::open(at.join(name)).unwrap().into_luma8().into_raw();
    assert_eq!(pixels("dog/4.png"), train[24..]);
    assert_eq!(pixels("cat/6.png"), [3, 2, 1, 0, 1, 2]);
}

/// Each says what does not fit.
#[test]
fn arrays_that_do_not_fit_are_refused() {
    let images = |n: u32| Array::new(&[n, 1, 1], vec![0; n as usize]).unwrap();
    let error = Array::new(&[2, 3, 3], vec![0; 17]).unwrap_err().to_string();
    assert!(error.ends_with("the shape 2 × 3 × 3 takes 18 bytes, and there are 17"), "{error}");
    assert!(Array::new(&[u32::MAX; 4], Vec::new()).is_err());
    let open = |labels: Vec<u8>| DataSet::arrays(images(2), Some(labels.into()));
    let error = open(vec![1]).open_blocking().unwrap_err().to_string();
    assert!(error.contains("holds 1 labels, but array in memory holds 2 images"), "{error}");
    let error = open(vec![0, 2]).classes(["a", "b"]).open_blocking().unwrap_err().to_string();
    assert!(error.contains("image 1 has the label 2, but the classes are 0 to 1"), "{error}");
    let other = Array::new(&[1, 2, 1], vec![0; 2]).unwrap();
    let two = DataSet::arrays(images(2), None).part(Partition::Test, other, None);
    let error = two.open_blocking().unwrap_err().to_string();
    assert!(error.contains("its images are 2 × 1"), "{error}");
    let gone = Array::read("gone", || Err::<std::io::Empty, _>(std::io::Error::other("no")));
    assert!(gone.unwrap_err().to_string().contains("gone: cannot be read: no"));
    let lost = DataSet::named("nothing").open_blocking().unwrap_err().to_string();
    assert!(lost.contains("no data set is named \"nothing\""), "{lost}");
    let lost = DataSet::named("cifar10").open_blocking().unwrap_err().to_string();
    assert!(lost.contains("cifar10 is not on this machine"), "{lost}");
}

/// The size is part of what is compared with existing objects, and of what the page says.
#[test]
fn images_are_stored_at_the_size_that_is_asked_for() {
    let (desk, set) = (Desk::new(), Set::new(20, 5));
    let run = |command: &str, more: &[&str]| {
        let source = set.path().to_str().unwrap();
        desk.run(&[&[command, "--source", source, "--to", "d"], more].concat())
    };
    let sized = ["--size", "40x30", "--filter", "nearest", "--fit", "pad", "--format", "png"];
    run("load", &sized).expect(0);
    let image = image::open(desk.path("d/image_3.png")).unwrap().into_luma8();
    assert_eq!(image.dimensions(), (40, 30));
    // 28 × 28 pixels become 30 × 30, and five black columns are on both sides.
    let columns = |image: &image::GrayImage, x: u32| {
        (0..30).map(|y| image.get_pixel(x, y).0[0]).collect::<Vec<u8>>()
    };
    assert!([0, 4, 35, 39].iter().all(|&x| columns(&image, x) == [0; 30]));
    assert!([5, 34].iter().all(|&x| columns(&image, x) != [0; 30]));
    let report: serde_json::Value = serde_json::from_str(&desk.read("out/report.json")).unwrap();
    let figures = &report["figures"];
    assert_eq!((&figures["rows"], &figures["cols"]), (&30.into(), &40.into()), "{figures}");

    run("verify", &sized).expect(0);
    run("load", &sized).expect(0);
    assert_eq!(desk.summary()["already_present"], 25);
    run("verify", &["--format", "png"]).expect(1);
    run("load", &["--format", "png", "--size", "30"]).expect(4);
    let ran = run("load", &["--size", "0x10"]).expect(2);
    assert!(ran.error().contains("--size \"0x10\": must be a width and a height"), "{ran:?}");
}
