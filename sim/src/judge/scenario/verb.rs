//! What a client can do, and how often the clients of a seed do it.

use super::dice::Dice;

macro_rules! verbs {
    ($($verb:ident = $weight:literal, $permille:literal;)*) => {
        /// What a client can do, for the weights of a seed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Verb {
            $($verb,)*
        }

        /// Each verb with its weight among those that a seed has, and of 1,000 seeds, those that have it.
        const VERBS: &[(Verb, u32, u32)] = &[$((Verb::$verb, $weight, $permille),)*];
    };
}

verbs! {
    Append = 6, 600;
    Produce = 12, 850;
    Sequenced = 4, 250;
    Mistaken = 3, 300;
    Resend = 4, 450;
    Skip = 1, 200;
    Restart = 5, 600;
    ReadStart = 4, 700;
    Resume = 6, 700;
    Now = 1, 250;
    Earlier = 4, 450;
    Told = 5, 500;
    Within = 4, 450;
    Revalidate = 3, 350;
    Head = 2, 450;
    Create = 2, 500;
    Close = 1, 250;
    Delete = 2, 450;
    LongPoll = 4, 400;
    Listen = 4, 400;
    Stall = 1, 250;
    Leave = 2, 350;
}

/// What a seed's clients do, and how often.
pub(super) fn verbs(dice: &Dice) -> Vec<(Verb, u32)> {
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
