//! Plain records of a study to Markdown, CSV, SVG and HTML.
