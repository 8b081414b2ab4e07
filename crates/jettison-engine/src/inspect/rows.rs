//! The rows of an inspection, from an account of the image's bytes.

use std::collections::BTreeMap;

use jettison_image::account::{self, Survey};
use jettison_image::{Image, ImagePath};
use jettison_packages::installed::{Installed, OsRelease, Package};

use super::packages::label;
use super::value::*;

pub(super) fn inspection(
    image: &Image,
    survey: &Survey,
    installed: &Installed,
    rows: usize,
) -> Inspection {
    let packages = packages(survey, installed);
    let privileged = survey.privileged();
    let totals = totals(survey, installed, privileged.len());
    let directories = survey.largest_directories(rows).into_iter();
    let directory = |row: account::GroupRow<ImagePath>| DirectoryRow {
        path: shown(&row.key),
        files: row.files,
        unpacked_bytes: row.unpacked_bytes,
        wire_bytes: row.wire_bytes,
    };
    let file = |row: account::FileRow| FileRow {
        package: installed
            .owner(&row.path)
            .map(|(package, _)| label(package)),
        path: shown(&row.path),
        layer: row.layer.into(),
        unpacked_bytes: row.unpacked_bytes,
        wire_bytes: row.wire_bytes,
    };
    let wasted = |row: account::HiddenRow| WastedRow {
        path: shown(&row.path),
        layer: row.layer.into(),
        hidden_by: row.hidden_by.into(),
        unpacked_bytes: row.unpacked_bytes,
        wire_bytes: row.wire_bytes,
    };
    let duplicate = |row: account::DuplicateRow| DuplicateRow {
        paths: row.paths.iter().map(shown).collect(),
        copies: row.copies,
        unpacked_bytes: row.unpacked_bytes,
        saved_bytes: row.saved_bytes,
    };
    Inspection {
        schema: SCHEMA,
        image: identity(image, installed),
        config: config(image),
        totals,
        layers: layers(image, survey),
        packages,
        directories: directories.map(directory).collect(),
        largest_files: survey.largest(rows).into_iter().map(file).collect(),
        wasted_files: survey
            .hidden(rows)
            .into_iter()
            .filter(|row| row.unpacked_bytes > 0)
            .map(wasted)
            .collect(),
        duplicates: survey.duplicates(rows).into_iter().map(duplicate).collect(),
        privileged: privileged.iter().take(rows).map(privileged_row).collect(),
        notes: image.notes.clone(),
    }
}

fn identity(image: &Image, installed: &Installed) -> Identity {
    let name = |os: &OsRelease| match os.pretty_name.as_str() {
        "" => format!("{} {}", os.id, os.version_id).trim_end().to_owned(),
        name => name.to_owned(),
    };
    Identity {
        name: String::new(),
        found_in: String::new(),
        manifest_digest: image.manifest_digest.to_string(),
        config_digest: image.manifest.config.digest.to_string(),
        platform: image.config.platform().to_string(),
        created: image.config.created.clone(),
        distribution: installed.os.as_ref().map(name),
    }
}

fn config(image: &Image) -> ConfigSummary {
    let run = &image.config.run;
    let name = |pair: &String| pair.split('=').next().unwrap_or_default().to_owned();
    let check = run.healthcheck.as_ref();
    ConfigSummary {
        user: run.user.clone(),
        entrypoint: run.entrypoint.clone(),
        cmd: run.cmd.clone(),
        env_names: run.env.iter().map(name).collect(),
        ports: run.exposed_ports.iter().cloned().collect(),
        volumes: run.volumes.iter().cloned().collect(),
        working_dir: run.working_dir.clone(),
        labels: run.labels.clone(),
        stop_signal: run.stop_signal.clone(),
        healthcheck: check.map(|check| check.test.clone()).unwrap_or_default(),
    }
}

fn totals(survey: &Survey, installed: &Installed, privileged: usize) -> Totals {
    let totals = survey.totals();
    let packages = installed.packages.iter();
    // Whiteouts and other empty files are hidden without being a waste.
    let hidden = survey.tree().hidden().iter();
    Totals {
        wire_bytes: totals.wire_bytes,
        visible_wire_bytes: totals
            .wire_bytes
            .saturating_sub(totals.wire_wasted_bytes)
            .saturating_sub(totals.wire_overhead_bytes),
        wasted_wire_bytes: totals.wire_wasted_bytes,
        overhead_wire_bytes: totals.wire_overhead_bytes,
        unpacked_bytes: totals.visible_bytes,
        wasted_bytes: totals.wasted_bytes,
        duplicate_bytes: survey.duplicate_bytes(),
        layers: survey.layers().len() as u64,
        files: totals.files,
        names: totals.names,
        wasted_files: hidden.filter(|hidden| hidden.size_bytes > 0).count() as u64,
        privileged_files: privileged as u64,
        packages: packages.filter(|package| package.within.is_none()).count() as u64,
    }
}

fn layers(image: &Image, survey: &Survey) -> Vec<LayerRow> {
    let both = image.layers.iter().zip(survey.layers());
    let row = |(index, (blob, account)): (usize, _)| {
        let (blob, account): (&jettison_image::LayerBlob, &account::LayerAccount) = (blob, account);
        LayerRow {
            index: index as u64,
            digest: blob.descriptor.digest.to_string(),
            diff_id: blob.diff_id.to_string(),
            created_by: blob.created_by.clone(),
            compression: blob.compression.to_string(),
            wire_bytes: account.wire_bytes,
            overhead_wire_bytes: account.wire_overhead_bytes,
            unpacked_bytes: account.shipped_bytes,
            visible_bytes: account.visible_bytes,
            wasted_bytes: account.hidden_bytes,
            files: account.files,
        }
    };
    both.enumerate().map(row).collect()
}

/// Packages of one name and version that lie in several places are one row.
fn packages(survey: &Survey, installed: &Installed) -> Vec<PackageRow> {
    let key = |package: &'_ Package| (package.kind, package.name.clone(), package.version.clone());
    let mut of_key = BTreeMap::new();
    for (at, package) in installed.packages.iter().enumerate() {
        of_key.entry(key(package)).or_insert(at);
    }
    // An owner is found for each file; its key is made once.
    let places: std::collections::HashMap<*const Package, usize> = installed
        .packages
        .iter()
        .map(|package| (std::ptr::from_ref(package), of_key[&key(package)]))
        .collect();
    let mut seen = vec![false; installed.packages.len()];
    let groups = survey.groups(|node| {
        let (package, _) = installed.owner(&node.path())?;
        places.get(&std::ptr::from_ref(package)).copied()
    });
    let mut rows = Vec::with_capacity(groups.len());
    for group in groups {
        let package = group.key.map(|at| {
            seen[at] = true;
            &installed.packages[at]
        });
        rows.push(PackageRow {
            files: group.files,
            unpacked_bytes: group.unpacked_bytes,
            wire_bytes: group.wire_bytes,
            ..package_row(package)
        });
    }
    // Packages without a file of their own are packages all the same.
    for at in of_key.into_values() {
        if !seen[at] && installed.packages[at].within.is_none() {
            rows.push(package_row(Some(&installed.packages[at])));
        }
    }
    rows
}

fn package_row(package: Option<&Package>) -> PackageRow {
    PackageRow {
        kind: package.map(|package| package.kind.as_str()),
        name: package.map_or_else(String::new, |package| package.name.clone()),
        version: package.map_or_else(String::new, |package| package.version.clone()),
        purl: package.map(Package::purl),
        files: 0,
        unpacked_bytes: 0,
        wire_bytes: 0,
    }
}

fn privileged_row(row: &account::PrivilegedRow) -> PrivilegedRow {
    let rights = [
        (row.mode & 0o4000 != 0, "setuid"),
        (row.mode & 0o2010 == 0o2010, "setgid"),
        (row.capabilities, "capabilities"),
    ];
    let holds = |(holds, right): (bool, &'static str)| holds.then_some(right);
    PrivilegedRow {
        path: shown(&row.path),
        mode: format!("{:04o}", row.mode & 0o7777),
        uid: row.owner.0,
        gid: row.owner.1,
        rights: rights.into_iter().filter_map(holds).collect(),
    }
}

fn shown(path: &ImagePath) -> String {
    path.display().to_string()
}
