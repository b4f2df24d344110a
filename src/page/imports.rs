//! How to use each import file: a few lines to copy.

use maud::{Markup, html};

use super::text::address;
use crate::report::ManifestEntry;
use crate::text::thousands;

pub(super) fn section(title: &str, manifests: &[ManifestEntry]) -> Markup {
    html! {
        section #import {
            h2 { "Import" }
            @for import in manifests {
                section.import {
                    h3 { (import.format) }
                    p {
                        (thousands(import.rows)) @if import.rows == 1 { " row in " } @else { " rows in " }
                         (address(&import.url))
                        @if import.path != import.url { " and, here, " (address(&import.path)) }
                    }
                    @if let Some(Use { what, code }) = how(title, import) {
                        p { (what) }
                        @if !code.is_empty() {
                            pre tabindex="0" role="region"
                                aria-label=(format!("Code for {}", import.format))
                            { code { (code) } }
                        }
                    }
                }
            }
        }
    }
}

/// What a format is for, and how.
struct Use {
    what: &'static str,
    code: String,
}

/// Snippets after <https://cloud.google.com/vertex-ai/docs/image-data/classification/create-dataset>,
/// <https://huggingface.co/docs/datasets/image_dataset> and pandas' `read_csv` and `read_parquet`,
/// which read `gs://` with gcsfs.
fn how(title: &str, import: &ManifestEntry) -> Option<Use> {
    let url = &import.url;
    let in_cloud = url.starts_with("gs://");
    let file = text(url);
    Some(match import.format {
        "vertex" | "vertex-jsonl" if !in_cloud => Use {
            what: "Vertex AI imports from Cloud Storage alone: load into gs:// for that.",
            code: String::new(),
        },
        "vertex" | "vertex-jsonl" => Use {
            what: "Vertex AI, an image data set for single-label classification, in Python \
                   (pip install google-cloud-aiplatform):",
            code: format!(
                "from google.cloud import aiplatform as aip\n\n\
                 aip.init(project=\"PROJECT\", location=\"us-central1\")\n\
                 dataset = aip.ImageDataset.create(\n    \
                     display_name={},\n    \
                     gcs_source={file},\n    \
                     import_schema_uri=aip.schema.dataset.ioformat.image.single_label_classification,\n\
                 )",
                text(title)
            ),
        },
        "automl" => Use {
            what: "The columns of AutoML Vision, which Vertex AI has replaced, for programs that still \
                   read them. In Python:",
            code: format!(
                "import pandas\n\n\
                 rows = pandas.read_csv({file}, names=[\"partition\", \"url\", \"label\"])"
            ),
        },
        "huggingface" => {
            let folder = url.rsplit_once('/').map_or(".", |(folder, _)| folder);
            let (fetch, folder) = if in_cloud {
                let fetch =
                    format!("# first: gcloud storage rsync --recursive {} data\n", quoted(folder));
                (fetch, text("data"))
            } else {
                (String::new(), text(folder.strip_prefix("file://").unwrap_or(folder)))
            };
            Use {
                what: "Hugging Face datasets, in Python (pip install datasets pillow):",
                code: format!(
                    "{fetch}from datasets import load_dataset\n\n\
                     dataset = load_dataset(\"imagefolder\", data_dir={folder})"
                ),
            }
        }
        "csv" => Use {
            what: "pandas, in Python (pip install pandas gcsfs):",
            code: format!("import pandas\n\nrows = pandas.read_csv({file})"),
        },
        "parquet" => Use {
            what: "pandas, in Python (pip install pandas pyarrow gcsfs):",
            code: format!("import pandas\n\nrows = pandas.read_parquet({file})"),
        },
        _ => return None,
    })
}

/// A Python string: JSON's escapes are Python's too.
fn text(value: &str) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A word for a POSIX shell. A comment must stay one line.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''").replace(['\n', '\r'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(format: &'static str, url: &str) -> String {
        let entry = ManifestEntry { format, url: url.to_owned(), ..ManifestEntry::default() };
        how("A \"set\"", &entry).unwrap().code
    }

    #[test]
    fn snippets_name_the_file() {
        let vertex = code("vertex", "gs://b/it's/vertex.csv");
        assert!(vertex.contains("gcs_source=\"gs://b/it's/vertex.csv\",\n"), "{vertex}");
        assert!(vertex.contains("display_name=\"A \\\"set\\\"\",\n"), "{vertex}");
        assert!(vertex.contains("ioformat.image.single_label_classification,\n)"), "{vertex}");
        let hugging = code("huggingface", "gs://b/it's/metadata.jsonl");
        assert!(hugging.contains(r"rsync --recursive 'gs://b/it'\''s' data"), "{hugging}");
        assert!(hugging.contains("load_dataset(\"imagefolder\", data_dir=\"data\")"), "{hugging}");
        let here = code("huggingface", "file:///tmp/p/metadata.jsonl");
        assert!(here.contains("data_dir=\"/tmp/p\""), "{here}");
        assert!(code("parquet", "gs://b/x").contains("read_parquet(\"gs://b/x\")"));
        assert!(code("csv", "gs://b/x").contains("read_csv(\"gs://b/x\")"));
        assert!(code("automl", "gs://b/x").contains("read_csv(\"gs://b/x\", names="));
        assert_eq!(code("vertex", "/tmp/vertex.csv"), "", "not from a folder");
    }
}
