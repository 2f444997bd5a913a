//! The 16-bit element types against the oracle's, which rounds in another way.

use cwgnc::clip::Element;
use cwgnc::oracle::Format;
use proptest::prelude::*;

const NARROW: [(Element, Format); 2] = [(Element::F16, Format::F16), (Element::Bf16, Format::Bf16)];

fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
}

/// Every number of both types, the middle of each pair of neighbours, and what lies next to the middle.
#[test]
fn every_number_and_every_tie() {
    for (element, format) in NARROW {
        for bits in 0..=u16::MAX {
            let x = format.decode(bits);
            assert!(same(element.round(x), x), "{element} {x:e}");
            let next = format.decode(bits.wrapping_add(1));
            let middle = x + (next - x) / 2.0;
            for y in [middle, middle.next_up(), middle.next_down()] {
                assert!(same(element.round(y), format.round(y)), "{element} {y:e}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_number(x in any::<u64>().prop_map(f64::from_bits), y in -1e5..1e5_f64) {
        for (element, format) in NARROW {
            for x in [x, y, y * 1e-9, y * 1e33] {
                prop_assert!(same(element.round(x), format.round(x)), "{} {:e}", element, x);
            }
        }
    }
}
