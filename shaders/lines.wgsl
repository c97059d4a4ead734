// Strokes: capsules, or dashes cut square.

struct In {
    @location(0) ends: vec4<f32>,
    // width in metres and points, dash, gap
    @location(1) size: vec4<f32>,
    @location(2) start: f32,
    @location(3) flags: u32,
    @location(4) color: vec4<f32>,
}

struct Corner {
    @builtin(position) position: vec4<f32>,
    @location(0) color: vec4<f32>,
    // along from the first end, across; pixels
    @location(1) at: vec2<f32>,
    // length, half width, dash, gap; pixels
    @location(2) @interpolate(flat) size: vec4<f32>,
    // start of the dash pattern, pixels; flat ends or not
    @location(3) @interpolate(flat) pattern: vec2<f32>,
}

const DASH_IN_POINTS: u32 = 1u;
const FLAT_ENDS: u32 = 2u;

@vertex
fn vertex(in: In, @builtin(vertex_index) index: u32) -> Corner {
    let from_pixel = pixel_of(in.ends.xy);
    let edge = pixel_of(in.ends.zw) - from_pixel;
    let span = length(edge);
    let along = select(vec2(1.0, 0.0), edge / max(span, 1e-6), span > 1e-6);
    let across = vec2(-along.y, along.x);
    let width = pixels(in.size.xy);
    // thinner than a pixel is drawn a pixel wide and fainter
    let half = max(width, 1.0) / 2.0;
    let side = corner(index);
    let at = vec2(select(-half - 1.0, span + half + 1.0, side.x > 0.0), side.y * (half + 1.0));
    let unit = select(view.scale, view.point, (in.flags & DASH_IN_POINTS) != 0u);
    var out: Corner;
    out.position = clip_of(from_pixel + along * at.x + across * at.y);
    out.color = vec4(in.color.rgb, in.color.a * min(width, 1.0));
    out.at = at;
    out.size = vec4(span, half, in.size.zw * unit);
    out.pattern = vec2(in.start * view.scale, select(0.0, 1.0, (in.flags & FLAT_ENDS) != 0u));
    return out;
}

@fragment
fn fragment(in: Corner) -> @location(0) vec4<f32> {
    let span = in.size.x;
    let half = in.size.y;
    let across = abs(in.at.y) - half;
    if in.size.z > 0.0 {
        if in.at.x < 0.0 || in.at.x >= span {
            discard;
        }
        let period = in.size.z + in.size.w;
        let in_period = in.at.x + in.pattern.x;
        let place = in_period - period * floor(in_period / period);
        let dash = coverage(max(abs(place - in.size.z / 2.0) - in.size.z / 2.0, across));
        // dashes too small to be told apart become an even, fainter stroke
        let even = coverage(across) * in.size.z / period;
        return premultiplied(in.color, mix(even, dash, smoothstep(2.0, 5.0, period)));
    }
    let beyond = max(-in.at.x, in.at.x - span);
    let flat_end = max(beyond, across);
    let round_end = length(vec2(max(beyond, 0.0), in.at.y)) - half;
    return premultiplied(in.color, coverage(select(round_end, flat_end, in.pattern.y > 0.5)));
}
