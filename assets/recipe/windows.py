"""Ten-second windows cut from tracks, adversarial redirects, and the shard file they are written to.

Frames are half a second apart: 0..3 history, 4 the current one, 5..20 future. Everything is in metres, seconds and
radians in the frame of the ego agent at the current frame, x forward and y left. README.md lists the shard's tensors.
"""

from dataclasses import dataclass

import numpy as np
from safetensors.numpy import save_file

FRAMES, NOW, FRAME_S = 21, 4, 0.5
AGENTS, LANES, LANE_POINTS = 20, 64, 20
AGENT_RADIUS_M, LANE_RADIUS_M, CHUNK_M = 104.0, 60.0, 50.0
STREET, FREEWAY, BIKE, JUNCTION = 1, 2, 3, 4
RED, YELLOW, GREEN = 1, 2, 3
STATE_OF_SIGNAL = {"r": RED, "u": RED, "y": YELLOW, "g": GREEN, "G": GREEN}
FREEWAY_MPS = 19.0
PARKED_SHARE = 0.8


@dataclass
class Tracks:
    """All agents of one simulation at 4 Hz; T frames, V agents."""

    centre: np.ndarray  # [T, V, 2] m
    heading: np.ndarray  # [T, V] rad
    velocity: np.ndarray  # [T, V, 2] m/s
    size: np.ndarray  # [V, 2] length, width m
    kind: np.ndarray  # [V] 1 vehicle, 2 pedestrian, 3 cyclist
    usable: np.ndarray  # [T, V] bool
    start_s: float


@dataclass
class LaneChunks:
    """Lanes in pieces of at most 50 m."""

    points: np.ndarray  # [C, 20, 2] m
    kind: np.ndarray  # [C] as in the shard
    speed: np.ndarray  # [C] limit, m/s
    signal: list  # per chunk: (light id, link index) or None


def chunk_lanes(lanes, ids, signal_of):
    """Cuts lanes (points, limit, inside a junction, classes) that carry cars or bicycles into chunks."""
    points, kinds, speeds, signals = [], [], [], []
    for lane_id, (line, limit, inside, classes) in zip(ids, lanes):
        if not classes & {"passenger", "bicycle"}:
            continue
        along = np.r_[0, np.cumsum(np.hypot(*np.diff(line, axis=0).T))]
        if along[-1] < 1.5:
            continue
        kind = BIKE if "passenger" not in classes else JUNCTION if inside else FREEWAY if limit > FREEWAY_MPS else STREET
        count = max(1, int(np.ceil(along[-1] / CHUNK_M)))
        for k in range(count):
            at = np.linspace(along[-1] * k / count, along[-1] * (k + 1) / count, LANE_POINTS)
            points.append(np.stack([np.interp(at, along, line[:, 0]), np.interp(at, along, line[:, 1])], -1))
            kinds.append(kind)
            speeds.append(limit)
            signals.append(signal_of.get(lane_id))
    return LaneChunks(np.stack(points), np.array(kinds, np.uint8), np.array(speeds, np.float32), signals)


def overlaps(agents, valid, shrink=0.9):
    """Which boxes overlap: agents [A, T, 8], valid [A, T] -> [A, A] over any frame (separating axes)."""
    a = agents.transpose(1, 0, 2)
    along, across = a[..., 2:4], np.stack([-a[..., 3], a[..., 2]], -1)
    half = a[..., 6:8] * shrink / 2
    offset = a[:, None, :, :2] - a[:, :, None, :2]  # [T, i, j, 2] from i to j
    apart = np.zeros(offset.shape[:3], bool)
    for axis, own in ((along, half[..., 0]), (across, half[..., 1])):
        gap = np.abs((offset * axis[:, :, None]).sum(-1))
        reach = np.abs((along[:, None] * axis[:, :, None]).sum(-1)) * half[:, None, :, 0]
        reach += np.abs((across[:, None] * axis[:, :, None]).sum(-1)) * half[:, None, :, 1]
        separated = gap > own[:, :, None] + reach
        apart |= separated | separated.transpose(0, 2, 1)
    both = valid.T[:, :, None] & valid.T[:, None]
    hit = (both & ~apart).any(0)
    np.fill_diagonal(hit, False)
    return hit


def ego_weights(tracks, frames, start, end, passing_weight):
    """How much each (frame, agent) is wanted as the centre of a window: [T, V], 0 where it cannot be one.

    Standing agents, steady straight driving and empty roads are plentiful, so they count less; pedestrians and
    cyclists seldom lead a window but are wanted in it.
    """
    complete = np.ones((end - start, len(tracks.size)), bool)
    for shift in frames:
        complete &= tracks.usable[start + shift : end + shift]
    now, last = slice(start, end), slice(start + frames[-1], end + frames[-1])
    with np.errstate(invalid="ignore"):
        travelled = np.linalg.norm(tracks.centre[last] - tracks.centre[now], axis=-1)
        turned = np.abs((tracks.heading[last] - tracks.heading[now] + np.pi) % (2 * np.pi) - np.pi)
        speed = np.linalg.norm(tracks.velocity[now], axis=-1)
        gained = np.abs(np.linalg.norm(tracks.velocity[last], axis=-1) - speed)
    weight = np.where(travelled < 3, 0.05, 0.35)
    weight = np.where((travelled >= 3) & (gained > 2.5), 0.8, weight)
    weight = np.where((travelled >= 3) & (turned > 0.35), 1.0, weight)
    weight = np.where(passing(tracks, frames, start, end), passing_weight, weight)
    weight = weight * np.where(tracks.kind == 1, 1.0, 0.08)[None]
    return np.where(complete, weight * crowding(tracks, start, end), 0.0)


def passing(tracks, frames, start, end):
    """Which (frame, agent) have something that never moves in their way and are past it within the window: [T, V]."""
    out = np.zeros((end - start, len(tracks.size)), bool)
    seen = tracks.usable.any(0)
    with np.errstate(invalid="ignore"):
        spread = np.nanmax(np.where(tracks.usable[..., None], tracks.centre, -np.inf), 0) - np.nanmin(
            np.where(tracks.usable[..., None], tracks.centre, np.inf), 0
        )
    stands = seen & (tracks.kind == 1) & (tracks.usable.sum(0) > 240) & (spread.max(-1) < 0.5)
    for who in np.flatnonzero(stands):
        t = np.argmax(tracks.usable[:, who])
        cos, sin = np.cos(tracks.heading[t, who]), np.sin(tracks.heading[t, who])
        place = (tracks.centre - tracks.centre[t, who]) @ np.array([[cos, -sin], [sin, cos]])
        now, middle, last = (place[start + f : end + f] for f in (0, frames[-1] // 2, frames[-1]))
        with np.errstate(invalid="ignore"):
            before = (now[..., 0] < -5) & (now[..., 0] > -70) & (np.abs(now[..., 1]) < 1.6)
            past = (last[..., 0] > 3) & (np.abs(last[..., 1]) < 5) & (np.abs(middle[..., 1]) < 5)
        out |= before & past
    return out


def crowding(tracks, start, end, cell_m=60.0, plenty=8.0):
    """From 1/8 for an agent alone in its grid cell to 1 for one among eight: [end - start, V]."""
    cells = np.nan_to_num(np.floor(tracks.centre[start:end] / cell_m), nan=-1e6).astype(np.int64)
    keys = cells[..., 0] * 1_000_003 + cells[..., 1]
    out = np.zeros(keys.shape)
    for t, row in enumerate(keys):
        _, cell_of, count = np.unique(row, return_inverse=True, return_counts=True)
        out[t] = np.minimum(count[cell_of] / plenty, 1.0)
    return out


def keep_run_around_now(valid):
    """Drops everything beyond the first gap on either side of the current frame; valid [A, T]."""
    out = valid.copy()
    for t in range(NOW - 1, -1, -1):
        out[:, t] &= out[:, t + 1]
    for t in range(NOW + 1, FRAMES):
        out[:, t] &= out[:, t - 1]
    return out


def cut(tracks, lanes, signals, count, dice, redirect_share=0.1, passing_weight=25.0):
    """Cuts `count` windows (fewer where the traffic is thin) into one dictionary of arrays, as in the shard."""
    step = 2  # recorded frames per window frame
    frames = np.arange(-NOW, FRAMES - NOW) * step
    start, end = NOW * step, len(tracks.usable) - frames[-1] - 1
    weights = ego_weights(tracks, frames, start, end, passing_weight)
    eligible = int((weights > 0).sum())
    if eligible < 100:
        raise ValueError("too few agents stay for ten seconds")
    count = min(count, eligible // 3)
    chosen = dice.choice(weights.size, size=count, replace=False, p=weights.ravel() / weights.sum())
    lane_middle = lanes.points.mean(1)
    lights = {name: np.array([[STATE_OF_SIGNAL.get(c, 0) for c in row] for row in rows], np.uint8) for name, rows in signals.items()}
    rows = []
    for flat in chosen:
        t, ego = start + flat // weights.shape[1], flat % weights.shape[1]
        row = one_window(tracks, lanes, lane_middle, lights, t, ego, t + frames)
        if row is not None:
            rows.append(row)
            if dice.random() < 1.6 * redirect_share and (attack := redirect(row, dice)) is not None:
                rows.append(attack)
    for row in rows:
        if dice.random() < PARKED_SHARE:
            park(row, dice)
    return {key: np.stack([row[key] for row in rows]) for key in rows[0]}


def one_window(tracks, lanes, lane_middle, lights, t, ego, times):
    """The window around agent `ego` at recorded frame `t`; None where the ego overlaps somebody or has no map."""
    here = tracks.centre[t, ego]
    distance = np.where(tracks.usable[t], np.linalg.norm(tracks.centre[t] - here, axis=-1), np.inf)
    distance[ego] = -1.0
    near = np.argsort(distance)[:AGENTS]
    near = near[distance[near] < AGENT_RADIUS_M]
    cos, sin = np.cos(tracks.heading[t, ego]), np.sin(tracks.heading[t, ego])
    ego_from_world = np.array([[cos, sin], [-sin, cos]])
    at = (times[:, None], near[None])
    turned = tracks.heading[at] - tracks.heading[t, ego]
    agents = np.concatenate(
        [
            (tracks.centre[at] - here) @ ego_from_world.T,
            np.stack([np.cos(turned), np.sin(turned)], -1),
            tracks.velocity[at] @ ego_from_world.T,
            np.broadcast_to(tracks.size[near], turned.shape + (2,)),
        ],
        -1,
    ).transpose(1, 0, 2)
    valid = keep_run_around_now(tracks.usable[at].T)
    agents = np.where(valid[..., None], np.nan_to_num(agents), 0.0)
    hit = overlaps(agents, valid)
    if hit[0].any():
        return None
    keep = ~np.triu(hit, 1).any(0)  # of two that overlap, the farther one goes
    agents, valid, near = agents[keep], valid[keep], near[keep]

    close = np.flatnonzero(np.abs(lane_middle - here).max(1) < AGENT_RADIUS_M + LANE_RADIUS_M)
    if len(close) == 0:
        return None
    points = (lanes.points[close] - here) @ ego_from_world.T
    gap = points[:, ::3, None] - agents[None, None, :, NOW, :2]
    gap = np.sqrt((gap**2).sum(-1).min((1, 2)))
    last = 1e3 * (lanes.kind[close] == BIKE)  # the network reads car lanes; the others take what room is left
    order = np.argsort(gap + last)[:LANES]
    order = order[gap[order] < LANE_RADIUS_M]
    picked = close[order]
    signal = np.zeros((LANES, FRAMES), np.uint8)
    for k, chunk in enumerate(picked):
        if (link := lanes.signal[chunk]) and link[0] in lights:
            signal[k] = lights[link[0]][times, link[1]]

    row = {
        "agents": np.zeros((AGENTS, FRAMES, 8), np.float32),
        "valid": np.zeros((AGENTS, FRAMES), np.uint8),
        "type": np.zeros(AGENTS, np.uint8),
        "lanes": np.zeros((LANES, LANE_POINTS, 2), np.float16),
        "lane_valid": np.zeros(LANES, np.uint8),
        "lane_kind": np.zeros(LANES, np.uint8),
        "lane_signal": signal,
        "lane_speed": np.zeros(LANES, np.float16),
    }
    row["agents"][: len(near)], row["valid"][: len(near)], row["type"][: len(near)] = agents, valid, tracks.kind[near]
    n = len(picked)
    row["lanes"][:n], row["lane_valid"][:n] = points[order], 1
    row["lane_kind"][:n], row["lane_speed"][:n] = lanes.kind[picked], lanes.speed[picked]
    return row


# ------------------------------------------------------------------ adversarial redirects


def quintic(p0, v0, a0, p1, v1, duration_s, times_s):
    """Position, velocity, acceleration [n, 2] of the quintic from (p0, v0, a0) to (p1, v1, 0)."""
    d = duration_s
    system = np.array([[d**3, d**4, d**5], [3 * d**2, 4 * d**3, 5 * d**4], [6 * d, 12 * d**2, 20 * d**3]])
    c = np.linalg.solve(system, np.stack([p1 - (p0 + v0 * d + 0.5 * a0 * d**2), v1 - (v0 + a0 * d), -a0]))
    t = times_s[:, None]
    position = p0 + v0 * t + 0.5 * a0 * t**2 + c[0] * t**3 + c[1] * t**4 + c[2] * t**5
    velocity = v0 + a0 * t + 3 * c[0] * t**2 + 4 * c[1] * t**3 + 5 * c[2] * t**4
    return position, velocity, a0 + 6 * c[0] * t + 12 * c[1] * t**2 + 20 * c[2] * t**3


def redirect(row, dice):
    """A copy of a window in which one neighbour drives into a future waypoint of the ego; None if none is drivable.

    After CAT (arXiv 2310.12432) in spirit: the candidate path must stay inside acceleration, curvature and speed
    limits, near a lane, and clear of third agents until the contact. Both parties end at the contact.
    """
    agents, valid = row["agents"], row["valid"].astype(bool)
    if not valid[0].all():
        return None
    points = row["lanes"][row["lane_valid"] > 0].astype(np.float32).reshape(-1, 2)
    distance, speed = np.hypot(*agents[:, NOW, :2].T), np.hypot(*agents[:, NOW, 4:6].T)
    able = valid[:, : NOW + 3].all(1) & (row["type"] == 1) & (distance > 6) & (distance < 60) & (speed > 1.5)
    able[0] = False
    for j in dice.permutation(np.flatnonzero(able))[:3]:
        for steps in dice.permutation(np.arange(5, 15))[:3]:
            path = redirected_path(agents[0, NOW + steps], agents[j], steps, dice)
            if path is None:
                continue
            position, velocity, facing = path
            if np.sqrt(((position[:, None] - points) ** 2).sum(-1).min(1)).max() > 4.5:
                continue
            span = slice(NOW + 1, NOW + steps + 1)
            others = [q for q in range(1, len(agents)) if q != j]
            gap = np.hypot(*(agents[others, span, :2] - position).transpose(2, 0, 1))
            if (valid[others, span] & (gap < 2.6)).any():
                continue
            out = {key: value.copy() for key, value in row.items()}
            out["agents"][j, span, :2], out["agents"][j, span, 4:6] = position, velocity
            out["agents"][j, span, 2:4], out["agents"][j, span, 6:] = facing, agents[j, NOW, 6:]
            out["valid"][j, span] = 1
            for end in (0, j):
                out["agents"][end, NOW + steps + 1 :], out["valid"][end, NOW + steps + 1 :] = 0, 0
            return out
    return None


def redirected_path(target, attacker, steps, dice):
    """Position, velocity, facing [steps, 2] of a drivable path to `target` [8] in `steps` frames, or None."""
    duration = steps * FRAME_S
    p0, v0 = attacker[NOW, :2].astype(float), attacker[NOW, 4:6].astype(float)
    a0 = np.clip((attacker[NOW, 4:6] - attacker[NOW - 1, 4:6]) / FRAME_S, -2, 2).astype(float)
    cos, sin = target[2:4]
    shift = dice.uniform(-0.3, 0.3, 2) * target[6:8]
    p1 = target[:2] + np.array([[cos, -sin], [sin, cos]]) @ shift
    chord = p1 - p0
    length = np.hypot(*chord)
    mean_speed = length / duration
    if not 1 < mean_speed < 34:
        return None
    final = np.clip(2 * mean_speed - np.hypot(*v0), 0.6 * mean_speed, 1.4 * mean_speed) * dice.uniform(0.8, 1.2)
    angle = np.arctan2(chord[1], chord[0]) + dice.normal(0, 0.25 if mean_speed < 15 else 0.05)
    v1 = final * np.array([np.cos(angle), np.sin(angle)])
    times = np.arange(1, steps * 5 + 1) * FRAME_S / 5
    position, velocity, acceleration = quintic(p0, v0, a0, p1.astype(float), v1, duration, times)
    speed = np.hypot(*velocity.T)
    facing = velocity / np.maximum(speed, 0.1)[:, None]
    along = (acceleration * facing).sum(1)
    across = acceleration[:, 1] * facing[:, 0] - acceleration[:, 0] * facing[:, 1]
    if speed.min() < 0.5 or speed.max() > 38 or along.min() < -6.5 or along.max() > 4 or np.abs(across).max() > 5:
        return None
    if np.abs(across / np.maximum(speed, 1.0) ** 2).max() > 0.18 or attacker[NOW, 2:4] @ facing[0] < 0.9:
        return None
    return position[4::5], velocity[4::5], facing[4::5]


# ------------------------------------------------------------------ parked cars


def park(row, dice):
    """Parks up to nine cars in a window, in place, in free agent slots and then in those of the farthest agents.

    Most stand in rows along the side of a lane, some at an angle away from the road. Simulated traffic has no parked
    cars, and without them a network believes that whoever stands will soon drive. Nobody may drive through them, or it
    learns that as well.
    """
    streets = np.flatnonzero((row["lane_valid"] > 0) & (row["lane_kind"] != JUNCTION) & (row["lane_kind"] != BIKE))
    if not len(streets):
        return
    agents, valid = row["agents"], row["valid"]
    count = min(int(dice.integers(1, 10)), AGENTS - 2)
    slots = np.argsort(valid.any(1) * 1000 - np.arange(AGENTS), kind="stable")[:count].tolist()
    valid[slots], agents[slots], row["type"][slots] = 0, 0.0, 0
    taken = ways(agents, valid > 0)
    for x, y, yaw in parking_spots(row["lanes"].astype(np.float32), streets, 4 * count, dice):
        if not slots:
            break
        size = dice.uniform(3.8, 5.1), dice.uniform(1.7, 2.05)
        car = np.array([x, y, np.cos(yaw), np.sin(yaw), 0, 0, *size])
        offset, reach = taken[:, :2] - car[:2], (taken[:, 6:8] + car[6:8]) / 2
        ahead = np.abs(offset @ car[2:4])
        aside = np.abs(offset @ [-car[3], car[2]])
        met = (np.hypot(*offset.T) < 2.6) | ((ahead < reach[:, 0]) & (aside < reach[:, 1] + 0.2))
        if np.hypot(x, y) > 90 or met.any():
            continue
        slot = slots.pop()
        agents[slot], valid[slot], row["type"][slot] = car, 1, 1
        taken = np.concatenate([taken, [car]])


def ways(agents, valid, between=6):
    """Everyone's states [P, 8] at their frames and between them; agents [A, T, 8], valid [A, T]."""
    share = np.arange(1, between)[:, None] / between
    path = agents[:, :-1, None] + (agents[:, 1:, None] - agents[:, :-1, None]) * share  # [A, T - 1, between - 1, 8]
    return np.concatenate([agents[valid], path[valid[:, 1:] & valid[:, :-1]].reshape(-1, 8)])


def parking_spots(lanes, streets, count, dice):
    """`count` candidate poses (x, y, yaw): rows of one to five cars beside lanes or, one row in five, off the road."""
    spots = []
    while len(spots) < count:
        line, start = lanes[dice.choice(streets)], dice.integers(LANE_POINTS - 1)
        along = line[start + 1] - line[start]
        length = max(np.hypot(*along), 1e-3)
        along = along / length
        right = np.array([along[1], -along[0]]) * (1 if dice.random() < 0.85 else -1)
        lot = dice.random() < 0.2
        aside, gap = (dice.uniform(5, 18), dice.uniform(2.7, 3.5)) if lot else (dice.uniform(2.2, 4.2), dice.uniform(5.5, 8))
        lean = dice.choice([np.pi / 2, -np.pi / 2, dice.uniform(-np.pi, np.pi)]) if lot else np.pi * (dice.random() < 0.1)
        for k in range(dice.integers(1, 6)):
            x, y = line[start] + right * (aside + dice.normal(0, 0.12)) + along * gap * k
            spots.append((x, y, np.arctan2(along[1], along[0]) + lean + dice.normal(0, 0.05)))
    return spots[:count]


# ------------------------------------------------------------------ shards


def write_shard(path, arrays, about):
    """Writes one shard atomically; `about` becomes the file's metadata."""
    part = path.with_suffix(".part")
    save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, part, {**about, "layout": "1"})
    part.rename(path)
