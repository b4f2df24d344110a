//! Programs and data from outside, which `scripts/test.sh` installs and names in variables. A test
//! that needs one is ignored, with that reason; where it runs all the same, it fails without it.

use std::path::PathBuf;

/// The program that a variable names.
pub fn tool(variable: &str, what: &str) -> PathBuf {
    let path = std::env::var_os(variable).map(PathBuf::from);
    match path.filter(|path| path.is_file()) {
        Some(path) => path,
        None => panic!("{variable} must name {what}: run scripts/test.sh, which installs it"),
    }
}

/// A Python interpreter that has the packages of `tests/e2e/conformance/requirements.txt`.
pub fn python() -> PathBuf {
    tool("IDX2GCS_TEST_PYTHON", "a Python interpreter with the packages of tests/e2e/conformance")
}

/// The folder with the four files of Fashion-MNIST.
pub fn fashion_mnist() -> PathBuf {
    let folder = std::env::var_os("IDX2GCS_TEST_FASHION_MNIST").map(PathBuf::from);
    match folder.filter(|folder| folder.is_dir()) {
        Some(folder) => folder,
        None => panic!("IDX2GCS_TEST_FASHION_MNIST must name a folder: run scripts/test.sh"),
    }
}
