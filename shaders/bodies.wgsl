// Agents: one quad each. The outline tells the kind, the inside tells where the nose is.

struct In {
    // centre, unit vector ahead
    @location(0) place: vec4<f32>,
    // half extents in metres, least half extent and outline width in points
    @location(1) size: vec4<f32>,
    @location(2) fill: vec4<f32>,
    @location(3) edge: vec4<f32>,
    @location(4) nose: vec4<f32>,
    @location(5) shape: u32,
    // shadow, noise, seed
    @location(6) look: vec4<f32>,
}

struct Corner {
    @builtin(position) position: vec4<f32>,
    @location(0) fill: vec4<f32>,
    @location(1) edge: vec4<f32>,
    @location(2) nose: vec4<f32>,
    // ahead and left of the centre, pixels
    @location(3) at: vec2<f32>,
    // half extents, outline width, reach of the shadow; pixels
    @location(4) @interpolate(flat) size: vec4<f32>,
    @location(5) @interpolate(flat) look: vec4<f32>,
    @location(6) @interpolate(flat) shape: u32,
}

const VEHICLE: u32 = 0u;
const EGO: u32 = 1u;
const PEDESTRIAN: u32 = 2u;
const CYCLIST: u32 = 3u;
const GHOST: u32 = 5u;

@vertex
fn vertex(in: In, @builtin(vertex_index) index: u32) -> Corner {
    let ahead = turned(in.place.zw);
    let left = vec2(-ahead.y, ahead.x);
    let half = max(in.size.xy * view.scale, vec2(in.size.z * view.point));
    let edge = in.size.w * view.point;
    let shadow = clamp(0.5 * view.scale, 2.0, 9.0) * view.point * step(0.001, in.look.x);
    let reach = half * (1.0 + 0.4 * in.look.y) + edge + shadow + 3.0;
    let at = corner(index) * reach;
    var out: Corner;
    out.position = clip_of(pixel_of(in.place.xy) + ahead * at.x + left * at.y);
    out.fill = in.fill;
    out.edge = in.edge;
    out.nose = in.nose;
    out.at = at;
    out.size = vec4(half, edge, shadow);
    out.look = in.look;
    out.shape = in.shape;
    return out;
}

fn outline(p: vec2<f32>, half: vec2<f32>, shape: u32) -> f32 {
    let narrow = min(half.x, half.y);
    switch shape {
        case PEDESTRIAN: {
            return length(p) - max(half.x, half.y);
        }
        case CYCLIST: {
            // two arcs through the tips
            let radius = (half.x * half.x + half.y * half.y) / (2.0 * half.y);
            return length(vec2(p.x, abs(p.y) + radius - half.y)) - radius;
        }
        case VEHICLE, EGO, GHOST: {
            let radius = narrow * select(0.32, 0.55, p.x > 0.0);
            return box_distance(p, half, radius);
        }
        default: {
            return box_distance(p, half, narrow * 0.15);
        }
    }
}

// windscreen and rear window, or the chevron of the ego, or the dot ahead of a person: share of the nose colour
fn nose_share(p: vec2<f32>, half: vec2<f32>, shape: u32) -> f32 {
    let unit = min(half.x, half.y);
    let legible = smoothstep(2.5, 5.0, unit);
    switch shape {
        case VEHICLE: {
            let behind_nose = (half.x - p.x) / half.y;
            let ahead_of_tail = (half.x + p.x) / half.y;
            let is_long = half.x > 3.0 * half.y;
            let screen_at = select(1.25, 0.42, is_long);
            let waist = 0.80 - 0.16 * (1.0 - clamp(abs(behind_nose - screen_at + 0.25) * 2.0, 0.0, 1.0));
            let screen = max(abs(behind_nose - screen_at) - 0.24, abs(p.y) / half.y - waist) * half.y;
            let rear = max(abs(ahead_of_tail - 0.62) - 0.12, abs(p.y) / half.y - 0.62) * half.y;
            let rear_share = select(0.6 * coverage(rear), 0.0, is_long);
            return max(coverage(screen), rear_share) * legible;
        }
        case EGO: {
            let tip = vec2(half.x - 0.5 * half.y, 0.0);
            let wing = vec2(half.x - 1.25 * half.y, 0.62 * half.y);
            let stroke = max(0.15 * half.y, 0.8);
            return coverage(segment_distance(vec2(p.x, abs(p.y)), tip, wing) - stroke) * smoothstep(1.5, 3.0, unit);
        }
        case PEDESTRIAN: {
            let radius = max(half.x, half.y);
            return coverage(length(p - vec2(0.42 * radius, 0.0)) - 0.3 * radius) * smoothstep(1.5, 3.5, radius);
        }
        case CYCLIST: {
            let along = max(abs(p.x - 0.1 * half.x) - 0.5 * half.x, abs(p.y) - 0.14 * half.y);
            return coverage(along) * legible;
        }
        default: {
            return 0.0;
        }
    }
}

// in [-1, 1], uneven round the outline
fn roughness(p: vec2<f32>, half: vec2<f32>, seed: f32) -> f32 {
    let angle = atan2(p.y / half.y, p.x / half.x);
    let phase = seed * 6.2831853;
    return (sin(5.0 * angle + phase) + sin(11.0 * angle - 2.0 * phase) + sin(19.0 * angle + 3.0 * phase)) / 3.0;
}

@fragment
fn fragment(in: Corner) -> @location(0) vec4<f32> {
    let half = in.size.xy;
    let noise = in.look.y;
    var distance = outline(in.at, half, in.shape);
    if noise > 0.0 {
        let reach = noise * (0.3 * min(half.x, half.y) + 1.0);
        distance += reach * roughness(in.at, half, in.look.z);
    }
    let inside = coverage(distance);
    let rim = 1.0 - coverage(distance + in.size.z);
    let fill_share = 1.0 - 0.8 * noise;
    var fill = premultiplied(in.fill, fill_share);
    fill = over(premultiplied(in.nose, nose_share(in.at, half, in.shape) * fill_share), fill);
    let edge = premultiplied(in.edge, 1.0 - 0.45 * noise);
    let body = mix(fill, over(edge, fill), rim) * inside;
    var below = vec4(0.0);
    if in.size.w > 0.0 {
        let fade = 1.0 - smoothstep(-0.3 * in.size.w, in.size.w, distance);
        below = vec4(0.0, 0.0, 0.0, in.look.x * fade * fade * fill_share);
    }
    return over(body, below);
}
