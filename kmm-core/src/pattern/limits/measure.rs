//! Size and height, from when they could matter.

use super::{CellId, Limit, Op, Shape};

/// Levels.
const MAX_HEIGHT: u32 = 1000;
/// Instructions: 128 MiB of 40 bytes each.
const MAX_SIZE: u64 = (128 << 20) / 40;
/// Code points that bound the ranges of classes: 128 MiB of 4 bytes each.
const MAX_RUNES: u64 = (128 << 20) / 4;

impl Shape {
    pub(super) fn check(&mut self, cell: CellId) -> Result<(), Limit> {
        if self.runes > MAX_RUNES {
            return Err(Limit::Size);
        }
        self.check_size(cell)?;
        self.check_height(cell)
    }

    fn check_size(&mut self, cell: CellId) -> Result<(), Limit> {
        if self.sizes.is_none() {
            self.repeats = self.repeats.max(1);
            let this = &self.cells[cell];
            if this.op == Op::Repeat {
                let count = u64::from(this.max.unwrap_or(this.min).max(1));
                self.repeats = if count > MAX_SIZE / self.repeats {
                    MAX_SIZE
                } else {
                    self.repeats * count
                };
            }
            if self.taken < MAX_SIZE / self.repeats {
                return Ok(());
            }
            self.sizes = Some(Vec::new());
            for at in 0..self.stack.len() {
                self.measure_size(self.stack[at])?;
            }
        }
        self.measure_size(cell)
    }

    fn measure_size(&mut self, cell: CellId) -> Result<(), Limit> {
        let mut sizes = self.sizes.take().unwrap_or_default();
        let size = self.size(cell, true, &mut sizes);
        self.sizes = Some(sizes);
        if size > MAX_SIZE { Err(Limit::Size) } else { Ok(()) }
    }

    /// What is known stays, even if the cell has changed since: so it is in Go.
    fn size(&self, cell: CellId, afresh: bool, known: &mut Vec<u64>) -> u64 {
        if known.len() < self.cells.len() {
            known.resize(self.cells.len(), 0);
        }
        if !afresh && known[cell] > 0 {
            return known[cell];
        }
        let this = &self.cells[cell];
        let mut inner = 0;
        for &sub in &this.subs {
            inner += self.size(sub, false, known);
        }
        let size = match this.op {
            Op::Literal => this.text.len() as u64,
            Op::Capture | Op::Star => inner + 2,
            Op::Plus | Op::Quest => inner + 1,
            Op::Concat => inner,
            Op::Alternate => inner + (this.subs.len() as u64).saturating_sub(1),
            Op::Repeat => match (u64::from(this.min), this.max.map(u64::from)) {
                (0, None) => inner + 2,
                (min, None) => min * inner + 1,
                (min, Some(max)) => max * inner + (max - min),
            },
            _ => 0,
        };
        known[cell] = size.max(1);
        known[cell]
    }

    fn check_height(&mut self, cell: CellId) -> Result<(), Limit> {
        if self.taken < u64::from(MAX_HEIGHT) {
            return Ok(());
        }
        if self.heights.is_none() {
            self.heights = Some(Vec::new());
            for at in 0..self.stack.len() {
                self.measure_height(self.stack[at])?;
            }
        }
        self.measure_height(cell)
    }

    fn measure_height(&mut self, cell: CellId) -> Result<(), Limit> {
        let mut heights = self.heights.take().unwrap_or_default();
        let height = self.height(cell, true, &mut heights);
        self.heights = Some(heights);
        if height > MAX_HEIGHT {
            Err(Limit::Depth)
        } else {
            Ok(())
        }
    }

    fn height(&self, cell: CellId, afresh: bool, known: &mut Vec<u32>) -> u32 {
        if known.len() < self.cells.len() {
            known.resize(self.cells.len(), 0);
        }
        if !afresh && known[cell] > 0 {
            return known[cell];
        }
        let mut height = 1;
        for &sub in &self.cells[cell].subs {
            height = height.max(1 + self.height(sub, false, known));
        }
        known[cell] = height;
        height
    }

    /// Whether all nested counts multiply to `limit` at most.
    pub(super) fn counts_fit(&self, cell: CellId, limit: u32) -> bool {
        let mut waiting = vec![(cell, limit)];
        while let Some((cell, mut limit)) = waiting.pop() {
            let this = &self.cells[cell];
            if this.op == Op::Repeat {
                match this.max.unwrap_or(this.min) {
                    0 if this.max.is_some() => continue,
                    0 => {}
                    count if count > limit => return false,
                    count => limit /= count,
                }
            }
            waiting.extend(this.subs.iter().map(|&sub| (sub, limit)));
        }
        true
    }
}
