//! The speed and curvature that a path of poses asks for, by regularised least squares.
//!
//! After nuPlan's tracker (motional/nuplan-devkit, `tracker_utils.py`, as NAVSIM uses it): speeds fit the
//! displacements between successive poses under a penalty on jerk, curvatures fit the turns under a penalty on their
//! rate. There the unknowns are a first value and its derivatives; here they are the values themselves, which is the
//! same problem, and its matrix is a narrow band.

use crate::geometry::{Pose, angle_between};

/// Weight of (change of acceleration)² against (error of a displacement)²; NAVSIM's.
const JERK_PENALTY: f64 = 1e-4;
/// Weight of (curvature rate)² against (error of a turn)²; NAVSIM's.
const CURVATURE_RATE_PENALTY: f64 = 1e-2;
/// Weight of the first curvature²: only so that a standing vehicle has one.
const FIRST_CURVATURE_PENALTY: f64 = 1e-10;

/// Speeds (m/s) and curvatures (1/m) between successive poses.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Profile {
    /// [N − 1] along the heading of the earlier pose.
    pub(super) speeds: Vec<f64>,
    /// [N − 1] turn over distance.
    pub(super) curvatures: Vec<f64>,
}

impl Profile {
    /// Of N ≥ 2 poses `dt_s` apart; empty for fewer.
    pub(super) fn of(poses: &[Pose], dt_s: f64) -> Self {
        let pairs = || poses.windows(2);
        let along: Vec<f64> = pairs()
            .map(|pair| (pair[1].point - pair[0].point).dot(pair[0].forward()))
            .collect();
        let turns: Vec<f64> = pairs()
            .map(|pair| angle_between(pair[0].heading, pair[1].heading))
            .collect();
        let speeds = fit_speeds(&along, dt_s);
        let curvatures = fit_curvatures(&turns, &speeds, dt_s);
        Self { speeds, curvatures }
    }
}

/// Least Σ (d_i − v_i dt)² + penalty Σ ((v_{i+2} − 2 v_{i+1} + v_i) / dt)².
fn fit_speeds(along: &[f64], dt_s: f64) -> Vec<f64> {
    let mut system = Band::new(along.len());
    for (row, &distance) in along.iter().enumerate() {
        system.add(&[(row, dt_s)], distance, 1.0);
    }
    for row in 2..along.len() {
        let step = 1.0 / dt_s;
        let jerk = [(row - 2, step), (row - 1, -2.0 * step), (row, step)];
        system.add(&jerk, 0.0, JERK_PENALTY);
    }
    system.solved()
}

/// Least Σ (θ_i − v_i κ_i dt)² + penalty Σ ((κ_{i+1} − κ_i) / dt)² + tiny κ_0².
fn fit_curvatures(turns: &[f64], speeds: &[f64], dt_s: f64) -> Vec<f64> {
    let mut system = Band::new(turns.len());
    if !turns.is_empty() {
        system.add(&[(0, 1.0)], 0.0, FIRST_CURVATURE_PENALTY);
    }
    for (row, (&turn, &speed)) in turns.iter().zip(speeds).enumerate() {
        system.add(&[(row, speed * dt_s)], turn, 1.0);
    }
    for row in 1..turns.len() {
        let rate = [(row - 1, -1.0 / dt_s), (row, 1.0 / dt_s)];
        system.add(&rate, 0.0, CURVATURE_RATE_PENALTY);
    }
    system.solved()
}

/// Normal equations whose rows couple at most three successive unknowns.
struct Band {
    /// Row i: entries (i, i), (i, i + 1), (i, i + 2) of the symmetric matrix.
    upper: Vec<[f64; 3]>,
    right: Vec<f64>,
}

impl Band {
    fn new(count: usize) -> Self {
        Self {
            upper: vec![[0.0; 3]; count],
            right: vec![0.0; count],
        }
    }

    /// Adds weight · (Σ coefficient · unknown − target)²; unknowns rising and at most two apart.
    fn add(&mut self, terms: &[(usize, f64)], target: f64, weight: f64) {
        for (index, &(row, a)) in terms.iter().enumerate() {
            for &(column, b) in &terms[index..] {
                self.upper[row][column - row] += weight * a * b;
            }
            self.right[row] += weight * a * target;
        }
    }

    /// By LDLᵀ without pivots: the matrix is positive definite, or nearly so, and then the smallest pivot allowed
    /// takes the place of zero.
    fn solved(mut self) -> Vec<f64> {
        let count = self.right.len();
        for row in 0..count {
            let pivot = self.upper[row][0].max(1e-14);
            self.upper[row][0] = pivot;
            for ahead in 1..3.min(count - row) {
                let factor = self.upper[row][ahead] / pivot;
                for further in ahead..3.min(count - row) {
                    self.upper[row + ahead][further - ahead] -= factor * self.upper[row][further];
                }
                self.right[row + ahead] -= factor * self.right[row];
            }
        }
        for row in (0..count).rev() {
            let mut rest = self.right[row];
            for ahead in 1..3.min(count - row) {
                rest -= self.upper[row][ahead] * self.right[row + ahead];
            }
            self.right[row] = rest / self.upper[row][0];
        }
        self.right
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::dvec2;

    #[test]
    fn constant_acceleration_is_read_off_exactly() {
        // x_i = 8 t + t² at 0.1 s: displacement between i and i + 1 is 0.8 + 0.1² (2 i + 1), so the mean speed there is
        // 8 + 0.1 (2 i + 1); the jerk of a straight line is 0, so the penalty changes nothing
        let poses: Vec<Pose> = (0..81)
            .map(|index| {
                let t = 0.1 * f64::from(index);
                Pose::at(8.0 * t + t * t, 0.0, 0.0)
            })
            .collect();
        let profile = Profile::of(&poses, 0.1);
        for (index, speed) in profile.speeds.iter().enumerate() {
            let expected = 8.0 + 0.1 * (2.0 * index as f64 + 1.0);
            assert!((speed - expected).abs() < 1e-6, "{index}: {speed}");
        }
    }

    #[test]
    fn a_circle_has_its_curvature_up_to_the_chord() {
        // radius 25 m at 10 m/s: turn 0.04 rad a step; the chord along the heading is 25 sin(0.04) = 0.99973 m, so the
        // curvature is 0.04 / 0.99973
        let poses: Vec<Pose> = (0..81)
            .map(|index| {
                let angle = 0.04 * f64::from(index);
                Pose::new(25.0 * dvec2(angle.sin(), 1.0 - angle.cos()), angle)
            })
            .collect();
        let expected = 0.04 / (25.0 * 0.04_f64.sin());
        for curvature in Profile::of(&poses, 0.1).curvatures {
            assert!((curvature - expected).abs() < 1e-6, "{curvature}");
        }
    }

    #[test]
    fn the_banded_solution_is_the_dense_one() {
        // 2 unknowns: (1·a − 1)² + (1·b − 3)² + (b − a)²; gradient: 2a − b = 1, 2b − a = 3, so a = 5/3, b = 7/3
        let mut system = Band::new(2);
        system.add(&[(0, 1.0)], 1.0, 1.0);
        system.add(&[(1, 1.0)], 3.0, 1.0);
        system.add(&[(0, -1.0), (1, 1.0)], 0.0, 1.0);
        let found = system.solved();
        assert!((found[0] - 5.0 / 3.0).abs() < 1e-12 && (found[1] - 7.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_vehicle_that_stands_has_finite_profiles() {
        let profile = Profile::of(&[Pose::at(3.0, 2.0, 1.0); 81], 0.1);
        assert!(profile.speeds.iter().all(|speed| speed.abs() < 1e-9));
        assert!(
            profile
                .curvatures
                .iter()
                .all(|curvature| curvature.is_finite())
        );
        assert!(Profile::of(&[], 0.1).speeds.is_empty());
    }
}
