//! Named tensors in any of the four formats, as the oracle reads them.

use super::format::{Format, same};

/// The elements of a tensor, in row-major order. The 16-bit formats are kept as bit patterns.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// binary16 patterns.
    F16(Vec<u16>),
    /// bfloat16 patterns.
    Bf16(Vec<u16>),
    /// binary32.
    F32(Vec<f32>),
    /// binary64.
    F64(Vec<f64>),
}

/// A named tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The parameter's name.
    pub name: String,
    /// Its shape; the product is the number of elements.
    pub shape: Vec<usize>,
    /// Its elements.
    pub data: Data,
}

/// A part of a tensor's elements.
#[derive(Clone, Copy, Debug)]
pub enum Slice<'a> {
    /// binary16 patterns.
    F16(&'a [u16]),
    /// bfloat16 patterns.
    Bf16(&'a [u16]),
    /// binary32.
    F32(&'a [f32]),
    /// binary64.
    F64(&'a [f64]),
}

impl Data {
    /// The values, rounded to nearest into the format.
    pub fn round(format: Format, values: impl IntoIterator<Item = f64>) -> Self {
        let values = values.into_iter();
        match format {
            Format::F16 => Self::F16(values.map(|x| format.encode(x)).collect()),
            Format::Bf16 => Self::Bf16(values.map(|x| format.encode(x)).collect()),
            Format::F32 => Self::F32(values.map(|x| x as f32).collect()),
            Format::F64 => Self::F64(values.collect()),
        }
    }

    /// The element type.
    pub fn format(&self) -> Format {
        match self {
            Self::F16(_) => Format::F16,
            Self::Bf16(_) => Format::Bf16,
            Self::F32(_) => Format::F32,
            Self::F64(_) => Format::F64,
        }
    }

    /// Elements.
    pub fn len(&self) -> usize {
        match self {
            Self::F16(x) | Self::Bf16(x) => x.len(),
            Self::F32(x) => x.len(),
            Self::F64(x) => x.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An element, exact.
    #[inline]
    pub fn get(&self, i: usize) -> f64 {
        match self {
            Self::F16(x) => Format::F16.decode(x[i]),
            Self::Bf16(x) => Format::Bf16.decode(x[i]),
            Self::F32(x) => f64::from(x[i]),
            Self::F64(x) => x[i],
        }
    }

    /// Writes an element, rounded to nearest.
    pub fn set(&mut self, i: usize, value: f64) {
        match self {
            Self::F16(x) => x[i] = Format::F16.encode(value),
            Self::Bf16(x) => x[i] = Format::Bf16.encode(value),
            Self::F32(x) => x[i] = value as f32,
            Self::F64(x) => x[i] = value,
        }
    }

    /// The elements as bytes, little-endian, one after the other.
    pub fn to_le_bytes(&self) -> Vec<u8> {
        match self {
            Self::F16(x) | Self::Bf16(x) => x.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Self::F32(x) => x.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Self::F64(x) => x.iter().flat_map(|x| x.to_le_bytes()).collect(),
        }
    }

    /// Elements from such bytes; what does not fill an element is left over.
    pub fn from_le_bytes(format: Format, bytes: &[u8]) -> Self {
        let halves = || bytes.as_chunks().0.iter().map(|b| u16::from_le_bytes(*b));
        let single = |b: &[u8; 4]| f32::from_le_bytes(*b);
        let double = |b: &[u8; 8]| f64::from_le_bytes(*b);
        match format {
            Format::F16 => Self::F16(halves().collect()),
            Format::Bf16 => Self::Bf16(halves().collect()),
            Format::F32 => Self::F32(bytes.as_chunks().0.iter().map(single).collect()),
            Format::F64 => Self::F64(bytes.as_chunks().0.iter().map(double).collect()),
        }
    }

    /// The elements of a range.
    pub fn slice(&self, range: std::ops::Range<usize>) -> Slice<'_> {
        match self {
            Self::F16(x) => Slice::F16(&x[range]),
            Self::Bf16(x) => Slice::Bf16(&x[range]),
            Self::F32(x) => Slice::F32(&x[range]),
            Self::F64(x) => Slice::F64(&x[range]),
        }
    }

    /// All elements as `f64`, exact.
    pub fn values(&self) -> Vec<f64> {
        (0..self.len()).map(|i| self.get(i)).collect()
    }
}

impl Tensor {
    /// A tensor whose values are rounded to nearest into the format.
    ///
    /// # Panics
    /// If the shape does not hold the number of values.
    pub fn new(name: &str, shape: &[usize], format: Format, values: &[f64]) -> Self {
        assert_eq!(
            shape.iter().product::<usize>(),
            values.len(),
            "shape and values of `{name}`"
        );
        Self {
            name: name.to_owned(),
            shape: shape.to_vec(),
            data: Data::round(format, values.iter().copied()),
        }
    }

    /// A vector.
    pub fn vector(name: &str, format: Format, values: &[f64]) -> Self {
        Self::new(name, &[values.len()], format, values)
    }

    /// The same name and shape with other values, rounded to nearest.
    pub fn with(&self, values: impl IntoIterator<Item = f64>) -> Self {
        Self {
            name: self.name.clone(),
            shape: self.shape.clone(),
            data: Data::round(self.data.format(), values),
        }
    }

    /// Whether name, shape, format and all bits agree; NaN counts as equal to NaN, +0 differs from -0.
    pub fn same_bits(&self, other: &Self) -> bool {
        self.name == other.name
            && self.shape == other.shape
            && self.data.format() == other.data.format()
            && (0..self.data.len()).all(|i| same(self.data.get(i), other.data.get(i)))
    }
}

impl Slice<'_> {
    /// The element type.
    pub fn format(self) -> Format {
        match self {
            Self::F16(_) => Format::F16,
            Self::Bf16(_) => Format::Bf16,
            Self::F32(_) => Format::F32,
            Self::F64(_) => Format::F64,
        }
    }

    /// Elements.
    pub fn len(self) -> usize {
        match self {
            Self::F16(x) | Self::Bf16(x) => x.len(),
            Self::F32(x) => x.len(),
            Self::F64(x) => x.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// An element, exact.
    pub fn get(self, i: usize) -> f64 {
        match self {
            Self::F16(x) => Format::F16.decode(x[i]),
            Self::Bf16(x) => Format::Bf16.decode(x[i]),
            Self::F32(x) => f64::from(x[i]),
            Self::F64(x) => x[i],
        }
    }

    /// The elements as `f64`, exact.
    pub fn iter(self) -> impl Iterator<Item = f64> {
        (0..self.len()).map(move |i| self.get(i))
    }
}
