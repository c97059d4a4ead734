"""Trains the planner on a folder of shards; stops and resumes exactly. Same conventions as train.py.

    python train_planner.py --shards SHARDS/train --valid SHARDS/valid --run RUN --prior ../weights/denoiser.safetensors
                            [--from planner.safetensors] [--minutes 60 | --samples 300000] [--batch 96] [--rate 8e-4]
                            [--threads 1] [--device cpu|cuda] [--every 5] [--encoder own|shared] [--only mixture|masked|flow]

Seven losses on one encoder: the next token and masked ones (cross-entropy), F of the noised future, the flow's velocity,
the mean future, the nearest anchor, the mixture's likelihood. The prior is the scene denoiser's. --from goes on from a planner's weights, with
its vocabularies and anchors; with --only everything but that decoder stays as it is there.
"""

import math
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

import export
import shards
import training
import vocabulary as vocabularies
from network import CHANNEL_WEIGHT
from planner import CONFIG, POINTS, SEEN, Egos, Planner, SharedEncoder, forward_speed
from prior import NOW, Prior, noise_scales

SIZES = {"ego": CONFIG["vocabulary"], "vehicle": 512, "pedestrian": 128, "cyclist": 256}
LONGEST_EGO_M = 7.0
EGOS_PER_WINDOW = 3
WEIGHTS = {"token": 1.0, "refine": 1.0, "mean": 0.5, "anchor": 0.2, "mixture": 0.2, "masked": 0.5, "flow": 0.5}
WRONG, NEAR = 0.3, 24  # at most this share of the known tokens is wrong, most of them among so many like the right one


def choose_egos(rows, each, draw):
    """Up to `each` egos of every window: (window, agent), each [B]. Prefers those that move and the middle of the window."""
    valid, agents = rows["valid"].bool(), rows["agents"]
    travelled = (agents[:, :, -1, :2] - agents[:, :, NOW, :2]).norm(dim=-1)
    able = valid[:, :, NOW:].all(-1) & valid[:, :, NOW - 1] & (rows["type"] == 1) & (agents[:, :, NOW, 6] < LONGEST_EGO_M)
    weight = able * torch.where(travelled > 3, 1.0, 0.15)
    weight[:, 0] *= 3
    weight[:, 8:] *= 0.3  # the far ones know less of their neighbours
    picked = torch.multinomial(weight + 1e-9, each, generator=draw)
    window = torch.arange(len(weight))[:, None].expand(-1, each)
    real = weight.gather(1, picked) > 0
    return window[real], picked[real]


def batch_of(windows, indices, config, each, augmented, draw, routed):
    """Egos, if wanted `augmented`, and their future plans [B, 16, 4]; a share `routed` of them knows its route.

    Who leads a window with an obstacle in hindsight (obstacles.py) is told that of going straight on: it is the obstacle
    that shall say what to do.
    """
    rows = windows.rows(indices)
    hindsight = torch.as_tensor(windows.hindsight(indices))
    window, pick = choose_egos(rows, each, draw)
    if augmented:
        shards.augment(rows)
    told = (torch.rand(len(pick), generator=draw) < routed).float()
    egos = Egos(rows, window, pick, config, told, hindsight[window] & (pick == 0))
    if config.get("encoder") == "shared":
        egos.shared = shards.scene_of(rows, config["nearest_lanes"]), window, pick
    return egos, vocabularies.plans_of(rows["agents"][window, pick])[:, SEEN:]


def mixture_loss(parts, clean):
    """The component that ends up nearest explains the future alone: its Gaussians' likelihood, its weight.

    Velocities and headings, which have no deviation, by squared error. clean [B, 16, 6], scaled residuals.
    """
    mean, spread, logits = parts
    nearest = (mean[..., :2] - clean[:, None, :, :2]).norm(dim=-1).mean(-1).argmin(1)
    row = torch.arange(len(clean))
    mean, spread = mean[row, nearest], spread[row, nearest]
    gap = mean - clean
    likelihood = (spread + 0.5 * (gap[..., :2] / spread.exp()) ** 2).sum(-1).mean()
    rest = (gap[..., 2:] ** 2 * torch.tensor(CHANNEL_WEIGHT)[2:]).mean()
    return likelihood + rest + functional.cross_entropy(logits, nearest)


def corrupted(vocabulary, tokens, draw):
    """Tokens [B, 8] with some masked and some of the rest wrong; and what each counts in the loss.

    A sequence in seven is masked throughout, of the others a share that is drawn for each.
    """
    rows, size = len(tokens), len(vocabulary)
    dice = lambda *shape: torch.rand(*shape, generator=draw)
    masked = dice(rows, tokens.shape[1]) < torch.where(dice(rows, 1) < 1 / 7, 1.0, dice(rows, 1))
    wrong = ~masked & (dice(rows, tokens.shape[1]) < WRONG * dice(rows, 1))
    points = vocabularies.coordinates(vocabulary)
    alike = torch.cdist(points, points).topk(NEAR + 1, largest=False).indices[:, 1:]
    near = alike[tokens, torch.randint(NEAR, tokens.shape, generator=draw)]
    other = torch.where(dice(*tokens.shape) < 0.7, near, torch.randint(size, tokens.shape, generator=draw))
    shown = torch.where(masked, size, torch.where(wrong, other, tokens))
    return shown, torch.where(masked | wrong, 1.0, 0.1)


def masked_loss(network, egos, scene, bias, plan, draw):
    """Cross-entropy of the true tokens where they are masked or wrong, a tenth of it where they are shown."""
    true = vocabularies.tokenise(network.vocabulary, plan, forward_speed(egos.own[:, NOW]))["token"]
    shown, weight = corrupted(network.vocabulary, true, draw)
    logits = network.masked(egos, scene, bias, shown, network.vocabulary)
    loss = functional.cross_entropy(logits.flatten(0, 1), true.flatten(), reduction="none")
    return (loss * weight.flatten()).sum() / weight.sum()


def flow_loss(network, egos, scene, bias, clean, draw):
    """Squared error of the velocity on the way from a draw of the prior to the truth, in units of the prior's deviation."""
    flow, end = network.flow, clean[:, SEEN:].clamp(-8, 8)
    source = flow.source(egos, clean[:, :SEEN], network.prior)
    start = flow.draw(source, torch.randn(len(clean), 2, 63, generator=draw))
    time = torch.rand(len(clean), generator=draw)
    there = torch.lerp(start, end, time[:, None, None])
    velocity = flow(egos, scene, bias, there, time, source, network.prior)
    return (((velocity - (end - start)) / source[1]).clamp(-8, 8) ** 2 * torch.tensor(CHANNEL_WEIGHT)).mean()


def losses(network, egos, plan, draw, wander, only=None):
    """The seven losses as a dictionary; of one decoder if `only` that learns."""
    clean = network.scaled(egos, egos.own)
    if only:
        with torch.no_grad():
            scene, bias = network.encoder(egos)
        if only == "masked":
            return {"masked": masked_loss(network, egos, scene, bias, plan, draw)}
        if only == "flow":
            return {"flow": flow_loss(network, egos, scene, bias, clean, draw)}
        return {"mixture": mixture_loss(network.mixture(scene, bias), clean[:, SEEN:].clamp(-8, 8))}
    scene, bias = network.encoder(egos)
    written = vocabularies.tokenise(network.vocabulary, plan, forward_speed(egos.own[:, NOW]), draw, wander)
    starts = network.vocabulary[:, 0, 3]
    logits = network.tokens(egos, scene, bias, written["before"], written["place"], written["heading"], written["speed"], starts)
    out = {"token": functional.cross_entropy(logits.flatten(0, 1), written["token"].flatten())}

    level = torch.rand(len(plan), generator=draw)
    level = torch.where(torch.rand(len(plan), generator=draw) < 0.5, level, 0.5 * level).clamp(min=1 / 64)
    keep, add = (q[:, None, None] for q in noise_scales(level))
    noise = torch.randn(len(plan), POINTS, 6, generator=draw)
    noisy = torch.cat([clean[:, :SEEN], keep * clean[:, SEEN:] + add * noise], 1)
    predicted, mean, spread = network.refiner(egos, scene, bias, noisy, level, network.prior)
    target = ((clean[:, SEEN:] - mean) / spread).clamp(-6, 6)
    weight = torch.tensor(CHANNEL_WEIGHT)
    out["refine"] = ((predicted - target) ** 2 * weight).mean()

    out["mean"] = ((network.regression(egos, scene) - clean[:, SEEN:].clamp(-8, 8)) ** 2 * weight).mean()
    nearest = torch.cdist(plan[..., :2].flatten(1), network.anchors.flatten(1)).argmin(1)
    out["anchor"] = functional.cross_entropy(network.anchor(scene[:, 0]), nearest)
    out["mixture"] = mixture_loss(network.mixture(scene, bias), clean[:, SEEN:].clamp(-8, 8))
    out["masked"] = masked_loss(network, egos, scene, bias, plan, draw)
    out["flow"] = flow_loss(network, egos, scene, bias, clean, draw)
    return out


def fit_anchors(plans, count, seed):
    """Anchors [count, 16, 2] by k-means on complete plans [N, 21, 4]."""
    points, dice = plans[:, SEEN:, :2].flatten(1), np.random.default_rng(seed)
    moving = points[points[:, -2:].norm(dim=-1) > 3]
    points = torch.cat([moving, points[: len(moving) // 10]])
    centres = points[torch.from_numpy(dice.choice(len(points), count, replace=False))]
    for _ in range(40):
        nearest = torch.cdist(points, centres).argmin(1)
        centres = torch.stack([points[nearest == k].mean(0) if (nearest == k).any() else points[dice.integers(len(points))] for k in range(count)])
    return centres.unflatten(-1, (POINTS, 2))


class Validation:
    """Fixed egos of held-out networks, without and with their route: losses, and distances of the decoders."""

    def __init__(self, folder, config, device, per_shard=256):
        windows = shards.Windows(folder, device)
        self.parts = {}
        for name, end in zip(windows.names, windows.ends):
            count = windows.shards[name].count
            indices = np.random.default_rng(5).permutation(count)[:per_shard] + end - count
            for suffix, routed in (("", 0.0), (" routed", 1.0)):
                draw = torch.Generator(device).manual_seed(3)
                self.parts[name.split("-")[0] + suffix] = batch_of(windows, indices, config, 1, False, draw, routed)

    @torch.no_grad()
    def measure(self, network, average):
        """Figures of the averaged weights on each part."""
        now = {name: value.clone() for name, value in network.state_dict().items()}
        network.load_state_dict(average)
        out = {}
        for name, (egos, plan) in self.parts.items():
            draw = torch.Generator(plan.device).manual_seed(9)
            row = {key: value.item() for key, value in losses(network, egos, plan, draw, 0.0).items()}
            scene, bias = network.encoder(egos)
            gap = lambda states: (states[..., :2] - plan[:, None, :, :2]).norm(dim=-1).mean(-1)  # [B, K]
            mean = network.states(egos, network.regression(egos, scene))
            drawn, score = network.decode(egos, scene, bias, 6, draw)
            row["mean_ade_m"] = gap(mean[:, None]).mean().item()
            means, _, logits = network.mixture(scene, bias)
            far = gap(network.states(egos.repeat(means.shape[1]), means.flatten(0, 1)).unflatten(0, means.shape[:2]))
            row["mixture_ade_m"] = far.gather(1, logits.argmax(1, keepdim=True)).mean().item()
            row["mixture_min6_m"] = far.amin(1).mean().item()
            filled = network.fill(egos, scene, bias, 6, draw)
            row["masked_ade_m"], row["masked_min6_m"] = gap(filled).mean().item(), gap(filled).amin(1).mean().item()
            row["cv_ade_m"] = gap(egos.base[:, None, SEEN:]).mean().item()
            row["ar_ade_m"], row["ar_min6_m"] = gap(drawn).mean().item(), gap(drawn).amin(1).mean().item()
            states = to_states(drawn)
            many, noise = egos.repeat(6), torch.randn(len(plan) * 6, POINTS, 6, generator=draw)
            start = (states.flatten(0, 1) - many.base[:, SEEN:]) / network.prior.scale[SEEN:]
            refined = network.refine(many, scene.repeat_interleave(6, 0), bias.repeat_interleave(6, 0), start, 0.15, 3, noise)
            refined = network.states(many, refined).unflatten(0, (-1, 6))
            carried = network.carry(many, scene.repeat_interleave(6, 0), bias.repeat_interleave(6, 0), 4, torch.randn(len(plan) * 6, 2, 63, generator=draw))
            carried = network.states(many, carried).unflatten(0, (-1, 6))
            row["flow_ade_m"], row["flow_min6_m"] = gap(carried).mean().item(), gap(carried).amin(1).mean().item()
            row["ar_diffusion_ade_m"], row["ar_diffusion_min6_m"] = gap(refined).mean().item(), gap(refined).amin(1).mean().item()
            out[name] = {key: round(value, 4) for key, value in row.items()}
        network.load_state_dict(now)
        return out


def to_states(plans):
    """x, y, heading, speed [..., 4] -> states [..., 6] in the ego's frame."""
    heading = torch.stack([plans[..., 2].cos(), plans[..., 2].sin()], -1)
    return torch.cat([plans[..., :2], heading * plans[..., 3:], heading], -1)


def main():
    parser = training.parser(__doc__.split("\n")[0], batch=(96, 1536), rate=(8e-4, 1e-3))
    parser.add_argument("--prior", type=Path, required=True, help="weights whose prior is taken")
    parser.add_argument("--from", dest="source", type=Path, help="planner weights to start from")
    parser.add_argument("--routed", type=float, default=0.7, help="share of the egos that are told their route")
    parser.add_argument("--encoder", choices=("own", "shared"), default="own", help="ablation: shared is that of the denoiser given as --prior")
    parser.add_argument("--only", choices=("mixture", "masked", "flow"), help="the only part that learns")
    options = training.parse(parser)
    device = options.device
    dice, draw = np.random.default_rng(options.seed), torch.Generator(device).manual_seed(options.seed)
    checkpoint, windows = options.run / "checkpoint.pt", shards.Windows(options.shards, device)
    state = torch.load(checkpoint, map_location=device, weights_only=False) if checkpoint.exists() else None
    tensors = {}
    if state:
        config, prior, words, anchors = state["config"], Prior(**state["prior"]), state["words"], state["anchors"]
    else:
        _, prior, _ = export.load_weights(options.prior)
        config = dict(CONFIG)
        if options.source:
            tensors, _, config = export.load_weights(options.source)
            config = CONFIG | config | {key: CONFIG[key] for key in ("planner_version", "neighbours")}  # new inputs start at zero
            words = {name.removeprefix("vocabulary."): tensors.pop(name) for name in list(tensors) if name.startswith("vocabulary.")}
            anchors = tensors.pop("anchors")
            if not any(name.startswith("flow.") for name in tensors):  # a flow reads what the refiner reads
                of_refiner = {name.removeprefix("refiner."): value for name, value in tensors.items() if name.startswith("refiner.")}
                tensors |= {f"flow.{name}": value for name, value in of_refiner.items() if not name.startswith("out.")}
        else:
            with torch.device("cpu"):
                few = shards.Windows(options.shards)
                words = vocabularies.build(few, options.seed, SIZES)
                plans, cars = vocabularies.complete_plans(few, 1, dice, 6000)
                anchors = fit_anchors(plans[cars], config["anchors"], options.seed)
        if options.encoder == "shared":
            config |= {"encoder": "shared", "nearest_lanes": export.load_weights(options.prior)[2]["nearest_lanes"]}
        print({name: tuple(value.shape) for name, value in words.items()}, flush=True)
    prior, anchors, words = prior.to(device), anchors.to(device), {name: value.to(device) for name, value in words.items()}
    network = Planner(config, prior, words["ego"], anchors)
    if config.get("encoder") == "shared":
        network.encoder = SharedEncoder(config, export.load_network(options.prior).to(device))
    if tensors:
        training.start_from(network, tensors)
    if options.only:
        if options.source is None:
            raise SystemExit("--only needs --from: the rest stays as it is there")
        network.requires_grad_(False)
        getattr(network, options.only).requires_grad_(True)
    optimiser = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=options.rate, weight_decay=0.01, betas=(0.9, 0.98))
    average = {name: value.clone() for name, value in network.state_dict().items()}
    batches, samples, elapsed = 0, 0, 0.0
    if state:
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        average, batches, samples, elapsed = state["average"], state["batches"], state["samples"], state["elapsed"]
        training.set_random_state(device, state["torch_random"])
        draw.set_state(state["draw"].cpu())
        dice.bit_generator.state = state["numpy_random"]
    validation = Validation(options.valid, config, device)
    print(f"{sum(p.numel() for p in network.parameters())} parameters, {len(windows)} windows, batch {options.batch}", flush=True)

    since, running, counted, next_check = time.monotonic(), {}, 0, elapsed + options.every * 60
    while True:
        now = elapsed + time.monotonic() - since
        progress = max(now / 60 / options.minutes, samples / options.samples)
        if now >= next_check or progress >= 1:
            line = {"batches": batches, "samples": samples, "minutes": round(now / 60, 2), "windows": len(windows)}
            line |= {"train": {key: round(float(value) / max(counted, 1), 4) for key, value in running.items()}}
            line |= {"valid": validation.measure(network, average)}
            training.report(options.run, line)
            running, counted, next_check = {}, 0, now + options.every * 60
            about = {"samples": samples, "windows": len(windows), "shards": " ".join(windows.names), "seed": options.seed}
            about |= {"started_from": options.source.name if options.source else "nothing"}
            about |= {"only": options.only, "rest": export.about(options.source)} if options.only else {}
            state = {"network": network.state_dict(), "average": average, "optimiser": optimiser.state_dict(), "about": about}
            state |= {"prior": asdict(prior), "config": config, "words": words, "anchors": anchors, "batches": batches}
            state |= {"samples": samples, "elapsed": now, "torch_random": training.random_state(device), "draw": draw.get_state()}
            state |= {"numpy_random": dice.bit_generator.state}
            training.save(state, options.run, ("checkpoint.pt",))
            windows.refresh()
        if progress >= 1:
            break
        indices = dice.integers(len(windows), size=options.batch // EGOS_PER_WINDOW)
        egos, plan = batch_of(windows, indices, config, EGOS_PER_WINDOW, True, draw, options.routed)
        if not len(plan):
            continue
        parts = losses(network, egos, plan, draw, 0.3, options.only)
        loss = sum(WEIGHTS[key] * value for key, value in parts.items())
        training.step(network, optimiser, loss, training.learning_rate(options.rate, batches, progress))
        batches, samples, counted = batches + 1, samples + len(plan), counted + 1
        for key, value in parts.items():
            running[key] = running.get(key, 0.0) + value.detach()
        training.follow(average, network, batches)


if __name__ == "__main__":
    main()
