//! `examine`: findings as data, made small; clippers that panic, decline, or answer something else.

use cwgnc::cases::{Examination, Fault, Pack, Template, Wanted, examine};
use cwgnc::oracle::laws::Law;
use cwgnc::oracle::{Case, Format, Tensor};

fn own(policy: &str, count: usize) -> impl Iterator<Item = cwgnc::cases::NamedCase> + use<> {
    let template: Template = policy.parse().expect(policy);
    let wanted = Wanted {
        count,
        largest: 3000,
        ..Wanted::default()
    };
    Pack::cases_for(&template, &wanted).expect(policy)
}

/// `n <= c ? x : x·RN(c/n)`, tensor by tensor; what is not that is declined.
fn right(case: &Case) -> Result<Vec<Tensor>, String> {
    let policy = &case.policy;
    let threshold = policy.rule.threshold().ok_or("no threshold")?;
    let c = threshold.get();
    let single = case.before.iter().all(|t| t.data.format() == Format::F32);
    if policy.to_string() != format!("component:{threshold}@exact") || !single {
        return Err("not mine".to_owned());
    }
    let clip = |t: &Tensor| {
        let x = t.data.values();
        let n = x.iter().map(|x| x * x).sum::<f64>().sqrt();
        let k = if n <= c { 1.0 } else { f64::from((c / n) as f32) };
        t.with(x.iter().map(|x| x * k))
    };
    Ok(case.before.iter().map(clip).collect())
}

#[test]
fn a_right_clipper() {
    let examination = examine(own("component:*@exact", 120), right);
    assert!(examination.passed(), "{examination}");
    assert_eq!((examination.judged, examination.declined), (120, 0));
    assert!(examination.laws > 300, "{examination}");
    assert!(!examination.to_string().contains("warning"));
}

/// Whoever panics is found by name, made small, and asked on.
#[test]
fn a_panic_is_a_finding() {
    let examination = examine(own("component:*@exact", 60), |case| {
        for tensor in &case.before {
            assert!(tensor.data.len() != 1, "one element of `{}`", tensor.name);
        }
        right(case)
    });
    assert_eq!(examination.judged, 60);
    let panics: Vec<_> = examination
        .findings
        .iter()
        .filter(|finding| matches!(finding.fault, Fault::Panic { law: None, .. }))
        .collect();
    assert!(panics.len() > 5 && panics.len() < 60, "{examination}");
    for finding in &panics {
        let Fault::Panic { message, .. } = &finding.fault else {
            panic!("a panic")
        };
        assert!(message.starts_with("one element of `"), "{message}");
        let small = &finding.case.case.before;
        assert_eq!(small.iter().map(|t| t.data.len()).sum::<usize>(), 1, "{finding}");
        assert!(finding.to_string().starts_with(&format!(
            "{}: the clipper panicked: one element of `",
            finding.case.name
        )));
    }
    // A law that asks with one element is named too.
    let by_law = |finding: &cwgnc::cases::Finding| match finding.fault {
        Fault::Panic { law, .. } => law,
        _ => None,
    };
    assert!(
        examination
            .findings
            .iter()
            .all(|finding| by_law(finding) != Some(Law::Bound))
    );
}

#[test]
fn findings_are_small_and_can_be_repeated() {
    let wrong = |case: &Case| -> Result<Vec<Tensor>, String> {
        let clipped = right(case)?;
        // Longer than 64 is not clipped.
        let longer = |(before, after): (&Tensor, Tensor)| {
            if before.data.len() > 64 {
                before.clone()
            } else {
                after
            }
        };
        Ok(case.before.iter().zip(clipped).map(longer).collect())
    };
    let examination = examine(own("component:*@exact", 80), wrong);
    let verdicts: Vec<_> = examination
        .findings
        .iter()
        .filter(|finding| matches!(finding.fault, Fault::Verdict(_)))
        .collect();
    assert!(verdicts.len() > 10, "{examination}");
    for finding in verdicts {
        let lengths: Vec<usize> = finding.case.case.before.iter().map(|t| t.data.len()).collect();
        assert!(lengths.iter().any(|&n| n > 64), "{finding}");
        assert!(
            lengths.iter().sum::<usize>() <= 140,
            "{lengths:?} of {}: {finding}",
            finding.elements
        );
        let after = wrong(&finding.case.case).expect("an answer");
        let again = cwgnc::oracle::judge(&finding.case.case, &cwgnc::oracle::Candidate::new(after));
        assert!(!again.expect("a judgement").passed());
    }
}

#[test]
fn laws_are_findings() {
    // What one call leaves behind, the next one uses.
    let mut last = 1.0;
    let examination = examine(own("component:*@exact", 30), |case| {
        let mut after = right(case)?;
        if let Some(x) = after.first_mut().filter(|t| !t.data.is_empty()) {
            let kept = x.data.get(0);
            x.data.set(0, kept * last);
            last = if last == 1.0 { 1.0 + 1e-3 } else { 1.0 };
        }
        Ok(after)
    });
    let law = |finding: &cwgnc::cases::Finding| matches!(finding.fault, Fault::Law { .. });
    assert!(examination.findings.iter().any(law), "{examination}");
}

#[test]
fn answers_that_are_none() {
    let examination = examine(own("component:*@exact", 40), |case| {
        let mut after = right(case)?;
        if after.len() > 2 {
            after.pop();
        }
        Ok(after)
    });
    let malformed: Vec<_> = examination
        .findings
        .iter()
        .filter(|finding| matches!(finding.fault, Fault::Malformed(_)))
        .collect();
    assert!(!malformed.is_empty());
    for finding in malformed {
        assert_eq!(finding.case.case.before.len(), 3, "{finding}");
        assert!(
            finding
                .to_string()
                .contains("the answer is not well formed: after: missing ")
        );
    }
}

/// Most of `core` is about other policies, and that is said.
#[test]
fn declining_is_told() {
    let examination = examine(Pack::Core.cases(0), right);
    assert!(
        examination.passed() && examination.mostly_declined(),
        "{examination}"
    );
    assert!(
        examination
            .to_string()
            .contains("warning: most cases were declined")
    );
    let nothing = examine(Pack::Core.cases(0), |_| Err("not mine".to_owned()));
    assert!(!nothing.passed());
    assert_eq!(
        nothing,
        Examination {
            declined: nothing.declined,
            ..Examination::default()
        }
    );
}
