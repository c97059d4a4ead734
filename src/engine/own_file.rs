//! A planner that is a file: futures that another program has written down, as the answer to each request.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::Deserialize;

use super::own::OwnPlanner;
use crate::data::{PlanFile, is_plan_file_name};
use crate::planner::{Ask, ProposeError};

/// A file of futures ([`PlanFile`]) as a planner ([`Ask`]): read anew at each request, so that what is written meanwhile
/// counts. Where the file does not say from which moment on it holds, it holds from the first one asked for.
struct OwnFile {
    path: PathBuf,
    identity: String,
    first_s: OnceLock<f64>,
}

/// The planner that `command` means: the futures in a file, if it is the path of a CSV or JSON file, else the program that
/// it starts ([`OwnPlanner`]).
///
/// # Errors
/// A sentence, if the command is empty or its quotes do not match.
pub fn own_planner(command: &str) -> Result<Box<dyn Ask>, String> {
    // a path may hold blanks, or be quoted; a single word of that name is no program
    let whole = Path::new(command.trim());
    let word = shlex::split(command).filter(|words| words.len() == 1);
    let word = word.and_then(|mut words| words.pop()).map(PathBuf::from);
    let path = if whole.is_file() {
        Some(whole.to_owned())
    } else {
        word
    };
    if let Some(path) = path.filter(|path| is_plan_file_name(path)) {
        return Ok(Box::new(OwnFile {
            identity: format!("<own: {}>", path.display()),
            path,
            first_s: OnceLock::new(),
        }));
    }
    Ok(Box::new(OwnPlanner::new(command)?))
}

impl Ask for OwnFile {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn ask(
        &self,
        request: &str,
        _waiting: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<String, ProposeError> {
        #[derive(Deserialize)]
        struct Moment {
            now_s: f64,
        }
        let moment: Moment = serde_json::from_str(request)
            .map_err(|error| ProposeError::Own(format!("the request: {error}")))?;
        let file = PlanFile::read(&self.path).map_err(ProposeError::Own)?;
        let first_s = *self.first_s.get_or_init(|| moment.now_s);
        file.answer(moment.now_s, first_s)
            .map_err(|problem| ProposeError::Own(format!("{}: {problem}", self.path.display())))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Seek as _;
    use std::io::Write as _;

    use super::*;

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
