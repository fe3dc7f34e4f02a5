//! Points at which tests observe a process, pause it, or make a step fail. Debug builds only.

use std::cell::RefCell;
use std::collections::HashMap;
use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

/// The interval at which the file that ends a pause is looked for.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Enters a point: logs it, and pauses there if a test asks for that. Returns how often the point was
/// entered.
///
/// # Errors
/// If a file of the test cannot be read or written.
pub fn enter(point: &str) -> io::Result<usize> {
    thread_local!(static ENTERED: RefCell<HashMap<String, usize>> = RefCell::default());

    let count = ENTERED.with_borrow_mut(|entered| {
        let count = entered.entry(point.to_owned()).or_default();
        *count += 1;
        *count
    });
    if let Some(log) = env::var_os("IC_TEST_TASK_LOG") {
        writeln!(OpenOptions::new().create(true).append(true).open(log)?, "{point}")?;
    }
    let pause = env::var("IC_TEST_TASK_PAUSE").unwrap_or_default();
    if let Some((_, path)) = pause.split_once(':').filter(|(of, _)| *of == point && count == 1) {
        fs::write(format!("{path}.at"), "")?;
        while !Path::new(path).exists() {
            thread::sleep(POLL_INTERVAL);
        }
    }
    Ok(count)
}

/// Leaves a point that was entered `count` times.
///
/// # Errors
/// If a test wants the step to fail.
pub fn leave(point: &str, count: usize) -> io::Result<()> {
    let fails = env::var("IC_TEST_TASK_FAIL").unwrap_or_default();
    let mut of_this = fails.split(';').filter_map(|text| text.split_once(':')).filter(|(of, _)| *of == point);
    if of_this.any(|(_, times)| times.split(',').any(|time| time.parse() == Ok(count))) {
        return Err(io::Error::other("a test says so"));
    }
    Ok(())
}

/// Checks whether a test wants files to be taken for those of a network file system.
pub fn is_network() -> bool {
    env::var_os("IC_TEST_NETWORK_FS").is_some()
}
