//! The traffic world: roads, drivers, closed loop at 10 Hz.
