//! The contact sheet: a few images of each class and partition, and who is on it.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use maud::{Markup, html};

use super::data::{Report, SampleImage};
use super::text::class_name;
use crate::model::{Partition, Size};
use crate::text::thousands;

/// Images of one class in one partition, at most.
const EACH: usize = 6;
/// Images of a page, at most.
const MOST: usize = 1200;
/// Bytes of a page's images, at most, before Base64 makes them a third longer.
const BYTES: usize = 6 * 1024 * 1024;
/// Classes whose images are on the page at once; the others are unfolded.
const UNFOLDED: usize = 24;
/// The side of a drawn image that is aimed at, in CSS pixels.
const SIDE: u32 = 56;

/// Chooses the images of the page: the first of each class and partition in source order, so many
/// that the page stays of a size to be opened.
#[derive(Debug, Clone)]
pub struct Sampler {
    each: usize,
    left: usize,
    chosen: BTreeMap<(Option<u32>, Partition), usize>,
}

impl Sampler {
    /// For a data set of so many classes, whose encoded images have about so many bytes.
    pub fn new(classes: usize, image_bytes: usize) -> Self {
        let most = MOST.min(BYTES / image_bytes.max(1)).max(1);
        let each = (most / (classes.max(1) * Partition::ALL.len())).clamp(1, EACH);
        Self { each, left: most, chosen: BTreeMap::new() }
    }

    /// Whether the next image in source order is chosen. To be asked once for each.
    pub fn choose(&mut self, label: Option<u32>, partition: Partition) -> bool {
        let chosen = self.chosen.entry((label, partition)).or_default();
        let free = self.left > 0 && *chosen < self.each;
        if free {
            *chosen += 1;
            self.left -= 1;
        }
        free
    }
}

/// Images by class, then partition, then index.
type Groups<'a> = BTreeMap<Option<u32>, BTreeMap<Partition, Vec<&'a SampleImage>>>;

pub(super) fn section(report: &Report) -> Markup {
    let mut groups = Groups::new();
    for image in &report.samples {
        groups.entry(image.label).or_default().entry(image.partition).or_default().push(image);
    }
    for images in groups.values_mut().flat_map(BTreeMap::values_mut) {
        images.sort_by_key(|image| image.index);
    }
    let rest = groups.len().saturating_sub(UNFOLDED);
    let sheet = |skip: usize, take: usize| {
        html! {
            div.sheet {
                @for (label, group) in groups.iter().skip(skip).take(take) {
                    (of_class(report, *label, group))
                }
            }
        }
    };
    html! {
        section #samples {
            h2 { "Samples" }
            p.lead {
                "The first images of each class and partition, as they are stored. "
                "Below each is its position in the source."
            }
            (sheet(0, UNFOLDED))
            @if rest > 0 {
                details {
                    summary { "Images of " (thousands(rest as u64)) " more classes" }
                    (sheet(UNFOLDED, usize::MAX))
                }
            }
        }
    }
}

fn of_class(
    report: &Report,
    label: Option<u32>,
    group: &BTreeMap<Partition, Vec<&SampleImage>>,
) -> Markup {
    html! {
        section.class {
            h3 {
                @match label {
                    Some(label) => { span.number { (label) } " " (class_name(report, label)) }
                    None => { "Without a label" }
                }
            }
            div.strips {
                @for partition in Partition::ALL {
                    div.strip {
                        p { (swatch(partition)) (partition) }
                        @if let Some(images) = group.get(&partition) {
                            ul { @for image in images { li { (picture(report, image)) } } }
                        } @else {
                            p.none { "none" }
                        }
                    }
                }
            }
        }
    }
}

fn picture(report: &Report, image: &SampleImage) -> Markup {
    let SampleImage { index, label, partition, .. } = image;
    let class = match label {
        Some(label) => match report.class(*label) {
            Some(class) => format!("{label} {}", class.title()),
            None => label.to_string(),
        },
        None => "no label".to_owned(),
    };
    let alt = format!("Class {class}, {partition}, index {index}");
    let source = format!("data:{};base64,{}", image.media_type, BASE64.encode(&image.bytes));
    let size = report.figures.as_ref().and_then(|figures| figures.size);
    let size = size.map(|Size { rows, cols, .. }| drawn_size(rows, cols));
    html! {
        img src=(source) alt=(alt) title=(alt)
            width=[size.map(|(width, _)| width)] height=[size.map(|(_, height)| height)];
        span.index aria-hidden="true" { (index) }
    }
}

/// Width and height to draw an image at: a whole multiple, so that each pixel is a square of its
/// own, or as much smaller as it must be.
fn drawn_size(rows: u32, cols: u32) -> (u32, u32) {
    let long = rows.max(cols).max(1);
    if long <= SIDE {
        let times = SIDE / long;
        return (cols * times, rows * times);
    }
    let scaled = |side: u32| {
        let side = u64::from(side) * u64::from(SIDE) / u64::from(long);
        u32::try_from(side).unwrap_or(SIDE).max(1)
    };
    (scaled(cols), scaled(rows))
}

/// A small square in a partition's colour.
pub(super) fn swatch(partition: Partition) -> Markup {
    html! { span class=(format!("swatch {}", partition.name())) aria-hidden="true" {} }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_and_partition_gets_its_first_images() {
        let mut sampler = Sampler::new(10, 600);
        let chosen = (0..1000)
            .filter(|i| sampler.choose(Some(i % 10), Partition::ALL[(i % 3) as usize]))
            .collect::<Vec<u32>>();
        assert_eq!(chosen.len(), 10 * 3 * EACH);
        assert_eq!(chosen[..60], (0..60).collect::<Vec<_>>());
        assert!(Sampler::new(0, 0).choose(None, Partition::Test));
    }

    #[test]
    fn a_page_stays_of_a_size_to_be_opened() {
        for (classes, bytes) in [(3832, 700), (10, 500_000), (2, 100_000_000)] {
            let mut sampler = Sampler::new(classes, bytes);
            let labels = (0..100_000).map(|i| i % u32::try_from(classes).unwrap());
            let chosen = labels.filter(|label| sampler.choose(Some(*label), Partition::Train));
            let chosen = chosen.count();
            assert!(chosen > 0 && chosen <= MOST && (chosen - 1) * bytes <= BYTES, "{chosen}");
        }
    }

    #[test]
    fn images_are_drawn_at_whole_multiples() {
        assert_eq!(drawn_size(28, 28), (56, 56));
        assert_eq!(drawn_size(8, 16), (48, 24));
        assert_eq!(drawn_size(512, 256), (28, 56));
        assert_eq!(drawn_size(1, 60_000), (56, 1));
    }
}
