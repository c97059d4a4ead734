//! Everything that touches the disk, on threads of its own: the window asks and is told, and never waits.

use std::fs;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use serde::Deserialize;
use serde::Serialize;

use super::bundled::Bundled;
use super::lab::Case;
use super::settings::Settings;
use super::settings::write_atomically;
use super::shelf;
use super::thumbnail::Thumbnail;
use crate::data;
use crate::scene::Scene;
use crate::scene::read_scene;
use crate::scene::scene_from_json;
use crate::scene::scene_to_json;
use crate::scene::write_scene;

/// Wakes the window when an answer is there.
pub(super) type Wake = Arc<dyn Fn() + Send + Sync>;

/// What the window asks for.
pub(super) enum Request {
    /// Read the scenes that come with the program: names and texts.
    Bundled(&'static [(&'static str, &'static str)]),
    /// Write a scene, read it again and compare.
    Save {
        /// Number of the document it is of; absent for a scene that is none.
        document: Option<u64>,
        /// The scene.
        scene: Arc<Scene>,
        /// Where to.
        path: PathBuf,
    },
    /// Keep the scene for recovery.
    Autosave {
        /// The scene.
        scene: Arc<Scene>,
        /// Where its document lies, for the offer.
        origin: String,
    },
    /// Delete this session's autosave: everything is saved, or let go.
    DropAutosave,
    /// Say so when all that was asked for before is done.
    Flush(mpsc::Sender<()>),
    /// Take over the trays that earlier windows have left.
    Tray,
    /// Keep the tray as it is now.
    KeepTray {
        /// Number of its last change.
        change: u64,
        /// Names and scenes.
        cases: Vec<(String, Arc<Scene>)>,
    },
    /// Delete other autosaves.
    Forget(Vec<PathBuf>),
    /// Complete a typed path.
    Complete {
        /// What was typed.
        typed: String,
    },
    /// Write the settings.
    Store(Box<Settings>),
}

/// What the window wants to read. It may take long, so nothing else waits for it, and a newer wish takes its place.
pub(super) enum Reading {
    /// Open a scene.
    Open {
        /// Number of the request; answers to older ones are dropped.
        ticket: u64,
        /// Where it lies.
        path: PathBuf,
        /// Which of several.
        pick: Option<String>,
    },
    /// List the scenes of a file or folder.
    List {
        /// Number of the request.
        ticket: u64,
        /// Where to look.
        path: PathBuf,
    },
}

/// What the window is told.
pub(super) enum Answer {
    /// The scenes that come with the program.
    Bundled(Vec<Bundled>),
    /// A scene was opened, or not.
    Opened {
        /// Which request it answers.
        ticket: u64,
        /// Where it came from.
        path: PathBuf,
        /// Which of several.
        pick: Option<String>,
        /// The scene, or a sentence.
        result: Result<Box<data::Opened>, String>,
    },
    /// The scenes of a file or folder.
    Listed {
        /// Which request it answers.
        ticket: u64,
        /// Where they lie.
        path: PathBuf,
        /// The scenes, or a sentence.
        result: Result<Vec<data::Entry>, String>,
    },
    /// A scene was written and compared, or not.
    Saved {
        /// Number of the document it is of, as it was asked.
        document: Option<u64>,
        /// The scene.
        scene: Arc<Scene>,
        /// Where to.
        path: PathBuf,
        /// Its size in bytes, or a sentence.
        result: Result<u64, String>,
    },
    /// Cases that earlier windows have left in their trays, and what of these could not be read.
    Tray(Vec<Case>, Vec<String>),
    /// The tray as it was at a change is kept, or a sentence.
    TrayKept(u64, Result<(), String>),
    /// The autosave could not be written.
    AutosaveFailed(String),
    /// Paths that begin as typed.
    Completions {
        /// What was typed.
        typed: String,
        /// Folders end in a separator.
        paths: Vec<String>,
        /// A scene saved there would replace a file.
        exists: bool,
    },
    /// The user chose a file, or closed the dialog.
    Picked {
        /// What for.
        purpose: Purpose,
        /// The file.
        path: Option<PathBuf>,
    },
    /// A picture for the library.
    Thumbnail {
        /// Which file.
        path: PathBuf,
        /// Which of several.
        pick: Option<String>,
        /// The picture; absent if the scene cannot be opened.
        picture: Option<Thumbnail>,
    },
}

/// What a file is chosen for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Opening a file.
    Open,
    /// Opening a folder.
    OpenFolder,
    /// Writing the scene of the document with this number.
    Save(u64),
    /// A file for an export.
    Export,
    /// A folder for an export.
    ExportFolder,
    /// Writing the scene on which the model failed.
    Bug,
}

/// An autosave found at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recovery {
    /// The scene file.
    pub path: PathBuf,
    /// Where the document lay.
    pub origin: String,
    /// Number of edits in it.
    pub edits: usize,
    /// Seconds since it was written.
    pub age_s: u64,
}

#[derive(Serialize, Deserialize)]
struct Note {
    origin: String,
    edits: usize,
    written_unix_s: u64,
}

/// The window's end of the file threads.
pub(super) struct Files {
    requests: mpsc::Sender<Request>,
    readings: mpsc::Sender<Reading>,
    pictures: mpsc::Sender<(PathBuf, Option<String>)>,
    answers: mpsc::Receiver<Answer>,
    sender: mpsc::Sender<Answer>,
    wake: Wake,
}

impl Files {
    /// Starts the threads. `folder` holds settings and autosaves.
    pub(super) fn start(folder: PathBuf, wake: Wake) -> Self {
        let (requests, inbox) = mpsc::channel();
        let (readings, read) = mpsc::channel();
        let (pictures, wanted) = mpsc::channel();
        let (sender, answers) = mpsc::channel();
        let out = Outbox {
            sender: sender.clone(),
            wake: wake.clone(),
        };
        let autosave = folder.join(format!("autosave-{}.json", clock_ms()));
        let spawned = thread::Builder::new()
            .name("files".to_owned())
            .spawn(move || serve(&inbox, &out, &folder, &autosave));
        drop(spawned);
        let out = Outbox {
            sender: sender.clone(),
            wake: wake.clone(),
        };
        let spawned = thread::Builder::new()
            .name("opening".to_owned())
            .spawn(move || read_scenes(&read, &out));
        drop(spawned);
        let out = Outbox {
            sender: sender.clone(),
            wake: wake.clone(),
        };
        let spawned = thread::Builder::new()
            .name("thumbnails".to_owned())
            .spawn(move || draw_pictures(&wanted, &out));
        drop(spawned);
        Self {
            requests,
            readings,
            pictures,
            answers,
            sender,
            wake,
        }
    }

    /// Waits until what was asked for is done, but no longer than `patience`.
    pub(super) fn flush(&self, patience: Duration) {
        let (done, all) = mpsc::channel();
        self.ask(Request::Flush(done));
        let _or_not = all.recv_timeout(patience);
    }

    /// Asks for something. If the thread is gone nothing happens.
    pub(super) fn ask(&self, request: Request) {
        let _gone = self.requests.send(request);
    }

    /// Asks for a scene, or for a list of them.
    pub(super) fn read(&self, reading: Reading) {
        let _gone = self.readings.send(reading);
    }

    /// Asks for a picture of a scene.
    pub(super) fn ask_picture(&self, path: PathBuf, pick: Option<String>) {
        let _gone = self.pictures.send((path, pick));
    }

    /// The next answer, if there is one.
    pub(super) fn answer(&self) -> Option<Answer> {
        self.answers.try_recv().ok()
    }

    /// Opens the system's dialog; the choice comes as an answer.
    pub(super) fn ask_user(&self, purpose: Purpose, start: Option<&Path>, name: &str) {
        let mut dialog = rfd::AsyncFileDialog::new();
        if let Some(folder) = start {
            dialog = dialog.set_directory(folder);
        }
        let (sender, wake) = (self.sender.clone(), self.wake.clone());
        let report = move |path: Option<PathBuf>| {
            let _gone = sender.send(Answer::Picked { purpose, path });
            wake();
        };
        let own = |handle: rfd::FileHandle| handle.path().to_owned();
        let spawned = match purpose {
            Purpose::Open => {
                let chosen = dialog.set_title("Open a scene").pick_file();
                thread::Builder::new().spawn(move || report(pollster::block_on(chosen).map(own)))
            }
            Purpose::OpenFolder | Purpose::ExportFolder => {
                let title = match purpose {
                    Purpose::OpenFolder => "Open a folder of scenes",
                    _ => "Export into a folder",
                };
                let chosen = dialog.set_title(title).pick_folder();
                thread::Builder::new().spawn(move || report(pollster::block_on(chosen).map(own)))
            }
            Purpose::Save(_) | Purpose::Bug => {
                let chosen = dialog
                    .set_title("Save the scene")
                    .set_file_name(name)
                    .add_filter("Nearmiss scene", &["json"])
                    .save_file();
                thread::Builder::new().spawn(move || report(pollster::block_on(chosen).map(own)))
            }
            Purpose::Export => {
                let chosen = dialog
                    .set_title("Export to a file")
                    .set_file_name(name)
                    .save_file();
                thread::Builder::new().spawn(move || report(pollster::block_on(chosen).map(own)))
            }
        };
        drop(spawned);
    }
}

struct Outbox {
    sender: mpsc::Sender<Answer>,
    wake: Wake,
}

impl Outbox {
    fn send(&self, answer: Answer) {
        let _gone = self.sender.send(answer);
        (self.wake)();
    }
}

/// The clock, ms since 1970: it names autosaves and says how old they are, and reaches nothing else.
#[expect(
    clippy::disallowed_methods,
    reason = "an autosave is offered with its age; no scene carries it"
)]
fn clock_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// Marks the autosave as that of a running window: the lock ends with the process, however it ends. Without a lock
/// (a folder that cannot be written) another window may offer the autosave too early, and nothing worse.
fn hold(autosave: &Path) -> Option<fs::File> {
    let path = autosave.with_extension("lock");
    fs::create_dir_all(path.parent()?).ok()?;
    let file = fs::File::create(path).ok()?;
    file.try_lock().ok()?;
    Some(file)
}

/// Whether the window that wrote an autosave still runs.
fn is_held(autosave: &Path) -> bool {
    let lock = fs::File::open(autosave.with_extension("lock"));
    lock.is_ok_and(|file| matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)))
}

fn serve(inbox: &mpsc::Receiver<Request>, out: &Outbox, folder: &Path, autosave: &Path) {
    let held = hold(autosave);
    // trays taken over; they go once this window's own holds their cases
    let mut taken: Vec<PathBuf> = Vec::new();
    while let Ok(request) = inbox.recv() {
        match request {
            Request::Bundled(texts) => out.send(Answer::Bundled(bundled(texts))),
            Request::Save {
                document,
                scene,
                path,
            } => {
                let result = save(&scene, &path);
                out.send(Answer::Saved {
                    document,
                    scene,
                    path,
                    result,
                });
            }
            Request::Autosave { scene, origin } => {
                if let Err(error) = keep(&scene, origin, autosave) {
                    out.send(Answer::AutosaveFailed(error.to_string()));
                }
            }
            Request::DropAutosave => remove(autosave),
            Request::Flush(done) => {
                let _nobody_waits = done.send(());
            }
            Request::Tray => {
                let (mut cases, mut faults) = (Vec::new(), Vec::new());
                for path in shelf::left(folder, is_held) {
                    match shelf::read(&path) {
                        Ok(read) => {
                            cases.extend(read);
                            taken.push(path);
                        }
                        Err(message) => {
                            // set aside, so that it is said once
                            let aside = path.with_extension("damaged");
                            let shown = aside.display().to_string();
                            let moved = fs::rename(&path, aside).is_ok();
                            let kept = if moved {
                                format!(" (kept as {shown})")
                            } else {
                                String::new()
                            };
                            faults.push(format!("{message}{kept}"));
                        }
                    }
                }
                if !cases.is_empty() || !faults.is_empty() {
                    out.send(Answer::Tray(cases, faults));
                }
            }
            Request::KeepTray { change, cases } => {
                let kept = shelf::store(autosave, &cases).map_err(|error| error.to_string());
                if kept.is_ok() {
                    for path in taken.drain(..) {
                        let _absent = fs::remove_file(path);
                    }
                }
                out.send(Answer::TrayKept(change, kept));
            }
            Request::Forget(paths) => paths.iter().for_each(|path| forget(path)),
            Request::Complete { typed } => {
                let paths = complete(&typed);
                let exists = scene_file(Path::new(typed.trim())).exists();
                out.send(Answer::Completions {
                    typed,
                    paths,
                    exists,
                });
            }
            Request::Store(settings) => {
                if let Err(error) = settings.store(folder) {
                    out.send(Answer::AutosaveFailed(format!("settings: {error}")));
                }
            }
        }
    }
    drop(held);
    if !autosave.exists() {
        let _absent = fs::remove_file(autosave.with_extension("lock"));
    }
}

fn read_scenes(wanted: &mpsc::Receiver<Reading>, out: &Outbox) {
    while let Ok(first) = wanted.recv() {
        // what waits behind it is newer
        match wanted.try_iter().last().unwrap_or(first) {
            Reading::Open { ticket, path, pick } => {
                let result = open(&path, pick.as_deref());
                out.send(Answer::Opened {
                    ticket,
                    path,
                    pick,
                    result,
                });
            }
            Reading::List { ticket, path } => {
                let result = data::list(&path).map_err(|error| error.to_string());
                out.send(Answer::Listed {
                    ticket,
                    path,
                    result,
                });
            }
        }
    }
}

fn draw_pictures(wanted: &mpsc::Receiver<(PathBuf, Option<String>)>, out: &Outbox) {
    while let Ok((path, pick)) = wanted.recv() {
        let picture = open(&path, pick.as_deref())
            .ok()
            .map(|opened| Thumbnail::of(&opened.scene));
        out.send(Answer::Thumbnail {
            path,
            pick,
            picture,
        });
    }
}

/// The bundled scenes that can be read; the program's own tests hold that all can.
fn bundled(texts: &[(&str, &str)]) -> Vec<Bundled> {
    let read = |(stem, text): &(&str, &str)| {
        let scene = scene_from_json(text.as_bytes(), stem).ok()?;
        Some(Bundled {
            name: if scene.name.is_empty() {
                (*stem).to_owned()
            } else {
                scene.name.clone()
            },
            about: scene.source.clone(),
            picture: Thumbnail::of(&scene),
            scene: Arc::new(scene),
        })
    };
    texts.iter().filter_map(read).collect()
}

/// Opens a scene; a fault in an importer becomes a sentence, not the end of the thread.
fn open(path: &Path, pick: Option<&str>) -> Result<Box<data::Opened>, String> {
    let attempt = std::panic::catch_unwind(AssertUnwindSafe(|| data::open(path, pick)));
    match attempt {
        Ok(Ok(opened)) => Ok(Box::new(opened)),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!(
            "{}: the importer failed on this file. Please report it with the file",
            path.display()
        )),
    }
}

/// Writes a scene, reads it again and compares; its size in bytes.
pub(super) fn save(scene: &Scene, path: &Path) -> Result<u64, String> {
    write_scene(scene, path).map_err(|error| error.to_string())?;
    let again = read_scene(path).map_err(|error| format!("written, but not readable: {error}"))?;
    if again.hash() != scene.hash() {
        return Err(format!(
            "{}: written, but reading it again gives another scene. Save to another place and report this",
            path.display()
        ));
    }
    Ok(fs::metadata(path).map_or(0, |facts| facts.len()))
}

fn keep(scene: &Scene, origin: String, autosave: &Path) -> std::io::Result<()> {
    let note = Note {
        origin,
        edits: scene.edits.len(),
        written_unix_s: clock_ms() / 1000,
    };
    write_atomically(autosave, scene_to_json(scene).as_bytes())?;
    let text = serde_json::to_vec(&note).map_err(std::io::Error::other)?;
    write_atomically(&autosave.with_extension("note"), &text)
}

fn remove(autosave: &Path) {
    let _absent = fs::remove_file(autosave);
    let _absent = fs::remove_file(autosave.with_extension("note"));
}

/// Deletes an autosave of an earlier session with its lock.
fn forget(autosave: &Path) {
    remove(autosave);
    let _absent = fs::remove_file(autosave.with_extension("lock"));
}

/// Autosaves left in `folder` by earlier sessions, newest first.
pub(super) fn recoveries(folder: &Path) -> Vec<Recovery> {
    let now_s = clock_ms() / 1000;
    let Ok(files) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<Recovery> = files
        .flatten()
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|end| end == "note"))
        .filter_map(|note| {
            let bytes = fs::read(&note).ok()?;
            let read: Note = serde_json::from_slice(&bytes).ok()?;
            let path = note.with_extension("json");
            (path.is_file() && !is_held(&path)).then(|| Recovery {
                path,
                origin: read.origin,
                edits: read.edits,
                age_s: now_s.saturating_sub(read.written_unix_s),
            })
        })
        .collect();
    found.sort_by(|a, b| a.age_s.cmp(&b.age_s).then(a.path.cmp(&b.path)));
    found
}

/// The file in which a scene is saved for a chosen path: `.json` where that has no ending.
pub(super) fn scene_file(path: &Path) -> PathBuf {
    match path.extension() {
        Some(_) => path.to_owned(),
        None => path.with_extension("json"),
    }
}

/// Paths that begin with what was typed, at most 12, folders first.
fn complete(typed: &str) -> Vec<String> {
    let typed_path = Path::new(typed);
    let ends_in_folder = typed.is_empty() || typed.ends_with(std::path::is_separator);
    let (folder, start) = if ends_in_folder {
        (typed_path, String::new())
    } else {
        let start = typed_path.file_name().unwrap_or_default();
        let folder = typed_path.parent().unwrap_or_else(|| Path::new(""));
        (folder, start.to_string_lossy().to_lowercase())
    };
    let looked = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let Ok(entries) = fs::read_dir(looked) else {
        return Vec::new();
    };
    let mut found: Vec<(bool, String)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let hidden = name.starts_with('.') && !start.starts_with('.');
            if hidden || !name.to_lowercase().starts_with(&start) {
                return None;
            }
            let is_file = !entry.path().is_dir();
            let end = if is_file { "" } else { "/" };
            Some((is_file, format!("{}{end}", folder.join(name).display())))
        })
        .collect();
    found.sort();
    found.truncate(12);
    found.into_iter().map(|(_, path)| path).collect()
}

/// Whether the system can show a file dialog. On Linux it needs a desktop portal or zenity.
pub(super) fn dialogs_available() -> bool {
    if !cfg!(all(unix, not(target_os = "macos"))) {
        return true;
    }
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let on_path = |program: &str| {
        std::env::split_paths(&variable("PATH")).any(|folder| folder.join(program).is_file())
    };
    let bus = !variable("DBUS_SESSION_BUS_ADDRESS").is_empty()
        || Path::new(&variable("XDG_RUNTIME_DIR")).join("bus").exists();
    let folders = variable("XDG_DATA_DIRS");
    let folders = if folders.is_empty() {
        "/usr/local/share:/usr/share"
    } else {
        &folders
    };
    let service = "dbus-1/services/org.freedesktop.portal.Desktop.service";
    let portal = bus && std::env::split_paths(folders).any(|folder| folder.join(service).is_file());
    portal || on_path("zenity")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_autosave_is_offered_with_its_origin_and_edits_until_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let autosave = folder.path().join("autosave-1.json");
        let scene = Scene {
            dt_s: 0.1,
            frames: 1,
            ..Scene::default()
        };
        keep(&scene, "left turn".to_owned(), &autosave).unwrap();
        let found = recoveries(folder.path());
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].origin.as_str(), found[0].edits), ("left turn", 0));
        assert_eq!(read_scene(&found[0].path).unwrap().hash(), scene.hash());
        remove(&autosave);
        assert!(recoveries(folder.path()).is_empty());
    }

    #[test]
    fn an_autosave_is_offered_only_once_its_window_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let autosave = folder.path().join("autosave-1.json");
        let scene = Scene {
            dt_s: 0.1,
            frames: 1,
            ..Scene::default()
        };
        let held = hold(&autosave);
        keep(&scene, "left turn".to_owned(), &autosave).unwrap();
        assert!(held.is_some() && recoveries(folder.path()).is_empty());
        drop(held);
        assert_eq!(recoveries(folder.path()).len(), 1);
        forget(&autosave);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_typed_path_is_known_to_replace_a_file_without_its_ending() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("left-turn.json"), b"{}").unwrap();
        let files = Files::start(folder.path().join("own"), Arc::new(|| {}));
        for (name, there) in [
            ("left-turn", true),
            ("left-turn.json", true),
            ("left", false),
        ] {
            let typed = folder.path().join(name).display().to_string();
            files.ask(Request::Complete { typed });
            let Ok(Answer::Completions { exists, .. }) = files.answers.recv() else {
                panic!("{name}: another answer");
            };
            assert_eq!(exists, there, "{name}");
        }
    }

    #[test]
    fn completion_lists_folders_first_and_hides_dot_files() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["scene_b.json", "scene_a.json", ".scene_c"] {
            fs::write(folder.path().join(name), b"").unwrap();
        }
        fs::create_dir(folder.path().join("scenes")).unwrap();
        let typed = folder.path().join("Sce");
        let names: Vec<String> = complete(&typed.display().to_string())
            .iter()
            .map(|path| {
                path.trim_start_matches(&*folder.path().to_string_lossy())
                    .to_owned()
            })
            .collect();
        assert_eq!(names, ["/scenes/", "/scene_a.json", "/scene_b.json"]);
    }
}
