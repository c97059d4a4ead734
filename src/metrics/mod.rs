//! Numbers about scenes and runs, with units.
