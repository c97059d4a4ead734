"""What both training loops share: options, learning rate, averaged weights, checkpoints, the log."""

import argparse
import json
import math
from pathlib import Path

import torch

AVERAGING = 0.998


def parser(description, batch, rate):
    """The options both scripts have; `batch` and `rate` are those of a CPU and of a GPU."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--shards", type=Path, required=True)
    options.add_argument("--valid", type=Path, required=True)
    options.add_argument("--run", type=Path, required=True)
    options.add_argument("--minutes", type=float, default=math.inf)
    options.add_argument("--samples", type=float, default=math.inf)
    options.add_argument("--batch", type=int, help=f"{batch[0]}, on a GPU {batch[1]}")
    options.add_argument("--rate", type=float, help=f"{rate[0]}, on a GPU {rate[1]}")
    options.set_defaults(usual={"batch": batch, "rate": rate})
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="cuda: all windows lie in its memory")
    options.add_argument("--every", type=float, default=5.0, help="minutes between validations, checkpoints and new shards")
    return options


def parse(options):
    """The parsed options; says so if there is no end. From here on, what is made is made on the chosen device."""
    parsed = options.parse_args()
    if math.isinf(parsed.minutes) and math.isinf(parsed.samples):
        options.error("say how long: --minutes or --samples")
    for name, usual in parsed.usual.items():
        if getattr(parsed, name) is None:
            setattr(parsed, name, usual[parsed.device == "cuda"])
    torch.set_num_threads(parsed.threads)
    torch.set_default_device(parsed.device)
    torch.manual_seed(parsed.seed)
    parsed.run.mkdir(parents=True, exist_ok=True)
    return parsed


def random_state(device):
    """State of the generator that draws on `device`."""
    return torch.cuda.get_rng_state() if device == "cuda" else torch.get_rng_state()


def set_random_state(device, state):
    """Goes on from a state of `random_state`."""
    torch.cuda.set_rng_state(state.cpu()) if device == "cuda" else torch.set_rng_state(state.cpu())


@torch.no_grad()
def start_from(network, tensors):
    """Copies tensors by name; a weight with fewer input columns fills the first ones and the rest starts at zero."""
    own = network.state_dict()
    for name, value in tensors.items():
        if own[name].shape == value.shape:
            own[name].copy_(value)
        elif own[name].dim() == 2 and own[name].shape[0] == value.shape[0] and own[name].shape[1] > value.shape[1]:
            own[name].zero_()
            own[name][:, : value.shape[1]] = value
        else:
            raise ValueError(f"{name} is {tuple(value.shape)} there and {tuple(own[name].shape)} here")


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
    torch._foreach_lerp_(list(average.values()), list(network.state_dict().values()), 1 - keep)


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
