//! Does the second sentence follow from the first? Nine ways to reason, each with as many that follow as do not.
//!
//! Both answers see the same words on the same side equally often. Where one word differs, whether it may differ so is
//! decided by another: a wider noun follows under `some` and not under `every`, the opposite follows under `not` alone.

mod quantity;

use super::grammar::{Event, Form, Head, Phrase, Place, finite, was, words};
use super::inflect::sentence;
use super::lexicon::{Frame, Verb};
use super::speaker::Speaker;

/// Premise and hypothesis.
type Pair = (String, String);

/// Makes a pair in which the hypothesis follows, or does not.
type Make = fn(&mut Speaker, bool) -> Pair;

/// The ways to reason, by name.
pub(super) const PHENOMENA: [(&str, Make); 9] = [
    ("taxonomy", quantity::taxonomy),
    ("modifier", quantity::modifier),
    ("voice", voice),
    ("opposite", opposite),
    ("connective", quantity::connective),
    ("implicative", implicative),
    ("comparative", comparative),
    ("relative", relative),
    ("transfer", transfer),
];

fn pair(premise: &str, hypothesis: &str) -> Pair {
    (sentence(premise), sentence(hypothesis))
}

/// In order if `forward`, else exchanged.
fn ordered<T>(forward: bool, first: T, second: T) -> (T, T) {
    if forward { (first, second) } else { (second, first) }
}

/// The noun of a phrase, to be avoided in another.
fn head(phrase: &Phrase) -> usize {
    match phrase.head {
        Head::Noun(noun) => noun,
        Head::Name(_) => usize::MAX,
    }
}

/// Two people or animals and what the one did to the other.
fn encounter(speaker: &mut Speaker) -> Event {
    let lexicon = speaker.lexicon;
    let agent = speaker.phrase(&["human".to_owned()], &[], 0.3);
    let patient = speaker.phrase(&["human".to_owned()], &[head(&agent)], 0.3);
    let people = &lexicon.categories[0];
    Event {
        verb: speaker.deed(people, people),
        agent,
        patient: Some(patient),
        manner: None,
        place: None,
        time: None,
        negated: false,
    }
}

/// The same with the two exchanged.
fn exchanged(event: &Event) -> Event {
    let mut other = event.clone();
    if let Some(patient) = &event.patient {
        other.agent = patient.clone();
        other.patient = Some(event.agent.clone());
    }
    other
}

/// Active and passive: who did it to whom, with what else was said left out.
fn voice(speaker: &mut Speaker, yes: bool) -> Pair {
    let lexicon = speaker.lexicon;
    let mut event = encounter(speaker);
    let mut claim = if yes { event.clone() } else { exchanged(&event) };
    match speaker.below(3) {
        0 => event.manner = Some(speaker.adverb()),
        1 => event.place = Some(Place::draw(speaker)),
        _ => event.time = Some(speaker.time()),
    }
    if speaker.coin() {
        (claim.manner, claim.place, claim.time) = (event.manner, event.place, event.time);
    }
    let premise = Form::draw(speaker, &event);
    let mut hypothesis = Form::draw(speaker, &claim);
    if event.manner == claim.manner && event.place == claim.place && event.time == claim.time {
        // A sentence follows from itself; nobody need be asked.
        hypothesis.passive = !premise.passive;
    }
    pair(&event.say(lexicon, premise), &claim.say(lexicon, hypothesis))
}

/// A word that means the same or the opposite, with `not` or without.
fn opposite(speaker: &mut Speaker, yes: bool) -> Pair {
    let lexicon = speaker.lexicon;
    let (noun, adjective, other, same) = loop {
        let noun = speaker.noun(&["human", "beast", "thing"], &[]);
        let same = speaker.coin();
        let Some(adjective) = speaker.adjective(lexicon.category(noun)) else {
            continue;
        };
        let other = if same {
            speaker.same_adjective(adjective)
        } else {
            speaker.opposite_adjective(adjective)
        };
        if let Some(other) = other {
            break (noun, adjective, other, same);
        }
    };
    let category = lexicon.category(noun);
    let plural = speaker.chance(0.3);
    let subject = Phrase::the(noun, plural);
    let premise = if speaker.coin() {
        words([
            &subject.say(lexicon),
            was(plural),
            &lexicon.adjectives[adjective].word,
        ])
    } else {
        let described = subject.clone().being(Some(adjective));
        let person = speaker.noun(&["human"], &[noun]);
        let deed = speaker.verb_where(|class, _| {
            class.frame == Frame::Transitive
                && class.takes_object(category)
                && class.takes_subject(lexicon.category(person))
        });
        match deed {
            Some(verb) => {
                let verb = &lexicon.verbs[verb];
                words([
                    &Phrase::the(person, false).say(lexicon),
                    &verb.past,
                    &described.say(lexicon),
                ])
            }
            None => words([
                &described.say(lexicon),
                was(plural),
                &Place::draw(speaker).say(lexicon),
            ]),
        }
    };
    let not = if same == yes { "" } else { "not" };
    let claim = words([
        &subject.say(lexicon),
        was(plural),
        not,
        &lexicon.adjectives[other].word,
    ]);
    pair(&premise, &claim)
}

/// `managed to` and `failed to`, with `not` or without, on either side.
fn implicative(speaker: &mut Speaker, yes: bool) -> Pair {
    const DID: [(&str, &str); 3] = [
        ("managed", "manage"),
        ("remembered", "remember"),
        ("bothered", "bother"),
    ];
    const DID_NOT: [(&str, &str); 3] = [("failed", "fail"), ("forgot", "forget"), ("neglected", "neglect")];
    let lexicon = speaker.lexicon;
    let (positive, negated) = (speaker.coin(), speaker.coin());
    let (past, base) = speaker.choose(if positive { &DID } else { &DID_NOT });
    let fits = |class: &super::lexicon::VerbClass, _: &Verb| {
        class.frame == Frame::Transitive && !["liking", "regard", "trade"].contains(&class.name.as_str())
    };
    let verb = speaker.verb_where(fits).expect("both sets have such verbs");
    let verb = &lexicon.verbs[verb];
    let class = &lexicon.classes[verb.class];
    let people = ["human".to_owned()];
    let subject = speaker.phrase(&people, &[], 0.2);
    let object = speaker
        .phrase(&class.objects, &[head(&subject)], 0.3)
        .say(lexicon);
    let subject = subject.say(lexicon);
    let matrix = if negated {
        words(["did not", base])
    } else {
        past.to_owned()
    };
    let happened = positive != negated;
    let (not, form) = finite(verb, happened != yes);
    pair(
        &words([&subject, &matrix, "to", &verb.base, &object]),
        &words([&subject, not, form, &object]),
    )
}

/// `A is taller than B`: so B is shorter than A, and A is not shorter than B.
fn comparative(speaker: &mut Speaker, yes: bool) -> Pair {
    let lexicon = speaker.lexicon;
    let more = |a: usize| lexicon.adjectives[a].more.as_deref();
    let (noun, first, second, same) = loop {
        let noun = speaker.noun(&["human", "beast", "thing"], &[]);
        let same = speaker.coin();
        let first = speaker.adjective_where(lexicon.category(noun), |_, a| more(a).is_some());
        let Some(first) = first else { continue };
        let second = if same {
            speaker.same_adjective(first)
        } else {
            speaker.opposite_adjective(first)
        };
        if let Some(second) = second.filter(|&a| more(a).is_some()) {
            break (noun, first, second, same);
        }
    };
    let category = lexicon.category(noun);
    let other = speaker.noun(&[&category.name], &[noun]);
    let (a, b) = (
        Phrase::the(noun, false).say(lexicon),
        Phrase::the(other, false).say(lexicon),
    );
    let (a, b) = ordered(speaker.coin(), a, b);
    let say =
        |a: &str, adjective: usize, b: &str| words([a, "was", more(adjective).unwrap_or(""), "than", b]);
    let (c, d) = ordered(same == yes, &a, &b);
    pair(&say(&a, first, &b), &say(c, second, d))
}

/// What is said in a relative clause is said of its own noun.
fn relative(speaker: &mut Speaker, yes: bool) -> Pair {
    let lexicon = speaker.lexicon;
    let mut event = encounter(speaker);
    if speaker.chance(0.5) {
        event = exchanged(&event);
    }
    let patient = event.patient.clone().unwrap_or_else(|| event.agent.clone());
    let (agent, past) = (event.agent.say(lexicon), &lexicon.verbs[event.verb].past);
    let patient_words = patient.say(lexicon);
    let verb = &lexicon.verbs[speaker.intransitive(&lexicon.categories[0])].past;
    let of_agent = speaker.coin();
    let premise = if of_agent {
        words([&agent, "that", past, &patient_words, verb])
    } else {
        words([&patient_words, "that", &agent, past, verb])
    };
    let claim = if speaker.coin() {
        let (own, other) = ordered(of_agent, &agent, &patient_words);
        words([if yes { own } else { other }, verb])
    } else {
        let claim = if yes { event } else { exchanged(&event) };
        let passive = speaker.coin();
        claim.say(
            lexicon,
            Form {
                passive,
                ..Form::PLAIN
            },
        )
    };
    pair(&premise, &claim)
}

/// Buying and selling, giving in both orders: who had it, and who has it now.
fn transfer(speaker: &mut Speaker, yes: bool) -> Pair {
    let lexicon = speaker.lexicon;
    let converse = speaker.coin();
    let frame = if converse { Frame::Converse } else { Frame::Dative };
    let verb = speaker.verb(frame);
    let objects = lexicon.classes[lexicon.verbs[verb].class].objects.clone();
    let from = speaker.phrase(&["human".to_owned()], &[], 0.2);
    let to = speaker
        .phrase(&["human".to_owned()], &[head(&from)], 0.2)
        .say(lexicon);
    let thing = speaker.phrase(&objects, &[], 0.3).say(lexicon);
    let from = from.say(lexicon);
    let (giver, taker) = ordered(yes, &from, &to);
    if converse {
        let other = speaker.opposite_verb(verb).unwrap_or(verb);
        let gives = lexicon.verbs[verb].side == 0;
        let way = |gives: bool| if gives { "to" } else { "from" };
        let premise = words([&from, &lexicon.verbs[verb].past, &thing, way(gives), &to]);
        return pair(
            &premise,
            &words([taker, &lexicon.verbs[other].past, &thing, way(!gives), giver]),
        );
    }
    let past = &lexicon.verbs[verb].past;
    let say = |double: bool, giver: &str, taker: &str| {
        if double {
            words([giver, past, taker, &thing])
        } else {
            words([giver, past, &thing, "to", taker])
        }
    };
    let first = speaker.coin();
    pair(&say(first, &from, &to), &say(!first, giver, taker))
}
