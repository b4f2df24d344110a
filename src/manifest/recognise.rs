//! Whether a file may be a manifest of this program, by its form: where files have no metadata, nothing
//! else tells.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::{COLUMNS, Manifest, ManifestFormat};
use crate::model::Partition;

/// Bytes that are read of a file: a row is shorter, and so is the end of a table.
const READ: u64 = 64 * 1024;

impl Manifest {
    /// Whether this program may have written the file as this manifest. An empty file holds nothing
    /// that could be lost.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn recognises(self, path: &Path) -> io::Result<bool> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        if size == 0 {
            return Ok(true);
        }
        let mut bytes = Vec::new();
        if self.format == ManifestFormat::Parquet {
            file.seek(SeekFrom::Start(size.saturating_sub(READ)))?;
            file.take(READ).read_to_end(&mut bytes)?;
            let has = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
            return Ok(bytes.ends_with(b"PAR1") && has("idx2gcs") && COLUMNS.into_iter().all(has));
        }
        BufReader::new(file.take(READ)).read_until(b'\n', &mut bytes)?;
        Ok(std::str::from_utf8(&bytes).is_ok_and(|line| self.format.has_line(line.trim_end())))
    }
}

impl ManifestFormat {
    /// Whether the first line of a file of this format may read so.
    fn has_line(self, line: &str) -> bool {
        let begins = |words: [&str; 3]| {
            line.split_once(',')
                .is_some_and(|(word, rest)| words.contains(&word) && !rest.is_empty())
        };
        let object = || serde_json::from_str::<serde_json::Map<_, _>>(line).unwrap_or_default();
        let has_keys = |required: [&str; 2], others: &[&str]| {
            let object = object();
            let known = |key: &String| required.contains(&&**key) || others.contains(&&**key);
            required.into_iter().all(|key| object.contains_key(key)) && object.keys().all(known)
        };
        match self {
            Self::Automl => begins(["TRAIN", "VALIDATION", "TEST"]),
            Self::Vertex => begins(["training", "validation", "test"]),
            Self::Csv => line == COLUMNS.join(","),
            Self::VertexJsonl => {
                has_keys(["imageGcsUri", "dataItemResourceLabels"], &["classificationAnnotation"])
            }
            Self::HuggingFace => {
                let partition =
                    object().get("partition").and_then(|it| it.as_str().map(str::to_owned));
                let known = |it: String| Partition::ALL.into_iter().any(|known| known.name() == it);
                has_keys(["file_name", "partition"], &["label", "class"])
                    && partition.is_some_and(known)
            }
            Self::Parquet => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_others_are_not_recognised() {
        use ManifestFormat::{Automl, Csv, HuggingFace, Parquet, Vertex, VertexJsonl};
        let file = tempfile::NamedTempFile::new().unwrap();
        for (format, text, ours) in [
            (Automl, "TRAIN,gs://b/a.jpg,7\n", true),
            (Automl, "gs://b/a.jpg,7\n", false),
            (Vertex, "training,a.jpg\n", true),
            (Vertex, "TRAIN,a.jpg\n", false),
            (Csv, "index,url,partition,label,class,crc32c,size\n0,", true),
            (Csv, "file,label\n", false),
            (HuggingFace, "{\"file_name\":\"a.jpg\",\"label\":1,\"partition\":\"train\"}\n", true),
            (HuggingFace, "{\"file_name\":\"a.jpg\",\"text\":\"a cat\"}\n", false),
            (HuggingFace, "precious", false),
            (VertexJsonl, "{\"imageGcsUri\":\"a\",\"dataItemResourceLabels\":{}}\n", true),
            (VertexJsonl, "{\"imageGcsUri\":\"a\"}\n", false),
            (Parquet, "PAR1 of somebody PAR1", false),
            (Parquet, "", true),
        ] {
            std::fs::write(file.path(), text).unwrap();
            let manifest = Manifest { format, only: None };
            assert_eq!(manifest.recognises(file.path()).unwrap(), ours, "{format} {text}");
        }
    }
}
