//! A scene at a time to a draw list, a draw list to pixels.
