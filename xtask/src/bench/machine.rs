//! What a reader needs to know of the machine to place its figures, and nothing that tells whose it is.

use serde_json::{Value, json};

use crate::Problem;

/// Cores, processor, memory and kernel.
pub(crate) fn facts() -> Result<Value, Problem> {
    let memory = std::fs::read_to_string("/proc/meminfo")?;
    let memory_kib: f64 = field(&memory, "MemTotal")
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .unwrap_or(0.0);
    let processors = std::fs::read_to_string("/proc/cpuinfo")?;
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(json!({
        "cores": std::thread::available_parallelism()?.get(),
        "processor": field(&processors, "model name").unwrap_or(std::env::consts::ARCH),
        "memory_gib": (memory_kib / 1024.0 / 1024.0).round(),
        "kernel": version_of(kernel.trim()),
    }))
}

/// `6.18.44-name` is a version and somebody's name for it.
fn version_of(kernel: &str) -> &str {
    kernel.split('-').next().unwrap_or(kernel)
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        Some(
            line.strip_prefix(name)?
                .trim_start()
                .strip_prefix(':')?
                .trim(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{field, version_of};

    #[test]
    fn fields_of_proc() {
        assert_eq!(
            field("MemTotal:   24 kB\nMemFree: 1 kB", "MemTotal"),
            Some("24 kB")
        );
        assert_eq!(
            field("processor\t: 0\nmodel name\t: X 1", "model name"),
            Some("X 1")
        );
        assert_eq!(version_of("6.1.0-28-amd64"), "6.1.0");
    }
}
