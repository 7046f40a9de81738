//! Wall-clock time as the API and the store speak it, and the steady time that ends are kept by.

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use serde::{Deserialize, Serialize, Serializer};

/// Milliseconds since the Unix epoch; on the wire `2025-10-20T12:20:05.123Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// Now, by the system's clock.
    #[must_use]
    pub fn now() -> Self {
        Self(Timestamp::now().as_millisecond())
    }

    /// This moment, `seconds` later.
    #[must_use]
    pub fn plus_seconds(self, seconds: u64) -> Self {
        Self(self.0.saturating_add_unsigned(seconds.saturating_mul(1000)))
    }

    /// RFC 3339 in UTC with milliseconds.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
        PRINTER.timestamp_to_string(&Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH))
    }
}

/// A moment of the clock that nobody sets and that goes on while the machine sleeps: milliseconds since it was started. What is
/// to happen after a while happens by this one, whatever becomes of the wall clock meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Steady(pub i64);

impl Steady {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Self(now.tv_sec * 1000 + now.tv_nsec / 1_000_000)
    }

    /// When it will be `moment` if nobody sets the wall clock.
    #[must_use]
    pub fn of(moment: UnixMillis) -> Self {
        Self::now().plus_millis(moment.0.saturating_sub(UnixMillis::now().0))
    }

    /// This moment, so many milliseconds later, or earlier.
    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds until then; none if it is over.
    #[must_use]
    pub fn left(self) -> u64 {
        u64::try_from(self.0.saturating_sub(Self::now().0)).unwrap_or(0)
    }
}

impl Serialize for UnixMillis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_rfc3339())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_with_milliseconds_in_utc() {
        assert_eq!(UnixMillis(1_760_962_805_123).to_rfc3339(), "2025-10-20T12:20:05.123Z");
        assert_eq!(UnixMillis(0).to_rfc3339(), "1970-01-01T00:00:00.000Z");
    }
}
