//! Folders of tokenizers as transformers writes them, and its ids (`fixtures/make/tokenizer_folders.py`).

use std::path::Path;

use cwgnc::data::{DataError, TextEncoder};
use cwgnc::model::{Family, ModelConfig};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::encode::{folder, model, shown};
use crate::scratch;

fn fixture() -> Value {
    let bytes = std::fs::read(scratch::fixture("tokenizer/folders.json")).expect("the fixture is committed");
    serde_json::from_slice(&bytes).expect("the fixture is JSON")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn numbers(value: &Value) -> Vec<u32> {
    list(value)
        .iter()
        .map(|id| id.as_u64().expect("a number") as u32)
        .collect()
}

/// A model with rows for every token here.
fn config(family: Family) -> ModelConfig {
    ModelConfig {
        max_position_embeddings: 600,
        pad_token_id: u32::from(family == Family::Roberta),
        ..model(family, 1000)
    }
}

/// Writes a row's files into a folder, and loads them.
fn load(row: &Value, contents: &[Value]) -> (std::path::PathBuf, Result<TextEncoder, DataError>) {
    let name = row["name"].as_str().expect("a name");
    let files = row["files"].as_object().expect("files");
    let files: Vec<(&str, Vec<u8>)> = files
        .iter()
        .map(|(file, index)| {
            let content = contents[index.as_u64().expect("an index") as usize].as_str();
            (file.as_str(), content.expect("text").as_bytes().to_vec())
        })
        .collect();
    let family = if row["family"] == "bert" {
        Family::Bert
    } else {
        Family::Roberta
    };
    let dir = folder(&format!("tokenizer_folder_{name}"), &files);
    let encoder = TextEncoder::from_folder(&dir, &config(family));
    (dir, encoder)
}

#[test]
fn every_folder_gives_the_ids_of_transformers() {
    let fixture = fixture();
    let (mut folders, mut compared) = (0, 0);
    for row in list(&fixture["folders"])
        .iter()
        .filter(|row| row["refused"].is_null())
    {
        let (_, encoder) = load(row, list(&fixture["contents"]));
        let encoder = encoder.expect("a good folder");
        for (text, index) in list(&fixture["texts"]).iter().zip(list(&row["ids"])) {
            let expected = numbers(&fixture["encodings"][index.as_u64().expect("an index") as usize]);
            let (zeros, ids) = expected.split_first().expect("a number of zeros");
            let max = text[2].as_u64().expect("a length") as usize;
            let encoding = encoder
                .encode(text[0].as_str().expect("a text"), text[1].as_str(), max)
                .expect("a good text");
            assert_eq!(encoding.ids, ids, "{} {text}", row["name"]);
            let types: Vec<u32> = (0..ids.len())
                .map(|at| u32::from(at >= *zeros as usize))
                .collect();
            assert_eq!(encoding.token_types, types, "{} {text}", row["name"]);
            compared += 1;
        }
        folders += 1;
    }
    assert!(
        folders >= 30 && compared == folders * 200,
        "{folders} folders, {compared} texts"
    );
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let fixture = fixture();
    let mut refused = 0;
    for row in list(&fixture["folders"]) {
        let Some(words) = row["refused"].as_str() else {
            continue;
        };
        let (dir, encoder) = load(row, list(&fixture["contents"]));
        let message = encoder.expect_err("no good folder").to_string();
        assert!(
            message.contains(words) && message.contains(&shown(&dir)),
            "{}: {message}",
            row["name"]
        );
        refused += 1;
    }
    assert!(refused >= 10, "only {refused}");
}

const VOCABULARY: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\ncat\nhello\nHello\n";

fn bert(name: &str, settings: &Value, rows: usize) -> Result<TextEncoder, DataError> {
    let files = [
        ("vocab.txt", VOCABULARY.as_bytes().to_vec()),
        ("tokenizer_config.json", settings.to_string().into_bytes()),
    ];
    TextEncoder::from_folder(&folder(name, &files), &model(Family::Bert, rows))
}

#[test]
fn a_report_names_the_file_of_every_setting() {
    let settings = json!({"tokenizer_class": "BertTokenizerFast", "do_lower_case": false, "never_split": ["x"],
        "extra_special_tokens": ["<e>"]});
    let report = bert("tokenizer_report", &settings, 20)
        .expect("a good folder")
        .report()
        .clone();
    assert_eq!(
        report.to_string(),
        "BertTokenizerFast (tokenizer_config.json); vocabulary: 8 tokens (vocab.txt); \
         do_lower_case: false (tokenizer_config.json); strip_accents: as do_lower_case (default); \
         tokenize_chinese_chars: true (default); unk_token: [UNK] (default); sep_token: [SEP] (default); \
         pad_token: [PAD] (default); cls_token: [CLS] (default); mask_token: [MASK] (default); \
         added tokens: 1 (tokenizer_config.json); truncation_side: right (default); token types: given (default); \
         BertTokenizerFast does not use never_split: [\"x\"] of tokenizer_config.json"
    );
    assert_eq!(report.settings[1].name, "do_lower_case");
    assert_eq!(report.settings[1].source, "tokenizer_config.json");
}

/// `[MASK]` is not in the vocabulary, so that it gets the next id, 8; the model needs no row for it until a text has it.
#[test]
fn a_token_beyond_the_embedding_is_refused_where_it_stands() {
    let encoder = bert("tokenizer_beyond", &json!({}), 8).expect("8 rows do for the vocabulary");
    assert_eq!(
        encoder.encode("the cat", None, 9).expect("a good text").ids,
        [2, 4, 5, 3]
    );
    let message = "the tokenizer refused a text: its token `[MASK]` has id 8, and the word embedding has 8 rows \
                   (vocab_size in config.json)";
    assert_eq!(
        encoder
            .encode("the [MASK]", None, 9)
            .expect_err("no row")
            .to_string(),
        message
    );
    assert_eq!(encoder.tokens("[MASK]").expect_err("no row").to_string(), message);
    let room = bert("tokenizer_room", &json!({}), 9).expect("a good folder");
    assert_eq!(room.encode("[MASK]", None, 9).expect("a row").ids, [2, 8, 3]);
    assert_eq!((room.mask_id(), room.pad_id()), (Some(8), Some(0)));
    // One that is listed must have its row.
    let listed = json!({"added_tokens_decoder": {"8": {"content": "new"}}});
    assert!(bert("tokenizer_listed", &listed, 8).is_err());
    assert!(bert("tokenizer_listed_room", &listed, 9).is_ok());
}

/// A template may hold other ids around one text than around two.
#[test]
fn ids_of_both_templates_are_looked_at() {
    let bytes =
        std::fs::read(scratch::fixture("tokenizer/tokenizer.json")).expect("the fixture is committed");
    let json: Value = serde_json::from_slice(&bytes).expect("the fixture is JSON");
    for template in ["single", "pair"] {
        let mut json = json.clone();
        let far = json!({"id": "far", "ids": [500], "tokens": ["far"]});
        json["post_processor"]["special_tokens"]["far"] = far;
        let pieces = json["post_processor"][template]
            .as_array_mut()
            .expect("a template");
        pieces.push(json!({"SpecialToken": {"id": "far", "type_id": 0}}));
        let files = [
            ("tokenizer.json", json.to_string().into_bytes()),
            (
                "tokenizer_config.json",
                br#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#.to_vec(),
            ),
        ];
        let dir = folder(&format!("tokenizer_template_{template}"), &files);
        let error = TextEncoder::from_folder(&dir, &model(Family::Bert, 124)).expect_err("an id beyond");
        assert!(error.to_string().contains("ids up to 500"), "{error}");
    }
}

/// The class of `config.json` counts where `tokenizer_config.json` names none.
#[test]
fn the_class_may_stand_in_the_models_configuration() {
    let files = [
        ("vocab.txt", VOCABULARY.as_bytes().to_vec()),
        (
            "config.json",
            br#"{"tokenizer_class": "DistilBertTokenizer"}"#.to_vec(),
        ),
    ];
    let dir = folder("tokenizer_class", &files);
    let encoder = TextEncoder::from_folder(&dir, &model(Family::Bert, 20)).expect("a good folder");
    assert_eq!(encoder.class_of_model(), Some("DistilBertTokenizer"));
    // That class gives no token types.
    let pair = encoder.encode("the", Some("cat"), 9).expect("a good text");
    assert_eq!((pair.ids, pair.token_types), (vec![2, 4, 3, 5, 3], vec![0; 5]));
}

/// A charsmap whose trie has these units and whose texts are `texts`, in base64.
fn charsmap(units: &[u32], texts: &[u8]) -> String {
    let mut bytes = (units.len() as u32 * 4).to_le_bytes().to_vec();
    bytes.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    bytes.extend(texts);
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |group: &[u8]| {
        let bits = group.iter().fold(0, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - group.len()));
        let digit = |at: usize| {
            if at <= group.len() {
                digits[(bits >> (18 - 6 * at)) as usize & 63]
            } else {
                b'='
            }
        };
        String::from_utf8((0..4).map(digit).collect()).expect("ASCII")
    };
    bytes.chunks(3).map(group).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    /// Whatever a charsmap holds, it is refused or works.
    #[test]
    fn no_charsmap_makes_it_panic(units in proptest::collection::vec(prop_oneof![any::<u32>(), 0_u32..0x4_0000], 0..600), texts in proptest::collection::vec(any::<u8>(), 0..8)) {
        let bytes = std::fs::read(scratch::fixture("tokenizer/roberta.json")).expect("the fixture is committed");
        let mut json: Value = serde_json::from_slice(&bytes).expect("the fixture is JSON");
        json["normalizer"] = json!({"type": "Precompiled", "precompiled_charsmap": charsmap(&units, &texts)});
        let files = [
            ("tokenizer.json", json.to_string().into_bytes()),
            ("tokenizer_config.json", br#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#.to_vec()),
        ];
        let dir = folder("tokenizer_charsmap", &files);
        quiet(&dir);
    }
}

/// Loads a folder and reads texts with it. A panic inside the library would be an error that says so.
fn quiet(dir: &Path) {
    if let Ok(encoder) = TextEncoder::from_folder(dir, &config(Family::Roberta)) {
        for text in ["the cat", "ÀÉ 東京 ①", "\u{1}\u{7f}\u{10ffff}"] {
            if let Err(error) = encoder.encode(text, None, 500) {
                assert!(!error.to_string().contains("broke off"), "{error}");
            }
        }
    }
}
