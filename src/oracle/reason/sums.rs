//! What is missing in a sum of squares, or is there twice; and elements that were not scaled.

use super::super::case::Case;
use super::super::expect::{Expectation, Expected};
use super::super::format::same;
use super::super::member::Member;
use super::super::tensor::Tensor;
use super::Reason;
use super::evidence::{Evidence, near};
use crate::clip::{Rule, Statistic};

/// The first explanation that holds in every component that is wrong.
pub(super) fn find(
    case: &Case,
    after: &[&Tensor],
    expectation: &Expectation,
    evidence: &[Evidence],
) -> Option<Reason> {
    let wrong = || {
        let all = expectation.components.iter().zip(evidence);
        all.filter(|(_, e)| e.wrong)
    };
    if let Some(reason) = not_scaled(case, after, wrong()) {
        return Some(reason);
    }
    if case.policy.statistic != Statistic::L2 || !matches!(case.policy.rule, Rule::Norm { .. }) {
        return None;
    }
    let usable = wrong().all(|(_, e)| e.uniform && e.clips() && e.factor > 0.0);
    if !usable {
        return None;
    }
    // The smallest first: it costs the least to be ruled out there.
    let mut wrong: Vec<_> = wrong().collect();
    wrong.sort_by_key(|(expected, _)| expected.norm.elements);
    tensors(case, &wrong).or_else(|| tails(case, &wrong))
}

/// Elements that are as they were where they were to be scaled.
fn not_scaled<'a>(
    case: &Case,
    after: &[&Tensor],
    wrong: impl Iterator<Item = (&'a Expected, &'a Evidence)>,
) -> Option<Reason> {
    let mut text = None;
    let mut whole: Vec<&str> = Vec::new();
    for (expected, evidence) in wrong {
        if evidence.right == 1.0 {
            return None;
        }
        if let Some(members) = left_whole(case, after, expected) {
            whole.extend(members);
            continue;
        }
        let found = expected
            .component
            .members
            .iter()
            .filter(|m| m.scaled)
            .find_map(|member| {
                let kept = kept(case, after, expected, member)?;
                Some((member, kept))
            });
        let (member, (first, count)) = found?;
        let name = &case.before[member.tensor].name;
        text.get_or_insert_with(|| {
            if first + count == member.len() {
                format!(
                    "the last {count} of the {} elements of `{name}` were not scaled",
                    member.len()
                )
            } else {
                format!(
                    "{count} elements of `{name}` from [{}] on were not scaled",
                    member.index(first)
                )
            }
        });
    }
    if text.is_none() && !whole.is_empty() {
        text = Some(match whole[..] {
            [one] => format!("`{one}` was not scaled: every element is as it was"),
            [first, ref others @ ..] => format!(
                "`{first}` and {} more tensors were not scaled: every element is as it was",
                others.len()
            ),
            [] => return None,
        });
    }
    text.map(|text| Reason::new("not-scaled", text))
}

/// The tensors of a component that are as they were, while all others are right.
fn left_whole<'a>(case: &'a Case, after: &[&Tensor], expected: &Expected) -> Option<Vec<&'a str>> {
    let mut left = Vec::new();
    for member in expected.component.members.iter().filter(|m| m.scaled) {
        let (before, after) = (&case.before[member.tensor], after[member.tensor]);
        let all = || {
            let at = (0..member.len()).map(|k| member.index(k));
            at.map(|i| (before.data.get(i), after.data.get(i)))
        };
        let function = expected.function(member, before.data.format());
        if all().all(|(x, y)| function.allowed(x, 0.0).contains(y)) {
            continue;
        }
        if !all().all(|(x, y)| same(x, y)) {
            return None;
        }
        left.push(before.name.as_str());
    }
    (!left.is_empty()).then_some(left)
}

/// One run of elements that are as they were while all others are right: where it begins, and its length.
fn kept(case: &Case, after: &[&Tensor], expected: &Expected, member: &Member) -> Option<(usize, usize)> {
    let before = &case.before[member.tensor].data;
    let function = expected.function(member, before.format());
    let mut run: Option<(usize, usize)> = None;
    for k in 0..member.len() {
        let i = member.index(k);
        let (x, y) = (before.get(i), after[member.tensor].data.get(i));
        if x == 0.0 || function.allowed(x, 0.0).contains(y) {
            continue;
        }
        if !same(x, y) {
            return None;
        }
        run = match run {
            None => Some((k, 1)),
            Some((first, count)) if first + count == k => Some((first, count + 1)),
            Some(_) => return None,
        };
    }
    // All of them are no run.
    run.filter(|&(_, count)| count < member.len())
}

/// The sum of squares of a member from its `k`th element on, in `f64`.
fn squares(case: &Case, member: &Member, range: std::ops::Range<usize>) -> f64 {
    let data = &case.before[member.tensor].data;
    range.map(|k| data.get(member.index(k))).map(|x| x * x).sum()
}

/// Whether leaving out (`sign` -1) or adding (+1) this sum of squares gives the denominator that was.
fn gives(e: &Evidence, sign: f64, sum: f64) -> bool {
    let rest = e.n * e.n + sign * sum;
    let moved = !near(rest.max(0.0).sqrt(), e.n, 2.0 * e.resolution);
    rest > 0.0 && moved && e.is(rest.sqrt() + e.eps)
}

/// Tensors that are left out of a component of several, or count twice.
fn tensors(case: &Case, wrong: &[(&Expected, &Evidence)]) -> Option<Reason> {
    let [(expected, evidence)] = wrong else {
        return None;
    };
    let members: Vec<&Member> = expected.component.members.iter().filter(|m| m.counted).collect();
    if members.len() < 2 || members.len() > 4096 {
        return None;
    }
    let own: Vec<(&str, f64)> = members
        .iter()
        .map(|member| {
            (
                case.before[member.tensor].name.as_str(),
                squares(case, member, 0..member.len()),
            )
        })
        .collect();
    let mut groups: Vec<(String, f64)> = own
        .iter()
        .map(|&(name, sum)| (format!("`{name}`"), sum))
        .collect();
    groups.extend(by_segment(&own));
    let running = own.iter().map(|(_, sum)| *sum);
    groups.push((
        "all but the first tensor".to_owned(),
        running.clone().skip(1).sum(),
    ));
    groups.push((
        "all but the last tensor".to_owned(),
        running.clone().take(own.len() - 1).sum(),
    ));
    groups.push((
        "the second half of the tensors".to_owned(),
        running.skip(own.len().div_ceil(2)).sum(),
    ));
    // What does not count may have been counted.
    let others = case.before.iter().enumerate();
    let outside = others.filter(|(t, _)| !members.iter().any(|member| member.tensor == *t));
    let mut strangers: Vec<(&str, f64)> = Vec::new();
    for (_, tensor) in outside {
        let sum = (0..tensor.data.len())
            .map(|i| tensor.data.get(i))
            .map(|x| x * x)
            .sum();
        strangers.push((&tensor.name, sum));
    }
    let id = &evidence.id;
    if let Some((name, _)) = groups.iter().find(|(_, sum)| gives(evidence, -1.0, *sum)) {
        return Some(Reason::new(
            "left-out",
            format!("the norm of `{id}` leaves out {name}"),
        ));
    }
    if let Some((name, _)) = groups.iter().find(|(_, sum)| gives(evidence, 1.0, *sum)) {
        return Some(Reason::new(
            "counted-twice",
            format!("the norm of `{id}` counts {name} twice"),
        ));
    }
    let mut counted: Vec<(String, f64)> = strangers.iter().map(|(n, s)| (format!("`{n}`"), *s)).collect();
    counted.push((
        "every tensor that is excluded".to_owned(),
        strangers.iter().map(|(_, s)| *s).sum(),
    ));
    let (name, _) = counted.iter().find(|(_, sum)| gives(evidence, 1.0, *sum))?;
    let text = format!("the norm of `{id}` counts {name}, which is no part of it");
    Some(Reason::new("counted-twice", text))
}

/// The tensors whose names have a segment in common: `bias`, `experts`, `layer.0`.
fn by_segment(own: &[(&str, f64)]) -> Vec<(String, f64)> {
    let mut groups: Vec<(String, f64, usize)> = Vec::new();
    for (name, sum) in own {
        let mut seen: Vec<&str> = Vec::new();
        for segment in name.split(['.', '/']).filter(|segment| !segment.is_empty()) {
            if seen.contains(&segment) {
                continue;
            }
            seen.push(segment);
            match groups.iter_mut().find(|(other, ..)| other == segment) {
                Some((_, total, count)) => (*total, *count) = (*total + sum, *count + 1),
                None => groups.push((segment.to_owned(), *sum, 1)),
            }
        }
    }
    let several = groups
        .into_iter()
        .filter(|(.., count)| *count > 1 && *count < own.len());
    several
        .map(|(segment, sum, n)| (format!("the {n} tensors with `{segment}` in their name"), sum))
        .collect()
}

/// A part of a tensor's elements that is left out in every component, and its name.
type Part = (fn(usize, usize) -> Option<usize>, usize, &'static str);

/// The last elements, which a loop over blocks forgets.
fn tails(case: &Case, wrong: &[(&Expected, &Evidence)]) -> Option<Reason> {
    let rest: fn(usize, usize) -> Option<usize> = |n, block| (n % block > 0).then_some(n % block);
    let block: fn(usize, usize) -> Option<usize> = |n, block| (n > block).then_some(block);
    let last: fn(usize, usize) -> Option<usize> =
        |n, block| (n > block).then(|| if n % block > 0 { n % block } else { block });
    let mut parts: Vec<Part> = Vec::new();
    for power in 0..=20 {
        parts.push((block, 1 << power, "the last elements of each tensor"));
        parts.push((rest, 1 << power, "what is left over from whole blocks"));
        parts.push((last, 1 << power, "the last block"));
    }
    for (tail, size, name) in parts {
        let fits = |(expected, evidence): &(&Expected, &Evidence)| {
            let counted = expected.component.members.iter().filter(|member| member.counted);
            let sum: f64 = counted
                .filter_map(|member| Some((member, tail(member.len(), size)?)))
                .map(|(member, count)| squares(case, member, member.len() - count..member.len()))
                .sum();
            gives(evidence, -1.0, sum)
        };
        if wrong.iter().all(fits) {
            let text = format!("the norm leaves out {name}: blocks of {size}");
            return Some(Reason::new("tail-left-out", text));
        }
    }
    let half = |(expected, evidence): &(&Expected, &Evidence)| {
        let counted = || expected.component.members.iter().filter(|member| member.counted);
        let total = |odd: usize| -> f64 {
            let every = |member: &Member| -> f64 {
                let data = &case.before[member.tensor].data;
                let elements = (odd..member.len()).step_by(2).map(|k| data.get(member.index(k)));
                elements.map(|x| x * x).sum()
            };
            counted().map(every).sum()
        };
        let (even, odd) = (total(0), total(1));
        let norms = [even, odd, 2.0 * even, 2.0 * odd];
        norms.iter().any(|sum| evidence.is(sum.sqrt() + evidence.eps))
    };
    wrong.iter().all(half).then(|| {
        let text = "the norm is that of every other element".to_owned();
        Reason::new("left-out", text)
    })
}
