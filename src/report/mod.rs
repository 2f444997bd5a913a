//! From plain records to Markdown, LaTeX, CSV, SVG, HTML and event files of `TensorBoard`.
//!
//! A report is a [`Document`]: headings, paragraphs, tables and figures in reading order. [`markdown()`] and [`html()`] write it,
//! [`latex()`] its tables,
//! [`csv()`] writes a table of values, [`mod@tensorboard`] numbers by step, [`figure`] draws. Nothing here knows a run, a clock
//! or a file: the same records give the same bytes.

pub mod csv;
#[cfg(feature = "cli")]
pub mod figure;
mod html;
mod latex;
mod markdown;
mod number;
pub mod tensorboard;
pub(crate) mod terminal;

pub use csv::csv;
pub(crate) use html::escaped;
pub use html::html;
pub use latex::latex;
pub use markdown::markdown;
pub use number::{p_value, rounded, significant};

/// A report in reading order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// The title.
    pub title: String,
    /// What follows it.
    pub blocks: Vec<Block>,
}

/// A part of a report.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A section's title.
    Heading(String),
    /// Plain text.
    Paragraph(String),
    /// Points of a list.
    List(Vec<String>),
    /// A table.
    Table(Table),
    /// A figure.
    Figure(Figure),
    /// Text as it stands: settings, a command.
    Code(String),
}

/// A table of text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// What it shows and how to read it.
    pub caption: String,
    /// The columns.
    pub header: Vec<String>,
    /// The rows, each as long as the header; the first cell names the row.
    pub rows: Vec<Vec<String>>,
}

/// A drawn figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The name of its file, without the ending.
    pub name: String,
    /// What it shows and how to read it.
    pub caption: String,
    /// The drawing.
    pub svg: String,
}

impl Document {
    /// Its figures in order.
    pub fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Figure(figure) => Some(figure),
            _ => None,
        })
    }
}
