//! What is fuzzed. A target's files lie in the present folder; what it writes goes to `out`.

use super::seeds::{
    DEMO, Kind, Victim, copy_all, cwgnc, demo, fixture, made, put, remove, run, study, tokenizers, write,
};
use cwgnc::cases::file::{read_case, read_plain, read_result};
use cwgnc::cases::sides::Placement;
use cwgnc::cases::{Class, Pack, Template};
use cwgnc::checkpoint::{load_tensors, read_config};
use cwgnc::clip::{ClipPolicy, ClipState, Edge, Partition, Separator, Statistic};
use cwgnc::data::{
    DataError, LabelSpace, Labels, TASKS, TextEncoder, UserColumns, WordPieceSettings, count_words,
    read_glue, read_glue_test, read_paragraphs, read_user, read_user_train, train_wordpiece,
};
use cwgnc::oracle::Declared;
use cwgnc::study::{Shard, parse_seeds};
use std::fmt::{Debug, Display};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::str::FromStr;

/// Something that reads what others wrote.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Makes the good files in the present folder.
    pub(crate) base: fn() -> Vec<Victim>,
    /// Reads them, of which the named one is an input; the variant chooses among flags. What came of it.
    pub(crate) run: fn(&str, usize) -> String,
    /// Whether reading changes the folder, so that each input needs a new one.
    pub(crate) is_changed: bool,
}

const fn target(
    name: &'static str,
    about: &'static str,
    base: fn() -> Vec<Victim>,
    run: fn(&str, usize) -> String,
) -> Target {
    Target {
        name,
        about,
        base,
        run,
        is_changed: false,
    }
}

/// Every target.
pub(crate) const TARGETS: &[Target] = &[
    target(
        "safetensors",
        "tensors by name, read whole and one by one",
        safetensors,
        read_safetensors,
    ),
    target("npz", "NumPy archives, read and clipped", npz, read_npz),
    target(
        "case",
        "case and result files: read, judged, explained, expected",
        case,
        judge_case,
    ),
    target(
        "check",
        "gradients before and after, norms, values, moments, memory: check",
        pair,
        check,
    ),
    target(
        "identify",
        "the same: identify, with and without a threshold",
        pair,
        identify,
    ),
    target(
        "identify-folder",
        "index.jsonl and its pairs: identify",
        pairs,
        |_, variant| {
            let flags = ["", "--blind", "--format json"][variant % 3];
            code(&format!("identify pairs {flags}"))
        },
    ),
    target("clip", "gradients, values, moments and memory: clip", pair, clip),
    target(
        "shards",
        "a folder with an index of shards: clip, check",
        shards,
        |_, variant| {
            let words = [
                "clip --grads shards --policy component:0.05 -o out",
                "check --before shards --after clipped --policy none",
            ];
            code(words[variant % 2])
        },
    ),
    target(
        "policy",
        "policies, declared arithmetic, placements, memory and other text forms",
        policy,
        parse,
    ),
    target(
        "table",
        "CSV, TSV and JSON lines: training, evaluation, predictions beside their columns",
        table,
        read_table,
    ),
    target("glue", "files of the GLUE tasks", glue, read_tasks),
    target(
        "text",
        "plain text: paragraphs, a vocabulary, predictions",
        plain,
        read_text,
    ),
    target(
        "study-toml",
        "a study file: study --plan",
        study_toml,
        |_, variant| {
            let plan = ["parallel", "slurm"][variant % 2];
            code(&format!("study --config study.toml --output out --plan {plan}"))
        },
    ),
    target(
        "settings",
        "a file of flags: finetune --config",
        settings,
        |_, _| code("finetune --config run.toml --model missing --output out --quiet"),
    ),
    target("model", "a model folder: inspect, predict", model, read_model),
    target("config", "config.json, alone", config, |_, _| {
        said(read_config(Path::new("model")).map(drop))
    }),
    target(
        "tokenizer",
        "the files of a tokenizer, of every kind",
        || victims_of(tokenizers()),
        tokenize,
    ),
    target(
        "report-study",
        "the folder of a study: report",
        || {
            study(false);
            study_files("study")
        },
        |_, variant| {
            let flags = ["", "--metric best", "--stopped majority --ddof 1", "--json"][variant % 4];
            code(&format!("report study --output out --bootstrap 20 {flags}"))
        },
    ),
    target(
        "report-run",
        "the folder of a run: report, with event files",
        run_files,
        |_, variant| {
            let flags = ["", "--tensorboard", "--json"][variant % 3];
            code(&format!("report run --output out {flags}"))
        },
    ),
    target(
        "merge",
        "the folders of two shards: study merge",
        || {
            study(true);
            study_files("part-1")
        },
        |_, _| code("study merge part-1 part-2 --output out --quiet"),
    ),
    Target {
        is_changed: true,
        ..target(
            "study-resume",
            "the folder of a study: study --resume",
            resumable_study,
            |_, _| code("study --output study --resume --quiet --jobs 1"),
        )
    },
    Target {
        is_changed: true,
        ..target(
            "checkpoint",
            "a checkpoint without checksums: finetune --resume",
            || checkpoint(false),
            resume,
        )
    },
    Target {
        is_changed: true,
        ..target(
            "checksums",
            "checksums.json of a checkpoint: finetune --resume",
            || checkpoint(true),
            resume,
        )
    },
    Target {
        is_changed: true,
        ..target(
            "pretrain",
            "a checkpoint without checksums: pretrain --resume",
            pretrained,
            |_, _| code(&format!("pretrain {PRETRAIN} --resume")),
        )
    },
    target("pipe", "the answers of a program: pipe", answers, |_, _| {
        let program = std::env::current_exe().expect("this program");
        code(&format!(
            "pipe --cases cases --shrink 0 --timeout 0.5 -- {} --program parrot answer.bin",
            program.display()
        ))
    }),
    target(
        "answer",
        "the messages to a program: answer",
        questions,
        |_, _| answered(),
    ),
];

/// The exit code of the program; the worker hears what it says.
fn code(words: &str) -> String {
    cwgnc(words).to_string()
}

fn said<E: Display>(result: Result<(), E>) -> String {
    result.map_or_else(|error| error.to_string(), |()| "read".to_owned())
}

fn many(pattern: &str, ending: &str) -> Vec<Vec<u8>> {
    let mut found: Vec<_> = fs::read_dir(fixture(pattern))
        .expect(pattern)
        .flatten()
        .map(|entry| entry.path())
        .collect();
    found.retain(|path| path.to_string_lossy().ends_with(ending));
    found.sort();
    // Every seventh is of every kind.
    found
        .iter()
        .step_by(7)
        .map(|path| fs::read(path).expect(pattern))
        .collect()
}

fn safetensors() -> Vec<Victim> {
    put("files/arrays.safetensors", "a.safetensors");
    vec![Victim::new("a.safetensors", Kind::Safetensors, &[]).or(many("cases", ".safetensors"))]
}

fn read_safetensors(file: &str, variant: usize) -> String {
    let path = Path::new(file);
    match variant % 3 {
        0 => said(load_tensors::<f32>(path).map(drop)),
        1 => said(load_tensors::<f64>(path).map(drop)),
        _ => said(read_plain(path).map(drop)),
    }
}

fn npz() -> Vec<Victim> {
    put("files/arrays.npz", "a.npz");
    let more =
        ["files/arrays_deflated.npz", "files/one.npz"].map(|name| fs::read(fixture(name)).expect(name));
    vec![Victim::new("a.npz", Kind::Npz, &[]).or(more)]
}

fn read_npz(file: &str, variant: usize) -> String {
    match variant % 2 {
        0 => said(read_plain(Path::new(file)).map(drop)),
        _ => code("clip --grads a.npz --policy component:0.05 -o out --format json"),
    }
}

fn case() -> Vec<Victim> {
    put("cases/core-0037-rule.safetensors", "cases/a.safetensors");
    made("expect cases/a.safetensors -o expected.safetensors");
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(["--program", "answer"]);
    write(
        "message",
        &message(&fs::read("cases/a.safetensors").expect("a case")),
    );
    let answer = child
        .stdin(fs::File::open("message").expect("a message"))
        .output()
        .expect("an answer");
    write("results/a.safetensors", &answer.stdout[8..]);
    vec![
        Victim::new("cases/a.safetensors", Kind::Safetensors, &[]).or(many("cases", ".safetensors")),
        Victim::new("results/a.safetensors", Kind::Safetensors, &[]),
    ]
}

fn judge_case(_: &str, variant: usize) -> String {
    match variant % 6 {
        0 => code("check --cases cases --results results --format json"),
        1 => code("check --cases cases --results results --format junit"),
        2 => code("explain cases/a.safetensors results/a.safetensors"),
        3 => code("expect cases/a.safetensors -o out"),
        4 => said(read_result(Path::new("results/a.safetensors")).map(drop)),
        _ => said(read_case(Path::new("cases/a.safetensors")).map(drop)),
    }
}

fn message(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u64).to_le_bytes()[..], bytes].concat()
}

fn pair() -> Vec<Victim> {
    put("mixed/0003.before.safetensors", "before.safetensors");
    made("clip --grads before.safetensors --policy component:0.05 -o after.safetensors");
    for beside in ["values.safetensors", "moments.safetensors"] {
        put("mixed/0003.before.safetensors", beside);
    }
    write(
        "norms.json",
        br#"{"global": 1.5, "w": 0.25, "encoder.weight": 1e-3}"#,
    );
    remove("memory.txt");
    made("clip --grads before.safetensors --policy autoclip:10 --state memory.txt -o out");
    let more = || many("mixed", ".before.safetensors");
    vec![
        Victim::new("before.safetensors", Kind::Safetensors, &[]).or(more()),
        Victim::new("after.safetensors", Kind::Safetensors, &[]).or(more()),
        Victim::new("values.safetensors", Kind::Safetensors, &[]),
        Victim::new("moments.safetensors", Kind::Safetensors, &[]),
        Victim::new("norms.json", Kind::Json, &["global"]),
        Victim::new(
            "memory.txt",
            Kind::Text,
            &["history", "level", "ring", "moments", "steps", "|", "NaN", "inf"],
        ),
    ]
}

/// Policies, and the flags of the files beside the gradients that they read.
const POLICIES: [(&str, &str); 12] = [
    ("component:0.05", ""),
    ("global:1@optax", ""),
    ("agc:0.01", "--values values.safetensors"),
    ("trust-ratio", "--values values.safetensors"),
    ("stable-adamw:1", "--moments moments.safetensors"),
    ("spam:50", "--moments moments.safetensors"),
    ("autoclip:10", "--state memory.txt"),
    ("row:1@exact", ""),
    ("layer:1,norm=1,group=*.bias:0.01", ""),
    ("value:0.1", ""),
    ("adagc:1.05,edge=skip", "--state memory.txt"),
    ("module:1@torch,edge=zero", ""),
];

/// A policy that reads the input, if there is one for it.
fn policy_for(file: &str, variant: usize) -> (&'static str, &'static str) {
    let reads = |(_, flags): &&(&str, &str)| flags.ends_with(file);
    let reading: Vec<_> = POLICIES.iter().filter(reads).collect();
    *reading
        .get(variant % reading.len().max(1))
        .copied()
        .unwrap_or(&POLICIES[variant % 12])
}

fn check(file: &str, variant: usize) -> String {
    let (policy, beside) = policy_for(file, variant);
    let norms = if file == "norms.json" {
        "--norms norms.json"
    } else {
        ""
    };
    code(&format!(
        "check --before before.safetensors --after after.safetensors --policy {policy} {beside} {norms} --format json"
    ))
}

fn identify(_: &str, variant: usize) -> String {
    let flags = [
        "",
        "--threshold 0.05",
        "--norm 1",
        "--values values.safetensors",
        "--format json",
    ];
    let flags = flags[variant % 5];
    code(&format!(
        "identify --before before.safetensors --after after.safetensors {flags}"
    ))
}

fn clip(file: &str, variant: usize) -> String {
    let (policy, beside) = policy_for(file, variant);
    let beside = beside.replace("memory.txt", "memory.txt --state-out out.memory");
    code(&format!(
        "clip --grads before.safetensors --policy {policy} {beside} -o out --report -"
    ))
}

fn pairs() -> Vec<Victim> {
    let index = fs::read_to_string(fixture("pairs/index.jsonl")).expect("index.jsonl");
    let rows: Vec<&str> = index.split_inclusive('\n').take(3).collect();
    for pair in ["0000", "0001", "0002"] {
        for side in ["before", "after"] {
            put(
                &format!("pairs/{pair}.{side}.safetensors"),
                &format!("pairs/{pair}.{side}.safetensors"),
            );
        }
    }
    write("pairs/index.jsonl", rows.concat().as_bytes());
    vec![
        Victim::new("pairs/index.jsonl", Kind::JsonLines, &[]),
        Victim::new("pairs/0000.before.safetensors", Kind::Safetensors, &[]),
    ]
}

fn shards() -> Vec<Victim> {
    for (shard, name) in [(1, "a"), (2, "b")] {
        let header = format!(r#"{{"{name}.weight":{{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}}}"#);
        let bytes = [message(header.as_bytes()), vec![0, 0, 128, 63, 0, 0, 0, 64]].concat();
        write(&format!("shards/model-0000{shard}-of-00002.safetensors"), &bytes);
    }
    let index = r#"{"metadata":{"total_size":16},"weight_map":{"a.weight":"model-00001-of-00002.safetensors","b.weight":"model-00002-of-00002.safetensors"}}"#;
    write("shards/model.safetensors.index.json", index.as_bytes());
    copy_all(Path::new("shards"), Path::new("clipped"));
    vec![
        Victim::new(
            "shards/model.safetensors.index.json",
            Kind::Json,
            &["model-00001-of-00002.safetensors", ".", "a.weight"],
        ),
        Victim::new("shards/model-00001-of-00002.safetensors", Kind::Safetensors, &[]),
    ]
}

/// Words of policies and of what stands beside them.
const WORDS: &[&str] = &[
    "none",
    "global",
    "component",
    "module",
    "layer",
    "row",
    "axes",
    "optax-unit",
    "value",
    "soft",
    "soft-norm",
    "normalise",
    "agc",
    "trust-ratio",
    "stable-adamw",
    "spam",
    "autoclip",
    "percentile",
    "zclip",
    "adagc",
    "stable-spam",
    "torch",
    "optax",
    "exact",
    "deepspeed/1024",
    "tf-global",
    "keras-global",
    "div-max",
    "mxnet",
    "norm=",
    "edge=",
    "by=",
    "eps=",
    "group=",
    "exclude=",
    "count=",
    "follow=",
    "tie=",
    "separator=",
    "unchecked",
    "rms",
    "inf",
    "mean",
    "zero",
    "skip",
    "error",
    "skip-all",
    "*.bias",
    "[a-z]",
    "?",
    "sequential",
    "lanes-8",
    "pairwise-128",
    "blocks-1024",
    "kahan",
    "depth-5",
    "f64",
    "scale=F32",
    "ftz",
    "max-norm-error=",
    "shard:0",
    "replicated",
    "partial",
    "1/4",
    "1-5",
    "1,2,3",
];

fn policy() -> Vec<Victim> {
    put("pairs/0020.before.safetensors", "g.safetensors");
    write(
        "policy.txt",
        b"component:0.05@optax,norm=rms,edge=skip,group=*.bias:0.01,exclude=a.*",
    );
    let more = POLICIES.iter().map(|(policy, _)| policy).chain(&[
        "global:1@deepspeed/1024,eps=0.00001",
        "axes-0-1:2,separator=/,count=a,follow=b,tie=c:d",
        "zclip:2.5@mean,warmup=3,max=inf,alpha=0.9,factor=2",
        "blocks-1024,scale=F32,max-norm-error=1e-3,ftz",
        "lanes-8,norm=F64,element=BF16",
        "*.weight=shard:0",
        "1-5,8",
        "2/4",
    ]);
    vec![Victim::new("policy.txt", Kind::Text, WORDS).or(more.map(|text| text.as_bytes().to_vec()))]
}

/// What prints and parses must come back as it was.
fn there_and_back<T: FromStr + Display + PartialEq + Debug>(text: &str) -> String
where
    T::Err: Display,
{
    match text.parse::<T>() {
        Ok(value) => {
            let printed = value.to_string();
            let again = printed.parse::<T>().ok();
            // A NaN in it is not equal to itself.
            let same =
                again.as_ref() == Some(&value) || again.is_some_and(|again| again.to_string() == printed);
            assert!(same, "{text:?} prints as {printed:?}, which is not the same");
            "parsed".to_owned()
        }
        Err(error) => error.to_string(),
    }
}

fn parse(file: &str, variant: usize) -> String {
    let bytes = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    match variant {
        0..=2 => there_and_back::<ClipPolicy>(&text),
        3 => there_and_back::<Declared>(&text),
        4 => said(text.parse::<Template>().map(drop)),
        5 => said(text.parse::<Placement>().map(drop)),
        6 => there_and_back::<ClipState>(&text),
        7 => there_and_back::<Statistic>(&text) + &there_and_back::<Partition>(&text),
        8 => there_and_back::<Edge>(&text) + &said(text.parse::<Separator>().map(drop)),
        9 => said(text.parse::<Pack>().map(drop)) + &said(text.parse::<Class>().map(drop)),
        10 => said(text.parse::<Shard>().map(drop)) + &said(parse_seeds(&text).map(drop)),
        _ => {
            let Ok(policy) = text.parse::<ClipPolicy>() else {
                return "no policy".to_owned();
            };
            let words = [
                "cwgnc",
                "clip",
                "--grads",
                "g.safetensors",
                "--dry-run",
                "--policy",
                &policy.to_string(),
            ];
            cwgnc::cli::run(words.map(Into::into)).to_string()
        }
    }
}

fn table() -> Vec<Victim> {
    demo();
    let csv =
        "text,label,id,\"a, b\"\r\n\"one, \"\"two\"\"\",acceptable,1,x\r\nthree,unacceptable,2,\"y\nz\"\r\n";
    write("a.csv", csv.as_bytes());
    write(
        "a.tsv",
        b"sentence1\tsentence2\tlabel\none\ttwo\t0\nthree\tfour\t1\n",
    );
    write("a.jsonl", b"{\"text\": \"one\", \"label\": 0.5, \"more\": [1, {}]}\n{\"text\": \"two\", \"label\": 1, \"more\": null}\n");
    let words: &[&str] = &[
        "text",
        "label",
        "sentence1",
        "sentence2",
        "id",
        "acceptable",
        "unacceptable",
        "0.5",
        "NaN",
        "\r\n",
    ];
    vec![
        Victim::new("a.csv", Kind::Text, words),
        Victim::new("a.tsv", Kind::Text, words),
        Victim::new("a.jsonl", Kind::JsonLines, words),
    ]
}

fn read_table(file: &str, variant: usize) -> String {
    let columns = UserColumns::default();
    let path = Path::new(file);
    match variant % 4 {
        0 => said(read_user_train(path, &columns, None).map(drop)),
        1 => said(read_user(path, &columns, &LabelSpace::Values, Labels::Required).map(drop)),
        2 => code(&format!(
            "predict --model model --file {file} --format csv --output out --quiet"
        )),
        _ => code(&format!(
            "predict --model model --file {file} --format jsonl --keep-columns --output out --quiet"
        )),
    }
}

/// A header and a row of each task.
fn glue() -> Vec<Victim> {
    let files = [
        "gj04\t1\t\tOur friends won't buy this.\ngj04\t0\t*\tOne more.\n",
        "sentence\tlabel\nhide new secretions \t0\n",
        "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t1\t2\tHe said \"so.\tSo he said.\n",
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n\
         0\tmain\tMSR\t2012\t0001\tnone\tnone\tA plane.\tA plane too.\t5.000\n",
        "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n1\t2\t3\tHow?\tWhy?\t0\n",
        "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\t\
         sentence1\tsentence2\tlabel1\tgold_label\n0\t1\t1n\tgov\t( a )\t( b )\t(A)\t(B)\tA.\tB.\tneutral\tneutral\n",
        "index\tquestion\tsentence\tlabel\n0\tWhat?\tThat.\tentailment\n",
        "index\tsentence1\tsentence2\tlabel\n0\tOne.\tTwo.\tnot_entailment\n",
        "index\tsentence1\tsentence2\tlabel\n0\tOne.\tTwo.\t1\n",
    ];
    let victims = TASKS.iter().zip(files).map(|(task, text)| {
        let name = format!("{}/dev.tsv", task.key);
        write(&name, text.as_bytes());
        Victim::new(
            &name,
            Kind::Text,
            &[
                "label",
                "sentence1",
                "sentence2",
                "index",
                "entailment",
                "\t",
                "\n",
                "2.5",
                "NaN",
            ],
        )
    });
    victims.collect()
}

fn read_tasks(file: &str, variant: usize) -> String {
    let path = Path::new(file);
    let (folder, name) = (path.parent().unwrap_or(path), "dev.tsv");
    let task = TASKS
        .iter()
        .find(|task| folder == Path::new(task.key))
        .expect("the name of a task");
    match variant % 3 {
        0 => said(read_glue(folder, task, name, Labels::Required).map(drop)),
        1 => said(read_glue(folder, task, name, Labels::Ignored).map(drop)),
        _ => said(read_glue_test(folder, task, name).map(drop)),
    }
}

fn plain() -> Vec<Victim> {
    demo();
    write(
        "a.txt",
        b"One sentence here.\nAnother one.\n\nA paragraph. It has two.\r\n",
    );
    vec![Victim::new(
        "a.txt",
        Kind::Text,
        &["\n\n", "word", "\u{301}", "\u{4e2d}", "\u{200d}"],
    )]
}

fn read_text(file: &str, variant: usize) -> String {
    match variant % 3 {
        0 => said(read_paragraphs(Path::new(file)).map(drop)),
        1 => code("predict --model model --file a.txt --format tsv --output out --quiet"),
        _ => match read_paragraphs(Path::new(file)) {
            Ok(paragraphs) => said(vocabulary(&paragraphs.concat())),
            Err(error) => error.to_string(),
        },
    }
}

fn vocabulary(lines: &[String]) -> Result<(), DataError> {
    let settings = WordPieceSettings {
        vocab_size: 60,
        min_frequency: 1,
        limit_alphabet: 40,
    };
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    train_wordpiece(&count_words(&lines, true)?, &settings).map(drop)
}

fn study_toml() -> Vec<Victim> {
    demo();
    let text = r#"preset = "paper"
seeds = [1, 2]
conditions = ["control", "a"]

[common]
model = "model"
train-file = "train.tsv"
validation-file = "dev.tsv"
max-steps = 2
learning-rate = 1e-3

[task.own]
max-train-samples = 30

[condition.a]
clip = "component:0.05"
warmup-ratio = 0.1

[factors]
weight-decay = [0, 0.01]
clip = ["none", "component:0.05"]
"#;
    write("study.toml", text.as_bytes());
    vec![Victim::new("study.toml", Kind::Toml, TOML)]
}

/// Words of study files and of files of flags.
const TOML: &[&str] = &[
    "preset",
    "seeds",
    "conditions",
    "common",
    "task",
    "condition",
    "factors",
    "[[task]]",
    "[task.own]",
    "[condition.a]",
    "= {",
    "}",
    "'''",
    "\"\"\"",
    "1-5",
    "max-steps",
    "learning-rate",
    "clip",
    "seed",
    "output",
    "model",
    "train-file",
    "paper",
    "factorial",
    "unfreezing",
    "true",
    "1979-05-27T07:32:00Z",
    "0x_f",
    "1_000",
    "\\u0000",
    "\\U00110000",
    "+inf",
];

fn settings() -> Vec<Victim> {
    demo();
    let text = "learning-rate = 1e-4\ntrain-file = \"train.tsv\"\nvalidation-file = 'dev.tsv'\nclip = \"component:0.05\"\n\
        seed = 3\nbias-correction = true\nnum-train-epochs = 2.5\n";
    write("run.toml", text.as_bytes());
    vec![Victim::new("run.toml", Kind::Toml, TOML)]
}

fn model() -> Vec<Victim> {
    run();
    let kind = |name: &str| {
        if name.ends_with("safetensors") {
            Kind::Safetensors
        } else {
            kind_of(name)
        }
    };
    let names = [
        "config.json",
        "model.safetensors",
        "tokenizer_config.json",
        "vocab.txt",
        "cwgnc.json",
    ];
    names
        .map(|name| Victim::new(&format!("run/{name}"), kind(name), CONFIG))
        .into()
}

/// Words of configurations.
const CONFIG: &[&str] = &[
    "bert",
    "roberta",
    "hidden_size",
    "vocab_size",
    "num_attention_heads",
    "num_hidden_layers",
    "id2label",
    "label2id",
    "problem_type",
    "regression",
    "single_label_classification",
    "gelu",
    "relu",
    "gelu_new",
    "type_vocab_size",
    "max_position_embeddings",
    "pad_token_id",
    "classifier_dropout",
    "[CLS]",
    "[SEP]",
    "[UNK]",
    "[MASK]",
    "##a",
    "tokenizer_class",
    "do_lower_case",
    "model_max_length",
];

fn kind_of(name: &str) -> Kind {
    match Path::new(name).extension().and_then(|ending| ending.to_str()) {
        Some("json") => Kind::Json,
        Some("jsonl") => Kind::JsonLines,
        Some("toml") => Kind::Toml,
        Some("safetensors") => Kind::Safetensors,
        _ => Kind::Text,
    }
}

fn read_model(_: &str, variant: usize) -> String {
    match variant % 3 {
        0 => code("inspect run"),
        1 => code("inspect run --json"),
        _ => code("predict --model run --text happy --quiet"),
    }
}

fn config() -> Vec<Victim> {
    demo();
    vec![Victim::new("model/config.json", Kind::Json, CONFIG)]
}

fn victims_of(files: Vec<String>) -> Vec<Victim> {
    files
        .iter()
        .map(|file| Victim::new(file, kind_of(file), TOKENIZERS))
        .collect()
}

/// Words of the files of tokenizers.
const TOKENIZERS: &[&str] = &[
    "model",
    "vocab",
    "merges",
    "type",
    "WordPiece",
    "BPE",
    "Unigram",
    "normalizer",
    "pre_tokenizer",
    "post_processor",
    "BertNormalizer",
    "Sequence",
    "Replace",
    "Regex",
    "Split",
    "ByteLevel",
    "TemplateProcessing",
    "RobertaProcessing",
    "added_tokens",
    "special",
    "lstrip",
    "single_word",
    "normalized",
    "(a+)+$",
    "\\\\p{L}",
    "[CLS]",
    "[SEP]",
    "<s>",
    "</s>",
    "truncation",
    "padding",
    "Prepend",
    "Strip",
    "Metaspace",
    "Precompiled",
    "unk_token",
    "cls_token",
    "do_lower_case",
    "strip_accents",
    "add_prefix_space",
    "max_input_chars_per_word",
    "continuing_subword_prefix",
];

fn tokenize(file: &str, _: usize) -> String {
    let folder = Path::new(file).parent().unwrap_or(Path::new("."));
    let config = match read_config(folder) {
        Ok(config) => config.config,
        Err(error) => return error.to_string(),
    };
    let encoder = match TextEncoder::from_folder(folder, &config) {
        Ok(encoder) => encoder,
        Err(error) => return error.to_string(),
    };
    let mut outcome = format!(
        "{:?} {}",
        encoder.mask_id().is_some(),
        encoder.report().settings.len()
    );
    for (text, pair) in [
        ("", None),
        (
            "A happy Farmer's caf\u{e9}, [MASK] 12 \u{4e2d}\u{6587}",
            Some("and  <mask> more"),
        ),
        ("aaaaaaaaaaaaaaaaaaaaaaaa!", None),
    ] {
        match encoder.encode(text, pair, 16) {
            Ok(_) => outcome.push_str(" encoded"),
            Err(error) => outcome.push_str(&error.to_string()),
        }
    }
    outcome
}

/// The files of a study, its runs' included.
fn study_files(folder: &str) -> Vec<Victim> {
    let mut files = Vec::new();
    below(Path::new(folder), &mut files);
    let words: &[&str] = &[
        "run",
        "value",
        "seconds",
        "checksum",
        "task",
        "condition",
        "seed",
        "eval_accuracy",
        "step",
        "loss",
    ];
    let mut victims: Vec<Victim> = files
        .iter()
        .map(|file| Victim::new(file, kind_of(file), words))
        .collect();
    for victim in &mut victims {
        if victim.file.ends_with("journal.jsonl") {
            // Lines without a checksum, as older versions wrote them, get further.
            let text = String::from_utf8_lossy(&victim.pool[0]).into_owned();
            let bare = text.lines().map(|line| match line.split_once(",\"log\"") {
                Some((body, _)) => format!("{body}}}\n"),
                None => format!("{line}\n"),
            });
            victim.pool.push(bare.collect::<String>().into_bytes());
        }
    }
    victims
}

/// The files that a report reads.
fn below(folder: &Path, found: &mut Vec<String>) {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    entries.sort();
    for path in entries {
        let ending = path.extension().and_then(|ending| ending.to_str());
        if path.is_dir() {
            below(&path, found);
        } else if matches!(ending, Some("json" | "jsonl" | "toml")) {
            found.push(path.to_string_lossy().into_owned());
        }
    }
}

fn run_files() -> Vec<Victim> {
    run();
    let mut files = Vec::new();
    below(Path::new("run"), &mut files);
    files.retain(|file| !file.contains("checkpoint") && !file.contains("config"));
    files
        .iter()
        .map(|file| {
            Victim::new(
                file,
                kind_of(file),
                &["step", "loss", "epoch", "components", "eval_accuracy"],
            )
        })
        .collect()
}

fn resumable_study() -> Vec<Victim> {
    study(false);
    study_files("study")
        .into_iter()
        .filter(|victim| !victim.file.contains("runs/"))
        .collect()
}

/// A run that died after its first step.
fn checkpoint(with_checksums: bool) -> Vec<Victim> {
    run();
    remove("run/all_results.json");
    remove("run/checkpoint-2");
    let sums = "run/checkpoint-1/checksums.json";
    if with_checksums {
        return vec![Victim::new(
            sums,
            Kind::Json,
            &["../log.jsonl", "..", "bytes", "hash", "state.json"],
        )];
    }
    remove(sums);
    let mut files = vec![
        "run/log.jsonl".to_owned(),
        "run/checkpoint-1/optimizer.safetensors".to_owned(),
    ];
    files.push("run/checkpoint-1/model.safetensors".to_owned());
    below(Path::new("run/checkpoint-1"), &mut files);
    files
        .iter()
        .map(|file| Victim::new(file, kind_of(file), CONFIG))
        .collect()
}

fn resume(_: &str, _: usize) -> String {
    code(&format!(
        "finetune {DEMO} --output run --quiet --log-updates --eval-every 1 --resume"
    ))
}

const PRETRAIN: &str = "--train-file text.txt --output pre --quiet --vocab-size 60 --hidden-size 8 --num-hidden-layers 1 \
    --max-seq-length 16 --per-device-train-batch-size 4 --max-steps 2 --save-steps 1 --logging-steps 1 --threads 1 \
    --validation-share 0.1";

/// A pretraining that died after its first step.
fn pretrained() -> Vec<Victim> {
    if !Path::new("pre").exists() {
        demo();
        let text = fs::read_to_string("train.tsv").expect("train.tsv");
        let lines = text.lines().filter_map(|line| line.split('\t').next());
        write(
            "text.txt",
            lines
                .flat_map(|line| [line, "\n\n"])
                .collect::<String>()
                .as_bytes(),
        );
        made(&format!("pretrain {PRETRAIN}"));
    }
    remove("pre/all_results.json");
    remove("pre/checkpoint-2");
    remove("pre/checkpoint-1/checksums.json");
    let mut files = Vec::new();
    below(Path::new("pre/checkpoint-1"), &mut files);
    files.push("pre/checkpoint-1/model.safetensors".to_owned());
    files.push("pre/checkpoint-1/optimizer.safetensors".to_owned());
    files.push("pre/checkpoint-1/vocab.txt".to_owned());
    files
        .iter()
        .map(|file| Victim::new(file, kind_of(file), CONFIG))
        .collect()
}

fn answers() -> Vec<Victim> {
    drop(case());
    let result = fs::read("results/a.safetensors").expect("a result");
    write("answer.bin", &message(&result));
    vec![Victim::new("answer.bin", Kind::Text, &[]).or([Vec::new(), vec![0; 8], vec![255; 8]])]
}

fn questions() -> Vec<Victim> {
    put("cases/core-0037-rule.safetensors", "case.safetensors");
    vec![Victim::new("case.safetensors", Kind::Safetensors, &[]).or(many("cases", ".safetensors"))]
}

/// The exit code of `cwgnc answer` with the case as its one message.
fn answered() -> String {
    write("out", &message(&fs::read("case.safetensors").unwrap_or_default()));
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(["--program", "answer"]).stdout(Stdio::null());
    let status = child
        .stdin(fs::File::open("out").expect("a message"))
        .status()
        .expect("a program");
    assert!(matches!(status.code(), Some(0..=2)), "answer ends with {status}");
    status.to_string()
}
