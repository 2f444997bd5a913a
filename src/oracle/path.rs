//! Where the names of parameters are cut into layers and modules, worked out a second time.
//!
//! PyTorch joins steps by dots, Flax by slashes (`layer/3/kernel`), and JAX prints a key in brackets (`['layer'][3]`).

/// The name up to its last step, or the whole name if it has one.
pub(super) fn module<'n>(name: &'n str, cuts: &[usize]) -> &'n str {
    match cuts.last() {
        // A name that begins with its only bracket is one step.
        Some(0) if name.starts_with('[') => name,
        Some(&last) => &name[..last],
        None => name,
    }
}

/// Where a name can be cut: before each `.` and `/`, and before each bracket that is closed, outside of brackets.
pub(super) fn cuts(name: &str) -> Vec<usize> {
    let mut cuts = Vec::new();
    let mut inside = 0..0;
    for (at, letter) in name.char_indices() {
        if at < inside.end {
            continue;
        }
        match letter {
            '.' | '/' => cuts.push(at),
            '[' => {
                let rest = &name[at + 1..];
                let end = match rest.as_bytes().first() {
                    Some(b'\'') => rest[1..].find("']").map(|end| end + 3),
                    Some(b'"') => rest[1..].find("\"]").map(|end| end + 3),
                    _ => rest.find(']').map(|end| end + 1),
                };
                if let Some(end) = end {
                    inside = at..at + 1 + end;
                    // After a separator the step has begun; text behind a bracket is a step of its own.
                    if !name[..at].ends_with(['.', '/']) {
                        cuts.push(at);
                    }
                    if name[inside.end..].starts_with(|c| !['.', '/', '['].contains(&c)) {
                        cuts.push(inside.end);
                    }
                }
            }
            _ => {}
        }
    }
    cuts
}

/// Where a name ends as a module, and as a layer if a step is a number: cut at this text and nowhere else.
pub(super) fn ends(name: &str, separator: &str) -> (usize, Option<usize>) {
    let (mut start, mut module, mut layer) = (0, None, None);
    loop {
        let next = name[start..].find(separator).map(|at| start + at);
        let end = next.unwrap_or(name.len());
        let digits = name[start..end].bytes().filter(u8::is_ascii_digit).count();
        if layer.is_none() && digits > 0 && digits == end - start {
            layer = Some(end);
        }
        let Some(cut) = next else {
            return (module.unwrap_or(name.len()), layer);
        };
        module = Some(cut);
        start = cut + separator.len();
    }
}

/// The name up to the first step that is a number, that step included: `layer.3`, `layer/3`, `['layer'][3]`.
pub(super) fn layer<'n>(name: &'n str, cuts: &[usize]) -> Option<&'n str> {
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([name.len()]);
    let number = |(start, end): &(usize, usize)| {
        let step = name[*start..*end].trim_start_matches(['.', '/']);
        let bare = step
            .strip_prefix('[')
            .and_then(|s| s.strip_suffix(']'))
            .unwrap_or(step);
        let quoted = |quote| bare.strip_prefix(quote)?.strip_suffix(quote);
        let bare = quoted('\'').or_else(|| quoted('"')).unwrap_or(bare);
        bare.starts_with(|c: char| c.is_ascii_digit()) && bare.bytes().all(|b| b.is_ascii_digit())
    };
    starts.zip(ends).find(number).map(|(_, end)| &name[..end])
}
