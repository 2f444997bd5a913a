//! What a clipping call measured and did.

use super::statistic::Statistic;

/// The report of one call of [`clip`](crate::clip::clip): measured values, in the order of the parameters.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "the report says whether a gradient was not finite, and whether the step is to be skipped"]
pub struct ClipReport {
    /// What the components' norms are: the policy's statistic.
    pub statistic: Statistic,
    /// Every parameter, whatever the partition, excluded ones too.
    pub parameters: Vec<ParameterReport>,
    /// Every component of the partition, in the order of its first element.
    pub components: Vec<ComponentReport>,
}

/// One parameter's gradient.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterReport {
    /// The parameter's name.
    pub name: String,
    /// Elements of the tensor.
    pub elements: usize,
    /// Its L2 norm before clipping, whatever the statistic.
    pub norm_before: f64,
    /// Its L2 norm after clipping, measured.
    pub norm_after: f64,
    /// Its NaN and infinite elements before clipping.
    pub non_finite: usize,
    /// Whether it counts in the norm of all gradients: not if it is excluded, a copy or a follower.
    pub counted: bool,
}

/// One component.
#[derive(Clone, Debug, PartialEq)]
pub struct ComponentReport {
    /// `global`, or the name of the layer, module or parameter; a unit has its number in brackets behind it, a group its
    /// pattern in parentheses.
    pub id: String,
    /// Elements of all its tensors that count in its norm.
    pub elements: usize,
    /// The statistic before clipping, in `f64`.
    pub norm_before: f64,
    /// The threshold that it was held against; none where the rule has none.
    pub threshold: Option<f64>,
    /// The factor applied; exactly 1 where the gradients were kept, and where each element was treated by itself.
    pub scale: f64,
    /// The statistic after clipping, measured on what was written.
    pub norm_after: f64,
    /// Whether the rule's bound was exceeded.
    pub clipped: Clipped,
    /// NaN and infinite elements before clipping.
    pub non_finite: usize,
    /// What was done.
    pub action: Action,
    /// Its parameters, as indices into [`ClipReport::parameters`].
    pub members: Vec<usize>,
}

/// Whether a component exceeded its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Clipped {
    /// It did, for every value that the true norm can have; element-wise rules: an element did.
    Yes,
    /// It did not.
    No,
    /// The error bound of the computed norm has values on both sides.
    Ambiguous,
}

/// What was done to a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// No element was written.
    Kept,
    /// The elements were written, all by one formula.
    Rewritten,
    /// The edge rule set it to zero.
    Zeroed,
    /// The edge rule asks not to update with it; no element was written.
    Skipped,
}

impl ClipReport {
    /// The L2 norm of all gradients before clipping, each tied tensor once and excluded ones not.
    pub fn global_norm_before(&self) -> f64 {
        self.global_norm(|p| p.norm_before)
    }

    /// The L2 norm of all gradients after clipping, of the same tensors.
    pub fn global_norm_after(&self) -> f64 {
        self.global_norm(|p| p.norm_after)
    }

    fn global_norm(&self, norm: fn(&ParameterReport) -> f64) -> f64 {
        let counted = self.parameters.iter().filter(|p| p.counted).map(norm);
        crate::reduce::norms(&[&counted.collect::<Vec<_>>()])[0]
    }

    /// The share of elements that lie in clipped components, in `[0, 1]`; ambiguous ones count if they were rewritten.
    pub fn clipped_elements(&self) -> f64 {
        let count = |chosen: fn(&ComponentReport) -> bool| -> usize {
            let components = self.components.iter().filter(|c| chosen(c));
            components.map(|c| c.elements).sum()
        };
        count(ComponentReport::was_clipped) as f64 / count(|_| true).max(1) as f64
    }

    /// The first parameter whose gradient holds a NaN or an infinity, or whose norm overflows `f64`.
    pub fn first_non_finite(&self) -> Option<&ParameterReport> {
        self.parameters.iter().find(|p| !p.norm_before.is_finite())
    }

    /// The ids of the components whose edge rule asks to skip the update; empty: take the step.
    pub fn skipped(&self) -> impl Iterator<Item = &str> {
        let skipped = self.components.iter().filter(|c| c.action == Action::Skipped);
        skipped.map(|c| c.id.as_str())
    }

    /// Each parameter with each component that it belongs to.
    pub fn by_parameter(&self) -> impl Iterator<Item = (&ParameterReport, &ComponentReport)> {
        let pairs = self
            .components
            .iter()
            .flat_map(|c| c.members.iter().map(move |&p| (p, c)));
        pairs.map(|(p, c)| (&self.parameters[p], c))
    }
}

impl ComponentReport {
    /// Whether the component was certainly clipped, or on the verge and rewritten.
    pub fn was_clipped(&self) -> bool {
        match self.clipped {
            Clipped::Yes => true,
            Clipped::No => false,
            Clipped::Ambiguous => self.action == Action::Rewritten && self.scale != 1.0,
        }
    }
}
