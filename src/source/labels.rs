//! All labels of a data set, in memory: they are small, and asked for by index.

/// Labels in source order: a byte each, or four where one is above 255; none at all for images
/// without labels.
#[derive(Default, Debug, Clone, PartialEq, Eq)]
pub enum Labels {
    /// No image has one.
    #[default]
    None,
    /// Each fits a byte.
    Narrow(Vec<u8>),
    /// Some do not.
    Wide(Vec<u32>),
}

impl Labels {
    /// The label of an image.
    pub fn get(&self, index: u32) -> Option<u32> {
        match self {
            Self::None => None,
            Self::Narrow(labels) => labels.get(index as usize).copied().map(u32::from),
            Self::Wide(labels) => labels.get(index as usize).copied(),
        }
    }

    /// Adds the label of the next image.
    pub(super) fn push(&mut self, label: u32) {
        match (&mut *self, u8::try_from(label)) {
            (Self::None, _) => {
                *self = Self::Narrow(Vec::new());
                self.push(label);
            }
            (Self::Narrow(labels), Ok(label)) => labels.push(label),
            (Self::Narrow(labels), Err(_)) => {
                let mut wide: Vec<u32> = labels.iter().copied().map(u32::from).collect();
                wide.push(label);
                *self = Self::Wide(wide);
            }
            (Self::Wide(labels), _) => labels.push(label),
        }
    }
}

impl FromIterator<u32> for Labels {
    fn from_iter<I: IntoIterator<Item = u32>>(labels: I) -> Self {
        let mut all = Self::None;
        labels.into_iter().for_each(|label| all.push(label));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_take_a_byte_until_one_does_not_fit() {
        let mut labels = Labels::None;
        assert_eq!(labels.get(0), None);
        labels.push(7);
        labels.push(255);
        assert_eq!(labels, Labels::Narrow(vec![7, 255]));
        labels.push(256);
        labels.push(1);
        assert_eq!(labels, Labels::Wide(vec![7, 255, 256, 1]));
        assert_eq!((labels.get(2), labels.get(4)), (Some(256), None));
    }
}
