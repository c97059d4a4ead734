// The colour behind everything, over the whole viewport. Cheaper than a textured rectangle of the window's painter where
// pixels are drawn by a processor.

@vertex
fn vertex(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
    return vec4(select(-1.0, 3.0, index == 1u), select(-1.0, 3.0, index == 2u), 0.0, 1.0);
}

@fragment
fn fragment() -> @location(0) vec4<f32> {
    return premultiplied(view.ground, 1.0);
}
