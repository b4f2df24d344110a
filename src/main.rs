//! The `idx2gcs` program; everything is in the library.

fn main() -> std::process::ExitCode {
    idx2gcs::main(std::env::args_os())
}
