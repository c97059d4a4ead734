"""The denoiser. NETWORK.md states the same layout as a specification; module names below are the tensor names.

Axes: B scenes, A agents, T = 21 frames, N agents present at the current frame (packed over B and A), L lanes.
Each agent is treated in its own frame at the current moment. Agent states are [x, y, vx, vy, cos h, sin h].
"""

import math

import torch
from torch import nn
from torch.nn import functional

from prior import FRAMES, NOW, OBSERVATION_NOISE, noise_scales

FRAME_S = 0.5
LEVELS = 64  # noise levels are looked up on a grid of 1/64
NEAREST_POINTS = 4
CHANNEL_WEIGHT = (1.5, 1.5, 1.0, 1.0, 0.5, 1.0)
ANCHORS_S = (0.0, 2.5, 5.0)
SIGNAL_FRAMES = (4, 12, 20)
SIGNAL_VALUE = (0.0, 1.0, 0.5, -1.0)  # none or unknown, red, yellow, green
EXACT = "donot_use_mm_for_euclid_dist"  # the other way loses centimetres far from the ego
FAR = -1e4  # added to the logits of what may not be attended to
SECONDS = (torch.arange(FRAMES) - NOW) * FRAME_S


def has_bf16(device):
    """Whether products in bf16 are computed as such on `device` ("cpu" or "cuda"), not emulated."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def precision(device, bf16):
    """Context in which matrix products run in bf16, or in f32 where `bf16` is false."""
    return torch.autocast(device, dtype=torch.bfloat16, enabled=bf16)


def rotate(v, cos, sin):
    """Turns vectors [..., 2] by the angle given as cosine and sine, shape [...]."""
    return torch.stack([v[..., 0] * cos - v[..., 1] * sin, v[..., 0] * sin + v[..., 1] * cos], -1)


class Scene:
    """A batch of windows in the form the network reads.

    agents [B, A, T, 8], valid [B, A, T] bool, agent_type [B, A], lanes [B, L, 20, 2], lane_valid [B, L] bool,
    lane_junction [B, L] bool, lane_signal [B, L, T] (SIGNAL_VALUE), lane_speed [B, L] m/s (0 unknown)
    """

    def __init__(self, agents, valid, agent_type, lanes, lane_valid, lane_junction, lane_signal, lane_speed, nearest_lanes):
        self.shape = valid.shape[:2]
        self.batch, self.agent = valid[:, :, NOW].nonzero(as_tuple=True)
        own = agents[self.batch, self.agent]
        self.valid = valid[self.batch, self.agent]  # [N, T]
        self.type = agent_type[self.batch, self.agent]
        self.origin, self.facing = own[:, NOW, :2], functional.normalize(own[:, NOW, 2:4], dim=-1)
        self.size = own[:, NOW, 6:8]  # length, width
        cos, sin = self.facing[:, :1], self.facing[:, 1:]
        position = rotate(own[..., :2] - self.origin[:, None], cos, -sin)
        velocity, heading = rotate(own[..., 4:6], cos, -sin), rotate(own[..., 2:4], cos, -sin)
        self.speed = velocity[:, NOW].norm(dim=-1)
        past = position[:, : NOW + 1].norm(dim=-1) * self.valid[:, : NOW + 1]
        self.travel = past.amax(1)  # farthest past displacement, m
        coasting = velocity[:, NOW][:, None]
        ahead = torch.tensor([1.0, 0.0]).expand(len(own), FRAMES, 2)
        self.base = torch.cat([coasting * SECONDS.to(coasting)[:, None], coasting.expand(-1, FRAMES, -1), ahead], -1)  # [N, T, 6]
        state = torch.cat([position, velocity, heading], -1)
        self.residual = (state - self.base) * self.valid[..., None]
        self._read_lanes(lanes, lane_valid, lane_junction, lane_signal, lane_speed, nearest_lanes)

    def _read_lanes(self, lanes, lane_valid, lane_junction, lane_signal, lane_speed, nearest_lanes):
        batch, count = lane_valid.shape
        thin = lanes[:, :, ::2]  # every second point
        step = torch.zeros_like(thin)
        step[:, :, :-1] = thin[:, :, 1:] - thin[:, :, :-1]
        step[:, :, -1] = step[:, :, -2]
        self.point = thin.reshape(batch, -1, 2)  # [B, L * 10, 2]
        self.point_direction = functional.normalize(step, dim=-1).reshape(batch, -1, 2)
        self.point_valid = lane_valid[:, :, None].expand(-1, -1, thin.shape[2]).reshape(batch, -1)
        self.lane_signal = lane_signal
        # The lanes nearest to where each agent is and, coasting, will be in 2.5 and 5 s; in its frame.
        coasting = rotate(self.base[:, NOW, 2:4], self.facing[:, 0], self.facing[:, 1])
        anchor = torch.stack([self.origin + coasting * after_s for after_s in ANCHORS_S], 1)  # [N, 3, 2]
        coarse = lanes[:, :, ::3]
        gap = torch.cdist(self.pad(anchor).flatten(1, 2), coarse.flatten(1, 2), compute_mode=EXACT)
        gap = gap.view(batch, -1, len(ANCHORS_S), count, coarse.shape[2]).amin((2, 4))  # [B, A, L]
        gap = gap + (~lane_valid)[:, None] * 1e4
        near = gap.topk(min(nearest_lanes, count), dim=-1, largest=False).indices[self.batch, self.agent]  # [N, K]
        row = self.batch[:, None]
        cos, sin = self.facing[:, None, None, 0], self.facing[:, None, None, 1]
        self.near_lane = rotate(thin[row, near] - self.origin[:, None, None], cos, -sin)  # [N, K, 10, 2]
        self.near_lane_valid = lane_valid[row, near]
        signal = lane_signal[row, near][..., list(SIGNAL_FRAMES)]
        extra = torch.stack([lane_speed[row, near] / 30, lane_junction[row, near].float()], -1)
        self.near_lane_extra = torch.cat([extra, signal], -1)  # [N, K, 5]

    def pad(self, packed):
        """[N, ...] -> [B, A, ...], zeros where no agent is."""
        out = packed.new_zeros(self.shape + packed.shape[1:])
        out[self.batch, self.agent] = packed
        return out

    def state(self, scaled, scale):
        """Scaled residual [N, T, 6] -> state in the agent's frame [N, T, 6]."""
        return self.base + scaled * scale

    def in_scene(self, state):
        """Agent-frame state [N, T, 6] -> position, unit heading, velocity in the scene's frame, each [N, T, 2]."""
        cos, sin = self.facing[:, :1], self.facing[:, 1:]
        heading = functional.normalize(rotate(state[..., 4:6], cos, sin) + 1e-8, dim=-1)
        return rotate(state[..., :2], cos, sin) + self.origin[:, None], heading, rotate(state[..., 2:4], cos, sin)


def mlp(inputs, hidden, outputs):
    """Linear, exact GELU, linear."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, outputs))


def attend(query, key, value, bias):
    """Softmax attention; query, key, value [..., heads, n, d], bias broadcast over the logits."""
    logits = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5 + bias
    weight = logits.softmax(-1)
    return weight @ value, weight


class Layer(nn.Module):
    """Map cross-attention, attention in time, attention between agents, MLP; each a residual."""

    def __init__(self, width, heads, hidden, relation=32, relation_value=8):
        super().__init__()
        self.heads, self.relation_value = heads, relation_value
        self.mod = nn.Linear(64, 4 * width)
        self.mq, self.mkv, self.mo = nn.Linear(width, width), nn.Linear(width, 2 * width), nn.Linear(width, width)
        self.tq, self.t_o = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.tb = nn.Parameter(torch.zeros(heads, FRAMES, FRAMES))
        self.sq, self.so = nn.Linear(width, 3 * width), nn.Linear(width + heads * relation_value, width)
        self.rb, self.rv = nn.Linear(relation, heads), nn.Linear(relation, heads * relation_value)
        self.ff = mlp(width, hidden, width)
        nn.init.zeros_(self.mod.weight)
        nn.init.zeros_(self.mod.bias)
        for last in (self.mo, self.t_o, self.so, self.ff[2]):
            nn.init.normal_(last.weight, std=0.02 / math.sqrt(2))
            nn.init.zeros_(last.bias)

    def forward(self, h, level, levels, scene, lanes, lanes_bias, relation, time_bias, agent_bias):
        """h [N, T, W], level [N, T] index, levels [65, 64], lanes [N, K + 1, W], relation [B, T, A, A, 32]."""
        count, width, heads = len(h), h.shape[-1], self.heads
        each = width // heads
        norm = lambda x: functional.layer_norm(x, (width,))
        scale_time, shift_time, scale_mlp, shift_mlp = functional.embedding(level, self.mod(levels)).chunk(4, -1)

        query = self.mq(norm(h)).view(count, FRAMES, heads, each).transpose(1, 2)
        key, value = self.mkv(lanes).view(count, -1, 2, heads, each).permute(2, 0, 3, 1, 4)
        read, _ = attend(query, key, value, lanes_bias)
        h = h + self.mo(read.transpose(1, 2).reshape(count, FRAMES, width))

        together = self.tq(norm(h) * (1 + scale_time) + shift_time)
        query, key, value = together.view(count, FRAMES, 3, heads, each).permute(2, 0, 3, 1, 4)
        read, _ = attend(query, key, value, self.tb + time_bias)
        h = h + self.t_o(read.transpose(1, 2).reshape(count, FRAMES, width))

        batch, agents = scene.shape
        together = scene.pad(self.sq(norm(h))).view(batch, agents, FRAMES, 3, heads, each)
        query, key, value = together.permute(3, 0, 2, 4, 1, 5)  # each [B, T, H, A, d]
        read, weight = attend(query, key, value, agent_bias + self.rb(relation).permute(0, 1, 4, 2, 3))
        read = read.permute(0, 3, 1, 2, 4).reshape(batch, agents, FRAMES, width)
        # Relative poses enter as values too, without the bias of `rv`: sum_j weight_ij rv(relation_ij).
        seen = torch.einsum("bthij,btijr->bithr", weight, relation)
        kernel = self.rv.weight.view(heads, self.relation_value, -1)
        seen = torch.einsum("bithr,her->bithe", seen, kernel).reshape(batch, agents, FRAMES, -1)
        h = h + self.so(torch.cat([read, seen], -1)[scene.batch, scene.agent])

        return h + self.ff(norm(h) * (1 + scale_mlp) + shift_mlp)


class Denoiser(nn.Module):
    """Predicts F; the clean scene is posterior mean + posterior standard deviation * F.

    `config["without"]`, for ablations, may name "map" (no lane is seen) and "prior" (mean 0, standard deviation 1).
    """

    def __init__(self, config, prior):
        super().__init__()
        self.config, self.prior, self.without = config, prior, set(config.get("without", ()))
        width, self.features = config["width"], config["feature_version"]
        inputs, lane_inputs = (49, 41) if self.features == 1 else (56, 46)
        self.inp, self.te = nn.Linear(inputs, width), nn.Parameter(torch.randn(FRAMES, width) * 0.02)
        self.ctab = mlp(32, 64, 64)
        self.lane, self.null = mlp(lane_inputs, width, width), nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.rel = mlp(11, 32, 32)
        self.layers = nn.ModuleList(Layer(width, config["heads"], config["hidden"]) for _ in range(config["layers"]))
        self.no, self.out = nn.LayerNorm(width), nn.Linear(width, 6)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        frequency = torch.exp(torch.linspace(0, math.log(64), 16))
        phase = torch.linspace(0, 1, LEVELS + 1)[:, None] * frequency * math.pi / 2
        self.register_buffer("phases", torch.cat([phase.sin(), phase.cos()], -1), persistent=False)  # [65, 32]

    def encode_lanes(self, scene):
        """Tokens [N, K + 1, W] of each agent's nearest lanes (the last is a learned "no lane") and their bias."""
        line = scene.near_lane
        direction = line[..., 1:, :] - line[..., :-1, :]
        direction = functional.normalize(torch.cat([direction, direction[..., -1:, :]], -2), dim=-1)
        gap = line.norm(dim=-1).amin(-1, keepdim=True)
        features = [(line / 20).flatten(-2), direction.flatten(-2), torch.exp(-gap / 5)]
        if self.features > 1:
            features.append(scene.near_lane_extra)
        tokens = self.lane(torch.cat(features, -1))
        tokens = torch.cat([tokens, self.null.to(tokens.dtype).expand(len(tokens), 1, -1)], 1)
        seen = scene.near_lane_valid & ("map" not in self.without)
        real = functional.pad(seen, (0, 1), value=True)
        return tokens, torch.where(real, 0.0, FAR)[:, None, None]

    def lane_points(self, scene, position, heading):
        """The 4 nearest lane points of every token, [N, T, 20], and their signals [N, T, 4].

        Distance counts 1.5 m * (1 - cos) extra for a lane that points elsewhere.
        """
        batch, agents = scene.shape
        p, facing = scene.pad(position).view(batch, -1, 2), scene.pad(heading).view(batch, -1, 2)
        quick = "use_mm_for_euclid_dist_if_necessary"  # which of nearly equal points is taken, training does not mind
        cost = torch.cdist(p, scene.point, compute_mode=quick if self.training else EXACT) + 1.5 * (1 - facing @ scene.point_direction.transpose(1, 2))
        cost = cost + (~scene.point_valid)[:, None] * 1e4
        index = cost.topk(NEAREST_POINTS, dim=-1, largest=False).indices
        row = torch.arange(batch, device=p.device)[:, None, None]
        cos, sin = facing[..., None, 0], facing[..., None, 1]
        offset = rotate(scene.point[row, index] - p[:, :, None], cos, -sin)
        along = rotate(scene.point_direction[row, index], cos, -sin)
        gap = offset.norm(dim=-1, keepdim=True)
        features = torch.cat([torch.asinh(offset), along * torch.exp(-gap / 6), torch.exp(-gap / 3)], -1).flatten(2)
        lane = index // (scene.point.shape[1] // scene.lane_signal.shape[1])
        frame = torch.arange(FRAMES, device=p.device).repeat(agents)[None, :, None]
        signal = scene.lane_signal[row, lane, frame]
        if "map" in self.without:
            features, signal = 0 * features, 0 * signal
        unpack = lambda x: x.view(batch, agents, FRAMES, -1)[scene.batch, scene.agent]
        return unpack(features), unpack(signal)

    def relations(self, scene, position, heading, velocity):
        """How agent j stands to agent i at each frame, [B, T, A, A, 11]."""
        size = scene.size[:, None].expand(-1, FRAMES, -1)
        p, facing, v, size = (scene.pad(x).transpose(1, 2) for x in (position, heading, velocity, size))
        cos, sin = facing[:, :, :, None, 0], facing[:, :, :, None, 1]
        agents = p.shape[2]
        offset = rotate(p[:, :, None] - p[:, :, :, None], cos, -sin)
        turned = rotate(facing[:, :, None].expand(-1, -1, agents, -1, -1), cos, -sin)
        moving = rotate(v[:, :, None] - v[:, :, :, None], cos, -sin)
        gap = offset.norm(dim=-1, keepdim=True)
        other = size[:, :, None].expand(-1, -1, agents, -1, -1) / 5
        own = size[:, :, :, None, :1].expand(-1, -1, -1, agents, -1) / 5
        near = [torch.exp(-gap / 5), torch.exp(-gap / 20)]
        return torch.cat([torch.asinh(offset / 2), turned, torch.asinh(moving / 2), *near, other, own], -1)

    def forward(self, noisy, level, scene):
        """noisy [N, T, 6], level [N, T] -> F [N, T, 6], posterior mean and standard deviation."""
        signal, noise = (q[..., None] for q in noise_scales(level))
        with torch.no_grad():
            bins = self.prior.bins(scene.type, scene.speed, scene.travel)
            mean, spread = self.prior.posterior(noisy, level, scene.valid, bins)
            if "prior" in self.without:
                mean, spread = torch.zeros_like(mean), torch.ones_like(spread)
            spread = spread.clamp(min=3e-3)
            surprise = (noisy - signal * mean) / torch.sqrt(noise**2 + (signal * spread) ** 2 + 1e-6)
            state = scene.state(mean.clamp(-8, 8), self.prior.scale)
            position, heading, velocity = scene.in_scene(state)
            points, signals = self.lane_points(scene, position, heading)
            relation = self.relations(scene, position, heading, velocity)
            features = torch.cat(self.token_features(scene, surprise, spread, state, points, signals), -1)
        index = (level * LEVELS).round().long().clamp(0, LEVELS)
        h = self.inp(features * scene.valid[..., None])
        h = h + self.te.to(h.dtype)  # under autocast the residual stream stays bf16
        relation, levels = self.rel(relation), self.ctab(self.phases)
        lanes, lanes_bias = self.encode_lanes(scene)
        time_bias = torch.where(scene.valid, 0.0, FAR)[:, None, None]
        present = scene.pad(scene.valid).transpose(1, 2)
        agent_bias = torch.where(present[:, :, None], 0.0, FAR)[:, :, None]
        for layer in self.layers:
            h = layer(h, index, levels, scene, lanes, lanes_bias, relation, time_bias, agent_bias)
        return self.out(self.no(h)), mean, spread

    def token_features(self, scene, surprise, spread, state, points, signals):
        """The inputs of a token in order: 49 of feature version 1, then 7 of version 2."""
        place, speed = state[..., :2], scene.speed
        agent = [scene.size[:, 0] / 5, scene.size[:, 1] / 2, speed / 10, torch.tanh(speed), 0 * speed]
        current = speed.new_tensor([0.0, 0.0, 1.0, 0.0]).expand(len(speed), 4)
        per_frame = lambda x: x[:, None].expand(-1, FRAMES, -1)
        features = [
            surprise.clamp(-5, 5),  # 6
            torch.log(spread) * 0.4,  # 6
            place / 30,
            torch.asinh(place),
            state[..., 4:6],
            state[..., 2:4] / 10,
            per_frame(torch.stack(agent, -1)),  # 5
            per_frame(current),  # 4
            points,  # 20
        ]
        if self.features > 1:
            kinds = torch.stack([scene.type == k for k in (1, 2, 3)], -1).float()
            features += [per_frame(kinds), signals]
        return features

    def loss(self, scene, level, noise):
        """Weighted squared error of F over valid noisy tokens: scalar, and that of positions in scaled units."""
        clean = scene.residual / self.prior.scale
        keep, add = (q[..., None] for q in noise_scales(level))
        # What is given is known only so well, as the prior assumes.
        blur = scene.residual.new_tensor(OBSERVATION_NOISE) / self.prior.scale * ((level == 0) & (torch.arange(FRAMES) > NOW))[..., None]
        noisy = (keep * clean + (add + blur) * noise) * scene.valid[..., None]
        predicted, mean, spread = self(noisy, level, scene)
        target = ((clean - mean) / spread).clamp(-6, 6)
        weight = (scene.valid & (level > 0)).float()[..., None] * clean.new_tensor(CHANNEL_WEIGHT)
        return ((predicted - target) ** 2 * weight).sum() / weight.sum()
