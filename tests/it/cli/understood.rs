//! What the program makes of files that are not quite what it needs: it reads them alike in training and after it, says what
//! it understood, and refuses what could be meant otherwise.

use super::{
    DEMO_DATA, DEMO_MODEL, Ran, cwgnc, finetune, json, json_lines, object, program, ran, scratch, text,
    trained,
};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// 24 pairs under these columns, `first` and `second` among them.
fn pairs(dir: &Path, name: &str, header: &str) -> String {
    let words = ["the dogs sleep", "the farmer sings", "the birds sleep"];
    let row = |i: usize| {
        let cell = |column: &str| match column {
            "first" => words[i % 3].to_owned() + " with the happy farmer",
            "second" => words[(i / 3) % 3].to_owned(),
            "gold" => ["no", "yes"][usize::from(i % 3 == (i / 3) % 3)].to_owned(),
            _ => (i + 100).to_string(),
        };
        let cells: Vec<String> = header.split('\t').map(cell).collect();
        cells.join("\t")
    };
    let rows: Vec<String> = [header.to_owned()].into_iter().chain((0..24).map(row)).collect();
    let path = dir.join(name);
    fs::write(&path, rows.join("\n") + "\n").unwrap();
    text(&path).to_owned()
}

/// A classifier of pairs, trained with every flag about reading: nothing of that has to be said again.
fn pair_classifier(dir: &Path) -> (PathBuf, String) {
    let (file, run) = (
        pairs(dir, "pairs.tsv", "id\tsecond\tfirst\tgold"),
        dir.join("run"),
    );
    let flags = [
        "--train-file",
        &file,
        "--validation-file",
        &file,
        "--max-steps",
        "6",
    ];
    let columns = [
        "--text-column",
        "first",
        "--text-pair-column",
        "second",
        "--label-column",
        "gold",
    ];
    let length = ["--max-seq-length", "9"];
    // The last of a flag given twice would be an error, so not the helper, which gives a length.
    let mut command = program();
    command
        .args(["finetune", "--quiet", "--learning-rate", "1e-3", "--output"])
        .arg(&run);
    command.args([DEMO_MODEL, &flags, &columns, &length].concat());
    ran(command).succeeded();
    (run, file)
}

#[test]
fn eval_and_predict_read_as_training_did() {
    let dir = scratch::folder("understood-reading");
    let (run, file) = pair_classifier(&dir);
    let results = object(&run.join("eval_results.json"));
    let evaluated = |file: &str| -> Value {
        let printed = cwgnc(&[
            "eval",
            "--json",
            "--quiet",
            "--model",
            text(&run),
            "--validation-file",
            file,
        ]);
        serde_json::from_str(&printed.succeeded()).unwrap()
    };
    // The order of the columns in the file is nothing to go by.
    for file in [&file, &pairs(&dir, "other.tsv", "gold\tfirst\tidx\tsecond")] {
        for key in ["eval_loss", "eval_accuracy"] {
            assert_eq!(evaluated(file)[key], results[key], "{key}");
        }
    }
    let predict = |file: &str, more: &[&str]| {
        cwgnc(
            &[
                &["predict", "--quiet", "--model", text(&run), "--file", file],
                more,
            ]
            .concat(),
        )
    };
    let said = [
        "--text-column",
        "first",
        "--text-pair-column",
        "second",
        "--max-seq-length",
        "9",
    ];
    let expected = predict(&file, &[]).succeeded();
    assert_eq!(predict(&file, &said).succeeded(), expected);
    // A flag overrides.
    assert_ne!(predict(&file, &["--max-seq-length", "20"]).succeeded(), expected);
    assert_ne!(predict(&file, &["--text-column", "first"]).succeeded(), expected);

    // Columns that are not those of the training: both are named.
    let wrong = pairs(&dir, "wrong.tsv", "second\tthird");
    let error = predict(&wrong, &[]);
    assert_eq!((error.code, error.stdout.as_str()), (Some(1), ""));
    for part in [
        "no column `first`",
        "the columns are `second`, `third`",
        "`first`, `second`",
        "`gold`",
        "--text-column",
    ] {
        assert!(error.stderr.contains(part), "{part}: {}", error.stderr);
    }
    // One text for a model of pairs is said, with a warning.
    let one = cwgnc(&["predict", "--model", text(&run), "--text", "the dogs sleep"]);
    assert!(
        one.stderr
            .contains("was trained on pairs of texts, and these are single texts"),
        "{}",
        one.stderr
    );

    // A checkpoint and a model folder of another program.
    let mut record = object(&run.join("cwgnc.json"));
    assert_eq!(record["text_columns"], json!(["first", "second"]));
    assert_eq!(record["max_seq_length"], 9);
    record.insert("labels".to_owned(), json!(["yes", "no"]));
    fs::write(run.join("cwgnc.json"), serde_json::to_string(&record).unwrap()).unwrap();
    let error = predict(&file, &[]);
    assert_eq!(error.code, Some(2));
    assert!(
        error
            .stderr
            .contains("labels yes, no (classification), and config.json beside it no, yes"),
        "{}",
        error.stderr
    );
    fs::remove_file(run.join("cwgnc.json")).unwrap();
    let unknown = cwgnc(&["predict", "--model", text(&run), "--text", "the dogs sleep"]);
    assert!(unknown.stderr.contains("has no cwgnc.json"), "{}", unknown.stderr);
    assert_eq!(unknown.code, Some(0));
}

/// Before the first step, on stderr, and in `run.json`.
#[test]
fn a_run_says_what_it_understood() {
    let dir = scratch::folder("understood-said");
    let file = pairs(&dir, "pairs.tsv", "id\tfirst\tgold");
    let mut command = program();
    command
        .args([
            "finetune",
            "--max-steps",
            "0",
            "--max-seq-length",
            "6",
            "--label-column",
            "gold",
        ])
        .args(DEMO_MODEL);
    command
        .args(["--train-file", &file, "--validation-file", &file, "--output"])
        .arg(dir.join("run"));
    let ran = ran(command);
    // Each text is 3 + 4 words and two special tokens: all are cut to 6. In 24 rows the two words are the same in 8.
    for part in [
        "pairs.tsv: 24 examples, 100.0 % cut to 6 tokens; columns not used: `id`",
        "texts from `first`, labels from `gold`",
        "classification of 2 labels: `no` 66.7 %, `yes` 33.3 %",
        "head: fresh, with the outputs `no`, `yes`",
        "--resume",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    let understood = json(&dir.join("run/run.json"))["understood"].clone();
    assert_eq!(understood["classes"], json!({"no": 16, "yes": 8}));
    assert_eq!(understood["files"][0]["cut"], 24);
    assert_eq!(understood["head"], json!({"state": "fresh"}));
    ran.succeeded();
}

/// A copy of the trained demo whose outputs have these names, its rows in the order `rows` of the original's.
fn renamed(dir: &Path, name: &str, labels: [&str; 2], rows: [usize; 2]) -> PathBuf {
    let copy = dir.join(name);
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(trained()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
        }
    }
    fs::remove_file(copy.join("cwgnc.json")).unwrap();
    let mut config = object(&copy.join("config.json"));
    config.insert("id2label".to_owned(), json!({"0": labels[0], "1": labels[1]}));
    config.insert("label2id".to_owned(), json!({labels[0]: 0, labels[1]: 1}));
    fs::write(copy.join("config.json"), serde_json::to_string(&config).unwrap()).unwrap();
    let weights = copy.join("model.safetensors");
    let mut tensors = cwgnc::checkpoint::load_tensors::<f32>(&weights).unwrap();
    for name in ["classifier.weight", "classifier.bias"] {
        let tensor = tensors.get_mut(name).unwrap();
        *tensor = tensor.select(ndarray::Axis(0), &rows);
    }
    let views: Vec<_> = tensors
        .iter()
        .map(|(name, tensor)| (name.clone(), tensor.view()))
        .collect();
    cwgnc::checkpoint::save_tensors(&weights, &views).unwrap();
    copy
}

/// Fine-tuning of no steps from a model, on the demo's data.
fn from(model: &Path, output: &Path, more: &[&str]) -> Ran {
    ran(finetune(
        output,
        &[&["--model", text(model), "--max-steps", "0"], DEMO_DATA, more].concat(),
    ))
}

#[test]
fn a_head_is_matched_by_the_names_of_its_outputs() {
    let dir = scratch::folder("understood-head");
    let expected = object(&trained().join("eval_results.json"));
    let accuracy = |run: &Path| object(&run.join("eval_results.json"))["eval_accuracy"].clone();
    let state = |run: &Path| json(&run.join("run.json"))["understood"]["head"].clone();

    let same = renamed(&dir, "same", ["acceptable", "unacceptable"], [0, 1]);
    from(&same, &dir.join("a"), &[]).succeeded();
    assert_eq!(
        (accuracy(&dir.join("a")), state(&dir.join("a"))),
        (expected["eval_accuracy"].clone(), json!({"state": "kept"}))
    );

    // Rows and names exchanged together are the same function.
    let swapped = renamed(&dir, "swapped", ["unacceptable", "acceptable"], [1, 0]);
    from(&swapped, &dir.join("b"), &[]).succeeded();
    assert_eq!(accuracy(&dir.join("b")), expected["eval_accuracy"]);
    assert_eq!(
        object(&dir.join("b/eval_results.json"))["eval_loss"],
        expected["eval_loss"]
    );
    assert_eq!(
        state(&dir.join("b")),
        json!({"state": "reordered", "was": ["unacceptable", "acceptable"]})
    );

    let other = renamed(&dir, "other", ["no", "yes"], [0, 1]);
    let refused = from(&other, &dir.join("c"), &[]);
    refused.refused(
        &dir,
        2,
        "the head of DIR/other predicts `no`, `yes`, and the data have the labels `acceptable`, `unacceptable`: its outputs \
         cannot be matched by name; --fresh-head begins with a new head on the same encoder",
    );
    assert!(!dir.join("c").exists());
    from(&other, &dir.join("c"), &["--fresh-head"]).succeeded();
    assert_eq!(state(&dir.join("c")), json!({"state": "fresh"}));

    // Without names nothing else than the order is known, and that is said.
    let unnamed = renamed(&dir, "unnamed", ["LABEL_0", "LABEL_1"], [0, 1]);
    from(&unnamed, &dir.join("d"), &[]).succeeded();
    assert_eq!(accuracy(&dir.join("d")), expected["eval_accuracy"]);
    assert_eq!(state(&dir.join("d")), json!({"state": "kept without names"}));

    // Another number of labels.
    let file = dir.join("three.tsv");
    fs::write(
        &file,
        "text\tlabel\nthe dogs sleep\ta\nthe birds\tb\nthe farmer\tc\n",
    )
    .unwrap();
    let mut command = program();
    command
        .args(["finetune", "--max-steps", "0", "--model", text(&same), "--output"])
        .arg(dir.join("e"));
    command.args(["--train-file", text(&file), "--validation-file", text(&file)]);
    let replaced = ran(command);
    assert!(
        replaced
            .stderr
            .contains("with the outputs `acceptable`, `unacceptable`, is not used"),
        "{}",
        replaced.stderr
    );
    assert_eq!(
        state(&dir.join("e"))["was"],
        json!(["acceptable", "unacceptable"])
    );
}

/// Published test files have `-1` for the labels that they keep back.
#[test]
fn predict_needs_no_labels() {
    let dir = scratch::folder("understood-predict");
    let file = |name: &str, rows: &str| {
        let path = dir.join(name);
        fs::write(&path, rows).unwrap();
        text(&path).to_owned()
    };
    let predict = |file: &str, more: &[&str]| {
        cwgnc(
            &[
                &["predict", "--quiet", "--model", text(trained()), "--file", file],
                more,
            ]
            .concat(),
        )
    };
    let expected = predict(&file("a.tsv", "sentence\nthe dogs sleep\n"), &[]).succeeded();
    assert_eq!(
        predict(
            &file("b.tsv", "index\tsentence\tlabel\n0\tthe dogs sleep\t-1\n"),
            &[]
        )
        .succeeded(),
        expected
    );
    assert_eq!(
        predict(
            &file(
                "c.jsonl",
                "{\"sentence\": \"the dogs sleep\", \"label\": [1, null]}\n"
            ),
            &[]
        )
        .succeeded(),
        expected
    );

    let refused = predict(
        &dir.join("b.tsv").display().to_string(),
        &["--text-column", "label"],
    );
    refused.refused(
        &dir,
        1,
        "DIR/b.tsv: column `label` cannot be both text and label; name others with --text-column and --label-column",
    );
    let output = dir.join("new/folder/out.jsonl");
    predict(
        &dir.join("a.tsv").display().to_string(),
        &["--output", text(&output)],
    )
    .succeeded();
    assert_eq!(fs::read_to_string(&output).unwrap(), expected);
}

/// An output that is there and is no regular file is written as it is; of a link, what it points to.
#[cfg(unix)]
#[test]
fn outputs_that_are_no_regular_file() {
    use std::os::unix::fs::{FileTypeExt, symlink};
    use std::process::Command;
    let dir = scratch::folder("understood-special");
    let write = |path: &Path| predicted(path).succeeded();
    let plain = dir.join("plain");
    write(&plain);
    let expected = fs::read(&plain).unwrap();

    fs::write(dir.join("real"), "old").unwrap();
    symlink("real", dir.join("link")).unwrap();
    symlink("nothing yet", dir.join("dangling")).unwrap();
    symlink("link", dir.join("link of link")).unwrap();
    for (link, target) in [
        ("link", "real"),
        ("dangling", "nothing yet"),
        ("link of link", "real"),
    ] {
        write(&dir.join(link));
        assert!(
            fs::symlink_metadata(dir.join(link)).unwrap().is_symlink(),
            "{link}"
        );
        assert_eq!(fs::read(dir.join(target)).unwrap(), expected, "{link}");
        fs::write(dir.join("real"), "old").unwrap();
    }

    let pipe = dir.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = Command::new("cat")
        .arg(&pipe)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    write(&pipe);
    assert_eq!(reader.wait_with_output().unwrap().stdout, expected);
    assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());

    // To stdout, whatever it is.
    assert_eq!(
        predicted(Path::new("/dev/stdout")).succeeded().as_bytes(),
        &expected[..]
    );

    // A node of our own, which only root can make.
    let null = dir.join("null");
    if Command::new("mknod")
        .arg(&null)
        .args(["c", "1", "3"])
        .output()
        .unwrap()
        .status
        .success()
    {
        write(&null);
        assert!(fs::symlink_metadata(&null).unwrap().file_type().is_char_device());
    }
}

#[cfg(unix)]
fn predicted(output: &Path) -> Ran {
    let mut command = program();
    command.args([
        "predict",
        "--quiet",
        "--model",
        text(trained()),
        "--text",
        "the dogs sleep",
        "--output",
    ]);
    command.arg(output);
    ran(command)
}

/// Two processes that write into one folder would leave a mixture of both.
#[cfg(unix)]
#[test]
fn a_folder_has_one_writer() {
    let dir = scratch::folder("understood-lock");
    let run = dir.join("run");
    fs::create_dir(&run).unwrap();
    let held = fs::File::open(&run).unwrap();
    held.lock().unwrap();
    let refused = ran(finetune(
        &run,
        &[DEMO_MODEL, DEMO_DATA, &["--overwrite"]].concat(),
    ));
    refused.refused(
        &dir,
        2,
        "output folder DIR/run is in use: another run writes into it",
    );
    drop(held);
    ran(finetune(
        &run,
        &[DEMO_MODEL, DEMO_DATA, &["--overwrite", "--max-steps", "0"]].concat(),
    ))
    .succeeded();
}

/// What a pipeline of transformers cuts texts to: the demo has 32 positions.
#[test]
fn a_saved_tokenizer_says_how_long_a_text_may_be() {
    assert_eq!(
        json(&trained().join("tokenizer_config.json"))["model_max_length"],
        32
    );
}

#[test]
fn flags_as_other_scripts_have_them() {
    let dir = scratch::folder("understood-flags");
    let files = [
        "--train_file",
        "fixtures/demo/train.tsv",
        "--validation_file=fixtures/demo/dev.tsv",
        "--max_train_samples",
        "20",
    ];
    let model = [
        "--model_name_or_path",
        "fixtures/demo/model",
        "--learning_rate",
        "1e-3",
        "--max_steps=1",
        "--output_dir",
    ];
    let mut command = program();
    command
        .arg("finetune")
        .args([&files[..], &["--quiet"], &model].concat())
        .arg(dir.join("run"));
    ran(command).succeeded();
    assert_eq!(json(&dir.join("run/run.json"))["settings"]["learning_rate"], 1e-3);
    for (flag, tip) in [
        (
            "--max_grad_norm",
            "--max_grad_norm is not a flag of cwgnc: write --clip global:C for a maximum norm of C",
        ),
        (
            "--do_train",
            "--do_train is not a flag of cwgnc: leave it out: finetune trains",
        ),
        (
            "--fp16=true",
            "--fp16 is not a flag of cwgnc: leave it out; --save-dtype f16 writes a model file of 16 bits",
        ),
    ] {
        cwgnc(&["finetune", flag, "1"]).refused(&dir, 2, tip);
    }
    // All at once, whatever stands between them.
    let several = cwgnc(&[
        "finetune",
        "--do_train",
        "--lr",
        "1e-4",
        "--seed",
        "1",
        "--report_to=none",
    ]);
    several.refused(
        &dir,
        2,
        "--do_train is not a flag of cwgnc: leave it out: finetune trains\n  --lr is not a flag of cwgnc: write \
         --learning-rate\n  --report_to is not a flag of cwgnc: leave it out: \
         log.jsonl in the output folder has every number",
    );
}

#[test]
fn a_model_that_is_no_folder() {
    let dir = scratch::folder("understood-model");
    let refused = cwgnc(&[
        "predict",
        "--quiet",
        "--model",
        "bert-base-uncased",
        "--text",
        "a",
    ]);
    refused.refused(
        &dir,
        1,
        "there is no model folder bert-base-uncased: a model is a folder with config.json, model.safetensors and \
         tokenizer.json or vocab.txt, or builtin:shallow; of a published model, `hf download bert-base-uncased --local-dir \
         DIR` makes such a folder",
    );
    // A model that was saved inside of another one.
    let copy = renamed(&dir, "wrapped", ["acceptable", "unacceptable"], [0, 1]);
    let weights = copy.join("model.safetensors");
    let tensors = cwgnc::checkpoint::load_tensors::<f32>(&weights).unwrap();
    let views: Vec<_> = tensors
        .iter()
        .map(|(name, tensor)| (format!("module.{name}"), tensor.view()))
        .collect();
    cwgnc::checkpoint::save_tensors(&weights, &views).unwrap();
    let refused = cwgnc(&["predict", "--quiet", "--model", text(&copy), "--text", "a"]);
    refused.refused(
        &dir,
        1,
        "DIR/wrapped/model.safetensors names its tensors `module.…`, so a model was saved inside of another one; save the \
         inner one, or take `module.` off the names",
    );
}

/// A folder whose name is no text: the plan has its bytes, and its lines do the runs in it.
#[cfg(target_os = "linux")]
#[test]
fn a_plan_for_a_folder_of_any_name() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::process::Command;
    let dir = scratch::folder("understood-plan");
    let plan = |output: &[u8], kind: &str| {
        let mut command = program();
        command.args([
            "study",
            "--plan",
            kind,
            "--quiet",
            "--conditions",
            "control",
            "--seeds",
            "1,",
        ]);
        command
            .args(DEMO_MODEL)
            .arg("--output")
            .arg(dir.join(OsStr::from_bytes(output)));
        command.arg("--").args(DEMO_DATA).args(["--max-steps", "1"]);
        command.output().unwrap()
    };
    for name in [&b"st\xff"[..], b"it's 5 % $HOME", "日本語".as_bytes()] {
        let planned = plan(name, "parallel");
        assert!(
            planned.status.success(),
            "{}",
            String::from_utf8_lossy(&planned.stderr)
        );
        let line = OsStr::from_bytes(planned.stdout.trim_ascii_end());
        let mut shell = Command::new("sh");
        shell.current_dir(env!("CARGO_MANIFEST_DIR")).arg("-c").arg(line);
        let ran = shell.output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let folder = dir.join(OsStr::from_bytes(name));
        assert!(
            folder.join("runs/train/control/seed-1/all_results.json").exists(),
            "{}",
            folder.display()
        );
    }
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 3);
    for (name, kind) in [
        (&b"a\nb"[..], "parallel"),
        (b"a\nb", "slurm"),
        (b"a'b", "slurm"),
        (b"a\\b", "slurm"),
    ] {
        let planned = plan(name, kind);
        assert_eq!(
            (planned.status.code(), planned.stdout.len()),
            (Some(2), 0),
            "{kind}"
        );
    }
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 3, "a folder was made");
    let script = plan(b"s 50%a", "slurm").stdout;
    let script = String::from_utf8(script).unwrap();
    assert!(script.contains("/s 50%%a/slurm-%a.log'\n"), "{script}");
}

/// Lines of JSON from `predict` are one for each row, however the file is cut.
#[test]
fn rows_come_back_in_order() {
    let dir = scratch::folder("understood-rows");
    let path = dir.join("a.csv");
    fs::write(
        &path,
        "\u{feff}id,sentence\r\n7,\"the dogs\r\nsleep\"\r\n8,the birds\r\n",
    )
    .unwrap();
    let lines = json_lines(
        &cwgnc(&[
            "predict",
            "--quiet",
            "--model",
            text(trained()),
            "--file",
            text(&path),
        ])
        .succeeded(),
    );
    assert_eq!(lines.len(), 2);
}
