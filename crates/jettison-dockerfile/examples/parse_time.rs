//! Says how much processor time reading a folder of Dockerfiles takes: `parse_time FOLDER [ROUNDS]`.

#![expect(clippy::print_stdout, reason = "an example prints its result")]

use std::path::Path;
use std::time::Instant;

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let folder = arguments
        .next()
        .unwrap_or_else(|| "../shared/corpus/dockerfiles".into());
    let rounds: u32 = arguments
        .next()
        .and_then(|text| text.to_string_lossy().parse().ok())
        .unwrap_or(5);
    let entries = std::fs::read_dir(Path::new(&folder)).expect("the folder can be read");
    let files: Vec<Vec<u8>> = entries
        .filter_map(|entry| std::fs::read(entry.ok()?.path()).ok())
        .collect();
    let bytes: usize = files.iter().map(Vec::len).sum();
    for _ in 0..rounds {
        let started = Instant::now();
        let mut instructions = 0;
        for file in &files {
            instructions += jettison_dockerfile::parse(file).0.instructions().len();
        }
        let parsed = started.elapsed();
        let mut commands = 0;
        for file in &files {
            let (tree, _) = jettison_dockerfile::parse(file);
            for index in 0..tree.instructions().len() {
                commands += tree
                    .shell_script(index)
                    .map_or(0, |script| script.commands().len());
            }
        }
        let with_shell = started.elapsed() - parsed;
        println!(
            "{} files, {bytes} bytes: {instructions} instructions in {:.4} s; with {commands} shell commands in {:.4} s",
            files.len(),
            parsed.as_secs_f64(),
            with_shell.as_secs_f64()
        );
    }
}
