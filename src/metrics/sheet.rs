//! Metrics as comma-separated values: one row per case, or one per denoising step.

use std::borrow::Borrow;

use super::encounter::{Encounter, ego_encounters};
use super::explain::{explain, measured_s};
use serde_json::Value;

use crate::scene::{Metric, SWEPT, Scene, file_word};

/// One row per case: what a sweep gave it, its recipe, its gates as stored (value and whether it passed; of the scene before
/// where it was edited since), and its metrics measured now over so many seconds after the present (`measured_s`). Columns
/// are those of all cases; what a case lacks is empty. Cases are taken one at a time.
pub fn sheet_of_cases<N: AsRef<str>, S: Borrow<Scene>>(
    cases: impl IntoIterator<Item = (N, S)>,
) -> String {
    let mut sheet = Sheet::default();
    for (name, scene) in cases {
        let scene = scene.borrow();
        sheet.begin();
        sheet.put("case", name.as_ref());
        let swept = scene.extra.get(SWEPT).and_then(|values| values.as_array());
        sheet.swept(swept.map_or(&[], Vec::as_slice));
        if let Some(made) = &scene.generated {
            let recipe = &made.recipe;
            sheet.put("seed", recipe.seed.to_string());
            sheet.put("sample", recipe.sample.to_string());
            sheet.put("task", file_word(&recipe.task));
            sheet.put("schedule", file_word(&recipe.schedule));
            sheet.put("steps", recipe.steps.to_string());
            sheet.put("temperature", recipe.temperature.to_string());
            sheet.put("history_level", recipe.history_level.to_string());
            sheet.put("prior_smoothing", recipe.prior_smoothing.to_string());
            sheet.put("redraws", recipe.redraws.to_string());
            sheet.put("redrawn", made.redrawn.len().to_string());
            sheet.put("weights", &*recipe.weights_hash);
            sheet.put("complete", made.complete.to_string());
            sheet.put("valid", scene.is_valid().to_string());
            sheet.put("edited_since", scene.is_edited_since_made().to_string());
            sheet.put("fault", file_word(&made.fault));
            sheet.put("avoidability", file_word(&made.avoidability));
            for gate in &made.gates {
                sheet.put(&format!("gate_{}", gate.gate), gate.value.to_string());
                sheet.put(
                    &format!("gate_{}_passed", gate.gate),
                    gate.passed.to_string(),
                );
            }
        }
        sheet.metrics(scene);
        sheet.encounters(scene);
    }
    sheet.text()
}

/// One row per denoising step: the share of noise left (mean level of the tokens that are made) and the metrics of
/// the scene as the step predicts it.
pub fn sheet_of_steps<S: Borrow<Scene>>(
    steps: impl IntoIterator<Item = (usize, f64, S)>,
) -> String {
    let mut sheet = Sheet::default();
    for (step, level, scene) in steps {
        sheet.begin();
        sheet.put("step", step.to_string());
        sheet.put("mean_level", format!("{level:.4}"));
        sheet.metrics(scene.borrow());
    }
    sheet.text()
}

/// A table of comma-separated values: columns come as they are first named, what a row lacks is empty.
#[derive(Debug, Clone, Default)]
pub struct Sheet {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Sheet {
    /// The next row.
    pub fn begin(&mut self) {
        self.rows.push(Vec::new());
    }

    /// Puts a value into the row that was begun last.
    pub fn put(&mut self, column: &str, value: impl Into<String>) {
        let at = match self.columns.iter().position(|known| known == column) {
            Some(at) => at,
            None => {
                self.columns.push(column.to_owned());
                self.columns.len() - 1
            }
        };
        if let Some(row) = self.rows.last_mut() {
            row.resize(row.len().max(at + 1), String::new());
            row[at] = value.into();
        }
    }

    /// What a sweep gave a scene, as its extras have it ([`SWEPT`]), a column for each number.
    pub fn swept(&mut self, values: &[Value]) {
        for value in values {
            let Some(what) = value["what"].as_str() else {
                continue;
            };
            let agent = value["agent"]
                .as_str()
                .map_or(String::new(), |agent| format!("_{agent}"));
            self.put(&format!("swept_{what}{agent}"), value["value"].to_string());
        }
    }

    fn metrics(&mut self, scene: &Scene) {
        self.put("measured_s", format!("{:.1}", measured_s(scene)));
        for row in explain(scene) {
            let Metric {
                name, value, count, ..
            } = row.metric;
            self.put(&name, format!("{value:.4}"));
            self.put(&format!("{name}_items"), count.to_string());
        }
    }

    /// The least of each measure of the ego's encounters.
    fn encounters(&mut self, scene: &Scene) {
        let met = ego_encounters(scene);
        let mut put = |name: &str, of: fn(&Encounter) -> Option<f64>| {
            let least = met.iter().filter_map(of).min_by(f64::total_cmp);
            self.put(
                name,
                least.map_or(String::new(), |value| format!("{value:.4}")),
            );
        };
        put("ego_gap_m", |met| Some(met.gap.value));
        put("ego_ttc_s", |met| met.ttc.map(|ttc| ttc.value));
        put("ego_pet_s", |met| met.pet.map(|pet| pet.value));
    }

    /// The table as text, with a line of its columns. Lines end in a line feed; a value with a comma, a quote or a line break
    /// is quoted (RFC 4180).
    pub fn text(&self) -> String {
        let line = |cells: &[String]| {
            let cells = (0..self.columns.len()).map(|at| cells.get(at).map_or("", String::as_str));
            let quoted: Vec<String> = cells.map(quoted).collect();
            quoted.join(",") + "\n"
        };
        std::iter::once(line(&self.columns))
            .chain(self.rows.iter().map(|row| line(row)))
            .collect()
    }
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_share_columns_and_awkward_names_are_quoted() {
        let scene = Scene {
            dt_s: 0.1,
            frames: 2,
            ..Scene::default()
        };
        let text = sheet_of_cases([("a, \"b\"", &scene), ("c", &scene)]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("case,"), "{text}");
        assert!(lines[1].starts_with("\"a, \"\"b\"\"\","), "{text}");
        assert!(lines[2].starts_with("c,"), "{text}");
        assert!(lines[0].contains(",measured_s,") && lines[2].starts_with("c,0.1,"));
        let columns = lines[0].split(',').count();
        assert_eq!(lines[2].split(',').count(), columns);
    }

    #[test]
    fn what_a_sweep_gave_a_case_has_columns_of_its_own() {
        let mut scene = Scene {
            dt_s: 0.1,
            frames: 2,
            ..Scene::default()
        };
        let plain = scene.clone();
        let values = serde_json::json!([{"what": "speed", "agent": "ego", "value": 9.5, "unit": "m/s"}, {"what": 3}]);
        scene.extra.insert(SWEPT.to_owned(), values);
        let text = sheet_of_cases([("a", &scene), ("b", &plain)]);
        assert!(
            text.starts_with("case,swept_speed_ego,measured_s,"),
            "{text}"
        );
        assert!(
            text.contains("\na,9.5,") && text.contains("\nb,,"),
            "{text}"
        );
    }

    #[test]
    fn a_step_row_begins_with_step_and_noise() {
        let scene = Scene {
            dt_s: 0.1,
            frames: 2,
            ..Scene::default()
        };
        let text = sheet_of_steps([(0, 1.0, &scene), (1, 0.53, &scene)]);
        assert!(text.starts_with("step,mean_level,"), "{text}");
        assert!(text.contains("\n1,0.5300,"), "{text}");
    }
}
