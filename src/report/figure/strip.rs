//! Every run as a point: one row for each condition, a box around the middle half, the majority's value as a line.

use super::canvas::{
    Axes, COLOURS, Chart, Drawn, GRID, INK, QUIET, WIDTH, axes, draw, fitted, plain, range, room, text, ticks,
};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// A condition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// The value of each run that has one, and whether the run failed.
    pub runs: Vec<(f64, bool)>,
    /// The quartiles, if there is a value.
    pub quartiles: Option<[f64; 3]>,
    /// Runs without a value.
    pub stopped: usize,
}

/// A figure of all runs of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Strip {
    /// The figure's name for those who cannot see it.
    pub title: String,
    /// What is counted.
    pub x_label: String,
    /// The value that the majority class reaches.
    pub reference: Option<f64>,
    /// The conditions, from above.
    pub rows: Vec<Row>,
}

/// The height of a row.
const ROW: u32 = 84;

/// Draws the runs of each condition.
pub fn strip(figure: &Strip) -> String {
    let rows = figure.rows.len();
    let height = ROW * rows as u32 + 190;
    draw(&figure.title, height, |sheet| {
        let names = figure.rows.iter().map(|row| row.name.as_str());
        let left = room(names, 480.0) + 30.0;
        let stopped = figure.rows.iter().any(|row| row.stopped > 0);
        let aside = if stopped { 190.0 } else { 0.0 };
        let (main, side) = sheet.split_horizontally(f64::from(WIDTH) - aside);
        let values = figure
            .rows
            .iter()
            .flat_map(|row| row.runs.iter().map(|run| run.0));
        let x = range(values.chain(figure.reference));
        let y = -0.5..rows as f64 - 0.5;
        let mut chart = axes(
            &main,
            &Axes {
                title: "",
                x: x.clone(),
                y: y.clone(),
                x_label: &figure.x_label,
                y_label: "",
                x_ticks: ticks(&x, 8),
                y_ticks: Vec::new(),
                x_tick: &plain,
                y_tick: &|_| String::new(),
                left,
                bottom: 84.0,
            },
        )?;
        if let Some(value) = figure.reference {
            let ends = [(value, y.start), (value, y.end)];
            chart.draw_series(DashedLineSeries::new(ends, 10, 10, INK.stroke_width(3)))?;
        }
        for (i, row) in figure.rows.iter().enumerate() {
            // The first row is the uppermost.
            let y = (rows - 1 - i) as f64;
            chart.draw_series(LineSeries::new([(x.start, y), (x.end, y)], GRID.stroke_width(1)))?;
            draw_row(&mut chart, row, y)?;
            let (at, middle) = chart.backend_coord(&(x.start, y));
            let name = Text::new(
                fitted(&row.name, left - 20.0),
                (at - 16, middle + 3),
                text(INK, HPos::Right, VPos::Center),
            );
            main.draw(&name)?;
            if row.stopped > 0 {
                let style = text(QUIET, HPos::Left, VPos::Center);
                side.draw(&Text::new(
                    format!("{} stopped", row.stopped),
                    (4, middle + 3),
                    style,
                ))?;
            }
        }
        Ok(())
    })
}

/// Box, median, and a point for each run: full if it succeeded, a ring if it failed.
fn draw_row(chart: &mut Chart<'_>, row: &Row, y: f64) -> Drawn {
    let ink = COLOURS[0];
    if let Some([low, middle, high]) = row.quartiles {
        let corners = [(low, y - 0.3), (high, y + 0.3)];
        chart.draw_series([Rectangle::new(corners, ink.mix(0.18).filled())])?;
        let line = [(middle, y - 0.3), (middle, y + 0.3)];
        chart.draw_series(LineSeries::new(line, INK.stroke_width(5)))?;
    }
    for (i, &(value, failed)) in row.runs.iter().enumerate() {
        // Equal values stand side by side: multiples of the golden ratio spread evenly.
        let at = (value, y + 0.5 * ((i as f64 + 1.0) * 0.618_034).fract() - 0.25);
        if failed {
            chart.draw_series([Circle::new(at, 8, COLOURS[1].stroke_width(4))])?;
        } else {
            chart.draw_series([Circle::new(at, 7, ink.filled())])?;
        }
    }
    Ok(())
}
