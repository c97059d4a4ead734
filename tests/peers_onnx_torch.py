"""How long PyTorch and ONNX Runtime take on the CPU for the same network, beside `nearmiss bench`.

    pip install torch numpy safetensors onnx onnxscript onnxruntime
    cargo build --release
    python tests/peers_onnx_torch.py --nearmiss target/release/nearmiss [--threads 2] [--agents 8 16 32] [--seconds 2]

Not part of the tests: it needs Python packages that the program does not. It loads `assets/weights/denoiser.safetensors`
into the training program's network (`assets/recipe/network.py`) and times

* the whole step in PyTorch: prior, features, network;
* the network alone (`Core` below: everything between the features and F) in PyTorch and in ONNX Runtime, whose
  operators lack the prior's Cholesky factorisation; both must say the same within 1e-3;
* with `--nearmiss`, the program's own step, before and after its peers, so that a machine that slows down shows.

The scene is made of random agents and lanes: time does not depend on the numbers. Compare the network alone with the sum of the
rows "matmul", "attention", "elementwise" and "copies" of `nearmiss bench`, the whole step with its "denoising step". Medians of wall time;
where ONNX Runtime's time goes is its own profile, by kind of operator.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "assets" / "recipe"))

from export import load_network  # noqa: E402
from network import FRAMES, LEVELS, NOW, Scene  # noqa: E402

LANES = 64
PRODUCTS = {"MatMul", "Gemm", "FusedMatMul", "FusedGemm", "Einsum"}
COPIES = {"Transpose", "Reshape", "Concat", "Gather", "GatherND", "Slice", "Split", "Expand", "Unsqueeze", "Squeeze", "ScatterND", "Cast"}


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


def onnx_session(core, inputs, path, threads, profile=None):
    """The network alone as ONNX Runtime runs it, all graph optimisations on."""
    import onnxruntime

    if not path.exists():
        torch.onnx.export(core, inputs, str(path), input_names=["features", "index", "relation"], dynamo=False)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = threads, 1
    settings.log_severity_level = 3
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    if profile:
        settings.enable_profiling, settings.profile_file_prefix = True, str(profile)
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    feed = {node.name: value.numpy() for node, value in zip(session.get_inputs(), inputs)}
    return session, feed


def operator_shares(session, feed):
    """Percentages of ONNX Runtime's operator time: products (with weights and in attention), softmax, copies, elementwise."""
    for _ in range(20):
        session.run(None, feed)
    sums = {"products": 0, "softmax": 0, "copies": 0, "elementwise": 0}
    profile = session.end_profiling()
    for event in json.loads(Path(profile).read_text()):
        kind = event.get("args", {}).get("op_name")
        if event.get("cat") != "Node" or not kind or not event["name"].endswith("kernel_time"):
            continue
        part = "products" if kind in PRODUCTS else "softmax" if kind == "Softmax" else "copies" if kind in COPIES else "elementwise"
        sums[part] += event["dur"]
    return {part: 100 * spent / sum(sums.values()) for part, spent in sums.items()}


def own_rows(program, threads, seconds):
    """What `nearmiss bench` says, as (what, value, unit)."""
    command = [program, "bench", "--json", "--threads", str(threads), "--seconds", str(seconds)]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    wanted = ("denoising step", "in a step", "reaction")
    rows = [row for row in report["rows"] if any(word in row["what"] for word in wanted)]
    return [("nearmiss, " + row["what"].strip(), row["value"], row["unit"]) for row in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--agents", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--weights", type=Path, default=ROOT / "assets" / "weights" / "denoiser.safetensors")
    parser.add_argument("--nearmiss", help="the program, to measure beside its peers")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
    network = load_network(options.weights)
    rows = []
    own = lambda when: rows.extend((f"{what} ({when})", *rest) for what, *rest in own_rows(options.nearmiss, options.threads, options.seconds))
    if options.nearmiss:
        own("before")
    for agents in options.agents:
        scene = random_scene(agents, network.config["nearest_lanes"])
        noisy, level = torch.randn(agents, FRAMES, 6), torch.full((agents, FRAMES), 0.5)
        rows.append((f"torch, whole step, A={agents}", median_ms(lambda: network(noisy, level, scene), options.seconds), "ms"))
        core = Core(network, scene).eval()
        features = torch.randn(agents, FRAMES, network.inp.in_features)
        index = (level * LEVELS).round().long()
        inputs = (features, index, torch.randn(1, FRAMES, agents, agents, 11))
        rows.append((f"torch, network alone, A={agents}", median_ms(lambda: core(*inputs), options.seconds), "ms"))
        try:
            import onnxruntime  # noqa: F401
        except ImportError:
            print("onnxruntime is not installed: its rows are left out", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "core.onnx"
            session, feed = onnx_session(core, inputs, path, options.threads)
            gap = (torch.from_numpy(session.run(None, feed)[0]) - core(*inputs)).abs().max().item()
            if gap > 1e-3:
                sys.exit(f"ONNX Runtime and PyTorch differ by {gap}: these are not the same networks")
            rows.append((f"onnxruntime, network alone, A={agents}", median_ms(lambda: session.run(None, feed), options.seconds), "ms"))
            if agents == max(options.agents):
                profiled, feed = onnx_session(core, inputs, path, options.threads, Path(folder) / "profile")
                for part, share in operator_shares(profiled, feed).items():
                    rows.append((f"onnxruntime, {part}, A={agents}", share, "%"))
    if options.nearmiss:
        own("after")
    table = [{"what": what, "value": round(value, 3), "unit": unit} for what, value, unit in rows]
    print(json.dumps({"threads": options.threads, "cores": os.cpu_count(), "rows": table}, indent=1))


if __name__ == "__main__":
    main()
