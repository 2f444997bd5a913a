//! The recipes that go beyond ordinary numbers, and those that mix everything.

use super::super::pack::Class;
use super::maker::{Aim, Fill, Made, Maker};
use super::names::Style;
use super::shapes::shape;
use crate::oracle::{Format, Tensor};

impl Maker<'_> {
    pub(super) fn degenerate(&mut self) -> Made {
        let names = self.names(Style::Model, 3);
        let length = self.draw.choose(&[1, 4, 70]);
        let ordinary = |maker: &mut Self, i: usize| maker.tensor(&names[i], &[length], Fill::Ordinary, 0);
        let zeros = |maker: &mut Self, i: usize| {
            let tensor = maker.tensor(&names[i], &[length], Fill::Ones, 0);
            // Zeros of either sign.
            tensor.with(tensor.data.values().into_iter().map(|x| x * 0.0))
        };
        let thresholds = if self.template.is_unchecked() { 10 } else { 7 };
        let (note, before, aim) = match self.k % thresholds {
            0 => (
                "zeros of either sign beside others",
                vec![zeros(self, 0), ordinary(self, 1)],
                Aim::Ratio(0.5),
            ),
            1 if !self.template.refuses_zero() => (
                "threshold 0",
                vec![ordinary(self, 0), ordinary(self, 1)],
                Aim::At(0.0),
            ),
            2 => (
                "nothing but zeros",
                vec![zeros(self, 0), zeros(self, 1)],
                Aim::At(0.5),
            ),
            3 => (
                "a threshold far above every norm",
                vec![ordinary(self, 0), ordinary(self, 1)],
                Aim::Ratio(4096.0),
            ),
            4 => (
                "a threshold far below every norm",
                vec![ordinary(self, 0), ordinary(self, 1)],
                Aim::Ratio(1.0 / 1024.0),
            ),
            5 => {
                let mut sparse = zeros(self, 0);
                let at = self.draw.choose(&[0, length - 1]);
                sparse.data.set(at, 3.0);
                (
                    "one element among zeros of either sign",
                    vec![sparse, zeros(self, 1)],
                    Aim::Ratio(0.5),
                )
            }
            7 => ("no bound", vec![ordinary(self, 0)], Aim::At(f64::INFINITY)),
            8 => ("a threshold below 0", vec![ordinary(self, 0)], Aim::At(-1.0)),
            9 => ("NaN for a threshold", vec![ordinary(self, 0)], Aim::At(f64::NAN)),
            _ => {
                let same = self.tensor(&names[0], &[length], Fill::Ones, -1);
                let like = Tensor {
                    name: names[1].clone(),
                    ..same.clone()
                };
                (
                    "all elements of one magnitude, in two tensors alike",
                    vec![same, like],
                    Aim::Ratio(0.75),
                )
            }
        };
        Made {
            note,
            focus: before.len() - 1,
            before,
            aim,
        }
    }

    pub(super) fn mixed(&mut self) -> Made {
        let formats = self.wanted.formats.clone();
        let count = formats.len().max(self.draw.choose(&[2, 3, 6]));
        let names = self.names(Style::Model, count);
        let own = self.format;
        let tensors = names.iter().enumerate().map(|(i, name)| {
            self.format = formats[(self.k + i) % formats.len()];
            let length = self.draw.choose(&[1, 5, 9, 40]);
            let scale = self.draw.choose(&[0, 1]);
            self.tensor(name, &[length], Fill::Ordinary, scale)
        });
        let before: Vec<Tensor> = tensors.collect();
        self.format = own;
        Made {
            note: "several element types at once",
            before,
            aim: Aim::Ratio(self.draw.choose(&[0.5, 0.25, 2.0])),
            focus: self.draw.below(count),
        }
    }

    pub(super) fn wide(&mut self) -> Made {
        let count = self.draw.choose(&[1, 1, 2, 3, 4, 5, 8, 12]);
        let style = self
            .draw
            .choose(&[Style::Model, Style::Model, Style::Model, Style::Flat]);
        let names = self.names(style, count);
        let mut before = Vec::with_capacity(count);
        for name in &names {
            // Every binade of lengths alike.
            let length = 1_usize << self.draw.below(12);
            let length = length + self.draw.below(length);
            let fill = self
                .draw
                .choose(&[Fill::Ordinary, Fill::Wide, Fill::Wide, Fill::Sparse]);
            let scale = match self.format {
                Format::F16 => self.draw.choose(&[0, -1, 1]),
                _ => self.draw.choose(&[0, -3, 3, -8, 8]),
            };
            let shape = shape(&mut self.draw, &self.template.policy().partition, length);
            before.push(self.tensor(name, &shape, fill, scale));
        }
        // A scalar or nothing at all among the others.
        let odd: &[usize] = match self.draw.below(10) {
            0 | 1 => &[],
            2 if !self.wanted.without.contains(&Class::Empty) => &[0],
            _ => &[1],
        };
        if count > 2 && odd != [1] {
            let at = self.draw.below(count);
            before[at] = self.tensor(&names[at], odd, Fill::Ordinary, 1);
        }
        Made {
            note: "magnitudes over many binades, some sparse",
            before,
            aim: Aim::Ratio(self.draw.choose(&[0.5, 0.25, 0.03125, 0.75, 0.99, 1.01, 2.0])),
            focus: self.draw.below(count),
        }
    }
}
