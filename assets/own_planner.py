#!/usr/bin/env python3
"""A planner of your own for Nearmiss, to start from: needs nothing but Python 3.

    nearmiss plan SCENE --own "python3 own_planner.py"
    nearmiss drive SCENES --own "python3 own_planner.py"
    nearmiss eval SCENES --task plan --own "python3 own_planner.py"

In the window: Planner, decoder "Own planner", the command. It follows the route, else its lane, behind whoever is ahead on it
(Intelligent Driver Model, Treiber et al. 2000). Replace `plan`. `nearmiss serve --help` says what a request holds.
"""

import json
import math
import sys

STEP_S, STEPS = 0.5, 16
GAP_M, HEADWAY_S, ACCELERATION, BRAKING = 2.0, 1.5, 1.5, 2.0


def present(agent, now):
    """x, y, heading, speed of an agent at the present; None if it is not there."""
    states = agent["states"]
    x, y, heading, vx, vy = (states[key][now] for key in ("x", "y", "heading", "vx", "vy"))
    return None if x is None else (x, y, heading, math.hypot(vx, vy))


def course(lines, x, y, heading):
    """Points ahead of a pose along the lines: the nearest one that runs its way, then those that start at its end."""
    def misfit(line, i):
        (ax, ay), (bx, by) = line[i], line[i + 1]
        turned = math.atan2(by - ay, bx - ax) - heading
        return math.hypot(ax - x, ay - y) + 5 * (1 - math.cos(turned))

    starts = [(misfit(line, i), n, i) for n, line in enumerate(lines) for i in range(len(line) - 1)]
    if not starts or min(starts)[0] > 10:  # no lane here: straight on
        return [(x + s * math.cos(heading), y + s * math.sin(heading)) for s in range(0, 400, 5)]
    _, n, i = min(starts)
    points, seen = [(x, y)] + [tuple(p) for p in lines[n][i + 1 :]], {n}
    while len(points) < 400:
        (ax, ay), (bx, by) = points[-2], points[-1]
        along = math.atan2(by - ay, bx - ax)
        turn = lambda line: abs(math.remainder(math.atan2(line[1][1] - line[0][1], line[1][0] - line[0][0]) - along, math.tau))
        joins = [k for k, line in enumerate(lines) if k not in seen and math.dist(line[0], points[-1]) < 2 and turn(line) < 1]
        if not joins:
            points += [(bx + s * math.cos(along), by + s * math.sin(along)) for s in range(5, 200, 5)]
            break
        n = min(joins, key=lambda k: turn(lines[k]))
        seen.add(n)
        points += [tuple(p) for p in lines[n][1:]]
    return points


def distances(points):
    """Distance of each point from the first along them."""
    out = [0.0]
    for a, b in zip(points, points[1:]):
        out.append(out[-1] + math.dist(a, b))
    return out


def at(points, along, s):
    """Place and heading after s metres."""
    i = next((i for i, d in enumerate(along[1:]) if d >= s), len(along) - 2)
    (ax, ay), (bx, by) = points[i], points[i + 1]
    share = (s - along[i]) / max(along[i + 1] - along[i], 1e-6)
    return ax + share * (bx - ax), ay + share * (by - ay), math.atan2(by - ay, bx - ax)


def plan(request):
    """One mode: [x, y, heading, speed] every half second up to 8 s."""
    scene = request["scene"]
    now, agents = scene["now"], scene["agents"]
    ego = next(agent for agent in agents if agent["id"] == request["ego"])
    x, y, heading, speed = present(ego, now)
    lanes = scene["map"].get("lanes", [])
    lines = [piece["points"] for piece in request["route"]] or [lane["centreline"] for lane in lanes]
    points = course(lines, x, y, heading)
    along = distances(points)
    limits = [lane["speed_limit_mps"] for lane in lanes if lane.get("speed_limit_mps")]
    wanted = max(limits, default=14.0)

    ahead = []  # distance along the course and speed along it, of whoever is on it
    for agent in agents:
        state = present(agent, now)
        if agent is ego or state is None:
            continue
        gaps = [(math.dist(p, state[:2]), i) for i, p in enumerate(points)]
        gap, i = min(gaps)
        if gap < 2.5 and along[i] > 0:
            _, _, direction = at(points, along, along[i])
            length = (agent["length_m"] + ego["length_m"]) / 2
            ahead.append((along[i] - length, state[3] * math.cos(state[2] - direction)))

    s, answer, small = 0.0, [], STEP_S / 5
    for step in range(STEPS):
        for sub in range(5):
            time = step * STEP_S + sub * small
            push = ACCELERATION * (1 - (speed / wanted) ** 4)
            for start, pace in ahead:
                gap = max(start + pace * time - s, 0.1)
                keep = GAP_M + max(0.0, HEADWAY_S * speed + speed * (speed - pace) / (2 * math.sqrt(ACCELERATION * BRAKING)))
                push = min(push, ACCELERATION * (1 - (speed / wanted) ** 4 - (keep / gap) ** 2))
            speed = max(0.0, speed + max(push, -8.0) * small)
            s += speed * small
        answer.append([*at(points, along, s), speed])
    return {"modes": [{"probability": 1.0, "points": answer}]}


def main():
    for line in sys.stdin:
        try:
            answer = plan(json.loads(line))
        except Exception as problem:  # the program shows it and asks again for the next plan
            answer = {"error": f"{type(problem).__name__}: {problem}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
