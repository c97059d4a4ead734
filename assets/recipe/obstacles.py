"""Obstacles in hindsight: windows in which somebody changes lanes, with a vehicle put where the old lane goes on.

    python obstacles.py SHARDS --out SHARD [--windows 20000] [--seed 0]

Who meets something standing in its lane either goes round it or stops behind, and simulated drivers seldom do the
first from afar: a planner then learns when its vehicle has begun to steer, not why. A change of lanes that happened
anyway becomes the answer to an obstacle by adding one that the recorded way just clears and that nobody drives
through. The vehicle that changes lanes leads the new window, at a moment when it has not begun to.
"""

import argparse
from pathlib import Path

import numpy as np

import windows
from shards import KEYS, Windows
from windows import BIKE, JUNCTION, NOW

LANE_M, WAY_M, FARTHEST_M = (2.4, 4.6), 25.0, 85.0
BEGUN_M, BEGUN_MPS, TURNED, STRAIGHT = 0.35, 0.35, 0.35, 0.12
CLEAR_M = (0.5, 0.35)  # along and across the obstacle
AHEAD_M, LEFT_M = 6.0, 1.8  # how far beyond the way's end it may stand, how far aside of it the way must lead


def in_frame_of(agents, who):
    """Positions, headings and velocities [..., 8] in the frame of agent `who` at the present."""
    now = agents[who, NOW]
    size = np.hypot(now[2], now[3])
    cos, sin = now[2] / size, now[3] / size
    turn = np.array([[cos, -sin], [sin, cos]])  # row vectors: world -> frame
    out = agents.copy()
    out[..., :2] = (agents[..., :2] - now[:2]) @ turn
    out[..., 2:4], out[..., 4:6] = agents[..., 2:4] @ turn, agents[..., 4:6] @ turn
    return out, now[:2], turn


def changers(rows):
    """(window, agent) of vehicles about to change lanes on a straight road: rows as arrays, first eight agents."""
    a, valid = rows["agents"][:, :8], rows["valid"][:, :8] > 0
    now = a[:, :, NOW]
    forward = now[..., 2:4] / np.maximum(np.hypot(now[..., 2], now[..., 3]), 1e-6)[..., None]
    left = np.stack([-forward[..., 1], forward[..., 0]], -1)
    offset = a[..., :2] - now[:, :, None, :2]
    ahead, aside = (offset * forward[:, :, None]).sum(-1), (offset * left[:, :, None]).sum(-1)
    slip = (a[:, :, NOW, 4:6] * left).sum(-1)
    bend = (a[..., 2:4] * left[:, :, None]).sum(-1)
    good = valid.all(-1) & (rows["type"][:, :8] == 1) & (now[..., 6] < 7)
    good &= (np.abs(aside[..., : NOW + 1]).max(-1) < BEGUN_M) & (np.abs(slip) < BEGUN_MPS)
    good &= (np.abs(bend).max(-1) < TURNED) & (np.abs(bend[..., -1]) < STRAIGHT) & (ahead[..., -1] > WAY_M)
    end = np.abs(aside[..., -1])
    good &= (end > LANE_M[0]) & (end < LANE_M[1])
    return np.argwhere(good)


def led_by(row, who):
    """The window in the frame of agent `who`, which becomes agent 0; the others by distance."""
    agents, origin, turn = in_frame_of(row["agents"].astype(np.float64), who)
    valid = row["valid"] > 0
    agents = np.where(valid[..., None], agents, 0.0)
    gap = np.where(valid[:, NOW], np.hypot(*agents[:, NOW, :2].T), 1e6)
    gap[who] = -1
    order = np.argsort(gap, kind="stable")
    lanes = (row["lanes"].astype(np.float64) - origin) @ turn * (row["lane_valid"] > 0)[:, None, None]
    out = dict(row) | {"lanes": lanes.astype(np.float16)}
    return out | {"agents": agents[order].astype(np.float32), "valid": row["valid"][order], "type": row["type"][order]}


def met(car, states):
    """Whether any of the states [P, 8] overlaps the car [8], its box larger by CLEAR_M on every side."""
    grown = np.r_[car[:6], car[6:8] + 2 * np.array(CLEAR_M)]
    pair = np.stack([np.broadcast_to(grown, states.shape), states])
    return windows.overlaps(pair, np.ones(pair.shape[:2], bool), shrink=1.0)[0, 1]


def with_obstacle(row, dice):
    """The window with somebody standing in the lane that agent 0 leaves; None where nothing fits."""
    kinds = row["lane_kind"]
    streets = np.flatnonzero((row["lane_valid"] > 0) & (kinds != JUNCTION) & (kinds != BIKE))
    lanes = row["lanes"][streets].astype(np.float64)
    step = np.diff(lanes, axis=1)
    length = np.hypot(step[..., 0], step[..., 1])
    middle = (lanes[:, 1:] + lanes[:, :-1]) / 2
    fits = (length > 0.05) & (step[..., 0] > 0.975 * length) & (np.abs(middle[..., 1]) < 1.2)
    fits &= (middle[..., 0] > 10) & (middle[..., 0] < FARTHEST_M)
    if not fits.any():
        return None
    lane, at = np.argwhere(fits).T
    order = np.argsort(middle[lane, at, 0])
    agents, valid = row["agents"], row["valid"] > 0
    everyone = windows.ways(agents, valid)
    own = windows.ways(agents[:1, NOW:], valid[:1, NOW:])
    own = own[np.argsort(own[:, 0])]
    lorry = dice.random() < 0.35
    size = (dice.uniform(5.5, 12), dice.uniform(2.1, 2.55)) if lorry else (dice.uniform(3.8, 5.1), dice.uniform(1.7, 2.05))
    aside, later, yaw = dice.normal(0, 0.2), dice.uniform(0, 15), dice.normal(0, 0.03)
    first = None
    for k in order:
        along = step[lane[k], at[k]] / length[lane[k], at[k]]
        if middle[lane[k], at[k], 0] > own[-1, 0] + AHEAD_M:
            return None
        place = middle[lane[k], at[k]] + aside * np.array([-along[1], along[0]])
        angle = np.arctan2(along[1], along[0]) + yaw
        car = np.array([*place, np.cos(angle), np.sin(angle), 0, 0, *size])
        if met(car, own):
            first = None
            continue
        first = place[0] if first is None else first
        if place[0] < first + later:
            continue
        abeam = own[min(np.searchsorted(own[:, 0], place[0]), len(own) - 1)]
        if abs(abeam[1] - place[1]) < LEFT_M or met(car, everyone):
            continue
        return placed(row, car)
    return None


def placed(row, car):
    """The window with one more vehicle, which stands; of a full one the farthest goes."""
    agents, valid, kind = row["agents"].copy(), row["valid"].copy(), row["type"].copy()
    gap = np.where(valid[:, NOW] > 0, np.hypot(*agents[:, NOW, :2].T), 1e6)
    slot = int(np.argmax(gap[1:])) + 1
    agents[slot], valid[slot], kind[slot], gap[slot] = car, 1, 1, np.hypot(*car[:2])
    order = np.r_[0, 1 + np.argsort(gap[1:], kind="stable")]
    return dict(row) | {"agents": agents[order], "valid": valid[order], "type": kind[order]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("shards", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--windows", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    dice, found, looked, names = np.random.default_rng(options.seed), [], 0, []
    for name, shard in Windows(options.shards).shards.items():
        if shard.arrays["agents"].shape[1:] != (windows.AGENTS, windows.FRAMES, 8) or shard.arrays["lanes"].shape[1] != windows.LANES:
            continue
        before = len(found)
        for start in range(0, shard.count, 2000):
            rows = {key: np.array(shard.arrays[key][start : start + 2000]) for key in KEYS}
            for window, who in changers(rows):
                looked += 1
                row = with_obstacle(led_by({key: value[window] for key, value in rows.items()}, who), dice)
                if row is not None:
                    found.append(row)
        names.append(f"{name.removesuffix('.safetensors')} {len(found) - before}")
    print(f"{looked} changes of lanes, {len(found)} with room for an obstacle: {', '.join(names)}", flush=True)
    if len(found) > options.windows:
        found = [found[k] for k in dice.choice(len(found), options.windows, replace=False)]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    windows.write_shard(options.out, {key: np.stack([row[key] for row in found]) for key in KEYS}, {"obstacles": "in hindsight"})


if __name__ == "__main__":
    main()
