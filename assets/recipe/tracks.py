"""Recorded single tracks for training: NGSIM I-80 (US DOT, open data) as SMARTS publishes them.

    python tracks.py NETWORKS --out SHARDS

All vehicles of that file were shifted to one start time, so a window holds one of them, alone and without a map. It
shows the network how people hold their speed and what trackers add, which simulated traffic does not. Half of the
tracks go to SHARDS/train, fifteen windows each (three beginnings, shifted by tenths of a second); the other half, one
window each, to SHARDS/tracks, to measure on.
"""

import argparse
import sqlite3
from pathlib import Path

import numpy as np

import windows
from prior import FRAMES, NOW

FILE = "SMARTS/smarts/diagnostic/n_replay_actors/200_actors/200_actors_i80_0400-0415.shf"
EVERY = 5  # rows of the file, at 10 Hz, from frame to frame of a window


def read(path):
    """Tracks of a SMARTS history file: x, y, heading, speed [rows, 4] at 10 Hz, and length, width."""
    base = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    sizes = {row[0]: row[1:] for row in base.execute("select id, length, width from Vehicle")}
    tracks = {}
    query = "select vehicle_id, position_x, position_y, heading_rad, speed from Trajectory order by 1, sim_time"
    for vehicle, x, y, heading, speed in base.execute(query):
        tracks.setdefault(vehicle, []).append((x, y, heading + np.pi / 2, speed))  # SMARTS counts from north
    return [(np.array(rows), sizes[vehicle]) for vehicle, rows in tracks.items()]


def window(track, size, first):
    """States [21, 8] in the frame of the present and validity [21]; `first` is the row of frame 0, perhaps outside."""
    row = first + EVERY * np.arange(FRAMES)
    known = (row >= 0) & (row < len(track))
    x, y, heading, speed = track[row.clip(0, len(track) - 1)].T
    x, y, turned = x - x[NOW], y - y[NOW], heading - heading[NOW]
    cos, sin = np.cos(heading[NOW]), np.sin(heading[NOW])
    state = [cos * x + sin * y, cos * y - sin * x, np.cos(turned), np.sin(turned), speed * np.cos(turned), speed * np.sin(turned)]
    state += [np.full(FRAMES, value) for value in size]
    return np.where(known[:, None], np.stack(state, 1), 0), known


def write(path, cut):
    """A shard of windows with one agent each."""
    agents, valid = (np.stack(part)[:, None] for part in zip(*cut))
    count = len(agents)
    arrays = {"agents": agents.astype(np.float32), "valid": valid.astype(np.uint8), "type": np.ones((count, 1), np.uint8)}
    arrays |= {"lanes": np.zeros((count, 1, windows.LANE_POINTS, 2), np.float16), "lane_speed": np.zeros((count, 1), np.float16)}
    arrays |= {"lane_valid": np.zeros((count, 1), np.uint8), "lane_kind": np.zeros((count, 1), np.uint8)}
    arrays["lane_signal"] = np.zeros((count, 1, FRAMES), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    windows.write_shard(path, arrays, {"network": "NGSIM I-80, recorded, single tracks"})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("networks", type=Path, help="folder with the repositories of corpus.py")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    tracks = read(options.networks / FILE)
    kept_back = set(np.random.default_rng(5).permutation(len(tracks))[: len(tracks) // 2].tolist())
    shifts = [phase + EVERY * first for phase in range(EVERY) for first in (-2, 0, 2)]
    shown = [window(*track, shift) for number, track in enumerate(tracks) if number not in kept_back for shift in shifts]
    write(options.out / "train" / "ngsim-i80.safetensors", shown)
    write(options.out / "tracks" / "ngsim-i80.safetensors", [window(*tracks[number], 0) for number in sorted(kept_back)])


if __name__ == "__main__":
    main()
