"""Reads shards of windows (layout in README.md) and turns rows of them into augmented training scenes."""

import json
import struct
from pathlib import Path

import numpy as np
import torch

from network import FRAMES, NOW, SIGNAL_VALUE, Scene, rotate

BIKE, JUNCTION = 3, 4
DTYPES = {"F32": np.float32, "F16": np.float16, "U8": np.uint8}
KEYS = ("agents", "valid", "type", "lanes", "lane_valid", "lane_kind", "lane_signal", "lane_speed")


class Shard:
    """One shard, mapped into memory: nothing is read before it is asked for."""

    def __init__(self, path):
        with open(path, "rb") as file:
            size = struct.unpack("<Q", file.read(8))[0]
            header = json.loads(file.read(size))
        self.about = header.pop("__metadata__", {})
        if missing := set(KEYS) - set(header):
            raise ValueError(f"{path} is no shard of windows: {sorted(missing)} missing")
        data = np.memmap(path, np.uint8, "r", 8 + size)
        self.arrays = {}
        for key in KEYS:
            start, end = header[key]["data_offsets"]
            self.arrays[key] = data[start:end].view(DTYPES[header[key]["dtype"]]).reshape(header[key]["shape"])
        self.count = len(self.arrays["valid"])


class Windows:
    """All windows of a folder of shards; `refresh` picks up shards that have appeared since."""

    def __init__(self, folder):
        self.folder, self.shards = Path(folder), {}
        self.refresh()
        if not self.shards:
            raise FileNotFoundError(f"no shards (*.safetensors) in {folder}")

    def refresh(self):
        """Opens new shards, in the order of their names."""
        for path in sorted(self.folder.glob("*.safetensors")):
            if path.name not in self.shards:
                self.shards[path.name] = Shard(path)
        self.names = sorted(self.shards)
        self.ends = np.cumsum([self.shards[name].count for name in self.names])

    def __len__(self):
        return int(self.ends[-1])

    def rows(self, indices):
        """Windows by index, as a dictionary of tensors; padded to the largest agent and lane count among them."""
        picked = []
        for index in indices:
            which = int(np.searchsorted(self.ends, index, side="right"))
            start = self.ends[which - 1] if which else 0
            arrays = self.shards[self.names[which]].arrays
            picked.append({key: np.array(arrays[key][index - start]) for key in KEYS})
        out = {}
        for key in KEYS:
            shape = tuple(np.max([row[key].shape for row in picked], 0))
            full = np.zeros((len(picked), *shape), picked[0][key].dtype)
            for k, row in enumerate(picked):
                full[(k, *(slice(n) for n in row[key].shape))] = row[key]
            out[key] = torch.from_numpy(full.astype(np.float32) if full.dtype == np.float16 else full)
        return out


def trim(rows, agents):
    """Keeps the first (nearest) agents of windows, in place."""
    for key in ("agents", "valid", "type"):
        rows[key] = rows[key][:, :agents]


def augment(rows, dice):
    """Changes windows in place: parked cars, mirror, noisy history, hidden signals and limits; `dice` is numpy's."""
    valid = rows["valid"].bool()
    park(rows, valid, dice)
    rows["valid"] = valid
    agents, count = rows["agents"], len(valid)
    flip = torch.where(torch.from_numpy(dice.random(count) < 0.5), -1.0, 1.0)
    for channel in (1, 3, 5):
        agents[..., channel] *= flip[:, None, None]
    rows["lanes"][..., 1] *= flip[:, None, None]

    strength = torch.from_numpy(dice.random(count) * (dice.random(count) < 0.7)).float()[:, None, None]
    normal = lambda *shape: torch.from_numpy(dice.standard_normal(shape, np.float32))
    past, shape = agents[:, :, : NOW + 1], valid.shape[:2] + (NOW + 1,)
    place = normal(*shape, 2) * 0.08 * strength[..., None]
    place[:, :, NOW] *= 0.3
    steady = 0.3 + 0.7 * (past[..., 4:6].norm(dim=-1, keepdim=True) / 3).clamp(max=1)
    past[..., 4:6] += normal(*shape, 2) * 0.3 * strength[..., None] * steady
    past[..., :2] += place
    turn = normal(*shape[:2], 1) * 0.02 * strength
    past[..., 2:4] = rotate(past[..., 2:4], turn.cos(), turn.sin())
    agents *= valid[..., None]

    signal = rows["lane_signal"]
    hidden = torch.from_numpy(dice.random(count))
    signal[hidden < 0.35] = 0
    signal[(hidden > 0.35) & (hidden < 0.6), :, NOW + 1 :] = 0
    rows["lane_speed"][torch.from_numpy(dice.random(count) < 0.4)] = 0


def park(rows, valid, dice, share=0.8):
    """Parks up to nine cars in `share` of the windows, in free agent slots and then in those of the farthest agents.

    Most stand in rows along the side of a lane, some at an angle away from the road. Simulated traffic has no parked
    cars, and without them a network believes that whoever stands will soon drive.
    """
    for b in np.flatnonzero(dice.random(len(valid)) < share):
        agents, kinds = rows["agents"][b], rows["lane_kind"][b]
        streets = torch.nonzero((rows["lane_valid"][b] > 0) & (kinds != JUNCTION) & (kinds != BIKE))[:, 0].tolist()
        if not streets:
            continue
        count = min(int(dice.integers(1, 10)), len(valid[b]) - 2)
        present = valid[b].any(1)
        slots = torch.argsort(present.int() * 1000 - torch.arange(len(present)), stable=True)[:count].tolist()
        valid[b, slots], agents[slots], rows["type"][b, slots] = False, 0.0, 0
        spots = parking_spots(rows["lanes"][b].numpy(), streets, 4 * count, dice)
        taken = agents[valid[b]][:, :2].numpy()
        for x, y, yaw in spots:
            if not slots:
                break
            if np.hypot(x, y) > 90 or np.hypot(taken[:, 0] - x, taken[:, 1] - y).min() < 2.6:
                continue
            size = dice.uniform(3.8, 5.1), dice.uniform(1.7, 2.05)
            state = np.array([x, y, np.cos(yaw), np.sin(yaw), 0, 0, *size], np.float32)
            slot = slots.pop()
            agents[slot], valid[b, slot], rows["type"][b, slot] = torch.from_numpy(state), True, 1
            taken = np.concatenate([taken, [[x, y]]])


def parking_spots(lanes, streets, count, dice):
    """`count` candidate poses (x, y, yaw): rows of one to five cars beside lanes or, one row in five, off the road."""
    spots = []
    while len(spots) < count:
        line, start = lanes[dice.choice(streets)], dice.integers(19)
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


def scene_of(rows, nearest_lanes=20):
    """The network's scene from windows; lanes for bicycles alone are left out."""
    signal = torch.tensor(SIGNAL_VALUE)[rows["lane_signal"].long()]
    usable = (rows["lane_valid"] > 0) & (rows["lane_kind"] != BIKE)
    junction = rows["lane_kind"] == JUNCTION
    return Scene(
        rows["agents"], rows["valid"].bool(), rows["type"], rows["lanes"], usable, junction, signal, rows["lane_speed"], nearest_lanes
    )


def noise_levels(scene, one_per_scene=False):
    """Training levels [N, T]: a mixture of schedules, clean histories, goals and fully independent tokens.

    With `one_per_scene`, for an ablation: clean histories, and one level for the whole future of a scene.
    """
    count, scenes = len(scene.valid), scene.shape[0]
    per_scene = lambda: torch.rand(scenes)[scene.batch][:, None]
    if one_per_scene:
        return per_scene().clamp(min=1 / 64) * (torch.arange(FRAMES) > NOW)
    independent = torch.rand(count, FRAMES)
    progress = ((torch.arange(FRAMES) - NOW).clamp(min=0) / 16.0)[None]
    from_ends = 1 - (2 * progress - 1).abs()
    width, time = per_scene() * 3, per_scene()
    pyramid = (time * (1 + width) - width * (1 - progress)).clamp(0, 1)
    trapezoid = (time * (1 + width) - width * (1 - from_ends)).clamp(0, 1)
    uniform, which = per_scene().expand(-1, FRAMES), per_scene()
    level = torch.where(which < 0.4, uniform, torch.where(which < 0.6, pyramid, torch.where(which < 0.75, trapezoid, independent)))
    past = (torch.arange(FRAMES) <= NOW)[None]
    level = torch.where(past, 0.0, level.clamp(min=1 / 64))

    # Goals: in half of the scenes a random share of the agents, in 15 % all; mostly the last token.
    share = torch.where(torch.rand(scenes) < 0.5, torch.rand(scenes), (torch.rand(scenes) < 0.3).float())
    wanted = torch.rand(count) < share[scene.batch]
    last = (scene.valid.long() * torch.arange(FRAMES)).amax(1)
    earlier = NOW + 1 + (torch.rand(count) * (last - NOW).clamp(min=1)).long().clamp(max=FRAMES - NOW - 2)
    goal = torch.where(torch.rand(count) < 0.75, last, torch.minimum(earlier, last))
    level = torch.where((wanted & (last > NOW))[:, None] & (torch.arange(FRAMES) == goal[:, None]), 0.0, level)
    return torch.where(per_scene() < 0.15, independent.clamp(min=1 / 64), level)
