//! Following and lane-change rules as formulas: the Intelligent Driver Model and MOBIL.

/// Parameters of the Intelligent Driver Model (Treiber, Hennecke and Helbing, Phys. Rev. E 62, 1805, 2000).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Idm {
    /// Desired speed v0, m/s.
    pub desired_speed: f64,
    /// Desired time gap T, s.
    pub time_gap: f64,
    /// Gap kept when standing s0, m.
    pub standstill_gap: f64,
    /// Largest acceleration a, m/s².
    pub acceleration: f64,
    /// Comfortable deceleration b, m/s², positive.
    pub braking: f64,
}

impl Idm {
    /// City values of Treiber and Kesting, *Traffic Flow Dynamics* (2013), Table 11.2 (v0 = 54 km/h, T = 1.0 s,
    /// s0 = 2 m, b = 1.5 m/s²) with a = 1.5 m/s² instead of 1.0: queues then discharge at the measured rate of
    /// about 1,900 vehicles an hour and lane (Highway Capacity Manual).
    pub fn city() -> Self {
        Self {
            desired_speed: 15.0,
            time_gap: 1.0,
            standstill_gap: 2.0,
            acceleration: 1.5,
            braking: 1.5,
        }
    }

    /// Acceleration with nobody ahead, m/s². Above the desired speed it brakes softly, at most with b
    /// (the improved form of the book's section 11.3.7).
    pub fn free(&self, speed: f64) -> f64 {
        let desired = self.desired_speed.max(0.1);
        if speed <= desired {
            self.acceleration * (1.0 - (speed / desired).powi(4))
        } else {
            -self.braking * (1.0 - (desired / speed).powf(4.0 * self.acceleration / self.braking))
        }
    }

    /// Acceleration behind a leader, m/s²: `gap` from bumper to bumper (m), `lead_speed` along the own path (m/s).
    /// A gap below 0.1 m counts as 0.1 m; never harder than 9 m/s².
    pub fn follow(&self, speed: f64, gap: f64, lead_speed: f64) -> f64 {
        let free = self.free(speed);
        let wanted = self.wanted_gap(speed, lead_speed);
        let interaction = self.acceleration * (wanted / gap.max(0.1)).powi(2);
        (free - interaction).max(-9.0)
    }

    /// [`Idm::follow`] without its overreaction to short gaps behind someone who is not slower: never more than
    /// about 2 b harder than keeping clear of a leader at constant speed takes (the constant-acceleration heuristic
    /// of Kesting, Treiber and Helbing, Phil. Trans. R. Soc. A 368, 4585, 2010, with coolness 1 and a leader that
    /// keeps its speed). Behind leaders below 1 m/s and at gaps below 1 m plain IDM.
    pub fn follow_calmly(&self, speed: f64, gap: f64, lead_speed: f64) -> f64 {
        let plain = self.follow(speed, gap, lead_speed);
        if lead_speed < 1.0 || gap < 1.0 {
            return plain;
        }
        let closing = (speed - lead_speed).max(0.0);
        let needed = -closing * closing / (2.0 * gap);
        if plain >= needed {
            return plain;
        }
        let scale = 2.0 * self.braking;
        needed + scale * ((plain - needed) / scale).tanh()
    }

    /// The dynamic desired gap s*, m.
    pub fn wanted_gap(&self, speed: f64, lead_speed: f64) -> f64 {
        let closing =
            speed * (speed - lead_speed) / (2.0 * (self.acceleration * self.braking).sqrt());
        self.standstill_gap + (speed * self.time_gap + closing).max(0.0)
    }

    /// The gap at which all drive at `speed` for ever (closed form), m; infinite at the desired speed.
    pub fn equilibrium_gap(&self, speed: f64) -> f64 {
        let free = 1.0 - (speed / self.desired_speed).powi(4);
        if free <= 0.0 {
            return f64::INFINITY;
        }
        (self.standstill_gap + speed * self.time_gap) / free.sqrt()
    }
}

/// Parameters of MOBIL (Kesting, Treiber and Helbing, Transp. Res. Rec. 1999, 86-94, 2007).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mobil {
    /// Weight of the others' gain p.
    pub politeness: f64,
    /// Gain below which nobody changes, m/s².
    pub threshold: f64,
    /// Hardest braking the new follower may be put to, m/s², positive.
    pub safe_braking: f64,
}

impl Mobil {
    /// p = 0.2, threshold 0.2 m/s², safe braking 3 m/s² (the paper's values are 0 to 0.5, 0.1 and 4).
    pub fn usual() -> Self {
        Self {
            politeness: 0.2,
            threshold: 0.2,
            safe_braking: 3.0,
        }
    }

    /// Whether the change pays: accelerations (m/s²) of the driver, the new follower and the old follower, each
    /// (now, after).
    pub fn pays(&self, own: (f64, f64), new: (f64, f64), old: (f64, f64)) -> bool {
        let others = (new.1 - new.0) + (old.1 - old.0);
        new.1 > -self.safe_braking && own.1 - own.0 + self.politeness * others > self.threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_settles_at_the_closed_form_gap_and_the_leaders_speed() {
        let driver = Idm::city();
        let (mut gap, mut speed, lead) = (60.0, 3.0, 10.0);
        for _ in 0..6000 {
            let change = driver.follow(speed, gap, lead) * 0.05;
            gap += (lead - (speed + change / 2.0)) * 0.05;
            speed += change;
        }
        // s_e = (2 + 10 · 1) / sqrt(1 − (10/15)^4) = 12 / 0.8958 = 13.396 m
        assert!((driver.equilibrium_gap(10.0) - 13.396).abs() < 1e-3);
        assert!((speed - 10.0).abs() < 1e-3, "{speed}");
        assert!((gap - driver.equilibrium_gap(10.0)).abs() < 1e-2, "{gap}");
    }

    #[test]
    fn a_cut_in_by_someone_faster_is_met_with_at_most_two_b() {
        let driver = Idm::city();
        // plain IDM: 1.5 · (1 − (20/15)^4 …) − 1.5 · (s*/5)², s* = 2 + 20 − 20 · 2 / 3 = 8.7: about −5.5 and less
        assert!(driver.follow(20.0, 5.0, 22.0) < -4.0);
        let calm = driver.follow_calmly(20.0, 5.0, 22.0);
        assert!((-3.0..-1.0).contains(&calm), "{calm}"); // 2 b = 3
    }

    #[test]
    fn an_open_road_is_driven_at_the_desired_speed() {
        let driver = Idm::city();
        let mut speed = 0.0;
        for _ in 0..2000 {
            speed += driver.free(speed) * 0.05;
        }
        assert!((speed - 15.0).abs() < 0.01);
        assert!(driver.free(20.0) < 0.0 && driver.free(20.0) >= -driver.braking);
    }

    #[test]
    fn a_change_that_cuts_someone_off_never_pays() {
        let rule = Mobil::usual();
        assert!(rule.pays((0.0, 1.0), (0.0, -0.5), (0.0, 0.2))); // 1 + 0.2 · (−0.3) = 0.94 > 0.2
        assert!(!rule.pays((0.0, 1.0), (0.0, -3.5), (0.0, 0.0)));
        assert!(!rule.pays((0.0, 0.1), (0.0, 0.0), (0.0, 0.0)));
    }
}
