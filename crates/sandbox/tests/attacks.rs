//! What strangers' code inside tries, run as root and as an ordinary user.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::Range;

#[test]
fn runs_a_program() {
    let range = Range::new();
    let outcome = range.run("import os; print('hello', os.getcwd(), os.getuid(), os.getpid())");
    assert_eq!(outcome.stderr, "");
    assert_eq!(outcome.stdout, "hello /box/app 1000 2\n");
    assert!(outcome.status.success());
}
