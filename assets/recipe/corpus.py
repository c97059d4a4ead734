"""Simulated traffic: SUMO on real street networks and generated motorways, cut into training shards.

One call simulates one (network, seed) pair and writes one shard; see README.md for the shard layout.
The real `sumo` program does the driving. What is added here: a mixed population of drivers, moderate demand inside a
random district of the network, people on foot and on bicycles where the network has room for them, and what SUMO
leaves out of its records (box centres and headings from the recorded front bumper).

    python corpus.py --networks DIR --out SHARDS --scratch DIR [--only hamburg,wildau] [--seeds 1,2] [--windows 9000]
"""

import argparse
import gzip
import math
import random
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import windows

STEP_S = 0.25
WARM_UP_S = 150.0
VEHICLE, PEDESTRIAN, CYCLIST = 1, 2, 3


@dataclass(frozen=True)
class Network:
    """One network and how it is used.

    file          path below the networks folder, which holds the repositories named below; None: a generated motorway
    period_s      mean time between two departing cars; a seed makes it 0.8 to 1.5 times as long
    end_s         simulated time
    radius_m      trips stay inside a random district of this radius; None: the whole network
    speed_mps     replaces every speed limit of 13.89 m/s; None: as in the file
    held_out      goes to the validation split, never to training
    """

    file: str | None
    period_s: float
    end_s: float
    radius_m: float | None = None
    speed_mps: float | None = None
    held_out: bool = False


# Where the networks are published, and the state that was used. Licences: EPL-2.0 and MIT. The trajectories simulated
# on them, like the generated motorways, are this recipe's own output.
REPOSITORIES = {
    "sumo-scenarios": ("https://github.com/DLR-TS/sumo-scenarios", "629e34cb444d"),
    "SMARTS": ("https://github.com/huawei-noah/SMARTS", "c113dd7425e2"),
}
NETWORKS = {
    "acosta": Network("sumo-scenarios/bologna/acosta/acosta_buslanes.net.xml", 1.0, 700),
    "hamburg": Network("sumo-scenarios/TAVF-Hamburg/network.net.xml.gz", 0.4, 800),
    "cologne": Network("sumo-scenarios/port_tutorials/port_cologne/osm.net.xml.gz", 0.3, 700, radius_m=1600),
    "brunswick": Network("sumo-scenarios/port_tutorials/port_brunswick/osm.net.xml.gz", 0.32, 700, radius_m=1500),
    "hersfeld": Network("sumo-scenarios/BadHersfeld/osm/osm_edited.net.xml.gz", 0.32, 700, radius_m=1500),
    "peachtree": Network("SMARTS/scenarios/NGSIM/peachtree/map.net.xml", 0.9, 900),
    "minicity": Network("SMARTS/scenarios/sumo/minicity/map.net.xml", 0.5, 700),
    "cloverleaf": Network("SMARTS/scenarios/sumo/cloverleaf/map.net.xml", 0.6, 700),
    "i80": Network("SMARTS/scenarios/NGSIM/i80/map.net.xml", 0.45, 600, speed_mps=27.0),
    "motorway": Network(None, 0.3, 520),
    "wildau": Network("sumo-scenarios/Wildau/net.net.xml.gz", 0.4, 700, held_out=True),
    "us101": Network("SMARTS/scenarios/NGSIM/us101/map.net.xml", 0.4, 500, speed_mps=29.0, held_out=True),
}


# ------------------------------------------------------------------ networks


def open_text(path):
    """Opens a plain or gzipped file as UTF-8 text."""
    return gzip.open(path, "rt", encoding="utf-8") if str(path).endswith(".gz") else open(path, encoding="utf-8")


def allows(lane, vehicle_class):
    """Whether a SUMO `lane` element admits a vehicle class."""
    if allowed := lane.get("allow"):
        return vehicle_class in allowed.split() or allowed == "all"
    disallowed = (lane.get("disallow") or "").split()
    return vehicle_class not in disallowed and "all" not in disallowed


@dataclass
class Street:
    """What demand and map need of a network: lanes by id, plain edges, signals by internal lane."""

    lanes: dict  # lane id -> (points [n, 2] m, speed limit m/s, is inside a junction, classes)
    edges: dict  # edge id -> (midpoint [2], length m, classes of any lane, is at the fringe)
    signal_of: dict  # internal lane id -> (traffic light id, link index)
    next_of: dict  # edge id -> set of edge ids entered from it
    passable: set  # ids of lanes beside which one may overtake in the opposite direction


CLASSES = ("passenger", "bicycle", "pedestrian")


def read_street(path):
    """Reads the parts of a `.net.xml[.gz]` that are used here."""
    lanes, edges, signal_of, next_of, passable = {}, {}, {}, {}, set()
    with open_text(path) as file:
        for _, element in ElementTree.iterparse(file):
            if element.tag == "connection":
                next_of.setdefault(element.get("from"), set()).add(element.get("to"))
                if element.get("tl") and element.get("via"):
                    signal_of[element.get("via")] = (element.get("tl"), int(element.get("linkIndex")))
            if element.tag == "edge":
                inside, own = element.get("function") == "internal", set()
                if element.get("function") in (None, "normal", "internal"):
                    for lane in element.findall("lane"):
                        classes = {name for name in CLASSES if allows(lane, name)}
                        points = np.array([p.split(",")[:2] for p in lane.get("shape").split()], float)
                        lanes[lane.get("id")] = (points, float(lane.get("speed")), inside, classes)
                        own |= classes
                        if lane.find("neigh") is not None:
                            passable.add(lane.get("id"))
                        length = float(lane.get("length"))
                    if not inside and own:
                        edges[element.get("id")] = (points.mean(0), length, own)
            if element.tag in ("edge", "connection", "junction", "tlLogic"):
                element.clear()
    entered = set().union(*next_of.values())
    edges = {k: (*edge, k not in entered) for k, edge in edges.items()}
    return Street(lanes, edges, signal_of, next_of, passable)


def reachable(next_of, start):
    """Edges that can be driven to from `start`, itself excluded."""
    seen, stack = set(), [start]
    while stack:
        for edge in next_of.get(stack.pop(), ()):
            if edge not in seen:
                seen.add(edge)
                stack.append(edge)
    return seen - {start}


def write_motorway(path, seed, scratch):
    """Makes a curved motorway of 2 to 4 lanes with on- and off-ramps by SUMO's netconvert."""
    dice = random.Random(seed)
    lanes, limit = dice.choice([2, 3, 3, 4]), dice.choice([22.2, 27.8, 27.8, 33.3, 36.1])
    nodes, edges = ["<nodes>"], ["<edges>"]
    for direction in (0, 1):
        x, y, heading, bend = 0.0, 60.0 * direction, 0.0, 0.0
        corners = []
        for k in range(9):
            corners.append((x, y, heading))
            bend = dice.uniform(-0.0012, 0.0012)
            length = dice.uniform(320, 520)
            for _ in range(10):
                heading += bend * length / 10
                x, y = x + length / 10 * math.cos(heading), y + length / 10 * math.sin(heading)
        mirror = -1.0 if direction else 1.0
        for k, (x, y, _) in enumerate(corners):
            nodes.append(f'<node id="m{direction}_{k}" x="{x:.1f}" y="{mirror * y - 300 * direction:.1f}"/>')
        for k in range(8):
            slow = limit * (dice.uniform(0.25, 0.5) if k == 7 and dice.random() < 0.5 else 1.0)
            edges.append(
                f'<edge id="d{direction}_{k}" from="m{direction}_{k}" to="m{direction}_{k + 1}" '
                f'numLanes="{lanes}" speed="{slow:.1f}" priority="10"/>'
            )
            x, y, heading = corners[k]
            y, heading = mirror * y - 300 * direction, mirror * heading
            side = heading - math.pi / 2
            if k in (2, 5):  # on-ramp from the right, ending at this corner
                x0, y0 = x - 260 * math.cos(heading) + 70 * math.cos(side), y - 260 * math.sin(heading) + 70 * math.sin(side)
                nodes.append(f'<node id="r{direction}_{k}" x="{x0:.1f}" y="{y0:.1f}"/>')
                edges.append(
                    f'<edge id="on{direction}_{k}" from="r{direction}_{k}" to="m{direction}_{k}" '
                    f'numLanes="1" speed="{dice.uniform(16, 25):.1f}" priority="5"/>'
                )
            if k in (3, 6):  # off-ramp to the right, leaving from this corner
                x0, y0 = x + 260 * math.cos(heading) + 70 * math.cos(side), y + 260 * math.sin(heading) + 70 * math.sin(side)
                nodes.append(f'<node id="r{direction}_{k}" x="{x0:.1f}" y="{y0:.1f}"/>')
                edges.append(
                    f'<edge id="off{direction}_{k}" from="m{direction}_{k}" to="r{direction}_{k}" '
                    f'numLanes="1" speed="{dice.uniform(12, 22):.1f}" priority="5"/>'
                )
    plain = scratch / path.name.removesuffix(".net.xml")
    Path(f"{plain}.nod.xml").write_text("\n".join(nodes) + "\n</nodes>\n")
    Path(f"{plain}.edg.xml").write_text("\n".join(edges) + "\n</edges>\n")
    subprocess.run(
        ["netconvert", "-n", f"{plain}.nod.xml", "-e", f"{plain}.edg.xml", "-o", str(path)]
        + ["--ramps.guess", "--ramps.ramp-length", "220", "--no-turnarounds", "--junctions.corner-detail", "8"],
        check=True,
        capture_output=True,
    )


# ------------------------------------------------------------------ demand


def vehicle_types(dice, fast_road):
    """XML of 60 random drivers, 20 cyclists and 12 walkers; the type id carries kind, length and width."""
    rows = ['<vTypeDistribution id="car">']
    for index in range(60):
        size = dice.random()
        if size < (0.78 if fast_road else 0.85):
            length, width, kind = dice.uniform(3.6, 5.1), dice.uniform(1.65, 2.05), "passenger"
            acceleration, braking = dice.uniform(1.2, 3.2), dice.uniform(1.6, 4.5)
        elif size < (0.87 if fast_road else 0.95):
            length, width, kind = dice.uniform(5.3, 7.5), dice.uniform(2.0, 2.3), "delivery"
            acceleration, braking = dice.uniform(1.0, 2.2), dice.uniform(1.6, 4.0)
        else:
            length, width, kind = dice.uniform(8.0, 16.0 if fast_road else 12.5), dice.uniform(2.4, 2.6), "delivery"
            acceleration, braking = dice.uniform(0.7, 1.5), dice.uniform(1.5, 3.5)
        follows = dice.choices(["IDM", "EIDM", "Krauss"], [0.35, 0.25, 0.4])[0]
        sigma = f' sigma="{dice.uniform(0.05, 0.8):.2f}"' if follows == "Krauss" else ""
        eagerness = 0.8 if fast_road and length > 8 else dice.uniform(0.85, 1.15)
        rows.append(
            f'<vType id="v{index}_{length:.2f}_{width:.2f}" vClass="{kind}" length="{length:.2f}" width="{width:.2f}" '
            f'accel="{acceleration:.2f}" decel="{braking:.2f}" emergencyDecel="7" tau="{dice.uniform(0.8, 1.9):.2f}" '
            f'minGap="{dice.uniform(1.0, 2.8):.2f}" carFollowModel="{follows}"{sigma} '
            f'speedFactor="normc({eagerness:.2f},0.1,0.6,1.4)" maxSpeedLat="{dice.uniform(0.6, 1.6):.2f}" '
            f'latAlignment="{dice.choice(["center", "center", "compact", "right", "left", "arbitrary"])}" '
            f'lcSigma="{dice.uniform(0, 0.12):.2f}" lcSpeedGain="{dice.uniform(0.5, 6):.1f}" '
            f'lcKeepRight="{dice.uniform(0, 0.6):.2f}" lcAssertive="{dice.uniform(0.8, 2):.2f}" '
            f'lcCooperative="{dice.uniform(0.3, 1):.2f}" minGapLat="{dice.uniform(0.3, 0.8):.2f}" '
            f'impatience="{dice.uniform(0, 0.6):.2f}" jmTimegapMinor="{dice.uniform(0.6, 1.8):.2f}" '
            f'jmSigmaMinor="{dice.uniform(0, 0.5):.2f}" probability="1"/>'
        )
    rows.append('</vTypeDistribution>\n<vTypeDistribution id="bike">')
    for index in range(20):
        length, width = dice.uniform(1.6, 1.95), dice.uniform(0.55, 0.8)
        rows.append(
            f'<vType id="c{index}_{length:.2f}_{width:.2f}" vClass="bicycle" length="{length:.2f}" width="{width:.2f}" '
            f'maxSpeed="{dice.uniform(3.5, 8.0):.2f}" accel="{dice.uniform(0.7, 1.5):.2f}" decel="{dice.uniform(2, 3.5):.2f}" '
            f'minGap="0.6" latAlignment="{dice.choice(["right", "right", "compact", "arbitrary"])}" '
            f'maxSpeedLat="{dice.uniform(0.3, 0.9):.2f}" lcSigma="{dice.uniform(0, 0.1):.2f}" probability="1"/>'
        )
    rows.append('</vTypeDistribution>\n<vTypeDistribution id="walker">')
    for index in range(12):
        length, width = dice.uniform(0.4, 0.8), dice.uniform(0.45, 0.8)
        rows.append(
            f'<vType id="p{index}_{length:.2f}_{width:.2f}" vClass="pedestrian" length="{length:.2f}" width="{width:.2f}" '
            f'maxSpeed="{dice.uniform(1.0, 2.2):.2f}" minGap="0.2" probability="1"/>'
        )
    rows.append("</vTypeDistribution>")
    return rows


def standing_cars(dice, street, edges, share):
    """Routes of cars and lorries that stand in a lane for the whole simulation, on so large a share of the edges.

    Half of them block the middle of the lane, half are pulled over to the right. Where there is one lane and none in
    the opposite direction to pass in, all are pulled over.
    """
    rows = []
    for edge, (_, length, classes, _) in edges:
        if "passenger" not in classes or length < 70 or dice.random() > share:
            continue
        lanes = [k for k in range(8) if "passenger" in street.lanes.get(f"{edge}_{k}", ((), 0, 0, ()))[3]]
        if not lanes:
            continue
        place = dice.uniform(35, length - 20)
        aside = dice.random() < 0.5 or (len(lanes) == 1 and f"{edge}_{lanes[0]}" not in street.passable)
        lane = lanes[0] if aside or dice.random() < 0.7 else dice.choice(lanes)
        size = dice.choice([(dice.uniform(3.8, 5.1), 1.9), (dice.uniform(5.5, 7.5), 2.2), (dice.uniform(8, 12), 2.5)])
        kind, at = f"v{1000 + len(rows)}_{size[0]:.2f}_{size[1]:.2f}", dice.uniform(-1.2, -0.7) if aside else dice.uniform(-0.2, 0.2)
        rows.append(f'<vType id="{kind}" vClass="passenger" length="{size[0]:.2f}" width="{size[1]:.2f}"/>')
        rows.append(
            f'<vehicle id="stand{len(rows)}" type="{kind}" depart="0" departLane="{lane}" departPos="{place:.1f}" departSpeed="0" '
            f'departPosLat="{at:.2f}"><route edges="{edge}"/><stop lane="{edge}_{lane}" endPos="{place + 0.5:.1f}" startPos="{place - 4:.1f}" '
            f'posLat="{at:.2f}" duration="100000"/></vehicle>'
        )
    return rows


def write_demand(path, street, network, seed, standing):
    """Random trips of cars, bicycles and walkers, inside one district, sorted by departure."""
    dice = random.Random(seed * 7919 + 13)
    period_s = network.period_s * dice.uniform(0.8, 1.5)
    fast_road = network.file is None or network.speed_mps is not None
    everywhere = list(street.edges.items())
    centre = dice.choice([e for e in everywhere if "passenger" in e[1][2]])[1][0]
    if network.radius_m:
        everywhere = [e for e in everywhere if np.hypot(*(e[1][0] - centre)) < network.radius_m]

    def pairs(vehicle_class, period_s, reach):
        edges = [e for e in everywhere if vehicle_class in e[1][2] and e[1][1] > 8]
        if len(edges) < 2:
            return
        fringe = 40.0 if fast_road else 3.0
        starts = [min(e[1][1], 250) * (fringe if e[1][3] else 1.0) for e in edges]
        ends = [1.0 + 0.01 * e[1][1] for e in edges]
        within = {e[0]: reachable(street.next_of, e[0]) for e in edges} if len(edges) < 200 else None
        time = 0.0
        while time < network.end_s:
            time += dice.expovariate(1 / period_s)
            for _ in range(20):
                start, end = dice.choices(edges, starts)[0], dice.choices(edges, ends)[0]
                distance = np.hypot(*(start[1][0] - end[1][0]))
                if within and end[0] not in within[start[0]]:
                    continue
                if start is not end and reach[0] < distance < reach[1]:
                    yield time, start[0], end[0]
                    break

    trips = []
    reach = (120, 1e9) if network.radius_m is None else (250, 1e9)
    for time, start, end in pairs("passenger", period_s, reach):
        trips.append((time, "car", start, end))
    if not fast_road:
        trips += [(t, "bike", a, b) for t, a, b in pairs("bicycle", period_s * 3, (120, 900))]
        trips += [(t, "walker", a, b) for t, a, b in pairs("pedestrian", period_s * 1.5, (60, 450))]
    rows = ["<routes>"] + vehicle_types(dice, fast_road)
    if standing:
        rows += standing_cars(dice, street, everywhere, standing)
    for index, (time, kind, start, end) in enumerate(sorted(trips)):
        if kind == "walker":
            rows.append(
                f'<person id="w{index}" type="walker" depart="{time:.2f}"><walk from="{start}" to="{end}"/></person>'
            )
        else:
            rows.append(
                f'<trip id="{kind}{index}" type="{kind}" depart="{time:.2f}" from="{start}" to="{end}" '
                f'departLane="best" departSpeed="max"/>'
            )
    path.write_text("\n".join(rows) + "\n</routes>\n")


def simulate(net_path, street, network, seed, stem, standing):
    """Runs SUMO; returns the paths of the movement record (parquet) and of the signal record (XML)."""
    routes, record, lights, extra = (Path(f"{stem}.{s}") for s in ("rou.xml", "parquet", "tls.xml", "add.xml"))
    if record.exists():
        return record, lights
    write_demand(routes, street, network, seed, standing)
    names = sorted({light for light, _ in street.signal_of.values()})
    events = [f'<timedEvent type="SaveTLSSwitchStates" source="{n}" dest="{lights}"/>' for n in names]
    extra.write_text("<additional>" + "\n".join(events) + "</additional>")
    part = record.with_suffix(".part.parquet")
    subprocess.run(
        ["sumo", "-n", str(net_path), "-r", str(routes), "-a", str(extra), "--end", str(network.end_s)]
        + ["--step-length", str(STEP_S), "--lateral-resolution", "0.8", "--seed", str(seed)]
        + ["--fcd-output", str(part), "--fcd-output.attributes", "x,y,angle,speed,type"]
        + ["--device.fcd.begin", str(WARM_UP_S)]
        + ["--ignore-route-errors", "--no-warnings", "--no-step-log", "--time-to-teleport", "60"]
        + ["--collision.action", "remove", "--device.rerouting.probability", "0.1", "--default.action-step-length", "0.5"],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=open(f"{stem}.log", "w"),
    )
    part.rename(record)
    return record, lights


# ------------------------------------------------------------------ tracks


def read_record(path):
    """The movement record as arrays over (frame, agent): front bumper [T, V, 2] m and heading [T, V] rad, nan where an
    agent is not there, size [V, 2] m, kind [V], and when it begins, s."""
    import pyarrow.parquet as parquet

    table = parquet.read_table(path)
    names = {c.lower().split("_")[-1]: c for c in table.column_names}
    column = lambda *options: next(table[names[o]] for o in options if o in names)
    time = np.asarray(column("time"), float)
    ids = column("id").to_numpy(zero_copy_only=False).astype(str)
    kinds = column("type").to_numpy(zero_copy_only=False).astype(str)
    x, y, angle = (np.asarray(column(c), float) for c in ("x", "y", "angle"))
    known = (time >= WARM_UP_S) & np.isfinite(x) & np.array([bool(re.match(r"[vcp]\d+_", k)) for k in kinds])
    time, ids, kinds, x, y, angle = time[known], ids[known], kinds[known], x[known], y[known], angle[known]

    frame = np.rint((time - time.min()) / STEP_S).astype(int)
    agents, agent = np.unique(ids, return_inverse=True)
    shape = (frame.max() + 1, len(agents))
    front, facing = np.full(shape + (2,), np.nan), np.full(shape, np.nan)
    front[frame, agent] = np.stack([x, y], -1)
    facing[frame, agent] = np.pi / 2 - np.deg2rad(angle)
    size, kind = np.zeros((len(agents), 2)), np.zeros(len(agents), np.uint8)
    of_kind = {k: (np.float64(k.split("_")[1]), np.float64(k.split("_")[2].split("@")[0])) for k in np.unique(kinds)}
    size[agent] = np.array([of_kind[k] for k in kinds])
    kind[agent] = np.array(["vpc".index(k[0]) + 1 for k in kinds])
    return front, facing, size, kind, time.min()


def tracks_of(front, facing, size, kind, start_s):
    """Box centres and headings of a movement record (see `read_record`) as `windows.Tracks`.

    SUMO records the front bumper, and a heading that jumps with the lane. The body is rebuilt by a tractrix: a rear
    point 0.78 lengths behind is dragged along by the smoothed front point; heading and centre follow from the two.
    """
    present = np.isfinite(front[..., 0])
    inner = present[:-2] & present[1:-1] & present[2:]
    for _ in range(2):
        smooth = front.copy()
        smooth[1:-1][inner] = (0.25 * front[:-2] + 0.5 * front[1:-1] + 0.25 * front[2:])[inner]
        front = smooth
    reach = np.maximum(0.78 * size[:, 0], 0.5)
    rear = np.full((len(size), 2), np.nan)
    centre, heading = np.full_like(front, np.nan), np.full_like(facing, np.nan)
    for t in range(len(front)):
        here = present[t]
        ahead = np.stack([np.cos(facing[t]), np.sin(facing[t])], -1)
        lost = here & ~(np.hypot(*(front[t] - rear).T) < reach + 15)
        rear[lost] = (front[t] - reach[:, None] * ahead)[lost]
        pull = front[t] - rear
        pull /= np.maximum(np.hypot(*pull.T), 1e-6)[:, None]
        rear = np.where(here[:, None], front[t] - reach[:, None] * pull, np.nan)
        heading[t] = np.where(here, np.arctan2(pull[:, 1], pull[:, 0]), np.nan)
        centre[t] = front[t] - 0.5 * size[:, :1] * pull
    velocity = np.full_like(centre, np.nan)
    velocity[1:-1] = (centre[2:] - centre[:-2]) / (2 * STEP_S)
    speed = np.hypot(velocity[..., 0], velocity[..., 1])
    jump = np.zeros_like(speed)
    jump[1:] = np.abs(speed[1:] - speed[:-1]) / STEP_S
    usable = present & (speed < 50) & ~(jump > 12)
    return windows.Tracks(centre, heading, velocity, size, kind, usable, start_s)


def read_signals(path, frames, start_s):
    """Signal state per light and frame: {light: array [frames] of state strings}; empty without a record."""
    switches = {}
    if path.exists():
        for row in re.finditer(r'<tlsState time="([\d.]+)" id="([^"]+)"[^>]*state="([^"]+)"', path.read_text()):
            switches.setdefault(row[2], []).append((float(row[1]), row[3]))
    times = start_s + np.arange(frames) * STEP_S
    out = {}
    for light, events in switches.items():
        at = np.searchsorted([e[0] for e in events], times + 1e-6) - 1
        out[light] = [events[max(i, 0)][1] for i in at]
    return out


def make_shard(name, seed, networks, out, scratch, count, standing, passing):
    """Simulates one network with one seed and writes its shard; returns a line about it."""
    network = NETWORKS[name]
    stem = scratch / f"{name}-{seed}"
    if network.file is None:
        net_path = scratch / f"{name}-{seed}.net.xml"
        write_motorway(net_path, seed, scratch)
    else:
        net_path = networks / network.file
    if network.speed_mps:
        limit = network.speed_mps * (1.0 if seed % 3 else 0.6)
        text = open_text(net_path).read().replace('speed="13.89"', f'speed="{limit:.2f}"')
        net_path = scratch / f"{name}-{seed}.net.xml"
        net_path.write_text(text)
    if standing:
        plain, net_path = net_path, scratch / f"{name}-{seed}.opposite.net.xml"
        subprocess.run(["netconvert", "-s", str(plain), "-o", str(net_path), "--opposites.guess"], check=True, capture_output=True)
    street = read_street(net_path)
    record, lights = simulate(net_path, street, network, seed, stem, standing)
    tracks = tracks_of(*read_record(record))
    lanes = windows.chunk_lanes(street.lanes.values(), list(street.lanes), street.signal_of)
    signals = read_signals(lights, len(tracks.usable), tracks.start_s)
    arrays = windows.cut(tracks, lanes, signals, count, np.random.default_rng([seed, len(name)]), passing_weight=passing)
    split = "valid" if network.held_out else "train"
    path = out / split / f"{name}-{seed}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    windows.write_shard(path, arrays, {"network": name, "seed": str(seed), "hours": f"{tracks.usable.sum() * STEP_S / 3600:.2f}"})
    kinds = np.bincount(arrays["type"].ravel(), minlength=4)[1:]
    return f"{path.name}: {len(arrays['valid'])} windows, {tracks.usable.sum() * STEP_S / 3600:.1f} agent hours, agents {kinds}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--only", default=",".join(NETWORKS))
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--windows", type=int, default=9000)
    parser.add_argument("--standing", type=float, default=0.0, help="share of streets on which a car or lorry stands in a lane")
    parser.add_argument("--passing", type=float, default=25.0, help="weight of windows in which the ego passes what stands; turning has 1")
    options = parser.parse_args()
    options.scratch = options.scratch.resolve()  # paths in the files written for SUMO are relative to those files
    options.scratch.mkdir(parents=True, exist_ok=True)
    for seed in map(int, options.seeds.split(",")):
        for name in options.only.split(","):
            split = "valid" if NETWORKS[name].held_out else "train"
            if not (options.out / split / f"{name}-{seed}.safetensors").exists():
                try:
                    print(make_shard(name, seed, options.networks, options.out, options.scratch, options.windows, options.standing, options.passing), flush=True)
                except (subprocess.CalledProcessError, ValueError, FileNotFoundError) as error:
                    print(f"{name}-{seed} left out: {error}", flush=True)


if __name__ == "__main__":
    main()
