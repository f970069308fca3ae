//! Figures for people.

/// A number of things: `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Something a second: `1,234,567`, or `12.3` where there are few.
pub fn rate(number: f64) -> String {
    match number {
        n if n < 10.0 => format!("{n:.2}"),
        n if n < 100.0 => format!("{n:.1}"),
        n => count(n.round() as u64),
    }
}

/// A number with three digits or a bit more, and its unit.
fn scaled(value: f64, units: &[(&str, f64)]) -> String {
    let found = units.iter().rev().find(|(_, of)| value >= *of).unwrap_or(&units[0]);
    let value = value / found.1;
    let digits = match value {
        v if v >= 99.95 || v == v.trunc() && found.1 == 1.0 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.digits$} {}", found.0)
}

/// A duration: `87 ns`, `1.23 µs`, `45.6 ms`, `7.00 s`.
pub fn nanos(nanos: f64) -> String {
    scaled(nanos, &[("ns", 1.0), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)])
}

/// A size: `512 B`, `1.50 MiB`.
pub fn bytes(bytes: f64) -> String {
    const K: f64 = 1024.0;
    let units = [("B", 1.0), ("KiB", K), ("MiB", K * K), ("GiB", K * K * K), ("TiB", K.powi(4))];
    scaled(bytes, &units)
}

/// How much a value is of another: `0.81×`, `12.3×`, `123×`.
pub fn ratio(ratio: f64) -> String {
    match ratio {
        r if r < 9.995 => format!("{r:.2}×"),
        r if r < 99.95 => format!("{r:.1}×"),
        r => format!("{r:.0}×"),
    }
}

/// So many of something, in words: `1 thread`, `8 threads`.
pub fn plural(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {one}s", count(number)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_and_have_units() {
        let counts = [0, 999, 1_000, 1_234_567].map(count);
        assert_eq!(counts, ["0", "999", "1,000", "1,234,567"]);
        let times = [7.0, 87.4, 1_234.0, 45_600_000.0, 7e9, 999_999.0].map(nanos);
        assert_eq!(times, ["7 ns", "87.4 ns", "1.23 µs", "45.6 ms", "7.00 s", "1000 µs"]);
        let sizes = [0.0, 512.0, 1536.0, 104_857_600.0].map(bytes);
        assert_eq!(sizes, ["0 B", "512 B", "1.50 KiB", "100 MiB"]);
        assert_eq!([0.814, 12.34, 1234.0].map(ratio), ["0.81×", "12.3×", "1234×"]);
        assert_eq!([1.234, 12.34, 12_345.6].map(rate), ["1.23", "12.3", "12,346"]);
        assert_eq!([plural(1, "thread"), plural(8, "thread")], ["1 thread", "8 threads"]);
    }
}
