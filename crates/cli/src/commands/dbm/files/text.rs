//! Bytes as text: with control characters as C writes them, as spaces, or as
//! hex digits. In the forms of Tkrzw's utilities, which read what is written
//! here and the other way round.

/// The characters that have a letter of their own.
const LETTERS: [(u8, u8); 7] = [
    (0x07, b'a'),
    (0x08, b'b'),
    (b'\t', b't'),
    (b'\n', b'n'),
    (0x0b, b'v'),
    (0x0c, b'f'),
    (b'\r', b'r'),
];

/// The bytes with control characters and backslashes escaped.
pub(in super::super) fn escape(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    escape_into(bytes, &mut text);
    text
}

pub(in super::super) fn escape_into(bytes: &[u8], text: &mut Vec<u8>) {
    for (i, &byte) in bytes.iter().enumerate() {
        if let Some((_, letter)) = LETTERS.iter().find(|(control, _)| *control == byte) {
            text.extend([b'\\', *letter]);
            continue;
        }
        match byte {
            b'\\' => text.extend(b"\\\\"),
            // A digit after it would be taken for one more of it.
            0 if !matches!(bytes.get(i + 1), Some(b'0'..=b'7')) => text.extend(b"\\0"),
            0..=0x1f | 0x7f => {
                text.extend(b"\\x");
                text.extend(digits(byte));
            }
            _ => text.push(byte),
        }
    }
}

/// What [`escape`] was given, and whatever else C's escapes say.
pub(in super::super) fn unescape(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let Some((&letter, after)) = rest.split_first() else {
            return Err("it ends with a single backslash".to_owned());
        };
        if let Some((control, _)) = LETTERS.iter().find(|(_, known)| *known == letter) {
            bytes.push(*control);
            rest = after;
            continue;
        }
        rest = match letter {
            b'x' => number(after, 16, 2, &mut bytes)?,
            b'0'..=b'7' => number(rest, 8, 3, &mut bytes)?,
            // C has it for quotes; anything else that has no other meaning is itself.
            _ if !letter.is_ascii_alphanumeric() => {
                bytes.push(letter);
                after
            }
            _ => return Err(format!("\\{} is no escape", char::from(letter))),
        };
    }
    Ok(bytes)
}

/// Takes a byte of at most so many digits off the beginning.
fn number<'a>(
    text: &'a [u8],
    radix: u32,
    digits_max: usize,
    bytes: &mut Vec<u8>,
) -> Result<&'a [u8], String> {
    let digits = text.iter().take(digits_max).map_while(|d| char::from(*d).to_digit(radix));
    let (count, value) = digits.fold((0, 0), |(count, value), d| (count + 1, value * radix + d));
    match u8::try_from(value) {
        _ if count == 0 => Err("\\x has no hex digit after it".to_owned()),
        Ok(byte) => {
            bytes.push(byte);
            Ok(&text[count..])
        }
        Err(_) => Err(format!("\\{value:o} is more than a byte can be")),
    }
}

/// The bytes on one line of a terminal: control characters are spaces. Tabs stay
/// in a value.
pub(in super::super) fn plain(bytes: &[u8], keep_tabs: bool) -> Vec<u8> {
    let shown = |byte: &u8| match *byte {
        b'\t' if keep_tabs => b'\t',
        0..=0x1f | 0x7f => b' ',
        byte => byte,
    };
    bytes.iter().map(shown).collect()
}

fn digits(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0xf)]]
}

/// The bytes as hex digits.
pub(in super::super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| digits(*byte)).map(char::from).collect()
}

/// The bytes that hex digits say; spaces between them are all right.
pub(in super::super) fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.iter().filter(|byte| !byte.is_ascii_whitespace());
    let values = digits.map(|d| char::from(*d).to_digit(16)).collect::<Option<Vec<u32>>>()?;
    let pairs = values.chunks_exact(2);
    pairs.remainder().is_empty().then(|| pairs.map(|pair| (pair[0] << 4 | pair[1]) as u8).collect())
}
