//! Planners that drive cases: the arguments of the commands that tell of it, and the drives.

use std::sync::atomic::AtomicBool;

use super::batch::Shown;
use super::drive::{drive_scene, worlds};
use super::planning::{Choosing, Crew, decoders};
use super::usage::ensure_usage;
use super::weights;
use crate::codec::{DT_S, NOW, T};
use crate::engine::DriveWorld;
use crate::model::Network;
use crate::page::{Drive, drove};
use crate::planner::{Decoder, DriveSettings, Driven};
use crate::scene::Scene;

/// How long each drive is unless asked otherwise, s: as far as the model makes futures.
const HORIZON_S: f64 = (T - NOW - 1) as f64 * DT_S;

/// Who drives, and among whom.
#[derive(clap::Args)]
pub(super) struct Drivers {
    /// Planners that drive each case, comma separated: what came of it is told.
    #[arg(long, value_parser = decoders(), value_delimiter = ',', value_name = "DECODER")]
    planners: Vec<Decoder>,
    /// A planner of your own, decoder own, a command as of `nearmiss plan`; it drives after the others unless they name it.
    #[arg(long, value_name = "COMMAND")]
    own: Option<String>,
    /// Who moves everyone else while planners drive, as of `nearmiss drive`.
    #[arg(long, value_parser = worlds(), default_value = DriveWorld::default().key(), value_name = "WORLD")]
    world: DriveWorld,
    /// At most so many seconds of each drive; cases are made for 8.
    #[arg(long, default_value_t = HORIZON_S)]
    seconds: f64,
    /// Plans per second of each drive, as of `nearmiss drive`.
    #[arg(long, default_value_t = DriveSettings::default().replan_hz)]
    replan_hz: f64,
    #[command(flatten)]
    choosing: Choosing,
}

impl Drivers {
    /// Whether what is asked for goes together.
    ///
    /// # Errors
    /// Names the options that do not, or what is out of range.
    pub(super) fn fit(&self) -> anyhow::Result<()> {
        ensure_usage!(
            self.own.is_some() || !self.planners.contains(&Decoder::Own),
            "--planners own is a planner of your own, and no command that starts it is given (--own COMMAND)"
        );
        let mut named = self.planners.iter().enumerate();
        let twice = named.find(|(at, planner)| self.planners[..*at].contains(planner));
        ensure_usage!(
            twice.is_none(),
            "--planners {}: it drives already",
            twice.map_or("", |(_, planner)| planner.key())
        );
        ensure_usage!(
            (0.1..=600.0).contains(&self.seconds),
            "--seconds {}: a drive lasts between 0.1 and 600 s",
            self.seconds
        );
        ensure_usage!(
            (0.2..=10.0).contains(&self.replan_hz),
            "--replan-hz {}: between 0.2 and 10 plans a second are wanted",
            self.replan_hz
        );
        Ok(())
    }

    /// Who drives, in the order in which they do.
    pub(super) fn planners(&self) -> Vec<Decoder> {
        let mut planners = self.planners.clone();
        if self.own.is_some() && !planners.contains(&Decoder::Own) {
            planners.push(Decoder::Own);
        }
        planners
    }

    /// What the planners are called.
    pub(super) fn labels(&self) -> Vec<String> {
        let planners = self.planners().into_iter();
        planners.map(|planner| planner.label().to_owned()).collect()
    }

    /// How each of them drives.
    fn settings(&self) -> DriveSettings {
        DriveSettings {
            plan: self.choosing.settings(),
            seconds: self.seconds,
            replan_hz: self.replan_hz,
        }
    }

    /// How they drive, in words; empty if nobody does.
    pub(super) fn drove(&self) -> String {
        match self.planners().is_empty() {
            true => String::new(),
            false => drove(self.world.about(), &self.settings()),
        }
    }

    /// The planners and the generator's network, as far as they are needed.
    ///
    /// # Errors
    /// If weights cannot be read, or the user's own planner cannot be started.
    pub(super) fn team(&self) -> anyhow::Result<Option<Team<'_>>> {
        if self.planners().is_empty() {
            return Ok(None);
        }
        let generator = match self.world {
            DriveWorld::Generator => Some(weights::network(0)?),
            _ => None,
        };
        Ok(Some(Team {
            drivers: self,
            crew: Crew::new(self.own.as_deref())?,
            generator,
        }))
    }
}

/// Who drives, ready to.
pub(super) struct Team<'a> {
    drivers: &'a Drivers,
    crew: Crew,
    generator: Option<Network>,
}

impl Team<'_> {
    /// What the planners make of a case, in their order, each drive beside that; fewer if it was stopped. `file` is the name
    /// of the case's own file without its ending.
    pub(super) fn drive(
        &self,
        (name, scene): (&str, &Scene),
        file: Option<&str>,
        stop: &AtomicBool,
        shown: &Shown,
    ) -> Vec<(Drive, Option<Driven>)> {
        let mut drives = Vec::new();
        for decoder in self.drivers.planners() {
            let label = decoder.label();
            shown.doing(&format!("{name}: {label} drives"));
            let mut settings = self.drivers.settings();
            settings.plan.decoder = decoder;
            settings.plan.file = file.map(str::to_owned);
            let world = (self.drivers.world, self.generator.as_ref());
            let driven = drive_scene(scene.clone(), self.crew.planners(), &settings, world, stop);
            let (came, driven) = match driven {
                Ok(Some(driven)) => (Ok(driven.report.clone()), Some(driven)),
                Ok(None) => break,
                Err(error) => (Err(format!("{error:#}")), None),
            };
            let planner = label.to_owned();
            drives.push((Drive { planner, came }, driven));
        }
        drives
    }
}

/// The drives of a case apart from what is filmed of them: the name of each planner that drove, and its drive.
pub(super) fn apart(drives: Vec<(Drive, Option<Driven>)>) -> (Vec<Drive>, Vec<(String, Driven)>) {
    let mut told = Vec::new();
    let mut filmed = Vec::new();
    for (drive, driven) in drives {
        filmed.extend(driven.map(|driven| (drive.planner.clone(), driven)));
        told.push(drive);
    }
    (told, filmed)
}
