"""Recorded scenes for training: NGSIM US-101, Lankershim and Peachtree (US DOT, open data) as CommonRoad scenarios.

    python recordings.py SCENES

TUM's tools for CommonRoad (BSD-3-Clause) carry some of the scenarios in their source packages on PyPI; this takes them
out into SCENES/train and, to measure on, SCENES/measure. Unlike the I-80 tracks these are whole scenes with lanes (from
OpenStreetMap, ODbL). `nearmiss tensors` cuts them. They last 6 to 14 s, so few agents are known in all frames of a
window; what is not known has no weight. Two show the same seconds twice (US101-23_1 and 24_2). US101-5_1 and 15_1 are left
out: they share some seconds of two vehicles each with US101-10_1, on which the application is measured. The others
share none with its measuring scenarios (compared: runs of twenty successive speeds, 2 s).
"""

import io
import json
import sys
import tarfile
import urllib.request
from pathlib import Path

# Package, version, folder in it: names of scenarios to train on and to measure on.
PACKAGES = {
    ("commonroad-reach", "2025.2.1", "scenarios"): (
        ("US101-1_1", "US101-8_1", "US101-11_4", "US101-17_1", "US101-24_2", "Peach-3_1"),
        ("US101-6_1",),
    ),
    ("commonroad-drivability-checker", "2025.4.0", "tests/not_for_public_repo/costs/ressources/scenarios"): (
        ("US101-23_1", "Lanker-2_23"),
        (),
    ),
    ("commonroad-clcs", "2025.1.0", "tutorials"): (("Peach-2_1",), ("US101-3_1",)),
}


def source_package(name, version):
    """The source package of that version, opened."""
    with urllib.request.urlopen(f"https://pypi.org/pypi/{name}/json", timeout=60) as answer:
        files = json.load(answer)["releases"][version]
    url = next(file["url"] for file in files if file["packagetype"] == "sdist")
    with urllib.request.urlopen(url, timeout=600) as answer:
        return tarfile.open(fileobj=io.BytesIO(answer.read()))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    out = Path(sys.argv[1])
    for (name, version, folder), parts in PACKAGES.items():
        package = source_package(name, version)
        for kind, scenarios in zip(("train", "measure"), parts):
            (out / kind).mkdir(parents=True, exist_ok=True)
            for scenario in scenarios:
                file = f"USA_{scenario}_T-1.xml"
                member = f"{name.replace('-', '_')}-{version}/{folder}/{file}"
                (out / kind / file).write_bytes(package.extractfile(member).read())


if __name__ == "__main__":
    main()
