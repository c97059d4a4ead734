// The metre grid over the whole viewport: fine lines, and every tenth one coarse.

struct Corner {
    @builtin(position) position: vec4<f32>,
    @location(0) pixel: vec2<f32>,
}

@vertex
fn vertex(@builtin(vertex_index) index: u32) -> Corner {
    let clip = vec2(select(-1.0, 3.0, index == 1u), select(-1.0, 3.0, index == 2u));
    var out: Corner;
    out.position = vec4(clip, 0.0, 1.0);
    out.pixel = clip * view.viewport / 2.0;
    return out;
}

fn line_share(at: vec2<f32>, step: f32) -> f32 {
    let from_line = abs(at - step * round(at / step)) * view.scale;
    return coverage(min(from_line.x, from_line.y) - 0.5 * view.point);
}

@fragment
fn fragment(in: Corner) -> @location(0) vec4<f32> {
    let at = view.grid_phase + (view.right * in.pixel.x + up() * in.pixel.y) / view.scale;
    let fine = premultiplied(view.grid_fine, line_share(at, view.grid_step));
    let coarse = premultiplied(view.grid_coarse, line_share(at, 10.0 * view.grid_step));
    return over(coarse, fine);
}
