//! The small binary vocabulary of our own records: varints, texts, options. Reading never trusts a length.

use std::sync::Arc;

/// Why bytes could not be read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Appends to a growing buffer.
#[derive(Debug, Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// LEB128.
    pub(crate) fn unsigned(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push((n as u8) | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
    }

    /// Zigzag LEB128.
    pub(crate) fn signed(&mut self, n: i64) {
        self.unsigned(((n << 1) ^ (n >> 63)).cast_unsigned());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.unsigned(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match value {
            None => self.byte(0),
            Some(value) => {
                self.byte(1);
                write(self, value);
            }
        }
    }

    pub(crate) fn optional_text(&mut self, text: Option<&str>) {
        self.option(text, |w, text| w.text(text));
    }
}

/// Reads what [`Writer`] wrote.
#[derive(Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        let (&first, rest) = self.0.split_first().ok_or(Malformed("it ends early"))?;
        self.0 = rest;
        Ok(first)
    }

    pub(crate) fn unsigned(&mut self) -> Result<u64, Malformed> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(n);
            }
        }
        Err(Malformed("a number is too long"))
    }

    pub(crate) fn unsigned_32(&mut self) -> Result<u32, Malformed> {
        self.unsigned()?.try_into().map_err(|_| Malformed("a number is too large"))
    }

    pub(crate) fn signed(&mut self) -> Result<i64, Malformed> {
        let n = self.unsigned()?;
        Ok((n >> 1).cast_signed() ^ -((n & 1).cast_signed()))
    }

    pub(crate) fn slice(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.unsigned()?).map_err(|_| Malformed("a length is too large"))?;
        if length > self.0.len() {
            return Err(Malformed("it ends within a text"));
        }
        let (slice, rest) = self.0.split_at(length);
        self.0 = rest;
        Ok(slice)
    }

    pub(crate) fn text(&mut self) -> Result<Arc<str>, Malformed> {
        std::str::from_utf8(self.slice()?).map(Arc::from).map_err(|_| Malformed("a text is not UTF-8"))
    }

    pub(crate) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        match self.byte()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(Malformed("an option is neither absent nor present")),
        }
    }

    pub(crate) fn optional_text(&mut self) -> Result<Option<Arc<str>>, Malformed> {
        self.option(Self::text)
    }

    /// That nothing is left over.
    pub(crate) fn finish(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed("it is longer than it should be")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for n in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut writer = Writer::default();
            writer.unsigned(n);
            assert_eq!(Reader(&writer.0).unsigned(), Ok(n));
        }
        for n in [0, 1, -1, 63, -64, 1_700_000_000_000, i64::MIN, i64::MAX] {
            let mut writer = Writer::default();
            writer.signed(n);
            assert_eq!(Reader(&writer.0).signed(), Ok(n));
        }
    }

    #[test]
    fn short_input_is_an_error_and_not_a_panic() {
        assert!(Reader(&[]).byte().is_err());
        assert!(Reader(&[0x80; 20]).unsigned().is_err());
        assert!(Reader(&[200, 1, b'x']).text().is_err());
        assert!(Reader(&[2, 0xff, 0xff]).text().is_err());
        assert!(Reader(&[7]).option(Reader::byte).is_err());
    }
}
