//! The `idx2gcs` program.
fn main() {}
