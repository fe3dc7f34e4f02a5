//! Deferring the signals that end the process.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::emulate_default_handler;

/// While one of these exists, SIGINT, SIGTERM, SIGHUP and SIGQUIT are deferred. When the last one is dropped,
/// a signal that arrived ends the process. Ignored signals stay ignored.
pub struct Deferred(());

struct Handlers {
    /// Whether a signal may end the process immediately.
    free: Arc<AtomicBool>,
    /// The signal that arrived; 0 for none.
    caught: Arc<AtomicUsize>,
    depth: AtomicUsize,
}

static HANDLERS: OnceLock<Handlers> = OnceLock::new();

impl Deferred {
    /// Starts to defer the signals.
    pub fn begin() -> Self {
        let handlers = HANDLERS.get_or_init(install);
        handlers.depth.fetch_add(1, Ordering::SeqCst);
        handlers.free.store(false, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        let Some(handlers) = HANDLERS.get() else { return };
        if handlers.depth.fetch_sub(1, Ordering::SeqCst) > 1 {
            return;
        }
        handlers.free.store(true, Ordering::SeqCst);
        let caught = handlers.caught.swap(0, Ordering::SeqCst);
        if let Ok(signal) = i32::try_from(caught)
            && signal != 0
        {
            let _ = emulate_default_handler(signal);
        }
    }
}

/// Installs the handlers once. If one cannot be installed, its signal ends the process as before.
fn install() -> Handlers {
    let handlers = Handlers {
        free: Arc::new(AtomicBool::new(true)),
        caught: Arc::new(AtomicUsize::new(0)),
        depth: AtomicUsize::new(0),
    };
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT].into_iter().filter(|signal| !may_be_ignored(*signal)) {
        // In this order, because a signal that ends the process need not be stored.
        let _ = flag::register_conditional_default(signal, Arc::clone(&handlers.free));
        if let Ok(number) = usize::try_from(signal) {
            let _ = flag::register_usize(signal, Arc::clone(&handlers.caught), number);
        }
    }
    handlers
}

/// Checks whether the process was started with a signal ignored, as `nohup` and background jobs of a shell
/// are. If that cannot be determined, it is assumed for the signals for which this is usual.
fn may_be_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    match mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()) {
        Some(mask) => mask & (1 << (signal - 1)) != 0,
        None => signal != SIGTERM,
    }
}
