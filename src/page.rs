//! A page of cases for a browser: what was asked, what came of it, how planners drive it, each with its clip. Whoever
//! has no Nearmiss can look through it; the cases lie beside the page.

use std::fmt::Write as _;

use crate::metrics::{Encounter, ego_encounters, explain, title_of};
use crate::planner::{DriveOutcome, DriveSettings, PlanSettings, Report};
use crate::scene::{Edit, Generated, Scene};

/// The page's file in its folder.
pub const INDEX: &str = "index.html";

/// At most so many letters of a case's name are in the names of its files.
const LONGEST_STEM: usize = 60;

/// Encounters of the ego that are listed.
const LISTED: usize = 3;

/// Colours, and what is wide enough for them: dark or light as the reader's system is.
const STYLE: &str = "
:root{color-scheme:dark light;--bg:#12151a;--fg:#e6eaf0;--dim:#98a1b0;--line:#2b313b;--box:#1a1e25;--good:#3ccb7f;--warn:#f0b429;--bad:#ff5c6c}
@media(prefers-color-scheme:light){:root{--bg:#fff;--fg:#1b212a;--dim:#5b6472;--line:#dde1e6;--box:#f5f6f8;--good:#0a7d45;--warn:#9a6400;--bad:#c4001d}}
*{box-sizing:border-box}body{overflow-wrap:break-word;margin:0 auto;max-width:1180px;padding:24px;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}
h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:0 0 8px}h3{font-size:14px;margin:16px 0 4px;color:var(--dim)}p{margin:4px 0}
a{color:inherit}section{border-top:1px solid var(--line);padding:20px 0}.two{display:grid;grid-template-columns:minmax(0,3fr) minmax(0,2fr);gap:20px}
@media(max-width:820px){.two{grid-template-columns:1fr}}img{width:100%;border-radius:8px;display:block;margin-bottom:10px}
table{border-collapse:collapse;width:100%;font-size:13px}th,td{text-align:left;padding:3px 10px 3px 0;border-bottom:1px solid var(--line);vertical-align:top}th{color:var(--dim);font-weight:500}
.all{overflow-x:auto;background:var(--box);border-radius:8px;padding:8px 14px;margin:16px 0}.dim{color:var(--dim)}.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}
.map{width:auto;border-collapse:separate;border-spacing:2px}.map td,.map th{border:0;padding:3px 6px;white-space:nowrap}.map td{min-width:46px;font-size:12px;border-radius:3px;--c:var(--line);background:color-mix(in srgb,var(--c) 26%,transparent)}
.map td.good{--c:var(--good)}.map td.warn{--c:var(--warn)}.map td.bad{--c:var(--bad)}.map td.left{background:color-mix(in srgb,var(--c) 14%,transparent)}.map a{text-decoration:none}";

/// How planners drove: among whom, for how long at most, and what is asked of their plans.
pub fn drove(world: &str, settings: &DriveSettings) -> String {
    let (plan, usual) = (&settings.plan, PlanSettings::default());
    let mut how = format!(
        "Planners drove each case for {} s at most, {} plans a second",
        settings.seconds,
        (settings.driven_hz() * 100.0).round() / 100.0
    );
    if plan.modes != usual.modes {
        let _infallible = write!(how, " of {} modes", plan.modes);
    }
    if !plan.brake {
        how += ", never braking by rule";
    }
    if !plan.route {
        how += ", not told their route";
    }
    if plan.score != usual.score {
        let _infallible = write!(how, ", choosing by {}", plan.score.label());
    }
    format!("{how}; everyone else: {world}.")
}

/// A drive of a case by a planner.
#[derive(Debug, Clone)]
pub struct Drive {
    /// The planner's name.
    pub planner: String,
    /// What came of it, or why it could not drive.
    pub came: Result<Report, String>,
}

/// Where the files of a case lie, seen from the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The case, to be opened with Nearmiss.
    pub case: String,
    /// The clip of it.
    pub clip: String,
    /// The clip of the planners' drives, beside each other.
    pub drives: String,
}

impl Files {
    /// The files of case `number`, counted from 0; `stem` is a name that file systems take.
    pub fn of(number: usize, stem: &str) -> Self {
        let stem: String = stem.chars().take(LONGEST_STEM).collect();
        Self::named(&format!("{:03}-{stem}", number + 1))
    }

    /// The files of a case by the start of their names.
    pub fn named(stem: &str) -> Self {
        Self {
            case: format!("{stem}.json"),
            clip: format!("{stem}.gif"),
            drives: format!("{stem}-drives.gif"),
        }
    }
}

/// Which clips of a case there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clips {
    /// The one of the case.
    pub case: bool,
    /// The one of the planners' drives.
    pub drives: bool,
}

/// One combination of a sweep's values, seen from a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spot {
    /// It is a case of the page, by the order in which cases were added, from 0.
    Case(usize),
    /// It is no case of the page, as it cannot be or is not told of: a word, and why.
    Off {
        /// What stands on the map.
        word: String,
        /// Why.
        about: String,
    },
    /// It was left out; the nearest spot whose result is known, if there is one.
    Left(Option<usize>),
    /// It has not been made.
    Waiting,
}

/// A sweep over rows and columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    /// What it is a map of.
    pub title: String,
    /// What the rows are, and the columns.
    pub sides: [String; 2],
    /// The values of the rows, and of the columns; without columns there is one, without a value.
    pub values: [Vec<String>; 2],
    /// Row by row.
    pub spots: Vec<Spot>,
}

/// What a case came to in a word, with its colour, and why.
#[derive(Debug, Clone)]
struct Look {
    word: String,
    color: &'static str,
    about: String,
}

/// A page to which cases are added one at a time.
#[derive(Debug, Clone)]
pub struct Page {
    title: String,
    planners: Vec<String>,
    drove: String,
    left_out: Vec<(String, String)>,
    maps: String,
    rows: String,
    sections: String,
    count: usize,
    valid: usize,
    generated: usize,
    /// Of each case the look of its gates, then of each planner's drive.
    looks: Vec<Vec<Look>>,
}

impl Page {
    /// An empty page; `planners` are the columns of its table, in the order of each case's drives, and `drove` says how they
    /// drove.
    pub fn new(title: &str, planners: &[String], drove: &str) -> Self {
        Self {
            title: title.to_owned(),
            planners: planners.to_vec(),
            drove: drove.to_owned(),
            left_out: Vec::new(),
            maps: String::new(),
            rows: String::new(),
            sections: String::new(),
            count: 0,
            valid: 0,
            generated: 0,
            looks: Vec::new(),
        }
    }

    /// Tells of a case that could not be added, and why.
    pub fn leave_out(&mut self, name: &str, why: &str) {
        self.left_out.push((name.to_owned(), why.to_owned()));
    }

    /// Adds a case, with those of its clips that there are.
    pub fn add(
        &mut self,
        (name, scene): (&str, &Scene),
        files: &Files,
        drives: &[Drive],
        clips: Clips,
    ) {
        self.count += 1;
        let number = self.count;
        let made = scene.generated.as_deref();
        self.generated += usize::from(made.is_some());
        self.valid += usize::from(scene.is_valid());
        let (verdict, color) = verdict(scene);
        let _infallible = write!(
            self.rows,
            "<tr><td>{number}</td><td><a href=\"#case-{number}\">{}</a>{}</td><td class=\"{color}\">{}</td>",
            escaped(name),
            intents(scene).first().map_or(String::new(), |first| {
                format!("<br><span class=\"dim\">{}</span>", escaped(first))
            }),
            escaped(&verdict)
        );
        for planner in &self.planners {
            let drive = drives.iter().find(|drive| drive.planner == *planner);
            let (text, color) = drive.map_or((String::new(), "dim"), outcome);
            let text = match drive.is_some_and(|drive| drive.came.is_err()) {
                true => "failed".to_owned(),
                false => text,
            };
            let _infallible = write!(self.rows, "<td class=\"{color}\">{}</td>", escaped(&text));
        }
        self.rows.push_str("</tr>\n");
        let clip = |file: &str, about: &str| {
            let file = escaped(file);
            format!(
                "<img src=\"{file}\" alt=\"{}\" loading=\"lazy\">\n",
                escaped(about)
            )
        };
        let mut shown = String::new();
        if clips.case {
            shown.push_str(&clip(&files.clip, name));
        }
        if clips.drives {
            let about = format!("{name}, driven by planners");
            shown.push_str(&clip(&files.drives, &about));
        }
        let (open, close) = match shown.is_empty() {
            true => ("", ""),
            false => ("<div class=\"two\"><div>", "</div></div>"),
        };
        if !shown.is_empty() {
            shown.push_str("</div><div>");
        }
        let _infallible = write!(
            self.sections,
            "<section id=\"case-{number}\"><h2>{number}. {}</h2>\n{open}{shown}\n\
             <p class=\"{color}\">{}</p>\n{}{}{}{}<p><a href=\"{}\">The case, to be opened with Nearmiss</a></p>\n\
             {close}</section>\n",
            escaped(name),
            escaped(&verdict),
            asked(scene),
            found(scene),
            drives_table(drives),
            measured(scene),
            escaped(&files.case),
        );
        let gates = gates_look(scene);
        let of_planner = |planner: &String| {
            let drive = drives.iter().find(|drive| drive.planner == *planner);
            drive.map_or_else(
                || Look {
                    color: "dim",
                    ..gates.clone()
                },
                drive_look,
            )
        };
        let looks = self.planners.iter().map(of_planner).collect::<Vec<Look>>();
        self.looks.push([vec![gates.clone()], looks].concat());
    }

    /// Adds a map of cases that were added: of their gates, or of what a planner came to. What a planner was not given to
    /// drive has the word of its gates.
    pub fn map(&mut self, map: &Map, planner: Option<&str>) {
        let Map {
            title,
            sides: [rows, columns],
            values,
            spots,
        } = map;
        let mut planners = self.planners.iter();
        let column = planner.and_then(|named| planners.position(|planner| planner == named));
        let column = column.map_or(0, |at| at + 1);
        let look = |spot: &Spot| match spot {
            Spot::Case(case) => {
                let looks = self.looks.get(*case)?;
                looks.get(column).map(|look| (look, *case))
            }
            _ => None,
        };
        let corner = match columns.is_empty() {
            true => rows.clone(),
            false => format!("{rows} \u{2193}  {columns} \u{2192}"),
        };
        let mut text = format!(
            "<h3>{}</h3>\n<div class=\"all\"><table class=\"map\"><tr><th>{}</th>",
            escaped(title),
            escaped(&corner)
        );
        for value in &values[1] {
            let _infallible = write!(text, "<th>{}</th>", escaped(value));
        }
        text.push_str("</tr>\n");
        let across = values[1].len().max(1);
        for (value, spots_of) in values[0].iter().zip(spots.chunks(across)) {
            let _infallible = write!(text, "<tr><th>{}</th>", escaped(value));
            for spot in spots_of {
                let cell = match spot {
                    Spot::Case(_) => look(spot).map_or("<td></td>".to_owned(), |(look, case)| {
                        format!(
                            "<td class=\"{}\" title=\"{}\"><a href=\"#case-{}\">{}</a></td>",
                            look.color,
                            escaped(&look.about),
                            case + 1,
                            escaped(&look.word)
                        )
                    }),
                    Spot::Off { word, about } => {
                        let (word, about) = (escaped(word), escaped(about));
                        format!("<td class=\"dim\" title=\"{about}\">{word}</td>")
                    }
                    Spot::Left(near) => {
                        let near = near.and_then(|near| look(spots.get(near)?));
                        let color = near.map_or("dim", |(look, _)| look.color);
                        let about = match near {
                            Some(_) => "left out: what is known around it came to the same",
                            None => "left out",
                        };
                        format!("<td class=\"left {color}\" title=\"{about}\"></td>")
                    }
                    Spot::Waiting => "<td title=\"not made\"></td>".to_owned(),
                };
                text.push_str(&cell);
            }
            text.push_str("</tr>\n");
        }
        text.push_str("</table></div>\n");
        self.maps.push_str(&text);
    }

    /// The page as HTML: complete in itself, but for the clips and cases.
    pub fn html(&self) -> String {
        let planners = self.planners.iter();
        let heads: String = planners
            .map(|planner| format!("<th>{}</th>", escaped(planner)))
            .collect();
        let mut notes = String::new();
        if !self.drove.is_empty() {
            let _infallible = writeln!(notes, "<p class=\"dim\">{}</p>", escaped(&self.drove));
        }
        for (name, why) in &self.left_out {
            let text = escaped(&format!("Left out: {name}: {why}"));
            let _infallible = writeln!(notes, "<p class=\"warn\">{text}</p>");
        }
        let cases = if self.count == 1 { "case" } else { "cases" };
        let valid = match self.generated {
            0 => String::new(),
            _ => format!(
                ", {} of {} generated ones pass every gate",
                self.valid, self.generated
            ),
        };
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n\
             <p class=\"dim\">{} {cases}{valid}. Made with Nearmiss {}. Times are of the scene unless they are said to be after something.</p>\n{notes}{maps}\
             <div class=\"all\"><table><tr><th></th><th>Case</th><th>Verdict</th>{heads}</tr>\n{}</table></div>\n{}</body></html>\n",
            self.count,
            env!("CARGO_PKG_VERSION"),
            self.rows,
            self.sections,
            title = escaped(&self.title),
            maps = self.maps,
        )
    }
}

/// Text as HTML shows it letter by letter, in one line: what steers a line is a space.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // marks that turn the direction of what follows
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => safe.push(' '),
            letter if letter.is_control() => safe.push(' '),
            letter => safe.push(letter),
        }
    }
    safe
}

/// Lines one below the other.
fn lines<T: AsRef<str>>(lines: &[T]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| escaped(line.as_ref())).collect();
    lines.join("<br>")
}

/// What a case is worth, in a few words, with its colour.
fn verdict(scene: &Scene) -> (String, &'static str) {
    match scene.generated.as_deref() {
        None => ("not generated".to_owned(), "dim"),
        Some(_) if scene.is_edited_since_made() => ("edited since it was made".to_owned(), "warn"),
        Some(made) if made.valid() => (made.verdict(), "good"),
        Some(made) if !made.complete => ("partial: never scored".to_owned(), "warn"),
        Some(_) => {
            let failed = scene.failed_gates().join(", ").replace('_', " ");
            (format!("fails: {failed}"), "bad")
        }
    }
}

/// What a case came to by its gates, in a word or two: "valid", or the first gate that it fails and how many more.
pub fn gate_word(scene: &Scene) -> String {
    match (scene.is_valid(), scene.failed_gates().as_slice()) {
        (true, _) => "valid".to_owned(),
        (false, []) => "changed".to_owned(),
        (false, [first]) => first.replace('_', " "),
        (false, [first, rest @ ..]) => format!("{} +{}", first.replace('_', " "), rest.len()),
    }
}

fn gates_look(scene: &Scene) -> Look {
    let (about, color) = verdict(scene);
    Look {
        word: gate_word(scene),
        color,
        about: format!("{}: {about}", scene.name),
    }
}

fn drive_look(drive: &Drive) -> Look {
    let (about, color) = outcome(drive);
    let word = match &drive.came {
        Err(_) => "failed".to_owned(),
        Ok(report) => {
            let (word, at_s) = report.outcome().words();
            let when = at_s.map_or(String::new(), |at_s| format!(" {at_s:.1}"));
            format!("{word}{when}")
        }
    };
    Look {
        word,
        color,
        about: format!("{}: {about}", drive.planner),
    }
}

/// Attacks and goals in words.
fn intents(scene: &Scene) -> Vec<String> {
    let attacks = scene.attacks.iter().map(|attack| {
        let (attacker, target) = (attack.attacker.short(), attack.target.short());
        format!("{attacker} is to meet {target} at {:.1} s", attack.time_s)
    });
    let goals = scene.goals.iter().map(|goal| {
        let [x, y] = goal.point;
        let (who, time_s) = (goal.agent.short(), goal.time_s);
        format!("{who} is to be at ({x:.1}, {y:.1}) m at {time_s:.1} s")
    });
    attacks.chain(goals).collect()
}

/// What was asked of the model and of the scene.
fn asked(scene: &Scene) -> String {
    let edits = scene.edits.iter();
    let edits = edits.filter(|edit| !matches!(edit, Edit::SetGoal { .. } | Edit::SetAttack { .. }));
    let mut all = intents(scene);
    all.extend(edits.map(Edit::label));
    let mut source = scene.source.clone();
    if !scene.licence.is_empty() {
        source.push_str(&format!(" ({})", scene.licence));
    }
    let mut text = String::new();
    if !all.is_empty() {
        let heading = match scene.generated {
            Some(_) => "Asked for",
            None => "In the scene",
        };
        let _infallible = writeln!(text, "<h3>{heading}</h3>\n<p>{}</p>", lines(&all));
    }
    if !source.is_empty() {
        let _infallible = writeln!(text, "<p class=\"dim\">Scene: {}</p>", escaped(&source));
    }
    text
}

/// How it was made, and which gates it fails.
fn found(scene: &Scene) -> String {
    let Some(made) = scene.generated.as_deref() else {
        return String::new();
    };
    let Generated { recipe, .. } = made;
    let mut text = String::new();
    let reasons: Vec<&str> = made.failed().map(|gate| gate.reason.as_str()).collect();
    if !reasons.is_empty() {
        let _infallible = writeln!(text, "<p class=\"bad\">{}</p>", lines(&reasons));
    }
    let touch = made
        .gates
        .iter()
        .find(|gate| gate.gate == "contact" && gate.passed);
    if let Some(touch) = touch {
        let _infallible = writeln!(
            text,
            "<p>{} What comes after it is not judged.</p>",
            escaped(&touch.reason)
        );
    }
    let weights: String = recipe.weights_hash.chars().take(8).collect();
    let schedule = recipe.schedule.word();
    let _infallible = writeln!(
        text,
        "<p class=\"dim\">Seed {}, {schedule} schedule, {} steps, temperature {:.2}, weights {}</p>",
        recipe.seed,
        recipe.steps,
        recipe.temperature,
        escaped(&weights)
    );
    text
}

/// What a drive came to in a few words, with its colour.
fn outcome(drive: &Drive) -> (String, &'static str) {
    let report = match &drive.came {
        Ok(report) => report,
        Err(why) => return (format!("failed: {why}"), "dim"),
    };
    let outcome = report.outcome();
    let (word, at_s) = outcome.words();
    let when = at_s.map_or(String::new(), |at_s| format!(" after {at_s:.1} s"));
    let color = match outcome {
        DriveOutcome::Clear if report.is_worthless() => {
            return (format!("{word}, score 0"), "warn");
        }
        DriveOutcome::Clear => "good",
        DriveOutcome::Touched(_) => "warn",
        DriveOutcome::AtFault(_) | DriveOutcome::OffRoad(_) => "bad",
    };
    (format!("{word}{when}"), color)
}

fn drives_table(drives: &[Drive]) -> String {
    if drives.is_empty() {
        return String::new();
    }
    let mut text =
        "<h3>Driven by planners</h3>\n<table><tr><th>Planner</th><th>Came to</th><th>Nearest</th><th>Progress</th><th>nuPlan score</th></tr>\n"
            .to_owned();
    for drive in drives {
        let (word, color) = outcome(drive);
        let report = drive.came.as_ref().ok();
        let touch = report.and_then(Report::touch);
        let reason = touch.map_or(String::new(), |touch| {
            let (reason, closing_mps) = (escaped(&touch.reason), touch.closing_mps);
            format!("<br><span class=\"dim\">{reason} {closing_mps:.1} m/s to each other</span>")
        });
        // who is touched is named with the contact
        let near = report.filter(|report| !report.collided());
        let near = near.and_then(|report| report.encounters.first());
        let near = near.map_or(String::new(), |near| {
            format!("{:.1} m, {}", near.gap.value, near.with.short())
        });
        let score = report.and_then(|report| report.score.as_ref());
        let _infallible = writeln!(
            text,
            "<tr><td>{}</td><td class=\"{color}\">{}{reason}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&drive.planner),
            escaped(&word),
            escaped(&near),
            report.map_or(String::new(), |report| format!(
                "{:.0} m",
                report.progress_m
            )),
            score.map_or(String::new(), |score| format!("{:.2}", score.total)),
        );
    }
    text + "</table>\n"
}

/// How near the ego comes to whom, and the metrics with how they are worked out.
fn measured(scene: &Scene) -> String {
    let mut text = String::new();
    let met = ego_encounters(scene);
    if !met.is_empty() {
        text.push_str("<h3>The ego, as the scene has it</h3>\n<table><tr><th>Nearest</th><th>Gap</th><th>TTC</th><th>PET</th></tr>\n");
    }
    for Encounter {
        with,
        gap,
        ttc,
        pet,
    } in met.iter().take(LISTED)
    {
        let seconds = |moment: &Option<crate::metrics::Moment>| {
            moment.map_or("–".to_owned(), |moment| format!("{:.1} s", moment.value))
        };
        let _infallible = writeln!(
            text,
            "<tr><td title=\"{}\">{}</td><td>{:.1} m at {:.1} s</td><td>{}</td><td>{}</td></tr>",
            escaped(with.as_str()),
            escaped(&with.short()),
            gap.value,
            scene.now_s() + gap.time_s,
            seconds(ttc),
            seconds(pet)
        );
    }
    if !met.is_empty() {
        text.push_str("</table>\n");
    }
    let mut rows = explain(scene);
    rows.retain(|row| row.metric.count > 0);
    if !rows.is_empty() {
        text.push_str("<h3>Metrics</h3>\n<table>\n");
        for row in &rows {
            let _infallible = writeln!(
                text,
                "<tr title=\"{}\"><td>{}</td><td>{:.3} {}</td></tr>",
                escaped(&row.arithmetic),
                escaped(title_of(&row.metric.name).unwrap_or(&row.metric.name)),
                row.metric.value,
                escaped(&row.metric.unit)
            );
        }
        text.push_str("</table>\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Pose;
    use crate::scene::{Agent, AgentKind, Role, State, Track};
    use std::sync::Arc;

    /// An ego at 10 m/s that passes a parked car with 1 m between them.
    fn scene() -> Scene {
        let drives = |id: &str, x: f64, y: f64, speed: f64| {
            let states = (0..101).map(|frame| {
                let pose = Pose::at(x + speed * 0.1 * f64::from(frame), y, 0.0);
                Some(State::along(pose, speed))
            });
            let mut agent = Agent::new(id, AgentKind::Vehicle, Track::new(states.collect()));
            (agent.length, agent.width) = (4.0, 2.0);
            agent
        };
        let mut ego = drives("ego", 0.0, 0.0, 10.0);
        ego.role = Role::Ego;
        let agents = [ego, drives("<parked>", 60.0, 3.0, 0.0)];
        Scene {
            name: "A & B".to_owned(),
            source: "by hand".to_owned(),
            dt_s: 0.1,
            frames: 101,
            now: 20,
            agents: agents.into_iter().map(Arc::new).collect(),
            ..Scene::default()
        }
    }

    #[test]
    fn a_page_tells_of_each_case_what_it_is_and_shows_its_clip() {
        let planners = ["IDM".to_owned()];
        let mut page = Page::new("Near \"misses\"", &planners, "IDM drives");
        let files = Files::of(0, "a-b");
        let drive = Drive {
            planner: "IDM".to_owned(),
            came: Err("it has no <route>".to_owned()),
        };
        let scene = scene();
        let both = Clips {
            case: true,
            drives: true,
        };
        page.add((&scene.name, &scene), &files, &[drive], both);
        let html = page.html();
        assert!(html.starts_with("<!doctype html>") && html.ends_with("</body></html>\n"));
        assert!(html.contains("<title>Near &quot;misses&quot;</title>"));
        assert!(html.contains("<img src=\"001-a-b.gif\" alt=\"A &amp; B\""));
        assert!(html.contains("<img src=\"001-a-b-drives.gif\""));
        assert!(html.contains("href=\"001-a-b.json\"") && html.contains("href=\"#case-1\""));
        // 3 m between the centres less twice half a width
        assert!(html.contains(">&lt;parked&gt;</td><td>1.0 m at "), "{html}");
        assert!(html.contains("failed: it has no &lt;route&gt;"));
        assert!(html.contains("1 case. Made with") && html.contains("IDM drives"));
        page.leave_out("broken\nfile", "it is no scene");
        assert!(
            page.html()
                .contains("Left out: broken file: it is no scene")
        );
        let long = Files::of(9, &"x".repeat(300));
        assert_eq!((long.case.len(), &long.case[..4]), (4 + 60 + 5, "010-"));
        assert!(!html.contains("<parked>") && !html.contains("<route>"));
    }

    fn map() -> Map {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Map {
            title: "<all>".to_owned(),
            sides: ["speed of ego".to_owned(), "contact".to_owned()],
            values: [words(&["4 m/s", "5 m/s"]), words(&["3 s", "4 s"])],
            spots: vec![
                Spot::Case(0),
                Spot::Off {
                    word: "no way".to_owned(),
                    about: "it is \"too\" fast".to_owned(),
                },
                Spot::Left(Some(0)),
                Spot::Waiting,
            ],
        }
    }

    #[test]
    fn a_map_shows_what_cases_came_to_and_leads_to_them() {
        let mut page = Page::new("t", &["IDM".to_owned()], "");
        let scene = scene();
        let clips = Clips {
            case: false,
            drives: false,
        };
        page.add(("case", &scene), &Files::of(0, "case"), &[], clips);
        page.map(&map(), None);
        page.map(&map(), Some("IDM"));
        let html = page.html();
        assert!(!html.contains("<img") && !html.contains("<all>"));
        assert!(
            html.contains(
                "<th>speed of ego \u{2193}  contact \u{2192}</th><th>3 s</th><th>4 s</th>"
            )
        );
        // a scene that was never generated passes no gate; the planner was not given it
        let case = "<td class=\"dim\" title=\"A &amp; B: not generated\"><a href=\"#case-1\">changed</a></td>";
        assert_eq!(html.matches(case).count(), 2, "{html}");
        let no = "<td class=\"dim\" title=\"it is &quot;too&quot; fast\">no way</td>";
        assert_eq!(html.matches(no).count(), 2);
        assert_eq!(html.matches("<td class=\"left dim\"").count(), 2);
    }

    #[test]
    fn every_element_that_is_opened_is_closed() {
        let mut page = Page::new("t", &[], "");
        let scene = scene();
        for number in 0..3 {
            let clips = Clips {
                case: number > 0,
                drives: number > 1,
            };
            page.add(("case", &scene), &Files::of(number, "case"), &[], clips);
        }
        page.map(&map(), None);
        let html = page.html();
        for element in [
            "html", "head", "body", "section", "div", "table", "tr", "td", "th", "p", "h2", "h3",
            "a",
        ] {
            let opened = html.matches(&format!("<{element}>")).count()
                + html.matches(&format!("<{element} ")).count();
            let closed = html.matches(&format!("</{element}>")).count();
            assert_eq!(opened, closed, "{element}");
        }
        assert_eq!(html.matches("<section").count(), 3);
    }
}
