//! Scenes that come with the program, as the library shows them.

use std::sync::Arc;

use super::thumbnail::Thumbnail;
use crate::scene::Scene;

/// A bundled scene.
pub(super) struct Bundled {
    /// Its name.
    pub name: String,
    /// What it is good for.
    pub about: String,
    /// The scene.
    pub scene: Arc<Scene>,
    /// Its picture.
    pub picture: Thumbnail,
}
