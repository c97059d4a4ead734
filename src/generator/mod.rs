//! A scene and a recipe to a new scene; attacks, guidance, gates.
