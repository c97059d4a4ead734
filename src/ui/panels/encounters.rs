//! How the ego came past others: gap, time to collision, post-encroachment time.

use egui::Ui;

use crate::metrics::Encounter;
use crate::ui::action::Action;
use crate::ui::theme;
use crate::ui::theme::tokens;
use crate::ui::widgets;

/// So many are shown.
const SHOWN: usize = 4;

const TIP: &str = "Gap: least distance between the bodies. TTC: least time until they would touch if both went on as they do. \
                   PET: how long after one left some ground the other came to be on it; behind somebody on the same way, the \
                   time gap. A click goes to the moment of the least gap";

/// The encounters that were closest in time, then in space, in sentences; a click goes there. Nothing if there are none.
pub(crate) fn encounters_ui(
    ui: &mut Ui,
    encounters: &[Encounter],
    start_s: f64,
    actions: &mut Vec<Action>,
) {
    if encounters.is_empty() {
        return;
    }
    widgets::section(ui, "Closest encounters of the ego");
    let mut sorted: Vec<&Encounter> = encounters.iter().collect();
    let seconds = |met: &Encounter| met.seconds().unwrap_or(f64::INFINITY);
    sorted.sort_by(|a, b| seconds(a).total_cmp(&seconds(b)));
    for met in sorted.into_iter().take(SHOWN) {
        let text = theme::small(in_words(met, start_s)).color(tokens(ui).dim);
        let button = egui::Button::new(text).frame(false).wrap();
        if ui.add(button).on_hover_text(TIP).clicked() {
            actions.push(Action::Seek(start_s + met.gap.time_s));
            actions.push(Action::Select(vec![met.with.clone()]));
        }
    }
}

/// An encounter in a line; times are those of the scene.
pub(crate) fn in_words(met: &Encounter, start_s: f64) -> String {
    let when = start_s + met.gap.time_s;
    let mut text = match met.gap.value > 0.0 {
        true => format!(
            "{}: {:.2} m at {when:.1} s",
            met.with.short(),
            met.gap.value
        ),
        false => format!("{}: touched at {when:.1} s", met.with.short()),
    };
    for (name, moment) in [("TTC", met.ttc), ("PET", met.pet)] {
        if let Some(moment) = moment {
            let when = start_s + moment.time_s;
            text.push_str(&format!(" · {name} {:.1} s at {when:.1} s", moment.value));
        }
    }
    text
}
