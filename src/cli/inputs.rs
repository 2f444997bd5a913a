//! What a run reads: texts, tokenizer and model, from the flags of `cwgnc finetune`.

use super::Error;
use super::args::Finetune;
use super::corpus::{Corpus, flags, max_tokens};
use super::head::Head;
use super::progress::Progress;
use super::reading::Reading;
use super::understood::Understood;
use crate::checkpoint::{self, LoadReport, Purpose};
use crate::data::TextEncoder;
use crate::model::{Criterion, ModelConfig, Part, SequenceClassifier, init};
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
    /// The loss of training.
    pub(super) criterion: Criterion,
    pub(super) reading: Reading,
    pub(super) understood: Understood,
}

impl<T: Real> Inputs<T> {
    /// Reads and checks all of it, so that what can fail fails before the first step.
    pub(super) fn read(args: &Finetune, progress: &mut Progress) -> Result<Self, Error> {
        args.check()?;
        if let Some(note) = args.schedule.note() {
            progress.message(&note);
        }
        let mut corpus = Corpus::for_finetuning(args)?;
        args.stabilise.take_subset(&mut corpus)?;
        let folder = checkpoint::read_config(&args.model.dir)?;
        let config = adapted(folder.config.clone(), &corpus, args);
        let encoder = TextEncoder::from_folder(&args.model.dir, &config)?;
        let max_tokens = max_tokens(flags(&args.data.columns).max_tokens, &config);
        let (mut sets, mut files) = (Vec::new(), Vec::new());
        for source in corpus.train.iter().chain(&corpus.dev) {
            let (sequences, facts) = source.encode_with_facts(&encoder, max_tokens, progress)?;
            sets.push(sequences);
            files.push(facts);
        }
        let dev = sets.split_off(usize::from(corpus.train.is_some()));
        let train = sets.pop().unwrap_or_default();
        let (model, report, head) = load::<T>(args, &config, &folder.config, &corpus)?;
        if let Some(note) = args.stabilise.check_freeze(&model)? {
            progress.message(&note);
        }
        let reading = Reading::of(&corpus, max_tokens);
        let criterion = args.loss.criterion(&reading, &train)?;
        let weights = criterion.weights.clone();
        let tokenizer = encoder.report().clone();
        let understood = Understood::new(&corpus, reading.clone(), files, head, tokenizer, weights);
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
            criterion,
            reading,
            understood,
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
    was: &ModelConfig,
    corpus: &Corpus,
) -> Result<(SequenceClassifier<T>, LoadReport, Head), Error> {
    let (mut model, mut report) = checkpoint::load(
        &args.model.dir,
        config,
        Purpose::FineTuning,
        SequenceClassifier::zeros,
    )?;
    if args.from_scratch {
        report.to_initialise = model.params().into_iter().map(|(name, _)| name).collect();
        report.taken.clear();
        report.renamed.clear();
    }
    let mut again = args.stabilise.reinitialised(config, &model)?;
    let head = if args.fresh_head {
        let params = model.params().into_iter().zip(model.parts());
        again.extend(
            params
                .filter(|(_, part)| *part == Part::Classifier)
                .map(|((name, _), _)| name),
        );
        Head::Fresh
    } else {
        Head::settle(&args.model.dir, was, corpus, &report, &mut model)?
    };
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
    Ok((model, report, head))
}
