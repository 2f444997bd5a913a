//! Sentences in words with a tag for each: the files, and the tokens of the words.

use crate::encode::{bert, folder, model};
use crate::scratch;
use cwgnc::data::{
    Dataset, Example, FileKind, FoundColumns, LabelSpace, Labels, TextColumns, TextEncoder, UserColumns,
    UserFile, read_user, read_user_train,
};
use cwgnc::model::{Family, ModelConfig, Problem, Target};
use serde_json::Value;
use std::fs;

/// A folder of each test's own: they run side by side.
fn own_folder() -> String {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or_default().replace(':', "-");
    format!("tagged-{name}")
}

type Read = Result<(Dataset, FoundColumns), String>;

/// Reads a training file, whose folder is `DIR` in messages.
fn train(name: &str, text: &str, columns: &UserColumns, problem: Option<Problem>) -> Read {
    let path = scratch::file(&own_folder(), name, text);
    let dir = path.parent().expect("a folder").display().to_string();
    read_user_train(&path, columns, problem).map_err(|error| error.to_string().replace(&dir, "DIR"))
}

fn sentence(words: &[&str], tags: &[Option<usize>]) -> Example {
    Example {
        text_a: words.join(" "),
        text_b: None,
        words: words.iter().map(|&word| word.to_owned()).collect(),
        target: Some(Target::Tags(tags.to_vec())),
    }
}

/// The same two sentences in every way in which they may be written.
#[test]
fn every_way_to_write_words_and_tags() {
    let lists = r#"{"id": "0", "tokens": ["Ada", "Byron", "sleeps"], "ner_tags": ["B-PER", "I-PER", "O"]}
{"id": "1", "tokens": ["No"], "ner_tags": ["O"]}
"#;
    let plain = UserColumns::default();
    let tags = lists.replace("ner_tags", "tags");
    let labels = lists.replace("ner_tags", "labels");
    let other = lists.replace("ner_tags", "kinds").replace("tokens", "w");
    let named = UserColumns {
        texts: TextColumns::One("w".to_owned()),
        label: "kinds".to_owned(),
        ..UserColumns::default()
    };
    let blanks = "Ada NNP B-PER\nByron NNP I-PER\nsleeps VBZ O\n\nNo DT O\n";
    let document = format!("-DOCSTART- -X- O\n\n{}\n\n\n", blanks.replace(' ', "\t"));
    let tokens = Some(Problem::Tokens);
    for (name, text, columns, problem) in [
        ("a.jsonl", lists, &plain, None),
        ("a.json", lists, &plain, tokens),
        ("b.jsonl", &tags, &plain, None),
        ("c.jsonl", &labels, &plain, None),
        ("d.jsonl", &other, &named, tokens),
        ("e.conll", blanks, &plain, None),
        ("f.conll", &document, &plain, tokens),
        ("g.conll", &blanks.replace('\n', "\r\n"), &plain, None),
    ] {
        let (set, _) = train(name, text, columns, problem).expect(name);
        let names = ["B-PER", "I-PER", "O"].map(str::to_owned);
        assert_eq!(set.labels, LabelSpace::Tags(names.to_vec()), "{name}");
        let expected = [
            sentence(&["Ada", "Byron", "sleeps"], &[Some(0), Some(1), Some(2)]),
            sentence(&["No"], &[Some(2)]),
        ];
        assert_eq!(set.examples, expected, "{name}");
    }
    let (_, found) = train("a.jsonl", lists, &plain, None).expect("lists");
    assert_eq!(
        (found.text_a.as_str(), found.label.as_deref()),
        ("tokens", Some("ner_tags"))
    );
    assert_eq!(found.others, ["id"]);
}

/// Numbers are tags by their value; -100 is none.
#[test]
fn tags_that_are_numbers() {
    let text = "{\"tokens\": [\"a\", \"b\", \"c\"], \"ner_tags\": [10, -100, 9]}\n";
    let (set, _) = train("numbers.jsonl", text, &UserColumns::default(), None).expect("lists");
    assert_eq!(
        set.labels,
        LabelSpace::Tags(["9", "10"].map(str::to_owned).to_vec())
    );
    assert_eq!(
        set.examples,
        [sentence(&["a", "b", "c"], &[Some(1), None, Some(0)])]
    );
}

/// A text beside a list of words and one of labels is a text with several labels.
#[test]
fn words_beside_a_text() {
    let text = "{\"text\": \"a b\", \"tokens\": [\"a\", \"b\"], \"labels\": [\"x\", \"y\"]}\n";
    let (set, found) = train("text.jsonl", text, &UserColumns::default(), None).expect("lists");
    assert_eq!(found.text_a, "text");
    assert!(matches!(set.labels, LabelSpace::Sets(_)));
    let tokens = Some(Problem::Tokens);
    let (set, _) = train("text.jsonl", text, &UserColumns::default(), tokens).expect("lists");
    assert!(matches!(set.labels, LabelSpace::Tags(_)));
}

#[test]
fn bad_words_and_tags() {
    let plain = UserColumns::default();
    let refused = |name: &str, text: &str, problem, message: &str| {
        let message = message.replace("FILE", &format!("DIR/{name}"));
        assert_eq!(train(name, text, &plain, problem).err(), Some(message), "{text}");
    };
    let good = "{\"tokens\": [\"a\", \"b\"], \"tags\": [\"O\", \"X\"]}\n";
    for (bad, message) in [
        (
            "[\"a\", \"b\"], \"tags\": [\"O\"]",
            "2 words and 1 tag; each word has one tag",
        ),
        (
            "[\"a\"], \"tags\": []",
            "1 word and 0 tags; each word has one tag",
        ),
        ("[], \"tags\": []", "a sentence without words"),
        (
            "\"a b\", \"tags\": [\"O\"]",
            "field `tokens` holds text, expected a list of words or tags",
        ),
        (
            "null, \"tags\": []",
            "field `tokens` holds nothing, expected a list of words or tags",
        ),
        (
            "[1], \"tags\": [\"O\"]",
            "field `tokens` holds a list with something else, expected a list of words or tags",
        ),
        (
            "[\"a\"], \"tags\": [null]",
            "field `tags` holds a list with something else, expected a list of words or tags",
        ),
        (
            "[\"a\"], \"tags\": \"O\"",
            "field `tags` holds text, expected a list of words or tags",
        ),
        ("[\"a\"], \"tags\": null", "no label"),
    ] {
        let text = format!("{good}{{\"tokens\": {bad}}}\n");
        refused("a.jsonl", &text, None, &format!("FILE line 2: {message}"));
    }
    let two = good.replace('}', ", \"ner_tags\": [1, 2]}");
    let message = "FILE: several columns can be the tags: `tags`, `ner_tags`; name one with --label-column";
    refused("b.jsonl", &two, None, message);
    let one = "{\"tokens\": [\"a\"], \"tags\": [\"O\"]}\n";
    refused(
        "c.jsonl",
        one,
        None,
        "FILE: every row has the label `O`; classification needs two or more",
    );
    let tokens = Some(Problem::Tokens);
    let message = "FILE: no column `ner_tags`; the columns are `tokens`";
    refused("d.jsonl", "{\"tokens\": [\"a\"]}\n", tokens, message);
    let message = "FILE: token classification reads a list of words and one of tags a row (.jsonl, .json: `tokens` and \
                   `ner_tags`), or a word and its tag a line (.conll)";
    refused("e.csv", "tokens,tags\na,O\n", tokens, message);
    refused("f.conll", "a O\nb\n", None, "FILE line 2: 1 column, expected 2");
    refused("f.conll", "a\nb\n", None, "FILE line 1: 1 column, expected 2");
    refused(
        "f.conll",
        "a O\n\nb X O\n",
        None,
        "FILE line 3: 3 columns, expected 2",
    );
    refused(
        "f.conll",
        "a\tO\nb\t\n",
        None,
        "FILE line 2: a word or a tag is missing",
    );
    refused("f.conll", "\n\n", None, "FILE: the file has a header and no rows");
    let message = "FILE: a .conll file has a tag for each word; --problem-type token-classification, and a model of it, take \
                   such files";
    refused("g.conll", "a O\nb X\n", Some(Problem::Classification), message);

    let path = scratch::file(&own_folder(), "dev.jsonl", good);
    let space = LabelSpace::Tags(["O", "Y"].map(str::to_owned).to_vec());
    let error = read_user(&path, &plain, &space, Labels::Required).expect_err("an unknown tag");
    let message = format!("{} line 1: unknown label `X`; known: `O`, `Y`", path.display());
    assert_eq!(error.to_string(), message);
}

/// What is predicted needs no tags, in any kind of file, and is carried as it is.
#[test]
fn words_to_predict() {
    let space = LabelSpace::Tags(["O", "X"].map(str::to_owned).to_vec());
    for (kind, text) in [
        (
            FileKind::JsonLines,
            "{\"tokens\": [\"a\", \"b\"]}\n{\"tokens\": []}\n",
        ),
        (FileKind::PlainText, "a  b\n\n"),
        (FileKind::Conll, "a O\nb ?\n\n"),
        (FileKind::Conll, "a\nb\n\n"),
    ] {
        let file = UserFile::from_bytes("stdin", kind, text.into()).expect("a file");
        let read = file.examples(&UserColumns::default(), &space, Labels::Ignored);
        let (set, _) = read.expect("no tags are needed");
        assert_eq!(set.examples[0].words, ["a", "b"], "{text}");
        assert!(
            set.examples.iter().all(|example| example.target.is_none()),
            "{text}"
        );
        file.carried().expect("the same file");
    }
}

/// Tokens and first tokens as transformers and the loop of `run_ner.py` have them.
#[test]
fn words_agree_with_transformers() {
    let bytes =
        |name: &str| fs::read(scratch::fixture("tokenizer").join(name)).expect("the fixture is committed");
    let folders = ["tokenizer.json", "roberta.json"].map(|name| {
        let folder = folder(&format!("tagged-{name}"), &[("tokenizer.json", bytes(name))]);
        let config = match name {
            "roberta.json" => ModelConfig {
                pad_token_id: 1,
                type_vocab_size: 1,
                ..model(Family::Roberta, 300)
            },
            _ => bert(),
        };
        (
            name,
            TextEncoder::from_folder(&folder, &config).expect("a good folder"),
        )
    });
    let file: Value = serde_json::from_slice(&bytes("words.json")).expect("JSON");
    let cases = file["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 80);
    let mut lost = 0;
    for case in cases {
        let (_, encoder) = folders
            .iter()
            .find(|(name, _)| case["tokenizer"] == *name)
            .expect("a folder");
        let words: Vec<String> = serde_json::from_value(case["words"].clone()).expect("words");
        let length = case["max_length"].as_u64().expect("a number") as usize;
        let encoding = encoder.encode_words(&words, length).expect("tokens");
        assert_eq!(serde_json::json!(encoding.ids), case["ids"], "{words:?}");
        assert_eq!(
            serde_json::json!(encoding.first_tokens),
            case["first"],
            "{words:?}"
        );
        lost += encoding
            .first_tokens
            .iter()
            .filter(|first| first.is_none())
            .count();
    }
    assert!(lost > 20, "{lost} words without a token");
}
