//! The progress line on the terminal, and messages beside it. Nothing is drawn where stderr is not a terminal.

use crate::report::terminal::line;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// The shortest time between two drawings.
const EVERY: Duration = Duration::from_millis(100);

/// A line on stderr that is drawn over and over.
#[derive(Debug)]
pub(super) struct Progress {
    live: bool,
    quiet: bool,
    drawn: Option<Instant>,
    /// Whether a line is on the terminal that has to be wiped before other text.
    dirty: bool,
}

/// What the line of a training run shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Training {
    pub(super) step: usize,
    pub(super) total: usize,
    pub(super) epoch: f64,
    pub(super) loss: f64,
    pub(super) tokens_per_second: f64,
    pub(super) left: Duration,
}

impl Progress {
    /// A line that is drawn if stderr is a terminal and `quiet` is off.
    pub(super) fn new(quiet: bool) -> Self {
        Self {
            live: !quiet && std::io::stderr().is_terminal(),
            quiet,
            drawn: None,
            dirty: false,
        }
    }

    /// Draws how far a training run is.
    pub(super) fn training(&mut self, now: Training) {
        if self.is_due(now.step == now.total) {
            self.draw(&training_line(now));
        }
    }

    /// Draws how many of `total` things are done.
    pub(super) fn count(&mut self, what: &str, done: usize, total: usize) {
        if self.is_due(done == total) {
            self.draw(&format!("{what} {} {done}/{total}", bar(done, total)));
        }
    }

    /// Draws a line, at once.
    pub(super) fn line(&mut self, line: &str) {
        if self.live {
            self.draw(line);
        }
    }

    /// Whether lines are drawn.
    pub(super) fn is_live(&self) -> bool {
        self.live
    }

    /// Prints a message on a line of its own, unless quiet.
    pub(super) fn message(&mut self, text: &str) {
        self.wipe();
        if !self.quiet {
            say(text);
        }
    }

    /// Removes the line.
    pub(super) fn wipe(&mut self) {
        if std::mem::take(&mut self.dirty) {
            write_stderr("\r\x1b[K");
        }
    }

    fn is_due(&self, last: bool) -> bool {
        self.live && (last || self.drawn.is_none_or(|drawn| drawn.elapsed() >= EVERY))
    }

    fn draw(&mut self, line: &str) {
        write_stderr(&format!("\r\x1b[K{line}"));
        self.drawn = Some(Instant::now());
        self.dirty = true;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// A line on stderr. A closed stderr is nobody's loss.
pub(super) fn say(text: &str) {
    let lines: Vec<String> = text.lines().map(line).collect();
    write_stderr(&format!("{}\n", lines.join("\n")));
}

fn write_stderr(text: &str) {
    let mut stderr = std::io::stderr();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

fn training_line(now: Training) -> String {
    let Training {
        step,
        total,
        epoch,
        loss,
        tokens_per_second,
        left,
    } = now;
    let left = clock(left);
    let bar = bar(step, total);
    format!(
        "training {bar} {step}/{total}  epoch {epoch:.2}  loss {loss:.4}  {tokens_per_second:.0} tokens/s  {left} left"
    )
}

/// Twenty cells, filled as far as `done` of `total`.
pub(super) fn bar(done: usize, total: usize) -> String {
    let filled = (20 * done).checked_div(total).unwrap_or(20).min(20);
    format!("[{}{}]", "#".repeat(filled), ".".repeat(20 - filled))
}

/// `1:05` or `2:00:00`.
pub(super) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        assert_eq!(clock(Duration::from_secs(65)), "1:05");
        assert_eq!(clock(Duration::from_secs(7200)), "2:00:00");
        assert_eq!(bar(5, 20), "[#####...............]");
        assert_eq!(bar(0, 0), "[####################]");
        let left = Duration::from_secs(9);
        let now = Training {
            step: 1,
            total: 4,
            epoch: 0.5,
            loss: 0.69,
            tokens_per_second: 1234.5,
            left,
        };
        assert_eq!(
            training_line(now),
            "training [#####...............] 1/4  epoch 0.50  loss 0.6900  1234 tokens/s  0:09 left"
        );
    }
}
