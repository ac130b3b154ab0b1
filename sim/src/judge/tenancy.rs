//! Which projects a deployment has, and which streams are whose.

/// The origins that a deployment lists which lists any.
pub const LISTED_ORIGINS: &[&str] = &["https://first.test", "https://second.test"];

/// What follows the name of a stream in its path, by its index: what paths may hold, and URLs hold percent-encoded.
const ENDS: [&str; 3] = ["", "/ü +%2f@,=;'&\"<>?#", "/日本/~.🌊.../ä{|}^`[]"];

/// The projects that there are: one that a deployment's own variables describe, and one of which KV knows.
const PROJECTS: [&str; 2] = ["_default", "in-kv"];

/// Which projects a deployment has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tenancy {
    /// One, which no URL names.
    #[default]
    One,
    /// Two, which have the streams in turn, under the same paths.
    Two,
}

impl Tenancy {
    /// How many projects there are.
    pub(crate) fn count(self) -> usize {
        if self == Self::Two { PROJECTS.len() } else { 1 }
    }

    /// The index of the project that a stream is of.
    pub(crate) fn index(self, stream: usize) -> usize {
        stream % self.count()
    }

    /// The name of the project that a stream is of.
    pub(crate) fn project(self, stream: usize) -> &'static str {
        PROJECTS[self.index(stream)]
    }

    /// The name of a project that the stream is not of.
    pub(crate) fn other_project(self, stream: usize) -> &'static str {
        match self {
            Self::One => "_defaults",
            Self::Two => self.project(stream + 1),
        }
    }

    /// The path of a stream in its project, decoded.
    pub(crate) fn path(self, stream: usize) -> String {
        let number = stream / self.count();
        format!("s{number}{}", ENDS[number % ENDS.len()])
    }

    /// What URLs have after `/v1/stream/`, decoded.
    pub(crate) fn url_path(self, stream: usize) -> String {
        match self {
            Self::One => self.path(stream),
            Self::Two => self.object(stream),
        }
    }

    /// The name of a stream's object.
    pub(crate) fn object(self, stream: usize) -> String {
        format!("{}/{}", self.project(stream), self.path(stream))
    }

    /// The origins whose scripts may use a stream where origins are listed. Each project has its own.
    pub(crate) fn listed_origins(self, stream: usize) -> &'static [&'static str] {
        match self.index(stream) {
            0 => LISTED_ORIGINS,
            _ => &LISTED_ORIGINS[..1],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_two_projects_have_the_same_paths_and_are_others() {
        let all = |told: fn(usize) -> String| (0..4).map(told).collect::<Vec<_>>();
        let odd = format!("s1{}", ENDS[1]);
        assert_eq!(all(|stream| Tenancy::One.url_path(stream))[..2], ["s0".to_owned(), odd.clone()]);
        assert_eq!(
            all(|stream| Tenancy::One.object(stream))[..2],
            ["_default/s0".to_owned(), format!("_default/{odd}")]
        );
        assert_eq!(all(|stream| Tenancy::Two.path(stream)), ["s0", "s0", &odd, &odd]);
        let [first, second] = [format!("_default/{odd}"), format!("in-kv/{odd}")];
        assert_eq!(all(|stream| Tenancy::Two.url_path(stream)), ["_default/s0", "in-kv/s0", &first, &second]);
        let paths: Vec<String> = (0..6).map(|stream| Tenancy::One.path(stream)).collect();
        assert!(paths.iter().all(|path| path.len() < 100 && !path.contains('\\')));
        assert!(paths.is_sorted(), "{paths:?}");
        for stream in 0..4 {
            assert_eq!(Tenancy::One.listed_origins(stream), LISTED_ORIGINS);
            assert_eq!(Tenancy::Two.listed_origins(stream) == LISTED_ORIGINS, stream % 2 == 0);
            assert_ne!(Tenancy::Two.project(stream), Tenancy::Two.other_project(stream));
        }
    }
}
