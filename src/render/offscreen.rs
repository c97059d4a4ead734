//! Pictures without a window: the same draw lists and pipelines on a texture, read back.

use std::sync::Arc;

use super::draw_list::{DrawList, Label, Layer};
use super::image::Image;
use super::text::{draw_text, text_extent};
use super::{Camera, Gpu, Pane, Style, clear_shifts, furniture};
use crate::geometry::{DVec2, dvec2};

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// Nothing can draw here.
    #[error(
        "no graphics adapter found: install a Vulkan driver (mesa-vulkan-drivers holds one that needs no graphics card)"
    )]
    NoAdapter(#[source] wgpu::RequestAdapterError),
    /// The adapter refuses to work.
    #[error("the graphics adapter \"{adapter}\" cannot be used")]
    NoDevice {
        /// Its name.
        adapter: String,
        /// What it says.
        #[source]
        source: wgpu::RequestDeviceError,
    },
    /// The picture is too large or empty.
    #[error("a picture of {width} by {height} pixels is not possible: sides go from 1 to {most}")]
    Size {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// The adapter's limit.
        most: u32,
    },
    /// The picture cannot be read from the adapter.
    #[error("the picture could not be read back from the graphics adapter: {0}")]
    ReadBack(String),
}

/// How a draw list is looked at.
#[derive(Debug, Clone)]
pub struct Shot {
    /// The camera, in points of the picture.
    pub camera: Camera,
    /// Width and height, pixels.
    pub size: [u32; 2],
    /// Pixels per point: 1 for screens, 2 or more for paper.
    pub pixels_per_point: f64,
    /// More text, such as a caption.
    pub captions: Vec<Label>,
    /// More symbols, in points from the middle of the picture, y up: a legend.
    pub symbols: Layer,
}

impl Shot {
    /// Size of the picture, points.
    pub fn points(&self) -> DVec2 {
        dvec2(f64::from(self.size[0]), f64::from(self.size[1])) / self.pixels_per_point
    }
}

/// A graphics device that draws into memory.
#[derive(Debug)]
pub struct Offscreen {
    adapter: String,
    device: wgpu::Device,
    queue: wgpu::Queue,
    gpu: Gpu,
    pane: Pane,
    target: Option<Target>,
    uploaded: usize,
}

#[derive(Debug)]
struct Target {
    size: [u32; 2],
    texture: wgpu::Texture,
    readback: wgpu::Buffer,
    bytes_per_row: u32,
}

/// Blended as stored, like the window's painter does.
const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;

impl Offscreen {
    /// Opens a graphics device; `WGPU_BACKEND` chooses among several.
    ///
    /// # Errors
    ///
    /// No adapter, or one that gives no device.
    pub fn new() -> Result<Self, RenderError> {
        // OpenGL last: looking for it is slow and talks to the desktop
        let adapter = find_adapter(wgpu::Backends::PRIMARY)
            .or_else(|_| find_adapter(wgpu::Backends::all()))
            .map_err(RenderError::NoAdapter)?;
        let name = adapter.get_info().name;
        let descriptor = wgpu::DeviceDescriptor {
            required_limits: wgpu::Limits::downlevel_defaults().using_resolution(adapter.limits()),
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) =
            pollster::block_on(adapter.request_device(&descriptor)).map_err(|source| {
                RenderError::NoDevice {
                    adapter: name.clone(),
                    source,
                }
            })?;
        let gpu = Gpu::new(&device, FORMAT);
        let pane = Pane::new(&gpu, &device);
        Ok(Self {
            adapter: name,
            device,
            queue,
            gpu,
            pane,
            target: None,
            uploaded: 0,
        })
    }

    /// The device, for tests of what happens when it is gone.
    #[cfg(test)]
    pub(crate) fn device(&self) -> &wgpu::Device {
        &self.device
    }

    /// The adapter's name.
    pub fn adapter(&self) -> &str {
        &self.adapter
    }

    /// Bytes of layers sent to the device for the last picture.
    pub fn uploaded_bytes(&self) -> usize {
        self.uploaded
    }

    /// Draws a list with scale bar, labels and captions.
    ///
    /// # Errors
    ///
    /// An impossible size, or a device that is lost.
    pub fn picture(
        &mut self,
        list: &DrawList,
        shot: &Shot,
        style: &Style,
    ) -> Result<Image, RenderError> {
        self.fit_target(shot.size)?;
        let mut labels = self.upload(list, shot, style);
        let Some(target) = &self.target else {
            return Err(RenderError::ReadBack("no target".to_owned()));
        };
        self.draw(target);
        let mut image = read_back(&self.device, target)?;
        labels.extend_from_slice(&shot.captions);
        let words: Vec<(&Label, [f32; 4])> = list
            .labels
            .iter()
            .chain(&labels)
            .map(|label| (label, text_box(label, shot)))
            .collect();
        let boxes: Vec<([f32; 4], bool)> = words
            .iter()
            .map(|(label, text)| (*text, label.gives_way))
            .collect();
        for ((label, text), down) in words.iter().zip(clear_shifts(&boxes)) {
            draw_label(&mut image, label, (*text, down), shot);
        }
        Ok(image)
    }

    /// Sends what changed to the device; returns the labels of scale bar and north arrow.
    pub(super) fn upload(&mut self, list: &DrawList, shot: &Shot, style: &Style) -> Vec<Label> {
        let (mut layer, labels) = furniture(&shot.camera, shot.points(), style);
        layer.append(&shot.symbols);
        let pixels = dvec2(f64::from(shot.size[0]), f64::from(shot.size[1]));
        self.uploaded = self.pane.prepare(
            (&self.device, &self.queue),
            list,
            &Arc::new(layer),
            (&shot.camera, pixels, shot.pixels_per_point),
        );
        labels
    }

    fn fit_target(&mut self, size: [u32; 2]) -> Result<(), RenderError> {
        if self
            .target
            .as_ref()
            .is_some_and(|target| target.size == size)
        {
            return Ok(());
        }
        let most = self.device.limits().max_texture_dimension_2d;
        let [width, height] = size;
        if !(1..=most).contains(&width) || !(1..=most).contains(&height) {
            return Err(RenderError::Size {
                width,
                height,
                most,
            });
        }
        let bytes_per_row = (width * 4).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let texture = self.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("picture"),
            size: extent(size),
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: FORMAT,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let readback = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("picture"),
            size: u64::from(bytes_per_row) * u64::from(height),
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        self.target = Some(Target {
            size,
            texture,
            readback,
            bytes_per_row,
        });
        Ok(())
    }

    fn draw(&self, target: &Target) {
        let view = target
            .texture
            .create_view(&wgpu::TextureViewDescriptor::default());
        let mut encoder = self
            .device
            .create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("picture"),
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &view,
                    depth_slice: None,
                    resolve_target: None,
                    ops: wgpu::Operations {
                        load: wgpu::LoadOp::Clear(wgpu::Color::BLACK),
                        store: wgpu::StoreOp::Store,
                    },
                })],
                ..wgpu::RenderPassDescriptor::default()
            });
            self.pane.paint(&self.gpu, &mut pass);
        }
        encoder.copy_texture_to_buffer(
            target.texture.as_image_copy(),
            wgpu::TexelCopyBufferInfo {
                buffer: &target.readback,
                layout: wgpu::TexelCopyBufferLayout {
                    offset: 0,
                    bytes_per_row: Some(target.bytes_per_row),
                    rows_per_image: None,
                },
            },
            extent(target.size),
        );
        self.queue.submit([encoder.finish()]);
    }
}

/// The fastest adapter among `backends`, or among those that `WGPU_BACKEND` names.
fn find_adapter(backends: wgpu::Backends) -> Result<wgpu::Adapter, wgpu::RequestAdapterError> {
    let descriptor = wgpu::InstanceDescriptor {
        backends,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    };
    let instance = wgpu::Instance::new(descriptor.with_env());
    let options = wgpu::RequestAdapterOptions {
        power_preference: wgpu::PowerPreference::HighPerformance,
        ..wgpu::RequestAdapterOptions::default()
    };
    pollster::block_on(instance.request_adapter(&options))
}

fn extent([width, height]: [u32; 2]) -> wgpu::Extent3d {
    wgpu::Extent3d {
        width,
        height,
        depth_or_array_layers: 1,
    }
}

fn read_back(device: &wgpu::Device, target: &Target) -> Result<Image, RenderError> {
    let failed = |error: &dyn std::fmt::Display| RenderError::ReadBack(error.to_string());
    target.readback.map_async(wgpu::MapMode::Read, .., |_| {});
    device
        .poll(wgpu::PollType::wait_indefinitely())
        .map_err(|error| failed(&error))?;
    let [width, height] = target.size;
    let mut pixels = Vec::with_capacity(width as usize * height as usize);
    {
        let bytes = target
            .readback
            .get_mapped_range(..)
            .map_err(|error| failed(&error))?;
        for row in bytes.chunks_exact(target.bytes_per_row as usize) {
            let row = &row[..width as usize * 4];
            pixels.extend(row.chunks_exact(4).map(|p| [p[0], p[1], p[2], 255]));
        }
    }
    target.readback.unmap();
    Ok(Image {
        width,
        height,
        pixels,
    })
}

/// Left, top, width and height of a label's words, points.
fn text_box(label: &Label, shot: &Shot) -> [f32; 4] {
    let scale = shot.pixels_per_point as f32;
    let (at, align) = label.place(&shot.camera, shot.points());
    let [width, height] = text_extent(&label.text, label.size * scale).map(|side| side / scale);
    let left = at.x as f32 - align[0] * width;
    [left, at.y as f32 - align[1] * height, width, height]
}

fn draw_label(image: &mut Image, label: &Label, (text, down): ([f32; 4], f32), shot: &Shot) {
    let scale = shot.pixels_per_point as f32;
    let [left, top, width, height] = text.map(|side| side * scale);
    let top = top + down * scale;
    let is_near =
        left > -width && top > -height && left < image.width as f32 && top < image.height as f32;
    if is_near {
        let place = (left, top, label.size * scale);
        draw_text(image, &label.text, place, label.color, label.halo);
    }
}
