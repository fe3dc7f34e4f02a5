//! Moments with their traces, and the formats of times.

use std::time::{Duration, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

/// The time of a call, and the trace that it belongs to.
///
/// `*_at` columns are Unix seconds; an event also has milliseconds.
#[derive(Clone, Debug, Default)]
pub struct Stamp {
    nanos: i64,
    /// The caller's distributed trace, if it has one.
    pub trace: Trace,
}

/// `IC_TRACE_ID`, `IC_SPAN_ID` and `IC_PARENT_SPAN_ID`, if set.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// The id of the trace.
    pub trace_id: Option<String>,
    /// The caller's span.
    pub span_id: Option<String>,
    /// The span above the caller's.
    pub parent_span_id: Option<String>,
}

/// Returns the whole seconds at or after a moment in milliseconds, so that nothing ends too early.
pub fn secs_up(millis: i64) -> i64 {
    millis.div_euclid(1000) + i64::from(millis.rem_euclid(1000) > 0)
}

/// Returns a moment in milliseconds from a row that has seconds and, if this program wrote it, milliseconds.
/// These count only if they round up to the seconds: otherwise another program has changed the seconds since.
pub fn moment(secs: i64, millis: Option<i64>) -> i64 {
    millis.filter(|millis| secs_up(*millis) == secs).unwrap_or_else(|| secs.saturating_mul(1000))
}

impl Stamp {
    /// Creates a stamp at `nanos` nanoseconds since the Unix epoch.
    pub fn new(nanos: i64, trace: Trace) -> Self {
        Self { nanos, trace }
    }

    /// Creates a stamp at `secs` seconds since the Unix epoch, outside any trace.
    pub fn at(secs: i64) -> Self {
        Self::new(secs.saturating_mul(1_000_000_000), Trace::default())
    }

    /// Returns Unix seconds.
    pub fn secs(&self) -> i64 {
        self.nanos.div_euclid(1_000_000_000)
    }

    /// Returns Unix milliseconds.
    pub fn millis(&self) -> i64 {
        self.nanos.div_euclid(1_000_000)
    }

    /// Returns Unix milliseconds, rounded up, so that the moment is not before the stamp.
    pub fn millis_up(&self) -> i64 {
        self.nanos.div_euclid(1_000_000) + i64::from(self.nanos.rem_euclid(1_000_000) > 0)
    }

    /// Returns the moment, in Unix milliseconds, at which `secs` seconds have passed since the stamp.
    pub fn after(&self, secs: i64) -> i64 {
        self.millis_up().saturating_add(secs.saturating_mul(1000))
    }

    /// Returns the stamp `secs` seconds before this one, outside any trace.
    #[must_use]
    pub fn before(&self, secs: i64) -> Self {
        Self::new(self.nanos.saturating_sub(secs.saturating_mul(1_000_000_000)), Trace::default())
    }

    /// Returns Unix nanoseconds.
    pub fn nanos(&self) -> i64 {
        self.nanos
    }
}

/// The first second of the year 10000, which the format cannot express.
const TOO_LATE: u64 = 253_402_300_800;

/// Returns Unix milliseconds as RFC 3339 in UTC with milliseconds. A time outside the years 1970 to 9999,
/// is returned as its number followed by `ms`.
pub fn rfc3339(millis: i64) -> String {
    match u64::try_from(millis) {
        Ok(since) if since / 1000 < TOO_LATE => {
            humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(since)).to_string()
        }
        _ => format!("{millis}ms"),
    }
}

/// Returns Unix seconds as RFC 3339 in UTC without a fraction: some parsers of dates accept none.
pub fn rfc3339_seconds(secs: i64) -> String {
    rfc3339(secs.saturating_mul(1000)).replace(".000Z", "Z")
}

/// Returns the date of Unix seconds in UTC as `YYYY-MM-DD`.
pub fn utc_date(secs: i64) -> String {
    let timestamp = Timestamp::from_second(secs).unwrap_or(Timestamp::MAX);
    Offset::UTC.to_datetime(timestamp).date().to_string()
}

/// Checks whether a text is a date of the calendar in the form `YYYY-MM-DD`.
pub fn is_date(text: &str) -> bool {
    // The parser accepts other forms too.
    text.parse::<Date>().is_ok_and(|date| date.to_string() == text)
}

/// Returns Unix seconds in a form for file names: `20231114-221320`.
pub fn compact_time(secs: i64) -> String {
    let text = rfc3339(secs.saturating_mul(1000));
    match text.split_once('T') {
        Some((date, time)) => format!("{}-{}", date.replace('-', ""), time[..8].replace(':', "")),
        None => secs.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_one_of_the_calendar() {
        for date in ["2026-01-31", "2024-02-29", "1999-12-31"] {
            assert!(is_date(date), "{date}");
        }
        for other in
            ["2026-02-31", "2026-02-29", "2026-13-01", "2026-1-31", "20260131", "2026-01-31T00:00", ""]
        {
            assert!(!is_date(other), "{other}");
        }
        assert_eq!(utc_date(1_700_000_000), "2023-11-14");
        assert_eq!(utc_date(-1), "1969-12-31");
    }

    /// K-31
    #[test]
    fn nothing_ends_early() {
        for (millis, secs) in [(-1500, -1), (-1000, -1), (0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2)] {
            assert_eq!(secs_up(millis), secs, "{millis}");
        }
        let stamp = Stamp::new(1_000_000_001, Trace::default());
        assert_eq!((stamp.millis(), stamp.millis_up(), stamp.after(2)), (1000, 1001, 3001));
        assert_eq!(stamp.after(i64::MAX), i64::MAX);
        assert_eq!((moment(4, Some(3001)), moment(4, Some(3000)), moment(4, None)), (3001, 4000, 4000));
        assert_eq!(moment(i64::MAX, Some(i64::MIN)), i64::MAX);
    }

    /// K-15
    #[test]
    fn times_are_printed_in_utc() {
        assert_eq!(rfc3339(1_700_000_000_042), "2023-11-14T22:13:20.042Z");
        assert_eq!(rfc3339_seconds(1_700_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(compact_time(1_700_000_000), "20231114-221320");
        assert_eq!(rfc3339(253_402_300_799_999), "9999-12-31T23:59:59.999Z");
        for odd in [-1, i64::MIN, 253_402_300_800_000, i64::MAX] {
            assert_eq!(rfc3339(odd), format!("{odd}ms"));
            assert!(!compact_time(odd).is_empty());
        }
    }
}
