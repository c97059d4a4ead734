// What every primitive shares: the view, and the way from metres to pixels to coverage.
// Pixels are counted from the middle of the viewport, y up. Colours are sRGB as stored; blending is done on them,
// premultiplied, which is what the window's own painter does.

struct View {
    // centre of the view, metres from the layers' origin
    centre: vec2<f32>,
    // direction of screen right in the scene frame
    right: vec2<f32>,
    // size of the viewport, pixels
    viewport: vec2<f32>,
    // pixels per metre
    scale: f32,
    // pixels per point
    point: f32,
    // centre of the view modulo ten grid steps, metres
    grid_phase: vec2<f32>,
    // spacing of the fine grid, metres
    grid_step: f32,
    // seconds from the scene's present
    time: f32,
    grid_fine: vec4<f32>,
    grid_coarse: vec4<f32>,
    // behind everything
    ground: vec4<f32>,
}

@group(0) @binding(0) var<uniform> view: View;

fn up() -> vec2<f32> {
    return vec2(-view.right.y, view.right.x);
}

fn turned(vector: vec2<f32>) -> vec2<f32> {
    return vec2(dot(vector, view.right), dot(vector, up()));
}

fn pixel_of(at: vec2<f32>) -> vec2<f32> {
    return turned(at - view.centre) * view.scale;
}

fn clip_of(pixel: vec2<f32>) -> vec4<f32> {
    return vec4(2.0 * pixel / view.viewport, 0.0, 1.0);
}

// the larger of a size in metres and a size in points, in pixels
fn pixels(size: vec2<f32>) -> f32 {
    return max(size.x * view.scale, size.y * view.point);
}

// corners of a quad drawn as a strip of four: x along, y across, each -1 or 1
fn corner(index: u32) -> vec2<f32> {
    return vec2(select(-1.0, 1.0, (index & 2u) != 0u), select(-1.0, 1.0, (index & 1u) != 0u));
}

// share of a pixel inside a shape whose signed distance to its middle is `distance` pixels
fn coverage(distance: f32) -> f32 {
    return clamp(0.5 - distance, 0.0, 1.0);
}

fn premultiplied(color: vec4<f32>, share: f32) -> vec4<f32> {
    let alpha = color.a * share;
    return vec4(color.rgb * alpha, alpha);
}

fn over(top: vec4<f32>, below: vec4<f32>) -> vec4<f32> {
    return top + below * (1.0 - top.a);
}

fn segment_distance(p: vec2<f32>, a: vec2<f32>, b: vec2<f32>) -> f32 {
    let edge = b - a;
    let along = clamp(dot(p - a, edge) / max(dot(edge, edge), 1e-6), 0.0, 1.0);
    return length(p - a - edge * along);
}

fn box_distance(p: vec2<f32>, half: vec2<f32>, radius: f32) -> f32 {
    let q = abs(p) - half + radius;
    return length(max(q, vec2(0.0))) + min(max(q.x, q.y), 0.0) - radius;
}
