//! Does this machine give the reference's bits? Numbers that every machine must agree on, and the first that does not.
//!
//! Products are held against their definition ([`specification`]). All else has its bits written down: functions, fresh
//! weights, what the layers of three small models compute forward and backward, and a few steps of training. The list,
//! `reference.txt`, goes from what is simple to what is made of it, so that the first difference names the cause.
//! `cwgnc verify-machine` is this module as a command; `docs/numerics.md` has the promise.

mod functions;
mod training;

use crate::gemm::specification::{self, ProductDifference};
use crate::random::{GOLDEN, mix};
use std::fmt;

/// One entry of the list: some numbers, their bits as a hash, and their sum to be looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    /// Where it comes from: `exp in float32`, `BERT float32, step 2, gradient of classifier.bias`.
    pub name: String,
    /// A hash of the bits of all of them, as `f64`.
    pub hash: u64,
    /// Their sum, in order.
    pub sum: f64,
}

impl Number {
    fn new(name: String, values: impl IntoIterator<Item = f64>) -> Self {
        let (mut hash, mut sum) = (GOLDEN, 0.0);
        for x in values {
            hash = mix(hash ^ x.to_bits()).wrapping_add(GOLDEN);
            sum += x;
        }
        Self { name, hash, sum }
    }
}

/// `hash sum name`, a line of `reference.txt`.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x} {:e} {}", self.hash, self.sum, self.name)
    }
}

/// All numbers of the list as this machine computes them, each when it is asked for.
pub fn numbers() -> impl Iterator<Item = Number> {
    functions::numbers().chain(training::numbers())
}

/// The list as it must be.
pub const REFERENCE: &str = include_str!("reference.txt");

/// The first number that is not the reference's.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// A product leaves its definition.
    Product(ProductDifference),
    /// A number of the list.
    Number {
        /// What came out.
        found: Number,
        /// The line of the list.
        expected: String,
    },
    /// The list ends before the numbers, or after them: this program's list is not its own.
    Length {
        /// Lines of the list.
        expected: usize,
        /// Numbers that there are.
        found: usize,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Product(ProductDifference {
                product,
                place: (row, column),
                found,
                expected,
            }) => write!(
                f,
                "product {product}: element ({row}, {column}) is {found:e}, by its definition {expected:e}"
            ),
            Self::Number { found, expected } => {
                let sum = expected.split(' ').nth(1).unwrap_or_default();
                write!(f, "{}: sum {:e}, in the reference {sum}", found.name, found.sum)?;
                let is_close = format!("{:e}", found.sum) == sum;
                f.write_str(if is_close { "; their bits differ" } else { "" })
            }
            Self::Length { expected, found } => {
                write!(f, "{found} numbers, in the reference {expected}")
            }
        }
    }
}

/// Compares this machine with the reference, and says how many numbers agreed.
///
/// # Errors
/// The first difference.
pub fn check() -> Result<usize, Difference> {
    check_against(REFERENCE)
}

/// [`check`] against another list.
///
/// # Errors
/// The first difference.
pub fn check_against(reference: &str) -> Result<usize, Difference> {
    let products = [
        specification::first_difference::<f32>(),
        specification::first_difference::<f64>(),
    ];
    if let Some(difference) = products.into_iter().flatten().next() {
        return Err(Difference::Product(difference));
    }
    let mut lines = reference.lines();
    let mut same = 2;
    for found in numbers() {
        let expected = lines.next().ok_or(Difference::Length {
            expected: reference.lines().count(),
            found: same - 1,
        })?;
        if found.to_string() != expected {
            let expected = expected.to_owned();
            return Err(Difference::Number { found, expected });
        }
        same += 1;
    }
    match lines.count() {
        0 => Ok(same),
        more => Err(Difference::Length {
            expected: same - 2 + more,
            found: same - 2,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_the_first_number() {
        let lines: Vec<&str> = REFERENCE.lines().collect();
        assert!(lines.len() > 100, "{}", lines.len());
        let changed: Vec<String> = (0..lines.len())
            .map(|i| lines[i].replacen(&lines[i][..1], if i >= 40 { "g" } else { &lines[i][..1] }, 1))
            .collect();
        let Err(Difference::Number { found, expected }) = check_against(&changed.join("\n")) else {
            panic!("the 41st line differs");
        };
        assert_eq!(expected, changed[40]);
        assert!(lines[40].ends_with(&found.name));
        assert_eq!(
            check_against(&lines[..lines.len() - 1].join("\n")),
            Err(Difference::Length {
                expected: lines.len() - 1,
                found: lines.len()
            })
        );
        assert_eq!(
            check_against(&format!("{REFERENCE}0 0 more\n")),
            Err(Difference::Length {
                expected: lines.len() + 1,
                found: lines.len()
            })
        );
    }

    /// Order and signs count.
    #[test]
    fn a_hash_sees_every_bit() {
        let hash = |x: &[f64]| Number::new(String::new(), x.iter().copied()).hash;
        let all = [
            hash(&[]),
            hash(&[0.0]),
            hash(&[-0.0]),
            hash(&[1.0, 2.0]),
            hash(&[2.0, 1.0]),
            hash(&[1.0, 2.0_f64.next_up()]),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|b| a != b));
        }
    }
}
