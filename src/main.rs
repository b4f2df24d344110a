//! The `idx2gcs` program; everything is in the library.

/// musl's own allocator is several times slower where one thread frees what another has allocated, as
/// uploads do.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    idx2gcs::main(std::env::args_os())
}
