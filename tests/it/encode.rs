//! Token ids against Hugging Face's tokenizers (`fixtures/make/tokenizer.py`), and the two ways to load one.

use std::path::{Path, PathBuf};

use cwgnc::data::{Example, TextEncoder};
use cwgnc::model::{Activation, Family, ModelConfig, Problem};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::scratch;

/// A model as large as the tokenizers here need; only the shapes matter.
pub(crate) fn model(family: Family, vocab_size: usize) -> ModelConfig {
    ModelConfig {
        family,
        vocab_size,
        hidden_size: 8,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        intermediate_size: 16,
        hidden_act: Activation::Gelu,
        hidden_dropout_prob: 0.1,
        attention_probs_dropout_prob: 0.1,
        classifier_dropout: None,
        max_position_embeddings: 128,
        type_vocab_size: 2,
        layer_norm_eps: 1e-12,
        initializer_range: 0.02,
        pad_token_id: 0,
        problem: Problem::Classification,
        labels: vec!["no".to_owned(), "yes".to_owned()],
    }
}

pub(crate) fn bert() -> ModelConfig {
    model(Family::Bert, 124)
}

fn fixture_bytes(name: &str) -> Vec<u8> {
    std::fs::read(scratch::fixture("tokenizer").join(name)).expect("the fixture is committed")
}

/// A folder with these files; a fixture is copied, anything else written.
pub(crate) fn folder(name: &str, files: &[(&str, Vec<u8>)]) -> PathBuf {
    let folder = scratch::folder(name);
    for (file, bytes) in files {
        std::fs::write(folder.join(file), bytes).expect("a scratch file can be written");
    }
    folder
}

/// The `vocab.txt` of the fixtures with this `tokenizer_config.json`.
fn vocabulary(name: &str, settings: &Value) -> TextEncoder {
    let files = [
        ("vocab.txt", fixture_bytes("vocab.txt")),
        ("tokenizer_config.json", settings.to_string().into_bytes()),
    ];
    TextEncoder::from_folder(&folder(name, &files), &bert()).expect("a good folder")
}

fn json_tokenizer(name: &str, bytes: Vec<u8>) -> TextEncoder {
    TextEncoder::from_folder(&folder(name, &[("tokenizer.json", bytes)]), &bert()).expect("a good folder")
}

fn roberta() -> TextEncoder {
    let files = [("tokenizer.json", fixture_bytes("roberta.json"))];
    let config = ModelConfig {
        pad_token_id: 1,
        type_vocab_size: 1,
        ..model(Family::Roberta, 300)
    };
    TextEncoder::from_folder(&folder("roberta", &files), &config).expect("a good folder")
}

/// The texts, length and tokens of one case.
struct Case {
    tokenizer: String,
    text_a: String,
    text_b: Option<String>,
    max_tokens: usize,
    ids: Vec<u32>,
    token_types: Vec<u32>,
}

fn cases() -> Vec<Case> {
    let json: Value = serde_json::from_slice(&fixture_bytes("expected.json")).expect("the fixture is JSON");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let numbers = |value: &Value| -> Vec<u32> {
        let list = value.as_array().expect("a list");
        list.iter().map(|id| id.as_u64().expect("an id") as u32).collect()
    };
    let cases = json["cases"].as_array().expect("cases");
    cases
        .iter()
        .map(|case| Case {
            tokenizer: text(&case["tokenizer"]).expect("a name"),
            text_a: text(&case["a"]).expect("a text"),
            text_b: text(&case["b"]),
            max_tokens: case["max"].as_u64().expect("a length") as usize,
            ids: numbers(&case["ids"]),
            token_types: numbers(&case["types"]),
        })
        .collect()
}

#[track_caller]
fn agrees(encoder: &TextEncoder, tokenizer: &str) {
    let mut compared = 0;
    for case in cases().iter().filter(|case| case.tokenizer == tokenizer) {
        let at = format!("{:?} {:?} in {}", case.text_a, case.text_b, case.max_tokens);
        let encoding = encoder
            .encode(&case.text_a, case.text_b.as_deref(), case.max_tokens)
            .expect("a good length");
        assert_eq!(encoding.ids, case.ids, "{at}");
        assert_eq!(encoding.token_types, case.token_types, "{at}");
        assert!(encoding.ids.len() <= case.max_tokens, "{at}");
        let tokens = |text: &str| encoder.tokens(text).expect("a text").len();
        let whole = tokens(&case.text_a) + case.text_b.as_deref().map_or(0, tokens);
        // [CLS] a [SEP] b [SEP], and <s> a </s></s> b </s>.
        let special = match (&case.text_b, encoder.id("<s>")) {
            (None, _) => 2,
            (Some(_), None) => 3,
            (Some(_), Some(_)) => 4,
        };
        assert_eq!(encoding.cut, whole + special > case.max_tokens, "{at}");
        compared += 1;
    }
    assert!(compared >= 50, "only {compared} cases of {tokenizer}");
}

#[test]
fn vocab_txt_agrees_with_transformers() {
    agrees(&vocabulary("uncased", &json!({})), "uncased");
    agrees(
        &vocabulary(
            "uncased_said",
            &json!({"do_lower_case": true, "cls_token": {"content": "[CLS]"}}),
        ),
        "uncased",
    );
    agrees(
        &vocabulary("cased", &json!({"do_lower_case": false, "strip_accents": null})),
        "cased",
    );
    let settings = json!({"do_lower_case": false, "strip_accents": true, "tokenize_chinese_chars": false});
    agrees(&vocabulary("cased_strip", &settings), "cased_strip");
    agrees(&vocabulary("left", &json!({"truncation_side": "left"})), "left");
}

#[test]
fn tokenizer_json_agrees_with_transformers() {
    agrees(
        &json_tokenizer("json", fixture_bytes("tokenizer.json")),
        "uncased",
    );
}

#[test]
fn byte_level_roberta_agrees_with_transformers() {
    agrees(&roberta(), "roberta");
}

/// The file's own truncation and padding must not show, whatever they are; the side of the truncation does.
#[test]
fn truncation_and_padding_inside_the_file_are_switched_off() {
    let mut json: Value =
        serde_json::from_slice(&fixture_bytes("tokenizer.json")).expect("the fixture is JSON");
    json["truncation"] = json!({"direction": "Right", "max_length": 4, "strategy": "OnlyFirst", "stride": 1});
    json["padding"] = json!({
        "strategy": {"Fixed": 40}, "direction": "Left", "pad_to_multiple_of": 8,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"
    });
    agrees(
        &json_tokenizer("json_padded", json.to_string().into_bytes()),
        "uncased",
    );
    json["truncation"]["direction"] = json!("Left");
    agrees(
        &json_tokenizer("json_left", json.to_string().into_bytes()),
        "left",
    );
}

#[test]
fn all_examples_in_order_whatever_the_threads() {
    let encoder = vocabulary("threads", &json!({}));
    let examples: Vec<Example> = cases()
        .into_iter()
        .map(|case| Example {
            words: Vec::new(),
            text_a: case.text_a,
            text_b: case.text_b,
            target: None,
        })
        .collect();
    let serial: Vec<_> = examples
        .iter()
        .map(|example| {
            encoder
                .encode(&example.text_a, example.text_b.as_deref(), 12)
                .expect("a good length")
        })
        .collect();
    for threads in [1, 2, 3, 7] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("a pool");
        let parallel = pool
            .install(|| encoder.encode_all(&examples, 12))
            .expect("a good length");
        assert_eq!(parallel, serial, "{threads} threads");
    }
}

/// The library keeps what it cuts off and pairs every piece with every other: 10⁸ of them here, were they not dropped.
#[test]
fn long_pairs_are_cut_in_linear_time() {
    let encoder = vocabulary("long_pairs", &json!({}));
    let long = "cat ".repeat(20_000);
    let encoding = encoder.encode(&long, Some(&long), 8).expect("a good length");
    assert_eq!(encoding.ids, [2, 74, 74, 3, 74, 74, 74, 3]);
}

fn named(encoder: &TextEncoder) -> Vec<&str> {
    encoder.files().map(|(name, _)| name).collect()
}

#[test]
fn the_files_are_copied_byte_for_byte() {
    let config = b"{ \"do_lower_case\":true }\r\n".to_vec();
    let vocabulary = fixture_bytes("vocab.txt");
    let files = [
        ("vocab.txt", vocabulary.clone()),
        ("tokenizer_config.json", config.clone()),
        ("special_tokens_map.json", b"{}".to_vec()),
        ("model.safetensors", b"not ours".to_vec()),
    ];
    let from = folder("copy_from", &files);
    let encoder = TextEncoder::from_folder(&from, &bert()).expect("a good folder");
    assert_eq!(
        named(&encoder),
        ["tokenizer_config.json", "special_tokens_map.json", "vocab.txt"]
    );
    let bytes: Vec<&[u8]> = encoder.files().map(|(_, bytes)| bytes).collect();
    assert_eq!(bytes, [&config[..], b"{}", &vocabulary]);

    let json = [
        ("tokenizer.json", fixture_bytes("tokenizer.json")),
        ("vocab.txt", vocabulary),
    ];
    let encoder = TextEncoder::from_folder(&folder("copy_json", &json), &bert()).expect("a good folder");
    assert_eq!(named(&encoder), ["tokenizer.json", "vocab.txt"]);
}

/// `vocab.txt` with Windows line ends or without the last one is the same vocabulary.
#[test]
fn line_ends_of_a_vocabulary_do_not_matter() {
    let text = String::from_utf8(fixture_bytes("vocab.txt")).expect("UTF-8");
    for (name, bytes) in [
        ("crlf", text.replace('\n', "\r\n")),
        ("no_end", text.trim_end().to_owned()),
    ] {
        let files = [("vocab.txt", bytes.into_bytes())];
        let encoder = TextEncoder::from_folder(&folder(name, &files), &bert()).expect("a good folder");
        agrees(&encoder, "uncased");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    /// Any text, at any length: the two ways to load agree, the length is kept to, the frame is whole.
    #[test]
    fn any_text_fits_and_both_ways_agree(a in "\\PC{0,40}|(the |cat|dog|ing|##s|[SEP]|é|中){0,30}", b in proptest::option::of("\\PC{0,40}"), max_tokens in 4_usize..40) {
        let (vocabulary, json) = encoders();
        let encoding = vocabulary.encode(&a, b.as_deref(), max_tokens).expect("a good length");
        prop_assert_eq!(&encoding, &json.encode(&a, b.as_deref(), max_tokens).expect("a good length"));
        prop_assert!(encoding.ids.len() <= max_tokens);
        prop_assert_eq!(encoding.ids.len(), encoding.token_types.len());
        prop_assert_eq!((encoding.ids[0], encoding.ids.last()), (2, Some(&3)));
        prop_assert!(encoding.token_types.is_sorted());
    }
}

/// One of each kind, made once.
fn encoders() -> &'static (TextEncoder, TextEncoder) {
    static BOTH: std::sync::OnceLock<(TextEncoder, TextEncoder)> = std::sync::OnceLock::new();
    BOTH.get_or_init(|| {
        let json = json_tokenizer("prop_json", fixture_bytes("tokenizer.json"));
        (vocabulary("prop_vocabulary", &json!({})), json)
    })
}

/// The path of a folder, for messages.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}
