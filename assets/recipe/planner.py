"""The ego planner: what it reads of a window, and its network. PLANNER.md states the same as a specification.

One encoder of the scene, seven ways to answer: trajectory tokens one after the other (`Tokens`), all tokens at once out
of masks (`Masked`), denoising of sixteen future frames on top of the analytic prior (`Refiner`), a flow that carries the
prior's own futures to plans (`Flow`), a mixture of Gaussians (`Mixture`), one mean future (`regress`), and a choice among
anchors.
Everything is in the ego's frame at the current moment: its box centre is the origin, its heading the x axis.

Axes: B egos, N neighbours, L lane pieces of 10 points, S = 1 + N + L + 1 scene tokens, W width, T = 21 frames.
"""

import math

import torch
from torch import nn
from torch.nn import functional

from network import EXACT, FAR, NEAREST_POINTS, SECONDS, SIGNAL_VALUE, mlp, rotate
from prior import FRAMES, NOW, from_blocks, noise_scales
from shards import BIKE, JUNCTION

POINTS, TOKENS, PER_TOKEN = 16, 8, 2  # half seconds planned, tokens (one a second), points per token
SEEN = NOW + 1  # frames of history with the current one
COASTING_S = (0.0, 2.5, 5.0, 8.0)  # where lanes are looked for
NEAR_AGENTS = 4
CONFIG = {
    "planner_version": 3, "width": 128, "heads": 4, "hidden": 256, "encoder_layers": 1, "token_layers": 2,
    "refiner_layers": 2, "neighbours": 24, "lanes": 32, "vocabulary": 512, "anchors": 20,
    "components": 6, "mixture_layers": 2, "masked_layers": 2, "flow_layers": 2,
}  # fmt: skip
POSE, ROUTE = 8, NEAREST_POINTS + 2 * 5
LOCAL = 5 * NEAREST_POINTS + NEAREST_POINTS + 1 + 8 * NEAR_AGENTS + ROUTE
AHEAD_WEIGHT, BEHIND_WEIGHT = 0.5, 1.5  # of a metre, where the nearest neighbours are looked for
ROUTE_WIDTH_M, ROUTE_COS, ROUTE_SHARE = 4.5, 0.7, 0.7  # what of a lane lies on a route, and how much of it must
SMOOTHED = 0.05  # level at which the prior is shown what a flow has made
EDIT = math.log(4)  # a known token gives way to one this much likelier
ROUTE_JOIN_M, ROUTE_HOPS, ROUTE_FIRST_M = 2.0, 6, 20.0  # how lanes join, how far a route goes on, how lanes on it come first


class Egos:
    """A batch of egos and what surrounds them.

    rows: W windows as tensors (shards.Windows.rows); window, pick [B]: which agent of which window each ego is;
    routed [B]: who is told the route, which is that of the ego's own future; None: nobody. straight [B]: whose route
    is that of going straight on instead, whatever it does.
    """

    def __init__(self, rows, window, pick, config, routed=None, straight=None):
        rows = {name: value[window] for name, value in rows.items()}
        batch = torch.arange(len(pick))
        agents, valid = rows["agents"], rows["valid"].bool()
        now = agents[batch, pick, NOW]
        self.origin, self.facing = now[:, :2], functional.normalize(now[:, 2:4], dim=-1)
        cos, sin = self.facing[:, None, None, 0], self.facing[:, None, None, 1]
        place = rotate(agents[..., :2] - self.origin[:, None, None], cos, -sin)
        heading, velocity = rotate(agents[..., 2:4], cos, -sin), rotate(agents[..., 4:6], cos, -sin)
        state = torch.cat([place, velocity, heading], -1)  # [B, A, T, 6]
        self.own, self.own_valid = state[batch, pick], valid[batch, pick]  # [B, T, 6], [B, T]
        self.size = now[:, 6:8]  # length, width
        self.speed = self.own[:, NOW, 2:4].norm(dim=-1)
        self.travel = (self.own[:, :SEEN, :2].norm(dim=-1) * self.own_valid[:, :SEEN]).amax(1)
        coasting = self.own[:, NOW : NOW + 1, 2:4]
        ahead = torch.tensor([1.0, 0.0]).expand(len(pick), FRAMES, 2)
        self.base = torch.cat([coasting * SECONDS.to(coasting)[:, None], coasting.expand(-1, FRAMES, -1), ahead], -1)
        self._read_neighbours(rows, state, valid, batch, pick, config["neighbours"])
        self._read_lanes(rows, cos[..., 0], sin[..., 0], config["lanes"], routed, straight)

    def _read_neighbours(self, rows, state, valid, batch, pick, count):
        """The nearest, where a metre ahead counts as half of one and a metre behind as one and a half."""
        here = valid[:, :, NOW].clone()
        here[batch, pick] = False
        along, across = state[:, :, NOW, 0], state[:, :, NOW, 1]
        gap = torch.hypot(along * torch.where(along > 0, AHEAD_WEIGHT, BEHIND_WEIGHT), across) + (~here) * 1e6
        index = gap.topk(min(count, gap.shape[1]), largest=False).indices
        row = batch[:, None]
        self.near_valid = here[row, index]  # [B, N]
        self.near = state[row, index, :SEEN]  # [B, N, 5, 6]
        self.near_seen = valid[row, index, :SEEN] & self.near_valid[..., None]
        self.near_size = rows["agents"][row, index, NOW, 6:8]
        self.near_type = rows["type"][row, index]

    def _read_lanes(self, rows, cos, sin, count, routed, straight):
        lanes = rotate(rows["lanes"] - self.origin[:, None, None], cos[..., None], -sin[..., None])  # [B, L, 20, 2]
        usable = (rows["lane_valid"] > 0) & (rows["lane_kind"] != BIKE)
        anchor = self.own[:, NOW, None, 2:4] * torch.tensor(COASTING_S)[:, None]  # [B, 4, 2]
        coarse = lanes[:, :, ::3]
        gap = torch.cdist(anchor, coarse.flatten(1, 2), compute_mode=EXACT)
        gap = gap.view(len(lanes), len(COASTING_S), lanes.shape[1], -1).amin((1, 3)) + (~usable) * 1e4
        if routed is None:
            on = torch.zeros_like(gap)
        else:
            course = torch.cat([self.own[:, NOW::2, :2], self.own[:, NOW::2, 4:6]], -1)
            if straight is not None:
                coasting = torch.cat([self.base[:, NOW::2, :2], self.base[:, NOW::2, 4:6]], -1)
                course = torch.where(straight[:, None, None], coasting, course)
            on = (2.0 * on_route(lanes, usable, course, self.own_valid[:, NOW::2]) - 1) * routed[:, None]
            gap = gap - ROUTE_FIRST_M * (on > 0)
        index = gap.topk(min(count, gap.shape[1]), largest=False).indices
        row = torch.arange(len(lanes))[:, None]
        self.lane_valid = usable[row, index]
        self.on = on[row, index] * self.lane_valid  # 1 on the route, -1 not, 0 nobody has said
        self.lane = lanes[row, index][:, :, ::2]  # [B, L, 10, 2]
        step = self.lane[:, :, 1:] - self.lane[:, :, :-1]
        self.direction = functional.normalize(torch.cat([step, step[:, :, -1:]], 2), dim=-1)
        signal = torch.tensor(SIGNAL_VALUE)[rows["lane_signal"][:, :, NOW].long()]
        self.signal = signal[row, index]
        self.lane_speed = rows["lane_speed"][row, index] / 30
        self.lane_junction = (rows["lane_kind"] == JUNCTION).float()[row, index]

    def repeat(self, times):
        """The same egos, each `times` times in a row, for as many modes of each."""
        out = object.__new__(Egos)
        of_each = {name: value for name, value in self.__dict__.items() if name != "shared"}
        out.__dict__ = {name: value.repeat_interleave(times, 0) for name, value in of_each.items()}
        return out

    # -------------------------------------------------------------- inputs of scene tokens

    def own_inputs(self):
        """[B, 39]: five frames of 7, length, width, speed twice."""
        extra = [self.size[:, :1] / 5, self.size[:, 1:] / 2, self.speed[:, None] / 10, torch.tanh(self.speed)[:, None]]
        return torch.cat([frames_inputs(self.own[:, :SEEN], self.own_valid[:, :SEEN]), *extra], -1)

    def near_inputs(self):
        """[B, N, 49]: five frames of 7, size, type, closeness, place; how it stands to its lane.

        Its lane is the one with the point of least distance + 1.5 m (1 - cos): offset across it as asinh, exp(-that
        offset), cosine to it, whether it is on the route, exp(-r / 6). What is parked beside a bend is not in the way.
        """
        place = self.near[:, :, NOW, :2]
        gap = place.norm(dim=-1, keepdim=True)
        kinds = torch.stack([self.near_type == k for k in (1, 2, 3)], -1).float()
        size = torch.stack([self.near_size[..., 0] / 5, self.near_size[..., 1] / 2], -1)
        parts = [frames_inputs(self.near, self.near_seen), size, kinds, torch.exp(-gap / 5), torch.exp(-gap / 20)]
        points, along, per = self.lane.flatten(1, 2), self.direction.flatten(1, 2), self.lane.shape[2]
        cost = torch.cdist(place, points, compute_mode=EXACT) + 1.5 * (1 - self.near[:, :, NOW, 4:6] @ along.transpose(1, 2))
        least, index = (cost + (~self.lane_valid).repeat_interleave(per, 1)[:, None] * 1e4).min(-1)
        row = torch.arange(len(place))[:, None]
        offset, along = place - points[row, index], along[row, index]
        across = along[..., 0] * offset[..., 1] - along[..., 1] * offset[..., 0]
        same = (along * self.near[:, :, NOW, 4:6]).sum(-1)
        stands = [torch.asinh(across), torch.exp(-across.abs()), same, self.on[row, index // per], torch.exp(-offset.norm(dim=-1) / 6)]
        stands = torch.stack(stands, -1) * (least < 1e3)[..., None]
        return torch.cat([*parts, torch.asinh(place), stands], -1) * self.near_valid[..., None]

    def lane_inputs(self):
        """[B, L, 45]: points / 20, directions, closeness, limit, junction, signal now, route."""
        gap = self.lane.norm(dim=-1).amin(-1, keepdim=True)
        extra = torch.stack([self.lane_speed, self.lane_junction, self.signal, self.on], -1)
        parts = [(self.lane / 20).flatten(-2), self.direction.flatten(-2), torch.exp(-gap / 5), extra]
        return torch.cat(parts, -1) * self.lane_valid[..., None]

    # -------------------------------------------------------------- what is around a pose

    def around(self, place, heading, speed, time_s):
        """Inputs [B, P, LOCAL] of poses: place, heading (unit) [B, P, 2], speed [B, P] m/s, time_s [P] from now.

        The 4 nearest lane points (distance, plus 1.5 m (1 - cos) where the lane points elsewhere): offset as asinh,
        direction x exp(-r / 6), exp(-r / 3), their signals now, the first one's limit; then the 4 nearest neighbours,
        coasting since now: offset, heading, velocity against the ego's, exp(-r / 5), length / 5; then of the 4 lane
        points whether they are on the route, and the nearest point of the route, by the same distance, to the pose and
        to where it is 3 m + 1 s ahead: offset as asinh, direction, exp(-r / 3).
        """
        batch, lanes, per = self.lane.shape[:3]
        points, along = self.lane.flatten(1, 2), self.direction.flatten(1, 2)
        cost = torch.cdist(place, points, compute_mode=EXACT) + 1.5 * (1 - heading @ along.transpose(1, 2))
        cost = cost + (~self.lane_valid).repeat_interleave(per, 1)[:, None] * 1e4
        index = cost.topk(NEAREST_POINTS, dim=-1, largest=False).indices  # [B, P, 4]
        row = torch.arange(batch)[:, None, None]
        cos, sin = heading[..., None, 0], heading[..., None, 1]
        offset = rotate(points[row, index] - place[:, :, None], cos, -sin)
        turned = rotate(along[row, index], cos, -sin)
        gap = offset.norm(dim=-1, keepdim=True)
        known = self.lane_valid[row, index // per][..., None]
        on = self.on[row, index // per] * known[..., 0]
        lane = torch.cat([torch.asinh(offset), turned * torch.exp(-gap / 6), torch.exp(-gap / 3)], -1) * known
        signal = self.signal[row, index // per] * known[..., 0]
        limit = (self.lane_speed[row, index // per] * known[..., 0])[..., :1]

        now = self.near[:, :, NOW]
        there = now[:, None, :, :2] + now[:, None, :, 2:4] * time_s[:, None, None]  # [B, P, N, 2]
        apart = (there - place[:, :, None]).norm(dim=-1) + (~self.near_valid)[:, None] * 1e6
        index = apart.topk(NEAR_AGENTS, dim=-1, largest=False).indices
        known = self.near_valid[row, index][..., None]
        offset = rotate(there.gather(2, index[..., None].expand(-1, -1, -1, 2)) - place[:, :, None], cos, -sin)
        turned = rotate(now[row, index][..., 4:6], cos, -sin)
        moving = rotate(now[row, index][..., 2:4], cos, -sin) - torch.stack([speed, 0 * speed], -1)[:, :, None]
        gap = offset.norm(dim=-1, keepdim=True)
        length = self.near_size[row, index][..., :1] / 5
        near = torch.cat([torch.asinh(offset / 2), turned, torch.asinh(moving / 2), torch.exp(-gap / 5), length], -1)
        parts = [lane.flatten(2), signal, limit, (near * known).flatten(2), on]

        astray = (self.on <= 0).repeat_interleave(per, 1)[:, None] * 1e4
        for there in (place, place + heading * (3 + speed.clamp(min=0))[..., None]):
            cost = torch.cdist(there, points, compute_mode=EXACT) + 1.5 * (1 - heading @ along.transpose(1, 2)) + astray
            least, index = cost.min(-1)
            offset = rotate(points[row[..., 0], index] - place, cos[..., 0], -sin[..., 0])
            turned = rotate(along[row[..., 0], index], cos[..., 0], -sin[..., 0])
            gap = (points[row[..., 0], index] - there).norm(dim=-1, keepdim=True)
            parts.append(torch.cat([torch.asinh(offset), turned, torch.exp(-gap / 3)], -1) * (least < 1e3)[..., None])
        return torch.cat(parts, -1)


def on_route(lanes, usable, course, valid):
    """Which lane pieces [B, L, 20, 2] belong to the route of a course [B, n, 4] (place, unit heading): [B, L].

    The course goes on from its end along the straightest lanes, so that a route does not tell how far its driver gets.
    To it belong pieces of whose points beside it 70 % are within 4.5 m and run along it, neighbouring lanes among them.
    """
    way = prolonged(lanes, usable, course, valid)
    points, batch = lanes[:, :, ::2], torch.arange(len(lanes))
    step = functional.normalize(lanes[:, :, 1:] - lanes[:, :, :-1], dim=-1)
    along = torch.cat([step, step[:, :, -1:]], 2)[:, :, ::2]
    leg = way[:, 1:] - way[:, :-1]
    long = leg.norm(dim=-1)
    moves = long > 0.1
    rel = points[..., None, :] - way[:, None, None, :-1]  # [B, L, 10, legs, 2]
    at = (rel * leg[:, None, None]).sum(-1) / (long**2).clamp(min=1e-4)[:, None, None]
    gap = (rel - at.clamp(0, 1)[..., None] * leg[:, None, None]).norm(dim=-1) + (~moves)[:, None, None] * 1e4
    gap, which = gap.min(-1)
    at = at.gather(-1, which[..., None])[..., 0]
    order = torch.arange(moves.shape[1])
    last = torch.where(moves, order, -1).amax(1)[:, None, None]
    first = torch.where(moves, order, len(order)).amin(1)[:, None, None]
    beside = (gap < 1e3) & ~((which == last) & (at > 1)) & ~((which == first) & (at < 0))
    direction = functional.normalize(leg, dim=-1)[batch[:, None, None], which]
    follows = beside & (gap < ROUTE_WIDTH_M) & ((along * direction).sum(-1) > ROUTE_COS)
    return (follows.sum(-1) >= ROUTE_SHARE * beside.sum(-1)) & follows.any(-1) & usable


def prolonged(lanes, usable, course, valid):
    """The course's places and from its last valid one on those of the lane it is on and of the straightest successors.

    Points that do not exist repeat the one before: [B, n + 3 (ROUTE_HOPS + 1), 2].
    """
    batch, points = torch.arange(len(lanes)), lanes[:, :, ::2]
    step = functional.normalize(lanes[:, :, 1:] - lanes[:, :, :-1], dim=-1)
    along = torch.cat([step, step[:, :, -1:]], 2)[:, :, ::2]
    known = torch.where(valid, torch.arange(valid.shape[1]), 0).amax(1)
    end = course[batch, known]
    way = [torch.where(valid[:, k : k + 1], course[:, k, :2], end[:, :2]) for k in range(course.shape[1])]
    cost = (points - end[:, None, None, :2]).norm(dim=-1) + 1.5 * (1 - (along * end[:, None, None, 2:]).sum(-1))
    least, piece = (cost.amin(-1) + (~usable) * 1e4).min(1)
    going = least < 6
    whole = functional.normalize(lanes[:, :, -1] - lanes[:, :, 0], dim=-1)
    for hop in range(ROUTE_HOPS + 1):
        for k in (6, 13, 19):
            there = lanes[batch, piece, k]
            ahead = going & (hop > 0) | going & (((there - end[:, :2]) * end[:, 2:]).sum(-1) > 1)
            way.append(torch.where(ahead[:, None], there, way[-1]))
        out = step[batch, piece, -1]
        joins = ((lanes[:, :, 0] - lanes[batch, piece, -1][:, None]).norm(dim=-1) < ROUTE_JOIN_M) & usable
        joins &= (step[:, :, 0] * out[:, None]).sum(-1) > ROUTE_COS
        best, piece = torch.where(joins, (whole * out[:, None]).sum(-1), -2.0).max(1)
        going = going & (best > -2)
    return torch.stack(way, 1)


def frames_inputs(state, valid):
    """States [..., 5, 6] -> [..., 35]: place / 20, heading, velocity / 10, 1; zero where invalid."""
    parts = [state[..., :2] / 20, state[..., 4:6], state[..., 2:4] / 10, torch.ones_like(state[..., :1])]
    return (torch.cat(parts, -1) * valid[..., None]).flatten(-2)


def pose_inputs(place, heading, speed):
    """[..., 8]: place / 30, asinh(place), heading, speed / 10, tanh(speed)."""
    return torch.cat([place / 30, torch.asinh(place), heading, speed[..., None] / 10, torch.tanh(speed)[..., None]], -1)


def heads_of(x, heads):
    """[B, n, W] -> [B, heads, n, W / heads]"""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


class Block(nn.Module):
    """Attention among the tokens, attention to the scene (decoders only), MLP; each a residual after a LayerNorm."""

    def __init__(self, width, heads, hidden, reads):
        super().__init__()
        self.heads, self.reads = heads, reads
        self.qkv, self.o = nn.Linear(width, 3 * width), nn.Linear(width, width)
        if reads:
            self.cq, self.ckv, self.co = nn.Linear(width, width), nn.Linear(width, 2 * width), nn.Linear(width, width)
        self.ff = mlp(width, hidden, width)
        for last in (self.o, self.ff[2]) + ((self.co,) if reads else ()):
            nn.init.normal_(last.weight, std=0.02)
            nn.init.zeros_(last.bias)

    def forward(self, h, bias, scene=None, scene_bias=None, modulation=None):
        """h [B, n, W]; bias on the logits among tokens; scene [B, S, W]; modulation: scale and shift [B, 2, W]."""
        norm = lambda x: functional.layer_norm(x, x.shape[-1:])
        change = lambda x: x if modulation is None else x * (1 + modulation[:, :1]) + modulation[:, 1:]
        query, key, value = (heads_of(x, self.heads) for x in self.qkv(change(norm(h))).chunk(3, -1))
        read = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        h = h + self.o(read.transpose(1, 2).flatten(2))
        if self.reads:
            query = heads_of(self.cq(norm(h)), self.heads)
            key, value = (heads_of(x, self.heads) for x in self.ckv(scene).chunk(2, -1))
            read = functional.scaled_dot_product_attention(query, key, value, attn_mask=scene_bias)
            h = h + self.co(read.transpose(1, 2).flatten(2))
        return h + self.ff(change(norm(h)))


class Encoder(nn.Module):
    """Ego, neighbours and lanes as tokens that look at each other; the last token stands for "nothing"."""

    def __init__(self, config):
        super().__init__()
        width = config["width"]
        self.own, self.near, self.lane = mlp(39, width, width), mlp(49, width, width), mlp(45, width, width)
        self.null = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        blocks = [Block(width, config["heads"], config["hidden"], False) for _ in range(config["encoder_layers"])]
        self.layers, self.no = nn.ModuleList(blocks), nn.LayerNorm(width)

    def forward(self, egos):
        """Scene tokens [B, S, W] (the ego's first) and their bias [B, 1, 1, S]."""
        batch = len(egos.own)
        parts = [self.own(egos.own_inputs())[:, None], self.near(egos.near_inputs()), self.lane(egos.lane_inputs())]
        h = torch.cat([*parts, self.null.expand(batch, 1, -1)], 1)
        real = torch.ones(batch, 1, dtype=torch.bool)
        bias = torch.where(torch.cat([real, egos.near_valid, egos.lane_valid, real], 1), 0.0, FAR)[:, None, None]
        for layer in self.layers:
            h = layer(h, bias)
        return self.no(h), bias


class SharedEncoder(nn.Module):
    """For an ablation: the scene tokens are what the denoiser, kept as it is, makes of the scene.

    It is shown histories as they are and futures as pure noise (at its mean). Tokens are the ego's and its neighbours'
    at the present, the ego's future ones and its lanes, each through a linear layer of its own; no route.
    """

    def __init__(self, config, denoiser):
        super().__init__()
        width, inner = config["width"], denoiser.config["width"]
        self.own, self.near, self.ahead, self.lane = (nn.Linear(inner, width) for _ in range(4))
        self.no, self.denoiser = nn.LayerNorm(width), [denoiser]  # in a list: its weights are not this one's

    def forward(self, egos):
        """As `Encoder.forward`."""
        denoiser, (scene, window, pick) = self.denoiser[0], egos.shared
        future = (torch.arange(FRAMES) > NOW).float().expand(len(scene.valid), -1)
        noisy = scene.residual / denoiser.prior.scale * (1 - future)[..., None]
        hidden, lanes = [], []
        hooks = [
            denoiser.no.register_forward_hook(lambda module, given, out: hidden.append(out)),
            denoiser.lane.register_forward_hook(lambda module, given, out: lanes.append(out)),
        ]
        with torch.no_grad():
            denoiser(noisy, future, scene)
        for hook in hooks:
            hook.remove()
        states, seen = scene.pad(hidden[0]), scene.pad(scene.valid[:, NOW])[window]
        lanes, lane_valid = scene.pad(lanes[0])[window, pick], scene.pad(scene.near_lane_valid)[window, pick]
        ego, others = states[window, pick], states[window, :, NOW]
        parts = [self.own(ego[:, NOW, None]), self.near(others), self.ahead(ego[:, SEEN:]), self.lane(lanes)]
        real = torch.ones(len(pick), 1, dtype=torch.bool)
        known = torch.cat([real, seen, real.expand(-1, POINTS), lane_valid], 1)
        return self.no(torch.cat(parts, 1)), torch.where(known, 0.0, FAR)[:, None, None]


class Tokens(nn.Module):
    """p(token | tokens before, scene). What is around the end of the tokens so far is looked up anew for each."""

    def __init__(self, config):
        super().__init__()
        width = config["width"]
        self.inp, self.step = nn.Linear(POSE + LOCAL, width), nn.Parameter(torch.randn(TOKENS, width) * 0.02)
        self.before = nn.Embedding(config["vocabulary"] + 1, width)  # the last row: no token yet
        nn.init.normal_(self.before.weight, std=0.02)
        blocks = [Block(width, config["heads"], config["hidden"], True) for _ in range(config["token_layers"])]
        self.layers, self.no = nn.ModuleList(blocks), nn.LayerNorm(width)
        self.out, self.jump = nn.Linear(width, config["vocabulary"]), nn.Parameter(torch.tensor(0.0))

    def forward(self, egos, scene, scene_bias, before, place, heading, speed, starts):
        """before [B, n], place and heading [B, n, 2], speed [B, n] at the tokens' starts -> logits [B, n, m].

        starts [m]: the speed each token begins with; tokens that begin at another speed than the ego has count less.
        """
        count = before.shape[1]
        around = egos.around(place, heading, speed, torch.arange(count).float())
        h = self.inp(torch.cat([pose_inputs(place, heading, speed), around], -1)) + self.before(before) + self.step[:count]
        causal = torch.full((count, count), FAR).triu(1)
        for layer in self.layers:
            h = layer(h, causal, scene, scene_bias)
        mismatch = (starts - speed[..., None]) ** 2
        return self.out(self.no(h)) - functional.softplus(self.jump) * mismatch.clamp(max=25)


class Masked(nn.Module):
    """p(token | the tokens that are known, scene) for all tokens at once: masked discrete diffusion.

    Known tokens may be wrong and are answered for too. Where tokens before are masked, a place is where coasting leads.
    """

    def __init__(self, config):
        super().__init__()
        width = config["width"]
        self.inp, self.step = nn.Linear(POSE + LOCAL + 1, width), nn.Parameter(torch.randn(TOKENS, width) * 0.02)
        self.known = nn.Embedding(config["vocabulary"] + 1, width)  # the last row: masked
        nn.init.normal_(self.known.weight, std=0.02)
        blocks = [Block(width, config["heads"], config["hidden"], True) for _ in range(config["masked_layers"])]
        self.layers, self.no = nn.ModuleList(blocks), nn.LayerNorm(width)
        self.out, self.jump = nn.Linear(width, config["vocabulary"]), nn.Parameter(torch.tensor(0.0))

    def forward(self, egos, scene, scene_bias, known, vocabulary):
        """known [B, 8], the vocabulary's size where masked -> logits [B, 8, m].

        A token that begins at another speed than the one before ends with counts less, if that one is known.
        """
        place, heading, speed, sure = laid(vocabulary, known, forward_speed(egos.own[:, NOW]))
        around = egos.around(place, heading, speed, torch.arange(TOKENS).float())
        inputs = torch.cat([pose_inputs(place, heading, speed), around, sure.cumprod(1)[..., None]], -1)
        h = self.inp(inputs) + self.known(known) + self.step
        for layer in self.layers:
            h = layer(h, None, scene, scene_bias)
        mismatch = (vocabulary[:, 0, 3] - speed[..., None]) ** 2 * sure[..., None]
        return self.out(self.no(h)) - functional.softplus(self.jump) * mismatch.clamp(max=25)


class Frames(nn.Module):
    """Six numbers for each of the sixteen future frames of plans that are being made: what `Refiner` and `Flow` share."""

    def __init__(self, config, layers):
        super().__init__()
        width = config["width"]
        self.inp, self.te = nn.Linear(12 + POSE + 2 + LOCAL, width), nn.Parameter(torch.randn(POINTS, width) * 0.02)
        self.level = mlp(32, 64, layers * 2 * width)
        nn.init.zeros_(self.level[2].weight)
        nn.init.zeros_(self.level[2].bias)
        blocks = [Block(width, config["heads"], config["hidden"], True) for _ in range(layers)]
        self.layers, self.no, self.out = nn.ModuleList(blocks), nn.LayerNorm(width), nn.Linear(width, 6)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.register_buffer("frequency", torch.exp(torch.linspace(0, math.log(64), 16)), persistent=False)

    def read(self, egos, prior, plan, surprise, spread):
        """Inputs [B, 16, 93]: of plans [B, 16, 6] (scaled residuals) what is around them; surprise, log spread, own speed."""
        with torch.no_grad():
            state = egos.base[:, SEEN:] + plan.clamp(-8, 8) * prior.scale[SEEN:]
            place, heading = state[..., :2], functional.normalize(state[..., 4:6] + 1e-8, dim=-1)
            speed = (state[..., 2:4] * heading).sum(-1)
            around = egos.around(place, heading, speed, SECONDS.to(place)[SEEN:])
            own = torch.stack([egos.speed / 10, torch.tanh(egos.speed)], -1)[:, None].expand(-1, POINTS, -1)
            return torch.cat([surprise.clamp(-5, 5), 0.4 * torch.log(spread), pose_inputs(place, heading, speed), own, around], -1)

    def answer(self, inputs, level, scene, scene_bias):
        """level [B]: how much is still to be done, 1 at the start -> [B, 16, 6]."""
        phase = level[:, None] * self.frequency * math.pi / 2
        change = self.level(torch.cat([phase.sin(), phase.cos()], -1)).unflatten(-1, (len(self.layers), 2, -1))
        h = self.inp(inputs) + self.te
        for k, layer in enumerate(self.layers):
            h = layer(h, None, scene, scene_bias, change[:, k])
        return self.out(self.no(h))


class Refiner(Frames):
    """Predicts F of the sixteen future frames; the clean plan is the prior's posterior mean + deviation * F."""

    def __init__(self, config):
        super().__init__(config, config["refiner_layers"])

    def forward(self, egos, scene, scene_bias, noisy, level, prior):
        """noisy [B, 21, 6] scaled residuals (history clean), level [B] of the future -> F [B, 16, 6], mean, deviation."""
        future = torch.arange(FRAMES) > NOW
        levels = torch.where(future, level[:, None], 0.0)
        with torch.no_grad():
            bins = prior.bins(torch.ones(len(level)), egos.speed, egos.travel)
            mean, spread = prior.posterior(noisy, levels, egos.own_valid | future, bins)
            mean, spread = mean[:, SEEN:], spread[:, SEEN:].clamp(min=3e-3)
            signal, noise = (q[:, None, None] for q in noise_scales(level))
            surprise = (noisy[:, SEEN:] - signal * mean) / torch.sqrt(noise**2 + (signal * spread) ** 2 + 1e-6)
        return self.answer(self.read(egos, prior, mean, surprise, spread), level, scene, scene_bias), mean, spread


class Flow(Frames):
    """Flow matching (arXiv 2210.02747): which way and how fast a plan moves between a draw of the prior and the truth.

    The source is not white noise: it is the futures that the analytic prior holds possible after the ego's own history.
    On the straight way x(t) = (1 - t) x(0) + t x(1) the velocity is x(1) - x(0); the network says it in units of the
    prior's deviation.
    """

    def __init__(self, config):
        super().__init__(config, config["flow_layers"])

    @torch.no_grad()
    def source(self, egos, history, prior):
        """What the prior knows after a scaled history [B, 5, 6]: mean, deviation [B, 16, 6], roots [B, 2, 63, 63]."""
        noisy = torch.cat([history, history.new_zeros(len(history), POINTS, 6)], 1)
        future = torch.arange(FRAMES) > NOW
        bins = prior.bins(torch.ones(len(noisy)), egos.speed, egos.travel)
        mean, spread, root = prior.posterior(noisy, future.float().expand(len(noisy), -1), egos.own_valid | future, bins, True)
        return mean[:, SEEN:], spread[:, SEEN:].clamp(min=3e-3), root

    @staticmethod
    def draw(source, noise):
        """Futures [B, 16, 6] of a source, from noise [B, 2, 63]."""
        mean, _, root = source
        return mean + from_blocks((root @ noise.to(root)[..., None])[..., 0])[:, SEEN:].float()

    def forward(self, egos, scene, scene_bias, plan, time, source, prior):
        """plan [B, 16, 6] scaled residuals at time [B] in [0, 1] -> velocity [B, 16, 6]."""
        mean, spread, _ = source
        inputs = self.read(egos, prior, plan, (plan - mean) / spread, spread)
        return spread * self.answer(inputs, 1 - time, scene, scene_bias)


class Mixture(nn.Module):
    """Futures at once, each a Gaussian about every point, with its weight (after MultiPath, arXiv 1910.05449)."""

    def __init__(self, config):
        super().__init__()
        width = config["width"]
        self.query = nn.Parameter(torch.randn(config["components"], width) * 0.5)
        blocks = [Block(width, config["heads"], config["hidden"], True) for _ in range(config["mixture_layers"])]
        self.layers, self.no, self.out = nn.ModuleList(blocks), nn.LayerNorm(width), nn.Linear(width, POINTS * 8 + 1)

    def forward(self, scene, scene_bias):
        """Means [B, K, 16, 6] as scaled residuals, log deviations of x and y [B, K, 16, 2], logits [B, K]."""
        h = self.query + scene[:, :1]
        for layer in self.layers:
            h = layer(h, None, scene, scene_bias)
        out = self.out(self.no(h))
        mean, spread = out[..., :-1].unflatten(-1, (POINTS, 8)).split((6, 2), -1)
        return mean, spread.clamp(-5, 3), out[..., -1]


class Planner(nn.Module):
    """All of it. vocabulary [m, 3, 4]: segments (start, 0.5 s, 1 s) of x, y, heading, speed; anchors [20, 16, 2] m."""

    def __init__(self, config, prior, vocabulary, anchors):
        super().__init__()
        self.config, self.prior = config, prior
        self.register_buffer("vocabulary", vocabulary, persistent=False)
        self.register_buffer("anchors", anchors, persistent=False)
        width = config["width"]
        self.encoder, self.tokens, self.refiner = Encoder(config), Tokens(config), Refiner(config)
        self.mixture, self.masked, self.flow = Mixture(config), Masked(config), Flow(config)
        self.regress, self.anchor = mlp(width, width, POINTS * 6), mlp(width, width, config["anchors"])
        nn.init.zeros_(self.regress[2].weight)

    def regression(self, egos, scene):
        """The mean future, scaled residuals [B, 16, 6]."""
        return self.regress(scene[:, 0]).unflatten(-1, (POINTS, 6))

    def states(self, egos, scaled):
        """Scaled residuals [B, 16, 6] -> states [B, 16, 6] in the ego's frame."""
        return egos.base[:, SEEN:] + scaled * self.prior.scale[SEEN:]

    def scaled(self, egos, states):
        """The inverse of `states` over all 21 frames; history zero where invalid."""
        future = torch.arange(FRAMES) > NOW
        return (states - egos.base) / self.prior.scale * (egos.own_valid | future)[..., None]

    @torch.no_grad()
    def decode(self, egos, scene, scene_bias, count, dice, temperature=1.0, top_p=0.95):
        """Draws `count` token sequences per ego: plans [B, count, 16, 4] (x, y, heading, speed), log p [B, count]."""
        many = egos.repeat(count)
        scene, scene_bias = scene.repeat_interleave(count, 0), scene_bias.repeat_interleave(count, 0)
        rows = len(many.own)
        place, heading = torch.zeros(rows, 1, 2), torch.tensor([1.0, 0.0]).expand(rows, 1, 2)
        speed = forward_speed(many.own[:, NOW])[:, None]
        before = torch.full((rows, 1), self.config["vocabulary"])
        plan, score = [], torch.zeros(rows)
        for _ in range(TOKENS):
            logits = self.tokens(many, scene, scene_bias, before, place, heading, speed, self.vocabulary[:, 0, 3])[:, -1]
            share = (logits / temperature).softmax(-1)
            ranked, order = share.sort(-1, descending=True)
            ranked = ranked * ((ranked.cumsum(-1) - ranked) < top_p)
            drawn = order.gather(1, torch.multinomial(ranked, 1, generator=dice))[:, 0]
            score += logits.log_softmax(-1).gather(1, drawn[:, None])[:, 0]
            points, end = apply(self.vocabulary[drawn], place[:, -1], heading[:, -1])
            plan.append(points)
            before = torch.cat([before, drawn[:, None]], 1)
            place, heading = (torch.cat([x, y[:, None]], 1) for x, y in ((place, end[0]), (heading, end[1])))
            speed = torch.cat([speed, end[2][:, None]], 1)
        return torch.cat(plan, 1).unflatten(0, (-1, count)), score.unflatten(0, (-1, count))

    @torch.no_grad()
    def fill(self, egos, scene, scene_bias, count, dice, passes=4, edits=2, temperature=1.0, top_p=0.95):
        """Fills `count` masked sequences per ego: plans [B, count, 16, 4].

        In each pass every masked token is drawn and the surest stay, as many in each (MaskGIT, arXiv 2202.04200); known
        ones give way to a token that is four times as likely, also in `edits` passes after that.
        """
        many = egos.repeat(count)
        scene, scene_bias = scene.repeat_interleave(count, 0), scene_bias.repeat_interleave(count, 0)
        size, rows = self.config["vocabulary"], len(many.own)
        known = torch.full((rows, TOKENS), size)
        for turn in range(1, passes + edits + 1):
            logits = self.masked(many, scene, scene_bias, known, self.vocabulary)
            plain = logits.log_softmax(-1)
            ranked, order = (logits / temperature).softmax(-1).sort(-1, descending=True)
            ranked = ranked * ((ranked.cumsum(-1) - ranked) < top_p)
            drawn = order.gather(-1, torch.multinomial(ranked.flatten(0, 1), 1, generator=dice).view(rows, TOKENS, 1))[..., 0]
            masked = known == size
            best, which = plain.max(-1)
            now = plain.gather(-1, known.clamp(max=size - 1)[..., None])[..., 0]
            known = torch.where(~masked & (best > now + EDIT), which, known)
            wanted = math.ceil(TOKENS * turn / passes)
            sure = torch.where(masked, plain.gather(-1, drawn[..., None])[..., 0], torch.inf)
            rank = sure.argsort(-1, descending=True).argsort(-1)
            known = torch.where(masked & (rank < wanted), drawn, known)
        place, heading = torch.zeros(rows, 2), torch.tensor([1.0, 0.0]).expand(rows, 2)
        plan = []
        for k in range(TOKENS):
            points, (place, heading, _) = apply(self.vocabulary[known[:, k]], place, heading)
            plan.append(points)
        return torch.cat(plan, 1).unflatten(0, (-1, count))

    @torch.no_grad()
    def refine(self, egos, scene, scene_bias, start, level, steps, noise):
        """Noises scaled plans [B, 16, 6] to `level` and denoises them in `steps` DDIM steps."""
        history = self.scaled(egos, egos.own)[:, :SEEN]
        levels = torch.linspace(level, 0.0, steps + 1)
        keep, add = noise_scales(levels[0])
        x = keep * start + add * noise
        for now, then in zip(levels[:-1], levels[1:]):
            full = now.expand(len(x))
            predicted, mean, spread = self.refiner(egos, scene, scene_bias, torch.cat([history, x], 1), full, self.prior)
            clean = (mean + spread * predicted).clamp(-8, 8)
            (a, s), (a_next, s_next) = noise_scales(now), noise_scales(then)
            x = a_next * clean + s_next * (x - a * clean) / s.clamp(min=1e-4)
        return x

    @torch.no_grad()
    def carry(self, egos, scene, scene_bias, steps, noise):
        """Futures of the prior, from noise [B, 2, 63], carried to plans [B, 16, 6] in `steps` Euler steps.

        In the end the prior smooths them: the ridge of its covariances is white noise on what it draws, which stays.
        """
        history = self.scaled(egos, egos.own)[:, :SEEN]
        source = self.flow.source(egos, history, self.prior)
        x = self.flow.draw(source, noise)
        for step in range(steps):
            time = torch.full((len(x),), step / steps)
            x = x + self.flow(egos, scene, scene_bias, x, time, source, self.prior) / steps
        future = torch.arange(FRAMES) > NOW
        bins = self.prior.bins(torch.ones(len(x)), egos.speed, egos.travel)
        seen = torch.cat([history, noise_scales(torch.tensor(SMOOTHED))[0] * x], 1)
        return self.prior.posterior(seen, (SMOOTHED * future).expand(len(x), -1), egos.own_valid | future, bins)[0][:, SEEN:]


def laid(vocabulary, known, speed):
    """Where each of tokens [B, 8] begins: place, heading [B, 8, 2], speed [B, 8]; and whether the one before is known.

    The vocabulary's size stands for a masked one, in which the ego coasts for a second. speed [B]: the ego's own.
    """
    size = len(vocabulary)
    place, heading = torch.zeros(len(known), 2), torch.tensor([1.0, 0.0]).expand(len(known), 2)
    sure, out = torch.ones(len(known)), []
    for k in range(known.shape[1]):
        out.append((place, heading, speed, sure))
        masked = known[:, k] == size
        _, end = apply(vocabulary[known[:, k].clamp(max=size - 1)], place, heading)
        coasting = place + heading * speed[:, None]
        place = torch.where(masked[:, None], coasting, end[0])
        heading = torch.where(masked[:, None], heading, end[1])
        speed, sure = torch.where(masked, speed, end[2]), 1.0 - masked.float()
    return tuple(torch.stack(part, 1) for part in zip(*out))


def forward_speed(state):
    """Speed along the heading, m/s, of states [..., 6]; negative backwards."""
    return (state[..., 2:4] * functional.normalize(state[..., 4:6] + 1e-8, dim=-1)).sum(-1)


def apply(segment, place, heading):
    """Segments [B, 3, 4] laid on at place, heading [B, 2]: points [B, 2, 4] and (place, heading, speed) of the end."""
    cos, sin = heading[:, :1], heading[:, 1:]
    points = rotate(segment[:, 1:, :2], cos, sin) + place[:, None]
    turned = rotate(torch.stack([segment[:, 1:, 2].cos(), segment[:, 1:, 2].sin()], -1), cos, sin)
    angle = torch.atan2(turned[..., 1], turned[..., 0])
    out = torch.cat([points, angle[..., None], segment[:, 1:, 3:]], -1)
    return out, (points[:, 1], turned[:, 1], segment[:, 2, 3])
