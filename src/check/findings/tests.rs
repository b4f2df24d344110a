//! What is found in which data, and in which words.

use std::sync::Arc;

use super::*;
use crate::classes::Classes;
use crate::model::{ImageFormat, Partition};
use crate::sink::About;

/// What findings are drawn from: images, each a label, a partition and a hash; and the options.
struct Case<'a> {
    names: &'a [&'a str],
    images: Vec<(Option<u32>, Partition, u64)>,
    duplicates: Duplicates,
    in_all: [u32; 3],
    template: &'a str,
    names_are_files: bool,
    flat: &'a [u32],
    values: Option<(u8, u8)>,
}

impl Case<'_> {
    /// Ten images of each of two classes in each partition, all different.
    fn sound() -> Self {
        let image = |n: u32| (Some(n % 2), Partition::ALL[n as usize / 2 % 3], n.into());
        Self {
            names: &["Coat", "Bag"],
            images: (0..60).map(image).collect(),
            duplicates: Duplicates::Error,
            in_all: [20; 3],
            template: "{index}",
            names_are_files: true,
            flat: &[],
            values: Some((0, 255)),
        }
    }

    fn find(&self) -> Vec<Finding> {
        let names = self.names.iter().map(|&name| name.to_owned()).collect();
        let classes = Arc::new(Classes::new(names, 0).unwrap());
        let item = |index: u32| {
            let (label, partition, hash) = self.images[index as usize];
            Item { index, label, partition, format: ImageFormat::Jpeg, hash }
        };
        let indices = 0..u32::try_from(self.images.len()).unwrap();
        let hashes: Vec<u64> = self.images.iter().map(|(_, _, hash)| *hash).collect();
        let input = CheckInput {
            frequencies: &Frequencies::count(&classes, indices.clone().map(item)),
            selection: &Selection::First(indices.end),
            in_all: self.in_all,
            hashes: &hashes,
            flat: self.flat,
            values: self.values,
            template: &Template::parse(self.template, "").unwrap(),
            names_are_files: self.names_are_files,
            duplicates: self.duplicates,
        };
        findings(&input, item)
    }

    /// The findings as lines: severity, code, text.
    fn lines(&self) -> Vec<String> {
        let line = |f: Finding| format!("{} {}: {f}", f.severity, f.code);
        self.find().into_iter().map(line).collect()
    }
}

#[test]
fn nothing_is_wrong_with_a_sound_set() {
    assert_eq!(Case::sound().find(), []);
    assert_eq!(errors(&[]), []);
}

#[test]
fn duplicates_are_told_apart_by_what_they_contradict() {
    let mut case = Case::sound();
    let images = &mut case.images;
    images[2].2 = 0; // train against validation
    images[7].2 = 6; // another label
    images[14].2 = 8; // the same label, and below the same partition
    images[14].1 = images[8].1;
    assert_eq!(
        case.lines(),
        [
            "error duplicate-labels: 1 group of identical images has different labels (6 = 7); \
             remove them, or use --duplicates warn to load them anyway",
            "error duplicate-partitions: 1 group of identical images is in different partitions \
             (0 = 2); remove them, or use --duplicates warn to load them anyway",
            "warning duplicate-images: 1 group of images is identical (8 = 14); an import merges \
             each into one",
        ]
    );
    let errors_of = |case: &Case<'_>| -> Vec<_> {
        errors(&case.find()).into_iter().map(|finding| finding.code).collect()
    };
    assert_eq!(errors_of(&case), ["duplicate-labels", "duplicate-partitions"]);

    case.duplicates = Duplicates::Warn;
    assert!(errors_of(&case).is_empty());
    assert_eq!(case.find().len(), 3);
    case.template = "{hash}";
    let names = "error duplicate-names: 3 groups of identical images would get one name each \
                 (0 = 2, 6 = 7, 8 = 14); add {index} to the name template";
    assert_eq!(case.lines()[0], names);
    case.duplicates = Duplicates::Off;
    assert_eq!(case.lines(), [names]);
    case.template = "{index}";
    assert_eq!(case.find(), []);
}

#[test]
fn of_many_duplicates_the_first_are_named() {
    let mut case = Case::sound();
    // Seven images alike, and six pairs.
    case.images[..14].iter_mut().step_by(2).for_each(|image| image.2 = 0);
    for pair in 0..6 {
        case.images[20 + 6 * pair].2 = 100 + pair as u64;
        case.images[21 + 6 * pair].2 = 100 + pair as u64;
    }
    let lines = case.lines();
    assert_eq!(
        lines[0],
        "error duplicate-labels: 6 groups of identical images have different labels (20 = 21, \
         26 = 27, 32 = 33, 38 = 39, 44 = 45, …); remove them, or use --duplicates warn to load \
         them anyway"
    );
    assert!(lines[1].contains("(0 = 2 = 4 = 6 = 8 = …);"), "{}", lines[1]);
    case.images[10].2 = 5000;
    case.images[12].2 = 5001;
    assert!(case.lines()[1].contains("(0 = 2 = 4 = 6 = 8);"), "all five of a group");
}

#[test]
fn images_are_identical_if_the_whole_hash_is_the_same() {
    let mut case = Case::sound();
    (case.images[6].2, case.images[7].2) = ((1 << 32) + 500, (2 << 32) + 500);
    assert_eq!(case.find(), []);
    (case.images[6].2, case.images[12].2) = (1 << 40, 1 << 40);
    assert_eq!(case.find().len(), 1);
}

#[test]
fn images_without_a_label_are_no_contradiction() {
    let mut case = Case::sound();
    case.images.iter_mut().for_each(|image| image.0 = None);
    (case.images[6].2, case.images[7].2) = (7, 7);
    assert_eq!(case.find()[0].code, "duplicate-images");
    assert_eq!(case.lines()[1], "note unlabelled-images: 60 images have no label");
    case.images.truncate(1);
    assert_eq!(case.find().last().unwrap().to_string(), "1 image has no label");
}

#[test]
fn classes_are_looked_at() {
    let mut case = Case::sound();
    case.names = &["T-shirt/top", "Bag", "Coat", "Hat", "Shoe"];
    case.images.extend((0..1001).map(|n| (Some(2), Partition::Train, 100 + n)));
    case.images.push((Some(3), Partition::Test, 5000));
    case.images.retain(|(_, part, _)| *part != Partition::Validation);
    case.in_all = [2, 0, 2];
    assert_eq!(
        case.lines(),
        [
            "warning empty-classes: 1 class has no images (Shoe)",
            "warning few-images: 1 class has fewer than 10 images (Hat: 1); Vertex AI refuses to \
             train on them: add images or leave the classes out",
            "warning imbalance: the largest class has more than 100 times as many images as the \
             smallest (Hat: 1, Coat: 1001); Vertex AI advises against it: add images of the rare one",
            "warning empty-partitions: 1 partition has no images (validation); a service that wants \
             all three may refuse the import",
            "warning missing-classes: 2 classes have no images in a partition that others are in \
             (Coat: test, Hat: train); split.method = \"stratified\" gives each class its share of \
             training and validation",
            "note cleaned-labels: 1 class has another label in import files (T-shirt/top → \
             T_shirt_top); labels have only letters, digits and _ there",
        ]
    );
}

#[test]
fn what_vertex_ai_wants_is_counted_exactly() {
    // Of each class so many images, in one partition.
    let codes = |counts: [u32; 2]| {
        let of = |(label, count): (u32, u32)| {
            (0..count).map(move |_| (Some(label), Partition::Train, 0))
        };
        let images = (0..).zip(counts).flat_map(of);
        let images = images.enumerate().map(|(n, (label, part, _))| (label, part, n as u64));
        let case = Case { images: images.collect(), ..Case::sound() };
        let codes = case.find().into_iter().map(|finding| finding.code);
        codes.filter(|code| ["few-images", "imbalance"].contains(&&**code)).collect::<Vec<_>>()
    };
    assert_eq!(codes([10, 1000]), [""; 0]);
    assert_eq!(codes([10, 1001]), ["imbalance"]);
    assert_eq!(codes([9, 900]), ["few-images"]);
    assert_eq!(codes([0, 10]), [""; 0], "a class without images is another finding");
}

#[test]
fn pixels_that_are_no_pictures_are_found() {
    let mut case = Case { flat: &[3], values: Some((0, 1)), ..Case::sound() };
    assert_eq!(
        case.lines(),
        [
            "warning flat-images: 1 image has one value in all its pixels (3); check whether the \
             source is damaged",
            "warning black-images: no pixel is brighter than 1 of 255: all images look black; if 1 \
             is white in the source, set source.range = [0, 1]",
        ]
    );
    (case.flat, case.values) = (&[0, 1, 2, 3, 4, 5], Some((0, 200)));
    let line = "warning flat-images: 6 images have one value in all their pixels (0, 1, 2, 3, 4, …); \
                check whether the source is damaged";
    assert_eq!(case.lines(), [line]);
    for (values, says, range) in [
        ((3, 30), "black-images: no pixel is brighter than 30 of 255", "[0, 30]"),
        ((31, 62), "black-images: no pixel is brighter than 62 of 255", "[0, 62]"),
        ((32, 63), "low-contrast: all pixels are between 32 and 63 of 255", "[32, 63]"),
        ((100, 131), "low-contrast: all pixels are between 100 and 131 of 255", "[100, 131]"),
    ] {
        let found = Case { values: Some(values), ..Case::sound() }.lines();
        assert!(
            found.len() == 1 && found[0].contains(says) && found[0].ends_with(range),
            "{found:?}"
        );
    }
    assert_eq!(Case { values: Some((100, 132)), ..Case::sound() }.find(), []);
    let all: Vec<u32> = (0..60).collect();
    case = Case { flat: &all, values: Some((0, 0)), ..Case::sound() };
    assert_eq!(case.find().len(), 1, "flat images are enough to say");
    assert_eq!(Case { values: None, ..Case::sound() }.find(), []);
}

#[test]
fn folders_that_differ_only_by_case_are_one_on_other_systems() {
    let names = ["A", "b", "a", "B"];
    let images =
        (0..120).map(|n: u32| (Some(n % 4), Partition::ALL[n as usize / 4 % 3], u64::from(n)));
    let case = |template, names_are_files| {
        let images = images.clone().collect();
        Case { names: &names, images, template, names_are_files, ..Case::sound() }.lines()
    };
    let line = "error folders-alike: 2 groups of classes have folders that differ only by case, which \
                macOS and Windows take for one (A = a, b = B); use {label} instead of {class} in the \
                name template";
    assert_eq!(case("{class}/{index}", true), [line]);
    assert_eq!(case("{class}/{index}", false), [""; 0], "in a bucket they are two");
    for template in ["{class}_{index}", "{label}/{class}_{index}", "{label}_{class}/{index}"] {
        assert_eq!(case(template, true), [""; 0], "{template}");
    }
}

#[test]
fn folders_that_are_not_in_the_order_of_labels_are_noted() {
    let images =
        (0..330).map(|n: u32| (Some(n % 11), Partition::ALL[n as usize / 11 % 3], u64::from(n)));
    let case = |names, template| {
        Case { names, images: images.clone().collect(), template, ..Case::sound() }.lines()
    };
    let line = "note folder-order: 1 folder of a class comes before that of a smaller label when they are \
                sorted by name (class_10 before class_9); programs that number classes by folder, as \
                ImageFolder does, need {label:02} or more digits";
    assert_eq!(case(&[], "{class}/{index}"), [line]);
    assert_eq!(case(&[], "{label}/{index}"), [line.replace("class_", "")]);
    assert_eq!(case(&[], "{label:02}/{index}"), [""; 0]);
    let names = ["k", "j", "i", "h", "g", "f", "e", "d", "c", "b", "a"];
    assert_eq!(case(&names, "{class}/{index}"), [""; 0], "names have an order of their own");
    let numbered = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "c10"];
    assert_eq!(case(&numbered, "{class}/{index}"), [line.replace("class_", "c")]);
}

#[test]
fn names_of_classes_are_shown_on_one_line() {
    let mut case = Case::sound();
    case.names = &["Coat\n\u{1b}[2J", "Bag"];
    assert_eq!(
        case.lines(),
        ["note cleaned-labels: 1 class has another label in import files (Coat\\n\\u{1b}[2J → \
          Coat_2J); labels have only letters, digits and _ there"]
    );
}

#[test]
fn buckets_are_described() {
    let about = About {
        location: Some("US-CENTRAL1".to_owned()),
        location_type: Some("region".to_owned()),
        project_number: Some(7),
        vertex_agent_reads: Some(false),
    };
    let found = of_bucket(&about);
    assert!(found[0].to_string().starts_with("the bucket is in the region US-CENTRAL1; "));
    assert!(found[1].to_string().starts_with("the bucket's own policy does not let"));
    assert_eq!((&*found[1].code, found[1].severity), ("bucket-permission", Severity::Note));
    assert_eq!(of_bucket(&About { vertex_agent_reads: Some(true), ..About::default() }), []);
}

#[test]
fn a_limit_that_leaves_a_partition_out_has_another_way() {
    let mut case = Case::sound();
    case.images.retain(|(_, part, _)| *part == Partition::Train);
    assert_eq!(
        case.lines(),
        [
            "warning empty-partitions: 2 partitions have no images (validation, test); an import may \
          refuse that: --sample N in place of --limit takes images of each"
        ]
    );
}
