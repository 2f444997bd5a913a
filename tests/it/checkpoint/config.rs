//! `config.json` to a configuration and back.

use super::folder::{folder, text, tiny};
use cwgnc::checkpoint::{CheckpointError, FolderConfig, read_config, write_config};
use cwgnc::model::{Activation, Family, Problem};
use serde_json::{Map, Value, json};
use std::fs;

/// The keys that must be there.
fn least(model_type: &str) -> Value {
    json!({"model_type": model_type, "vocab_size": 30, "hidden_size": 8, "num_hidden_layers": 2,
           "num_attention_heads": 4, "intermediate_size": 16})
}

/// `base` with keys replaced or added.
fn with(mut base: Value, keys: &Value) -> Value {
    for (key, value) in keys.as_object().unwrap() {
        base[key] = value.clone();
    }
    base
}

fn parse(config: &Value) -> Result<FolderConfig, CheckpointError> {
    read_config(folder(&[("config.json", config.to_string().as_bytes())]).path())
}

/// The text of the refusal, after the file's name.
fn refusal(bytes: &[u8]) -> String {
    let dir = folder(&[("config.json", bytes)]);
    let text = text(&dir, read_config(dir.path()));
    text.strip_prefix("DIR/config.json: ").unwrap().to_owned()
}

#[test]
fn absent_keys_take_hugging_faces_defaults() {
    let bert = parse(&least("bert")).unwrap().config;
    assert_eq!(bert.family, Family::Bert);
    let sizes = [
        bert.vocab_size,
        bert.hidden_size,
        bert.num_hidden_layers,
        bert.num_attention_heads,
    ];
    assert_eq!(sizes, [30, 8, 2, 4]);
    assert_eq!(
        [
            bert.intermediate_size,
            bert.max_position_embeddings,
            bert.type_vocab_size
        ],
        [16, 512, 2]
    );
    assert_eq!(
        (bert.hidden_act, bert.problem),
        (Activation::Gelu, Problem::Classification)
    );
    assert_eq!(
        [bert.hidden_dropout_prob, bert.attention_probs_dropout_prob],
        [0.1, 0.1]
    );
    assert_eq!((bert.classifier_dropout, bert.pad_token_id), (None, 0));
    assert_eq!([bert.layer_norm_eps, bert.initializer_range], [1e-12, 0.02]);
    assert_eq!(bert.labels, ["LABEL_0", "LABEL_1"]);
    let roberta = parse(&least("roberta")).unwrap().config;
    assert_eq!((roberta.family, roberta.pad_token_id), (Family::Roberta, 1));
}

#[test]
fn null_means_not_set() {
    let keys = json!({"classifier_dropout": null, "problem_type": null, "id2label": null, "num_labels": null,
                      "hidden_act": null, "is_decoder": null, "quantization_config": null,
                      "position_embedding_type": null});
    assert_eq!(
        parse(&with(least("bert"), &keys)).unwrap().config,
        parse(&least("bert")).unwrap().config
    );
}

#[test]
fn every_supported_activation() {
    for (name, activation) in [
        ("gelu", Activation::Gelu),
        ("gelu_python", Activation::Gelu),
        ("gelu_new", Activation::GeluTanh),
        ("gelu_pytorch_tanh", Activation::GeluTanh),
        ("relu", Activation::Relu),
        ("silu", Activation::Silu),
        ("swish", Activation::Silu),
    ] {
        let raw = with(least("bert"), &json!({"hidden_act": name}));
        let dir = folder(&[("config.json", raw.to_string().as_bytes())]);
        let read = read_config(dir.path()).unwrap();
        assert_eq!(read.config.hidden_act, activation, "{name}");
        // Written again, the file keeps its spelling.
        write_config::<f32>(dir.path(), &read.config, &read.raw).unwrap();
        assert_eq!(read_config(dir.path()).unwrap().raw["hidden_act"], name);
    }
}

#[test]
fn labels_and_problem() {
    let get = |keys: Value| parse(&with(least("bert"), &keys)).unwrap().config;
    let three = get(json!({"id2label": {"2": "c", "0": "a", "1": "b"}, "label2id": {"stale": 7}}));
    assert_eq!(three.labels, ["a", "b", "c"]);
    assert_eq!(three.problem, Problem::Classification);
    assert_eq!(
        get(json!({"num_labels": 3})).labels,
        ["LABEL_0", "LABEL_1", "LABEL_2"]
    );
    assert_eq!(get(json!({"num_labels": 1})).problem, Problem::Regression);
    assert_eq!(
        get(json!({"id2label": {"0": "score"}})).problem,
        Problem::Regression
    );
    assert_eq!(
        get(json!({"num_labels": 3, "problem_type": "regression"})).problem,
        Problem::Regression
    );
}

/// Each change to the least configuration is refused with this text.
fn assert_refused(cases: &[(Value, &str)]) {
    for (keys, expected) in cases {
        assert_eq!(
            refusal(with(least("bert"), keys).to_string().as_bytes()),
            *expected,
            "{keys}"
        );
    }
}

#[test]
fn other_computations_are_refused_with_what_is_supported() {
    assert_refused(&[
        (
            json!({"model_type": "deberta"}),
            "model_type `deberta` is not supported; supported: bert, roberta",
        ),
        (json!({"model_type": 3}), "`model_type` must be a string, found 3"),
        (
            json!({"model_type": null}),
            "`model_type` is missing; supported: bert, roberta",
        ),
        (
            json!({"hidden_act": "gelu_fast"}),
            "hidden_act `gelu_fast` is not supported; supported: gelu, gelu_python, gelu_new, gelu_pytorch_tanh, \
             relu, silu, swish",
        ),
        (
            json!({"position_embedding_type": "relative_key"}),
            "position_embedding_type `relative_key` is not supported; supported: absolute",
        ),
        (
            json!({"is_decoder": true}),
            "`is_decoder` is true, but only encoders are supported",
        ),
        (
            json!({"add_cross_attention": true}),
            "`add_cross_attention` is true, but only encoders are supported",
        ),
        (
            json!({"is_decoder": "no"}),
            "`is_decoder` must be true or false, found \"no\"",
        ),
        (
            json!({"quantization_config": {}}),
            "`quantization_config` is set, but quantised weights are not supported",
        ),
    ]);
}

#[test]
fn impossible_sizes_are_refused() {
    for (key, value) in [
        ("hidden_size", json!("8")),
        ("vocab_size", json!(0)),
        ("vocab_size", json!(4_294_967_296_u64)),
        ("num_hidden_layers", json!(-1)),
        ("intermediate_size", json!(16.0)),
        ("max_position_embeddings", json!(null)),
        ("type_vocab_size", json!([2])),
        ("num_labels", json!(0)),
    ] {
        let text = format!("`{key}` must be a positive integer below 4294967296, found {value}");
        assert_refused(&[(json!({key: value}), &text)]);
    }
    assert_refused(&[
        (
            json!({"hidden_size": 10}),
            "`hidden_size` 10 is not divisible by `num_attention_heads` 4",
        ),
        (
            json!({"pad_token_id": 30}),
            "`pad_token_id` 30 is not below `vocab_size` 30",
        ),
        (
            json!({"pad_token_id": null}),
            "`pad_token_id` must be a token id (a non-negative integer), found null",
        ),
        (
            json!({"model_type": "roberta", "max_position_embeddings": 2}),
            "`max_position_embeddings` 2 leaves no position for a token: with `pad_token_id` 1 the first is 2",
        ),
        // (2^31 + 512 + 2) * 800 for the embeddings and 2 (4 * 800 * 800 + 2 * 800 * 16) for the layers.
        (
            json!({"vocab_size": 2_147_483_648_u64, "hidden_size": 800}),
            "the sizes ask for 1717992500800 parameters, more than 100000000000",
        ),
    ]);
}

#[test]
fn impossible_rates_are_refused() {
    for (key, value) in [
        ("hidden_dropout_prob", json!(1.0)),
        ("hidden_dropout_prob", json!(null)),
        ("classifier_dropout", json!(-0.5)),
        ("attention_probs_dropout_prob", json!("0.1")),
    ] {
        let text = format!("`{key}` must be a probability in [0, 1), found {value}");
        assert_refused(&[(json!({key: value}), &text)]);
    }
    for (key, value) in [("layer_norm_eps", json!(0)), ("initializer_range", json!(true))] {
        let text = format!("`{key}` must be a positive number, found {value}");
        assert_refused(&[(json!({key: value}), &text)]);
    }
}

#[test]
fn labels_that_make_no_sense_are_refused() {
    assert_refused(&[
        (
            json!({"problem_type": "multi_label"}),
            "problem_type `multi_label` is not supported; supported: single_label_classification, regression, \
             multi_label_classification",
        ),
        (
            json!({"problem_type": "single_label_classification", "num_labels": 1}),
            "problem_type `single_label_classification` needs at least 2 labels",
        ),
        (
            json!({"num_labels": 4_000_000}),
            "`num_labels` is 4000000, more than 1048576",
        ),
        (
            json!({"id2label": ["a", "b"]}),
            "`id2label` must be an object, found [\"a\",\"b\"]",
        ),
        (json!({"id2label": {}}), "`id2label` must name at least one label"),
        (
            json!({"id2label": {"0": "a", "2": "b"}}),
            "`id2label` must have the keys 0 to 1, but lacks 1",
        ),
        (
            json!({"id2label": {"0": "a", "01": "b"}}),
            "`id2label` must have the keys 0 to 1, but lacks 1",
        ),
        (
            json!({"id2label": {"0": "a", "1": 1}}),
            "`id2label` must map to strings, found 1 at 1",
        ),
        (
            json!({"id2label": {"0": "a", "1": "a"}}),
            "`id2label` gives the label `a` twice",
        ),
        (
            json!({"id2label": {"0": "a", "1": "b"}, "num_labels": 3}),
            "`num_labels` is 3, but `id2label` names 2",
        ),
    ]);
}

#[test]
fn the_sizes_must_be_there() {
    for key in [
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
    ] {
        let mut config = least("bert");
        config.as_object_mut().unwrap().remove(key).unwrap();
        assert_eq!(
            refusal(config.to_string().as_bytes()),
            format!("`{key}` is missing")
        );
    }
}

#[test]
fn text_that_is_no_object_is_refused() {
    assert_eq!(
        refusal(b"{\"a\": "),
        "not valid JSON: EOF while parsing a value at line 1 column 6"
    );
    assert_eq!(refusal(b"[1, 2]"), "expected a JSON object, found [1,2]");
    assert_eq!(
        refusal(b"{\"hidden_size\": 8, \"hidden_size\": 16}"),
        "the key `hidden_size` is given twice"
    );
    let long = format!("[\"{}\"]", "é".repeat(100));
    let shown = format!("expected a JSON object, found [\"{}...", "é".repeat(58));
    assert_eq!(refusal(long.as_bytes()), shown);
    let dir = folder(&[]);
    assert_eq!(
        text(&dir, read_config(dir.path())),
        "cannot read DIR/config.json: No such file or directory (os error 2)"
    );
}

#[test]
fn what_is_written_is_what_hugging_face_expects() {
    let dir = folder(&[]);
    let mut config = tiny(Family::Roberta);
    config.classifier_dropout = Some(0.25);
    write_config::<f64>(dir.path(), &config, &Map::new()).unwrap();
    let written = fs::read_to_string(dir.path().join("config.json")).unwrap();
    assert!(
        written.starts_with("{\n  \"architectures\": [\n") && written.ends_with("\n}\n"),
        "{written}"
    );
    let expected = json!({
        "architectures": ["RobertaForSequenceClassification"], "model_type": "roberta", "vocab_size": 5,
        "hidden_size": 2, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 3,
        "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1,
        "classifier_dropout": 0.25, "max_position_embeddings": 4, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
        "initializer_range": 0.02, "pad_token_id": 1, "id2label": {"0": "no", "1": "yes"},
        "label2id": {"no": 0, "yes": 1}, "problem_type": "single_label_classification", "dtype": "float64",
    });
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), expected);
    assert_eq!(read_config(dir.path()).unwrap().config, config);
}

#[test]
fn unknown_keys_survive_and_stale_ones_do_not() {
    let dir = folder(&[]);
    let base = json!({"zeta": [1, {"deep": 2.5}], "num_labels": 7, "_num_labels": 7, "finetuning_task": "rte",
                      "hidden_act": "relu", "torch_dtype": "float16", "alpha": null, "id2label": {"0": "old"}});
    let config = tiny(Family::Bert);
    write_config::<f32>(dir.path(), &config, base.as_object().unwrap()).unwrap();
    let raw = read_config(dir.path()).unwrap().raw;
    let kept: Vec<&str> = raw.keys().take(5).map(String::as_str).collect();
    assert_eq!(kept, ["zeta", "hidden_act", "torch_dtype", "alpha", "id2label"]);
    assert_eq!(raw["zeta"], json!([1, {"deep": 2.5}]));
    assert_eq!(
        (&raw["hidden_act"], &raw["alpha"]),
        (&json!("gelu"), &json!(null))
    );
    assert_eq!(
        (&raw["torch_dtype"], &raw["dtype"]),
        (&json!("float32"), &json!("float32"))
    );
    for stale in ["num_labels", "_num_labels", "finetuning_task"] {
        assert!(!raw.contains_key(stale), "{stale}");
    }
    assert_eq!(raw["architectures"], json!(["BertForSequenceClassification"]));
}

#[test]
fn a_configuration_that_would_not_read_back_is_not_written() {
    let dir = folder(&[]);
    let mut config = tiny(Family::Bert);
    config.labels = vec!["a".to_owned(), "a".to_owned()];
    let result = write_config::<f32>(dir.path(), &config, &Map::new());
    assert_eq!(
        text(&dir, result),
        "DIR/config.json: `id2label` gives the label `a` twice"
    );
    let decoder = json!({"is_decoder": true});
    let result = write_config::<f32>(dir.path(), &tiny(Family::Bert), decoder.as_object().unwrap());
    assert_eq!(
        text(&dir, result),
        "DIR/config.json: `is_decoder` is true, but only encoders are supported"
    );
    let mut config = tiny(Family::Bert);
    // JSON has no NaN, and `null` would mean "as hidden_dropout_prob".
    config.classifier_dropout = Some(f64::NAN);
    let result = write_config::<f32>(dir.path(), &config, &Map::new());
    assert_eq!(
        text(&dir, result),
        "DIR/config.json: the configuration would read back as another one"
    );
    assert!(!dir.path().join("config.json").exists());
}
