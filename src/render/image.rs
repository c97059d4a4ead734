//! Finished pictures: pixels in memory, PNG bytes, strips of pictures side by side.

use std::borrow::Cow;

use super::Color;

/// An opaque picture, eight bits per channel, rows from the top.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// `width · height` pixels.
    pub pixels: Vec<[u8; 4]>,
}

impl Image {
    /// A picture of one colour.
    pub fn plain(width: u32, height: u32, color: Color) -> Self {
        Self {
            width,
            height,
            pixels: vec![color.0; width as usize * height as usize],
        }
    }

    /// The pixel at `x`, `y`; `None` outside.
    pub fn pixel(&self, x: i64, y: i64) -> Option<[u8; 4]> {
        self.index(x, y).map(|index| self.pixels[index])
    }

    /// Lays `color` over a pixel with `share` in [0, 1] of its opacity; outside nothing happens.
    pub fn blend(&mut self, x: i64, y: i64, color: Color, share: f32) {
        let Some(index) = self.index(x, y) else {
            return;
        };
        let alpha = f32::from(color.0[3]) / 255.0 * share.clamp(0.0, 1.0);
        for (below, &top) in self.pixels[index].iter_mut().zip(&color.0).take(3) {
            let mixed = f32::from(*below) + (f32::from(top) - f32::from(*below)) * alpha;
            *below = mixed.round() as u8;
        }
    }

    /// The picture as a PNG file.
    ///
    /// # Errors
    ///
    /// A picture without pixels cannot be written.
    pub fn to_png(&self) -> Result<Vec<u8>, png::EncodingError> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        let colors: Vec<u8> = self
            .pixels
            .iter()
            .flat_map(|[red, green, blue, _]| [*red, *green, *blue])
            .collect();
        writer.write_image_data(&colors)?;
        writer.finish()?;
        Ok(bytes)
    }

    /// Pictures in rows of `columns` (at least one), `gap` pixels of `color` between them; every cell is as large as
    /// the largest picture.
    pub fn sheet(pictures: &[Self], columns: usize, gap: u32, color: Color) -> Self {
        let columns = columns.clamp(1, pictures.len().max(1)) as u32;
        let rows = (pictures.len() as u32).div_ceil(columns);
        let largest = |side: fn(&Self) -> u32| pictures.iter().map(side).max().unwrap_or(0);
        let (width, height) = (largest(|p| p.width), largest(|p| p.height));
        let total = |count: u32, side: u32| count * side + gap * count.saturating_sub(1);
        let mut sheet = Self::plain(total(columns, width), total(rows, height), color);
        for (at, picture) in (0_u32..).zip(pictures) {
            let left = (at % columns) * (width + gap);
            let top = (at / columns) * (height + gap);
            let lines = picture.pixels.chunks_exact(picture.width.max(1) as usize);
            for (y, line) in (top..).zip(lines) {
                let start = y as usize * sheet.width as usize + left as usize;
                sheet.pixels[start..start + line.len()].copy_from_slice(line);
            }
        }
        sheet
    }

    /// The left `share` in [0, 1] of one picture and the rest of another of the same size, a line of `color` and
    /// `width` pixels between them. Of another size it stays the first.
    pub fn wipe(left: &Self, right: &Self, share: f64, (width, color): (u32, Color)) -> Self {
        let mut whole = left.clone();
        if (left.width, left.height) != (right.width, right.height) {
            return whole;
        }
        let edge = (share.clamp(0.0, 1.0) * f64::from(left.width)).round() as usize;
        let across = left.width.max(1) as usize;
        let rows = whole.pixels.chunks_exact_mut(across);
        for (row, other) in rows.zip(right.pixels.chunks_exact(across)) {
            row[edge..].copy_from_slice(&other[edge..]);
            let line = edge.saturating_sub(width as usize / 2);
            let end = (line + width as usize).min(across);
            row[line.min(end)..end].fill(color.0);
        }
        whole
    }

    fn index(&self, x: i64, y: i64) -> Option<usize> {
        let is_inside =
            (0..i64::from(self.width)).contains(&x) && (0..i64::from(self.height)).contains(&y);
        is_inside.then(|| y as usize * self.width as usize + x as usize)
    }
}

/// At most 256 colours chosen for some pictures, and the nearest of them for any colour (median cut, Heckbert 1982,
/// over colours cut to five bits per channel).
#[derive(Debug, Clone)]
pub struct Palette {
    colors: Vec<[u8; 3]>,
    nearest: Vec<u8>,
}

/// Bits per channel by which colours are counted and looked up.
const CELL_BITS: u32 = 5;

impl Palette {
    /// Colours for the given pictures; index 255 is kept free for "as before".
    pub fn of<'a>(pictures: impl IntoIterator<Item = &'a Image>) -> Self {
        let mut counts = vec![(0_u64, [0_u64; 3]); 1 << (3 * CELL_BITS)];
        for picture in pictures {
            for pixel in &picture.pixels {
                let (count, sums) = &mut counts[cell(*pixel)];
                *count += 1;
                for (sum, &channel) in sums.iter_mut().zip(pixel) {
                    *sum += u64::from(channel);
                }
            }
        }
        let used: Vec<(u64, [u8; 3])> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, sums)| (*count, sums.map(|sum| (sum / count) as u8)))
            .collect();
        let colors = median_cut(used, 255);
        let nearest = (0..counts.len())
            .map(|index| {
                let (count, sums) = &counts[index];
                let color = if *count > 0 {
                    sums.map(|sum| (sum / count) as u8)
                } else {
                    cell_middle(index)
                };
                nearest_of(&colors, color)
            })
            .collect();
        Self { colors, nearest }
    }

    /// Red, green, blue of all colours, one after another.
    pub fn bytes(&self) -> Vec<u8> {
        self.colors.concat()
    }

    /// The index of the colour that stands for `pixel`.
    pub fn index(&self, pixel: [u8; 4]) -> u8 {
        self.nearest[cell(pixel)]
    }
}

fn cell(pixel: [u8; 4]) -> usize {
    pixel[..3].iter().fold(0, |index, &channel| {
        index << CELL_BITS | usize::from(channel >> (8 - CELL_BITS))
    })
}

fn cell_middle(index: usize) -> [u8; 3] {
    [2, 1, 0].map(|place| {
        let high = (index >> (place * CELL_BITS)) & ((1 << CELL_BITS) - 1);
        ((high << (8 - CELL_BITS)) + (1 << (7 - CELL_BITS))) as u8
    })
}

fn nearest_of(colors: &[[u8; 3]], color: [u8; 3]) -> u8 {
    let distance = |other: &[u8; 3]| -> i32 {
        color
            .iter()
            .zip(other)
            .map(|(&a, &b)| (i32::from(a) - i32::from(b)).pow(2))
            .sum()
    };
    let nearest = colors
        .iter()
        .enumerate()
        .min_by_key(|(_, other)| distance(other));
    nearest.map_or(0, |(index, _)| index as u8)
}

/// Boxes of colours split at the middle of their widest channel, the most spread one first.
fn median_cut(colors: Vec<(u64, [u8; 3])>, most: usize) -> Vec<[u8; 3]> {
    let spread = |group: &[(u64, [u8; 3])]| {
        (0..3)
            .map(|channel| {
                let values = group.iter().map(|(_, color)| color[channel]);
                let (low, high) = values.fold((255, 0), |(low, high), value| {
                    (value.min(low), value.max(high))
                });
                (high.saturating_sub(low), channel)
            })
            .max()
            .unwrap_or((0, 0))
    };
    // rare colours matter too (a signal, a cross): weight grows slower than the count
    let weight = |group: &[(u64, [u8; 3])]| {
        let count: u64 = group.iter().map(|(count, _)| count).sum();
        f64::from(spread(group).0) * (count as f64).powf(0.25)
    };
    let mut groups = vec![colors];
    while groups.len() < most {
        let widest = groups
            .iter()
            .enumerate()
            .filter(|(_, group)| group.len() > 1)
            .map(|(index, group)| (index, weight(group)))
            .max_by(|a, b| a.1.total_cmp(&b.1));
        let Some((index, _)) = widest else { break };
        let mut group = std::mem::take(&mut groups[index]);
        let (_, channel) = spread(&group);
        group.sort_by_key(|(_, color)| color[channel]);
        let low = u32::from(group[0].1[channel]);
        let high = u32::from(group[group.len() - 1].1[channel]);
        let middle = (low + high).div_ceil(2);
        let cut = group
            .partition_point(|(_, color)| u32::from(color[channel]) < middle)
            .clamp(1, group.len() - 1);
        groups.push(group.split_off(cut));
        groups[index] = group;
    }
    groups
        .iter()
        .filter(|group| !group.is_empty())
        .map(|group| {
            let total: u64 = group.iter().map(|(count, _)| count).sum();
            [0, 1, 2].map(|channel| {
                let sum: u64 = group
                    .iter()
                    .map(|(count, color)| count * u64::from(color[channel]))
                    .sum();
                (sum / total.max(1)) as u8
            })
        })
        .collect()
}

/// A growing GIF with one palette for all frames; later frames hold only what changed.
pub struct Clip<W: std::io::Write> {
    encoder: gif::Encoder<W>,
    palette: Palette,
    before: Vec<u8>,
    size: [u16; 2],
}

/// The palette index that leaves a pixel as it was.
const UNCHANGED: u8 = 255;

impl<W: std::io::Write> Clip<W> {
    /// Starts an endlessly repeating GIF of `width` by `height` pixels.
    ///
    /// # Errors
    ///
    /// Whatever the writer reports.
    pub fn new(
        writer: W,
        [width, height]: [u16; 2],
        palette: Palette,
    ) -> Result<Self, gif::EncodingError> {
        let mut colors = palette.bytes();
        colors.resize(256 * 3, 0);
        let mut encoder = gif::Encoder::new(writer, width, height, &colors)?;
        encoder.set_repeat(gif::Repeat::Infinite)?;
        Ok(Self {
            encoder,
            palette,
            before: Vec::new(),
            size: [width, height],
        })
    }

    /// Appends a picture of the clip's size, shown for `hundredths` of a second.
    ///
    /// # Errors
    ///
    /// Whatever the writer reports.
    pub fn push(&mut self, picture: &Image, hundredths: u16) -> Result<(), gif::EncodingError> {
        let width = usize::from(self.size[0]);
        let now: Vec<u8> = picture
            .pixels
            .iter()
            .map(|&pixel| self.palette.index(pixel))
            .collect();
        let whole = [0, 0, width, usize::from(self.size[1])];
        let [left, top, right, bottom] = if self.before.is_empty() {
            whole
        } else {
            changed(&self.before, &now, width).unwrap_or([0, 0, 1, 1])
        };
        let mut buffer = Vec::with_capacity((right - left) * (bottom - top));
        for y in top..bottom {
            let row = y * width + left..y * width + right;
            let before = self.before.get(row.clone());
            buffer.extend(now[row].iter().enumerate().map(|(column, &color)| {
                let is_same = before.is_some_and(|before| before[column] == color);
                if is_same { UNCHANGED } else { color }
            }));
        }
        let frame = gif::Frame {
            delay: hundredths,
            dispose: gif::DisposalMethod::Keep,
            transparent: Some(UNCHANGED),
            left: left as u16,
            top: top as u16,
            width: (right - left) as u16,
            height: (bottom - top) as u16,
            buffer: Cow::Owned(buffer),
            ..gif::Frame::default()
        };
        self.encoder.write_frame(&frame)?;
        self.before = now;
        Ok(())
    }
}

/// The rectangle [left, top, right, bottom) in which two frames differ.
fn changed(before: &[u8], now: &[u8], width: usize) -> Option<[usize; 4]> {
    let mut bounds: Option<[usize; 4]> = None;
    for (index, _) in before
        .iter()
        .zip(now)
        .enumerate()
        .filter(|(_, (a, b))| a != b)
    {
        let (x, y) = (index % width, index / width);
        let [left, top, right, bottom] = bounds.unwrap_or([x, y, x + 1, y + 1]);
        bounds = Some([left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)]);
    }
    bounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_colours_keep_their_exact_values() {
        let mut picture = Image::plain(4, 4, Color::hex(0x12_15_1a));
        picture.pixels[5] = [255, 36, 69, 255];
        picture.pixels[6] = [63, 140, 255, 255];
        let palette = Palette::of([&picture]);
        let bytes = palette.bytes();
        for pixel in &picture.pixels {
            let at = usize::from(palette.index(*pixel)) * 3;
            assert_eq!(bytes[at..at + 3], pixel[..3]);
        }
    }

    #[test]
    fn a_later_frame_holds_only_what_changed() {
        let first = Image::plain(40, 30, Color::hex(0));
        let mut second = first.clone();
        second.pixels[7 * 40 + 9] = [255; 4];
        let palette = Palette::of([&first, &second]);
        let mut bytes = Vec::new();
        let mut clip = Clip::new(&mut bytes, [40, 30], palette).unwrap();
        clip.push(&first, 10).unwrap();
        clip.push(&second, 10).unwrap();
        drop(clip);
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::Indexed);
        let mut reader = options.read_info(&bytes[..]).unwrap();
        assert_eq!(reader.read_next_frame().unwrap().unwrap().width, 40);
        let frame = reader.read_next_frame().unwrap().unwrap();
        assert_eq!(
            (frame.left, frame.top, frame.width, frame.height),
            (9, 7, 1, 1)
        );
    }

    #[test]
    fn a_sheet_breaks_into_rows() {
        let of = |hex| Image::plain(10, 5, Color::hex(hex));
        let sheet = Image::sheet(&[of(1), of(2), of(3)], 2, 4, Color::hex(0));
        assert_eq!((sheet.width, sheet.height), (24, 14)); // 2 · 10 + 4 and 2 · 5 + 4
        assert_eq!(sheet.pixel(0, 9), Some(Color::hex(3).0));
        assert_eq!(sheet.pixel(14, 9), Some(Color::hex(0).0)); // no fourth picture
    }

    #[test]
    fn a_wipe_shows_one_picture_left_of_its_line_and_the_other_right_of_it() {
        let of = |hex| Image::plain(10, 2, Color::hex(hex));
        let line = (2, Color::hex(3));
        let wiped = Image::wipe(&of(1), &of(2), 0.5, line);
        let row: Vec<u8> = (0..10).map(|x| wiped.pixel(x, 1).unwrap()[2]).collect();
        assert_eq!(row, [1, 1, 1, 1, 3, 3, 2, 2, 2, 2]); // the line is 2 pixels wide, around pixel 5
        assert_eq!(Image::wipe(&of(1), &of(2), 1.0, (0, Color::hex(3))), of(1));
        assert_eq!(Image::wipe(&of(1), &of(2), 0.0, (0, Color::hex(3))), of(2));
    }

    #[test]
    fn a_png_reads_back_as_it_was() {
        let mut picture = Image::plain(3, 2, Color::hex(0x10_20_30));
        picture.pixels[4] = [1, 2, 3, 255];
        let bytes = picture.to_png().unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes))
            .read_info()
            .unwrap();
        let mut colors = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut colors).unwrap();
        let expected: Vec<u8> = picture
            .pixels
            .iter()
            .flat_map(|p| [p[0], p[1], p[2]])
            .collect();
        assert_eq!(colors, expected);
    }
}
