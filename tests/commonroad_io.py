"""Holds written CommonRoad files against the format's own reader, commonroad-io. Not part of the test suite.

    python3 -m venv venv && venv/bin/pip install commonroad-io
    cp scenes/cut-in.json case.json                      # any scene in our own format
    nearmiss convert case.json case.xml
    venv/bin/python tests/commonroad_io.py case.json case.xml

Every obstacle's shape and states must agree within 1 cm (0.01 rad, 0.01 m/s), whether it is dynamic or static, every
lane must be there with its centreline, and the ego must be the planning problem.
"""

import json
import math
import sys

import numpy as np
from commonroad.common.file_reader import CommonRoadFileReader


def parts(agent):
    """Unbroken runs of valid frames: each is an obstacle of its own."""
    states, run = agent["states"], []
    for frame, x in enumerate(states["x"]):
        if x is None:
            if run:
                yield run
            run = []
        else:
            run.append((frame, x, states["y"][frame], states["heading"][frame], states["vx"][frame], states["vy"][frame]))
    if run:
        yield run


def main(scene_path, xml_path):
    scene = json.load(open(scene_path))
    scenario, problems = CommonRoadFileReader(xml_path).open(lanelet_assignment=True)
    assert abs(scenario.dt - scene["dt_s"]) < 1e-9, (scenario.dt, scene["dt_s"])
    others = [agent for agent in scene["agents"] if agent.get("role", "other") != "ego"]
    expected = [(agent, run) for agent in others for run in parts(agent)]
    obstacles = scenario.static_obstacles + scenario.dynamic_obstacles
    obstacles.sort(key=lambda obstacle: obstacle.obstacle_id)
    assert len(obstacles) == len(expected), (len(obstacles), len(expected))
    worst = {"position": 0.0, "heading": 0.0, "speed": 0.0, "across": 0.0, "size": 0.0}
    matched = 0
    for agent, run in expected:
        first = run[0]
        best = min(
            (o for o in obstacles if o.initial_state.time_step == first[0]),
            key=lambda o: (
                math.dist(o.initial_state.position, first[1:3]),
                abs(o.obstacle_shape.length - agent["length_m"]),
            ),
        )
        obstacles.remove(best)
        shape = best.obstacle_shape
        worst["size"] = max(worst["size"], abs(shape.length - agent["length_m"]), abs(shape.width - agent["width_m"]))
        for frame, x, y, heading, vx, vy in run:
            state = best.state_at_time(frame)
            assert state is not None, (agent["id"], frame)
            along = vx * math.cos(heading) + vy * math.sin(heading)
            across = vy * math.cos(heading) - vx * math.sin(heading)
            turn = (state.orientation - heading + math.pi) % (2 * math.pi) - math.pi
            worst["position"] = max(worst["position"], math.dist(state.position, (x, y)))
            worst["heading"] = max(worst["heading"], abs(turn))
            worst["speed"] = max(worst["speed"], abs(state.velocity - along))
            if frame > first[0]:  # commonroad-io keeps no velocityY of an initial state
                worst["across"] = max(worst["across"], abs(getattr(state, "velocity_y", 0.0) - across))
            matched += 1
    lanes = scene["map"]["lanes"]
    assert len(scenario.lanelet_network.lanelets) == len(lanes), (len(scenario.lanelet_network.lanelets), len(lanes))
    ends = sorted(tuple(np.round(lanelet.center_vertices[0], 1)) for lanelet in scenario.lanelet_network.lanelets)
    starts = sorted(tuple(np.round(lane["centreline"][0], 1)) for lane in lanes)
    off = max((math.dist(a, b) for a, b in zip(ends, starts)), default=0.0)
    has_ego = any(agent.get("role") == "ego" for agent in scene["agents"])
    count = len(problems.planning_problem_dict)
    assert count == int(has_ego), count
    print(f"{xml_path}: {len(expected)} obstacles, {matched} states, {len(lanes)} lanelets, {count} planning problem")
    print(f"  largest differences: {worst}; lane starts {off:.3f} m")
    assert max(worst.values()) < 0.01


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
