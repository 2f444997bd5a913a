//! What a clipping call measured and did.

use std::ops::Range;

/// The report of one call of [`clip`](crate::clip::clip): measured values, in the order of the parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipReport {
    /// Every parameter, whatever the partition.
    pub parameters: Vec<ParameterReport>,
    /// Every component of the partition.
    pub components: Vec<ComponentReport>,
}

/// One parameter's gradient before clipping.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterReport {
    /// The parameter's name.
    pub name: String,
    /// Elements of the tensor.
    pub elements: usize,
    /// Its L2 norm before clipping.
    pub norm_before: f64,
}

/// One component.
#[derive(Clone, Debug, PartialEq)]
pub struct ComponentReport {
    /// `global`, or the parameter's name.
    pub id: String,
    /// Elements of all its tensors.
    pub elements: usize,
    /// The L2 norm before clipping.
    pub norm_before: f64,
    /// The factor applied; exactly 1 where nothing was clipped.
    pub scale: f64,
    /// The L2 norm after clipping, measured again.
    pub norm_after: f64,
    /// Whether the component was scaled.
    pub clipped: bool,
    /// Its parameters, as indices into [`ClipReport::parameters`].
    pub members: Range<usize>,
}

impl ClipReport {
    /// The norm of all gradients before clipping.
    pub fn global_norm_before(&self) -> f64 {
        crate::reduce::norms(&[&self.components.iter().map(|c| c.norm_before).collect::<Vec<_>>()])[0]
    }

    /// The norm of all gradients after clipping.
    pub fn global_norm_after(&self) -> f64 {
        crate::reduce::norms(&[&self.components.iter().map(|c| c.norm_after).collect::<Vec<_>>()])[0]
    }

    /// The share of elements that lie in clipped components, in `[0, 1]`.
    pub fn clipped_elements(&self) -> f64 {
        let count = |chosen: fn(&ComponentReport) -> bool| -> usize {
            self.components
                .iter()
                .filter(|c| chosen(c))
                .map(|c| c.elements)
                .sum()
        };
        count(|c| c.clipped) as f64 / count(|_| true).max(1) as f64
    }

    /// The first parameter whose gradient holds a NaN or an infinity.
    pub fn first_non_finite(&self) -> Option<&ParameterReport> {
        self.parameters.iter().find(|p| !p.norm_before.is_finite())
    }

    /// Each parameter with the component that it belongs to.
    pub fn by_parameter(&self) -> impl Iterator<Item = (&ParameterReport, &ComponentReport)> {
        self.components
            .iter()
            .flat_map(|c| self.parameters[c.members.clone()].iter().map(move |p| (p, c)))
    }
}
