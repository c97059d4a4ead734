"""Metrics of weights and of trivial baselines on folders of shards.

    python evaluate.py SHARDS [--weights a.safetensors b.safetensors] [--types 1] [--steps 32] [--free 6] [--limit N]

Goal task: the last known token of every agent that is known for two seconds or more is given. Free task: history only.
Definitions (frames 5..20, agents valid now):

ADE        mean distance to the log over known frames, goal tokens and agents without a goal left out; "moving": agents
           that travel more than 2 m
col %      agents whose box overlaps another's at any future frame, pairs that overlapped in the history excluded
off %      agents that start within 3 m of a lane and are farther than 3 m from every lane at a frame where the log is not
M_k        mean of |tangential|, |normal| acceleration and of their changes per second, by differences of positions at 2 Hz
creep %    agents slower than 0.3 m/s now that travel less than 0.5 m in the log and more than 1 m here
minADE     mean over agents of the smallest ADE among the samples
Intervals: 95 %, bootstrap over scenes where shards name them, else over windows.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

import export
import shards
from network import FRAME_S, FRAMES, NOW, SECONDS, has_bf16, precision
from prior import noise_scales

FUTURE = torch.arange(FRAMES) > NOW


# ------------------------------------------------------------------ schedules and sampling


def schedule(name, steps=None):
    """Noise levels [steps + 1, T], 1 to 0, of the paper's schedules (arXiv 2504.10485, Sec. 3.2)."""
    frame = torch.arange(16).float()
    if name == "full":
        steps = steps or 32
        level = (1 - torch.arange(steps + 1) / steps)[:, None].expand(-1, 16)
    elif name == "pyramidal":
        steps = steps or 48
        width = steps * 2 / 3
        level = (1 - (torch.arange(steps + 1)[:, None] - frame * (steps - width) / 15) / width).clamp(0, 1)
    elif name == "trapezoidal":
        steps = steps or 40
        width = steps * 0.8
        inward = torch.minimum(frame, 15 - frame)
        level = (1 - (torch.arange(steps + 1)[:, None] - inward * (steps - width) / 7) / width).clamp(0, 1)
    else:
        raise ValueError(f"no schedule called {name}")
    return torch.cat([torch.zeros(len(level), NOW + 1), level], 1)


@torch.no_grad()
def sample(network, scene, levels, goal=None, temperature=1.0, generator=None, bf16=False, smooth=False):
    """Denoises a scene; history and goal tokens [N, T] stay as they are. Returns states [N, T, 6] in agents' frames.

    With `smooth`, as the program does where goals are given, predictions are what the prior takes them for.
    """
    scale, count = network.prior.scale, len(scene.valid)
    bins = network.prior.bins(scene.type, scene.speed, scene.travel)
    clean = scene.residual / scale
    known = (~FUTURE)[None].expand(count, -1) | (goal if goal is not None else False)
    x = torch.where(known[..., None], clean, temperature * torch.randn(count, FRAMES, 6, generator=generator))
    for now, then in zip(levels[:-1], levels[1:]):
        level, lower = (torch.where(known, 0.0, k[None].expand(count, -1)) for k in (now, then))
        with precision("cpu", bf16):
            predicted, mean, spread = network(x, level, scene)
        estimate = mean + spread * predicted.float()
        if smooth:
            estimate = network.prior.smoothed(estimate, x, level, scene.valid, bins)
        estimate = estimate.clamp(-8, 8)
        (a, s), (a_next, s_next) = ([q[..., None] for q in noise_scales(k)] for k in (level, lower))
        noise = (x - a * estimate) / s.clamp(min=1e-4)
        x = torch.where((level > lower)[..., None], a_next * estimate + s_next * noise, x)
    return scene.state(x, scale)


# ------------------------------------------------------------------ baselines


def last_known(scene):
    """Index [N] of the last valid frame."""
    return (scene.valid.long() * torch.arange(FRAMES)).amax(1)


def goals(scene):
    """Goal tokens [N, T]: the last known one of agents known for at least two seconds."""
    last = last_known(scene)
    return (torch.arange(FRAMES) == last[:, None]) & (last >= NOW + 4)[:, None]


def log(scene):
    """What happened."""
    return scene.base + scene.residual


def constant_velocity(scene):
    """History as logged, then straight on with the current heading."""
    state, now = log(scene).clone(), log(scene)[:, NOW : NOW + 1]
    state[:, NOW + 1 :] = now
    state[:, NOW + 1 :, :2] += now[..., 2:4] * SECONDS[NOW + 1 :, None]
    return state


def hermite(scene):
    """Cubic Hermite from the current state to the goal's; constant velocity without a goal."""
    truth, last = log(scene), last_known(scene)
    rows = torch.arange(len(last))
    duration = ((last - NOW).clamp(min=1) * FRAME_S)[:, None, None]
    p0, v0, p1, v1 = (q[:, None] for q in (truth[:, NOW, :2], truth[:, NOW, 2:4], truth[rows, last, :2], truth[rows, last, 2:4]))
    u = (SECONDS.clamp(min=0)[None, :, None] / duration).clamp(max=1)
    place = (2 * u**3 - 3 * u**2 + 1) * p0 + (u**3 - 2 * u**2 + u) * duration * v0
    place = place + (3 * u**2 - 2 * u**3) * p1 + (u**3 - u**2) * duration * v1
    step = torch.cat([place[:, 1:] - place[:, :-1], v1 * FRAME_S], 1)
    here = truth[:, NOW : NOW + 1, 4:6].expand_as(step)
    heading = torch.where(step.norm(dim=-1, keepdim=True) < 0.15, here, torch.nn.functional.normalize(step + 1e-6 * here, dim=-1))
    state = torch.cat([place, step / FRAME_S, heading], -1)
    return torch.where((goals(scene).any(1)[:, None] & FUTURE)[..., None], state, constant_velocity(scene))


def prior_alone(prior, scene, goal):
    """The posterior mean given history and goals: the generator without its network."""
    clean, known = scene.residual / prior.scale, (~FUTURE)[None] | goal
    level = torch.where(known, 0.0, 1.0)
    bins = prior.bins(scene.type, scene.speed, scene.travel)
    mean, _ = prior.posterior(clean * known[..., None], level, scene.valid, bins)
    return torch.where(known[..., None], log(scene), scene.state(mean, prior.scale))


# ------------------------------------------------------------------ metrics


def overlap(place, heading, size, valid):
    """Overlapping boxes by separating axes: place, heading [B, A, T, 2], size [B, A, 2], valid [B, A, T] -> [B, T, A, A]."""
    p, along, valid = place.transpose(1, 2), heading.transpose(1, 2), valid.transpose(1, 2)
    across = torch.stack([-along[..., 1], along[..., 0]], -1)
    half = size[:, None] / 2
    offset = p[:, :, None] - p[:, :, :, None]
    apart = torch.zeros(offset.shape[:-1], dtype=torch.bool)
    for axis, own in ((along, half[..., 0]), (across, half[..., 1])):
        reach = (along[:, :, None] * axis[:, :, :, None]).sum(-1).abs() * half[:, :, None, :, 0]
        reach = reach + (across[:, :, None] * axis[:, :, :, None]).sum(-1).abs() * half[:, :, None, :, 1]
        separated = (offset * axis[:, :, :, None]).sum(-1).abs() > own[..., None] + reach
        apart |= separated | separated.transpose(2, 3)
    both = valid[:, :, :, None] & valid[:, :, None]
    return both & ~apart & ~torch.eye(p.shape[2], dtype=torch.bool)


def lane_gap(scene, place, lanes, usable):
    """Distance [N, T] to the nearest lane centreline; place [N, T, 2] in the scene's frame."""
    out = torch.zeros(place.shape[:2])
    for b in range(scene.shape[0]):
        mine = scene.batch == b
        if not usable[b].any() or not mine.any():
            continue
        line = lanes[b][usable[b]]
        start, step = line[:, :-1].reshape(-1, 2), (line[:, 1:] - line[:, :-1]).reshape(-1, 2)
        p = place[mine].reshape(-1, 1, 2)
        u = (((p - start) * step).sum(-1) / (step**2).sum(-1).clamp(min=1e-6)).clamp(0, 1)
        out[mine] = (start + u[..., None] * step - p).norm(dim=-1).amin(1).view(-1, FRAMES)
    return out


def measure(scene, state, lanes, usable, counted, goal=None):
    """Per-agent sums over the agents `counted` [N] bool, as a dictionary of arrays over those agents."""
    truth = log(scene)
    place, heading, _ = scene.in_scene(state)
    true_place, _, _ = scene.in_scene(truth)
    future = scene.valid & FUTURE
    scored = future if goal is None else future & ~goal & goal.any(1, keepdim=True)
    error = (state[..., :2] - truth[..., :2]).norm(dim=-1)
    last = last_known(scene)
    travelled = (truth[torch.arange(len(last)), last, :2] - truth[:, NOW, :2]).norm(dim=-1)

    ahead = scene.pad(heading)
    ahead = torch.where(ahead.abs().sum(-1, keepdim=True) > 0, ahead, torch.tensor([1.0, 0.0]))
    hit = overlap(scene.pad(place), ahead, scene.pad(scene.size), scene.pad(scene.valid))
    hit = (hit[:, NOW + 1 :].any(1) & ~hit[:, : NOW + 1].any(1)).any(-1)[scene.batch, scene.agent]
    gap, true_gap = lane_gap(scene, place, lanes, usable), lane_gap(scene, true_place, lanes, usable)
    on_road = gap[:, NOW] <= 3
    off = ((gap > 3) & (true_gap <= 3) & future).any(1)

    velocity = (place[:, 1:] - place[:, :-1]) / FRAME_S
    acceleration, facing = (velocity[:, 1:] - velocity[:, :-1]) / FRAME_S, heading[:, 1:-1]
    along = (acceleration * facing).sum(-1)
    across = acceleration[..., 1] * facing[..., 0] - acceleration[..., 0] * facing[..., 1]
    known = scene.valid[:, 2:] & scene.valid[:, 1:-1] & scene.valid[:, :-2] & FUTURE[2:]
    twice = known[:, 1:] & known[:, :-1]
    change = lambda q: (q[:, 1:] - q[:, :-1]).abs() / FRAME_S
    still = (scene.speed < 0.3) & (travelled < 0.5)
    wandered = ((state[..., :2] - state[:, NOW : NOW + 1, :2]).norm(dim=-1) * future).amax(1) > 1

    has = future.any(1)
    columns = {
        "error": (error * scored).sum(1),
        "frames": scored.sum(1),
        "moving": travelled > 2,
        "hit": hit & has,
        "has": has,
        "off": off & has & on_road,
        "on_road": has & on_road,
        "acceleration": (along.abs() * known).sum(1) + (across.abs() * known).sum(1),
        "acceleration_frames": known.sum(1),
        "jerk": (change(along) * twice).sum(1) + (change(across) * twice).sum(1),
        "jerk_frames": twice.sum(1),
        "still": still & has,
        "crept": still & has & wandered,
        "batch": scene.batch,
    }
    return {key: value[counted].numpy().astype(float) for key, value in columns.items()}


def summary(table):
    """One row of figures from per-agent columns."""
    total = lambda key, keep=slice(None): table[key][keep].sum()
    ratio = lambda a, b: a / b if b else float("nan")
    moving = table["moving"] > 0
    return {
        "ade_m": ratio(total("error"), total("frames")),
        "ade_moving_m": ratio(total("error", moving), total("frames", moving)),
        "collision_pct": 100 * ratio(total("hit"), total("has")),
        "off_road_pct": 100 * ratio(total("off"), total("on_road")),
        "instability": (
            ratio(total("acceleration"), total("acceleration_frames")) + ratio(total("jerk"), total("jerk_frames"))
        )
        / 4,
        "creep_pct": 100 * ratio(total("crept"), total("still")),
    } | ({"min_ade_m": ratio(total("best"), total("frames"))} if "best" in table else {})


class Bench:
    """Windows of a folder in batches, and the tables of every method on them."""

    def __init__(self, folder, types, limit=None, every=1, batch=12):
        windows = shards.Windows(folder)
        indices = np.arange(len(windows))[::every]
        if limit and limit < len(indices):
            indices = np.sort(np.random.default_rng(5).permutation(indices)[:limit])
        self.scene_names, self.parts = [], []
        names = [n for s in windows.names for n in named_scenes(windows.shards[s])]
        for start in range(0, len(indices), batch):
            chosen = indices[start : start + batch]
            rows = windows.rows(chosen)
            if types:
                rows["valid"][~torch.isin(rows["type"], torch.tensor(types, dtype=torch.uint8))] = 0
            usable = (rows["lane_valid"] > 0) & (rows["lane_kind"] != shards.BIKE)
            self.parts.append((shards.scene_of(rows), rows["lanes"], usable))
            self.scene_names += [names[i] for i in chosen]
        self.windows = len(indices)

    def table(self, method, with_goal, kind=None):
        """Joined columns of `method(scene, goal) -> state` or a list of states (samples), agents of one kind only."""
        tables, first = [], 0
        for scene, lanes, usable in self.parts:
            counted = torch.ones(len(scene.valid), dtype=torch.bool) if kind is None else scene.type == kind
            goal = goals(scene) if with_goal else None
            states = method(scene, goal)
            states = states if isinstance(states, list) else [states]
            runs = [measure(scene, s, lanes, usable, counted, goal) for s in states]
            best = np.min([r["error"] for r in runs], 0)
            for run in runs:
                tables.append(run | {"best": best, "batch": run["batch"] + first})
            first += scene.shape[0]
        joined = {key: np.concatenate([t[key] for t in tables]) for key in tables[0]}
        if len(states) == 1:
            joined.pop("best")
        return joined

    def interval(self, table, key, draws=300):
        """95 % bootstrap interval of one figure, over scenes."""
        names = sorted(set(self.scene_names))
        of_agent = np.array([names.index(self.scene_names[int(b)]) for b in table["batch"]])
        members, dice, values = [np.flatnonzero(of_agent == k) for k in range(len(names))], np.random.default_rng(0), []
        for _ in range(draws):
            rows = np.concatenate([members[k] for k in dice.integers(len(names), size=len(names))])
            values.append(summary({column: value[rows] for column, value in table.items()})[key])
        return [round(float(v), 3) for v in np.nanpercentile(values, [2.5, 97.5])]


def named_scenes(shard):
    """A scene name per window: from metadata `scenes` (JSON list), else one per window."""
    if "scenes" in shard.about:
        return json.loads(shard.about["scenes"])
    return [f"{id(shard)}-{i}" for i in range(shard.count)]


def methods(options):
    """(task, name, method, has samples) of everything asked for."""
    bf16 = options.bf16 == "on" or options.bf16 == "auto" and has_bf16("cpu")
    yield "goal", "log", lambda scene, goal: log(scene)
    yield "goal", "constant velocity", lambda scene, goal: constant_velocity(scene)
    yield "goal", "Hermite to goal", lambda scene, goal: hermite(scene)
    for path in options.weights:
        network = export.load_network(path)
        generator = torch.Generator().manual_seed(options.seed)
        yield "goal", f"{path.stem}: prior alone", lambda scene, goal: prior_alone(network.prior, scene, goal)
        for name in options.schedules.split(","):
            levels = schedule(name, options.steps)
            for smooth in (False, True):
                told = f"{path.stem}: {name} T0.5{' smoothed' * smooth}"
                yield "goal", told, lambda scene, goal: sample(network, scene, levels, goal, 0.5, generator, bf16, smooth)
        levels = schedule("full", options.steps)
        if options.free:
            draw = lambda scene, n, t: [sample(network, scene, levels, None, t, generator, bf16) for _ in range(n)]
            yield "free", f"{path.stem}: full T1 x{options.free}", lambda scene, goal: draw(scene, options.free, 1.0)
            yield "free", f"{path.stem}: full T0.7 x2", lambda scene, goal: draw(scene, 2, 0.7)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("shards", type=Path)
    parser.add_argument("--weights", type=Path, nargs="*", default=[])
    parser.add_argument("--types", type=int, nargs="*", help="keep only agents of these types (1 vehicle, 2 pedestrian, 3 cyclist)")
    parser.add_argument("--kind", type=int, help="count only agents of this type")
    parser.add_argument("--schedules", default="full")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--free", type=int, default=0, help="samples of the free task; 0 leaves it out")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bf16", choices=("auto", "on", "off"), default="auto", help="auto: where the processor computes in it")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    bench = Bench(options.shards, options.types, options.limit, options.every)
    print(f"{bench.windows} windows, {len(set(bench.scene_names))} scenes")
    print("| task | method | ADE (moving) m | col % | off % | M_k | creep % | minADE m |\n|---|---|---|---|---|---|---|---|", flush=True)
    rows = []
    for task, name, method in methods(options):
        table = bench.table(method, task == "goal", options.kind)
        row = summary(table)
        row["interval"] = {key: bench.interval(table, key) for key in ("ade_m", "ade_moving_m", "collision_pct")}
        low, high = row["interval"]["ade_m"]
        best = f"{row['min_ade_m']:.3f}" if "min_ade_m" in row else ""
        print(
            f"| {task} | {name} | {row['ade_m']:.3f} [{low:.2f}, {high:.2f}] ({row['ade_moving_m']:.3f}) | {row['collision_pct']:.2f} "
            f"| {row['off_road_pct']:.2f} | {row['instability']:.3f} | {row['creep_pct']:.1f} | {best} |",
            flush=True,
        )
        rows.append({"task": task, "method": name, "windows": bench.windows, **row})
    if options.json:
        options.json.write_text(json.dumps({"rows": rows}, indent=1))


if __name__ == "__main__":
    main()
