"""Trains the denoiser on a folder of shards, from nothing or from existing weights; stops and resumes exactly.

    python train.py --shards SHARDS/train --valid SHARDS/valid --run RUN [--from weights.safetensors]
                    [--minutes 60 | --samples 200000] [--batch 24] [--rate 1e-3] [--threads 2]
                    [--device cpu|cuda] [--every 5] [--bf16 auto|on|off] [--without map|prior ...] [--noise token|scene]

A run folder holds checkpoint.pt (everything needed to go on), best.pt, and metrics.jsonl (one line per validation).
Starting again with the same --run continues. --from takes weights of either feature version: tensors are copied, new
input columns start at zero; with --keep-prior the prior comes along (fine-tuning), otherwise it is fitted anew.
--without and --noise scene are for ablations: no map, no analytic prior, one noise level per scene.
"""

import math
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

import export
import prior as priors
import shards
import training
from network import FRAMES, Denoiser, has_bf16, precision

CONFIG = {"feature_version": 2, "width": 128, "heads": 4, "hidden": 384, "layers": 3, "nearest_lanes": 20}
FEW_AGENTS = 16  # most batches are cut to this many agents: the cost of relations grows with the square


def fit_prior(windows, dice, config, scale=None, count=6000):
    """A prior fitted to augmented windows."""
    parts = []
    for _ in range(max(1, min(count, len(windows)) // 200)):
        rows = windows.rows(dice.integers(len(windows), size=200))
        shards.augment(rows)
        scene = shards.scene_of(rows, config["nearest_lanes"])
        parts.append((scene.residual, scene.valid, scene.type, scene.speed, scene.travel))
    return priors.fit(*(torch.cat(p) for p in zip(*parts)), scale=scale)


class Validation:
    """A fixed set of windows with fixed noise, per held-out network."""

    def __init__(self, folder, config, device, bf16, per_shard=64):
        windows = shards.Windows(folder, device)
        self.parts, self.device, self.bf16 = {}, device, bf16
        before = training.random_state(device)
        torch.manual_seed(77)
        for name, end in zip(windows.names, windows.ends):
            count = windows.shards[name].count
            rows = windows.rows(np.random.default_rng(5).permutation(count)[:per_shard] + end - count)
            scene = shards.scene_of(rows, config["nearest_lanes"])
            self.parts[name.split("-")[0]] = (scene, shards.noise_levels(scene), torch.randn(len(scene.valid), FRAMES, 6))
        training.set_random_state(device, before)

    def losses(self, network, average):
        """Loss of the averaged weights on each part."""
        now = {k: v.clone() for k, v in network.state_dict().items()}
        network.load_state_dict(average)
        with torch.no_grad(), precision(self.device, self.bf16):
            out = {name: round(network.loss(scene, level, noise).item(), 4) for name, (scene, level, noise) in self.parts.items()}
        network.load_state_dict(now)
        return out


def main():
    parser = training.parser(__doc__.split("\n")[0], batch=(24, 512), rate=(1e-3, 1.5e-3))
    parser.add_argument("--from", dest="source", type=Path)
    parser.add_argument("--keep-prior", action="store_true")
    parser.add_argument("--bf16", choices=("auto", "on", "off"), default="auto", help="auto: where the device computes in it")
    parser.add_argument("--without", nargs="*", choices=("map", "prior"), default=[], help="ablation")
    parser.add_argument("--noise", choices=("token", "scene"), default="token", help="ablation: one level per scene")
    options = training.parse(parser)
    device, bf16 = options.device, options.bf16 == "on" or options.bf16 == "auto" and has_bf16(options.device)
    dice = np.random.default_rng(options.seed)
    checkpoint = options.run / "checkpoint.pt"
    windows = shards.Windows(options.shards, device)

    state = torch.load(checkpoint, map_location=device, weights_only=False) if checkpoint.exists() else None
    tensors, prior, config = {}, None, dict(CONFIG)
    if state:
        prior, config = priors.Prior(**state["prior"]), state["config"]
    elif options.source:
        tensors, prior, source = export.load_weights(options.source)
        config |= {key: source[key] for key in ("width", "heads", "hidden", "layers")}
    if options.without and not state:
        config["without"] = options.without
    if not state and not (options.keep_prior and prior):
        prior = fit_prior(windows, dice, config, scale=prior.to(device).scale if prior else None)
    network = Denoiser(config, prior.to(device))
    training.start_from(network, tensors)
    optimiser = torch.optim.AdamW(network.parameters(), lr=options.rate, weight_decay=0.01, betas=(0.9, 0.98))
    average = {name: value.clone() for name, value in network.state_dict().items()}
    batches, elapsed, best = 0, 0.0, math.inf
    if state:
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        average, batches, elapsed, best = state["average"], state["batches"], state["elapsed"], state["best"]
        training.set_random_state(device, state["torch_random"])
        dice.bit_generator.state = state["numpy_random"]
    validation = Validation(options.valid, config, device, bf16)
    size = sum(p.numel() for p in network.parameters())
    print(f"{size} parameters, {len(windows)} windows, batch {options.batch}, {device} {'bf16' if bf16 else 'f32'}", flush=True)

    since, running, counted, next_check = time.monotonic(), 0.0, 0, elapsed
    while True:
        now = elapsed + time.monotonic() - since
        progress = max(now / 60 / options.minutes, batches * options.batch / options.samples)
        if now >= next_check or progress >= 1:
            losses = validation.losses(network, average)
            total = sum(losses.values()) / len(losses)
            line = {"batches": batches, "samples": batches * options.batch, "minutes": round(now / 60, 2), "windows": len(windows)}
            line |= {"train": round(float(running) / max(counted, 1), 4), "valid": losses}
            training.report(options.run, line)
            running, counted, next_check = 0.0, 0, now + options.every * 60
            about = {"samples": batches * options.batch, "windows": len(windows), "shards": " ".join(windows.names)}
            about |= {"seed": options.seed, "started_from": options.source.name if options.source else "nothing"}
            about |= {"noise": options.noise, "precision": "bf16" if bf16 else "f32"}
            state = {"network": network.state_dict(), "average": average, "optimiser": optimiser.state_dict()}
            state |= {"prior": asdict(prior), "config": config, "about": about, "batches": batches, "elapsed": now}
            state |= {"best": min(best, total), "torch_random": training.random_state(device), "numpy_random": dice.bit_generator.state}
            training.save(state, options.run, ("checkpoint.pt",) + (("best.pt",) if total < best else ()))
            best = min(best, total)
            windows.refresh()
        if progress >= 1:
            break
        rows = windows.rows(dice.integers(len(windows), size=options.batch))
        if dice.random() < 0.75:
            shards.trim(rows, FEW_AGENTS)
        shards.augment(rows)
        scene = shards.scene_of(rows, config["nearest_lanes"])
        level, noise = shards.noise_levels(scene, options.noise == "scene"), torch.randn(len(scene.valid), FRAMES, 6)
        with precision(device, bf16):
            loss = network.loss(scene, level, noise)
        training.step(network, optimiser, loss, training.learning_rate(options.rate, batches, progress))
        batches, running, counted = batches + 1, running + loss.detach(), counted + 1
        training.follow(average, network, batches)


if __name__ == "__main__":
    main()
