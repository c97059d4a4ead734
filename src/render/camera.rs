//! The bird's-eye camera: where the view is centred, how large a metre is, which way is up. All in `f64`, so that
//! scenes far from the origin stay steady; no GPU and no window here.

use std::f64::consts::FRAC_PI_2;

use crate::geometry::{DVec2, Pose, dvec2, wrap_angle};

/// Closest and farthest zoom, points per metre.
const ZOOM_LIMITS: (f64, f64) = (0.02, 400.0);

/// A view of the ground. Screen coordinates are points (logical pixels) from the top left corner of the viewport,
/// y down; world coordinates are metres in the scene frame, y north.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Camera {
    /// World point in the middle of the viewport, m.
    pub centre: DVec2,
    /// Points on screen per metre, > 0.
    pub points_per_m: f64,
    /// World direction that points up on screen, rad; π/2 is north up.
    pub up: f64,
}

impl Default for Camera {
    /// The origin, north up, 6 points per metre.
    fn default() -> Self {
        Self {
            centre: DVec2::ZERO,
            points_per_m: 6.0,
            up: FRAC_PI_2,
        }
    }
}

impl Camera {
    /// Where a world point appears in a viewport of `size` points.
    pub fn screen_from_world(&self, point: DVec2, size: DVec2) -> DVec2 {
        let local = (point - self.centre) * self.points_per_m;
        let (right, up) = self.axes();
        size / 2.0 + dvec2(local.dot(right), -local.dot(up))
    }

    /// The world point under a screen point.
    pub fn world_from_screen(&self, point: DVec2, size: DVec2) -> DVec2 {
        self.centre + self.world_from_screen_vector(point - size / 2.0)
    }

    /// A screen vector (points, y down) as a world vector (m).
    pub fn world_from_screen_vector(&self, vector: DVec2) -> DVec2 {
        let (right, up) = self.axes();
        (right * vector.x - up * vector.y) / self.points_per_m
    }

    /// World directions of screen right and screen up, unit vectors.
    pub fn axes(&self) -> (DVec2, DVec2) {
        let up = DVec2::from_angle(self.up);
        (-up.perp(), up)
    }

    /// Metres that `points` on screen stand for.
    pub fn metres(&self, points: f64) -> f64 {
        points / self.points_per_m
    }

    /// Moves the ground along with a drag of `delta` points (y down).
    pub fn pan(&mut self, delta: DVec2) {
        self.centre -= self.world_from_screen_vector(delta);
    }

    /// Scales by `factor` (> 1 nears) and keeps the world point under `cursor` where it is.
    pub fn zoom_at(&mut self, factor: f64, cursor: DVec2, size: DVec2) {
        if !(factor.is_finite() && factor > 0.0) {
            return;
        }
        let held = self.world_from_screen(cursor, size);
        self.points_per_m = (self.points_per_m * factor).clamp(ZOOM_LIMITS.0, ZOOM_LIMITS.1);
        self.centre += held - self.world_from_screen(cursor, size);
    }

    /// Centres on the rectangle (low, high) and zooms so that it fits with `margin` points around it. The
    /// direction of up stays; a rectangle without extent is shown at the present zoom.
    pub fn fit(&mut self, (low, high): (DVec2, DVec2), size: DVec2, margin: f64) {
        if !(low.is_finite() && high.is_finite()) {
            return;
        }
        self.centre = (low + high) / 2.0;
        let half = (high - low) / 2.0;
        let (right, up) = self.axes();
        let across = half.x * right.x.abs() + half.y * right.y.abs();
        let along = half.x * up.x.abs() + half.y * up.y.abs();
        let room = (size / 2.0 - margin).max(dvec2(1.0, 1.0));
        let zoom = (room.x / across).min(room.y / along);
        if zoom.is_finite() && zoom > 0.0 {
            self.points_per_m = zoom.clamp(ZOOM_LIMITS.0, ZOOM_LIMITS.1);
        }
    }

    /// Puts `pose` a little below the middle and turns its heading up (heading-up follow).
    pub fn follow(&mut self, pose: Pose, size: DVec2) {
        self.up = pose.heading;
        self.centre = pose.point + pose.forward() * self.metres(size.y * 0.18);
    }

    /// Turns north up and keeps the centre.
    pub fn north_up(&mut self) {
        self.up = FRAC_PI_2;
    }

    /// The camera part of the way towards `target`: `fraction` 0 is `self`, 1 is `target`. Zoom moves by ratio.
    pub fn towards(&self, target: &Self, fraction: f64) -> Self {
        let ratio = target.points_per_m / self.points_per_m;
        Self {
            centre: self.centre.lerp(target.centre, fraction),
            points_per_m: self.points_per_m * ratio.powf(fraction),
            up: self.up + fraction * wrap_angle(target.up - self.up),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};

    const SIZE: DVec2 = dvec2(800.0, 600.0);

    #[test]
    fn north_is_up_and_east_is_right() {
        let camera = Camera {
            centre: dvec2(100.0, 50.0),
            points_per_m: 10.0,
            ..Camera::default()
        };
        // 3 m east and 2 m north of the centre: 30 points right, 20 points up of (400, 300)
        let at = camera.screen_from_world(dvec2(103.0, 52.0), SIZE);
        assert!((at - dvec2(430.0, 280.0)).length() < 1e-9, "{at}");
    }

    #[test]
    fn heading_up_turns_the_heading_up() {
        let mut camera = Camera::default();
        let pose = Pose::at(10.0, 20.0, 0.3);
        camera.follow(pose, SIZE);
        let at = camera.screen_from_world(pose.point, SIZE);
        let ahead = camera.screen_from_world(pose.point + pose.forward(), SIZE);
        assert!((at.x - 400.0).abs() < 1e-9 && (at.y - (300.0 + 0.18 * 600.0)).abs() < 1e-9);
        assert!((ahead - at - dvec2(0.0, -camera.points_per_m)).length() < 1e-9);
    }

    #[test]
    fn fitting_shows_the_whole_rectangle_with_its_margin() {
        let mut camera = Camera::default();
        camera.fit((dvec2(0.0, 0.0), dvec2(200.0, 50.0)), SIZE, 20.0);
        // 200 m over 800 − 2·20 points is tighter than 50 m over 560
        assert!((camera.points_per_m - 3.8).abs() < 1e-9);
        assert_eq!(camera.centre, dvec2(100.0, 25.0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn zooming_keeps_the_point_under_the_cursor(
            x in 0.0..800.0, y in 0.0..600.0, factor in 0.2..5.0, up in -3.0..3.0, far in any::<bool>()
        ) {
            let centre = if far { dvec2(692_000.0, 5_336_000.0) } else { DVec2::ZERO };
            let mut camera = Camera { centre, points_per_m: 8.0, up };
            let cursor = dvec2(x, y);
            let before = camera.world_from_screen(cursor, SIZE);
            camera.zoom_at(factor, cursor, SIZE);
            let after = camera.screen_from_world(before, SIZE);
            // 5e6 m has steps of 1e-9 m; times 40 points/m
            prop_assert!((after - cursor).length() < 1e-6);
        }
    }
}
