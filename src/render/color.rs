//! Colours as they reach the screen: sRGB with straight alpha, eight bits each.

use bytemuck::{Pod, Zeroable};

/// Red, green, blue and (straight) alpha, sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
#[repr(C)]
pub struct Color(pub [u8; 4]);

impl Color {
    /// Nothing to see.
    pub const CLEAR: Self = Self([0; 4]);

    /// An opaque colour from `0xRRGGBB`.
    pub const fn hex(rgb: u32) -> Self {
        Self([(rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8, 255])
    }

    /// The same colour with its alpha scaled by `factor`, clamped to [0, 1].
    pub fn faded(self, factor: f64) -> Self {
        let [red, green, blue, alpha] = self.0;
        let alpha = (f64::from(alpha) * factor.clamp(0.0, 1.0)).round() as u8;
        Self([red, green, blue, alpha])
    }

    /// Between `self` (0) and `other` (1), channel by channel.
    pub fn mixed(self, other: Self, fraction: f64) -> Self {
        let fraction = fraction.clamp(0.0, 1.0);
        let mut channels = self.0;
        for (channel, &to) in channels.iter_mut().zip(&other.0) {
            let from = f64::from(*channel);
            *channel = (from + (f64::from(to) - from) * fraction).round() as u8;
        }
        Self(channels)
    }

    /// Whether nothing would be seen of it.
    pub fn is_clear(self) -> bool {
        self.0[3] == 0
    }

    /// Relative luminance of the opaque colour (WCAG 2), in [0, 1].
    pub fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        let [red, green, blue, _] = self.0;
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    /// Contrast ratio of two opaque colours (WCAG 2), in [1, 21].
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn black_on_white_has_the_full_contrast_of_21() {
        let ratio = Color::hex(0).contrast(Color::hex(0xff_ff_ff)); // (1 + 0.05) / 0.05
        assert!((ratio - 21.0).abs() < 1e-9);
    }

    #[test]
    fn halfway_from_black_to_white_is_grey() {
        let grey = Color::hex(0).mixed(Color::hex(0xff_ff_ff), 0.5);
        assert_eq!(grey, Color::hex(0x80_80_80)); // 127.5 rounds up
        assert_eq!(grey.faded(0.5).0[3], 128);
    }
}
