//! Styles: the colours of a picture. Dark and light for the window, print for paper.
//!
//! Ego blue, its planner's futures sky blue, attacker vermilion, generated teal, frozen or logged grey (Okabe and Ito's
//! order, which the colour-blind tell apart); red only for violations that happened. Hue is never the only cue: `agents` adds shapes.

use super::Color;

/// The colours of a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Style {
    /// `dark`, `light` or `print`.
    pub name: &'static str,
    /// Off the road.
    pub background: Color,
    /// Fine and coarse lines of the metre grid.
    pub grid: [Color; 2],
    /// Road surface.
    pub road: Color,
    /// Road surface of bicycle lanes.
    pub bike_road: Color,
    /// Parking places and shoulders.
    pub side_road: Color,
    /// Sidewalks and lanes for walking.
    pub walk: Color,
    /// The rim of the road.
    pub kerb: Color,
    /// Painted white lines.
    pub white_line: Color,
    /// Painted yellow lines.
    pub yellow_line: Color,
    /// Other lines.
    pub faint_line: Color,
    /// Direction arrows and centrelines.
    pub arrow: Color,
    /// Stripes of crossings.
    pub crossing: Color,
    /// The ego.
    pub ego: Color,
    /// The futures that a planner has for the ego: sky blue, which is told apart from the way the ego takes.
    pub plan: Color,
    /// The way by which the ego could have got out of a contact: reddish purple.
    pub escape: Color,
    /// Attackers.
    pub attacker: Color,
    /// Agents whose future a model makes.
    pub free: Color,
    /// Agents that are frozen or follow the log.
    pub fixed: Color,
    /// Violations that happened.
    pub violation: Color,
    /// Marks of the selection.
    pub selection: Color,
    /// Text and scale bar.
    pub text: Color,
    /// Behind text.
    pub halo: Color,
    /// Outlines of agents are mixed towards this.
    pub outline: Color,
    /// Opacity of the shadow under agents.
    pub shadow: f32,
}

impl Style {
    /// For the screen, dark.
    pub fn dark() -> Self {
        Self {
            name: "dark",
            background: Color::hex(0x12_15_1a),
            grid: [Color::hex(0x19_1d_23), Color::hex(0x20_25_2d)],
            road: Color::hex(0x26_2b_33),
            bike_road: Color::hex(0x24_30_30),
            side_road: Color::hex(0x20_24_2b),
            walk: Color::hex(0x1a_1e_25),
            kerb: Color::hex(0x4a_52_5f),
            white_line: Color::hex(0x9a_a3_b2),
            yellow_line: Color::hex(0xb8_93_3f),
            faint_line: Color::hex(0x3b_42_4d),
            arrow: Color::hex(0x38_3f_4a),
            crossing: Color::hex(0x6d_76_85),
            ego: Color::hex(0x3f_8c_ff),
            plan: Color::hex(0x5c_c8_ff),
            escape: Color::hex(0xe8_9c_d0),
            attacker: Color::hex(0xf4_6a_25),
            free: Color::hex(0x1f_bd_a5),
            fixed: Color::hex(0x8d_95_a3),
            violation: Color::hex(0xff_24_45),
            selection: Color::hex(0xff_ff_ff),
            text: Color::hex(0xe6_ea_f0),
            halo: Color::hex(0x12_15_1a),
            outline: Color::hex(0x08_0a_0d),
            shadow: 0.45,
        }
    }

    /// For the screen, light.
    pub fn light() -> Self {
        Self {
            name: "light",
            background: Color::hex(0xf1_f3_f5),
            grid: [Color::hex(0xe8_eb_ee), Color::hex(0xdd_e1_e6)],
            road: Color::hex(0xd3_d8_df),
            bike_road: Color::hex(0xc9_da_d4),
            side_road: Color::hex(0xdd_e1_e6),
            walk: Color::hex(0xe7_ea_ed),
            kerb: Color::hex(0x9d_a6_b3),
            white_line: Color::hex(0xff_ff_ff),
            yellow_line: Color::hex(0xe3_ae_2e),
            faint_line: Color::hex(0xbc_c3_cd),
            arrow: Color::hex(0xbf_c6_d0),
            crossing: Color::hex(0xfa_fb_fc),
            ego: Color::hex(0x1a_66_e0),
            plan: Color::hex(0x00_93_cf),
            escape: Color::hex(0xa8_3f_83),
            attacker: Color::hex(0xd5_4e_00),
            free: Color::hex(0x07_93_7f),
            fixed: Color::hex(0x7c_85_92),
            violation: Color::hex(0xd9_00_24),
            selection: Color::hex(0x11_16_1d),
            text: Color::hex(0x1b_21_2a),
            halo: Color::hex(0xff_ff_ff),
            outline: Color::hex(0x0d_14_1d),
            shadow: 0.22,
        }
    }

    /// For paper: white ground, dark hairlines, no shadows.
    pub fn print() -> Self {
        Self {
            name: "print",
            background: Color::hex(0xff_ff_ff),
            grid: [Color::hex(0xf2_f2_f2), Color::hex(0xe4_e4_e4)],
            road: Color::hex(0xee_ee_ee),
            bike_road: Color::hex(0xe4_ec_e8),
            side_road: Color::hex(0xf5_f5_f5),
            walk: Color::hex(0xfa_fa_fa),
            kerb: Color::hex(0x8c_8c_8c),
            white_line: Color::hex(0xa8_a8_a8),
            yellow_line: Color::hex(0xc0_99_33),
            faint_line: Color::hex(0xd2_d2_d2),
            arrow: Color::hex(0xd6_d6_d6),
            crossing: Color::hex(0xc4_c4_c4),
            ego: Color::hex(0x00_72_b2),
            plan: Color::hex(0x3a_a5_dd),
            escape: Color::hex(0xb3_55_8e),
            attacker: Color::hex(0xd5_5e_00),
            free: Color::hex(0x00_9e_73),
            fixed: Color::hex(0x8a_8a_8a),
            violation: Color::hex(0xd4_00_1a),
            selection: Color::hex(0x00_00_00),
            text: Color::hex(0x1a_1a_1a),
            halo: Color::hex(0xff_ff_ff),
            outline: Color::hex(0x00_00_00),
            shadow: 0.0,
        }
    }

    /// The style of that name, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        [Self::dark(), Self::light(), Self::print()]
            .into_iter()
            .find(|style| style.name == name)
    }
}

impl Default for Style {
    fn default() -> Self {
        Self::dark()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_and_text_stand_out_from_the_road_in_every_style() {
        for style in [Style::dark(), Style::light(), Style::print()] {
            for agent in [style.ego, style.attacker, style.free, style.fixed] {
                // WCAG 2 asks 3:1 of graphical objects; the outline adds to the quietest ones
                let best = agent
                    .contrast(style.road)
                    .max(style.outline.contrast(style.road));
                assert!(
                    best > 3.0 || agent.contrast(style.road) > 2.5,
                    "{}",
                    style.name
                );
            }
            assert!(style.text.contrast(style.halo) > 7.0, "{}", style.name);
            assert_eq!(Style::named(style.name), Some(style));
        }
        assert_eq!(Style::named("sepia"), None);
    }
}
