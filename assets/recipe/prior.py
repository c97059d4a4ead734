"""The analytic prior: one Gaussian per kind of agent and speed, and the exact denoiser that follows from it.

An agent's 21 frames are written in its own frame at the current moment, as residuals to constant velocity divided by
`scale` (see network.Scene). Two independent blocks of 63 numbers each, [x, vx, cos h - 1] and [y, vy, sin h], are
Gaussian with a mean and covariance per bin. A noisy token is an observation of its clean value, so the posterior mean
and standard deviation of all tokens are one linear solve (a Wiener filter). History, goals, edits and holes are tokens
with other observation variances; the network only learns what the Gaussian cannot say.
"""

from dataclasses import dataclass, fields

import torch

FRAMES, NOW = 21, 4
CHANNELS = 6  # x, y, vx, vy, cos h - 1, sin h
BLOCKS = ((0, 2, 4), (1, 3, 5))
OBSERVATION_NOISE = (0.05, 0.05, 0.15, 0.15, 0.003, 0.02)  # m, m, m/s, m/s, -, rad: even a clean token is not exact
SMALLEST_SCALE = (0.15, 0.15, 0.3, 0.3, 0.01, 0.03)
STILL_SPEED_MPS, STILL_TRAVEL_M = 0.3, 0.3

# Upper speed limits (m/s) of the moving bins per type; infinity pads. Bin 0 of every type is "stood still all along".
EDGES = torch.tensor(
    [
        [0.3, 3.0, 8.0, 14.0, 22.0],  # vehicle: bins 0..6
        [torch.inf] * 5,  # pedestrian: bins 7, 8
        [3.0] + [torch.inf] * 4,  # cyclist: bins 9..11
    ],
    dtype=torch.float64,
)
FIRST_BIN = torch.tensor([0, 7, 9])
BINS = 12

# Noise level at which smoothing sees clean predictions, by bin; 0 leaves them. Chosen on I-80's tracks and three simulated
# networks, goals given: what moves comes nearer to what happened, what stands would creep.
SMOOTHING = torch.tensor([0, 0, 0.1, 0.25, 0.3, 0.3, 0.3, 0, 0.2, 0, 0.1, 0])


def noise_scales(level):
    """Signal and noise share of a token at noise level k in [0, 1]: cos(pi k / 2), sin(pi k / 2)."""
    return torch.cos(level * torch.pi / 2), torch.sin(level * torch.pi / 2)


def to_blocks(x):
    """[N, 21, 6] -> [N, 2, 63], channel by channel inside a block."""
    return torch.stack([x[..., list(b)].transpose(1, 2).reshape(len(x), -1) for b in BLOCKS], 1)


def from_blocks(blocks):
    """[N, 2, 63] -> [N, 21, 6]; the inverse of `to_blocks`."""
    q = blocks.view(len(blocks), 2, 3, FRAMES)
    return torch.stack([q[:, i % 2, i // 2] for i in range(CHANNELS)], -1)


@dataclass
class Prior:
    """Statistics of one agent's future and past.

    scale        [21, 6] f32, standard deviation of the residual, m, m/s, -
    mean         [bins, 2, 63] f64, in units of scale
    covariance   [bins, 2, 63, 63] f64
    edges        [types, edges] f64, see EDGES; one row means: no types and no standing bin (feature version 1)
    first_bin    [types] i64
    """

    scale: torch.Tensor
    mean: torch.Tensor
    covariance: torch.Tensor
    edges: torch.Tensor
    first_bin: torch.Tensor

    def to(self, device):
        """A copy on a device."""
        return Prior(*(getattr(self, field.name).to(device) for field in fields(self)))

    def bins(self, agent_type, speed, travel):
        """Bin [N] from type (1 vehicle, 2 pedestrian, 3 cyclist), current speed and farthest past displacement."""
        if len(self.edges) == 1:
            return (speed[:, None] > self.edges[0].float()).sum(1)
        row = agent_type.long().clamp(1, 3) - 1
        moving = 1 + (speed[:, None] > self.edges[row].float()).sum(1)
        still = (speed < STILL_SPEED_MPS) & (travel < STILL_TRAVEL_M)
        return self.first_bin[row] + torch.where(still, 0, moving)

    def posterior(self, noisy, level, valid, bins, with_root=False):
        """Mean and standard deviation, each [N, 21, 6] f32, of the clean tokens given noisy ones at their levels.

        An invalid token is an observation of variance 1e6: it says nothing. With `with_root` also the Cholesky factor
        [N, 2, 63, 63] f64 of the posterior covariance + 1e-6, to draw with.
        """
        signal, noise = noise_scales(level.double())
        signal = signal.clamp(min=1e-3)
        variance = ((noise / signal) ** 2).clamp(1e-4, 1e6)
        variance = torch.where(valid, variance, torch.full_like(variance, 1e6))
        floor = ((self.scale.new_tensor(OBSERVATION_NOISE) / self.scale) ** 2).clamp(1e-4, 0.5).double()
        variance = to_blocks(variance[..., None] + floor)
        observed = to_blocks(noisy.double() / signal[..., None])
        mean, covariance = self.mean[bins], self.covariance[bins]
        root = torch.linalg.cholesky(covariance + torch.diag_embed(variance))
        right = torch.cat([covariance, (observed - mean)[..., None]], -1)
        solved = torch.linalg.solve_triangular(root, right, upper=False)
        posterior = mean + (solved[..., :-1] * solved[..., -1:]).sum(-2)
        spread = torch.diagonal(covariance, dim1=-2, dim2=-1) - (solved[..., :-1] ** 2).sum(-2)
        out = from_blocks(posterior).float(), from_blocks(spread.clamp(min=1e-6).sqrt()).float()
        if not with_root:
            return out
        left = covariance - solved[..., :-1].transpose(-1, -2) @ solved[..., :-1]
        return *out, torch.linalg.cholesky(left + 1e-6 * torch.eye(left.shape[-1], dtype=left.dtype))

    def smoothed(self, clean, noisy, level, valid, bins):
        """Predictions [N, 21, 6] as the prior takes them: their posterior mean, seen at the bin's level, known tokens as they are."""
        shown = torch.where(level > 0, SMOOTHING[bins][:, None], 0.0)
        signal, _ = noise_scales(shown)
        seen = torch.where((level > 0)[..., None], signal[..., None] * clean, noisy)
        mean, _ = self.posterior(seen, shown, valid, bins)
        return torch.where((SMOOTHING[bins] > 0)[:, None, None], mean, clean)


def fit(residual, valid, agent_type, speed, travel, scale=None):
    """Fits a prior to residuals [N, 21, 6] (unscaled); only agents seen in all frames shape mean and covariance."""
    if scale is None:
        moves = (residual[..., :2].abs().amax((1, 2)) > 0.5) | (speed > 1)
        weight = (valid & moves[:, None]).float()[..., None]
        scale = torch.sqrt((residual**2 * weight).sum(0) / weight.sum(0).clamp(min=1))
        scale = torch.maximum(scale, torch.tensor(SMALLEST_SCALE))
    prior = Prior(scale, torch.zeros(BINS, 2, 63).double(), torch.zeros(BINS, 2, 63, 63).double(), EDGES, FIRST_BIN).to(scale.device)
    scaled, complete = (residual / scale).clamp(-8, 8), valid.all(1)
    bins = prior.bins(agent_type, speed, travel)
    for index in range(BINS):
        members = scaled[complete & (bins == index)].double()
        if len(members) < 30:
            raise ValueError(
                f"prior bin {index} has {len(members)} agents, the corpus is too small or too uniform; "
                "give more scenes, or keep the prior of existing weights (--from, --keep-prior)"
            )
        x = to_blocks(members)
        x = torch.cat([x, x * torch.tensor([1.0, -1.0]).view(1, 2, 1)])  # left and right are alike
        prior.mean[index] = x.mean(0)
        centred = x - prior.mean[index]
        ridge = 1e-4 * torch.eye(63, dtype=torch.float64)
        prior.covariance[index] = torch.einsum("nbi,nbj->bij", centred, centred) / len(x) + ridge
    return prior
