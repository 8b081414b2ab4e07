//! What an image costs where it is shipped to: four products of numbers that
//! are all in the report, so that anybody can check them or put in their own.

use super::value::{Column, FleetRow, FleetRows};

/// What images are shipped to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fleet {
    /// Machines that hold the image.
    pub nodes: u64,
    /// Pulls of the whole image a day, by all of them together.
    pub pulls_per_day: u64,
    /// What one machine receives.
    pub bandwidth_bits_per_second: u64,
}

pub(super) fn arithmetic(fleet: Fleet, images: &[Column]) -> FleetRows {
    let row = |image: &Column| {
        let held = image.unpacked_bytes.saturating_add(image.wasted_bytes);
        costs(fleet, held, image.wire_bytes, image.last_layer_wire_bytes)
    };
    FleetRows {
        nodes: fleet.nodes,
        pulls_per_day: fleet.pulls_per_day,
        bandwidth_bits_per_second: fleet.bandwidth_bits_per_second,
        rows: images.iter().map(row).collect(),
    }
}

fn costs(fleet: Fleet, held: u64, wire: u64, last_layer: u64) -> FleetRow {
    let bandwidth = u128::from(fleet.bandwidth_bits_per_second.max(1));
    let pull_ms = u128::from(wire) * 8 * 1000 / bandwidth;
    FleetRow {
        storage_bytes: fleet.nodes.saturating_mul(held),
        traffic_bytes_per_day: fleet.pulls_per_day.saturating_mul(wire),
        pull_ms: u64::try_from(pull_ms).unwrap_or(u64::MAX),
        update_bytes: last_layer,
        update_all_bytes: fleet.nodes.saturating_mul(last_layer),
    }
}

#[cfg(test)]
mod tests {
    use super::{Fleet, costs};

    #[test]
    fn costs_are_products() {
        let fleet = Fleet {
            nodes: 50,
            pulls_per_day: 200,
            bandwidth_bits_per_second: 1_000_000_000,
        };
        let row = costs(fleet, 1_870_000_000, 700_000_000, 20_000_000);
        assert_eq!(row.storage_bytes, 93_500_000_000);
        assert_eq!(row.traffic_bytes_per_day, 140_000_000_000);
        assert_eq!(row.pull_ms, 5_600);
        assert_eq!(row.update_all_bytes, 1_000_000_000);
        let endless = costs(
            Fleet {
                nodes: u64::MAX,
                bandwidth_bits_per_second: 0,
                ..fleet
            },
            2,
            u64::MAX,
            2,
        );
        assert_eq!(
            (endless.storage_bytes, endless.pull_ms),
            (u64::MAX, u64::MAX)
        );
    }
}
