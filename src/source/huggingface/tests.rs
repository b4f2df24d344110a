//! Files as `datasets` writes them, made here column by column.

use std::fs;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use parquet::data_type::{Int32Type, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::*;

const SCHEMA: &str = "message schema {
    optional group image { optional binary bytes; optional binary path (UTF8); }
    optional int64 label;
    optional int32 coarse;
}";

const FEATURES: &str = r#"{"info": {"features": {
    "image": {"_type": "Image"},
    "label": {"names": ["cat", "dog"], "_type": "ClassLabel"},
    "coarse": {"names": ["animal"], "_type": "ClassLabel"}
}}}"#;

fn png(rows: u32, seed: u8) -> Vec<u8> {
    let mut file = Vec::new();
    let pixels = vec![seed; rows as usize * 2];
    PngEncoder::new(&mut file).write_image(&pixels, 2, rows, ExtendedColorType::L8).unwrap();
    file
}

/// The bytes of an image file, or null, and a label.
type Row<'a> = (Option<&'a [u8]>, i64);

/// Writes a file of row groups, each of images (`None` is null) and labels.
fn write(path: &Path, features: Option<&str>, groups: &[&[Row<'_>]]) {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let described =
        features.map(|text| vec![KeyValue::new("huggingface".to_owned(), text.to_owned())]);
    let properties = WriterProperties::builder().set_key_value_metadata(described).build();
    let file = File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    for rows in groups {
        let mut group = writer.next_row_group().unwrap();
        let files: Vec<ByteArray> =
            rows.iter().filter_map(|(file, _)| *file).map(|file| file.to_vec().into()).collect();
        let levels: Vec<i16> = rows.iter().map(|(file, _)| i16::from(file.is_some()) + 1).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&files, Some(&levels), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let nulls = vec![1; rows.len()];
        column.typed::<ByteArrayType>().write_batch(&[], Some(&nulls), None).unwrap();
        column.close().unwrap();
        let all = vec![1; rows.len()];
        let labels: Vec<i64> = rows.iter().map(|(_, label)| *label).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&labels, Some(&all), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int32Type>().write_batch(&vec![0; rows.len()], Some(&all), None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.close().unwrap();
}

fn opened(path: &Path, column: Option<u32>) -> Result<Option<Arc<dyn Source>>, SourceError> {
    let options = ReadOptions { label_column: column, ..ReadOptions::default() };
    open(&Candidate::of(path).unwrap(), &options)
}

fn says(path: &Path) -> String {
    opened(path, None).unwrap_err().to_string()
}

#[test]
fn row_groups_and_files_are_read_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (a, b, c) = (png(1, 1), png(1, 2), png(3, 3));
    let many: Vec<_> = (0..150).map(|i| (Some(&*a), i % 2)).collect();
    write(&at("train-00001-of-00002.parquet"), Some(FEATURES), &[&[(Some(&b), 1)]]);
    write(&at("train-00000-of-00002.parquet"), Some(FEATURES), &[&many, &[(Some(&b), 0)]]);
    assert_eq!(opened(dir.path(), None).unwrap().unwrap().size().unwrap().rows, 1);
    fs::create_dir(at("test")).unwrap();
    write(&at("test/0000.parquet"), Some(FEATURES), &[&[(Some(&c), 1)]]);
    let source = opened(dir.path(), None).unwrap().unwrap();
    let parts: Vec<_> = source.parts().iter().map(|p| (p.partition, p.images)).collect();
    assert_eq!(parts, [(Partition::Train, 151), (Partition::Train, 1), (Partition::Test, 1)]);
    assert_eq!(source.class_names().unwrap(), ["cat", "dog"]);
    assert_eq!(source.size(), None, "of two sizes");
    assert_eq!(source.largest_image(), a.len().max(c.len()) as u64);
    let labels = [0, 149, 150, 151, 152].map(|index| source.labels().get(index).unwrap());
    assert_eq!(labels, [0, 1, 0, 1, 1]);
    let images: Vec<_> = source.images().map(Result::unwrap).collect();
    assert_eq!(images.len(), 153);
    assert_eq!(images[149].bytes(), a);
    assert!(images[150].bytes() == b && images[151].bytes() == b && images[152].bytes() == c);
    assert_eq!(source.format(152), Some(ImageFormat::Png));

    let coarse = opened(dir.path(), Some(1)).unwrap().unwrap();
    assert_eq!(coarse.class_names().unwrap(), ["animal"]);
    assert_eq!(coarse.labels().get(151), Some(0));
    let wrong = opened(dir.path(), Some(2)).unwrap_err().to_string();
    assert!(
        wrong.ends_with("source.label_column = 2, but its labels are: label, coarse"),
        "{wrong}"
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let image = png(1, 1);
    let path = at("a.parquet");
    write(&path, None, &[&[(Some(&image), 0)], &[(Some(&image), 1), (None, 1)]]);
    assert!(says(&path).ends_with("record 2 has no value in the column image.bytes"));
    let error = opened(&path, None).unwrap_err();
    assert!(matches!(error, SourceError::Unfit { record: Some(2), .. }), "{error:?}");
    write(&path, None, &[&[(Some(b"GIF89a"), 0)]]);
    assert!(says(&path).ends_with("record 0 is neither JPEG nor PNG: it begins with 47 49 46 38"));
    write(&path, None, &[&[(Some(&image[..20]), 0)]]);
    assert!(says(&path).contains("record 0 has a PNG header that cannot be read"));
    write(&path, None, &[&[(Some(&image), 0)], &[(Some(&image), -1)]]);
    assert!(says(&path).ends_with("record 1 has the label -1; labels are whole numbers from 0"));
    let two = FEATURES.replace("label", "other").replace("coarse", "label");
    let none = two.replace("Image", "Value");
    write(&path, Some(&none), &[&[(Some(&image), 0)]]);
    assert!(says(&path).contains("has no column of images"));
    let unnamed = FEATURES.replace(r#""dog""#, "7");
    write(&path, Some(&unnamed), &[&[(Some(&image), 0)]]);
    assert!(says(&path).ends_with("its class 1 has the name 7, which is no text"));
    write(&path, Some(FEATURES), &[&[(Some(&image), 0)]]);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    assert!(says(&path).contains("cannot be read"));

    write(&path, Some(FEATURES), &[&[(Some(&image), 0)]]);
    let one = opened(dir.path(), None).unwrap().unwrap();
    assert_eq!(one.parts()[0].partition, Partition::Train, "a file alone is to train on");
    write(&at("test.parquet"), Some(FEATURES), &[&[(Some(&image), 0)]]);
    assert!(says(dir.path()).contains("a.parquet: its name says no partition"));
    fs::rename(&path, at("train.parquet")).unwrap();
    assert!(opened(dir.path(), None).unwrap().is_some());
    write(&at("test.parquet"), None, &[&[(Some(&image), 0)]]);
    assert!(says(dir.path()).contains("its classes are not those of the file before it"));
    let range = ReadOptions {
        range: Some(crate::source::Range { black: 0.0, white: 1.0 }),
        ..ReadOptions::default()
    };
    assert!(open(&Candidate::of(&at("train.parquet")).unwrap(), &range).is_err());
}
