//! Those who read what a load leaves read it right: Pillow, pandas, Hugging Face's `datasets`,
//! Google's client.

use std::path::Path;
use std::process::Command;

use crate::support::{fashion_mnist, python};

#[test]
#[ignore = "needs Python and Fashion-MNIST; scripts/test.sh runs it"]
fn images_and_manifests_are_read_as_the_idx_files_say() {
    let python = python();
    let source = fashion_mnist();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/consumers.py");
    let mut command = Command::new(python);
    command.arg(script).args(["--train", "400", "--test", "100"]);
    command.arg(env!("CARGO_BIN_EXE_idx2gcs")).arg(source);
    if !cfg!(feature = "parquet") {
        command.arg("--no-parquet");
    }
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    let output = command.output().unwrap();
    let (said, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{errors}");
}
