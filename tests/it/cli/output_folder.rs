//! Who may write into an output folder, and what goes when a run is replaced.

use super::files::{copy, tensors};
use super::{DEMO_DATA, DEMO_MODEL, demo, finetune, json, listing, ran, scratch, text, trained};
use std::fs;

const NOT_EMPTY: &str =
    "output folder DIR/run is not empty; --overwrite replaces the run in it, --resume goes on with it";

#[test]
fn a_folder_with_something_in_it() {
    let dir = scratch::folder("cli-output-full");
    let run = dir.join("run");
    fs::create_dir(&run).unwrap();
    fs::write(run.join("diary.txt"), "dear").unwrap();
    demo(&run, &["--max-steps", "1"]).refused(&dir, 2, NOT_EMPTY);
    assert_eq!(listing(&run), ["diary.txt"]);
}

/// Two runs do not mix: the second is refused, and the first keeps every byte.
#[test]
fn a_second_run() {
    let dir = scratch::folder("cli-output-second");
    let run = dir.join("run");
    demo(&run, &["--max-steps", "1"]).succeeded();
    let before: Vec<_> = listing(&run)
        .into_iter()
        .map(|name| fs::read(run.join(name)).unwrap())
        .collect();
    demo(&run, &["--max-steps", "2"]).refused(&dir, 2, NOT_EMPTY);
    let after: Vec<_> = listing(&run)
        .into_iter()
        .map(|name| fs::read(run.join(name)).unwrap())
        .collect();
    assert!(before == after);
}

/// An empty folder is as good as none, and folders above it are made.
#[test]
fn an_empty_folder_and_one_to_be_made() {
    let dir = scratch::folder("cli-output-empty");
    fs::create_dir(dir.join("run")).unwrap();
    demo(&dir.join("run"), &["--max-steps", "0"]).succeeded();
    demo(&dir.join("a/b/c"), &["--max-steps", "0"]).succeeded();
    assert!(dir.join("a/b/c/all_results.json").exists());
    fs::write(dir.join("file"), "").unwrap();
    let message = "cannot use folder DIR/file: File exists (os error 17)";
    demo(&dir.join("file"), &["--max-steps", "0"]).refused(&dir, 1, message);
}

/// The files of the run before go, the checkpoints too; what is not a run's stays.
#[test]
fn overwrite_removes_what_a_run_writes_and_nothing_else() {
    let run = scratch::folder("cli-output-overwrite").join("run");
    demo(&run, &["--num-train-epochs", "3"]).succeeded();
    assert!(run.join("checkpoint-10").exists());
    for foreign in [
        "diary.txt",
        "checkpoint-notes.txt",
        "checkpoint-best/note",
        "log.jsonl.bak",
    ] {
        let path = run.join(foreign);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, foreign).unwrap();
    }
    // A tokenizer of another model would be preferred to the vocabulary that the new run writes.
    for stale in ["tokenizer.json", "merges.txt", "special_tokens_map.json"] {
        fs::write(run.join(stale), "{}").unwrap();
    }
    demo(&run, &["--max-steps", "0", "--overwrite"]).succeeded();
    assert_eq!(
        listing(&run),
        [
            "all_results.json",
            "checkpoint-best",
            "checkpoint-notes.txt",
            "config.json",
            "cwgnc.json",
            "diary.txt",
            "eval_results.json",
            "log.jsonl",
            "log.jsonl.bak",
            "model.safetensors",
            "run.json",
            "tokenizer_config.json",
            "train_results.json",
            "vocab.txt"
        ]
    );
    assert_eq!(
        fs::read_to_string(run.join("checkpoint-best/note")).unwrap(),
        "checkpoint-best/note"
    );
    assert_eq!(json(&run.join("run.json"))["settings"]["max_steps"], 0);
    assert_eq!(super::log(&run).len(), 1);
}

/// What fails before the run begins leaves the run before alone.
#[test]
fn overwrite_removes_nothing_when_the_new_run_cannot_begin() {
    let dir = scratch::folder("cli-output-kept");
    let run = dir.join("run");
    demo(&run, &["--max-steps", "1"]).succeeded();
    let before = listing(&run);
    let flags = ["--task", "sst2", "--data", "fixtures", "--overwrite"];
    let ran = ran(finetune(&run, &[DEMO_MODEL, &flags].concat()));
    assert_eq!((ran.code, listing(&run)), (Some(1), before));
}

/// The model that a run starts from is not its output, however it is spelled.
#[test]
fn the_model_folder_is_not_overwritten() {
    let dir = scratch::folder("cli-output-model");
    let model = dir.join("run");
    copy(trained(), &model);
    let before = tensors(&model.join("model.safetensors"));
    let message =
        "output folder DIR/./run is the model folder; the run would replace the model that it starts from";
    for how in ["--overwrite", "--resume"] {
        let flags = [DEMO_DATA, &["--model", text(&model), how]].concat();
        ran(finetune(&dir.join("./run"), &flags)).refused(&dir, 2, message);
    }
    assert_eq!(tensors(&model.join("model.safetensors")), before);
    assert!(model.join("all_results.json").exists());
}
