//! When something happened, and on whose behalf: read once per call by the command line and handed down.

/// The moment of a call and the trace it belongs to.
///
/// `*_at` columns are Unix seconds; an event also keeps milliseconds (K-15).
#[derive(Clone, Debug, Default)]
pub struct Stamp {
    nanos: i64,
    /// The caller's place in a distributed trace, if it has one.
    pub trace: Trace,
}

/// `IC_TRACE_ID`, `IC_SPAN_ID` and `IC_PARENT_SPAN_ID`, where set.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// The whole trace.
    pub trace_id: Option<String>,
    /// The caller's span.
    pub span_id: Option<String>,
    /// The span above the caller's.
    pub parent_span_id: Option<String>,
}

impl Stamp {
    /// A stamp at `nanos` nanoseconds since the Unix epoch.
    pub fn new(nanos: i64, trace: Trace) -> Self {
        Self { nanos, trace }
    }

    /// A stamp at `secs` seconds since the Unix epoch, outside any trace.
    pub fn at(secs: i64) -> Self {
        Self::new(secs.saturating_mul(1_000_000_000), Trace::default())
    }

    /// Unix seconds.
    pub fn secs(&self) -> i64 {
        self.nanos.div_euclid(1_000_000_000)
    }

    /// Unix milliseconds.
    pub fn millis(&self) -> i64 {
        self.nanos.div_euclid(1_000_000)
    }

    /// Unix nanoseconds.
    pub fn nanos(&self) -> i64 {
        self.nanos
    }
}
