//! Places in a change at which tests look on, stop, fail or kill it. Debug builds only; nothing in release builds.
//!
//! `IC_TEST_TASK_LOG=FILE` gets a line for each place that is passed; `IC_TEST_TASK_PAUSE=PLACE:FILE` makes `FILE.at` there and
//! waits until `FILE` exists; `IC_TEST_TASK_FAIL=PLACE:1,2;OTHER:1` fails at the first and second passing of the one
//! and the first of the other; `IC_TEST_CRASH` is as in
//! `db`.

use std::io;

/// Passes a place.
///
/// # Errors
/// If a test says so.
#[cfg(debug_assertions)]
pub(super) fn pass(place: &str) -> io::Result<()> {
    use std::cell::RefCell;
    use std::collections::HashMap;
    use std::io::Write;
    thread_local!(static PASSED: RefCell<HashMap<String, usize>> = RefCell::default());

    let count = PASSED.with_borrow_mut(|passed| {
        let count = passed.entry(place.to_owned()).or_default();
        *count += 1;
        *count
    });
    if let Some(log) = std::env::var_os("IC_TEST_TASK_LOG") {
        writeln!(std::fs::OpenOptions::new().create(true).append(true).open(log)?, "{place}")?;
    }
    let told = |said: Result<String, std::env::VarError>| {
        let text = said.ok()?;
        text.split_once(':').filter(|(of, _)| *of == place).map(|(_, rest)| rest.to_owned())
    };
    if let Some(path) = told(std::env::var("IC_TEST_TASK_PAUSE")).filter(|_| count == 1) {
        std::fs::write(format!("{path}.at"), "")?;
        while !std::path::Path::new(&path).exists() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
    crate::db::crash_point(place);
    let fails = std::env::var("IC_TEST_TASK_FAIL").unwrap_or_default();
    let of_this = fails.split(';').filter_map(|text| text.split_once(':')).filter(|(of, _)| *of == place);
    if of_this.flat_map(|(_, times)| times.split(',')).any(|time| time.parse() == Ok(count)) {
        return Err(io::Error::other("a test says so"));
    }
    Ok(())
}

/// Passes a place.
#[cfg(not(debug_assertions))]
#[expect(clippy::unnecessary_wraps, reason = "debug builds may fail here")]
pub(super) fn pass(_place: &str) -> io::Result<()> {
    Ok(())
}

/// Whether the files are taken to be on another machine.
pub(super) fn says_network() -> bool {
    cfg!(debug_assertions) && std::env::var_os("IC_TEST_NETWORK_FS").is_some()
}
