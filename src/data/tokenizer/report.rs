//! What was understood of a tokenizer's files.

use std::fmt;

/// The tokenizer that a folder's files make, and which file decided what.
///
/// Shown as one line: the class, then each setting as `name: value (file)`, then the remarks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizerReport {
    /// The class of transformers that it behaves like, and the file that names it.
    pub class: TokenizerSetting,
    /// In the order in which they are shown.
    pub settings: Vec<TokenizerSetting>,
    /// What a file says and the class does not use, one sentence each.
    pub remarks: Vec<String>,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizerSetting {
    /// As in `tokenizer_config.json`, where it has a name there.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The file that said it, or `default` if none did.
    pub source: &'static str,
}

impl TokenizerSetting {
    pub(super) fn new(name: &str, value: impl fmt::Display, source: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            value: value.to_string(),
            source,
        }
    }
}

impl fmt::Display for TokenizerReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.class.value, self.class.source)?;
        for TokenizerSetting { name, value, source } in &self.settings {
            write!(f, "; {name}: {value} ({source})")?;
        }
        for remark in &self.remarks {
            write!(f, "; {remark}")?;
        }
        Ok(())
    }
}
