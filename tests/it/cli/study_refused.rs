//! Studies that cannot be: the exact message, and nothing written.

use super::study::{ran, run_flags, study, undisturbed};
use super::{cwgnc, json, listing, scratch, text};
use std::fs::{self, File};
use std::path::Path;

/// `cwgnc study` with these flags writes nothing to `dir/out` and says so.
#[track_caller]
fn refused(dir: &Path, flags: &[&str], message: &str) {
    let out = dir.join("out");
    let flags = [&["study", "--output", text(&out)], flags].concat();
    cwgnc(&flags).refused(dir, 2, message);
    assert!(!out.exists(), "a folder was made");
}

/// A study file with this text.
#[track_caller]
fn refused_file(dir: &Path, content: &str, message: &str) {
    let file = dir.join("study.toml");
    fs::write(&file, content).unwrap();
    refused(
        dir,
        &["--config", text(&file)],
        &format!("DIR/study.toml{message}"),
    );
}

#[test]
fn study_files() {
    let dir = scratch::folder("study-refused-files");
    refused_file(
        &dir,
        "preset = 'paper'\nconditons = ['control']",
        " line 2: unknown key `conditons`; nearest: conditions, condition, common",
    );
    refused_file(
        &dir,
        "[comon]",
        " line 1: unknown key `comon`; nearest: common, seeds, task",
    );
    refused_file(
        &dir,
        "[common]\n# lr\nlearning-rat = 1",
        " line 3 [common]: unknown setting `learning-rat`; nearest: learning-rate, warmup-ratio, train-file",
    );
    refused_file(
        &dir,
        "[condition.'component:1']\nwarmup-ratio = 3",
        " line 2 [condition.component:1]: invalid value '3' for '--warmup-ratio <RATIO>': must be in [0, 1]",
    );
    refused_file(
        &dir,
        "[task.rte]\nseed = 3",
        " line 2 [task.rte]: `seed` is set by the study, not by its settings",
    );
    refused_file(
        &dir,
        "[common]\nepochs = 3\nnum-train-epochs = 4",
        " line 3 [common]: `num-train-epochs` is set twice, once as `num-train-epochs`",
    );
    refused_file(
        &dir,
        "[common]\nclip = ['none']",
        " line 2 [common]: `clip` must be a text or a number",
    );
    refused_file(
        &dir,
        "[factors]\nclip = 'none'",
        " line 2 [factors]: `clip` must be a list, as in [\"a\", \"b\"]",
    );
    refused_file(
        &dir,
        "task = 'rte'",
        " line 1: `task` must be a table, as in [task]",
    );
    refused_file(
        &dir,
        "seeds = [1, -2]",
        " line 1: `seeds` must be whole numbers of at least 0",
    );
    refused_file(
        &dir,
        "seeds = 31",
        " line 1: seeds `31`: the paper has 30 seeds; give a list or a range (1-31) for more",
    );
    refused_file(
        &dir,
        "[common]\nsave_strategie = 1",
        " line 2 [common]: unknown setting `save_strategie`; \
         nearest: save-strategy, save-steps, eval-strategy",
    );
    let broken = dir.join("study.toml");
    fs::write(&broken, "seeds = [1\n").unwrap();
    let said = cwgnc(&["study", "--config", text(&broken)]);
    assert!(
        said.stderr.starts_with(&format!("error: {}: ", broken.display())),
        "{}",
        said.stderr
    );
    assert_eq!(said.code, Some(2));
}

#[test]
fn what_is_asked_for() {
    let dir = scratch::folder("study-refused-flags");
    let rte = [
        "--task",
        "rte",
        "--data",
        "nowhere",
        "--model",
        "fixtures/demo/model",
    ];
    let with = |more: &[&str], message: &str| refused(&dir, &[&rte[..], more].concat(), message);
    refused(
        &dir,
        &[],
        "DIR/out: no study is asked for; give --preset or --config, --task, --data and --model",
    );
    refused(
        &dir,
        &["--resume"],
        "DIR/out: there is no study in it to resume; give --preset or --config, --task, --data and --model",
    );
    refused(
        &dir,
        &["--preset", "paper"],
        "the study has no run: it has no task",
    );
    refused(
        &dir,
        &["--preset", "paper", "--task", "rte"],
        "task rte has no data: give --data",
    );
    refused(
        &dir,
        &["--preset", "papr"],
        "unknown preset `papr`; known: paper, factorial, stabilisers, subsets, unfreezing",
    );
    with(&[], "the study has no run: it has no condition");
    with(
        &["--conditions", "contrl"],
        "condition `contrl` is neither described nor a clipping policy; nearest: control, longer, full",
    );
    with(
        &["--conditions", "control,control"],
        "condition `control` is there twice",
    );
    with(
        &["--conditions", "component:0.05,component:5e-2"],
        "conditions `component-0.05` and `component-5e-2` set the same",
    );
    with(
        &["--conditions", "control", "--seeds", "1,2,1"],
        "seed 1 is there twice",
    );
    with(
        &["--conditions", "control", "--seeds", "0"],
        "the study has no run: it has no seed",
    );
    with(
        &["--conditions", "control", "--", "--learning-rat", "3"],
        "unknown setting `learning-rat`; nearest: learning-rate, warmup-ratio, train-file",
    );
    with(
        &["--conditions", "control", "--data", "a,b"],
        "--data names 3 folders for 1 tasks; give one for each task, or one with all of GLUE in it",
    );
    let said = cwgnc(&["study", "--preset", "paper", "--task", "rta", "--data", "x"]).stderr;
    assert!(said.starts_with("error: unknown task `rta`; "), "{said}");
    let missing = ["--conditions", "control"];
    let out = dir.join("out");
    let said = cwgnc(&[&["study", "--output", text(&out)], &rte[..], &missing].concat());
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("nowhere/train.tsv"), "{}", said.stderr);
}

/// Settings that are right by themselves and contradict each other.
#[test]
fn contradictions() {
    let dir = scratch::folder("study-refused-contradictions");
    let file = dir.join("study.toml");
    fs::write(&file, "preset = 'paper'\n[task.rte]\ndata = 'x'").unwrap();
    let config = ["--config", text(&file)];
    let with = |more: &[&str], message: &str| refused(&dir, &[&config[..], more].concat(), message);
    with(
        &["--preset", "factorial"],
        "--preset factorial contradicts the study file, which names `paper`",
    );
    with(
        &["--data", "y"],
        "--data contradicts the study file, whose [task] tables say where the data are",
    );
    with(
        &["--task", "cola"],
        "task `cola` is not in the study file; it has rte",
    );
    with(
        &["--model", "m", "--", "--train-file", "t"],
        "task rte, condition control: the argument '--train-file <FILE>' cannot be used with '--data <DIR>'",
    );
}

/// The folder of another study, of another version, or in use.
#[test]
fn folders() {
    let dir = scratch::folder("study-refused-folders");
    let path = dir.join("study");
    ran(study(&path, &["--shard", "1/3", "--quiet"])).succeeded();
    let results = fs::read(path.join("results.jsonl")).unwrap();
    ran(study(&path, &[])).refused(
        &dir,
        2,
        "output folder DIR/study holds a study with 2 finished runs; --resume goes on with it",
    );
    let mut other = super::program();
    other.args([
        "study",
        "--resume",
        "--seeds",
        "2",
        "--conditions",
        "control",
        "--output",
        text(&path),
    ]);
    other.args(run_flags()).args(["--adam-beta2", "0.98"]);
    ran(other).refused(
        &dir,
        2,
        "cannot resume DIR/study: it is another study\n  \
         every run: adam-beta2: was not set; now 0.98\n  \
         conditions: was control, component-0.05; now control\n  \
         seeds: was [1, 2, 3]; now [1, 2]",
    );
    let held = File::open(path.join("lock")).unwrap();
    held.lock().unwrap();
    let message = "another process works in DIR/study; wait until it has ended";
    ran(study(&path, &["--resume"])).refused(&dir, 2, message);
    ran(study(&path, &["--resume", "--only", "2"])).refused(&dir, 2, message);
    // A process that does one run leaves room for others of its kind, and for no whole study.
    held.unlock().unwrap();
    held.lock_shared().unwrap();
    ran(study(&path, &["--resume"])).refused(&dir, 2, message);
    ran(study(&path, &["--resume", "--quiet", "--only", "2"])).succeeded();
    drop(held);

    // A folder that says other versions, and no hash that would call that damage.
    fs::remove_file(path.join("checksums.json")).unwrap();
    let versions = path.join("study.json");
    let text_of = fs::read_to_string(&versions).unwrap();
    let (now, was) = (format!("\"{}\"", env!("CARGO_PKG_VERSION")), "\"0.0.9\"");
    fs::write(&versions, text_of.replace(&now, was)).unwrap();
    let message = format!(
        "DIR/study/study.json: made by cwgnc 0.0.9 with study format 1; this is cwgnc {} with format 1",
        env!("CARGO_PKG_VERSION")
    );
    ran(study(&path, &["--resume"])).refused(&dir, 2, &message);
    let hash = json(&path.join("study.json"))["data_files"]["fixtures/demo/dev.tsv"].to_string();
    fs::write(&versions, text_of.replace(&hash, "\"other\"")).unwrap();
    let message = format!(
        "cannot resume DIR/study: it is another study\n  fixtures/demo/dev.tsv: was \"other\", now {hash}"
    );
    ran(study(&path, &["--resume"])).refused(&dir, 2, &message);
    assert_eq!(
        fs::read(path.join("results.jsonl")).unwrap(),
        results,
        "nothing was changed"
    );

    let full = dir.join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("mine.txt"), "mine").unwrap();
    ran(study(&full, &[])).refused(&dir, 2, "output folder DIR/full is not empty and holds no study");
    assert_eq!(listing(&full), ["mine.txt"]);
}

#[test]
fn runs_and_shards_that_are_not_there() {
    let dir = scratch::folder("study-refused-runs");
    let path = dir.join("study");
    ran(study(&path, &["--only", "7"])).refused(
        &dir,
        2,
        "--only 7: the study has no such run; runs are 1 to 6, or names as in train/control/seed-1",
    );
    ran(study(&path, &["--resume", "--shard", "7/9"])).refused(
        &dir,
        2,
        "the shard has no run: there are more shards than runs",
    );
}

#[test]
fn merging() {
    let dir = scratch::folder("study-refused-merge");
    let (part, other, out) = (dir.join("part"), dir.join("other"), dir.join("out"));
    ran(study(&part, &["--shard", "1/3", "--quiet"])).succeeded();
    let mut command = super::program();
    command.args([
        "study",
        "--quiet",
        "--conditions",
        "control",
        "--seeds",
        "1,",
        "--output",
        text(&other),
    ]);
    ran({
        command.args(run_flags());
        command
    })
    .succeeded();
    let merge = |folders: &[&Path], out: &Path| {
        let folders: Vec<&str> = folders.iter().map(|path| text(path)).collect();
        cwgnc(&[&["study", "merge", "--output", text(out)], &folders[..]].concat())
    };
    merge(&[&part, &other], &out).refused(
        &dir,
        2,
        "DIR/other is not of the study of DIR/part:\n  conditions: was control, component-0.05; now control\n  \
         seeds: was [1, 2, 3]; now [1]",
    );
    assert!(!out.exists());
    merge(&[&part], &other).refused(
        &dir,
        2,
        "output folder DIR/other holds a study; merge into a new one",
    );
    let journal = part.join("journal.jsonl");
    let changed = fs::read_to_string(&journal)
        .unwrap()
        .replace("\"steps\":8", "\"steps\":9");
    let unsigned: Vec<&str> = changed
        .lines()
        .map(|line| line.split_once(",\"log\"").unwrap().0)
        .collect();
    let copy = dir.join("copy");
    fs::create_dir(&copy).unwrap();
    for name in ["study.toml", "study.json", "checksums.json"] {
        fs::copy(part.join(name), copy.join(name)).unwrap();
    }
    fs::write(copy.join("journal.jsonl"), &changed).unwrap();
    merge(&[&part, &copy], &out).refused(
        &dir,
        1,
        "DIR/copy/journal.jsonl line 1: damaged: its bytes are not those that were written; take the line out, and \
         --resume repeats the run",
    );
    // As another version wrote it, without checksums.
    fs::write(copy.join("journal.jsonl"), unsigned.join("}\n") + "}\n").unwrap();
    merge(&[&part, &copy], &out).refused(
        &dir,
        1,
        "run train/component-0.05/seed-2 has other results in DIR/copy than before",
    );
    let said = merge(&[&part], &out);
    assert!(
        said.stderr.contains("does the rest\n") && said.stderr.starts_with("2 of 6 runs; "),
        "{}",
        said.stderr
    );
    said.succeeded();
    // The merged folder is the study's: it goes on, to the same results.
    let whole = cwgnc(&["study", "--resume", "--quiet", "--output", text(&out)]).succeeded();
    assert_eq!(whole, undisturbed().1);
    let all = |path: &Path| fs::read(path.join("results.jsonl")).unwrap();
    assert_eq!(all(&out), all(&undisturbed().0));
}
