//! Writes the parts that encoded batches are made of.

/// Bytes that grow.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// One with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// Raw bytes.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// One byte.
    pub fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// A number in eight bytes.
    pub fn fixed(&mut self, number: u64) {
        self.raw(&number.to_le_bytes());
    }

    /// A number in as many bytes as it needs (LEB128).
    pub fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.byte(number as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8);
    }

    /// A length and as many bytes of UTF-8.
    pub fn text(&mut self, text: &str) {
        self.varint(text.len() as u64);
        self.raw(text.as_bytes());
    }

    /// One bit for each of `bits`, the lowest first.
    pub fn bitmap(&mut self, bits: impl Iterator<Item = bool>) {
        let mut byte = 0;
        let mut filled = 0;
        for bit in bits {
            byte |= u8::from(bit) << filled;
            filled += 1;
            if filled == 8 {
                self.byte(byte);
                (byte, filled) = (0, 0);
            }
        }
        if filled > 0 {
            self.byte(byte);
        }
    }

    /// All that was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
