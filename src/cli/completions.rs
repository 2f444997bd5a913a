//! `cwgnc completions SHELL`: a script with which a shell completes commands, flags and their values.
//!
//! It is made from the parser, so that it has every flag. Of a flag with a choice the values are completed, of any other files.

use super::args::Args;
use super::{Error, print_document};
use clap::{Arg, Command, CommandFactory, Parser, ValueEnum};
use std::fmt::Write;

/// Print a script with which a shell completes cwgnc's commands, flags and values.
///
/// bash:  cwgnc completions bash > ~/.local/share/bash-completion/completions/cwgnc
/// zsh:   cwgnc completions zsh > ~/.cwgnc.zsh, and `source ~/.cwgnc.zsh` in ~/.zshrc after compinit
/// fish:  cwgnc completions fish > ~/.config/fish/completions/cwgnc.fish
#[derive(Debug, Parser)]
#[command(verbatim_doc_comment)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Runs the command.
pub(super) fn command(args: &Completions) -> Result<(), Error> {
    let parser = Args::command();
    let script = match args.shell {
        Shell::Bash => bash(&parser),
        // zsh reads bash's completions.
        Shell::Zsh => format!("autoload -U +X bashcompinit && bashcompinit\n{}", bash(&parser)),
        Shell::Fish => fish(&parser),
    };
    print_document(script.trim_end())
}

/// Flags that are shown, each with its long name.
fn flags(command: &Command) -> impl Iterator<Item = (&Arg, &str)> {
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
    shown.filter_map(|arg| Some((arg, arg.get_long()?)))
}

/// The values among which a flag or a word chooses.
fn choice(arg: &Arg) -> Vec<String> {
    let takes_value = arg.get_action().takes_values();
    let values = arg.get_possible_values().into_iter().filter(|_| takes_value);
    values.map(|value| value.get_name().to_owned()).collect()
}

fn commands(parser: &Command) -> impl Iterator<Item = &Command> {
    parser.get_subcommands().filter(|command| !command.is_hide_set())
}

fn bash(parser: &Command) -> String {
    let (mut words, mut values) = (String::new(), String::new());
    for command in commands(parser) {
        let name = command.get_name();
        let mut all: Vec<String> = flags(command).map(|(_, long)| format!("--{long}")).collect();
        let positional = command.get_arguments().filter(|arg| arg.is_positional());
        all.extend(positional.flat_map(choice));
        _ = writeln!(words, "    {name}) words=\"{} --help\" ;;", all.join(" "));
        for (arg, long) in flags(command).filter(|(arg, _)| arg.get_action().takes_values()) {
            let choice = choice(arg);
            let files = if choice.is_empty() { "files=1" } else { "" };
            _ = writeln!(
                values,
                "    \"{name} --{long}\") words=\"{}\" {files};;",
                choice.join(" ")
            );
        }
    }
    let names: Vec<&str> = commands(parser).map(Command::get_name).collect();
    let own: Vec<String> = flags(parser).map(|(_, long)| format!("--{long}")).collect();
    format!(
        r#"_cwgnc() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}" words="" files=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{} {} --help --version" -- "$current"))
    return
  fi
  case "${{COMP_WORDS[1]}} $previous" in
{values}    *)
  case "${{COMP_WORDS[1]}}" in
{words}  esac ;;
  esac
  # Without a match the shell completes files.
  [ -n "$files" ] || COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _cwgnc cwgnc
"#,
        names.join(" "),
        own.join(" ")
    )
}

fn fish(parser: &Command) -> String {
    let mut script = String::from("complete -c cwgnc -f -n __fish_use_subcommand -l help -l version\n");
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    let help = |text: Option<&clap::builder::StyledStr>| {
        let text = text.map(ToString::to_string).unwrap_or_default();
        quoted(text.lines().next().unwrap_or_default())
    };
    for (arg, long) in flags(parser) {
        _ = writeln!(
            script,
            "complete -c cwgnc -n __fish_use_subcommand -l {long} -d {}",
            help(arg.get_help())
        );
    }
    for command in commands(parser) {
        let name = command.get_name();
        let about = help(command.get_about());
        _ = writeln!(
            script,
            "complete -c cwgnc -f -n __fish_use_subcommand -a {name} -d {about}"
        );
        let seen = format!("complete -c cwgnc -n '__fish_seen_subcommand_from {name}'");
        for (arg, long) in flags(command) {
            let about = help(arg.get_help());
            let value = match (arg.get_action().takes_values(), choice(arg)) {
                (false, _) => String::new(),
                (true, choice) if choice.is_empty() => " -r".to_owned(),
                (true, choice) => format!(" -x -a {}", quoted(&choice.join(" "))),
            };
            _ = writeln!(script, "{seen} -l {long}{value} -d {about}");
        }
        let positional = command.get_arguments().filter(|arg| arg.is_positional());
        for value in positional.flat_map(choice) {
            _ = writeln!(script, "{seen} -f -a {value}");
        }
    }
    script
}
