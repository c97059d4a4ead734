// Symbols: one quad each, the shape chosen by number.

struct In {
    // place, direction
    @location(0) place: vec4<f32>,
    // shift on screen in points, radius in metres and points
    @location(1) size: vec4<f32>,
    // stroke width in points, value
    @location(2) look: vec2<f32>,
    @location(3) fill: vec4<f32>,
    @location(4) edge: vec4<f32>,
    @location(5) shape: u32,
    @location(6) hide_below: f32,
}

struct Corner {
    @builtin(position) position: vec4<f32>,
    @location(0) fill: vec4<f32>,
    @location(1) edge: vec4<f32>,
    // along and left of the direction, or right and up; pixels
    @location(2) at: vec2<f32>,
    // radius, half stroke, pixels; value
    @location(3) @interpolate(flat) look: vec3<f32>,
    @location(4) @interpolate(flat) shape: u32,
}

const DISC: u32 = 0u;
const RING: u32 = 1u;
const TARGET: u32 = 2u;
const CROSS: u32 = 3u;
const FLAG: u32 = 4u;
const CLOCK: u32 = 5u;
const CHEVRON: u32 = 6u;
const BAR: u32 = 7u;
const OCTAGON: u32 = 8u;
const SQUARE: u32 = 9u;

@vertex
fn vertex(in: In, @builtin(vertex_index) index: u32) -> Corner {
    let upright = dot(in.place.zw, in.place.zw) < 0.25;
    let ahead = select(turned(in.place.zw), vec2(1.0, 0.0), upright);
    let left = vec2(-ahead.y, ahead.x);
    let radius = pixels(in.size.zw);
    let stroke = in.look.x * view.point;
    var reach = radius * 1.45 + stroke + 2.0;
    if in.shape == FLAG {
        reach = radius * 2.2 + stroke + 2.0;
    }
    if in.shape == BAR {
        reach = radius + stroke + 9.0 * view.point;
    }
    reach = select(reach, 0.0, radius < in.hide_below * view.point);
    let at = corner(index) * reach;
    var out: Corner;
    out.position = clip_of(pixel_of(in.place.xy) + in.size.xy * view.point + ahead * at.x + left * at.y);
    out.fill = in.fill;
    out.edge = in.edge;
    out.at = at;
    out.look = vec3(radius, stroke / 2.0, in.look.y);
    out.shape = in.shape;
    return out;
}

// fill inside `distance` < 0 and a stroke centred on its rim
fn rimmed(in: Corner, distance: f32) -> vec4<f32> {
    let inside = premultiplied(in.fill, coverage(distance));
    return over(premultiplied(in.edge, coverage(abs(distance) - in.look.y)), inside);
}

// a stroke with a wider one of the fill colour below it
fn cased(in: Corner, distance: f32) -> vec4<f32> {
    let casing = premultiplied(in.fill, coverage(distance - in.look.y - 1.5 * view.point));
    return over(premultiplied(in.edge, coverage(distance - in.look.y)), casing);
}

fn ring(in: Corner) -> vec4<f32> {
    let radius = in.look.x;
    let from_middle = length(in.at);
    let inside = premultiplied(in.fill, coverage(from_middle - radius));
    var stroke = abs(from_middle - radius) - in.look.y;
    if in.look.z > 0.0 {
        let count = max(round(3.14159265 * radius / (in.look.z * view.point)), 3.0);
        let turn = atan2(in.at.y, in.at.x) / 6.2831853 * count;
        let dash_length = 6.2831853 * radius / count;
        stroke = max(stroke, (abs(turn - round(turn)) - 0.28) * dash_length);
    }
    return over(premultiplied(in.edge, coverage(stroke)), inside);
}

fn flag(in: Corner) -> vec4<f32> {
    let radius = in.look.x;
    let p = in.at;
    let pole = segment_distance(p, vec2(0.0), vec2(0.0, 2.0 * radius)) - in.look.y;
    let foot = length(p) - 2.2 * in.look.y;
    // pennant: from the top of the pole, tip to the right
    let high = 2.0 * radius;
    let tip = vec2(1.35 * radius, high - 0.45 * radius);
    let upper = dot(p - vec2(0.0, high), normalize(vec2(0.45, 1.35)));
    let lower = -dot(p - vec2(0.0, high - 0.9 * radius), normalize(vec2(-0.45, 1.35)));
    let pennant = max(max(upper, lower), max(-p.x, p.x - tip.x));
    let cloth = over(premultiplied(in.edge, coverage(abs(pennant + in.look.y) - in.look.y)),
        premultiplied(in.fill, coverage(pennant)));
    return over(premultiplied(in.edge, coverage(min(pole, foot))), cloth);
}

fn clock(in: Corner) -> vec4<f32> {
    let radius = in.look.x;
    let from_middle = length(in.at);
    let face = premultiplied(in.fill, coverage(from_middle - radius));
    // clockwise from twelve
    let turn = fract(atan2(in.at.x, in.at.y) / 6.2831853 + 1.0);
    let arc = (turn - in.look.z) * 6.2831853 * max(from_middle, 1.0);
    let pie = premultiplied(in.edge, coverage(max(from_middle - 0.62 * radius, arc)));
    let rim = premultiplied(in.edge, coverage(abs(from_middle - radius) - in.look.y));
    return over(rim, over(pie, face));
}

fn octagon_distance(p: vec2<f32>, radius: f32) -> f32 {
    let q = abs(p);
    return max(max(q.x, q.y), (q.x + q.y) * 0.70710678) - radius;
}

@fragment
fn fragment(in: Corner) -> @location(0) vec4<f32> {
    let radius = in.look.x;
    let p = in.at;
    switch in.shape {
        case DISC: {
            return rimmed(in, length(p) - radius);
        }
        case RING: {
            return ring(in);
        }
        case TARGET: {
            let q = abs(p);
            let circle = abs(length(p) - radius);
            let hairs = min(
                segment_distance(q, vec2(0.6 * radius, 0.0), vec2(1.4 * radius, 0.0)),
                segment_distance(q, vec2(0.0, 0.6 * radius), vec2(0.0, 1.4 * radius)),
            );
            return cased(in, min(circle, hairs));
        }
        case CROSS: {
            let q = abs(p);
            return cased(in, segment_distance(q, vec2(0.0), vec2(0.72 * radius)));
        }
        case FLAG: {
            return flag(in);
        }
        case CLOCK: {
            return clock(in);
        }
        case CHEVRON: {
            let q = vec2(p.x, abs(p.y));
            return cased(in, segment_distance(q, vec2(0.5 * radius, 0.0), vec2(-0.3 * radius, 0.8 * radius)));
        }
        case BAR: {
            var bar = box_distance(p, vec2(in.look.y, radius), in.look.y);
            if in.look.z > 0.5 {
                // cut into equal pieces, told apart by their number
                let piece = 2.0 * radius / (in.look.z + 1.0);
                let from_cut = abs(p.y + radius - piece * round((p.y + radius) / piece));
                let is_rim = step(radius - 0.4 * piece, abs(p.y));
                bar = max(bar, mix(1.1 * view.point - from_cut, -1.0, is_rim));
            }
            let glow = 0.45 * exp(-max(bar, 0.0) / (2.5 * view.point)) * step(0.0, bar + 1.0);
            let reach = min(8.0 * view.point, 1.2 * radius);
            let fade = clamp(2.0 - 2.0 * bar / reach, 0.0, 1.0);
            return over(premultiplied(in.fill, coverage(bar)), premultiplied(in.fill, glow * fade));
        }
        case OCTAGON: {
            return rimmed(in, octagon_distance(p, radius));
        }
        case SQUARE: {
            return rimmed(in, box_distance(p, vec2(radius), 0.2 * radius));
        }
        default: {
            // an arrow head: tip ahead, notch behind
            let q = vec2(p.x, abs(p.y));
            let side = dot(q - vec2(radius, 0.0), normalize(vec2(0.8, 1.7)));
            let back = dot(q - vec2(-0.35 * radius, 0.0), normalize(vec2(-0.8, -0.35)));
            return rimmed(in, max(side, back));
        }
    }
}
