//! Where a step's time goes, measured with a clock the caller brings.

use std::sync::atomic::{AtomicU64, Ordering};

/// Parts of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Products with weights.
    Matmul,
    /// Attention products and softmax.
    Attention,
    /// Normalisation, GELU, sums.
    Elementwise,
    /// Gathering what one pass left for the next.
    Copies,
    /// Token features and relations.
    Features,
    /// The analytic prior.
    Prior,
}

impl Part {
    /// All parts, in the order of reports.
    pub const ALL: [Self; 6] = [
        Self::Matmul,
        Self::Attention,
        Self::Elementwise,
        Self::Copies,
        Self::Features,
        Self::Prior,
    ];

    /// A word for reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Matmul => "matmul",
            Self::Attention => "attention",
            Self::Elementwise => "elementwise",
            Self::Copies => "copies",
            Self::Features => "features",
            Self::Prior => "prior",
        }
    }
}

/// Sums of time by part over all threads. `clock` gives nanoseconds from any fixed start.
#[derive(Debug)]
pub struct Profile {
    clock: fn() -> u64,
    sums: [AtomicU64; Part::ALL.len()],
}

impl Profile {
    /// Starts at zero.
    pub fn new(clock: fn() -> u64) -> Self {
        Self {
            clock,
            sums: Default::default(),
        }
    }

    /// Thread time spent in a part so far, ns.
    pub fn nanoseconds(&self, part: Part) -> u64 {
        self.sums[part as usize].load(Ordering::Relaxed)
    }

    fn add(&self, part: Part, nanoseconds: u64) {
        self.sums[part as usize].fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

/// Runs `work`, counted under `part` if there is a profile.
#[inline]
pub(super) fn timed<R>(profile: Option<&Profile>, part: Part, work: impl FnOnce() -> R) -> R {
    let Some(profile) = profile else {
        return work();
    };
    let start = (profile.clock)();
    let result = work();
    profile.add(part, (profile.clock)().saturating_sub(start));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_counted_under_its_part() {
        static TICKS: AtomicU64 = AtomicU64::new(0);
        let profile = Profile::new(|| TICKS.fetch_add(7, Ordering::Relaxed));
        timed(Some(&profile), Part::Prior, || ());
        timed(Some(&profile), Part::Prior, || ());
        assert_eq!(profile.nanoseconds(Part::Prior), 14); // each reads the clock twice, 7 apart
        assert_eq!(profile.nanoseconds(Part::Matmul), 0);
    }
}
