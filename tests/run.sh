#!/usr/bin/env bash
# The test command: formatting, lints, tests. Needs Rust and gcc. The picture tests draw with Vulkan; where no driver is
# found, a software one is installed through the system's package manager if that is possible without asking.
set -euo pipefail
cd "$(dirname "$0")/.."

has_vulkan() {
    local loader driver
    loader=$(find /lib /usr/lib /usr/local/lib -name 'libvulkan.so.1' -print -quit 2>/dev/null || true)
    driver=$(find /usr/share/vulkan/icd.d /usr/local/share/vulkan/icd.d /etc/vulkan/icd.d -name '*.json' -print -quit 2>/dev/null || true)
    [ -n "$loader" ] && [ -n "$driver" ]
}

if [ "$(uname -s)" = Linux ] && ! has_vulkan; then
    root=""
    [ "$(id -u)" = 0 ] || root="sudo -n"
    if command -v apt-get >/dev/null && { [ -z "$root" ] || $root true 2>/dev/null; }; then
        echo "no Vulkan driver found: installing the software driver (mesa-vulkan-drivers)"
        $root apt-get update -q && $root env DEBIAN_FRONTEND=noninteractive apt-get install -qy libvulkan1 mesa-vulkan-drivers
    fi
    if ! has_vulkan; then
        if [ "${CI:-}" = true ]; then
            echo "error: the picture tests need a Vulkan driver (Debian: libvulkan1 mesa-vulkan-drivers)" >&2
            exit 1
        fi
        echo "note: no Vulkan driver, the picture tests are left out (Debian: libvulkan1 mesa-vulkan-drivers)" >&2
        export NEARMISS_NO_PICTURES=1
    fi
fi

cargo fmt --check
cargo clippy --locked --all-targets -- -D warnings
cargo test --locked
