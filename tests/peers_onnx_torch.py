"""How long PyTorch and ONNX Runtime take on the CPU for the same network; the counterpart of `nearmiss bench`.

    pip install torch numpy safetensors onnx onnxscript onnxruntime
    python tests/peers_onnx_torch.py [--threads 2] [--agents 8 16 32] [--seconds 2]

Not part of the tests: it needs Python packages that the program does not. It loads `assets/weights/denoiser.safetensors`
into the training program's network (`assets/recipe/network.py`) and times

* the whole step in PyTorch: prior, features, network;
* the network alone (`Core` below: everything between the features and F) in PyTorch and in ONNX Runtime, whose
  operators lack the prior's Cholesky factorisation.

The scene is made of random agents and lanes: time does not depend on the numbers. Compare the network alone with the sum of the
rows "matmul", "attention" and "elementwise" of `nearmiss bench`, the whole step with its "denoising step". Medians.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "assets" / "recipe"))

from export import load_network  # noqa: E402
from network import FRAMES, LEVELS, NOW, Scene  # noqa: E402

LANES = 64


def random_scene(agents, nearest_lanes):
    """One window with `agents` vehicles among straight lanes."""
    torch.manual_seed(1)
    state = torch.zeros(1, agents, FRAMES, 8)
    speed, start = torch.rand(agents) * 15, torch.randn(agents, 2) * 30
    seconds = (torch.arange(FRAMES) - NOW) * 0.5
    state[0, :, :, 0] = start[:, :1] + speed[:, None] * seconds
    state[0, :, :, 1] = start[:, 1:]
    state[..., 2], state[0, :, :, 4] = 1.0, speed[:, None]
    state[..., 6], state[..., 7] = 4.7, 2.0
    lanes = torch.zeros(1, LANES, 20, 2)
    lanes[..., 0] = torch.linspace(0, 50, 20) + torch.randn(1, LANES, 1) * 40
    lanes[..., 1] = torch.randn(1, LANES, 1) * 40
    yes, no = torch.ones(1, LANES, dtype=torch.bool), torch.zeros(1, LANES, dtype=torch.bool)
    known = torch.ones(1, agents, FRAMES, dtype=torch.bool)
    kinds = torch.ones(1, agents)
    signal, limit = torch.zeros(1, LANES, FRAMES), torch.full((1, LANES), 13.9)
    return Scene(state, known, kinds, lanes, yes, no, signal, limit, nearest_lanes)


class Core(torch.nn.Module):
    """The network from token features and raw relations to F, for a fixed scene."""

    def __init__(self, network, scene):
        super().__init__()
        self.network, self.scene = network, scene
        lanes, lanes_bias = network.encode_lanes(scene)
        self.register_buffer("lanes", lanes)
        self.register_buffer("lanes_bias", lanes_bias)

    def forward(self, features, index, relation):
        network, scene = self.network, self.scene
        h = network.inp(features) + network.te
        relation, levels = network.rel(relation), network.ctab(network.phases)
        nothing = torch.zeros(())
        for layer in network.layers:
            h = layer(h, index, levels, scene, self.lanes, self.lanes_bias, relation, nothing, nothing)
        return network.out(network.no(h))


def median_ms(work, seconds):
    work()
    spent, begin = [], time.perf_counter()
    while len(spent) < 5 or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return 1e3 * sorted(spent)[len(spent) // 2]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--agents", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--weights", type=Path, default=ROOT / "assets" / "weights" / "denoiser.safetensors")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
    network = load_network(options.weights)
    rows = []
    for agents in options.agents:
        scene = random_scene(agents, network.config["nearest_lanes"])
        noisy, level = torch.randn(agents, FRAMES, 6), torch.full((agents, FRAMES), 0.5)
        rows.append((f"torch, whole step, A={agents}", median_ms(lambda: network(noisy, level, scene), options.seconds)))
        core = Core(network, scene)
        features = torch.randn(agents, FRAMES, network.inp.in_features)
        index = (level * LEVELS).round().long()
        inputs = (features, index, torch.randn(1, FRAMES, agents, agents, 11))
        rows.append((f"torch, network alone, A={agents}", median_ms(lambda: core(*inputs), options.seconds)))
        try:
            import onnxruntime
        except ImportError:
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "core.onnx")
            torch.onnx.export(core, inputs, path, input_names=["features", "index", "relation"], dynamo=False)
            settings = onnxruntime.SessionOptions()
            settings.intra_op_num_threads = options.threads
            session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
            feed = {n.name: v.numpy() for n, v in zip(session.get_inputs(), inputs)}
            rows.append((f"onnxruntime, network alone, A={agents}", median_ms(lambda: session.run(None, feed), options.seconds)))
    print(json.dumps({"threads": options.threads, "rows": [{"what": w, "value": round(v, 3), "unit": "ms"} for w, v in rows]}, indent=1))


if __name__ == "__main__":
    main()
