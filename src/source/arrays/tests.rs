//! Arrays that are no images or labels as they stand, and what is said of them.

use super::*;

fn array(shape: &[u32], values: &[u8]) -> Array {
    Array::new(shape, values.to_vec()).unwrap()
}

fn open(images: Array, labels: Array, options: &ReadOptions) -> Result<Labels, SourceError> {
    let part = ArrayPart { partition: Partition::Train, images, labels: Some(labels) };
    Arrays::new(vec![part], options).map(|arrays| arrays.labels().as_ref().clone())
}

#[test]
fn one_hot_labels_are_recognised_and_read_where_it_is_said() {
    let images = || array(&[3, 1, 1], &[0, 1, 2]);
    let hot = || array(&[3, 3], &[0, 0, 1, 1, 0, 0, 0, 1, 0]);
    let says =
        |labels, options: &ReadOptions| open(images(), labels, options).unwrap_err().to_string();
    let number = ReadOptions::default();
    let told = says(hot(), &number);
    assert!(
        told.ends_with("looks one-hot (3 × 3): source.label_encoding = \"one-hot\" reads it"),
        "{told}"
    );
    let one_hot = ReadOptions { label_encoding: LabelEncoding::OneHot, ..ReadOptions::default() };
    assert_eq!(open(images(), hot(), &one_hot).unwrap(), Labels::Narrow(vec![2, 0, 1]));
    let several = || array(&[3, 3], &[0, 0, 1, 1, 0, 1, 0, 1, 0]);
    assert!(says(several(), &number).ends_with("from 0: source.label_column"));
    assert!(
        says(several(), &one_hot)
            .ends_with("record 1 is not one-hot: one value is 1 and all others are 0")
    );
    // Two columns of 0 and 1 may be two questions with two answers.
    let two = array(&[3, 2], &[0, 1, 1, 0, 1, 0]);
    assert!(says(two, &number).ends_with("from 0: source.label_column"));
    let column = ReadOptions { label_column: Some(1), ..ReadOptions::default() };
    assert_eq!(open(images(), hot(), &column).unwrap(), Labels::Narrow(vec![0, 0, 1]));
}

#[test]
fn dimensions_that_are_no_images_come_with_what_makes_them_such() {
    for (shape, says) in [
        (&[2, 784][..], "becomes 28 × 28 pixels by reshape(-1, 28, 28)"),
        (&[2, 3072], "in colour becomes one by reshape(-1, 32, 32, 3)"),
        (&[2, 785], "becomes one by reshape(-1, rows, columns)"),
        (&[2, 3, 5, 7], "channels come last: transpose(0, 2, 3, 1) puts them there"),
        (&[2, 1, 5, 7], "transpose(0, 2, 3, 1)"),
        (&[2, 5, 7, 4], "without transparency they have 3: array[..., :3]"),
        (&[2, 5, 7, 2], "one of the two is array[..., 0]"),
        (&[2, 5, 7, 9], "the slices of volumes become images by reshape(-1, rows, columns)"),
        (&[2, 5, 7, 9, 1], "the slices of volumes"),
        (&[2, 5, 7, 9, 11], "or 4 with 1 or 3 channels"),
    ] {
        let values = vec![0; shape.iter().product::<u32>() as usize];
        let error = size_of(&array(shape, &values), &ReadOptions::default()).unwrap_err();
        assert!(error.to_string().contains(says), "{shape:?}: {error}");
    }
}
