//! The worlds in which a planner can be put at the wheel, by name.

use super::generator_world::GeneratorWorld;
use crate::diffusion::Prepare;
use crate::generator::Settings;
use crate::planner::{LogWorld, ReactiveWorld, TrafficWorld, World};

/// What moves everyone else during a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DriveWorld {
    /// The record, whatever the ego does.
    #[default]
    Log,
    /// Everyone follows their lane with IDM.
    Traffic,
    /// Traffic that also gives way, changes lanes, and turns where the record does.
    Reactive,
    /// The scene's diffusion model, anew every half second.
    Generator,
}

impl DriveWorld {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Log, Self::Traffic, Self::Reactive, Self::Generator];

    /// The word for it on the command line and in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Traffic => "traffic",
            Self::Reactive => "reactive",
            Self::Generator => "generator",
        }
    }

    /// Who moves everyone but the ego, in words.
    pub fn about(self) -> &'static str {
        match self {
            Self::Log => "as the scene has it, whatever the ego does",
            Self::Traffic => "IDM drivers on their lanes",
            Self::Reactive => "traffic that gives way and changes lanes",
            Self::Generator => "the scene's diffusion model, anew every half second",
        }
    }

    /// The world with a key; `None` if there is none.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|world| world.key() == key)
    }

    /// A world that has not begun; `None` for the generator's without `generator`. `seed` is of what the generator draws.
    pub fn begin<'a>(
        self,
        generator: Option<&'a dyn Prepare>,
        seed: u64,
    ) -> Option<Box<dyn World + 'a>> {
        Some(match self {
            Self::Log => Box::new(LogWorld),
            Self::Traffic => Box::new(TrafficWorld::default()),
            Self::Reactive => Box::new(ReactiveWorld::default()),
            Self::Generator => {
                let settings = Settings {
                    seed,
                    ..Settings::default()
                };
                Box::new(GeneratorWorld::new(generator?, settings))
            }
        })
    }
}
