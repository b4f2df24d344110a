//! Fixtures: what tests are made of. A test file imports from here and never from another one.

pub mod browser;
mod desk;
pub mod destinations;
pub mod fake_gcs;
pub mod family;
mod library;
pub mod mirror;
pub mod pictures;
pub mod reports;
mod rows;
mod server;
mod set;
pub mod small;
#[cfg(unix)]
pub mod terminal;
mod tools;

pub use desk::{Desk, Ran, until};
pub use library::{load_into, load_until, transfer};
pub use rows::for_each_row;
pub use server::Server;
pub use set::{SIDE, Set, gzip, idx};
pub use tools::{fashion_mnist, python};
