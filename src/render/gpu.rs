//! Draw lists to the GPU: pipelines built once, buffers that follow the layers, one draw call per primitive kind
//! and layer. A layer that is the same `Arc` as before is not uploaded again.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::draw_list::{Body, DrawList, Layer, Line, Mark, Ribbon, Vertex};
use super::{Camera, Color};
use crate::geometry::DVec2;

/// What the shaders know about the view: `View` in `shaders/common.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct View {
    /// Centre of the view, m from the layers' origin.
    pub centre: [f32; 2],
    /// Direction of screen right in the scene frame.
    pub right: [f32; 2],
    /// Size of the viewport, pixels.
    pub viewport: [f32; 2],
    /// Pixels per metre.
    pub scale: f32,
    /// Pixels per point.
    pub point: f32,
    /// Centre of the view modulo ten grid steps, m.
    pub grid_phase: [f32; 2],
    /// Spacing of the fine grid, m.
    pub grid_step: f32,
    /// Seconds from the scene's present.
    pub time: f32,
    /// Colour of fine grid lines.
    pub grid_fine: [f32; 4],
    /// Colour of coarse grid lines.
    pub grid_coarse: [f32; 4],
    /// Colour behind everything.
    pub ground: [f32; 4],
}

impl View {
    /// The view of `camera` on a list, in a viewport of `pixels` with `pixels_per_point` pixels per point.
    pub fn new(list: &DrawList, camera: &Camera, pixels: DVec2, pixels_per_point: f64) -> Self {
        let (right, _) = camera.axes();
        // fine grid lines at least nine points apart
        let step = 10_f64.powf(camera.metres(9.0).log10().ceil());
        let phase = camera.centre.rem_euclid(DVec2::splat(10.0 * step));
        let channels = |color: Color| color.0.map(|channel| f32::from(channel) / 255.0);
        let [fine, coarse] = list
            .grid
            .map_or([[0.0; 4]; 2], |colors| colors.map(channels));
        Self {
            centre: (camera.centre - list.origin).as_vec2().to_array(),
            right: right.as_vec2().to_array(),
            viewport: pixels.as_vec2().to_array(),
            scale: (camera.points_per_m * pixels_per_point) as f32,
            point: pixels_per_point as f32,
            grid_phase: phase.as_vec2().to_array(),
            grid_step: step as f32,
            time: list.time_s as f32,
            grid_fine: fine,
            grid_coarse: coarse,
            ground: channels(list.background),
        }
    }

    /// The view for layers whose coordinates are points from the middle of the viewport, y up.
    pub fn of_screen(pixels: DVec2, pixels_per_point: f64) -> Self {
        Self {
            right: [1.0, 0.0],
            viewport: pixels.as_vec2().to_array(),
            scale: pixels_per_point as f32,
            point: pixels_per_point as f32,
            ..Self::zeroed()
        }
    }
}

/// A primitive: its shader and the vertex or instance data the shader reads.
#[derive(Debug, Clone, Copy)]
pub struct Primitive {
    /// File in `shaders/`.
    pub name: &'static str,
    /// The whole shader, `common.wgsl` included.
    pub shader: &'static str,
    /// Bytes per vertex or instance; 0 if the shader reads none.
    pub stride: u64,
    /// Where in them each of the shader's inputs lies.
    pub attributes: &'static [wgpu::VertexAttribute],
    /// Instances drawn as quads, else plain triangles.
    pub is_instanced: bool,
}

macro_rules! shader {
    ($name:literal) => {
        concat!(
            include_str!("../../shaders/common.wgsl"),
            include_str!(concat!("../../shaders/", $name, ".wgsl"))
        )
    };
}

/// The primitives in the order in which a layer draws them; ground and grid come before all layers.
pub const PRIMITIVES: [Primitive; 7] = [
    Primitive {
        name: "ground",
        shader: shader!("ground"),
        stride: 0,
        attributes: &[],
        is_instanced: false,
    },
    Primitive {
        name: "grid",
        shader: shader!("grid"),
        stride: 0,
        attributes: &[],
        is_instanced: false,
    },
    Primitive {
        name: "areas",
        shader: shader!("areas"),
        stride: size_of::<Vertex>() as u64,
        attributes: &wgpu::vertex_attr_array![0 => Float32x2, 1 => Unorm8x4, 2 => Uint32],
        is_instanced: false,
    },
    Primitive {
        name: "ribbons",
        shader: shader!("ribbons"),
        stride: size_of::<Ribbon>() as u64,
        attributes: &wgpu::vertex_attr_array![
            0 => Float32x4, 1 => Float32x4, 2 => Float32x4, 3 => Unorm8x4, 4 => Unorm8x4, 5 => Float32x2
        ],
        is_instanced: true,
    },
    Primitive {
        name: "lines",
        shader: shader!("lines"),
        stride: size_of::<Line>() as u64,
        attributes: &wgpu::vertex_attr_array![
            0 => Float32x4, 1 => Float32x4, 2 => Float32, 3 => Uint32, 4 => Unorm8x4
        ],
        is_instanced: true,
    },
    Primitive {
        name: "bodies",
        shader: shader!("bodies"),
        stride: size_of::<Body>() as u64,
        attributes: &wgpu::vertex_attr_array![
            0 => Float32x4, 1 => Float32x4, 2 => Unorm8x4, 3 => Unorm8x4, 4 => Unorm8x4, 5 => Uint32, 6 => Float32x4
        ],
        is_instanced: true,
    },
    Primitive {
        name: "marks",
        shader: shader!("marks"),
        stride: size_of::<Mark>() as u64,
        attributes: &wgpu::vertex_attr_array![
            0 => Float32x4, 1 => Float32x4, 2 => Float32x2, 3 => Unorm8x4, 4 => Unorm8x4, 5 => Uint32, 6 => Float32
        ],
        is_instanced: true,
    },
];

const GROUND: usize = 0;
const GRID: usize = 1;
const AREAS: usize = 2;

/// Pipelines for one target format.
#[derive(Debug)]
pub struct Gpu {
    pipelines: Vec<wgpu::RenderPipeline>,
    view_layout: wgpu::BindGroupLayout,
}

impl Gpu {
    /// Builds the pipelines for single-sampled targets of `format` (one without sRGB conversion: colours are
    /// blended as stored).
    pub fn new(device: &wgpu::Device, format: wgpu::TextureFormat) -> Self {
        let view_layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("view"),
            entries: &[wgpu::BindGroupLayoutEntry {
                binding: 0,
                visibility: wgpu::ShaderStages::VERTEX_FRAGMENT,
                ty: wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Uniform,
                    has_dynamic_offset: false,
                    min_binding_size: wgpu::BufferSize::new(size_of::<View>() as u64),
                },
                count: None,
            }],
        });
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("canvas"),
            bind_group_layouts: &[Some(&view_layout)],
            immediate_size: 0,
        });
        let pipelines = PRIMITIVES
            .iter()
            .map(|primitive| pipeline(device, &layout, primitive, format))
            .collect();
        Self {
            pipelines,
            view_layout,
        }
    }
}

fn pipeline(
    device: &wgpu::Device,
    layout: &wgpu::PipelineLayout,
    primitive: &Primitive,
    format: wgpu::TextureFormat,
) -> wgpu::RenderPipeline {
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(primitive.name),
        source: wgpu::ShaderSource::Wgsl(primitive.shader.into()),
    });
    let buffer = wgpu::VertexBufferLayout {
        array_stride: primitive.stride,
        step_mode: if primitive.is_instanced {
            wgpu::VertexStepMode::Instance
        } else {
            wgpu::VertexStepMode::Vertex
        },
        attributes: primitive.attributes,
    };
    let buffers = [Some(buffer)];
    device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
        label: Some(primitive.name),
        layout: Some(layout),
        vertex: wgpu::VertexState {
            module: &module,
            entry_point: Some("vertex"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            buffers: if primitive.attributes.is_empty() {
                &[]
            } else {
                &buffers
            },
        },
        primitive: wgpu::PrimitiveState {
            topology: if primitive.is_instanced {
                wgpu::PrimitiveTopology::TriangleStrip
            } else {
                wgpu::PrimitiveTopology::TriangleList
            },
            ..wgpu::PrimitiveState::default()
        },
        depth_stencil: None,
        multisample: wgpu::MultisampleState::default(),
        fragment: Some(wgpu::FragmentState {
            module: &module,
            entry_point: Some("fragment"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            targets: &[Some(wgpu::ColorTargetState {
                format,
                blend: Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING),
                write_mask: wgpu::ColorWrites::ALL,
            })],
        }),
        multiview_mask: None,
        cache: None,
    })
}

/// A buffer with some room: refilled in place while the data fit, otherwise replaced.
#[derive(Debug, Default)]
struct Store {
    buffer: Option<wgpu::Buffer>,
    count: u32,
}

impl Store {
    fn fill<T: Pod>(
        &mut self,
        (device, queue): (&wgpu::Device, &wgpu::Queue),
        usage: wgpu::BufferUsages,
        data: &[T],
    ) {
        self.count = data.len() as u32;
        if data.is_empty() {
            return;
        }
        let bytes: &[u8] = bytemuck::cast_slice(data);
        let needed = bytes.len() as u64;
        if self
            .buffer
            .as_ref()
            .is_none_or(|buffer| buffer.size() < needed)
        {
            self.buffer = Some(device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("canvas"),
                size: needed.next_power_of_two().max(1024),
                usage: usage | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            }));
        }
        if let Some(buffer) = &self.buffer {
            queue.write_buffer(buffer, 0, bytes);
        }
    }
}

/// A layer on the GPU, with the layer it was filled from.
#[derive(Debug, Default)]
struct Sheet {
    source: Option<Arc<Layer>>,
    /// Areas, ribbons, lines, bodies, marks.
    stores: [Store; 5],
    triangles: Store,
}

impl Sheet {
    /// Uploads `layer` unless it is there already; returns the bytes uploaded.
    fn follow(&mut self, target: (&wgpu::Device, &wgpu::Queue), layer: &Arc<Layer>) -> usize {
        if self
            .source
            .as_ref()
            .is_some_and(|source| Arc::ptr_eq(source, layer))
        {
            return 0;
        }
        let usage = wgpu::BufferUsages::VERTEX;
        let [areas, ribbons, lines, bodies, marks] = &mut self.stores;
        areas.fill(target, usage, &layer.vertices);
        ribbons.fill(target, usage, &layer.ribbons);
        lines.fill(target, usage, &layer.lines);
        bodies.fill(target, usage, &layer.bodies);
        marks.fill(target, usage, &layer.marks);
        let corners: &[u32] = bytemuck::cast_slice(&layer.triangles);
        self.triangles
            .fill(target, wgpu::BufferUsages::INDEX, corners);
        self.source = Some(Arc::clone(layer));
        layer.bytes()
    }

    fn draw(&self, gpu: &Gpu, pass: &mut wgpu::RenderPass<'_>) {
        for (index, store) in self.stores.iter().enumerate() {
            let Some(buffer) = store.buffer.as_ref().filter(|_| store.count > 0) else {
                continue;
            };
            let primitive = AREAS + index;
            pass.set_pipeline(&gpu.pipelines[primitive]);
            pass.set_vertex_buffer(0, buffer.slice(..));
            if primitive == AREAS {
                if let Some(triangles) = &self.triangles.buffer {
                    pass.set_index_buffer(triangles.slice(..), wgpu::IndexFormat::Uint32);
                    pass.draw_indexed(0..self.triangles.count, 0, 0..1);
                }
            } else {
                pass.draw(0..4, 0..store.count);
            }
        }
    }
}

/// What one viewport keeps on the GPU from frame to frame.
#[derive(Debug)]
pub struct Pane {
    sheets: Vec<Sheet>,
    furniture: Sheet,
    views: [(wgpu::Buffer, wgpu::BindGroup); 2],
    has_grid: bool,
}

impl Pane {
    /// Nothing to draw yet.
    pub fn new(gpu: &Gpu, device: &wgpu::Device) -> Self {
        let view = || {
            let buffer = device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("view"),
                size: size_of::<View>() as u64,
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("view"),
                layout: &gpu.view_layout,
                entries: &[wgpu::BindGroupEntry {
                    binding: 0,
                    resource: buffer.as_entire_binding(),
                }],
            });
            (buffer, group)
        };
        Self {
            sheets: Vec::new(),
            furniture: Sheet::default(),
            views: [view(), view()],
            has_grid: false,
        }
    }

    /// Uploads what changed since the last call; returns the bytes of layers uploaded. `pixels` is the size of
    /// the viewport. `furniture` lies on top, in points from the middle of the viewport.
    pub fn prepare(
        &mut self,
        target: (&wgpu::Device, &wgpu::Queue),
        list: &DrawList,
        furniture: &Arc<Layer>,
        view: (&Camera, DVec2, f64),
    ) -> usize {
        let (camera, pixels, pixels_per_point) = view;
        let views = [
            View::new(list, camera, pixels, pixels_per_point),
            View::of_screen(pixels, pixels_per_point),
        ];
        for ((buffer, _), view) in self.views.iter().zip(&views) {
            target.1.write_buffer(buffer, 0, bytemuck::bytes_of(view));
        }
        self.has_grid = list.grid.is_some();
        self.sheets.resize_with(list.layers.len(), Sheet::default);
        let sheets = self.sheets.iter_mut().zip(&list.layers);
        let uploaded: usize = sheets
            .map(|(sheet, layer)| sheet.follow(target, layer))
            .sum();
        uploaded + self.furniture.follow(target, furniture)
    }

    /// Draws what was prepared, its background first. The pass's viewport is the pane.
    pub fn paint(&self, gpu: &Gpu, pass: &mut wgpu::RenderPass<'_>) {
        pass.set_bind_group(0, &self.views[0].1, &[]);
        pass.set_pipeline(&gpu.pipelines[GROUND]);
        pass.draw(0..3, 0..1);
        if self.has_grid {
            pass.set_pipeline(&gpu.pipelines[GRID]);
            pass.draw(0..3, 0..1);
        }
        for sheet in &self.sheets {
            sheet.draw(gpu, pass);
        }
        pass.set_bind_group(0, &self.views[1].1, &[]);
        self.furniture.draw(gpu, pass);
    }
}
