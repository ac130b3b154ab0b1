//! The mutants that are drawn by a seed: those with the lowest hashes of seed and name. What is drawn of a function stays
//! the same while others change, and each beginning of the sample is a sample too.

use super::mutant::Mutant;

/// Draws that many, in the order in which they are tried.
pub(super) fn draw(mut mutants: Vec<Mutant>, seed: u64, count: usize) -> Vec<Mutant> {
    mutants.sort_by_cached_key(|mutant| (rank(seed, &mutant.name), mutant.name.clone()));
    mutants.truncate(count);
    mutants
}

fn rank(seed: u64, name: &str) -> u64 {
    hash(&[&seed.to_le_bytes(), name.as_bytes()].concat())
}

/// FNV-1a, and then the last steps of SplitMix64, which spread what names have in common.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let mut hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, fold);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutants(count: usize) -> Vec<Mutant> {
        let mutant = |number| Mutant {
            name: format!("a.rs: replace {number}"),
            path: "a.rs".to_owned(),
            range: 0..1,
            replacement: String::new(),
            function: String::new(),
            body: None,
        };
        (0..count).map(mutant).collect()
    }

    #[test]
    fn a_seed_draws_the_same_in_every_order_and_another_draws_others() {
        let sample = draw(mutants(1_000), 7, 20);
        let mut turned = mutants(1_000);
        turned.reverse();
        assert_eq!(draw(turned, 7, 20), sample);
        assert_ne!(draw(mutants(1_000), 8, 20), sample);
        assert_eq!(draw(mutants(3), 7, 20).len(), 3);
    }

    #[test]
    fn a_smaller_sample_is_the_beginning_of_a_larger_one() {
        assert_eq!(draw(mutants(1_000), 7, 50)[..20], draw(mutants(1_000), 7, 20));
    }

    #[test]
    fn what_is_added_elsewhere_displaces_few() {
        let before = draw(mutants(1_000), 7, 100);
        let after = draw(mutants(1_010), 7, 100);
        assert!(after.iter().filter(|mutant| before.contains(mutant)).count() >= 90);
    }

    #[test]
    fn every_part_is_drawn_from_alike() {
        let drawn = draw(mutants(1_000), 7, 200);
        for hundred in 0..10 {
            let part = mutants(1_000)[hundred * 100..][..100].to_vec();
            let count = drawn.iter().filter(|mutant| part.contains(mutant)).count();
            assert!((8..=32).contains(&count), "{count} of the hundred {hundred}");
        }
    }
}
