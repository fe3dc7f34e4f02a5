//! Points in a change at which tests observe it, pause it, make it fail or kill it. Release builds pass them
//! at once.
//!
//! `IC_TEST_TASK_LOG=FILE` gets a line for each point that is passed; `IC_TEST_TASK_PAUSE=POINT:FILE` creates
//! `FILE.at` there and waits until `FILE` exists; `IC_TEST_TASK_FAIL=POINT:1,2;OTHER:1` fails at the first
//! and second passing of one point and the first of another; `IC_TEST_CRASH` is as in `db`.

use std::io;
use std::path::Path;

use crate::os::files;

/// Passes a point.
///
/// # Errors
/// An error if a test asks for one.
#[cfg(debug_assertions)]
pub(super) fn pass(point: &str) -> io::Result<()> {
    use crate::os::test_points;

    let count = test_points::enter(point)?;
    crate::db::crash_point(point);
    test_points::leave(point, count)
}

/// Passes a point.
#[cfg(not(debug_assertions))]
#[expect(clippy::unnecessary_wraps, reason = "debug builds may fail here")]
pub(super) fn pass(_point: &str) -> io::Result<()> {
    Ok(())
}

/// Checks whether the files are on a network file system, or a test says so.
pub(super) fn is_on_network(path: &Path) -> bool {
    #[cfg(debug_assertions)]
    if crate::os::test_points::is_network() {
        return true;
    }
    files::is_on_network(path)
}
