//! Times as people and RFC 3339 write them.

use hozo_traits::{Result, Timestamp};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

use super::malformed;

/// The moment that a text names: RFC 3339, and shorter: the seconds, the
/// fraction, the offset and the time of day may be left out. `T` may be a space.
/// Without an offset it is UTC; without a time of day, midnight. Digits beyond
/// microseconds are cut off.
pub fn parse_time(s: &str) -> Result<Timestamp> {
    let mut rest = Rest { given: s, rest: s };
    let date = rest.date()?;
    let mut time = Time::midnight();
    let mut offset = Offset::UTC;
    if !rest.rest.is_empty() {
        if !rest.eat(&['T', 't', ' ']) {
            return Err(malformed(s, "a 'T' or a space comes between date and time of day"));
        }
        time = rest.time()?;
        offset = rest.offset()?;
    }
    let moment = offset
        .to_timestamp(DateTime::from_parts(date, time))
        .map_err(|_| malformed(s, "this time is further away than can be said"))?;
    u64::try_from(moment.as_microsecond())
        .map(Timestamp::from_micros)
        .map_err(|_| malformed(s, "times begin with 1970"))
}

/// The moment in RFC 3339, in UTC, with as many digits after the second as it
/// needs. [`parse_time`] reads it back.
pub fn format_time(time: Timestamp) -> String {
    let moment = i64::try_from(time.as_micros()).ok().map(jiff::Timestamp::from_microsecond);
    match moment {
        Some(Ok(moment)) => moment.to_string(),
        _ => "the year 10000 or later".to_owned(),
    }
}

/// What is still to be parsed.
struct Rest<'a> {
    given: &'a str,
    rest: &'a str,
}

impl Rest<'_> {
    fn date(&mut self) -> Result<Date> {
        let shape = "a date is written as 2026-11-21";
        let year = self.number(4, shape)?;
        self.expect('-', shape)?;
        let month = self.number(2, shape)?;
        self.expect('-', shape)?;
        let day = self.number(2, shape)?;
        let date = Date::new(year as i16, month as i8, day as i8);
        date.map_err(|_| malformed(self.given, "the calendar has no such day"))
    }

    fn time(&mut self) -> Result<Time> {
        let shape = "a time of day is written as 09:30, 09:30:00 or 09:30:00.123456";
        let hour = self.number(2, shape)?;
        self.expect(':', shape)?;
        let minute = self.number(2, shape)?;
        let (mut second, mut micros) = (0, 0);
        if self.eat(&[':']) {
            second = self.number(2, shape)?;
            if self.eat(&['.', ',']) {
                micros = self.micros(shape)?;
            }
        }
        Time::new(hour as i8, minute as i8, second as i8, micros * 1000)
            .map_err(|_| malformed(self.given, "the clock has no such time of day"))
    }

    fn micros(&mut self, shape: &str) -> Result<i32> {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 || digits > 9 {
            return Err(malformed(self.given, shape));
        }
        let micros = format!("{:0<6}", &self.rest[..digits.min(6)]);
        self.rest = &self.rest[digits..];
        micros.parse().map_err(|_| malformed(self.given, shape))
    }

    fn offset(&mut self) -> Result<Offset> {
        let shape = "after the time of day comes nothing, Z, or an offset such as +01:00";
        if self.rest.is_empty() {
            return Ok(Offset::UTC);
        }
        let offset = if self.eat(&['Z', 'z']) {
            Offset::UTC
        } else {
            let sign = if self.eat(&['-']) { -1 } else { 1 };
            if sign > 0 {
                self.expect('+', shape)?;
            }
            let hours = self.number(2, shape)?;
            self.expect(':', shape)?;
            let minutes = self.number(2, shape)?;
            if hours > 23 || minutes > 59 {
                return Err(malformed(self.given, shape));
            }
            Offset::from_seconds(sign * (hours * 3600 + minutes * 60))
                .map_err(|_| malformed(self.given, shape))?
        };
        if self.rest.is_empty() { Ok(offset) } else { Err(malformed(self.given, shape)) }
    }

    /// Exactly so many digits; few enough for an i32.
    fn number(&mut self, digits: usize, shape: &str) -> Result<i32> {
        let fits = self.rest.len() >= digits
            && self.rest.as_bytes()[..digits].iter().all(u8::is_ascii_digit);
        if !fits {
            return Err(malformed(self.given, shape));
        }
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        number.parse().map_err(|_| malformed(self.given, shape))
    }

    fn expect(&mut self, c: char, shape: &str) -> Result<()> {
        if self.eat(&[c]) { Ok(()) } else { Err(malformed(self.given, shape)) }
    }

    fn eat(&mut self, any: &[char]) -> bool {
        match self.rest.strip_prefix(any) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
}
