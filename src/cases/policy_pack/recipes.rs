//! The recipes, one for each class of cases. They are drawn anew for every number, so that none ever runs out.

use super::super::core_pack::exact_sums;
use super::super::draw::Integers;
use super::super::pack::Class;
use super::maker::{Aim, Fill, Made, Maker};
use super::names::Style;
use super::shapes::{COUNTS, lengths, shape, spread, with_axes};
use crate::oracle::{Format, Tensor};

/// The classes of a round: every class as often as its faults are many.
pub(super) const ROUND: [Class; 23] = [
    Class::Exact,
    Class::Straddle,
    Class::Tail,
    Class::Wide,
    Class::Many,
    Class::NonFinite,
    Class::Layout,
    Class::Tail,
    Class::Empty,
    Class::Magnitude,
    Class::Degenerate,
    Class::Wide,
    Class::Tail,
    Class::Straddle,
    Class::Magnitude,
    Class::Stagnation,
    Class::Many,
    Class::Mixed,
    Class::History,
    Class::Layout,
    Class::NonFinite,
    Class::Tail,
    Class::Wide,
];

impl Maker<'_> {
    /// The gradients of a class.
    pub(super) fn make(&mut self, class: Class) -> Made {
        match class {
            Class::Exact => self.exact(),
            Class::Straddle => self.straddle(),
            Class::Magnitude => self.magnitude(),
            Class::Stagnation => self.stagnation(),
            Class::Tail => self.tail(),
            Class::NonFinite => self.non_finite(),
            Class::Layout => self.layout(),
            Class::Degenerate => self.degenerate(),
            Class::Many => self.many(),
            Class::Empty => self.empty(),
            Class::Mixed => self.mixed(),
            Class::History => Made {
                note: "a step in mid-history",
                ..self.wide()
            },
            Class::Wide | Class::Rule | Class::Mesh => self.wide(),
        }
    }

    fn exact(&mut self) -> Made {
        let integers = Integers::below(&mut self.draw, exact_sums(self.format) / 16.0);
        let names = self.names(Style::Model, 3);
        let length = self.draw.choose(&[6, 7, 20, 33]);
        let tensors = names.iter().zip([0, 1, 1]).map(|(name, doublings)| {
            let x = integers.vector(&mut self.draw, doublings, length);
            let shape = with_axes(&self.template.policy().partition, vec![x.len()]);
            Tensor::new(name, &shape, self.format, &x)
        });
        Made {
            note: "integers: every partial sum of squares is exact in any order",
            before: tensors.collect(),
            aim: Aim::Ratio([0.5, 1.0, 0.25, 0.75, 2.0][self.k % 5]),
            focus: 0,
        }
    }

    fn straddle(&mut self) -> Made {
        const AIMS: [(Aim, &str); 10] = [
            (Aim::Neighbour(0), "the threshold is the norm"),
            (Aim::Neighbour(-1), "the threshold is one step below the norm"),
            (Aim::Neighbour(1), "the threshold is one step above the norm"),
            (
                Aim::Offset(5e-7),
                "the norm is below the threshold by half of 1e-6",
            ),
            (Aim::Ratio(1.001), "the norm is just below the threshold"),
            (Aim::Ratio(0.999), "the norm is just above the threshold"),
            (
                Aim::Offset(-5e-7),
                "the norm is above the threshold by half of 1e-6",
            ),
            (Aim::Neighbour(-2), "the threshold is two steps below the norm"),
            (Aim::Ratio(0.5), "a small norm, on which an ε shows"),
            (Aim::Ratio(0.9), "the norm is a tenth above the threshold"),
        ];
        let (aim, note) = AIMS[self.k % AIMS.len()];
        let length = self.draw.choose(&[1, 2, 5, 33, 1000]);
        let scale = match (self.format, aim) {
            (Format::F16, Aim::Ratio(0.5)) => self.draw.choose(&[-7, -10]),
            (_, Aim::Ratio(0.5)) => self.draw.choose(&[-7, -10, -18]),
            (Format::F16, _) => self.draw.choose(&[0, -4, 4]),
            _ => self.draw.choose(&[0, -6, -12, 6]),
        };
        let names = self.names(Style::Model, 2);
        let shape = shape(&mut self.draw, &self.template.policy().partition, length);
        let mut before = vec![self.tensor(&names[0], &shape, Fill::Ordinary, scale)];
        if self.draw.below(2) == 0 {
            before.push(self.tensor(&names[1], &[4], Fill::Ordinary, scale));
        }
        Made {
            note,
            before,
            aim,
            focus: 0,
        }
    }

    fn magnitude(&mut self) -> Made {
        const LARGE: &str = "squares overflow, the norm does not";
        const SMALL: &str = "squares vanish, the norm does not";
        let exponents: [(i32, &str); 6] = match self.format {
            Format::F16 => [
                (8, LARGE),
                (-13, SMALL),
                (12, LARGE),
                (-20, "subnormal numbers"),
                (10, LARGE),
                (-16, SMALL),
            ],
            Format::Bf16 | Format::F32 => [
                (66, LARGE),
                (-70, SMALL),
                (122, "near the largest number"),
                (-130, "subnormal numbers"),
                (90, LARGE),
                (-125, "numbers that become subnormal"),
            ],
            Format::F64 => [
                (515, LARGE),
                (-540, SMALL),
                (1018, "near the largest number"),
                (-1040, "subnormal numbers"),
                (600, LARGE),
                (-1021, "numbers that become subnormal"),
            ],
        };
        let (exponent, note) = exponents[self.k % exponents.len()];
        let names = self.names(Style::Model, 3);
        let length = self.draw.choose(&[1, 2, 4, 6]);
        let mut before = vec![self.tensor(&names[0], &[length], Fill::Ordinary, exponent)];
        if self.draw.below(2) == 0 {
            before.push(self.tensor(&names[1], &[5], Fill::Ordinary, 0));
            before.push(self.tensor(&names[2], &[3], Fill::Ordinary, exponent));
        }
        Made {
            note,
            before,
            aim: Aim::Ratio(self.draw.choose(&[0.5, 0.25, 0.5, 2.0])),
            focus: 0,
        }
    }

    fn stagnation(&mut self) -> Made {
        // A running sum at `large²` no longer feels the square of 1.
        let (large, lengths): (f64, [usize; 3]) = match self.format {
            Format::F16 => (46.0, [200, 300, 500]),
            Format::Bf16 => (16.0, [200, 300, 1000]),
            Format::F32 | Format::F64 => (4096.0, [1000, 3000, 9000]),
        };
        let length = lengths[self.k % 3];
        let at = self.draw.choose(&[0, 0, length / 2, length - 1]);
        let name = self.names(Style::Model, 1).remove(0);
        let shape = shape(&mut self.draw, &self.template.policy().partition, length);
        let mut tensor = self.tensor(&name, &shape, Fill::Ones, 0);
        tensor.data.set(at, large);
        Made {
            note: "a large element and many small ones: a running sum in a narrow type does not feel them",
            before: vec![tensor],
            aim: Aim::Ratio(0.5),
            focus: 0,
        }
    }

    fn tail(&mut self) -> Made {
        let lengths = lengths(self.wanted.largest);
        // The longest are few; by chance they would hardly come.
        let at = if self.by_chance && self.draw.below(16) == 0 {
            lengths.len() - 1 - self.draw.below(lengths.len().min(4))
        } else {
            spread(self.k, lengths.len())
        };
        let length = lengths[at];
        let (fill, note) = self.draw.choose(&[
            (
                Fill::Heavy(-1),
                "a length around a block; the last element holds most of the norm",
            ),
            (
                Fill::Heavy(-1),
                "a length around a block; the last element holds most of the norm",
            ),
            (
                Fill::Ordinary,
                "a length around a block, elements of ordinary size",
            ),
            (
                Fill::Ordinary,
                "a length around a block, elements of ordinary size",
            ),
            (
                Fill::Heavy(0),
                "a length around a block; the first element holds most of the norm",
            ),
            (
                Fill::Ones,
                "a length around a block; all elements have one magnitude",
            ),
        ]);
        let names = self.names(Style::Model, 2);
        let shape = shape(&mut self.draw, &self.template.policy().partition, length);
        let long = self.tensor(&names[0], &shape, fill, 0);
        let short = self.draw.choose(&[1, 2, 3, 5]);
        let (before, focus) = match self.draw.below(4) {
            0 | 1 => (vec![long], 0),
            2 => (vec![long, self.tensor(&names[1], &[short], Fill::Ordinary, 2)], 0),
            _ => (vec![self.tensor(&names[1], &[short], Fill::Ordinary, 2), long], 1),
        };
        Made {
            note,
            before,
            aim: Aim::Ratio(self.draw.choose(&[0.5, 0.25, 0.75, 0.125, 1.5])),
            focus,
        }
    }

    fn non_finite(&mut self) -> Made {
        let bad = [f64::NAN, f64::INFINITY, f64::NAN, f64::NEG_INFINITY][self.k % 4];
        let count = self.draw.choose(&[1, 2, 3]);
        let names = self.names(Style::Model, count);
        let sick = self.draw.below(count);
        let length = self.draw.choose(&[1, 2, 7, 65, 257]);
        let mut before = Vec::with_capacity(count);
        for (i, name) in names.iter().enumerate() {
            let length = if i == sick {
                length
            } else {
                self.draw.choose(&[1, 5, 9])
            };
            let shape = shape(&mut self.draw, &self.template.policy().partition, length);
            before.push(self.tensor(name, &shape, Fill::Ordinary, i32::from(self.k % 2 == 1)));
        }
        let data = &mut before[sick].data;
        let at = self.draw.choose(&[0, data.len() - 1, data.len() / 2]);
        data.set(at, bad);
        if self.draw.below(5) == 0 {
            data.set(data.len() - 1 - at, f64::INFINITY);
        }
        Made {
            note: "one tensor is not finite: what becomes of it, and of its neighbours",
            before,
            aim: Aim::Ratio(self.draw.choose(&[0.5, 2.0])),
            // The norm of a healthy one, if there is any.
            focus: (sick + 1) % count,
        }
    }

    fn layout(&mut self) -> Made {
        const SHAPES: [(&str, &[&[usize]]); 14] = [
            ("a scalar beside a vector", &[&[], &[3]]),
            ("scalars alone", &[&[], &[], &[1]]),
            ("one element", &[&[1]]),
            ("axes of length 1", &[&[1, 5], &[5, 1], &[1, 1, 1]]),
            ("four axes, as in a convolution", &[&[3, 2, 2, 2], &[3]]),
            ("five axes", &[&[2, 2, 1, 3, 2]]),
            ("a wide and a tall matrix", &[&[2, 17], &[17, 2]]),
            ("a single scalar", &[&[]]),
            ("three axes", &[&[4, 3, 5], &[4]]),
            ("six axes", &[&[2, 1, 2, 1, 2, 2], &[7]]),
            ("matrices and their biases", &[&[8, 33], &[8], &[33, 8], &[33]]),
            ("a kernel of a convolution and its bias", &[&[5, 3, 7, 7], &[5]]),
            ("two tensors of one shape", &[&[6, 6], &[6, 6]]),
            ("a long row and a long column", &[&[1, 300], &[300, 1]]),
        ];
        let (note, shapes) = SHAPES[spread(self.k, SHAPES.len())];
        let style = self.draw.choose(&[Style::Model, Style::Flat, Style::Unicode]);
        let names = self.names(style, shapes.len());
        let tensors = names.iter().zip(shapes).map(|(name, shape)| {
            let scale = self.draw.choose(&[0, 0, -2, 2]);
            self.tensor(name, shape, Fill::Ordinary, scale)
        });
        let before: Vec<Tensor> = tensors.collect();
        let focus = self.draw.below(before.len());
        Made {
            note,
            before,
            aim: Aim::Ratio(self.draw.choose(&[0.5, 0.25, 0.75, 2.0])),
            focus,
        }
    }

    fn many(&mut self) -> Made {
        let count = COUNTS[spread(self.k, COUNTS.len())];
        let names = self.names(Style::Model, count);
        let alike = self.draw.below(3) == 0;
        let last_heavy = self.draw.below(2) == 0;
        let mut before = Vec::with_capacity(count);
        for (i, name) in names.iter().enumerate() {
            let length = if alike {
                4
            } else {
                self.draw.choose(&[1, 1, 2, 3, 4, 5, 7, 33])
            };
            let scale = if last_heavy && i + 1 == count {
                3
            } else {
                self.draw.choose(&[-2, -1, 0, 1])
            };
            before.push(self.tensor(name, &[length], Fill::Ordinary, scale));
        }
        let focus = self.draw.choose(&[0, count / 2, count - 1]);
        Made {
            note: "many tensors, some above their threshold and some below",
            before,
            aim: Aim::Ratio(self.draw.choose(&[0.5, 0.25, 0.125])),
            focus,
        }
    }

    fn empty(&mut self) -> Made {
        const SHAPES: [&[usize]; 5] = [&[0], &[0], &[2, 0, 3], &[0, 5], &[5, 0]];
        const NOTES: [&str; 6] = [
            "a tensor without elements, first",
            "a tensor without elements, between others",
            "a tensor without elements, last",
            "two tensors without elements",
            "nothing but tensors without elements",
            "one tensor without elements",
        ];
        let kind = self.k % NOTES.len();
        let count = [3, 3, 3, 5, 2, 1][kind];
        let holes: &[usize] = [&[0][..], &[1], &[2], &[1, 2], &[0, 1], &[0]][kind];
        let names = self.names(Style::Model, count);
        let tensors = names.iter().enumerate().map(|(i, name)| {
            if holes.contains(&i) {
                let shape = self.draw.choose(&SHAPES);
                self.tensor(name, shape, Fill::Ordinary, 0)
            } else {
                let length = self.draw.choose(&[1, 3, 6, 65]);
                self.tensor(name, &[length], Fill::Ordinary, 1)
            }
        });
        Made {
            note: NOTES[kind],
            before: tensors.collect(),
            aim: Aim::Ratio(0.5),
            focus: (0..count).find(|i| !holes.contains(i)).unwrap_or(0),
        }
    }
}
