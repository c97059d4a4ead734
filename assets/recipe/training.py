"""What both training loops share: options, learning rate, averaged weights, checkpoints, the log."""

import argparse
import json
import math
from pathlib import Path

import torch

AVERAGING = 0.998
VALIDATE_EVERY_S = 300.0


def parser(description, batch, rate):
    """The options both scripts have."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--shards", type=Path, required=True)
    options.add_argument("--valid", type=Path, required=True)
    options.add_argument("--run", type=Path, required=True)
    options.add_argument("--minutes", type=float, default=math.inf)
    options.add_argument("--samples", type=float, default=math.inf)
    options.add_argument("--batch", type=int, default=batch)
    options.add_argument("--rate", type=float, default=rate)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--seed", type=int, default=0)
    return options


def parse(options):
    """The parsed options; says so if there is no end."""
    parsed = options.parse_args()
    if math.isinf(parsed.minutes) and math.isinf(parsed.samples):
        options.error("say how long: --minutes or --samples")
    torch.set_num_threads(parsed.threads)
    torch.manual_seed(parsed.seed)
    parsed.run.mkdir(parents=True, exist_ok=True)
    return parsed


def learning_rate(rate, batches, progress):
    """Linear warm-up over 150 batches, then cosine to zero."""
    return rate * min(1.0, (batches + 1) / 150) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def step(network, optimiser, loss, rate):
    """One step down the gradient, clipped to norm 1."""
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()


@torch.no_grad()
def follow(average, network, batches):
    """Moves the averaged weights towards the present ones; early ones are forgotten sooner."""
    keep = min(AVERAGING, 1 - 1 / (batches / 10 + 1))
    for name, value in network.state_dict().items():
        average[name].lerp_(value, 1 - keep)


def report(folder, line):
    """One line of the log, shown too."""
    with open(folder / "metrics.jsonl", "a") as log:
        log.write(json.dumps(line) + "\n")
    print(json.dumps(line), flush=True)


def save(state, folder, names):
    """Writes a checkpoint under each name, whole or not at all."""
    for name in names:
        torch.save(state, folder / "part.pt")
        (folder / "part.pt").rename(folder / name)
