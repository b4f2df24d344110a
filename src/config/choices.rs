//! Settings that are one of a few words.

/// The words of a switch.
pub(super) const SWITCH: &[&str] = &["true", "false"];

/// Defines an enum, the list of its words, and the way from a word to a value.
macro_rules! choice {
    ($(#[$meta:meta])* $name:ident, $words:ident { $($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant),+ }

        /// The words for it.
        pub(super) const $words: &[&str] = &[$($word),+];

        impl $name {
            /// The value of a word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }

            /// The word for a value.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

choice! {
    /// How images are held out of the training part.
    SplitMethod, SPLIT_METHODS {
        /// At random, as scikit-learn's `train_test_split`.
        Random = "random",
        /// At random, with its share of each class, as with `stratify`.
        Stratified = "stratified",
        /// By a hash of the pixels: stable as data grows.
        Hash = "hash",
        /// As a file says.
        File = "file",
        /// Not at all.
        None = "none",
    }
}

choice! {
    /// Whether rows and columns are exchanged in the file.
    Transposed, TRANSPOSED {
        /// As the data set's entry in the catalogue says.
        Auto = "auto",
        /// They are.
        Yes = "true",
        /// They are not.
        No = "false",
    }
}

choice! {
    /// How images are encoded.
    ImageFormat, IMAGE_FORMATS {
        /// Baseline JPEG.
        Jpeg = "jpeg",
        /// PNG, without loss.
        Png = "png",
    }
}

choice! {
    /// Whether an image's contrast is changed before it is encoded.
    Scale, SCALES {
        /// The pixels as they are.
        None = "none",
        /// Each image stretched to the full range, `floor((v - min) × 255 / (max - min))`, as
        /// Keras' `array_to_img` does. An image of one value becomes black, as it does there.
        Keras = "keras",
    }
}

choice! {
    /// What images of the same pixels are taken for.
    Duplicates, DUPLICATES {
        /// An error where their labels or partitions differ, else a warning.
        Error = "error",
        /// A warning.
        Warn = "warn",
        /// Nothing: they are not looked for.
        Off = "off",
    }
}

choice! {
    /// How fast the rate of writes may rise.
    Ramp, RAMPS {
        /// As it will.
        None = "none",
        /// From 1,000 a second, twice as many every 20 minutes, as Google advises.
        Google = "google",
    }
}

choice! {
    /// What to do with an object that is there before it is written.
    IfExists, IF_EXISTS {
        /// The same content counts as stored; another is a conflict.
        Skip = "skip",
        /// Another content is replaced, but only the generation that was seen.
        Overwrite = "overwrite",
        /// Nothing is written if any of the objects is there.
        Fail = "fail",
    }
}

choice! {
    /// What follows an image whose attempts are used up.
    OnError, ON_ERROR {
        /// The other images.
        Continue = "continue",
        /// The end of the run.
        Abort = "abort",
    }
}

choice! {
    /// The version of HTTP that uploads use. At a latency of 50 ms and with 256 requests in flight both
    /// store 4,800 images a second; HTTP/1.1 takes 45 µs of processor time for each, HTTP/2 over 4
    /// connections 80 µs, over 8 connections 81 µs. Without latency it is 32, 51 and 55 µs, and 32,000,
    /// 23,500 and 21,000 images a second.
    Http, HTTP_VERSIONS {
        /// HTTP/1.1: a connection for each request in flight.
        One = "1.1",
        /// HTTP/2, known to be spoken: few connections, on each of which Google's front end allows 100
        /// requests at a time.
        Two = "2",
    }
}

choice! {
    /// How progress is shown.
    Progress, PROGRESS {
        /// A bar on a terminal, lines elsewhere.
        Auto = "auto",
        /// A bar.
        Bar = "bar",
        /// A line every few seconds.
        Plain = "plain",
        /// A JSON object a line, every second.
        Json = "json",
        /// Not at all.
        None = "none",
    }
}

choice! {
    /// How log lines are written.
    LogFormat, LOG_FORMATS {
        /// For people.
        Text = "text",
        /// A JSON object a line.
        Json = "json",
    }
}

choice! {
    /// A format of manifests.
    ManifestFormat, MANIFEST_FORMATS {
        /// `automl.csv`: `TRAIN,gs://…,9`, for AutoML Vision.
        Automl = "automl",
        /// `vertex.csv`: `training,gs://…,Ankle_boot`, for Vertex AI.
        Vertex = "vertex",
        /// `vertex.jsonl`: the same as JSON lines.
        VertexJsonl = "vertex-jsonl",
        /// `metadata.jsonl`, for `imagefolder` of Hugging Face's `datasets`.
        HuggingFace = "huggingface",
        /// `images.csv`: with a header, and each object's checksum and size.
        Csv = "csv",
        /// `images.parquet`: the same, each column of its type. Only in a build that has it.
        Parquet = "parquet",
    }
}
