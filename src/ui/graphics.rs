//! The window's graphics device, and what happens when it is lost: the window is built anew around the same application.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use eframe::egui_wgpu;
use egui::Context;

/// Wakes the window from other threads, also after it was built anew.
#[derive(Clone)]
pub(super) struct Wake(Arc<Mutex<Context>>);

impl Wake {
    pub(super) fn new(context: &Context) -> Self {
        Self(Arc::new(Mutex::new(context.clone())))
    }

    /// From now on wakes this window.
    pub(super) fn follow(&self, context: &Context) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = context.clone();
    }

    /// Has the window draw a frame.
    pub(super) fn call(&self) {
        let context = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        context.request_repaint();
    }

    /// The same as a call of its own.
    pub(super) fn boxed(&self) -> Box<dyn Fn() + Send + Sync> {
        let wake = self.clone();
        Box::new(move || wake.call())
    }
}

/// Why a window has to be built anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Loss {
    /// The device is lost; what its driver says.
    Lost(String),
    /// The user asked for another one.
    Asked,
}

/// Whether the window's graphics device still draws.
#[derive(Default)]
pub(super) struct Graphics {
    device: Option<wgpu::Device>,
    lost: Arc<Mutex<Option<String>>>,
    /// The first thing that the device refused to do.
    refused: Arc<OnceLock<String>>,
    is_asked: bool,
    is_said: bool,
}

impl Graphics {
    /// Watches the device of a window.
    pub(super) fn watch(&mut self, device: &wgpu::Device, wake: &Wake) {
        let (lost, wake) = (Arc::new(Mutex::new(None)), wake.clone());
        let noted = Arc::clone(&lost);
        device.set_device_lost_callback(move |_, message| {
            *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(message);
            wake.call();
        });
        let refused = Arc::new(OnceLock::new());
        let heard = Arc::clone(&refused);
        // without this the program ends; a frame that went wrong is drawn again
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            let _further = heard.set(error.to_string());
        }));
        *self = Self {
            device: Some(device.clone()),
            lost,
            refused,
            ..Self::default()
        };
    }

    /// What the device refused to do first, told once for each window.
    pub(super) fn refusal(&mut self) -> Option<String> {
        let refused = self.refused.get().filter(|_| !self.is_said)?;
        self.is_said = true;
        Some(refused.clone())
    }

    /// Gives the device up before the next frame.
    pub(super) fn give_up(&mut self) {
        self.is_asked = true;
    }

    /// Why nothing can be drawn any more, if so. To be asked before each frame: the painter breaks on a device that is lost.
    pub(super) fn loss(&self) -> Option<Loss> {
        if self.is_asked {
            return Some(Loss::Asked);
        }
        if let Some(device) = &self.device {
            // a device that was lost since the last frame says so now
            let _told_by_callback = device.poll(wgpu::PollType::Poll);
        }
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.clone().map(Loss::Lost)
    }
}

/// Losses that are further apart have nothing to do with each other.
const APART: Duration = Duration::from_secs(120);

/// What draws the window that is built next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Device {
    /// The one that the system offers first.
    Usual,
    /// The processor: slower, and nothing that a graphics card does can take it away.
    Processor,
}

/// The losses of a session.
#[derive(Debug, Default)]
pub(super) struct Losses {
    count: usize,
    last: Option<Instant>,
}

impl Losses {
    /// What to draw with after a loss; `None`: it is lost too often to go on.
    pub(super) fn next(&mut self, now: Instant) -> Option<Device> {
        if self.last.is_none_or(|last| now - last > APART) {
            self.count = 0;
        }
        self.last = Some(now);
        self.count += 1;
        match self.count {
            1 => Some(Device::Usual),
            2 => Some(Device::Processor),
            _ => None,
        }
    }
}

/// How the window's device is to be chosen.
pub(super) fn configuration(device: Device) -> egui_wgpu::WgpuConfiguration {
    let mut out = egui_wgpu::WgpuConfiguration::default();
    if let (Device::Processor, egui_wgpu::WgpuSetup::CreateNew(setup)) =
        (device, &mut out.wgpu_setup)
    {
        setup.native_adapter_selector = Some(Arc::new(|adapters, surface| {
            let fits = |adapter: &&wgpu::Adapter| {
                surface.is_none_or(|surface| adapter.is_surface_supported(surface))
            };
            let is_slow =
                |adapter: &wgpu::Adapter| adapter.get_info().device_type != wgpu::DeviceType::Cpu;
            let best = adapters
                .iter()
                .filter(fits)
                .min_by_key(|each| is_slow(each));
            best.cloned()
                .ok_or_else(|| "no graphics adapter can draw to the window".to_owned())
        }));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Offscreen;

    #[test]
    fn a_device_that_is_gone_says_so_before_the_next_frame() {
        if std::env::var_os("NEARMISS_NO_PICTURES").is_some() {
            println!("skipped: NEARMISS_NO_PICTURES is set");
            return;
        }
        let drawing = Offscreen::new().unwrap();
        let (mut graphics, wake) = (Graphics::default(), Wake::new(&Context::default()));
        graphics.watch(drawing.device(), &wake);
        assert_eq!(graphics.loss(), None);
        drawing.device().destroy();
        assert!(matches!(graphics.loss(), Some(Loss::Lost(_))));
        // another window's device is another matter
        let other = Offscreen::new().unwrap();
        graphics.watch(other.device(), &wake);
        assert_eq!((graphics.loss(), graphics.refusal()), (None, None));
        // a buffer for nothing is refused, which is told once
        let wish = wgpu::BufferDescriptor {
            label: None,
            size: 16,
            usage: wgpu::BufferUsages::empty(),
            mapped_at_creation: false,
        };
        let _refused = other.device().create_buffer(&wish);
        assert!(graphics.refusal().is_some() && graphics.refusal().is_none());
        graphics.give_up();
        assert_eq!(graphics.loss(), Some(Loss::Asked));
    }

    #[test]
    fn a_device_lost_again_and_again_gives_way_to_the_processor_and_then_to_nothing() {
        let (mut losses, start) = (Losses::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(losses.next(start), Some(Device::Usual));
        assert_eq!(losses.next(after(60)), Some(Device::Processor));
        assert_eq!(losses.next(after(70)), None);
        // and one that is lost once a day is set up anew once a day
        assert_eq!(losses.next(after(86_400)), Some(Device::Usual));
        assert_eq!(losses.next(after(2 * 86_400)), Some(Device::Usual));
    }
}
