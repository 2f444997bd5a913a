//! What all recipes share: gradients from a few words, and a threshold that suits them.

use super::super::draw::{Draw, times_power_of_two};
use super::names::{Style, names};
use super::shapes::with_axes;
use super::{Template, Wanted};
use crate::clip::{Adaptive, ClipState, Convention, Memory, Role, Rule};
use crate::oracle::{Case, Format, Tensor, components, expect};

/// How the elements of a tensor are distributed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fill {
    /// Of ordinary size, either sign.
    Ordinary,
    /// Over many binades.
    Wide,
    /// One in fifty is not zero; zeros of either sign.
    Sparse,
    /// Ones of either sign.
    Ones,
    /// Ones, and one element at this place, counted from the end if below 0, that holds nearly all of the norm.
    Heavy(isize),
}

/// Where the threshold is to be, seen from the norm of the component of the tensor in focus.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Aim {
    /// So many times the norm.
    Ratio(f64),
    /// So many numbers of the elements' type above the norm.
    Neighbour(i64),
    /// So much above it.
    Offset(f64),
    /// At this number, where the threshold is open.
    At(f64),
}

/// Gradients, and what is to be tried on them.
#[derive(Clone, Debug)]
pub(super) struct Made {
    /// One sentence.
    pub(super) note: &'static str,
    pub(super) before: Vec<Tensor>,
    pub(super) aim: Aim,
    /// The tensor that the aim is about.
    pub(super) focus: usize,
}

/// The maker of one case.
pub(super) struct Maker<'a> {
    pub(super) template: &'a Template,
    pub(super) wanted: &'a Wanted,
    pub(super) draw: Draw,
    pub(super) format: Format,
    /// The number of the case among those of its class and type.
    pub(super) k: usize,
    /// Whether the number is drawn, so that rare things may come more often than once in a sweep.
    pub(super) by_chance: bool,
}

impl Maker<'_> {
    /// So many names.
    pub(super) fn names(&mut self, style: Style, count: usize) -> Vec<String> {
        names(&mut self.draw, self.template.policy(), style, count)
    }

    /// A tensor of this shape, with axes added that the partition needs, its elements times `2^scale`.
    pub(super) fn tensor(&mut self, name: &str, shape: &[usize], fill: Fill, scale: i32) -> Tensor {
        let shape = with_axes(&self.template.policy().partition, shape.to_vec());
        let length = shape.iter().product();
        let x: Vec<f64> = self
            .fill(fill, length)
            .into_iter()
            .map(|x| times_power_of_two(x, scale))
            .collect();
        Tensor::new(name, &shape, self.format, &x)
    }

    fn fill(&mut self, fill: Fill, length: usize) -> Vec<f64> {
        // What a sum of squares of the type still feels.
        let reach = (self.format.precision() / 2).min(20);
        let mut x: Vec<f64> = (0..length)
            .map(|_| match fill {
                Fill::Ordinary => self.draw.number(-5, 0),
                Fill::Wide => self.draw.number(-reach, 1),
                Fill::Sparse if self.draw.below(50) != 0 => self.draw.sign(0.0),
                Fill::Sparse => self.draw.number(-3, 1),
                Fill::Ones | Fill::Heavy(_) => self.draw.sign(1.0),
            })
            .collect();
        if let Fill::Heavy(at) = fill
            && length > 0
        {
            let at = at.rem_euclid(length.cast_signed()).cast_unsigned();
            // At least four times the norm of the others.
            let root = (length.ilog2() + 1).div_ceil(2).cast_signed();
            x[at] = self.draw.sign(times_power_of_two(4.0, root));
        }
        x
    }

    /// The case: copies of ties, parameters, moments and memory put beside the gradients, and the threshold found. None
    /// if it cannot be judged.
    pub(super) fn finish(mut self, made: Made) -> Result<Case, String> {
        let mut case = Case::new(self.template.at(1.0), made.before);
        case.declared = self.wanted.declared;
        self.tie(&mut case);
        self.beside(&mut case)?;
        if self.template.policy().rule.threshold().is_some() {
            self.settle(&mut case, made.aim, made.focus)?;
        }
        expect(&case).map_err(|error| error.to_string())?;
        Ok(case)
    }

    /// Copies of tied tensors whose original is there.
    fn tie(&mut self, case: &mut Case) {
        for selection in &self.template.policy().selections {
            let Role::Tie(original) = &selection.role else {
                continue;
            };
            let copy = selection.pattern.as_str();
            let there = case.before.iter().any(|tensor| tensor.name == copy);
            let original = case.before.iter().find(|tensor| tensor.name == *original);
            if let Some(original) = original.filter(|_| !there).cloned()
                && self.draw.below(4) != 0
            {
                case.before.push(Tensor {
                    name: copy.to_owned(),
                    ..original
                });
            }
        }
    }

    /// Parameters and second moments for the rules that read them, the memory of those that have one.
    fn beside(&mut self, case: &mut Case) -> Result<(), String> {
        let rule = &self.template.policy().rule;
        let draw = &mut self.draw;
        if rule.needs_values() {
            let value = |t: &Tensor| {
                // A parameter that is zero shows the ε.
                let zero = draw.below(8) == 0;
                t.with((0..t.data.len()).map(|_| if zero { 0.0 } else { draw.number(-4, 1) }))
            };
            case.values = case.before.iter().map(value).collect();
        }
        if rule.needs_second_moments() {
            let moment = |t: &Tensor| {
                let root = |_| draw.number(-4, 0);
                t.with((0..t.data.len()).map(root).map(|x| x * x))
            };
            case.second_moments = case.before.iter().map(moment).collect();
        }
        if let Rule::Adaptive(rule) = rule {
            // No state at all is the first step.
            let steps = draw.choose(&[0, 1, 24, 25, 60, 150]);
            let found = components(&case.policy, &case.before).map_err(|error| error.to_string())?;
            let mut state = ClipState {
                policy: case.policy.to_string(),
                steps,
                ..ClipState::default()
            };
            for component in found {
                let memory = memory(draw, rule, steps);
                state.components.insert(component.id, memory);
            }
            case.state = (steps > 0).then_some(state);
        }
        Ok(())
    }

    /// Finds the threshold, or makes the gradients fit the one that is given.
    fn settle(&mut self, case: &mut Case, aim: Aim, focus: usize) -> Result<(), String> {
        if let Aim::At(c) = aim {
            case.policy = self.template.at(c);
            return Ok(());
        }
        let Some(reference) = self.reference(case, focus)? else {
            case.policy = self.template.at(1.0);
            return Ok(());
        };
        let format = self.format;
        let c = match aim {
            Aim::Ratio(ratio) => short(ratio * reference),
            Aim::Neighbour(step) => format.from_ordinal(format.ordinal(format.round(reference)) + step),
            Aim::Offset(offset) => single(reference + offset),
            Aim::At(c) => c,
        };
        if self.template.is_open() {
            case.policy = self.template.at(c.max(0.0));
            return Ok(());
        }
        let own = case
            .policy
            .rule
            .threshold()
            .map_or(1.0, crate::clip::Threshold::get);
        if own > 0.0 && own.is_finite() && self.scales() {
            fit(case, format, aim, own, c, reference);
        }
        Ok(())
    }

    /// Whether gradients twice as large ask for a threshold twice as large.
    fn scales(&self) -> bool {
        matches!(
            self.template.policy().rule,
            Rule::Norm { .. }
                | Rule::Value { .. }
                | Rule::Soft { .. }
                | Rule::SoftNorm { .. }
                | Rule::Normalise { .. }
        )
    }

    /// What the threshold is compared with; none if nothing in the case is finite and above 0.
    fn reference(&self, case: &Case, focus: usize) -> Result<Option<f64>, String> {
        let useful = |x: &f64| *x > 0.0 && x.is_finite();
        match &case.policy.rule {
            Rule::Value { .. } | Rule::Soft { .. } => {
                let magnitudes = case.before[focus.min(case.before.len() - 1)].data.values();
                Ok(magnitudes
                    .into_iter()
                    .map(f64::abs)
                    .filter(useful)
                    .reduce(f64::max))
            }
            rule if self.scales() => {
                let expectation = expect(case).map_err(|error| error.to_string())?;
                let scale = match rule {
                    Rule::Norm {
                        convention: Convention::DeepSpeed { loss_scale },
                        ..
                    } => *loss_scale,
                    _ => 1.0,
                };
                let norm = |focused: bool| {
                    let mut fitting = expectation.components.iter().filter(|expected| {
                        let mut members = expected.component.members.iter();
                        !focused || members.any(|member| member.tensor == focus)
                    });
                    fitting.find_map(|expected| Some(expected.norm.interval.hi / scale).filter(useful))
                };
                Ok(norm(true).or_else(|| norm(false)))
            }
            _ => Ok(Some(1.0)),
        }
    }
}

/// Scales the gradients to a threshold that is given, where `c` would be the one for them as they are.
fn fit(case: &mut Case, format: Format, aim: Aim, own: f64, c: f64, reference: f64) {
    let scaled = |f: &dyn Fn(f64) -> f64| -> Vec<Tensor> {
        let all = case.before.iter();
        all.map(|t| t.with(t.data.values().into_iter().map(f))).collect()
    };
    let single_element = case.before.len() == 1 && case.before[0].data.len() == 1;
    let before = match aim {
        Aim::Ratio(_) => {
            let exponent = libm::ilogb(own) - libm::ilogb(c.max(f64::MIN_POSITIVE));
            scaled(&|x| times_power_of_two(x, exponent))
        }
        // The other way round: the norm is so many steps below the threshold.
        Aim::Neighbour(step) if single_element => {
            let target = format.from_ordinal(format.ordinal(format.round(own)) - step);
            scaled(&|x| target.copysign(x))
        }
        _ => {
            let target = (own - (c - reference)).max(own / 2.0);
            scaled(&|x| x / reference * target)
        }
    };
    // In a narrow type the threshold may be out of reach.
    let kept = |(new, old): (&Tensor, &Tensor)| {
        let pairs = new.data.values().into_iter().zip(old.data.values());
        pairs
            .into_iter()
            .all(|(y, x)| y.is_finite() == x.is_finite() && (y == 0.0) == (x == 0.0))
    };
    if before.iter().zip(&case.before).all(kept) {
        case.before = before;
    }
}

/// The number with twelve significant bits: exact in F32, not in 16 bits, and shorter to read.
fn short(c: f64) -> f64 {
    if c == 0.0 || !c.is_finite() {
        return c;
    }
    let exponent = libm::ilogb(c);
    times_power_of_two(libm::rint(times_power_of_two(c, 11 - exponent)), exponent - 11)
}

/// The number as a clipper holds it that takes its threshold as F32, unless it is out of reach there.
fn single(c: f64) -> f64 {
    let rounded = Format::F32.round(c);
    if rounded.is_finite() && rounded.abs() >= Format::F32.min_normal() {
        rounded
    } else {
        c
    }
}

/// What a rule remembers after so many steps.
fn memory(draw: &mut Draw, rule: &Adaptive, steps: u64) -> Memory {
    let mut numbers = |n: usize| -> Vec<f64> { (0..n).map(|_| draw.number(-1, 1).abs()).collect() };
    match rule {
        Adaptive::AutoClip { .. } => Memory::History(numbers(steps as usize)),
        Adaptive::Percentile { .. } => Memory::Ring(numbers(100)),
        Adaptive::ZClip { warmup, .. } if steps <= *warmup as u64 => Memory::Warmup(numbers(steps as usize)),
        Adaptive::ZClip { .. } => {
            let x = numbers(2);
            Memory::Average {
                mean: x[0],
                variance: x[1] / 16.0,
            }
        }
        Adaptive::AdaGc { .. } | Adaptive::StableSpam { .. } => Memory::Level(numbers(1)[0]),
    }
}
