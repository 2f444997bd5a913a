//! Plans of studies: which runs there are, in which order, under which names; seeds and shards from text.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use cwgnc::study::presets::SEEDS;
use cwgnc::study::{Part, PlannedRun, Settings, Shard, Study, folder_name, parse_seeds};

fn part(name: &str, settings: &[(&str, &str)]) -> Part {
    let mut all = Settings::default();
    for (name, value) in settings {
        all.set(name, *value);
    }
    let name = name.to_owned();
    Part { name, settings: all }
}

fn study() -> Study {
    Study {
        common: part("", &[("learning-rate", "1e-4"), ("clip", "none")]).settings,
        tasks: vec![part("rte", &[("data", "R")]), part("mrpc", &[("data", "M")])],
        conditions: vec![part("control", &[]), part("c", &[("clip", "component:1")])],
        seeds: vec![3, 1],
    }
}

#[test]
fn the_order_is_task_seed_condition() {
    let study = study();
    let ids: Vec<String> = study.runs().iter().map(PlannedRun::id).collect();
    assert_eq!(
        ids,
        [
            "rte/control/seed-3",
            "rte/c/seed-3",
            "rte/control/seed-1",
            "rte/c/seed-1",
            "mrpc/control/seed-3",
            "mrpc/c/seed-3",
            "mrpc/control/seed-1",
            "mrpc/c/seed-1",
        ]
    );
    let numbers: Vec<usize> = study.runs().iter().map(|run| run.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
}

/// The condition's word is the last, the task's the one before.
#[test]
fn settings_are_replaced() {
    let mut study = study();
    study.tasks[0].settings.set("clip", "value:1");
    let runs = study.runs();
    let get = |run: usize, name: &str| runs[run].settings().get(name).map(str::to_owned);
    assert_eq!(get(0, "clip").as_deref(), Some("value:1"));
    assert_eq!(get(1, "clip").as_deref(), Some("component:1"));
    assert_eq!(get(4, "clip").as_deref(), Some("none"));
    assert_eq!(get(5, "learning-rate").as_deref(), Some("1e-4"));
    assert_eq!(get(5, "data").as_deref(), Some("M"));
}

#[test]
fn what_is_no_study() {
    let problem = |change: fn(&mut Study)| {
        let mut study = study();
        change(&mut study);
        study.check().unwrap_err().to_string()
    };
    assert!(study().check().is_ok());
    for (what, change) in [
        ("task", (|study| study.tasks.clear()) as fn(&mut Study)),
        ("condition", |study| study.conditions.clear()),
        ("seed", |study| study.seeds.clear()),
    ] {
        assert_eq!(problem(change), format!("the study has no run: it has no {what}"));
    }
    assert_eq!(problem(|s| s.seeds = vec![1, 2, 1]), "seed 1 is there twice");
    assert_eq!(
        problem(|s| s.conditions[1].name = "control".to_owned()),
        "condition `control` is there twice"
    );
    // `none` is what every run sets already.
    assert_eq!(
        problem(|s| s.conditions[1].settings.set("clip", "none")),
        "conditions `control` and `c` set the same"
    );
}

#[test]
fn differences_are_listed() {
    let mut now = study();
    assert!(study().differences(&now).is_empty());
    now.common.set("learning-rate", "1e-3");
    now.tasks[1].settings.set("data", "N");
    now.conditions.remove(0);
    now.seeds.push(5);
    assert_eq!(
        study().differences(&now),
        [
            "every run: learning-rate: was 1e-4; now 1e-3",
            "task mrpc: data: was M; now N",
            "conditions: was control, c; now c",
            "seeds: was [3, 1]; now [3, 1, 5]",
        ]
    );
}

#[test]
fn names_of_folders() {
    for (text, name) in [
        ("component:0.05", "component-0.05"),
        ("component:1/sqrt(N)", "component-1-sqrt-N"),
        ("global:1@optax,norm=linf", "global-1-optax-norm-linf"),
        ("../x", "x"),
        ("a  b", "a-b"),
        ("a_b+c", "a_b+c"),
        ("日本語", "日本語"),
        (":/", ""),
    ] {
        assert_eq!(folder_name(text), name, "{text}");
    }
}

#[test]
fn seeds_from_text() {
    let seeds = |text: &str| parse_seeds(text).unwrap();
    assert_eq!(seeds("5"), [1, 2, 3, 5, 7]);
    assert_eq!(seeds("30"), SEEDS);
    assert_eq!(seeds("7,"), [7]);
    assert_eq!(seeds("4, 2,9"), [4, 2, 9]);
    assert_eq!(seeds("101-104,7"), [101, 102, 103, 104, 7]);
    for text in ["31", "x", "1,x", "5-2", "1-", "-3", "1.5", "0-99999999999"] {
        assert!(parse_seeds(text).is_err(), "{text}");
    }
}

/// The list of the authors' scripts has 30 different seeds; the first and the last are 1 and 1021.
#[test]
fn the_seeds_of_the_paper() {
    let mut seeds = SEEDS.to_vec();
    assert_eq!((seeds[0], seeds[29]), (1, 1021));
    seeds.dedup();
    assert_eq!(seeds.len(), 30);
    assert!(seeds.is_sorted());
}

#[test]
fn every_run_is_in_one_shard() {
    let shards: Vec<Shard> = ["1/3", "2/3", "3/3"].map(|text| text.parse().unwrap()).to_vec();
    for number in 1..=20 {
        assert_eq!(
            shards.iter().filter(|shard| shard.has(number)).count(),
            1,
            "{number}"
        );
    }
    let sizes: Vec<usize> = shards
        .iter()
        .map(|s| (1..=20).filter(|&n| s.has(n)).count())
        .collect();
    assert_eq!(sizes, [7, 7, 6]);
    for text in ["0/3", "4/3", "1", "1/0", "a/b", "1/3/5", "-1/3"] {
        assert!(text.parse::<Shard>().is_err(), "{text}");
    }
}
