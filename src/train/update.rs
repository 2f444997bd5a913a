//! How far each parameter has moved: what the paper's second figure shows (Yang and Ma 2022, section 2, appendix C).

use crate::model::SequenceClassifier;
use crate::param::ParamTree;
use crate::real::Real;
use crate::reduce;
use ndarray::ArrayViewD;

/// The distance of a parameter from an earlier state of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distance {
    /// The root of the mean squared difference, `√(Σ (xᵢ - yᵢ)² / n)`.
    pub rms: f64,
    /// `1 - x·y / (‖x‖ ‖y‖)`, from 0 to 2; `None` if one of the two is zero.
    pub cosine: Option<f64>,
}

impl Distance {
    /// Between two tensors of one shape.
    ///
    /// The cosine distance is taken as `(‖x - y‖² - (‖x‖ - ‖y‖)²) / (2 ‖x‖ ‖y‖)`, which is the same and keeps its digits where
    /// the two are nearly parallel.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn between<T: Real>(x: ArrayViewD<'_, T>, y: ArrayViewD<'_, T>) -> Self {
        assert_eq!(x.shape(), y.shape(), "a parameter keeps its shape");
        let apart: Vec<f64> = x.iter().zip(&y).map(|(x, y)| x.widen() - y.widen()).collect();
        let slice = |x: ArrayViewD<'_, T>| -> Vec<f64> { x.iter().map(|x| x.widen()).collect() };
        let (count, x, y) = (apart.len(), slice(x), slice(y));
        let norms = reduce::norms(&[&apart[..], &x, &y]);
        let (apart, x, y) = (norms[0], norms[1], norms[2]);
        let cosine = (x > 0.0 && y > 0.0).then(|| {
            // Products of ratios: squares of tiny norms would vanish.
            let turned = apart / x * (apart / y) - (x - y) / x * ((x - y) / y);
            (turned / 2.0).max(0.0)
        });
        Self {
            rms: apart / (count as f64).sqrt(),
            cosine,
        }
    }
}

/// How far one parameter has moved.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterUpdate {
    /// Its name.
    pub name: String,
    /// From the weights that the run began with.
    pub from_start: Distance,
    /// From the weights at the measurement before; at the first from the start.
    pub from_previous: Distance,
}

/// Measures how far a model has moved since a run began and since the measurement before.
#[derive(Clone, Debug)]
pub struct UpdateMeter<T> {
    start: SequenceClassifier<T>,
    previous: SequenceClassifier<T>,
}

impl<T: Real> UpdateMeter<T> {
    /// A meter for a run that begins with these weights.
    pub fn new(start: SequenceClassifier<T>) -> Self {
        let previous = start.clone();
        Self { start, previous }
    }

    /// The weights at the last measurement.
    pub fn previous(&self) -> &SequenceClassifier<T> {
        &self.previous
    }

    /// The weights at the last measurement, to be set when a run goes on.
    pub fn previous_mut(&mut self) -> &mut SequenceClassifier<T> {
        &mut self.previous
    }

    /// The distances of each parameter, in walk order; the next measurement is taken from here.
    ///
    /// # Panics
    /// If the model is of another shape.
    pub fn measure(&mut self, model: &SequenceClassifier<T>) -> Vec<ParameterUpdate> {
        let (start, previous) = (self.start.params(), self.previous.params());
        let earlier = start.into_iter().zip(previous);
        let updates = model.params().into_iter().zip(earlier);
        let updates = updates.map(|((name, now), ((_, start), (_, previous)))| ParameterUpdate {
            name,
            from_start: Distance::between(now.view(), start),
            from_previous: Distance::between(now, previous),
        });
        let updates = updates.collect();
        self.previous = model.clone();
        updates
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, arr1};

    fn tensor(x: &[f64]) -> ArrayD<f64> {
        arr1(x).into_dyn()
    }

    /// (3, 4) and (4, 3) differ by (-1, 1): rms 1; their cosine is 24/25.
    #[test]
    fn by_hand() {
        let found = Distance::between(tensor(&[3.0, 4.0]).view(), tensor(&[4.0, 3.0]).view());
        assert_eq!(found.rms, 1.0);
        assert!(
            (found.cosine.expect("not zero") - 0.04).abs() < 1e-15,
            "{found:?}"
        );
        let opposite = Distance::between(tensor(&[1.0, -2.0]).view(), tensor(&[-2.0, 4.0]).view());
        assert!((opposite.cosine.expect("not zero") - 2.0).abs() < 1e-15);
    }

    /// Orthogonal to 1 and 1e-9 long: the angle φ has tan φ = 1e-9 and 1 - cos φ = φ²/2 = 5e-19, far below what
    /// `1 - x·y / ‖x‖‖y‖` could show. A multiple of itself has turned by nothing.
    #[test]
    fn small_angles_keep_their_digits() {
        let (x, y) = (tensor(&[1.0, 0.0]), tensor(&[1.0, 1e-9]));
        let cosine = Distance::between(x.view(), y.view()).cosine.expect("not zero");
        assert!((cosine / 5e-19 - 1.0).abs() < 1e-6, "{cosine:e}");
        let scaled = Distance::between(x.view(), (&x * 1.5).view());
        assert_eq!(scaled.cosine, Some(0.0));
        assert_eq!(Distance::between(x.view(), (&x * 0.0).view()).cosine, None);
    }
}
