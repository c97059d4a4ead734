"""Planner weights: a checkpoint's averaged weights, prior, vocabularies and anchors as one safetensors file; fixture.

    python export_planner.py CHECKPOINT WEIGHTS [--mix WEIGHTS [--share 0.5]] [--fixture FILE --shards DIR]
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

import export
from planner import POINTS, SEEN, Egos, Planner, forward_speed
from prior import NOW, Prior, noise_scales
from shards import Windows
from train_planner import choose_egos
from vocabulary import plans_of, tokenise


def save_weights(path, state):
    """Writes network tensors, `vocabulary.*` and `anchors` (f32) and the prior, with the configuration as metadata."""
    tensors = state["average"] | {f"vocabulary.{name}": value for name, value in state["words"].items()}
    tensors |= {"anchors": state["anchors"]}
    export.save_weights(path, tensors, Prior(**state["prior"]), state["config"], state["about"])


def load_planner(state):
    """A planner ready for use from a checkpoint's state."""
    network = Planner(state["config"], Prior(**state["prior"]), state["words"]["ego"], state["anchors"])
    network.load_state_dict(state["average"])
    return network.eval()


@torch.no_grad()
def save_fixture(path, network, windows, egos_wanted=4):
    """Inputs and outputs of one evaluation, for a second implementation to meet; every ego from a window of its own."""
    draw = torch.Generator().manual_seed(5)
    indices = np.linspace(0, len(windows) - 1, 40).astype(int)
    rows = windows.rows(indices)
    window, pick = choose_egos(rows, 1, draw)
    egos = Egos(rows, window, pick, network.config)
    busy = egos.near_valid.sum(1) + 10.0 * (egos.signal.abs().sum(1) > 0) + egos.speed
    chosen = busy.topk(egos_wanted).indices
    rows = {key: value[window[chosen]].contiguous() for key, value in rows.items()}
    each = torch.arange(len(chosen))
    routed = (each % 2 == 0).float()
    egos, plan = Egos(rows, each, pick[chosen], network.config, routed), plans_of(rows["agents"][each, pick[chosen]])[:, SEEN:]
    scene, bias = network.encoder(egos)
    written = tokenise(network.vocabulary, plan, forward_speed(egos.own[:, NOW]))
    starts = network.vocabulary[:, 0, 3]
    logits = network.tokens(egos, scene, bias, written["before"], written["place"], written["heading"], written["speed"], starts)
    level = torch.linspace(0.1, 1.0, len(plan))
    clean = network.scaled(egos, egos.own)
    keep, add = (q[:, None, None] for q in noise_scales(level))
    noisy = torch.cat([clean[:, :SEEN], keep * clean[:, SEEN:] + add * torch.randn(len(plan), POINTS, 6, generator=draw)], 1)
    predicted, mean, spread = network.refiner(egos, scene, bias, noisy, level, network.prior)
    source = network.flow.source(egos, clean[:, :SEEN], network.prior)
    flow_noise, flow_time = torch.randn(len(plan), 2, 63, generator=draw), torch.linspace(0.0, 0.75, len(plan))
    flow_plan = torch.lerp(network.flow.draw(source, flow_noise), clean[:, SEEN:], flow_time[:, None, None])
    velocity = network.flow(egos, scene, bias, flow_plan, flow_time, source, network.prior)
    components, _, logit = network.mixture(scene, bias)
    shown = written["token"].clone()
    shown[:, 2::3] = network.config["vocabulary"]
    save_file(
        {
            **rows,
            "pick": pick[chosen],
            "routed": routed,
            "tokens": written["token"],
            "logits": logits,
            "shown": shown,
            "masked": network.masked(egos, scene, bias, shown, network.vocabulary),
            "noisy": noisy[:, SEEN:].contiguous(),
            "level": level,
            "predicted_clean": (mean + spread * predicted).clamp(-8, 8),
            "flow_noise": flow_noise,
            "flow_start": network.flow.draw(source, flow_noise),
            "flow_plan": flow_plan,
            "flow_time": flow_time,
            "velocity": velocity,
            "regression": network.regression(egos, scene),
            "anchor": network.anchor(scene[:, 0]).softmax(-1),
            "mixture": components.contiguous(),
            "weights": logit.softmax(-1),
        },
        path,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--mix", type=Path, help="as of export.py")
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--fixture", type=Path)
    parser.add_argument("--shards", type=Path)
    options = parser.parse_args()
    state = torch.load(options.checkpoint, weights_only=False)
    if options.mix:
        state = export.mix(state, options.mix, options.share)
    save_weights(options.weights, state)
    if options.fixture:
        save_fixture(options.fixture, load_planner(state), Windows(options.shards))


if __name__ == "__main__":
    main()
