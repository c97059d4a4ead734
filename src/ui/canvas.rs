//! The bird's-eye canvas inside the window: the same draw lists as pictures and clips, painted by the window's own
//! graphics device. What the pointer means is decided elsewhere, with [`crate::render::pick`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use eframe::egui_wgpu;
use egui::Color32;
use egui::FontId;
use egui::Painter;
use egui::Rect;
use egui::Ui;
use egui::vec2;

use super::words::take;
use crate::geometry::DVec2;
use crate::geometry::dvec2;
use crate::render::Camera;
use crate::render::Color;
use crate::render::Composer;
use crate::render::DrawList;
use crate::render::Gpu;
use crate::render::Label;
use crate::render::Layer;
use crate::render::Pane;
use crate::render::Style;
use crate::render::ViewOptions;
use crate::render::clear_shifts;
use crate::render::furniture;
use crate::render::legend;
use crate::scene::Scene;

/// Prepares the window's graphics device for canvases; call once when the window opens.
pub fn install(context: &egui::Context, state: &egui_wgpu::RenderState) {
    context.data_mut(|data| data.insert_temp(installed(), true));
    let resources = Resources {
        gpu: Gpu::new(&state.device, state.target_format),
        panes: BTreeMap::new(),
    };
    state.renderer.write().callback_resources.insert(resources);
}

/// Where it is noted that there is a device.
fn installed() -> egui::Id {
    egui::Id::unique("canvases are installed")
}

/// Scale bar and north arrow with what they were made for.
#[derive(Debug)]
struct Furniture {
    camera: Camera,
    size: DVec2,
    style: &'static str,
    layer: Arc<Layer>,
    labels: Vec<Label>,
}

/// Furniture, the rows of a legend, and both in one.
type Explained = (Arc<Layer>, Vec<String>, Arc<Layer>);

/// One view of a scene. Keeps what was drawn last, so that an unchanged scene costs nothing.
#[derive(Debug, Default)]
pub struct Canvas {
    composer: Composer,
    furniture: Option<Furniture>,
    uploaded: Arc<Mutex<usize>>,
    /// It is said what shapes and colours stand for.
    pub legend: bool,
    explained: Option<Explained>,
}

impl Canvas {
    /// Paints the scene at a time into `rect`. `pane` tells the canvases of one window apart. Without a graphics
    /// device (or before [`install`]) background and labels are painted alone.
    pub fn paint(
        &mut self,
        ui: &Ui,
        (pane, rect, camera): (usize, Rect, &Camera),
        (scene, time_s): (&Scene, f64),
        options: &ViewOptions,
        style: &Style,
    ) {
        let list = self.composer.draw_list(scene, time_s, options, style);
        let painter = ui.painter_at(rect);
        let size = dvec2(f64::from(rect.width()), f64::from(rect.height()));
        let (mut layer, mut labels) = self.furniture(camera, size, style);
        if self.legend {
            let (symbols, words) = legend(scene, options, (size, 0.0), style);
            let said: Vec<String> = words.iter().map(|label| label.text.clone()).collect();
            let same = |(base, rows, _): &&Explained| Arc::ptr_eq(base, &layer) && *rows == said;
            layer = match self.explained.as_ref().filter(same) {
                Some((_, _, whole)) => whole.clone(),
                None => {
                    let mut whole = Layer::clone(&layer);
                    whole.append(&symbols);
                    let whole = Arc::new(whole);
                    self.explained = Some((layer, said, whole.clone()));
                    whole
                }
            };
            labels.extend(words);
        }
        let has_device = ui.data(|data| data.get_temp(installed()).unwrap_or(false));
        if !has_device {
            painter.rect_filled(rect, 0.0, egui_color(style.background));
        }
        let scale = f64::from(ui.ctx().pixels_per_point());
        let texts = list.labels.clone();
        let frame = Frame {
            pane,
            list,
            furniture: layer,
            camera: *camera,
            pixels: size * scale,
            pixels_per_point: scale,
            uploaded: Arc::clone(&self.uploaded),
        };
        let callback = egui_wgpu::Callback::new_paint_callback(rect, frame);
        painter.add(callback);
        let words = texts.iter().chain(&labels);
        let words = words.filter_map(|label| laid_out(&painter, label, rect, (camera, size)));
        let words: Vec<(&Label, Rect, Arc<egui::Galley>)> = words.collect();
        let boxes: Vec<([f32; 4], bool)> = words
            .iter()
            .map(|(label, text, _)| {
                let (at, extent) = (text.min, text.size());
                ([at.x, at.y, extent.x, extent.y], label.gives_way)
            })
            .collect();
        for ((label, text, galley), down) in words.into_iter().zip(clear_shifts(&boxes)) {
            let text = text.translate(vec2(0.0, down));
            take(painter.ctx(), text);
            paint_label(&painter, label, text, galley);
        }
    }

    /// Bytes of layers that the last painted frame sent to the graphics device.
    pub fn uploaded_bytes(&self) -> usize {
        *self.uploaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn furniture(
        &mut self,
        camera: &Camera,
        size: DVec2,
        style: &Style,
    ) -> (Arc<Layer>, Vec<Label>) {
        if let Some(old) = &self.furniture
            && (old.camera, old.size, old.style) == (*camera, size, style.name)
        {
            return (Arc::clone(&old.layer), old.labels.clone());
        }
        let (layer, labels) = furniture(camera, size, style);
        let made = Furniture {
            camera: *camera,
            size,
            style: style.name,
            layer: Arc::new(layer),
            labels,
        };
        let shown = (Arc::clone(&made.layer), made.labels.clone());
        self.furniture = Some(made);
        shown
    }
}

/// A colour of a draw list as the window's painter takes it.
pub fn egui_color(color: Color) -> Color32 {
    let [red, green, blue, alpha] = color.0;
    Color32::from_rgba_unmultiplied(red, green, blue, alpha)
}

/// A label's words with where they stand in the window; none if that is far outside of the pane.
fn laid_out<'a>(
    painter: &Painter,
    label: &'a Label,
    rect: Rect,
    (camera, size): (&Camera, DVec2),
) -> Option<(&'a Label, Rect, Arc<egui::Galley>)> {
    let (at, align) = label.place(camera, size);
    let at = rect.min + vec2(at.x as f32, at.y as f32);
    if !rect.expand(40.0).contains(at) {
        return None;
    }
    let font = FontId::proportional(label.size);
    let galley = painter.layout_no_wrap(label.text.clone(), font, egui_color(label.color));
    let extent = galley.size();
    let corner = at - vec2(align[0] * extent.x, align[1] * extent.y);
    Some((label, Rect::from_min_size(corner, extent), galley))
}

fn paint_label(painter: &Painter, label: &Label, text: Rect, galley: Arc<egui::Galley>) {
    if label.halo.0[3] > 0 {
        let halo = text.expand2(vec2(3.0, 0.5));
        painter.rect_filled(halo, 3.0, egui_color(label.halo.faded(0.62)));
    }
    painter.galley(text.min, galley, egui_color(label.color));
}

/// What the graphics device keeps for all canvases.
struct Resources {
    gpu: Gpu,
    panes: BTreeMap<usize, Pane>,
}

/// One frame of one canvas, on its way to the graphics device.
struct Frame {
    pane: usize,
    list: DrawList,
    furniture: Arc<Layer>,
    camera: Camera,
    pixels: DVec2,
    pixels_per_point: f64,
    uploaded: Arc<Mutex<usize>>,
}

impl egui_wgpu::CallbackTrait for Frame {
    fn prepare(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        _screen: &egui_wgpu::ScreenDescriptor,
        _encoder: &mut wgpu::CommandEncoder,
        resources: &mut egui_wgpu::CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        if let Some(Resources { gpu, panes }) = resources.get_mut::<Resources>() {
            let pane = panes
                .entry(self.pane)
                .or_insert_with(|| Pane::new(gpu, device));
            let view = (&self.camera, self.pixels, self.pixels_per_point);
            let bytes = pane.prepare((device, queue), &self.list, &self.furniture, view);
            *self.uploaded.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
        }
        Vec::new()
    }

    fn paint(
        &self,
        _info: egui::PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        resources: &egui_wgpu::CallbackResources,
    ) {
        if let Some(Resources { gpu, panes }) = resources.get::<Resources>()
            && let Some(pane) = panes.get(&self.pane)
        {
            pane.paint(gpu, pass);
        }
    }
}
