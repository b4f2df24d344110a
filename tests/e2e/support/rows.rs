//! Tests that are tables.

use std::any::Any;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Checks each row, and fails with all rows that failed, not only with the first.
pub fn for_each_row<R: Debug>(rows: impl IntoIterator<Item = R>, mut check: impl FnMut(R)) {
    let mut failed = Vec::new();
    for row in rows {
        let text = format!("{row:?}");
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(row))) {
            failed.push(format!("{text}: {}", message(&*panic)));
        }
    }
    assert!(failed.is_empty(), "{} rows failed:\n{}", failed.len(), failed.join("\n"));
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic")
}

#[test]
fn every_failing_row_is_reported() {
    let table = || for_each_row([1, 2, 3, 4], |row| assert!(row % 2 == 1, "{row} is even"));
    let panic = catch_unwind(table).unwrap_err();
    assert_eq!(message(&*panic), "2 rows failed:\n2: 2 is even\n4: 4 is even");
}
