"""Reads shards of windows (layout in README.md) and turns rows of them into augmented training scenes."""

import json
import math
import struct
from pathlib import Path

import numpy as np
import torch

from network import FRAMES, NOW, SECONDS, SIGNAL_VALUE, Scene, rotate

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
    """All windows of a folder of shards; `refresh` picks up shards that have appeared since.

    On a GPU all of them lie in its memory (20 KB each in the corpus's layout).
    """

    def __init__(self, folder, device="cpu"):
        self.folder, self.device, self.shards, self.held = Path(folder), device, {}, {}
        self.refresh()
        if not self.shards:
            raise FileNotFoundError(f"no shards (*.safetensors) in {folder}")

    def refresh(self):
        """Opens new shards, after those it has, in the order of their names."""
        for path in sorted(self.folder.glob("*.safetensors")):
            if path.name not in self.shards:
                self.shards[path.name] = Shard(path)
        self.names = list(self.shards)
        self.ends = np.cumsum([shard.count for shard in self.shards.values()])
        if self.device != "cpu":
            self._hold([self.shards[name].arrays for name in self.names])

    def _hold(self, parts):
        """Copies what is new to the device; a shard with more agents or lanes than before widens all."""
        self.count = getattr(self, "count", 0)
        new = parts[self.count :]
        self.count = len(parts)
        for key in KEYS if new else ():
            blocks = [self.held.pop(key)] if key in self.held else []
            blocks += [torch.from_numpy(np.array(part[key])).to(self.device) for part in new]
            wide = torch.tensor([block.shape[1:] for block in blocks], device="cpu").amax(0).tolist()
            self.held[key] = torch.cat([padded(block, wide) for block in blocks])

    def __len__(self):
        return int(self.ends[-1])

    def hindsight(self, indices):
        """Which windows, by index, have an obstacle that was put there in hindsight (obstacles.py): [W] bool."""
        with_obstacle = np.array(["obstacles" in self.shards[name].about for name in self.names])
        return with_obstacle[np.searchsorted(self.ends, np.asarray(indices), side="right")]

    def rows(self, indices):
        """Windows by index, as a dictionary of tensors; padded to the largest agent and lane count among them."""
        if self.held:
            indices = torch.as_tensor(np.asarray(indices)).to(self.device)
            return {key: value[indices].float() if value.dtype == torch.float16 else value[indices] for key, value in self.held.items()}
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


def padded(block, shape):
    """[W, ...] with zeros up to [W, *shape]."""
    if list(block.shape[1:]) == list(shape):
        return block
    out = block.new_zeros(len(block), *shape)
    out[(slice(None), *(slice(n) for n in block.shape[1:]))] = block
    return out


def trim(rows, agents):
    """Keeps the first (nearest) agents of windows, in place."""
    for key in ("agents", "valid", "type"):
        rows[key] = rows[key][:, :agents]


def augment(rows):
    """Changes windows in place, by their device's generator: wander, mirror, noisy history, hidden signals and limits."""
    agents, valid = rows["agents"], rows["valid"].bool()
    count = len(valid)
    flip = torch.where(torch.rand(count) < 0.5, -1.0, 1.0)
    for channel in (1, 3, 5):
        agents[..., channel] *= flip[:, None, None]
    rows["lanes"][..., 1] *= flip[:, None, None]
    wander(agents)

    strength = torch.rand(count) * (torch.rand(count) < 0.7) * torch.where(torch.rand(count) < 0.2, 2.5, 1.0)
    strength = strength[:, None, None]
    past, shape = agents[:, :, : NOW + 1], valid.shape[:2] + (NOW + 1,)
    place = torch.randn(*shape, 2) * 0.08 * strength[..., None]
    place[:, :, NOW] *= 0.3
    steady = 0.3 + 0.7 * (past[..., 4:6].norm(dim=-1, keepdim=True) / 3).clamp(max=1)
    past[..., 4:6] += torch.randn(*shape, 2) * 0.3 * strength[..., None] * steady
    past[..., :2] += place
    turn = torch.randn(*shape[:2], 1) * 0.02 * strength
    past[..., 2:4] = rotate(past[..., 2:4], turn.cos(), turn.sin())
    agents *= valid[..., None]

    hidden = torch.rand(count)[:, None, None]
    now_only = (hidden > 0.35) & (hidden < 0.6) & (torch.arange(FRAMES) > NOW)
    rows["lane_signal"] = rows["lane_signal"].masked_fill((hidden < 0.35) | now_only, 0)
    rows["lane_speed"] = rows["lane_speed"].masked_fill(torch.rand(count, 1) < 0.4, 0)


def wander(agents):
    """Lets agents [B, A, T, 8] run ahead of and behind their timetable, sway across their path and surge, in place.

    Simulated drivers hold their speed and their line better than people do, and accelerate for seconds on end; trackers
    add errors of their own. A network takes the difference for information. Timing moves by up to 0.1 s (r.m.s.), less
    above 12 m/s, and place across by up to 0.15 m, in waves of 3 to 12 s. On top of that the speed surges by up to
    0.75 m/s along and 0.19 m/s across the path, in waves of 1 to 5 s. What stands goes on standing.
    The sizes were chosen on recorded NGSIM tracks: 100 of I-80, where the change of speed in 1 s says nothing about the
    next 2 s (slope 0.05; simulated, on held-out Wildau, 1.3), and windows of Lankershim and Peachtree. Given their ends,
    a prior fitted with surges misses them by 0.65 and 0.49 m, without by 0.70 and 0.54 m, a cubic Hermite by 0.65 and
    0.46 m; on Wildau it misses by 0.36 instead of 0.34 m.
    """
    shape, time = agents.shape[:2], SECONDS.to(agents)
    speed = agents[..., 4:6].norm(dim=-1)
    slow, quick = (torch.rand(shape[0], 1, 1, 1) * (torch.rand(shape[0], 1, 1, 1) < 0.8) for _ in range(2))

    def turns(shortest, longest):
        return 2 * math.pi / (shortest * (longest / shortest) ** torch.rand(*shape, 3, 1))

    def waves(turn, size):
        phase, height = 2 * math.pi * torch.rand(*shape, 3, 1), (2 / 3) ** 0.5 * torch.randn(*shape, 3, 1) * size
        return (height * (turn * time + phase).sin()).sum(2), (height * turn * (turn * time + phase).cos()).sum(2)

    late, rate = waves(turns(3, 12), slow * 0.1 / (speed[:, :, NOW, None, None] / 12).clamp(min=1))
    aside, drift = waves(turns(3, 12), slow * 0.15)
    surge = turns(1, 5)
    on, faster = waves(surge, quick * 0.75 / surge)
    off, slip = waves(surge, quick * 0.19 / surge)
    moving = (speed / 4).clamp(max=1)
    along = agents[..., 2:4].clone()
    across = torch.stack([-agents[..., 3], agents[..., 2]], -1)
    lean = drift * moving / speed.clamp(min=2)
    agents[..., :2] += agents[..., 4:6] * late[..., None] + along * (on * moving)[..., None]
    agents[..., :2] += across * ((aside + off) * moving)[..., None]
    agents[..., 4:6] = agents[..., 4:6] * (1 + rate)[..., None] + along * (faster * moving)[..., None]
    agents[..., 4:6] += across * ((drift + slip) * moving)[..., None]
    agents[..., 2:4] = rotate(agents[..., 2:4], lean.cos(), lean.sin())


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
