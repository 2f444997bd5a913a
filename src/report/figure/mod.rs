//! Figures as SVG, drawn with `plotters`: the same data give the same bytes.
//!
//! * [`panels`]: lines over a common axis in small multiples, with bands, bars, a legend.
//! * [`strip()`]: every run of every condition as a point, with boxes.
//! * [`heat()`]: a number for each row and step as a shade.
//!
//! A figure carries its own background, white or, where the reader prefers it, dark; it reads in grey, because lines that share
//! a panel differ in dashes and markers, and shades in lightness.

mod canvas;
pub mod heat;
pub mod lines;
pub mod strip;

pub use heat::{Heat, heat};
pub use lines::{Line, Panel, Panels, Scale, panels};
pub use strip::{Row, Strip, strip};
