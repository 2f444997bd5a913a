//! Event files of `TensorBoard`: numbers by step.
//!
//! A file is a sequence of `TFRecords`: length (8 bytes, little-endian), masked CRC-32C of the length, data, masked CRC-32C of
//! the data. The data are `Event` messages of protocol buffers; the first one names the version.

/// Numbers of one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    /// The step.
    pub step: u64,
    /// Tags with their numbers.
    pub values: Vec<(String, f32)>,
}

/// The bytes of an event file.
///
/// An event's wall time is its step in seconds after 1970-01-01, so that the bytes are a function of the numbers; the version
/// stands at time 0.
///
/// # Examples
/// ```
/// use cwgnc::report::tensorboard::{Event, tensorboard};
///
/// let event = Event { step: 1, values: vec![("train/loss".into(), 0.5)] };
/// let bytes = tensorboard(&[event]);
/// assert_eq!(bytes[..8], 15_u64.to_le_bytes());
/// ```
pub fn tensorboard(events: &[Event]) -> Vec<u8> {
    let mut version = Vec::new();
    text(&mut version, 3, b"brain.Event:2");
    let mut file = record(&version);
    for event in events {
        file.extend(record(&message(event)));
    }
    file
}

/// `Event { double wall_time = 1; int64 step = 2; Summary summary = 5; }`; a field that is 0 is not written.
fn message(event: &Event) -> Vec<u8> {
    let mut message = Vec::new();
    if event.step > 0 {
        message.push(1 << 3 | 1);
        message.extend((event.step as f64).to_le_bytes());
        message.push(2 << 3);
        varint(&mut message, event.step);
    }
    let mut summary = Vec::new();
    for (tag, value) in &event.values {
        // `Summary { repeated Value value = 1; }`, `Value { string tag = 1; float simple_value = 2; }`
        let mut one = Vec::new();
        text(&mut one, 1, tag.as_bytes());
        one.push(2 << 3 | 5);
        one.extend(value.to_le_bytes());
        text(&mut summary, 1, &one);
    }
    text(&mut message, 5, &summary);
    message
}

/// A field of bytes: its key, their length, they themselves.
fn text(message: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    message.push(field << 3 | 2);
    varint(message, bytes.len() as u64);
    message.extend(bytes);
}

/// Seven bits a byte, the lowest first; all bytes but the last have the highest bit.
fn varint(message: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        message.push(number as u8 | 0x80);
        number >>= 7;
    }
    message.push(number as u8);
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = length.to_vec();
    record.extend(masked(&length).to_le_bytes());
    record.extend(data);
    record.extend(masked(data).to_le_bytes());
    record
}

/// The checksum as `TFRecord` stores it: rotated, and a constant added, lest checksums of checksums be taken.
fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli; RFC 3720), bits in reversed order.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, &byte| {
        crc >> 8 ^ TABLE[usize::from(crc as u8 ^ byte)]
    })
}

/// The remainder that each byte leaves.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of the catalogues, and those of RFC 3720, B.4: 32 bytes of 0, of 0xff, and from 0 to 31.
    #[test]
    fn published_checksums() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        let rising: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&rising), 0x46dd_794e);
    }

    #[test]
    fn numbers_of_several_bytes() {
        let written = |number| {
            let mut bytes = Vec::new();
            varint(&mut bytes, number);
            bytes
        };
        // 300 = 2 * 128 + 44, and 44 with the highest bit is 0xac.
        assert_eq!((written(127), written(300)), (vec![127], vec![0xac, 2]));
        assert_eq!(written(u64::MAX).len(), 10);
    }
}
