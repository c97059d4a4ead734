//! Whether there is a display to open a window on.

/// Whether a window can be opened here. On Unix a Wayland or X11 server must answer; elsewhere there always is one.
pub fn display_available() -> bool {
    #[cfg(all(unix, not(target_os = "macos")))]
    {
        wayland() || x11()
    }
    #[cfg(not(all(unix, not(target_os = "macos"))))]
    {
        true
    }
}

#[cfg(all(unix, not(target_os = "macos")))]
fn wayland() -> bool {
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;

    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if variable("WAYLAND_SOCKET").is_some() {
        return true;
    }
    let Some(name) = variable("WAYLAND_DISPLAY") else {
        return false;
    };
    // an absolute name replaces the folder
    let folder = variable("XDG_RUNTIME_DIR").map(PathBuf::from);
    let socket = folder.unwrap_or_default().join(name);
    UnixStream::connect(socket).is_ok()
}

#[cfg(all(unix, not(target_os = "macos")))]
fn x11() -> bool {
    use std::os::unix::net::UnixStream;

    let Some(display) = std::env::var("DISPLAY").ok().filter(|d| !d.is_empty()) else {
        return false;
    };
    match local_number(&display) {
        Some(number) => UnixStream::connect(format!("/tmp/.X11-unix/X{number}")).is_ok(),
        // a display on another machine or behind a named socket: trust it
        None => true,
    }
}

/// The number in `:0` or `unix:0.1`; `None` for displays on other hosts.
#[cfg(all(unix, not(target_os = "macos")))]
fn local_number(display: &str) -> Option<u32> {
    let (host, rest) = display.rsplit_once(':')?;
    if !host.is_empty() && host != "unix" {
        return None;
    }
    rest.split('.').next()?.parse().ok()
}

#[cfg(all(test, unix, not(target_os = "macos")))]
mod tests {
    use super::*;

    #[test]
    fn only_local_displays_have_a_number() {
        assert_eq!(local_number(":77"), Some(77));
        assert_eq!(local_number("unix:1.0"), Some(1));
        assert_eq!(local_number("localhost:10.0"), None);
        assert_eq!(local_number("nonsense"), None);
    }
}
