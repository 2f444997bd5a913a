//! What a run reads: texts, tokenizer and model, from the flags of `cwgnc finetune`.

use super::Error;
use super::args::Finetune;
use super::corpus::{Corpus, Source, max_tokens};
use crate::checkpoint::{self, LoadReport, Purpose};
use crate::data::TextEncoder;
use crate::model::{ModelConfig, SequenceClassifier, init};
use crate::param::ParamTree;
use crate::real::Real;
use crate::train::Sequence;
use serde_json::{Map, Value};

/// What a run reads.
pub(super) struct Inputs<T: Real> {
    pub(super) corpus: Corpus,
    pub(super) config: ModelConfig,
    /// The keys of the model's `config.json`, those unknown here included.
    pub(super) raw_config: Map<String, Value>,
    pub(super) encoder: TextEncoder,
    pub(super) train: Vec<Sequence>,
    pub(super) dev: Vec<Vec<Sequence>>,
    pub(super) model: SequenceClassifier<T>,
    pub(super) report: LoadReport,
}

impl<T: Real> Inputs<T> {
    /// Reads and checks all of it, so that what can fail fails before the first step.
    pub(super) fn read(args: &Finetune) -> Result<Self, Error> {
        args.stabilise.check(args.warmup_ratio, args.weight_decay)?;
        let mut corpus = Corpus::for_finetuning(args)?;
        args.stabilise.take_subset(&mut corpus)?;
        let folder = checkpoint::read_config(&args.model.dir)?;
        let config = adapted(folder.config, &corpus, args);
        let encoder = TextEncoder::from_folder(&args.model.dir, &config)?;
        let max_tokens = max_tokens(args.data.max_seq_length, &config);
        let encode = |source: &Source| source.encode(&encoder, max_tokens);
        let train = corpus.train.as_ref().map_or(Ok(Vec::new()), encode)?;
        let dev = corpus.dev.iter().map(encode).collect::<Result<_, _>>()?;
        let (model, report) = load::<T>(args, &config)?;
        let raw_config = folder.raw;
        Ok(Self {
            corpus,
            config,
            raw_config,
            encoder,
            train,
            dev,
            model,
            report,
        })
    }
}

/// The model's configuration with the task's labels and the dropout asked for.
fn adapted(config: ModelConfig, corpus: &Corpus, args: &Finetune) -> ModelConfig {
    let mut config = config;
    config.problem = corpus.labels.problem();
    config.labels = corpus.labels.output_names();
    if let Some(p) = args.dropout {
        config.hidden_dropout_prob = p;
        config.attention_probs_dropout_prob = p;
        config.classifier_dropout = Some(p);
    }
    config
}

/// The pretrained weights, with fresh ones where the folder has none or none of them are wanted.
fn load<T: Real>(
    args: &Finetune,
    config: &ModelConfig,
) -> Result<(SequenceClassifier<T>, LoadReport), Error> {
    let mut model = SequenceClassifier::zeros(config);
    let mut report = checkpoint::load_into(&args.model.dir, config, Purpose::FineTuning, &mut model)?;
    if args.from_scratch {
        report.to_initialise = model.params().into_iter().map(|(name, _)| name).collect();
        report.taken.clear();
        report.renamed.clear();
    }
    let again = args.stabilise.reinitialised(config, &model)?;
    let fresh = |name: &str| {
        let mut chosen = report.to_initialise.iter().chain(&again);
        chosen.any(|chosen| chosen == name)
    };
    init::initialise(
        &mut model,
        config.initializer_range,
        args.init_seed.unwrap_or(args.seed),
        fresh,
    );
    Ok((model, report))
}
