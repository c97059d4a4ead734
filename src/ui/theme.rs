//! Colours, type scale and spacing of the window, in a dark and a light theme.

use std::sync::Arc;

use egui::Color32;
use egui::CornerRadius;
use egui::FontData;
use egui::FontDefinitions;
use egui::FontFamily;
use egui::FontId;
use egui::Margin;
use egui::Shadow;
use egui::Stroke;
use egui::TextStyle;
use egui::Theme;
use egui::Vec2;
use egui::Visuals;
use egui::style::WidgetVisuals;

use crate::scene::Agent;
use crate::scene::AgentKind;
use crate::scene::Role;

/// Every colour the window uses, by meaning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tokens {
    /// Behind everything; the canvas before a scene is drawn.
    pub base: Color32,
    /// Side panels and bars.
    pub panel: Color32,
    /// Cards, fields, buttons.
    pub raised: Color32,
    /// A raised thing under the pointer.
    pub hover: Color32,
    /// A raised thing that is pressed or chosen.
    pub pressed: Color32,
    /// Hairlines between areas.
    pub line: Color32,
    /// Outlines of fields and cards.
    pub line_strong: Color32,
    /// Text that is read.
    pub text: Color32,
    /// Labels, secondary text.
    pub dim: Color32,
    /// Hints, ticks.
    pub faint: Color32,
    /// What is active or primary.
    pub accent: Color32,
    /// Text on the accent.
    pub on_accent: Color32,
    /// A wash of the accent behind chosen rows.
    pub accent_soft: Color32,
    /// Passed, better.
    pub good: Color32,
    /// Needs a look.
    pub warn: Color32,
    /// Failed, collision.
    pub bad: Color32,
    /// The ego.
    pub ego: Color32,
    /// The planner's futures.
    pub plan: Color32,
    /// An attacker.
    pub attacker: Color32,
    /// Other vehicles.
    pub vehicle: Color32,
    /// People on foot.
    pub pedestrian: Color32,
    /// Cyclists.
    pub cyclist: Color32,
    /// Everything else.
    pub other: Color32,
    /// Goal flags.
    pub goal: Color32,
    /// The ground around roads in thumbnails.
    pub ground: Color32,
    /// The roadway in thumbnails.
    pub road: Color32,
}

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

/// The dark theme.
pub(super) const DARK: Tokens = Tokens {
    base: rgb(0x0d_1014),
    panel: rgb(0x14_181e),
    raised: rgb(0x1d_232b),
    hover: rgb(0x27_2f3a),
    pressed: rgb(0x30_3a47),
    line: rgb(0x22_2932),
    line_strong: rgb(0x33_3d4a),
    text: rgb(0xe8_ecf1),
    dim: rgb(0xa3_afbd),
    faint: rgb(0x76_8393),
    accent: rgb(0x2c_c9b1),
    on_accent: rgb(0x06_201c),
    accent_soft: rgb(0x17_3633),
    good: rgb(0x5f_d38d),
    warn: rgb(0xf2_b84b),
    bad: rgb(0xff_5a6e),
    ego: rgb(0x4d_94ff),
    plan: rgb(0x5c_c8ff),
    attacker: rgb(0xf4_7a3c),
    vehicle: rgb(0x9a_a8b8),
    pedestrian: rgb(0xd8_93e8),
    cyclist: rgb(0x7f_d391),
    other: rgb(0x7a_8594),
    goal: rgb(0xff_c04d),
    ground: rgb(0x10_1419),
    road: rgb(0x36_404c),
};

/// The light theme.
pub(super) const LIGHT: Tokens = Tokens {
    base: rgb(0xe9_ecef),
    panel: rgb(0xf7_f8f9),
    raised: rgb(0xff_ffff),
    hover: rgb(0xed_f1f4),
    pressed: rgb(0xdd_e4ea),
    line: rgb(0xdd_e2e7),
    line_strong: rgb(0xc4_ccd5),
    text: rgb(0x16_1c24),
    dim: rgb(0x4b_5866),
    faint: rgb(0x6f_7c8b),
    accent: rgb(0x0a_8577),
    on_accent: rgb(0xff_ffff),
    accent_soft: rgb(0xd5_efeb),
    good: rgb(0x1c_8a4c),
    warn: rgb(0xa8_6a00),
    bad: rgb(0xcf_3128),
    ego: rgb(0x1a_6fd4),
    plan: rgb(0x00_86be),
    attacker: rgb(0xd2_5510),
    vehicle: rgb(0x6b_7a8c),
    pedestrian: rgb(0x9a_3fb5),
    cyclist: rgb(0x2e_8b4a),
    other: rgb(0x8a_94a0),
    goal: rgb(0xc9_7a00),
    ground: rgb(0xee_f1f3),
    road: rgb(0xd3_d9df),
};

/// The tokens of the theme that `ui` is shown in.
pub(super) fn tokens(ui: &egui::Ui) -> &'static Tokens {
    if ui.visuals().dark_mode {
        &DARK
    } else {
        &LIGHT
    }
}

/// The colour that panels lie on.
pub(super) fn ground(visuals: &Visuals) -> Color32 {
    let tokens = if visuals.dark_mode { &DARK } else { &LIGHT };
    tokens.panel
}

impl Tokens {
    /// The colour an agent is drawn in.
    pub(super) fn agent(&self, agent: &Agent) -> Color32 {
        match (agent.role, agent.kind) {
            (Role::Ego, _) => self.ego,
            (Role::Attacker, _) => self.attacker,
            (Role::Other, AgentKind::Vehicle) => self.vehicle,
            (Role::Other, AgentKind::Pedestrian) => self.pedestrian,
            (Role::Other, AgentKind::Cyclist) => self.cyclist,
            (Role::Other, AgentKind::Other) => self.other,
        }
    }
}

/// The semibold face of the interface font.
pub(super) fn semibold() -> FontFamily {
    FontFamily::Name("semibold".into())
}

/// Semibold text of `size` points.
pub(super) fn strong(text: impl Into<String>, size: f32) -> egui::RichText {
    egui::RichText::new(text).font(FontId::new(size, semibold()))
}

/// Text one step smaller, for labels.
pub(super) fn small(text: impl Into<String>) -> egui::RichText {
    egui::RichText::new(text).text_style(TextStyle::Small)
}

/// Installs fonts and both themes.
pub(super) fn install(context: &egui::Context) {
    context.set_fonts(fonts());
    for (theme, tokens) in [(Theme::Dark, &DARK), (Theme::Light, &LIGHT)] {
        context.style_mut_of(theme, |style| dress(style, theme, tokens));
    }
}

fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let regular = include_bytes!("../../assets/fonts/Inter-Regular.otf");
    let semibold_face = include_bytes!("../../assets/fonts/Inter-SemiBold.otf");
    let mut insert = |name: &str, bytes: &'static [u8]| {
        let data = Arc::new(FontData::from_static(bytes));
        fonts.font_data.insert(name.to_owned(), data);
    };
    insert("inter", regular);
    insert("inter-semibold", semibold_face);
    let fallback = fonts
        .families
        .get(&FontFamily::Proportional)
        .cloned()
        .unwrap_or_default();
    let with = |first: &str| {
        let mut faces = vec![first.to_owned()];
        faces.extend(fallback.iter().cloned());
        faces
    };
    fonts
        .families
        .insert(FontFamily::Proportional, with("inter"));
    fonts.families.insert(semibold(), with("inter-semibold"));
    fonts
}

fn dress(style: &mut egui::Style, theme: Theme, tokens: &Tokens) {
    use FontFamily::Monospace;
    use FontFamily::Proportional;
    style.text_styles = [
        (TextStyle::Small, FontId::new(11.0, Proportional)),
        (TextStyle::Body, FontId::new(12.5, Proportional)),
        (TextStyle::Button, FontId::new(12.5, Proportional)),
        (TextStyle::Heading, FontId::new(15.0, semibold())),
        (TextStyle::Monospace, FontId::new(11.5, Monospace)),
    ]
    .into();
    style.drag_value_text_style = TextStyle::Body;
    let spacing = &mut style.spacing;
    spacing.item_spacing = Vec2::new(6.0, 6.0);
    spacing.button_padding = Vec2::new(9.0, 4.0);
    spacing.interact_size = Vec2::new(32.0, 24.0);
    spacing.menu_margin = Margin::same(5);
    spacing.window_margin = Margin::same(16);
    spacing.slider_width = 120.0;
    spacing.slider_rail_height = 4.0;
    spacing.icon_width = 15.0;
    spacing.icon_width_inner = 9.0;
    spacing.combo_width = 80.0;
    spacing.tooltip_width = 320.0;
    spacing.scroll.bar_width = 6.0;
    spacing.scroll.floating = true;
    style.interaction.selectable_labels = false;
    style.interaction.tooltip_delay = 0.35;
    style.animation_time = 0.10;
    style.visuals = visuals(theme, tokens);
}

fn visuals(theme: Theme, tokens: &Tokens) -> Visuals {
    let mut visuals = match theme {
        Theme::Dark => Visuals::dark(),
        Theme::Light => Visuals::light(),
    };
    let widget = |fill: Color32, outline: Color32, text: Color32| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: Stroke::new(1.0, outline),
        corner_radius: CornerRadius::same(5),
        fg_stroke: Stroke::new(1.2, text),
        expansion: 0.0,
    };
    let none = Color32::TRANSPARENT;
    visuals.widgets.noninteractive = widget(tokens.panel, tokens.line, tokens.text);
    visuals.widgets.inactive = widget(tokens.raised, tokens.line_strong, tokens.text);
    visuals.widgets.hovered = widget(tokens.hover, tokens.line_strong, tokens.text);
    visuals.widgets.active = widget(tokens.pressed, tokens.accent, tokens.text);
    visuals.widgets.open = widget(tokens.hover, tokens.line_strong, tokens.text);
    visuals.widgets.noninteractive.weak_bg_fill = none;
    visuals.selection.bg_fill = tokens.accent_soft;
    visuals.selection.stroke = Stroke::new(1.2, tokens.accent);
    visuals.hyperlink_color = tokens.accent;
    visuals.faint_bg_color = tokens.raised;
    visuals.extreme_bg_color = match theme {
        Theme::Dark => tokens.base,
        Theme::Light => tokens.raised,
    };
    visuals.code_bg_color = tokens.base;
    visuals.warn_fg_color = tokens.warn;
    visuals.error_fg_color = tokens.bad;
    visuals.weak_text_color = Some(tokens.dim);
    visuals.panel_fill = tokens.panel;
    visuals.window_fill = tokens.panel;
    visuals.window_stroke = Stroke::new(1.0, tokens.line_strong);
    visuals.window_corner_radius = CornerRadius::same(10);
    visuals.menu_corner_radius = CornerRadius::same(7);
    let shade = if theme == Theme::Dark { 120 } else { 40 };
    visuals.window_shadow = Shadow {
        offset: [0, 8],
        blur: 28,
        spread: 0,
        color: Color32::from_black_alpha(shade),
    };
    visuals.popup_shadow = Shadow {
        offset: [0, 4],
        blur: 14,
        spread: 0,
        color: Color32::from_black_alpha(shade),
    };
    visuals.slider_trailing_fill = true;
    visuals.handle_shape = egui::style::HandleShape::Circle;
    visuals.striped = false;
    visuals
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance, WCAG 2.1.
    fn luminance(color: Color32) -> f64 {
        let linear = |byte: u8| {
            let value = f64::from(byte) / 255.0;
            if value <= 0.03928 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
    }

    fn contrast(a: Color32, b: Color32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_reaches_the_contrast_of_wcag_aa_in_both_themes() {
        for tokens in [DARK, LIGHT] {
            for surface in [tokens.panel, tokens.raised] {
                assert!(contrast(tokens.text, surface) >= 7.0);
                assert!(contrast(tokens.dim, surface) >= 4.5);
            }
            assert!(contrast(tokens.on_accent, tokens.accent) >= 4.5);
            // hints and ticks: the lower bound for large or incidental text
            assert!(contrast(tokens.faint, tokens.panel) >= 3.0);
        }
    }
}
