"""Trajectory tokens: one-second segments found by k-means, and how a path is written with them.

A segment is [3, 4]: start, 0.5 s, 1 s; x, y (m), heading (rad), speed (m/s) in the frame of its start, whose place and
heading are zero. A path is matched segment by segment *from where the last matched segment ended*, not from where the
truth was: what training sees is what decoding meets.

    python vocabulary.py --shards SHARDS/train --valid SHARDS/valid    (error by size and cost)
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

import shards
from network import rotate
from prior import NOW
from planner import PER_TOKEN, TOKENS, apply, forward_speed

LARGEST_CURVATURE = 0.25  # 1/m: a segment may not turn more over its length
STANDING_M = 0.05
HEADING_M, SPEED_S, START_S = 2.5, 0.2, 0.1  # what a radian and a metre per second count in metres
HALF_LENGTH, HALF_WIDTH = 2.4, 0.95


def wrap(angle):
    """Into (-pi, pi]."""
    return torch.atan2(torch.sin(angle), torch.cos(angle))


def plans_of(agents):
    """x, y, heading, speed [N, T, 4] in the frame of frame 4, of states [N, T, 8]."""
    facing = functional.normalize(agents[:, NOW, 2:4], dim=-1)
    cos, sin = facing[:, :1], facing[:, 1:]
    place = rotate(agents[..., :2] - agents[:, NOW : NOW + 1, :2], cos, -sin)
    heading, velocity = rotate(agents[..., 2:4], cos, -sin), rotate(agents[..., 4:6], cos, -sin)
    speed = forward_speed(torch.cat([place, velocity, heading], -1))
    return torch.cat([place, torch.atan2(heading[..., 1], heading[..., 0])[..., None], speed[..., None]], -1)


def segments_of(plans):
    """All segments [n, 3, 4] that begin at frames 4, 6, ... of complete plans [N, 21, 4]."""
    out = []
    for start in range(NOW, plans.shape[1] - PER_TOKEN, PER_TOKEN):
        part = plans[:, start : start + PER_TOKEN + 1].clone()
        cos, sin = part[:, :1, 2].cos(), part[:, :1, 2].sin()
        part[..., :2] = rotate(part[..., :2] - part[:, :1, :2].clone(), cos, -sin)
        part[..., 2] = wrap(part[..., 2] - part[:, :1, 2].clone())
        out.append(part)
    return torch.cat(out)


def coordinates(segments):
    """Segments as points for k-means, in metres: [n, 9]."""
    weight = torch.tensor([1.0, 1.0, HEADING_M, SPEED_S])
    return torch.cat([segments[:, 0, 3:] * 0.5, (segments[:, 1:] * weight).flatten(1)], 1)


def fit(segments, size, seed=0, most=60_000, rounds=20):
    """A vocabulary [size, 3, 4] by k-means on segments thinned where they are plentiful; the first one stands still."""
    dice = np.random.default_rng(seed)
    cell = torch.stack([segments[:, 2, 0] / 1.0, segments[:, 2, 1] / 0.2, (segments[:, 2, 3] - segments[:, 0, 3]) / 0.5], -1)
    _, which, count = np.unique(cell.round().int().numpy(), axis=0, return_inverse=True, return_counts=True)
    weight = count[which.ravel()] ** -0.6
    keep = dice.choice(len(segments), min(most, len(segments)), replace=False, p=weight / weight.sum())
    kept = segments[torch.from_numpy(keep)]
    kept = torch.cat([kept, kept * torch.tensor([1.0, -1.0, -1.0, 1.0])])  # left and right are alike
    points = coordinates(kept)
    centres = points[torch.from_numpy(dice.choice(len(points), size, replace=False))]
    for _ in range(rounds):
        nearest = torch.cat([torch.cdist(part, centres).argmin(1) for part in points.split(8192)])
        total = torch.zeros(size, points.shape[1]).index_add_(0, nearest, points)
        members = torch.bincount(nearest, minlength=size)
        empty = members == 0
        centres = total / members.clamp(min=1)[:, None]
        centres[empty] = points[torch.from_numpy(dice.choice(len(points), int(empty.sum())))]
    mean = torch.zeros(size, 3, 4).index_add_(0, nearest, kept) / members.clamp(min=1)[:, None, None]
    mean = mean[members > 0]
    mean = torch.cat([mean, segments[torch.from_numpy(dice.choice(len(segments), size - len(mean)))]])
    return tidy(mean)


def tidy(segments):
    """What k-means leaves that no car does: turning on the spot, creeping while it stands; the first one stands."""
    out = segments.clone()
    out[:, 0, :3] = 0
    moved = out[:, 1:, :2].norm(dim=-1).cummax(1).values
    out[:, 1:, 2] = torch.minimum(torch.maximum(out[:, 1:, 2], -LARGEST_CURVATURE * moved), LARGEST_CURVATURE * moved)
    still = out[:, 2, :2].norm(dim=-1) < STANDING_M
    out[still, 1:] = 0
    out[0] = 0
    return out


def costs(vocabulary, place, heading, speed, truth, corners=False):
    """Cost [B, m] of each segment from starts place, heading [B, 2], speed [B] towards truth [B, 2, 4]."""
    cos, sin = heading[:, :1], heading[:, 1:]
    local = rotate(truth[..., :2] - place[:, None], cos, -sin)  # [B, 2, 2]
    angle = wrap(truth[..., 2] - torch.atan2(sin, cos))
    offset = local[:, None] - vocabulary[None, :, 1:, :2]  # [B, m, 2, 2]
    turn = wrap(angle[:, None] - vocabulary[None, :, 1:, 2])
    if corners:
        apart = 0
        for x, y in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            corner = torch.tensor([x * HALF_LENGTH, y * HALF_WIDTH])
            there = rotate(corner.expand(*angle.shape, 2), angle.cos(), angle.sin())[:, None]
            here = rotate(corner.expand(len(vocabulary), 2, 2), vocabulary[:, 1:, 2].cos(), vocabulary[:, 1:, 2].sin())
            apart = apart + (offset + there - here[None]).norm(dim=-1) / 4
    else:
        apart = offset.norm(dim=-1) + HEADING_M * turn.abs()
    jump = (truth[:, None, :, 3] - vocabulary[None, :, 1:, 3]).abs()
    start = (speed[:, None] - vocabulary[None, :, 0, 3]).abs()
    return (apart + SPEED_S * jump).mean(-1) + START_S * start


def tokenise(vocabulary, plan, speed, dice=None, wander=0.0, corners=False):
    """Writes plans [B, 16, 4] with tokens.

    Returns tokens [B, 8] (the best at each step), place and heading [B, 8, 2] and speed [B, 8] where each begins, the
    tokens before [B, 8] (the vocabulary's size for none) and the path written [B, 16, 4]. With `wander`, a step in so
    many goes on from another token than the best, drawn by its cost: decoding strays too, and has to come back.
    """
    rows, size = len(plan), len(vocabulary)
    place, heading = torch.zeros(rows, 2), torch.tensor([1.0, 0.0]).expand(rows, 2)
    before = torch.full((rows,), size)
    out = {name: [] for name in ("token", "place", "heading", "speed", "before", "path")}
    for k in range(TOKENS):
        cost = costs(vocabulary, place, heading, speed, plan[:, PER_TOKEN * k : PER_TOKEN * (k + 1)], corners)
        best = cost.argmin(1)
        for name, value in zip(("token", "place", "heading", "speed", "before"), (best, place, heading, speed, before)):
            out[name].append(value)
        taken = best
        if wander:
            share = torch.softmax((cost.amin(1, keepdim=True) - cost) / 0.25, 1)
            other = torch.multinomial(share, 1, generator=dice)[:, 0]
            taken = torch.where(torch.rand(rows, generator=dice) < wander, other, best)
        points, (place, heading, speed) = apply(vocabulary[taken], place, heading)
        out["path"].append(points)
        before = taken
    path = torch.cat(out.pop("path"), 1)
    return {name: torch.stack(value, 1) for name, value in out.items()} | {"path": path}


def complete_plans(windows, kind, dice, count):
    """Plans [n, 21, 4] of agents of a kind (1 vehicle, 2 pedestrian, 3 cyclist) known throughout, and whether a car's."""
    out, cars = [], []
    for start in range(0, count, 256):
        rows = windows.rows(dice.integers(len(windows), size=256))
        chosen = rows["valid"].bool().all(-1) & (rows["type"] == kind)
        agents = rows["agents"][chosen]
        out.append(plans_of(agents))
        cars.append(agents[:, NOW, 6] < 7)
    return torch.cat(out), torch.cat(cars)


def build(windows, seed, sizes):
    """Vocabularies by category, {name: [m, 3, 4]}; one that has too little to learn from is left out."""
    dice, out = np.random.default_rng(seed), {}
    for name, kind, count in (("ego", 1, 6000), ("vehicle", 1, 6000), ("pedestrian", 2, 8000), ("cyclist", 3, 8000)):
        plans, cars = complete_plans(windows, kind, dice, count)
        segments = segments_of(plans[cars] if name == "ego" else plans)
        if len(segments) > 4 * sizes[name]:
            out[name] = fit(segments, sizes[name], seed)
    return out


def errors(vocabulary, plans, corners=False):
    """Mean and 95th percentile distance (m) between plans and what is written for them, and mean heading error (rad)."""
    gaps, turns = [], []
    for part in plans.split(256):
        path = tokenise(vocabulary, part[:, NOW + 1 :], part[:, NOW, 3], corners=corners)["path"]
        gaps.append((path[..., :2] - part[:, NOW + 1 :, :2]).norm(dim=-1))
        turns.append(wrap(path[..., 2] - part[:, NOW + 1 :, 2]).abs())
    gaps, turns = torch.cat(gaps), torch.cat(turns)
    return gaps.mean().item(), gaps.flatten().kthvalue(int(0.95 * gaps.numel())).values.item(), turns.mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--valid", type=Path, required=True)
    parser.add_argument("--sizes", default="128,256,512,1024,2048")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    plans, cars = complete_plans(shards.Windows(options.shards), 1, np.random.default_rng(options.seed), 6000)
    segments = segments_of(plans[cars])
    held, cars = complete_plans(shards.Windows(options.valid), 1, np.random.default_rng(1), 512)
    held, rows = held[cars][:2000], []
    print(f"{len(segments)} segments; error on {len(held)} paths of held-out networks\n| size | cost | mean m | 95 % m | heading rad |\n|---|---|---|---|---|")
    for size in map(int, options.sizes.split(",")):
        vocabulary = fit(segments, size, options.seed)
        for name in ("centre and heading", "corners"):
            mean, high, turn = errors(vocabulary, held, name == "corners")
            print(f"| {size} | {name} | {mean:.3f} | {high:.3f} | {turn:.4f} |", flush=True)
            rows.append({"size": size, "cost": name, "mean_m": mean, "high_m": high, "heading_rad": turn})
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
