"""From nothing to weights: environment, street networks, simulated corpus, denoiser and planner, evaluation.

    python make.py --work WORK [--networks DIR] [--minutes 120] [--windows 9000] [--seeds 1,2] [--device cuda] [--from weights.safetensors]

Every stage leaves its result in WORK and is skipped when that is there, so a stopped run goes on where it was.
"""

import argparse
import shutil
import subprocess
import sys
import venv
from pathlib import Path

PACKAGES = ["torch", "numpy", "safetensors", "pyarrow", "eclipse-sumo==1.28.0"]
HERE = Path(__file__).resolve().parent


def fetch_networks(folder, repositories, files):
    """Takes the listed files, and nothing else, from the published repositories."""
    for name, (url, commit) in repositories.items():
        target = folder / name
        if not target.exists():
            subprocess.run(["git", "clone", "--filter=blob:none", "--no-checkout", url, str(target)], check=True)
        wanted = [file.removeprefix(name + "/") for file in files if file.startswith(name + "/")]
        for path in wanted:
            if not (target / path).exists():
                subprocess.run(["git", "-C", str(target), "checkout", commit, "--", path])


def more_for_the_planner(shards, work, program, run):
    """SHARDS/plan: links to the denoiser's windows, and those that only a planner gains from.

    These are obstacles in hindsight; with the built `program` recorded NGSIM scenes, and the own world with 32 agents a
    window, so that rows of parked cars far ahead are in it.
    """
    plan = shards / "plan.part"
    shutil.rmtree(plan, ignore_errors=True)  # of a run that was stopped
    plan.mkdir()
    for shard in (shards / "train").glob("*.safetensors"):
        (plan / shard.name).symlink_to(shard)
    run("obstacles.py", shards / "train", "--out", plan / "obstacles.safetensors")
    if program:
        run("recordings.py", work / "recorded")
        cut = ["--stride", "0.1", "--history", "0.5", "--windows", "5000", "--per-scene", "1500", "--name", "ngsim", "--out", plan]
        subprocess.run([program, "tensors", work / "recorded" / "train", *cut], check=True)
        cut = ["--agents", "32", "--lanes", "96", "--windows", "27000", "--name", "wide", "--out", plan]
        subprocess.run([program, "tensors", work / "own-world", *cut], check=True)
    plan.rename(shards / "plan")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--networks", type=Path, help="folder with the repositories of corpus.py; fetched if left out")
    parser.add_argument("--minutes", default="120")
    parser.add_argument("--windows", default="9000", help="per network and seed")
    parser.add_argument("--seeds", default="1,2")
    parser.add_argument("--threads", default="2")
    parser.add_argument("--device", default="cpu", help="cpu or cuda, for the training")
    parser.add_argument("--program", type=Path, help="a built nearmiss: its own traffic world and, for the planner, NGSIM scenes join the corpus")
    parser.add_argument("--from", dest="source", type=Path, help="start from these weights")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)

    if not options.inside:  # once more, inside the environment
        environment = work / "environment"
        if not (environment / "complete").exists():
            venv.create(environment, with_pip=True)
            subprocess.run([environment / "bin/pip", "install", *PACKAGES], check=True)
            (environment / "complete").touch()
        path = f"{environment / 'bin'}"
        sys.exit(subprocess.call(["env", f"PATH={path}:/usr/bin:/bin", "python", __file__, "--inside", *sys.argv[1:]]))

    import corpus
    import tracks

    networks = options.networks or work / "networks"
    if options.networks is None:
        networks.mkdir(exist_ok=True)
        fetch_networks(networks, corpus.REPOSITORIES, [n.file for n in corpus.NETWORKS.values() if n.file] + [tracks.FILE])
    run = lambda script, *arguments: subprocess.run([sys.executable, HERE / script, *map(str, arguments)], check=True)
    shards, training, weights = work / "shards", work / "run", work / "weights"
    folders = ["--networks", networks, "--out", shards, "--scratch", work / "simulated"]
    run("corpus.py", *folders, "--seeds", options.seeds, "--windows", options.windows)
    standing = ["--seeds", ",".join(str(40 + int(seed)) for seed in options.seeds.split(",")), "--standing", 0.35, "--passing", 100]
    streets = [name for name, network in corpus.NETWORKS.items() if network.file and not network.speed_mps]
    run("corpus.py", *folders, "--only", ",".join(streets), *standing, "--windows", options.windows)
    if (networks / tracks.FILE).exists() and not (shards / "train" / "ngsim-i80.safetensors").exists():
        run("tracks.py", networks, "--out", shards)
    if options.program and not (shards / "train" / "scenes-0000.safetensors").exists():
        world = work / "own-world"
        subprocess.run([options.program, "simulate", "--scenes", "500", "--seed", "9300", "--out", world, "--replace"], check=True)
        cut = ["--windows", options.windows, "--attack-share", "0.05", "--out", shards / "train"]
        subprocess.run([options.program, "tensors", world, *cut], check=True)
    start = ["--from", options.source] if options.source else []
    train = ["--shards", shards / "train", "--valid", shards / "valid", "--run", training, "--minutes", options.minutes]
    run("train.py", *train, "--threads", options.threads, "--device", options.device, *start)
    weights.mkdir(exist_ok=True)
    final = weights / "denoiser.safetensors"
    run("export.py", training / "checkpoint.pt", final, "--fixture", weights / "fixture.safetensors", "--shards", shards / "valid")
    planning, planner = work / "planner-run", weights / "planner.safetensors"
    if not (shards / "plan").exists():
        more_for_the_planner(shards, work, options.program, run)
    plan = ["--shards", shards / "plan", "--valid", shards / "valid", "--run", planning, "--minutes", options.minutes]
    run("train_planner.py", *plan, "--threads", options.threads, "--device", options.device, "--prior", final)
    run("export_planner.py", planning / "checkpoint.pt", planner, "--fixture", weights / "planner-fixture.safetensors", "--shards", shards / "valid")
    run("evaluate.py", shards / "valid", "--weights", final, "--limit", 96, "--steps", 8, "--json", weights / "evaluation.json")


if __name__ == "__main__":
    main()
