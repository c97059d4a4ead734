//! What columns and keys of printed tables and objects mean: the long help of the commands that print them.

/// Of `nearmiss score`.
pub(super) const SCORE: &str = "\
Columns, empty where a case has no such thing:
  case                 the case, by its file
  swept_WHAT[_AGENT]   what a sweep gave it
  seed, sample, task, schedule, steps, temperature, history_level, prior_smoothing, redraws, weights
                       its recipe, as of `nearmiss generate`
  redrawn              how many agents were drawn anew as they failed a gate
  complete             false: the run was stopped
  valid                it passes every gate, and was not edited since it was made
  edited_since         it was edited since: its gates are of the scene before
  fault, avoidability  whose fault the contact is; whether the ego can still get away
  gate_NAME, gate_NAME_passed
                       the value of each gate as stored, and whether it passed
  measured_s           seconds after the present over which what follows is measured now: 8, up to the scene's end or to the
                       contact of an attack
  NAME, NAME_items     each metric, and of how many points, agents or goals it is:
    ade_m, ade_moving_m    mean distance from the log, of all made agents and of those that travel more than 2 m there
    collision_pct          agents that overlap another
    off_road_pct           agents that come more than 3 m from every centreline where their log does not
    instability            M_k: mean of |tangential| and |normal| acceleration (m/s²) and of their changes (m/s³)
    goal_miss_m            mean distance from goals at their times
    standing_moving_pct    agents that stand in the log and move more than 1 m
  ego_gap_m, ego_ttc_s, ego_pet_s
                       the ego's least distance from anybody, time to collision, post-encroachment time
With --steps a row is a denoising step: step, mean_level (the noise left, 0 to 1) and the metrics.";

/// Of `nearmiss eval`.
pub(super) const EVAL: &str = "\
Keys of --json: `rows`, scenes_left_out (how many), weights, program, seed, stride_s, windows_of_a_scene and paths (as asked). A row has task, method, guidance, redraws, name, schedule, steps, temperature, \
kind, samples, windows, recordings and agents (how many of each), `interval` (of each number, level 0.95, by recording), \
`difference` (its value less that of the row `to`: --against, or the row without guidance and redraws), seconds_per_scene, reaction_ms (a step), and
  ade_m, ade_moving_m   mean distance from the log, of all agents and of those that travel more than 2 m
  min_ade_m             the same of each agent's nearest sample; joint_min_ade_m: of the scene's nearest sample
  goal_miss_m           mean distance from the goals at their times
  collision_pct         agents that overlap another; off_road_pct: that leave the road where their log does not;
                        standing_moving_pct: that stand in the log and move
  instability           M_k; realism: with --realism, as realism_label says
Task plan: formula, variant (the formula in words), privileged (it is told the log's end), modes, windows_left_out, \
seconds_per_plan, ec_windows, and
  ade_m, ade_moving_m, fde_m   the likeliest mode's distance from the log, on average and at 8 s
  chosen_ade_m          that of the chosen mode
  min_ade_m, min_fde_m  the nearest mode's; end_min_ade_m and brier_min_fde_m: of the mode that ends nearest
  miss_pct              windows in which every mode ends more than 2 m off
  gap_m                 distance of proposals from what a vehicle makes of them; spread_m: of the modes' ends from each other
  collision_pct, at_fault_pct, off_road_pct   of the chosen mode as driven over 8 s
  plan_shift_m, ec      distance of a plan from that half a second later; whether both feel alike (extended comfort)
  score, nc, dac, ddc, tlc, ttc, ep, lk, hc, c   the formula's total and its terms, 0 to 1; score_with_ec: the total with EC
  nuplan_open_loop      nuPlan's open-loop score; instability: M_k
Task attack: windows_with_an_attack, tries, and how many of these have the contact (contact), within half a second of the \
intended time (in_time), pass every gate (valid), and of the valid are avoidable, unavoidable, ego_at_fault; failed_gates; \
contact_pct, in_time_pct, valid_pct, avoidable_pct; peak_acceleration_mps2 (median and p90); search_seconds.
The table of --each has a line for each window: recording, scene, present_s, and these numbers of it alone.";

/// Of `nearmiss drive`.
pub(super) const DRIVE: &str = "\
Keys of --json, an object for each drive: file, scene, present_s (scene time at which it begins), planner, weights, world, \
seed, seconds (driven), plans (how many), and
  gates                what the ego must not do: gate, passed, value, limit, unit, agent, time_s, reason
  metrics              name, value, unit, count
  score                nuPlan's closed-loop score: formula, total, arithmetic, clear_s (seconds without harm), untouched_s, and
                       of each of its `terms` score, value, limit, unit, who, reason, and its `series` at 10 Hz (what, unit,
                       limit, values)
  contacts             with whom, at_fault, closing_mps (closing speed), reason
  nearest, encounters  with whom, gap_m, ttc_s (time to collision), pet_s (post-encroachment time)
  off_road_s           when the centre leaves the road
  progress_m, logged_m how far the ego comes, and its log
  comfort, comfortable the largest value of each limit of comfort with its `range`; whether all are kept
  plan_shift_m, plans_alike   distance of each plan from the next; share that feel alike (EC)
  wall_s, written      how long it took; the driven scene's file
Then an object with `rows`, one for each planner: planner, world, seed, scenes, recordings, replan_hz, collision_pct, \
at_fault_pct, off_road_pct, progress_pct (of the log's), comfortable_pct, plan_shift_m, plans_alike_pct, nuplan_score, each \
with its `interval` (level 0.95, by recording); the first has its `difference` (value) to the others over the scenes that both have driven.

Times: every `time_s` is scene time, in seconds from the scene's first frame, and `after_s` beside it counts from the scene's \
present, where the drive begins. `off_road_s`, the tables and the sentences of the score's terms count from the present, too; \
the sentences of contacts are in scene time. `encounters` holds everybody who was met, the nearest first. Somebody whom the \
record first has where the ego then is counts as a contact, as in nuPlan.

Intervals are by recording: scenes that were made of one log (of the same source and name, for swept and kept cases the name \
before \" \u{b7} \") are drawn together, and so are the moments of one scene (--every).";

/// Of `nearmiss generate`.
pub(super) const GENERATE: &str = "\
Keys of --json, an object for each case: file, scene, seed, sample, task, schedule, steps, redrawn (agents that were drawn anew), \
swept, fault (whose the contact is), avoidability (whether the ego can still get away), valid (every gate is passed), and
  gates    gate, passed, value, limit, unit, agent, frame, reason
  metrics  name, value, unit, count: as the columns of `nearmiss score`
A case that could not be made has `error` instead, and the attacker and target that cannot meet.";

/// Of `nearmiss plan`.
pub(super) const PLAN: &str = "\
Keys of --json: file, scene, ego, now_s (the present), decoder, seed, weights, formula, variant (the formula in words), reason (of \
the choice), and
  route    points of the lane pieces on the route, m
  modes    probability, points (x, y, heading, speed every half second), tracked (the same every tenth, as a vehicle drives it), \
gap_m (how far these lie apart), tokens, braked (from which mode, if by rule), worth (what is chosen by), scores (as foreseen), \
outcome (by what the file says happens)
           scores and outcome: formula, total, arithmetic, clear_s (seconds without harm), untouched_s, and of each of `terms` \
score, value, limit, unit, time_s, after_s, who, reason, and its `series` (what, unit, limit, values)
  chosen   which mode, from 0
  gates    the terms of the chosen mode that are kept or not: gate, passed, value, limit, unit, agent, time_s, reason
  metrics  name, value, unit, count";

/// Of `nearmiss sweep`.
pub(super) const SWEEP: &str = "\
Columns of sweep.csv, and keys of --json:
  swept_WHAT[_AGENT]   the values; in JSON the list `swept` of what, agent, value and unit
  case (file)          the case's file
  valid, failed        whether it passes every gate, and which it fails
  fault, avoidability  whose fault the contact is; whether the ego can still get away
  error                why there is no case
  PLANNER_...          of each drive (in JSON the list `drives` of planner, outcome, at_s, with and nuplan_score): outcome (clear, hit, fault, off road or failed), at_s (when, from the
                       present), with, closing_mps, nearest_m, ttc_s, pet_s (the least), progress_m, logged_m, comfortable,
                       nuplan_score, error";
