"""Weights files: a checkpoint's averaged weights and its prior as one safetensors file, and back; parity fixtures.

    python export.py CHECKPOINT WEIGHTS [--mix WEIGHTS [--share 0.5]] [--fixture FILE --shards DIR]

--mix averages a fine-tuned checkpoint with the weights it started from, tensor by tensor (Wortsman et al. 2022, "Robust
fine-tuning of zero-shot models"): most of what was gained is kept, most of what was forgotten comes back.
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from network import Denoiser
from prior import EDGES, FIRST_BIN, Prior
from shards import Windows, noise_levels, scene_of

PRIOR = ("scale", "mean", "covariance", "edges", "first_bin")


def save_weights(path, tensors, prior, config, about):
    """Writes network tensors (f32) and the prior (`prior.*`) with the configuration as JSON metadata."""
    out = {name: value.detach().clone().float().contiguous() for name, value in tensors.items()}
    out |= {f"prior.{name}": getattr(prior, name).contiguous() for name in PRIOR}
    save_file(out, path, {"config": json.dumps(config), **{key: str(value) for key, value in about.items()}})


def load_weights(path):
    """(tensors, prior, config) of a weights file of either feature version."""
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # not views of the file, which may be written anew
        config = json.loads(file.metadata()["config"])
    if "d" in config:  # version 1 had other names
        config = {"feature_version": 1, "width": config["d"], "heads": config["H"], "hidden": config["ff"]}
        config |= {"layers": len({n.split(".")[1] for n in tensors if n.startswith("layers.")}), "nearest_lanes": 20}
        tensors |= {"prior.edges": EDGES[:1, :3].clone(), "prior.first_bin": FIRST_BIN[:1].clone()}
    prior = Prior(*(tensors.pop(f"prior.{name}") for name in PRIOR))
    return tensors, prior, config


def load_network(path):
    """A network ready for use."""
    tensors, prior, config = load_weights(path)
    network = Denoiser(config, prior)
    network.load_state_dict(tensors)
    return network.eval()


def about(path):
    """What a weights file says of its training, as text; what it says in turn of the weights it came from lies inside."""

    def opened(said):
        return {name: opened(json.loads(value)) if name == "rest" and isinstance(value, str) else value for name, value in said.items()}

    with safe_open(path, "pt") as file:
        return json.dumps(opened({name: value for name, value in file.metadata().items() if name != "config"}))


def mix(state, path, share):
    """A checkpoint's state with averaged weights and prior that are `share` its own, the rest those of a weights file."""
    tensors, prior, config = load_weights(path)
    if config != state["config"]:
        raise SystemExit(f"{path}: a network of another shape; only weights that training started from can be mixed in")
    between = lambda own, other: torch.lerp(other, own.to(other), share) if other.is_floating_point() else other
    average = {name: between(value, tensors[name]) for name, value in state["average"].items()}
    blocks = {name: between(state["prior"][name], getattr(prior, name)) for name in ("mean", "covariance")}
    now = state["about"] | {"share": share, "mixed_with": about(path)}
    return state | {"average": average, "prior": state["prior"] | blocks, "about": now}


def traits(network, rows):
    """The prior bins, signal states and lane kinds that occur in windows: a fixture should have many."""
    scene = scene_of(rows, network.config["nearest_lanes"])
    bins = network.prior.bins(scene.type, scene.speed, scene.travel)
    named = {"bin": bins, "signal": rows["lane_signal"], "lane": rows["lane_kind"]}
    return {(name, value) for name, values in named.items() for value in values.unique().tolist()}


def save_fixture(path, network, windows, scenes=3):
    """Inputs and outputs of one evaluation with random per-token noise, for a second implementation to meet."""
    chosen, covered = [], set()
    candidates = {i: traits(network, windows.rows([i])) for i in range(0, len(windows), max(1, len(windows) // 300))}
    for _ in range(scenes):
        chosen.append(max(candidates, key=lambda i: len(candidates[i] - covered)))
        covered |= candidates[chosen[-1]]
    torch.manual_seed(11)
    rows = windows.rows(chosen)
    scene = scene_of(rows, network.config["nearest_lanes"])
    level = noise_levels(scene)
    noisy = torch.randn(*scene.valid.shape, 6) * scene.valid[..., None]
    with torch.no_grad():
        output, mean, spread = network(noisy, level, scene)
    bins, clean = network.prior.bins(scene.type, scene.speed, scene.travel), mean + spread * output
    save_file(
        {
            **{key: value.contiguous() for key, value in rows.items()},
            "agent_index": torch.stack([scene.batch, scene.agent], 1),
            "bins": bins,
            "noisy": noisy,
            "noise_level": level,
            "posterior_mean": mean,
            "posterior_std": spread,
            "network": output,
            "predicted_clean": clean,
            "smoothed_clean": network.prior.smoothed(clean, noisy, level, scene.valid, bins),
        },
        path,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--mix", type=Path, help="weights that the checkpoint started from, to average it with")
    parser.add_argument("--share", type=float, default=0.5, help="the checkpoint's share in that average")
    parser.add_argument("--fixture", type=Path)
    parser.add_argument("--shards", type=Path)
    options = parser.parse_args()
    state = torch.load(options.checkpoint, map_location="cpu", weights_only=False)
    if options.mix:
        state = mix(state, options.mix, options.share)
    save_weights(options.weights, state["average"], Prior(**state["prior"]), state["config"], state["about"])
    if options.fixture:
        save_fixture(options.fixture, load_network(options.weights), Windows(options.shards))


if __name__ == "__main__":
    main()
