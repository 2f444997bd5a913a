//! Laws over all components.

use super::super::case::Case;
use super::super::format::Format;
use super::Reason;
use super::evidence::{Evidence, near};
use crate::clip::Rule;

/// The first law that all evidence obeys.
pub(super) fn find(case: &Case, all: &[Evidence]) -> Option<Reason> {
    if let Some(reason) = unclipped(all) {
        return Some(reason);
    }
    if all.iter().any(|e| e.wrong && !e.uniform) {
        return None;
    }
    factors(all).or_else(|| {
        let divides = matches!(case.policy.rule, Rule::Norm { .. });
        let wrong: Vec<&Evidence> = all.iter().filter(|e| e.wrong).collect();
        let usable = |e: &&Evidence| e.clips() && e.factor > 0.0 && e.n > 0.0 && e.c > 0.0;
        // What is clipped and yet right must not contradict.
        let clipped: Vec<&Evidence> = all.iter().filter(|e| e.clips()).collect();
        if !divides || !wrong.iter().all(usable) || !clipped.iter().all(usable) {
            return if divides { ratio(all) } else { None };
        }
        roundings(&wrong)
            .or_else(|| twice(&clipped))
            .or_else(|| epsilon(&case.policy.rule, &wrong, &clipped))
            .or_else(|| roots(&wrong, &clipped))
            .or_else(|| others(&wrong, all))
            .or_else(|| sizes(&wrong, &clipped))
            .or_else(|| ratio(all))
    })
}

/// Nothing was done at all.
pub(super) fn unclipped(all: &[Evidence]) -> Option<Reason> {
    (all.iter().any(Evidence::clips) && all.iter().all(|e| e.kept)).then(|| {
        let text = "nothing was clipped: every element is as it was before".to_owned();
        Reason::new("nothing-clipped", text)
    })
}

/// What one number says if nothing better is found: by how much the threshold, or the norm, is off.
pub(super) fn last(all: &[Evidence]) -> Option<Reason> {
    let clipped: Vec<&Evidence> = all.iter().filter(|e| e.clips()).collect();
    let usable = |e: &&Evidence| e.uniform && e.factor > 0.0 && e.n > 0.0 && e.c > 0.0;
    clipped.iter().all(usable).then(|| threshold(&clipped)).flatten()
}

/// A law that is obeyed within the budget: so many components are not off by chance in one way.
pub(super) fn hidden(case: &Case, all: &[Evidence]) -> Option<Reason> {
    let off: Vec<&Evidence> = all
        .iter()
        .filter(|e| e.clips() && !near(e.got(), e.due(), 3.0 * e.resolution))
        .collect();
    let usable = |e: &&Evidence| e.uniform && e.factor > 0.0 && e.n > 0.0 && e.c > 0.0;
    let clipped: Vec<&Evidence> = all.iter().filter(|e| e.clips()).collect();
    if off.len() < 3 || !clipped.iter().all(usable) || !matches!(case.policy.rule, Rule::Norm { .. }) {
        return None;
    }
    roundings(&clipped).or_else(|| {
        // Tensors of one size and one norm may well be off alike.
        let norms = off.iter().map(|e| e.n);
        let (least, most) = norms.fold((f64::INFINITY, 0.0_f64), |(a, b), n| (a.min(n), b.max(n)));
        if most > 1.2 * least {
            epsilon(&case.policy.rule, &off, &clipped)
        } else {
            None
        }
    })
}

/// Laws of the factors alone.
fn factors(all: &[Evidence]) -> Option<Reason> {
    let wrong = || all.iter().filter(|e| e.wrong);
    if wrong().all(|e| e.factor < 0.0) && wrong().all(|e| near(-e.factor, e.right, e.resolution)) {
        return Some(Reason::new("sign", "every element has the wrong sign".to_owned()));
    }
    let (clipped, unclipped) = (
        all.iter().filter(|e| e.clips()),
        all.iter().filter(|e| !e.clips()),
    );
    let grown = |e: &Evidence| e.factor > 1.0 && e.n > 0.0 && e.is(e.due());
    let (clipped, unclipped): (Vec<_>, Vec<_>) = (clipped.collect(), unclipped.collect());
    if let Some(first) = unclipped.iter().find(|e| e.wrong)
        && unclipped.iter().filter(|e| e.wrong).all(|e| grown(e))
    {
        if clipped.iter().any(|e| e.wrong) && clipped.iter().all(|e| near(e.factor, 1.0, e.resolution)) {
            let text = format!(
                "the minimum is a maximum: `{}`, below its threshold, grew {:.4} times, and what is above was not clipped",
                first.id, first.factor
            );
            return Some(Reason::new("inverted", text));
        }
        if clipped.iter().all(|e| !e.wrong) {
            let text = format!(
                "`min(1, ·)` is missing: `{}`, below its threshold, grew {:.4} times, to the threshold",
                first.id, first.factor
            );
            return Some(Reason::new("no-minimum", text));
        }
    }
    let first = unclipped.iter().find(|e| e.wrong && e.right != 0.0)?;
    let ratio = first.factor / first.right;
    let one = |e: &Evidence| near(e.factor / e.right, ratio, e.resolution);
    (all.iter().all(one) && !near(ratio, 1.0, first.resolution)).then(|| {
        let text = format!(
            "every element, of unclipped components too, is {} times what is expected: a loss scale or a mean that was \
             left in or taken out twice",
            multiple(ratio, first.resolution)
        );
        Reason::new("loss-scale", text)
    })
}

/// A threshold or a scale that was rounded to a narrow type.
fn roundings(wrong: &[&Evidence]) -> Option<Reason> {
    for format in [Format::Bf16, Format::F16, Format::F32] {
        let by_threshold = |e: &&Evidence| {
            let rounded = format.round(e.c);
            !near(rounded, e.c, 2.0 * e.resolution) && near(e.factor * e.due(), rounded, e.resolution)
        };
        if wrong.iter().all(by_threshold) {
            let c = wrong[0].c;
            let text = format!("the threshold {c} was rounded to {format}: {}", format.round(c));
            return Some(Reason::new("threshold-rounded", text));
        }
        let by_scale = |e: &&Evidence| {
            let rounded = format.round(e.right);
            !near(rounded, e.right, 2.0 * e.resolution) && near(e.factor, rounded, e.resolution)
        };
        if wrong.iter().all(by_scale) {
            let text = format!("the scale was rounded to {format}");
            return Some(Reason::new("scale-rounded", text));
        }
    }
    None
}

/// Clipping what comes out of clipping, or its factor applied once more.
fn twice(clipped: &[&Evidence]) -> Option<Reason> {
    let squared = |e: &&Evidence| near(e.factor, e.right * e.right, e.resolution);
    let again = |e: &&Evidence| e.is(e.due() * (e.n * e.c / e.due() + e.eps) / e.c);
    let far = |e: &&Evidence| !e.is(e.due());
    if !clipped.iter().any(far) {
        return None;
    }
    let text = if clipped.iter().all(squared) {
        "clipped twice: the factor was applied once more to what it had made"
    } else if clipped.iter().all(again) {
        "clipped twice: what comes out was clipped again"
    } else {
        return None;
    };
    Some(Reason::new("clipped-twice", text.to_owned()))
}

/// The ε that sources use.
const EPSILONS: [f64; 15] = [
    0.0, 1e-15, 1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 1e-16,
];

/// Another ε, beside the norm or inside the root.
fn epsilon(rule: &Rule, wrong: &[&Evidence], clipped: &[&Evidence]) -> Option<Reason> {
    let lead = sharpest(wrong)?;
    // What is not far above the resolution is no number.
    if (lead.got() - lead.due()).abs() < 10.0 * lead.resolution * lead.n {
        return None;
    }
    let all = |predicted: &dyn Fn(&Evidence) -> f64| clipped.iter().all(|e| e.is(predicted(e)));
    let found = lead.got() - lead.n;
    if let Some(eps) = named(found, lead.got() * lead.resolution)
        && eps != lead.eps
        && all(&|e| e.n + eps)
    {
        let accepts = match rule {
            Rule::Norm { convention, .. } if convention.eps().is_some() => {
                format!(" (`eps={eps:e}` in the policy accepts it)")
            }
            _ => String::new(),
        };
        let text = format!("the ε is {eps:e}, where the policy has {:e}{accepts}", lead.eps);
        return Some(Reason::new("epsilon", text));
    }
    let places = [
        (lead.eps, "inside the root"),
        (0.0, "inside the root instead of beside it"),
    ];
    places.into_iter().find_map(|(beside, there)| {
        let root = lead.got() - beside;
        let found = root * root - lead.n * lead.n;
        let eps = named(found, 2.0 * root * root * lead.resolution).filter(|eps| *eps > 0.0)?;
        let law = all(&|e| (e.n * e.n + eps).sqrt() + beside);
        law.then(|| Reason::new("epsilon-in-root", format!("an ε of {eps:e} {there}")))
    })
}

/// The component whose norm is smallest: there an ε shows the most.
fn sharpest<'a>(of: &[&'a Evidence]) -> Option<&'a Evidence> {
    of.iter().copied().min_by(|a, b| a.n.total_cmp(&b.n))
}

/// The ε of the sources that this is, where it can be told from all others.
fn named(found: f64, slack: f64) -> Option<f64> {
    let near = |eps: &&f64| (found - **eps).abs() <= slack.max(1e-3 * **eps);
    let mut fitting = EPSILONS.iter().filter(near);
    let (first, second) = (fitting.next(), fitting.next());
    if second.is_some() { None } else { first.copied() }
}

/// A root too few or too many.
fn roots(wrong: &[&Evidence], clipped: &[&Evidence]) -> Option<Reason> {
    debug_assert!(!wrong.is_empty());
    let text = if clipped.iter().all(|e| e.is(e.n * e.n + e.eps)) {
        "the root is missing: the sum of squares stands for the norm"
    } else if clipped.iter().all(|e| e.is(e.n.sqrt() + e.eps)) {
        "a root too many: the root of the norm stands for the norm"
    } else {
        return None;
    };
    Some(Reason::new("root", text.to_owned()))
}

/// The norm of another component.
fn others(wrong: &[&Evidence], all: &[Evidence]) -> Option<Reason> {
    if all.len() < 2 {
        return None;
    }
    // Where several have such a norm, the types are too coarse to tell one from another.
    let source = |e: &&Evidence| {
        let other = |o: &&Evidence| o.id != e.id && !near(o.n, e.n, e.resolution) && e.is(o.n + e.eps);
        let mut found = all.iter().filter(other);
        let first = found.next()?;
        found.all(|other| other.n == first.n).then_some(first)
    };
    let sources: Option<Vec<&Evidence>> = wrong.iter().map(source).collect();
    let sources = sources?;
    let (first, from) = (wrong.first()?, sources.first()?);
    let text = format!(
        "`{}` was scaled with the norm of `{}`{}: a stale norm, or norms in another order",
        first.id,
        from.id,
        match wrong.len() {
            1 => String::new(),
            n => format!(", and {} more with that of another", n - 1),
        }
    );
    Some(Reason::new("other-norm", text))
}

/// The number of elements where it does not belong.
fn sizes(wrong: &[&Evidence], clipped: &[&Evidence]) -> Option<Reason> {
    let different = wrong.iter().any(|e| e.elements != wrong[0].elements);
    if !different {
        return None;
    }
    let all = |power: &dyn Fn(f64) -> f64| clipped.iter().all(|e| e.is(e.n * power(e.elements) + e.eps));
    let text = if all(&|n| 1.0 / n.sqrt()) {
        "the norm is divided by √N: a root mean square stands for it"
    } else if all(&|n| n.sqrt()) {
        "the norm is multiplied by √N"
    } else if all(&|n| 1.0 / n) {
        "the norm is divided by the number of elements"
    } else if all(&|n| n) {
        "the norm is multiplied by the number of elements"
    } else {
        return None;
    };
    Some(Reason::new("size-in-norm", text.to_owned()))
}

/// One ratio in all components: a whole number, a root of one, or their inverse. With it, others are clipped than with
/// the true norm.
fn ratio(all: &[Evidence]) -> Option<Reason> {
    let lead = all
        .iter()
        .find(|e| e.wrong && e.n > 0.0 && e.factor > 0.0 && !e.kept)?;
    let ratio = (lead.got() - lead.eps) / lead.n;
    // With the minimum, or without it.
    let law = |most: f64| {
        let factor = |e: &Evidence| (e.c / (e.n * ratio + e.eps)).min(most);
        all.iter()
            .all(|e| e.n == 0.0 || near(e.factor, factor(e), e.resolution))
    };
    if near(ratio, 1.0, lead.resolution) || !law(1.0) && !law(f64::INFINITY) {
        return None;
    }
    let name = multiple(ratio, lead.resolution);
    let square = ratio * ratio;
    let whole = |x: f64| {
        let n = x.round();
        ((2.0..=65536.0).contains(&n) && near(x, n, 2.0 * lead.resolution)).then_some(n)
    };
    let what = if let Some(n) = whole(ratio) {
        let each = (n * n).round();
        format!(
            "a sum of {n} gradients where their mean belongs (accumulation steps, replicas), each counted {each} times, or a \
             loss scale that was taken out after clipping"
        )
    } else if let Some(n) = whole(1.0 / ratio) {
        format!("a mean of {n} where the sum belongs")
    } else if let Some(n) = whole(square) {
        format!("every square counts {n} times (replicas, ties)")
    } else {
        let n = whole(1.0 / square)?;
        format!("one of {n} equal shards stands for all")
    };
    let text = format!("every norm is {name} times the true one: {what}");
    Some(Reason::new("norm-times", text))
}

/// One threshold in all components that is not the one that was asked for.
fn threshold(clipped: &[&Evidence]) -> Option<Reason> {
    let lead = clipped.first()?;
    let times = |e: &Evidence| e.factor * e.due() / e.c;
    let one = |e: &&Evidence| near(times(e), times(lead), e.resolution);
    if near(times(lead), 1.0, lead.resolution) || !clipped.iter().all(one) {
        return None;
    }
    let text = format!(
        "it is as for a threshold of {} instead of {} ({} times), or a norm {} times the true one; no sum is so far off",
        short(lead.factor * lead.due()),
        lead.c,
        short(times(lead)),
        short(1.0 / times(lead))
    );
    Some(Reason::new("threshold", text))
}

/// A ratio in words: a whole number, a power of two, a root, or its digits.
fn multiple(ratio: f64, resolution: f64) -> String {
    let whole = |x: f64| {
        let n = x.round();
        ((1.0..1e9).contains(&n) && near(x, n, 2.0 * resolution)).then_some(n)
    };
    if let Some(n) = whole(ratio) {
        return format!("{n}");
    }
    if let Some(n) = whole(1.0 / ratio) {
        return format!("1/{n}");
    }
    match (whole(ratio * ratio), whole(1.0 / (ratio * ratio))) {
        (Some(n), _) if n <= 65536.0 => format!("√{n}"),
        (_, Some(n)) if n <= 65536.0 => format!("1/√{n}"),
        _ => short(ratio),
    }
}

/// Six digits.
fn short(x: f64) -> String {
    format!("{x:.6e}")
        .parse::<f64>()
        .map_or_else(|_| x.to_string(), |x| x.to_string())
}
