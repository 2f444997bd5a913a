//! Exact norms against arbitrary precision written out by hand, and against fractions made by Python.

use cwgnc::clip::Statistic;
use cwgnc::oracle::{Data, Format, Slice, Total, norm};
use proptest::prelude::*;

/// A non-negative integer, 32 bits a digit, low to high: slow, short, and nothing like the code under test.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Big(Vec<u32>);

impl Big {
    fn of(mut x: u128) -> Self {
        let mut digits = Vec::new();
        while x > 0 {
            digits.push(x as u32);
            x >>= 32;
        }
        Self(digits)
    }

    fn shifted(&self, bits: usize) -> Self {
        let mut digits = vec![0; bits / 32];
        let mut carry = 0_u64;
        for &digit in &self.0 {
            let wide = (u64::from(digit) << (bits % 32)) | carry;
            digits.push(wide as u32);
            carry = wide >> 32;
        }
        digits.push(carry as u32);
        Self(digits).trimmed()
    }

    fn plus(&self, other: &Self) -> Self {
        let mut carry = 0;
        let digit = |x: &Self, i: usize| u64::from(x.0.get(i).copied().unwrap_or(0));
        let digits = (0..=self.0.len().max(other.0.len())).map(|i| {
            let sum = digit(self, i) + digit(other, i) + carry;
            carry = sum >> 32;
            sum as u32
        });
        Self(digits.collect()).trimmed()
    }

    fn squared(&self) -> Self {
        let mut square = Self(Vec::new());
        for (i, &a) in self.0.iter().enumerate() {
            for (j, &b) in self.0.iter().enumerate() {
                let product = Self::of(u128::from(a) * u128::from(b));
                square = square.plus(&product.shifted(32 * (i + j)));
            }
        }
        square
    }

    fn trimmed(mut self) -> Self {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        self
    }

    fn at_most(&self, other: &Self) -> bool {
        self.0
            .len()
            .cmp(&other.0.len())
            .then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
            .is_le()
    }
}

/// A finite `f64` as an integer multiple of 2^-1074.
fn grid(x: f64) -> Big {
    let bits = x.abs().to_bits();
    let field = (bits >> 52) as usize;
    let fraction = bits & ((1 << 52) - 1);
    if field == 0 {
        return Big::of(u128::from(fraction));
    }
    Big::of(u128::from(fraction | 1 << 52)).shifted(field - 1)
}

/// `Σx²` as a multiple of 2^-2148.
fn squares(x: &[f64]) -> Big {
    x.iter()
        .fold(Big(Vec::new()), |sum, &x| sum.plus(&grid(x).squared()))
}

/// Any number of a format, by its bits, so that subnormals and extremes occur by construction.
fn element(format: Format) -> impl Strategy<Value = f64> {
    let top = format.ordinal(format.max());
    let anywhere = (-top..=top).prop_map(move |ordinal| format.from_ordinal(ordinal));
    let near_one = (-2.0..2.0_f64).prop_map(move |x| format.round(x));
    prop_oneof![anywhere, near_one]
}

fn vector() -> impl Strategy<Value = (Format, Vec<f64>)> {
    prop::sample::select(Format::ALL.to_vec())
        .prop_flat_map(|format| (Just(format), prop::collection::vec(element(format), 0..40)))
}

proptest! {
    /// lo² <= Σx² <= hi², with lo and hi equal or neighbours.
    #[test]
    fn the_interval_encloses_the_root((format, x) in vector()) {
        let data = Data::round(format, x.iter().copied());
        let n = norm(Statistic::L2, data.slice(0..x.len()));
        let sum = squares(&x);
        prop_assert!(grid(n.interval.lo).squared().at_most(&sum));
        if n.interval.hi.is_finite() {
            prop_assert!(sum.at_most(&grid(n.interval.hi).squared()));
        }
        prop_assert!(n.interval.hi == n.interval.lo || n.interval.hi == n.interval.lo.next_up());
        prop_assert!(n.interval.lo == n.interval.hi || grid(n.interval.lo).squared() != sum);
        // To nearest: the sum against the square of the midpoint, everything doubled.
        if let (Some(nearest), true) = (n.nearest, n.interval.hi.is_finite()) {
            let midpoint = grid(n.interval.lo).plus(&grid(n.interval.hi));
            let upper = midpoint.squared().at_most(&sum.shifted(2));
            let expected = if upper { n.interval.hi } else { n.interval.lo };
            let tie = midpoint.squared() == sum.shifted(2);
            prop_assert!(nearest == expected || tie);
        }
    }

    /// Σ|x| likewise.
    #[test]
    fn the_sum_of_magnitudes_is_enclosed((format, x) in vector()) {
        let data = Data::round(format, x.iter().copied());
        let n = norm(Statistic::L1, data.slice(0..x.len())).interval;
        let sum = x.iter().fold(Big(Vec::new()), |sum, &x| sum.plus(&grid(x)));
        prop_assert!(grid(n.lo).at_most(&sum));
        prop_assert!(n.hi.is_infinite() || sum.at_most(&grid(n.hi)));
        prop_assert!(n.lo == n.hi || grid(n.lo) != sum && n.hi == n.lo.next_up());
    }

    /// However the elements are permuted and cut into shards, the total is the same bit for bit.
    #[test]
    fn shards_leave_no_trace((format, x) in vector(), cut in 0..40_usize, turn in 0..40_usize) {
        for statistic in [Statistic::L2, Statistic::L1, Statistic::MAX, Statistic::Rms, Statistic::Mean] {
            let whole = Total::of(statistic, Data::round(format, x.iter().copied()).slice(0..x.len()));
            let mut turned = x.clone();
            turned.rotate_left(turn.min(x.len()));
            let data = Data::round(format, turned.iter().map(|x| -x));
            let cut = cut.min(x.len());
            let mut merged = Total::of(statistic, data.slice(cut..x.len()));
            merged.add(data.slice(0..cut));
            prop_assert_eq!(&merged, &whole);
            prop_assert_eq!(merged.norm(), whole.norm());
        }
    }

    /// f16 and bf16 values are f32 values: the norm does not depend on the type that they are stored in.
    #[test]
    fn the_type_of_storage_does_not_matter((format, x) in vector()) {
        let own = norm(Statistic::L2, Data::round(format, x.iter().copied()).slice(0..x.len()));
        prop_assert_eq!(own, norm(Statistic::L2, Slice::F64(&x)));
    }

    /// Other p: inside its interval lies what a plain f64 evaluation gives, to rounding.
    #[test]
    fn other_powers(x in prop::collection::vec(-3.0..3.0_f64, 1..20), p in 0.3..9.0_f64) {
        let n = norm(Statistic::Norm(p), Slice::F64(&x)).interval;
        let plain = x.iter().map(|x| x.abs().powf(p)).sum::<f64>().powf(1.0 / p);
        prop_assert!(n.lo <= n.hi);
        prop_assert!((plain / n.lo - 1.0).abs() < 1e-12 && (plain / n.hi - 1.0).abs() < 1e-12, "{plain} {n:?}");
    }
}

/// Blocks, turns and their remainders: n ones have the norm √n; with alternating signs and at subnormal size too.
#[test]
fn sizes_around_the_blocks() {
    for n in [0, 1, 3, 4, 5, 65535, 65536, 65537, 200_000] {
        let tiny = f64::from(f32::from_bits(1));
        let x: Vec<f32> = (0..n)
            .map(|i| {
                if i % 2 == 0 {
                    f32::from_bits(1)
                } else {
                    -f32::from_bits(1)
                }
            })
            .collect();
        let root = (n as f64).sqrt() * tiny;
        assert_eq!(norm(Statistic::L2, Slice::F32(&x)).nearest, Some(root), "{n}");
        let full = vec![f32::MAX; n];
        let max = f64::from(f32::MAX);
        let got = norm(Statistic::L1, Slice::F32(&full)).nearest.expect("exact");
        assert_eq!(got, n as f64 * max, "{n} times the largest f32, 24 + 18 bits");
    }
}

/// Rounding to every format goes through the exact value: 2049 in f16 is a tie (to 2048), a little more is not.
#[test]
fn the_norm_is_rounded_once() {
    let tie = norm(Statistic::L2, Slice::F64(&[2049.0]));
    assert_eq!(tie.round(Format::F16).lo, 2048.0);
    let above = norm(Statistic::L2, Slice::F64(&[2049.0, 1e-100]));
    assert_eq!(above.nearest, Some(2049.0), "the f64 cannot see it");
    assert_eq!(above.round(Format::F16).lo, 2050.0, "the exact sum can");
}

/// Every pattern of the 16-bit formats, decoded, and the f32 at and around every midpoint, encoded, against the `half` crate.
/// Not its `from_f64`: that drops the lower half of the mantissa first, and so rounds 2⁻²⁵(1 + 2⁻⁵²) to 0.
#[cfg(feature = "checkpoint")]
#[test]
fn conversions_agree_with_half() {
    use half::{bf16, f16};
    let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
    for bits in 0..=u16::MAX {
        let (a, b) = (f16::from_bits(bits), bf16::from_bits(bits));
        assert!(same(Format::F16.decode(bits), a.to_f64()), "{bits:#x}");
        assert!(same(Format::Bf16.decode(bits), b.to_f64()), "{bits:#x}");
        for (format, value) in [(Format::F16, a.to_f64()), (Format::Bf16, b.to_f64())] {
            if value.is_nan() {
                assert!(format.decode(format.encode(value)).is_nan());
                continue;
            }
            assert_eq!(format.encode(value), bits);
            // The midpoint to the next number, and its two neighbours in f32.
            let next = format.from_ordinal(format.ordinal(value) + 1);
            let middle = if next.is_finite() {
                f64::midpoint(value, next)
            } else {
                value * 1.001
            };
            let middle = middle as f32;
            for x in [middle, middle.next_up(), middle.next_down()] {
                let half = match format {
                    Format::F16 => f16::from_f32(x).to_f64(),
                    _ => bf16::from_f32(x).to_f64(),
                };
                let x = f64::from(x);
                assert!(same(format.round(x), half), "{format} {x:e}: {half:e}");
                assert!(same(format.decode(format.encode(x)), half), "{format} {x:e}");
            }
        }
    }
}

/// `fixtures/oracle_norms.json`, made by `fixtures/make/oracle_norms.py` with Python's fractions and integer roots.
#[cfg(feature = "checkpoint")]
#[test]
fn norms_from_python() {
    let text = std::fs::read_to_string(crate::scratch::fixture("oracle_norms.json")).expect("the fixture");
    let cases: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let number = |value: &serde_json::Value| {
        let bits = u64::from_str_radix(value.as_str().expect("hex"), 16).expect("hex");
        f64::from_bits(bits)
    };
    let cases = cases["cases"].as_array().expect("cases");
    assert!(cases.len() > 100);
    for case in cases {
        let x: Vec<f64> = case["x"].as_array().expect("x").iter().map(number).collect();
        let format: Format = case["format"].as_str().expect("format").parse().expect("format");
        let data = Data::round(format, x.iter().copied());
        for (key, statistic) in [
            ("l1", Statistic::L1),
            ("l2", Statistic::L2),
            ("rms", Statistic::Rms),
            ("mean", Statistic::Mean),
        ] {
            let n = norm(statistic, data.slice(0..x.len()));
            let expected = &case[key];
            assert_eq!(n.nearest, Some(number(&expected["nearest"])), "{key} of {case}");
            assert_eq!(n.interval.lo, number(&expected["down"]), "{key} of {case}");
            for other in Format::ALL {
                let rounded = number(&expected[other.name()]);
                assert_eq!(n.round(other).lo, rounded, "{key} in {other} of {case}");
            }
        }
        for (p, bounds) in case["powers"].as_object().expect("powers") {
            let n = norm(Statistic::Norm(p.parse().expect("p")), data.slice(0..x.len())).interval;
            let (lo, hi) = (number(&bounds[0]), number(&bounds[1]));
            assert!(n.lo <= hi && lo <= n.hi, "p = {p}: {n:?} and [{lo:e}, {hi:e}]");
            assert!(n.hi - n.lo <= 1e-11 * n.hi + 1e-322, "p = {p}: {n:?} is wide");
        }
    }
}
