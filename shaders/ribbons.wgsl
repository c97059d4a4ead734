// Paths in time: a gradient from the shown moment onward, ticks at whole seconds, and what has passed fading out.

struct In {
    @location(0) ends: vec4<f32>,
    @location(1) left: vec4<f32>,
    // width in metres and points, times at both ends
    @location(2) size: vec4<f32>,
    @location(3) near: vec4<f32>,
    @location(4) far: vec4<f32>,
    // half length of ticks in points, share of the opacity that the past keeps
    @location(5) look: vec2<f32>,
}

struct Corner {
    @builtin(position) position: vec4<f32>,
    @location(0) near: vec4<f32>,
    @location(1) far: vec4<f32>,
    // seconds from the shown moment; signed distance from the middle, pixels
    @location(2) at: vec2<f32>,
    // half width, half length of ticks, pixels; pixels per second; share kept by the past
    @location(3) @interpolate(flat) look: vec4<f32>,
    // seconds from the scene's present
    @location(4) time: f32,
}

const SPAN_S: f32 = 8.0;
const PAST_S: f32 = 4.0;

@vertex
fn vertex(in: In, @builtin(vertex_index) index: u32) -> Corner {
    let side = corner(index);
    let at_end = side.x > 0.0;
    let from_pixel = pixel_of(in.ends.xy);
    let to_pixel = pixel_of(in.ends.zw);
    let pixel = select(from_pixel, to_pixel, at_end);
    let left = turned(select(in.left.xy, in.left.zw, at_end));
    let time = select(in.size.z, in.size.w, at_end);
    let half = max(pixels(in.size.xy), 1.0) / 2.0;
    let rate = length(to_pixel - from_pixel) / max(in.size.w - in.size.z, 1e-3);
    // ticks closer than this would run together
    let tick = select(0.0, in.look.x * view.point, rate > 14.0 * view.point);
    let reach = max(half, tick) + 1.0;
    var out: Corner;
    out.position = clip_of(pixel + left * side.y * reach);
    out.near = in.near;
    out.far = in.far;
    out.at = vec2(time - view.time, side.y * reach);
    out.look = vec4(half, tick, rate, in.look.y);
    out.time = time;
    return out;
}

@fragment
fn fragment(in: Corner) -> @location(0) vec4<f32> {
    let ahead = in.at.x;
    var color = mix(in.near, in.far, clamp(ahead / SPAN_S, 0.0, 1.0));
    let from_middle = abs(in.at.y);
    var share = coverage(from_middle - in.look.x);
    if in.look.y > 0.0 {
        let whole = round(in.time);
        let from_tick = abs(in.time - whole) * in.look.z;
        let tick = coverage(max(from_tick - 0.75 * view.point, from_middle - in.look.y));
        // no tick at the present itself: the agent stands there
        share = max(share, select(0.0, tick, abs(whole) > 0.5));
    }
    let passed = max(-ahead, 0.0);
    let kept = select(1.0, in.look.w * (1.0 - smoothstep(0.0, PAST_S, passed)), ahead < 0.0);
    return premultiplied(color, share * kept);
}
