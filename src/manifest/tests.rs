use super::*;

fn classes() -> Arc<Classes> {
    let names = ["T-shirt/top", "a \"b\",\nc"].map(str::to_owned);
    Arc::new(Classes::new(names.into(), 0).unwrap())
}

/// Three images: one of each partition, one of a name that CSV must quote, one of a class without a
/// name.
fn rows() -> [Row; 3] {
    let row = |index, name: &str, partition, label| Row {
        index,
        name: name.to_owned(),
        url: format!("gs://b/{name}"),
        partition,
        label: Some(label),
        content: Some(Content { crc32c: 0xe306_9283, size: 600 + index }),
    };
    [
        row(0, "train/0.jpg", Partition::Train, 0),
        row(1, "validation/a,é.jpg", Partition::Validation, 1),
        row(2, "test/2.jpg", Partition::Test, 7),
    ]
}

fn written(format: ManifestFormat, only: Option<Partition>, rows: &[Row]) -> (Vec<u8>, u64) {
    let mut writer = RowWriter::new(Vec::new(), Manifest { format, only }, classes()).unwrap();
    for row in rows {
        writer.write(row).unwrap();
    }
    writer.finish().unwrap()
}

fn text(format: ManifestFormat, rows: &[Row]) -> String {
    String::from_utf8(written(format, None, rows).0).unwrap()
}

const HEADER: &str = "index,url,partition,label,class,crc32c,size\n";

#[test]
fn rows_are_as_each_reader_takes_them() {
    for (format, expected) in [
        (
            ManifestFormat::Automl,
            "TRAIN,gs://b/train/0.jpg,0\n\
             VALIDATION,\"gs://b/validation/a,é.jpg\",1\n\
             TEST,gs://b/test/2.jpg,7\n"
                .to_owned(),
        ),
        (
            ManifestFormat::Vertex,
            "training,gs://b/train/0.jpg,T_shirt_top\n\
             validation,\"gs://b/validation/a,é.jpg\",a_b_c\n\
             test,gs://b/test/2.jpg,class_7\n"
                .to_owned(),
        ),
        (
            ManifestFormat::VertexJsonl,
            [
                r#"{"imageGcsUri":"gs://b/train/0.jpg","classificationAnnotation":{"displayName":"T_shirt_top"},"dataItemResourceLabels":{"aiplatform.googleapis.com/ml_use":"training"}}"#,
                r#"{"imageGcsUri":"gs://b/validation/a,é.jpg","classificationAnnotation":{"displayName":"a_b_c"},"dataItemResourceLabels":{"aiplatform.googleapis.com/ml_use":"validation"}}"#,
                r#"{"imageGcsUri":"gs://b/test/2.jpg","classificationAnnotation":{"displayName":"class_7"},"dataItemResourceLabels":{"aiplatform.googleapis.com/ml_use":"test"}}"#,
                "",
            ]
            .join("\n"),
        ),
        (
            ManifestFormat::HuggingFace,
            [
                r#"{"file_name":"train/0.jpg","label":0,"class":"T-shirt/top","partition":"train"}"#,
                r#"{"file_name":"validation/a,é.jpg","label":1,"class":"a \"b\",\nc","partition":"validation"}"#,
                r#"{"file_name":"test/2.jpg","label":7,"partition":"test"}"#,
                "",
            ]
            .join("\n"),
        ),
        (
            ManifestFormat::Csv,
            format!(
                "{HEADER}0,gs://b/train/0.jpg,train,0,T-shirt/top,4waSgw==,600\n\
                 1,\"gs://b/validation/a,é.jpg\",validation,1,\"a \"\"b\"\",\nc\",4waSgw==,601\n\
                 2,gs://b/test/2.jpg,test,7,,4waSgw==,602\n"
            ),
        ),
    ] {
        assert_eq!(text(format, &rows()), expected);
    }
}

#[test]
fn images_without_labels_have_rows_without_them() {
    let row = Row { label: None, ..rows()[0].clone() };
    for (format, expected) in [
        (ManifestFormat::Automl, "TRAIN,gs://b/train/0.jpg\n".to_owned()),
        (ManifestFormat::Vertex, "training,gs://b/train/0.jpg\n".to_owned()),
        (
            ManifestFormat::VertexJsonl,
            concat!(
                r#"{"imageGcsUri":"gs://b/train/0.jpg","#,
                r#""dataItemResourceLabels":{"aiplatform.googleapis.com/ml_use":"training"}}"#,
                "\n"
            )
            .to_owned(),
        ),
        (
            ManifestFormat::HuggingFace,
            "{\"file_name\":\"train/0.jpg\",\"partition\":\"train\"}\n".to_owned(),
        ),
        (ManifestFormat::Csv, format!("{HEADER}0,gs://b/train/0.jpg,train,,,4waSgw==,600\n")),
    ] {
        assert_eq!(text(format, std::slice::from_ref(&row)), expected);
    }
}

#[test]
fn a_manifest_without_rows_still_has_its_header() {
    assert_eq!(text(ManifestFormat::Csv, &[]), HEADER);
    assert_eq!(text(ManifestFormat::Automl, &[]), "");
}

/// As `imagefolder` wants it: beside the images of a split, and relative to that place.
#[test]
fn hugging_face_has_a_file_in_each_folder_of_a_partition() {
    let formats = [ManifestFormat::Csv, ManifestFormat::HuggingFace];
    let names = |template: &str| {
        let template = Template::parse(template, "").unwrap();
        let all = Manifest::all(&formats, &template).unwrap();
        all.iter().map(|it| (it.object_name(), it.local_name())).collect::<Vec<_>>()
    };
    let pair = |object: &str, local: &str| (object.to_owned(), local.to_owned());
    let csv = pair("images.csv", "images.csv");
    let metadata = pair("metadata.jsonl", "metadata.jsonl");
    assert_eq!(names("image_{index}.jpg"), [csv.clone(), metadata]);
    let by_partition = [
        csv,
        pair("train/metadata.jsonl", "train-metadata.jsonl"),
        pair("validation/metadata.jsonl", "validation-metadata.jsonl"),
        pair("test/metadata.jsonl", "test-metadata.jsonl"),
    ];
    assert_eq!(names("{partition}/{class}/{index}.jpg"), by_partition);

    let (bytes, rows) = written(ManifestFormat::HuggingFace, Some(Partition::Test), &rows());
    let line = "{\"file_name\":\"2.jpg\",\"label\":7,\"partition\":\"test\"}\n";
    assert_eq!((String::from_utf8(bytes).unwrap().as_str(), rows), (line, 1));
}

#[test]
fn a_format_that_tells_the_content_cannot_do_without() {
    let row = Row { content: None, ..rows()[0].clone() };
    for format in ManifestFormat::built() {
        let manifest = Manifest { format, only: None };
        let mut writer = RowWriter::new(Vec::new(), manifest, classes()).unwrap();
        assert_eq!(writer.write(&row).is_err(), format.lists_content(), "{format:?}");
    }
}

#[cfg(feature = "parquet")]
mod as_parquet {
    use ::parquet::file::metadata::RowGroupMetaData;
    use ::parquet::file::reader::{FileReader, SerializedFileReader};
    use ::parquet::record::Field;
    use bytes::Bytes;

    use super::*;

    fn many(count: u32) -> Vec<Row> {
        let [row, ..] = rows();
        let labelled = |index: u32| (!index.is_multiple_of(3)).then_some(index % 4);
        let row = |index| Row { index, label: labelled(index), ..row.clone() };
        (0..count).map(row).collect()
    }

    #[test]
    fn parquet_holds_typed_columns_in_groups_of_bounded_size() {
        let rows = many(40_000);
        let (bytes, count) = written(ManifestFormat::Parquet, None, &rows);
        assert_eq!(count, 40_000);
        let file = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
        let groups = file.metadata().row_groups();
        let sizes: Vec<i64> = groups.iter().map(RowGroupMetaData::num_rows).collect();
        assert_eq!(sizes, [16_384, 16_384, 7_232]);
        let mut read = 0;
        for (row, wanted) in file.get_row_iter(None).unwrap().zip(&rows) {
            let row = row.unwrap();
            let optional = |value: Option<Field>| value.unwrap_or(Field::Null);
            let text = |text: &str| Field::Str(text.to_owned());
            let expected = [
                ("index", Field::UInt(wanted.index)),
                ("url", text(&wanted.url)),
                ("partition", text("train")),
                ("label", optional(wanted.label.map(Field::UInt))),
                ("class", optional(wanted.class(&classes()).map(text))),
                ("crc32c", text("4waSgw==")),
                ("size", Field::Long(600)),
            ];
            let got: Vec<_> = row.get_column_iter().map(|(name, v)| (&**name, v.clone())).collect();
            assert_eq!(got, expected);
            read += 1;
        }
        assert_eq!(read, 40_000);
    }

    #[test]
    fn the_same_rows_make_the_same_bytes() {
        let rows = many(20_000);
        let once = written(ManifestFormat::Parquet, None, &rows);
        assert_eq!(written(ManifestFormat::Parquet, None, &rows), once);
        assert_ne!(written(ManifestFormat::Parquet, None, &many(19_999)), once);
    }

    #[test]
    fn a_failing_writer_is_told_as_it_says() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let manifest = Manifest { format: ManifestFormat::Parquet, only: None };
        let written = RowWriter::new(Full, manifest, classes()).and_then(|mut writer| {
            writer.write(&rows()[0])?;
            writer.finish()
        });
        assert_eq!(written.err().unwrap().kind(), io::ErrorKind::StorageFull);
    }
}
