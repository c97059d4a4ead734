//! A planner that is a file, or a folder of a file for each scene: futures that another program has written down, as the
//! answer to each request.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;

use super::own::OwnPlanner;
use crate::data::{PlanFile, file_name, is_plan_file_name};
use crate::planner::{Ask, ProposeError};

/// Futures in a file ([`PlanFile`]), or in a folder with a file for each scene, as a planner ([`Ask`]): read anew at each
/// request, so that what is written meanwhile counts. In a folder a file is named as the scene's file is, else as the scene
/// is ([`file_name`]), `NAME.csv` or `NAME.json`, or for each moment that is planned, `NAME@2.0.csv` for 2 s. Where a file does not say from
/// which moment on it holds, it holds from that in its name, else from the first one it is asked for.
struct OwnFutures {
    path: PathBuf,
    identity: String,
    /// The first moment that each file was asked for.
    first_s: Mutex<BTreeMap<PathBuf, f64>>,
}

/// What of a request says which futures are wanted.
#[derive(Deserialize)]
struct Moment {
    now_s: f64,
    file: Option<String>,
    #[serde(default)]
    ego: String,
    #[serde(default)]
    scene: Seen,
}

#[derive(Default, Deserialize)]
struct Seen {
    #[serde(default)]
    name: String,
    #[serde(default)]
    agents: Vec<Agent>,
}

#[derive(Deserialize)]
struct Agent {
    id: String,
    states: Places,
}

#[derive(Deserialize)]
struct Places {
    x: Vec<Option<f64>>,
    y: Vec<Option<f64>>,
}

impl Moment {
    /// Where the ego is, scene frame: its present is the last frame.
    fn place(&self) -> Option<[f64; 2]> {
        let ego = self
            .scene
            .agents
            .iter()
            .find(|agent| agent.id == self.ego)?;
        let Places { x, y } = &ego.states;
        Some([(*x.last()?)?, (*y.last()?)?])
    }
}

/// The planner that `command` means: the futures in a file, if it is the path of a CSV or JSON file, or in a folder of them,
/// a file for each scene; else the program that it starts ([`OwnPlanner`]).
///
/// # Errors
/// A sentence, if the command is empty or its quotes do not match.
pub fn own_planner(command: &str) -> Result<Box<dyn Ask>, String> {
    // a path may hold blanks, or be quoted; a single word of that name is no program
    let whole = Path::new(command.trim());
    let word = shlex::split(command).filter(|words| words.len() == 1);
    let word = word.and_then(|mut words| words.pop()).map(PathBuf::from);
    let path = if whole.exists() {
        Some(whole.to_owned())
    } else {
        word
    };
    if let Some(path) = path.filter(|path| path.is_dir() || is_plan_file_name(path)) {
        return Ok(Box::new(OwnFutures {
            identity: format!("<own: {}>", path.display()),
            path,
            first_s: Mutex::default(),
        }));
    }
    Ok(Box::new(OwnPlanner::new(command)?))
}

impl OwnFutures {
    /// The file that answers, and whether it is of that moment alone.
    fn file(&self, moment: &Moment) -> Result<(PathBuf, bool), String> {
        let Moment {
            now_s, file, scene, ..
        } = moment;
        if !self.path.is_dir() {
            return Ok((self.path.clone(), false));
        }
        let found = |stem: &str| {
            let files = ["csv", "json"].map(|end| self.path.join(format!("{stem}.{end}")));
            files.into_iter().find(|file| file.is_file())
        };
        let of_file = file.as_deref().map(file_name);
        let name = file_name(&scene.name);
        for stem in of_file.iter().chain([&name]) {
            let of_moment = [1, 2].map(|digits| format!("{stem}@{now_s:.digits$}"));
            if let Some(file) = of_moment.iter().find_map(|stem| found(stem)) {
                return Ok((file, true));
            }
            if let Some(file) = found(stem) {
                return Ok((file, false));
            }
        }
        let both = match of_file.filter(|file| *file != name) {
            Some(file) => format!("neither {file}.csv nor {name}.csv is there"),
            None => format!("neither {name}.csv nor {name}@{now_s:.1}.csv is there"),
        };
        Err(format!(
            "{} has no futures for the scene \"{}\" at {now_s:.1} s: {both} (nor .json)",
            self.path.display(),
            scene.name
        ))
    }

    fn answer(&self, moment: &Moment) -> Result<String, String> {
        let (file, is_of_moment) = self.file(moment)?;
        let futures = PlanFile::read(&file)?;
        let mut all = self.first_s.lock().unwrap_or_else(PoisonError::into_inner);
        let first_s = match is_of_moment {
            true => moment.now_s,
            false => *all.entry(file.clone()).or_insert(moment.now_s),
        };
        futures
            .answer(moment.now_s, first_s, moment.place())
            .map_err(|problem| format!("{}: {problem}", file.display()))
    }
}

impl Ask for OwnFutures {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn ask(
        &self,
        request: &str,
        _waiting: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<String, ProposeError> {
        let moment: Moment = serde_json::from_str(request)
            .map_err(|error| ProposeError::Own(format!("the request: {error}")))?;
        self.answer(&moment).map_err(ProposeError::Own)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Seek as _;
    use std::io::Write as _;

    use super::*;

    /// A file of that name, there as long as what is returned.
    fn written(folder: &tempfile::TempDir, name: &str, text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::Builder::new()
            .prefix(name)
            .rand_bytes(0)
            .tempfile_in(folder.path())
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn a_folder_answers_each_scene_and_moment_from_its_own_file() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| written(&folder, name, text);
        let _files = [
            write("left-turn.csv", "t,x,y\n0.5,1,2\n1.0,2,2\n"),
            write("left-turn@4.0.json", "[[7, 8]]"),
            write("merge.json", "[[5, 6], [6, 6]]"),
        ];
        let planner = own_planner(&folder.path().display().to_string()).unwrap();
        let ask = |name: &str, now_s: f64| {
            let request = format!(r#"{{"now_s": {now_s}, "scene": {{"name": "{name}"}}}}"#);
            planner.ask(&request, &mut || ControlFlow::Continue(()))
        };
        assert!(
            ask("left turn", 2.0)
                .unwrap()
                .contains("[[1.0,2.0],[2.0,2.0]]")
        );
        // the moments of one scene do not move those of another
        assert!(ask("merge", 3.0).unwrap().contains("[[5.0,6.0],[6.0,6.0]]"));
        assert!(ask("left turn", 2.5).unwrap().contains("[[2.0,2.0]]"));
        assert!(ask("left turn", 4.0).unwrap().contains("[[7.0,8.0]]"));
        let said = ask("no/such", 2.0).unwrap_err().to_string();
        assert!(
            said.contains("neither no-such.csv nor no-such@2.0.csv"),
            "{said}"
        );
    }

    #[test]
    fn cases_of_one_name_are_told_apart_by_their_files() {
        let folder = tempfile::tempdir().unwrap();
        let _files = [
            written(&folder, "0001-attack.json", "[[1, 2]]"),
            written(&folder, "0002-attack.csv", "x,y\n3,4\n"),
            written(&folder, "merge@2.0.csv", "x,y\n5,6\n"),
        ];
        let planner = own_planner(&folder.path().display().to_string()).unwrap();
        let ask = |file: &str, name: &str| {
            let request =
                format!(r#"{{"now_s": 2, "file": "{file}", "scene": {{"name": "{name}"}}}}"#);
            planner.ask(&request, &mut || ControlFlow::Continue(()))
        };
        assert!(ask("0001-attack", "merge").unwrap().contains("[[1.0,2.0]]"));
        assert!(ask("0002 attack", "merge").unwrap().contains("[[3.0,4.0]]"));
        // where there is none for the file, that for the scene's name counts
        assert!(ask("0003-attack", "merge").unwrap().contains("[[5.0,6.0]]"));
        let said = ask("0003-attack", "left turn").unwrap_err().to_string();
        assert!(
            said.contains("neither 0003-attack.csv nor left-turn.csv"),
            "{said}"
        );
    }

    #[test]
    fn a_file_answers_with_what_it_holds_when_it_is_asked_from_the_first_moment_on() {
        let mut file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
        let mut write = |text: &str| {
            file.as_file_mut().set_len(0).unwrap();
            file.rewind().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file.path().display().to_string()
        };
        let planner = own_planner(&write("t,x,y\n0.5,1,2\n1.0,2,2\n")).unwrap();
        let ask = |now_s: f64| {
            let request = format!("{{\"now_s\": {now_s}}}");
            planner.ask(&request, &mut || ControlFlow::Continue(()))
        };
        assert!(ask(2.0).unwrap().contains("[[1.0,2.0],[2.0,2.0]]"));
        // half a second later the second point is the first
        assert!(ask(2.5).unwrap().contains("[[2.0,2.0]]"));
        write("t,x,y\n0.5,3,4\n");
        assert!(ask(2.0).unwrap().contains("[[3.0,4.0]]"));
        // where times are uneven, the way begins where the ego is
        write("t,x,y\n1,3,4\n3,3,8\n");
        let ego = r#"{"id": "e", "states": {"x": [null, 3], "y": [null, 2]}}"#;
        let request = format!(r#"{{"now_s": 2, "ego": "e", "scene": {{"agents": [{ego}]}}}}"#);
        let answer = planner.ask(&request, &mut || ControlFlow::Continue(()));
        let answer = answer.unwrap();
        assert!(answer.contains("[[3.0,2.2],[3.0,2.4],"), "{answer}");
        let path = write("x;y\n3;4\n");
        let said = ask(2.0).unwrap_err().to_string();
        let missing = own_planner("'no such.csv'").unwrap();
        let missing = missing.ask(r#"{"now_s": 0}"#, &mut || ControlFlow::Continue(()));
        assert!(
            missing
                .unwrap_err()
                .to_string()
                .starts_with("no such.csv: ")
        );
        assert!(
            said.contains(&path) && said.contains("columns x and y"),
            "{said}"
        );
    }
}
