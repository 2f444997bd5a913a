//! The walk over named parameters.
//!
//! A layer *is* its parameters, and the gradient of a layer has the same type. [`ParamTree`] visits the tensors of
//! either in one fixed order under their Hugging Face names (`bert.encoder.layer.0.attention.self.query.weight`), so a
//! model, its gradient and the optimiser's moments can be walked side by side, and a checkpoint needs no rename table.

use ndarray::{ArrayViewD, ArrayViewMutD};

/// A dotted name under construction, for example `bert.encoder.layer.3.output`.
#[derive(Debug, Default)]
pub struct Path(String);

impl Path {
    /// The empty path: children are visited under their own names.
    pub fn root() -> Self {
        Self::default()
    }

    /// Calls `f` with `name` appended, and removes it again.
    pub fn within<R>(&mut self, name: &str, f: impl FnOnce(&mut Self) -> R) -> R {
        let len = self.0.len();
        if len > 0 {
            self.0.push('.');
        }
        self.0.push_str(name);
        let result = f(self);
        self.0.truncate(len);
        result
    }

    /// The dotted name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Called with the dotted name and a read-only view of each parameter tensor.
pub type Visitor<'f, 'a, T> = &'f mut dyn FnMut(&str, ArrayViewD<'a, T>);

/// Called with the dotted name and a mutable view of each parameter tensor.
pub type VisitorMut<'f, 'a, T> = &'f mut dyn FnMut(&str, ArrayViewMutD<'a, T>);

/// Visits the tensors of a layer by their names below `path`.
pub fn visit_leaves<'a, T, const N: usize>(
    path: &mut Path,
    leaves: [(&str, ArrayViewD<'a, T>); N],
    f: Visitor<'_, 'a, T>,
) {
    for (name, view) in leaves {
        path.within(name, |path| f(path.as_str(), view));
    }
}

/// [`visit_leaves`] with mutable views.
pub fn visit_leaves_mut<'a, T, const N: usize>(
    path: &mut Path,
    leaves: [(&str, ArrayViewMutD<'a, T>); N],
    f: VisitorMut<'_, 'a, T>,
) {
    for (name, view) in leaves {
        path.within(name, |path| f(path.as_str(), view));
    }
}

/// A tree of named parameter tensors, visited in one fixed order.
pub trait ParamTree<T> {
    /// Visits every tensor below `path`.
    fn visit<'a>(&'a self, path: &mut Path, f: Visitor<'_, 'a, T>);

    /// Visits every tensor below `path`, mutably, in the order of [`ParamTree::visit`].
    fn visit_mut<'a>(&'a mut self, path: &mut Path, f: VisitorMut<'_, 'a, T>);

    /// All tensors with their names, in walk order.
    fn params(&self) -> Vec<(String, ArrayViewD<'_, T>)> {
        let mut all = Vec::new();
        self.visit(&mut Path::root(), &mut |name, view| {
            all.push((name.to_owned(), view));
        });
        all
    }

    /// All tensors with their names, mutably, in walk order.
    fn params_mut(&mut self) -> Vec<(String, ArrayViewMutD<'_, T>)> {
        let mut all = Vec::new();
        self.visit_mut(&mut Path::root(), &mut |name, view| {
            all.push((name.to_owned(), view));
        });
        all
    }

    /// The number of scalar parameters.
    fn num_parameters(&self) -> usize {
        let mut n = 0;
        self.visit(&mut Path::root(), &mut |_, view| n += view.len());
        n
    }
}
