//! `jettison bake`: a repository of many services as one `docker-bake.json`,
//! which buildx builds at once wherever its builders are.

use std::path::PathBuf;

use clap::Args;
use jettison_engine::bake::{Service, services};
use jettison_image::{Platform, Reference};
use serde_json::{Map, Value, json};

use super::words::{self, flag};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ui::{Table, Ui};

/// The name under which buildx finds it.
const FILE: &str = "docker-bake.json";

/// Write docker-bake.json for a repository of many services
///
/// Every directory with a Dockerfile becomes a target, called after the
/// directory; the group `default` has all of them. Hidden directories and
/// node_modules, vendor, target, testdata are passed over. Paths in the file
/// are relative to PATH: run buildx there.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  jettison bake
  jettison bake . --repository registry.example/shop --tag 1.2 --cache registry.example/cache
  docker buildx bake --push")]
pub struct BakeArgs {
    /// The repository
    #[arg(value_name = "PATH", default_value = ".")]
    pub path: PathBuf,

    /// Write to FILE [default: PATH/docker-bake.json]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Name images below this: REGISTRY/NAME
    #[arg(long, value_name = "NAME")]
    pub repository: Option<String>,

    /// Give images this tag
    #[arg(long, short, value_name = "TAG", default_value = "latest")]
    pub tag: String,

    /// Build for these platforms
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    pub platform: Vec<String>,

    /// Keep each target's steps in a registry below this: REGISTRY/NAME
    #[arg(long, value_name = "NAME")]
    pub cache: Option<String>,

    /// Replace a file that is there
    #[arg(long)]
    pub force: bool,
}

/// Looks, names, writes.
pub fn bake(args: &BakeArgs, ui: &Ui) -> Result<Exit, Failure> {
    let found = services(&args.path).map_err(|error| {
        Failure::new(format!("{} cannot be read: {error}", args.path.display()))
    })?;
    if found.is_empty() {
        return Err(Failure::new(format!(
            "{} has no directory with a Dockerfile",
            args.path.display()
        ))
        .with_hint("jettison bake PATH: the directory above the services"));
    }
    let document = document(args, &found)?;
    let mut text = serde_json::to_vec_pretty(&document).map_err(Failure::new)?;
    text.push(b'\n');
    let path = args.output.clone().unwrap_or_else(|| args.path.join(FILE));
    let is_same = std::fs::read(&path).is_ok_and(|there| there == text);
    if path.exists() && !is_same && !args.force {
        return Err(Failure::new(format!(
            "{} is there and says something else",
            path.display()
        ))
        .with_hint("--force replaces it, -o FILE writes another"));
    }
    words::write(&path, &text)?;
    let mut table = Table::new(&["target", "directory", "image"]);
    for service in &found {
        let directory = service.directory.display().to_string();
        table.row([service.name.clone(), directory, name(args, service)]);
    }
    ui.answer(&table.render())?;
    ui.answer(&format!("in {}\n", path.display()))?;
    Ok(Exit::Fine)
}

fn name(args: &BakeArgs, service: &Service) -> String {
    let repository = args.repository.as_deref().map(|it| format!("{it}/"));
    let (repository, tag) = (repository.unwrap_or_default(), &args.tag);
    format!("{repository}{}:{tag}", service.name)
}

/// bake's own words (docker/buildx, bake/bake.go).
fn document(args: &BakeArgs, services: &[Service]) -> Result<Value, Failure> {
    for platform in &args.platform {
        let read = platform.parse::<Platform>();
        read.map_err(flag("--platform"))?;
    }
    let mut targets = Map::new();
    for service in services {
        let image = name(args, service);
        Reference::parse(&image).map_err(flag("--repository, --tag"))?;
        let mut target = Map::new();
        let context = service.directory.to_string_lossy().into_owned();
        target.insert("context".to_owned(), json!(context));
        target.insert("dockerfile".to_owned(), json!(service.file));
        target.insert("tags".to_owned(), json!([image]));
        if !args.platform.is_empty() {
            target.insert("platforms".to_owned(), json!(args.platform));
        }
        if let Some(cache) = &args.cache {
            let place = format!("{cache}/{}:cache", service.name);
            Reference::parse(&place).map_err(flag("--cache"))?;
            let from = format!("type=registry,ref={place}");
            // A registry that keeps no steps costs time, not the build.
            let to = format!(
                "{from},mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true"
            );
            target.insert("cache-from".to_owned(), json!([from]));
            target.insert("cache-to".to_owned(), json!([to]));
        }
        targets.insert(service.name.clone(), target.into());
    }
    let names: Vec<&String> = services.iter().map(|service| &service.name).collect();
    Ok(json!({ "group": { "default": { "targets": names } }, "target": targets }))
}
