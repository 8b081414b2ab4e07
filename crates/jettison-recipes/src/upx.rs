//! `--upx`: the command line, and what is worth knowing before and after.

use crate::recipe::Command;

/// Packs the program at `path` (absolute) in place. UPX refuses what it cannot
/// pack and leaves the file as it was.
pub fn upx(path: &str) -> Command {
    Command::new("upx", ["--best", "--lzma", "--no-progress", path], "")
}

/// Three figures of a program, before or after packing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackedFigures {
    /// Its size in the image.
    pub unpacked_bytes: u64,
    /// Its share of the compressed layer.
    pub wire_bytes: u64,
    /// From its start to its first good answer, or its end.
    pub start_us: u64,
}

/// What packing changed, in words: usually much on the disk, little or nothing
/// on the wire (the layer is compressed anyway), and a slower start.
pub fn upx_comparison(before: PackedFigures, after: PackedFigures) -> Vec<String> {
    let line = |what: &str, unit: &str, scale: f64, before: u64, after: u64| {
        let share = if before == 0 {
            0.0
        } else {
            (after as f64 / before as f64 - 1.0) * 100.0
        };
        format!(
            "{what}: {:.2} {unit} → {:.2} {unit} ({share:+.1} %)",
            before as f64 / scale,
            after as f64 / scale
        )
    };
    vec![
        line(
            "unpacked",
            "MB",
            1e6,
            before.unpacked_bytes,
            after.unpacked_bytes,
        ),
        line(
            "on the wire",
            "MB",
            1e6,
            before.wire_bytes,
            after.wire_bytes,
        ),
        line("start", "ms", 1e3, before.start_us, after.start_us),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_compared() {
        let before = PackedFigures {
            unpacked_bytes: 1_600_000,
            wire_bytes: 700_000,
            start_us: 1_000,
        };
        let after = PackedFigures {
            unpacked_bytes: 640_000,
            wire_bytes: 707_000,
            start_us: 0,
        };
        let lines = upx_comparison(before, after);
        assert_eq!(lines[0], "unpacked: 1.60 MB → 0.64 MB (-60.0 %)");
        assert_eq!(lines[1], "on the wire: 0.70 MB → 0.71 MB (+1.0 %)");
        assert_eq!(lines[2], "start: 1.00 ms → 0.00 ms (-100.0 %)");
    }
}
