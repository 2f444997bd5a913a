//! The flags for what others do for stable fine-tuning, and what they mean for a run; `docs/stabilisers.md` explains them.

use super::Error;
use super::choice::name;
use super::corpus::Corpus;
use super::number::{at_least_one, below_one, not_negative, share};
use super::schedule::ScheduleArgs;
use crate::clip::Pattern;
use crate::clip::nearest;
use crate::model::{Family, ModelConfig, Part, Problem, SequenceClassifier};
use crate::param::ParamTree;
use crate::random;
use crate::real::Real;
use crate::train::{Stabilisers, UnfreezeMode, Unfreezing, unfreeze};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

#[derive(Debug, Args)]
#[command(next_help_heading = "Stability")]
pub(super) struct StabiliserArgs {
    /// The learning rate of each layer, as a share of that of the layer above; pooler and classifier have it in full,
    /// the embeddings come last
    #[arg(long, value_name = "SHARE", default_value_t = 1.0, value_parser = share)]
    pub(super) layerwise_lr_decay: f64,
    /// Fresh weights for the top K layers
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub(super) reinit_layers: usize,
    /// Fresh weights for BERT's pooler
    #[arg(long)]
    pub(super) reinit_pooler: bool,
    /// Mixout: in training, with probability P the weights of an input are those that training began from; published
    /// with --dropout 0
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = below_one)]
    pub(super) mixout: f64,
    /// Weight decay towards the weights that training began from, not applied to biases and LayerNorm
    #[arg(long, value_name = "DECAY", default_value_t = 0.0, value_parser = not_negative)]
    pub(super) weight_decay_to_pretrained: f64,
    /// Unfreeze the classifier first, then layer by layer from the top, then the rest
    #[arg(long, value_enum, value_name = "MODE", conflicts_with = "max_steps")]
    pub(super) gradual_unfreezing: Option<UnfreezeModeArg>,
    /// Passes over the training set before the next group is unfrozen [default: --num-train-epochs]
    #[arg(long, value_name = "E", value_parser = not_negative, requires = "gradual_unfreezing")]
    pub(super) unfreeze_epochs: Option<f64>,
    /// Leave these parameters as they are: names with * for any text, as in bert.embeddings.*,*.layer.0.*; they have no
    /// update and no part in clipping
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',', value_parser = pattern)]
    pub(super) freeze: Vec<Pattern>,
    /// Report and save the model of the best evaluation by --metric-for-best-model (the earliest of equals); evaluates after
    /// each epoch unless --eval-every says when
    #[arg(long, visible_alias = "load-best-model-at-end")]
    pub(super) load_best: bool,
    /// What makes an evaluation the best: a metric of the task or the file, or loss; less is better of loss,
    /// mse and mae [default: F1 if the task has it, else its first metric; of a file of your own accuracy or mse]
    #[arg(long, visible_alias = "metric", value_name = "NAME")]
    pub(super) metric_for_best_model: Option<String>,
    /// Train on N examples drawn at random, without replacement, from those that --max-train-samples leaves
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(super) train_subset: Option<usize>,
    /// The seed of --train-subset; not --seed, so that runs of many seeds train on one subset
    #[arg(long, value_name = "SEED", default_value_t = 0, requires = "train_subset")]
    pub(super) subset_seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum UnfreezeModeArg {
    /// Weights and optimiser go on, the learning rate is halved each time
    Continue,
    /// The same with the learning rates that the authors' script gives
    ContinueAsReleased,
    /// Each time from the pretrained weights, with a fresh optimiser
    Restart,
}

impl StabiliserArgs {
    /// Refuses what makes no sense beside the other flags.
    pub(super) fn check(&self, schedule: &ScheduleArgs, weight_decay: f64) -> Result<(), Error> {
        let refuse = |why: &str| Err(Error::Usage(why.to_owned()));
        let goes_on = matches!(
            self.gradual_unfreezing,
            Some(UnfreezeModeArg::Continue | UnfreezeModeArg::ContinueAsReleased)
        );
        if goes_on && !schedule.is_straight() {
            return refuse(
                "--gradual-unfreezing continue and continue-as-released go on at half the peak, where only \
                 --lr-scheduler-type linear, constant and constant_with_warmup can lead; restart takes any",
            );
        }
        if self.weight_decay_to_pretrained > 0.0 && weight_decay > 0.0 {
            return refuse(
                "--weight-decay pulls to 0 and --weight-decay-to-pretrained to where training began; give one of them",
            );
        }
        Ok(())
    }

    /// Where a learning rate that falls in a straight line ends, as a share of its peak.
    pub(super) fn schedule_end(&self) -> f64 {
        match self.gradual_unfreezing {
            // Each iteration ends at the rate at which the next begins.
            Some(UnfreezeModeArg::Continue | UnfreezeModeArg::ContinueAsReleased) => 0.5,
            _ => 0.0,
        }
    }

    /// What training asks for, for a model of so many layers.
    pub(super) fn settings(&self, layers: usize) -> Stabilisers {
        let mode = |mode| match mode {
            UnfreezeModeArg::Continue => UnfreezeMode::Continue,
            UnfreezeModeArg::ContinueAsReleased => UnfreezeMode::ContinueAsReleased,
            UnfreezeModeArg::Restart => UnfreezeMode::Restart,
        };
        Stabilisers {
            layerwise_lr_decay: self.layerwise_lr_decay,
            mixout: self.mixout,
            weight_decay_to_initial: self.weight_decay_to_pretrained,
            unfreezing: self.gradual_unfreezing.map(|chosen| Unfreezing {
                mode: mode(chosen),
                iterations: unfreeze::iterations(layers),
            }),
            freeze: self.freeze.clone(),
        }
    }

    /// Refuses a pattern of `--freeze` that chooses nothing, and patterns that leave nothing to train; says what is frozen.
    pub(super) fn check_freeze<T: Real>(
        &self,
        model: &SequenceClassifier<T>,
    ) -> Result<Option<String>, Error> {
        let names: Vec<String> = model.params().into_iter().map(|(name, _)| name).collect();
        for pattern in &self.freeze {
            if !names.iter().any(|name| pattern.fits(name)) {
                let written = pattern.as_str();
                let prefix = format!("{}.", written.trim_end_matches('.'));
                let near = if names.iter().any(|name| name.starts_with(&prefix)) {
                    format!("{prefix}*")
                } else {
                    nearest(written, names.iter().map(String::as_str)).join(", ")
                };
                return Err(Error::Usage(format!(
                    "--freeze {written}: no parameter of the model has such a name; nearest: {near}"
                )));
            }
        }
        let frozen = self.settings(0).frozen(model);
        let first = self.gradual_unfreezing.is_some();
        let groups = unfreeze::groups(model);
        let trained = |(frozen, group): (&bool, &usize)| !*frozen && (!first || *group == 0);
        if frozen.iter().zip(&groups).any(trained) {
            let (count, all) = (frozen.iter().filter(|frozen| **frozen).count(), names.len());
            return Ok((count > 0).then(|| format!("{count} of {all} parameters are frozen")));
        }
        let left = if first {
            "nothing of the classifier, which gradual unfreezing trains first"
        } else {
            "nothing to train"
        };
        let patterns: Vec<&str> = self.freeze.iter().map(Pattern::as_str).collect();
        Err(Error::Usage(format!(
            "--freeze {}: leaves {left}",
            patterns.join(",")
        )))
    }

    /// The names of the parameters that get fresh weights although the model folder has some.
    pub(super) fn reinitialised<T>(
        &self,
        config: &ModelConfig,
        model: &SequenceClassifier<T>,
    ) -> Result<Vec<String>, Error> {
        let (layers, top) = (config.num_hidden_layers, self.reinit_layers);
        if top > layers {
            return Err(Error::Usage(format!(
                "--reinit-layers {top}: the model has {layers} layers"
            )));
        }
        if self.reinit_pooler && config.family == Family::Roberta {
            return Err(Error::Usage(
                "--reinit-pooler: RoBERTa has no pooler; its head is fresh unless the model folder has one"
                    .to_owned(),
            ));
        }
        if self.reinit_pooler && config.problem == Problem::Tokens {
            return Err(Error::Usage(
                "--reinit-pooler: a model with a tag for each word has no pooler; its head is fresh unless the model folder has \
                 one"
                    .to_owned(),
            ));
        }
        let chosen = |part: Part| match part {
            Part::Layer(index) => index >= layers - top,
            Part::Pooler => self.reinit_pooler,
            Part::Embeddings | Part::Classifier | Part::Predictions => false,
        };
        let params = model.params().into_iter().zip(model.parts());
        Ok(params
            .filter(|(_, part)| chosen(*part))
            .map(|((name, _), _)| name)
            .collect())
    }

    /// Leaves the training examples that `--train-subset` asks for, in the order of the file.
    pub(super) fn take_subset(&self, corpus: &mut Corpus) -> Result<(), Error> {
        let (Some(wanted), Some(source)) = (self.train_subset, &mut corpus.train) else {
            return Ok(());
        };
        let (path, examples) = (&source.path, &mut source.set.examples);
        if wanted > examples.len() {
            let (path, there) = (path.display(), examples.len());
            return Err(Error::Usage(format!(
                "--train-subset {wanted}: {path} gives {there} examples"
            )));
        }
        let mut rng = random::stream(self.subset_seed, "train subset", 0);
        let mut kept = vec![false; examples.len()];
        for index in random::permutation(&mut rng, examples.len())
            .into_iter()
            .take(wanted)
        {
            kept[index] = true;
        }
        let mut kept = kept.into_iter();
        examples.retain(|_| kept.next() == Some(true));
        Ok(())
    }

    /// The flags as part of a run's settings.
    pub(super) fn record(&self) -> Map<String, Value> {
        let settings = json!({
            "layerwise_lr_decay": self.layerwise_lr_decay,
            "reinit_layers": self.reinit_layers,
            "reinit_pooler": self.reinit_pooler,
            "mixout": self.mixout,
            "weight_decay_to_pretrained": self.weight_decay_to_pretrained,
            "gradual_unfreezing": self.gradual_unfreezing.as_ref().map(name),
            "unfreeze_epochs": self.unfreeze_epochs,
            "load_best": self.load_best,
            "train_subset": self.train_subset,
            "subset_seed": self.train_subset.map(|_| self.subset_seed),
        });
        let mut settings = settings.as_object().cloned().unwrap_or_default();
        if let Some(name) = &self.metric_for_best_model {
            settings.insert("metric_for_best_model".to_owned(), name.as_str().into());
        }
        if !self.freeze.is_empty() {
            let patterns: Vec<&str> = self.freeze.iter().map(Pattern::as_str).collect();
            settings.insert("freeze".to_owned(), patterns.into());
        }
        settings
    }
}

/// A pattern of parameter names.
fn pattern(text: &str) -> Result<Pattern, String> {
    Pattern::new(text).map_err(|_| "not a name of a parameter, in which * stands for any text".to_owned())
}
