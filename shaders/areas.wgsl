// Filled areas: triangles with a colour per corner, plain or hatched. Their rims are strokes of the line shader.

struct In {
    @location(0) at: vec2<f32>,
    @location(1) color: vec4<f32>,
    @location(2) pattern: u32,
}

struct Corner {
    @builtin(position) position: vec4<f32>,
    @location(0) color: vec4<f32>,
    @location(1) pixel: vec2<f32>,
    @location(2) @interpolate(flat) pattern: u32,
}

@vertex
fn vertex(in: In) -> Corner {
    let pixel = pixel_of(in.at);
    var out: Corner;
    out.position = clip_of(pixel);
    out.color = in.color;
    out.pixel = pixel;
    out.pattern = in.pattern;
    return out;
}

@fragment
fn fragment(in: Corner) -> @location(0) vec4<f32> {
    if in.pattern == 0u {
        return premultiplied(in.color, 1.0);
    }
    let period = 6.0 * view.point;
    let across = (in.pixel.x + in.pixel.y) * 0.70710678;
    let from_stripe = abs(across - period * round(across / period));
    let stripe = coverage(from_stripe - 1.2 * view.point);
    return premultiplied(in.color, max(stripe, 0.28));
}
