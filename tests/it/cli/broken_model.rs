//! Model folders that cannot be used: the exact message, exit code 1, and nothing written.

use super::files::{Tensor, change_config, change_tensors, with_copy, with_demo_model};
use super::{DEMO_DATA, Ran, cwgnc, finetune, ran, scratch, text, trained};
use serde_json::json;
use std::fs;
use std::path::Path;

/// A fine-tuning of the model in `dir/model`, which must not even make its output folder.
#[track_caller]
fn refused(dir: &Path, message: &str) {
    refused_with(dir, 1, message, &[]);
}

#[track_caller]
fn refused_with(dir: &Path, code: i32, message: &str, more: &[&str]) {
    let (model, run) = (dir.join("model"), dir.join("run"));
    let flags = [DEMO_DATA, &["--model", text(&model)], more].concat();
    ran(finetune(&run, &flags)).refused(dir, code, message);
    assert!(!run.exists(), "an output folder was made");
}

fn eval(dir: &Path, more: &[&str]) -> Ran {
    let model = dir.join("model");
    let flags = [
        "eval",
        "--quiet",
        "--max-seq-length",
        "32",
        "--model",
        text(&model),
    ];
    cwgnc(&[&flags, more].concat())
}

const DEV: &[&str] = &["--validation-file", "fixtures/demo/dev.tsv"];

#[test]
fn missing_files() {
    let dir = scratch::folder("cli-model-missing");
    let gone = "No such file or directory (os error 2)";
    refused(
        &dir,
        "there is no model folder DIR/model: a model is a folder with config.json, model.safetensors and tokenizer.json \
         or vocab.txt, or builtin:shallow",
    );
    let dir = with_demo_model("cli-model-no-config");
    fs::remove_file(dir.join("model/config.json")).unwrap();
    let message = format!("cannot read DIR/model/config.json: {gone}");
    refused(&dir, &message);
    eval(&dir, DEV).refused(&dir, 1, &message);
    let model = dir.join("model");
    cwgnc(&["inspect", text(&model)]).refused(&dir, 1, &message);
    cwgnc(&["predict", "--model", text(&model), "--text", "x"]).refused(&dir, 1, &message);

    let dir = with_demo_model("cli-model-no-weights");
    fs::remove_file(dir.join("model/model.safetensors")).unwrap();
    refused(&dir, &format!("cannot read DIR/model/model.safetensors: {gone}"));
    let dir = with_demo_model("cli-model-no-vocabulary");
    fs::remove_file(dir.join("model/vocab.txt")).unwrap();
    refused(
        &dir,
        "DIR/model: no tokenizer: neither tokenizer.json nor vocab.txt is there",
    );
}

#[test]
fn no_safetensors_file() {
    let dir = with_demo_model("cli-model-format");
    let path = dir.join("model/model.safetensors");
    let whole = fs::read(&path).unwrap();
    let with = |bytes: &[u8], message: &str| {
        fs::write(&path, bytes).unwrap();
        refused(&dir, &format!("DIR/model/model.safetensors {message}"));
    };
    let invalid = |problem: &str| format!("is not a valid safetensors file: {problem}");
    with(b"", &invalid("it has 0 bytes, fewer than 8"));
    with(b"PK\x03\x04", &invalid("it is a zip archive; unpack it"));
    with(b"PK\x03", &invalid("it has 3 bytes, fewer than 8"));
    let length = u64::from_le_bytes(*b"{\"a\": 1}");
    let too_large = invalid(&format!(
        "its header would have {length} bytes, more than 100000000"
    ));
    with(b"{\"a\": 1}", &too_large);
    let huge = 100_000_001_u64.to_le_bytes();
    with(
        &huge,
        &invalid("its header would have 100000001 bytes, more than 100000000"),
    );
    with(
        &100_u64.to_le_bytes(),
        &invalid("it has 8 bytes, its header alone 108"),
    );
    let (all, some) = (whole.len(), whole.len() - 1);
    let truncated = format!("is truncated: expected {all} bytes, found {some}");
    with(&whole[..some], &truncated);
    let longer = [&whole[..], b"x"].concat();
    let trailing = format!("has trailing bytes: expected {all} bytes, found {}", all + 1);
    with(&longer, &trailing);
}

/// Every tensor that does not fit is listed, by name.
#[test]
fn tensors_that_do_not_fit() {
    let dir = with_demo_model("cli-model-tensors");
    change_tensors(&dir.join("model"), |tensors| {
        tensors.retain(|t| t.name != "bert.embeddings.LayerNorm.bias");
        for tensor in tensors.iter_mut() {
            match tensor.name.as_str() {
                "bert.encoder.layer.0.output.dense.weight" => tensor.shape.reverse(),
                "bert.encoder.layer.1.output.dense.bias" => tensor.dtype = "I16".to_owned(),
                _ => {}
            }
        }
        tensors.push(Tensor {
            name: "bert.encoder.layer.2.output.dense.bias".to_owned(),
            dtype: "F32".to_owned(),
            shape: vec![2],
            bytes: vec![0; 8],
        });
    });
    refused(
        &dir,
        "DIR/model/model.safetensors does not fit, 4 problems:\n  \
         bert.embeddings.LayerNorm.bias: missing, expected shape [64]\n  \
         bert.encoder.layer.0.output.dense.weight: expected shape [64, 128], found [128, 64]\n  \
         bert.encoder.layer.1.output.dense.bias: expected F16, BF16, F32 or F64, found I16\n  \
         bert.encoder.layer.2.output.dense.bias: not part of the model, found shape [2]",
    );
}

#[test]
fn weights_that_are_no_numbers() {
    let dir = with_demo_model("cli-model-nan");
    change_tensors(&dir.join("model"), |tensors| {
        let name = "bert.encoder.layer.0.attention.self.query.weight";
        let tensor = tensors.iter_mut().find(|t| t.name == name).unwrap();
        // Row 1, column 2 of 64; half precision's NaN.
        tensor.bytes[2 * 66..2 * 67].copy_from_slice(&0x7e00_u16.to_le_bytes());
    });
    refused(
        &dir,
        "DIR/model/model.safetensors does not fit: bert.encoder.layer.0.attention.self.query.weight: \
         the value at [1, 2] is NaN",
    );
}

#[test]
fn a_vocabulary_of_another_model() {
    let dir = with_demo_model("cli-model-vocabulary");
    let path = dir.join("model/vocab.txt");
    let words = fs::read_to_string(&path).unwrap() + "gnu\n";
    fs::write(&path, words).unwrap();
    let message = "DIR/model/vocab.txt: tokenizer has ids up to 35 but the word embedding has 35 rows \
                   (vocab_size in config.json): tokenizer and model are not of one kind";
    refused(&dir, message);
    eval(&dir, &["--validation-file", "fixtures/demo/dev.tsv"]).refused(
        &dir,
        1,
        "fixtures/demo/dev.tsv line 2: unknown label `acceptable`; known: `LABEL_0`, `LABEL_1`",
    );
}

#[test]
fn models_that_are_not_supported() {
    let refused_key = |key: &str, value: &str, supported: &str| {
        let dir = with_demo_model(&format!("cli-model-{key}"));
        change_config(&dir.join("model"), key, json!(value));
        let message =
            format!("DIR/model/config.json: {key} `{value}` is not supported; supported: {supported}");
        refused(&dir, &message);
    };
    refused_key("model_type", "deberta-v2", "bert, roberta");
    let activations = "gelu, gelu_python, gelu_new, gelu_pytorch_tanh, relu, silu, swish";
    refused_key("hidden_act", "mish", activations);
    refused_key("position_embedding_type", "relative_key", "absolute");
}

#[test]
fn a_configuration_that_is_none() {
    let dir = with_demo_model("cli-model-json");
    fs::write(dir.join("model/config.json"), "{\"model_type\": ").unwrap();
    let eof = "not valid JSON: EOF while parsing a value at line 1 column 15";
    refused(&dir, &format!("DIR/model/config.json: {eof}"));
    let dir = with_demo_model("cli-model-size");
    change_config(&dir.join("model"), "hidden_size", json!("big"));
    let message =
        "DIR/model/config.json: `hidden_size` must be a positive integer below 4294967296, found \"big\"";
    refused(&dir, message);
}

/// The default is 128 tokens; the demo has 32 positions.
#[test]
fn more_tokens_than_positions() {
    let dir = with_demo_model("cli-model-positions");
    let model = dir.join("model");
    let message = "--max-seq-length 128 is more than the 32 tokens this model can take \
                   (its position embedding has 32 rows)";
    let run = dir.join("run");
    let mut command = super::program();
    command
        .args([
            "finetune",
            "--quiet",
            "--model",
            text(&model),
            "--output",
            text(&run),
            "--max-seq-length",
            "128",
        ])
        .args(DEMO_DATA);
    ran(command).refused(&dir, 2, message);
    assert!(!run.exists());
    let long = ["--text", "x", "--max-seq-length", "128"];
    cwgnc(&[&["predict", "--model", text(trained())], &long[..]].concat()).refused(&dir, 2, message);
    let short = ["--text", "x", "--max-seq-length", "2"];
    cwgnc(&[&["predict", "--model", text(trained())], &short[..]].concat()).refused(
        &dir,
        2,
        "--max-seq-length 2 has no room for text beside the 2 special tokens",
    );
}

/// What has no trained head can be fine-tuned but not evaluated.
#[test]
fn a_model_without_a_head_is_not_evaluated() {
    let dir = with_demo_model("cli-model-headless");
    let data = dir.join("dev.tsv");
    fs::write(&data, "sentence\tlabel\nthe dogs sleep\t1\n").unwrap();
    let hint = "without it the model must be fine-tuned first";
    let message = format!(
        "DIR/model/model.safetensors does not fit, 4 problems:\n  \
         bert.pooler.dense.bias: missing, expected shape [64]; {hint}\n  \
         bert.pooler.dense.weight: missing, expected shape [64, 64]; {hint}\n  \
         classifier.bias: missing, expected shape [2]; {hint}\n  \
         classifier.weight: missing, expected shape [2, 64]; {hint}"
    );
    eval(&dir, &["--task", "sst2", "--data", text(&dir)]).refused(&dir, 1, &message);
    let model = dir.join("model");
    let text_in = [
        "predict",
        "--quiet",
        "--max-seq-length",
        "32",
        "--text",
        "x",
        "--model",
        text(&model),
    ];
    cwgnc(&text_in).refused(&dir, 1, &message);
}

/// A head of other labels would be scored wrongly without a word.
#[test]
fn a_head_with_other_labels_is_not_evaluated() {
    let dir = with_copy("cli-model-labels", trained());
    fs::write(dir.join("dev.tsv"), "sentence\tlabel\nthe dogs sleep\t1\n").unwrap();
    let task = ["--task", "sst2", "--data", text(&dir)];
    let message =
        "the model predicts acceptable, unacceptable; task `sst2` has the labels negative, positive";
    eval(&dir, &task).refused(&dir, 2, message);
    let model = dir.join("model");
    let flags = [
        "predict",
        "--quiet",
        "--max-seq-length",
        "32",
        "--model",
        text(&model),
    ];
    cwgnc(&[&flags[..], &task].concat()).refused(&dir, 2, message);
    let file = dir.join("own.tsv");
    fs::write(&file, "sentence\tlabel\nthe dogs sleep\tfine\n").unwrap();
    let message = "DIR/own.tsv line 2: unknown label `fine`; known: `acceptable`, `unacceptable`";
    eval(&dir, &["--validation-file", text(&file)]).refused(&dir, 1, message);
}
