//! The text form of policies: there and back, and what is refused.

use super::*;
use crate::clip::{Confine, Edge};

#[test]
fn text_form() {
    for text in [
        "none",
        "none,by=global,norm=inf",
        "global:1",
        "component:0.05",
        "component:100000",
        "component:0",
        "component:0.05@exact",
        "global:1@deepspeed/1024",
        "component:0.05,eps=0.00001",
        "component:0.05@mxnet,eps=0,edge=error",
        "component:1e-30",
        "component:1e300@exact",
        "component:0.30000000000000004",
        "module:1@tf-global,norm=inf",
        "layer:1,norm=rms,edge=skip-all",
        "axes-0-1:2",
        "component:1@tf-average",
        "value:0.1",
        "value:0.1@paper",
        "soft:1@tanh",
        "soft-norm:1,by=global",
        "normalise:1@max,eps=0.5,by=global",
        "agc:0.01",
        "agc:0.01,eps=0.01,by=optax-unit",
        "trust-ratio",
        "trust-ratio,coefficient=0.001,max=1",
        "stable-adamw:1",
        "spam:5000",
        "autoclip:10",
        "percentile:5",
        "zclip:2.5",
        "zclip:2.5@mean,warmup=3,max=inf",
        "adagc:1.05,beta=0.9,by=global",
        "stable-spam:0.999",
        "component:0.05,group=*.bias:0.01,exclude=bert.pooler.*,count=a,follow=b,tie=c:d",
        "module:1@tf-global,norm=inf,separator=/,exclude=a",
        "none,by=layer,separator==:",
        "global:-1,unchecked",
        "global:inf@tf-global,unchecked",
        "global:1,group=a:-1,unchecked",
    ] {
        assert_eq!(
            text.parse::<ClipPolicy>().map(|p| p.to_string()).as_deref(),
            Ok(text)
        );
    }
    assert_eq!("component:1e5@torch".parse(), ClipPolicy::cwgnc_as_published(1e5));
    assert_eq!("global:1.0".parse(), ClipPolicy::torch_global(1.0));
    assert_eq!("component:1@div-max,norm=rms".parse(), ClipPolicy::adafactor(1.0));
    assert_eq!("none".parse(), Ok(ClipPolicy::none()));
    // The usual ε is that of the convention, and is not printed.
    for (text, usual) in [
        ("global:1,eps=1e-6", "global:1"),
        ("global:1@mxnet,eps=1e-8", "global:1@mxnet"),
    ] {
        let printed = text.parse::<ClipPolicy>().map(|policy| policy.to_string());
        assert_eq!(printed.as_deref(), Ok(usual));
    }
}

/// The usual values are those of the table at the top of `text.rs`, of every rule and for every option.
#[test]
fn usual_values() {
    for (short, long) in [
        ("component:1", "component:1@torch,eps=0.000001"),
        ("component:1@mxnet", "component:1@mxnet,eps=0.00000001"),
        ("value:1", "value:1@torch"),
        ("soft:1", "soft:1@rational"),
        ("normalise:1", "normalise:1@add,eps=0.000001"),
        ("agc:1", "agc:1,eps=0.001"),
        ("trust-ratio", "trust-ratio,coefficient=1,eps=0,max=inf"),
        ("stable-adamw:1", "stable-adamw:1,eps=0.00000001"),
        ("zclip:1", "zclip:1@adaptive,alpha=0.97,warmup=25,factor=1,max=1"),
        ("adagc:1", "adagc:1,absolute=1,beta=0.98,warmup=100"),
    ] {
        let [short, long] = [short, long].map(|text| text.parse::<ClipPolicy>().expect(text));
        assert_eq!(short, long);
    }
    // No other rule has an option with a usual value, so none is forgotten above.
    let mut names = Vec::new();
    for mut rule in Rule::examples() {
        let has_options = rule.numbers().iter().any(|(key, _)| !key.is_empty());
        if has_options && !matches!(rule, Rule::Norm { .. }) {
            names.push(rule.name());
        }
    }
    names.dedup();
    let expected = [
        "normalise",
        "agc",
        "trust-ratio",
        "stable-adamw",
        "zclip",
        "adagc",
    ];
    assert_eq!(names, expected);
}

/// Every rule, partition, edge rule and variant has a text form.
#[test]
fn everything_prints_and_parses() {
    for rule in Rule::examples() {
        for edge in [Edge::Propagate, Edge::Zero(Confine::Global)] {
            for partition in Partition::NAMED {
                let policy = ClipPolicy {
                    partition,
                    edge,
                    ..ClipPolicy::of(rule.clone())
                };
                assert_eq!(policy.to_string().parse(), Ok(policy));
            }
        }
    }
}

#[test]
fn errors() {
    let error = |text: &str| text.parse::<ClipPolicy>().expect_err(text).to_string();
    assert_eq!(error("none:1"), "`none` takes no number, here `1`");
    assert_eq!(
        error("layers:1"),
        "unknown clipping policy `layers`; nearest: layer, none, value"
    );
    assert_eq!(
        error("global"),
        "clipping policy `global` needs a threshold, as in `global:0.05`"
    );
    let rule = "is not a finite number of at least 0";
    assert_eq!(error("component:-1"), format!("clipping threshold `-1` {rule}"));
    assert_eq!(error("component:nan"), format!("clipping threshold `NaN` {rule}"));
    assert_eq!(error("component:inf"), format!("clipping threshold `inf` {rule}"));
    assert_eq!(error("component:"), format!("clipping threshold `` {rule}"));
    assert_eq!(
        error("component:0,05"),
        "unknown option `05`; nearest: by, tie, eps"
    );
    assert_eq!(
        error("component:1@tensorflow"),
        "unknown convention `tensorflow`; nearest: torch, tf-norm, tf-global"
    );
    assert_eq!(
        error("value:1@tensor"),
        "unknown variant `tensor`; nearest: torch, tf, paper"
    );
    assert_eq!(error("agc:1@tf"), "`agc` has no variant `tf`");
    assert_eq!(
        error("agc:1,epsilon=1"),
        "unknown option `epsilon`; nearest: eps, follow, edge"
    );
    assert_eq!(error("agc:1,eps=-1"), "`eps=-1`: not a number of at least 0");
    assert_eq!(error("zclip:2,warmup=x"), "`warmup=x`: not a whole number");
    assert_eq!(error("zclip:2,alpha=2"), "`alpha=2`: not a number from 0 to 1");
    assert_eq!(
        error("autoclip:101"),
        "`autoclip=101`: not a number from 0 to 100"
    );
    assert_eq!(
        error("component:1,separator=/"),
        "`separator=/` cuts names into modules and layers, and `component` cuts none"
    );
    assert_eq!(
        error("module:1,separator="),
        "`separator=`: not a text without `,`, as in `separator=/`"
    );
    assert_eq!(
        error("component:1,by=global"),
        "the partition is given twice: `component` and `by=global`"
    );
    assert_eq!(
        error("none,group=a:1"),
        "`group` gives a threshold, and `none` has none"
    );
    assert_eq!(error("global:1,group=a"), "`group=a`: not of the form `a:b`");
    assert_eq!(
        error("global:1,group=a:-1"),
        format!("clipping threshold `-1` {rule}")
    );
    assert_eq!(
        error("component:1@tf-average,norm=2"),
        "convention `tf-average` is about `norm=mean`"
    );
}

#[test]
fn only_some_conventions_have_an_epsilon() {
    let error = |text: &str| text.parse::<ClipPolicy>().expect_err(text).to_string();
    assert_eq!(
        error("component:1@exact,eps=1"),
        "unknown option `eps`; nearest: by, edge, tie"
    );
    assert_eq!(
        error("component:1,eps=-1"),
        "`eps=-1`: not a number of at least 0"
    );
}
