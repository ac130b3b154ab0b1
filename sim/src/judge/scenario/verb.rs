//! What a client can do, and how often the clients of a seed do it.

use super::dice::Dice;

/// What a client can do, for the weights of a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Append,
    Produce,
    Sequenced,
    Mistaken,
    Resend,
    Skip,
    Restart,
    ReadStart,
    Resume,
    Now,
    Earlier,
    Told,
    Within,
    Revalidate,
    Head,
    Create,
    Close,
    Delete,
    LongPoll,
    Listen,
    Stall,
    Leave,
}

/// Each verb with its weight among those that a seed has, and of 1,000 seeds, those that have it.
const VERBS: &[(Verb, u32, u32)] = &[
    (Verb::Append, 6, 600),
    (Verb::Produce, 12, 850),
    (Verb::Sequenced, 4, 250),
    (Verb::Mistaken, 3, 300),
    (Verb::Resend, 4, 450),
    (Verb::Skip, 1, 200),
    (Verb::Restart, 4, 450),
    (Verb::ReadStart, 4, 700),
    (Verb::Resume, 6, 700),
    (Verb::Now, 1, 250),
    (Verb::Earlier, 4, 450),
    (Verb::Told, 5, 500),
    (Verb::Within, 4, 450),
    (Verb::Revalidate, 3, 350),
    (Verb::Head, 2, 450),
    (Verb::Create, 2, 500),
    (Verb::Close, 1, 250),
    (Verb::Delete, 2, 450),
    (Verb::LongPoll, 4, 400),
    (Verb::Listen, 4, 400),
    (Verb::Stall, 1, 250),
    (Verb::Leave, 2, 350),
];

/// What a seed's clients do, and how often.
pub(super) fn verbs(dice: &mut Dice) -> Vec<(Verb, u32)> {
    let mut verbs: Vec<(Verb, u32)> = Vec::new();
    for (verb, weight, permille) in VERBS {
        if dice.chance(*permille) {
            verbs.push((*verb, dice.between(1, u64::from(2 * weight)) as u32));
        }
    }
    // There is always something to read.
    if !verbs.iter().any(|(verb, _)| matches!(verb, Verb::Append | Verb::Produce)) {
        verbs.push((Verb::Produce, 8));
    }
    verbs
}
