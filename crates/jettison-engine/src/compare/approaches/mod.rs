//! `compare --approaches`: a project packed in every way that guides show, and
//! in jettison's own, with what each build takes: cold, again, and after a line
//! was changed.
//!
//! Everything is built in a store of its own that is thrown away, from a copy
//! of the project: cold means that no step, no compiler cache and nothing but
//! the bases is there.

mod dockerfiles;
mod project;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use jettison_image::{Image, Reference, escape};
use jettison_plan::Verdict;
use jettison_recipes::{Language, Project};
use serde::Serialize;

use super::{CompareError, CompareRequest, Compared, compare_opened};
use crate::Context;
use crate::build::{self, BuildRequest, HostSource};
use crate::dockerfile::{self, DockerfileRequest, NamedContext};
use crate::one_line;
use crate::scratch::ScratchDirectory;
use crate::slim::{self, SlimRequest};
use crate::store::{Store, StoreError};
use crate::transport::{Location, Opened, Origin};
use dockerfiles::{Program, UPX_CONTEXT, Way, ways};

/// The schema's name and number.
pub const APPROACHES_SCHEMA: &str = "jettison.approaches/1";

/// A project, and everything that its images are built, slimmed and started with.
#[derive(Clone)]
pub struct ApproachesRequest {
    /// jettison's own build of the project.
    pub own: BuildRequest,
    /// Contexts, arguments and what is lent, of every Dockerfile.
    pub dockerfile: DockerfileRequest,
    /// How the project's own Dockerfile is slimmed.
    pub slim: SlimRequest,
    /// The directory of this machine's upx.
    pub upx: Option<PathBuf>,
    /// How images are started, and what they are shipped to; without images.
    pub compare: CompareRequest,
}

/// What became of every approach.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Approaches {
    /// [`APPROACHES_SCHEMA`].
    pub schema: &'static str,
    /// The project.
    pub project: String,
    /// In the order of the table.
    pub approaches: Vec<Approach>,
    /// The images that could be built, by the place that approaches name.
    pub compared: Compared,
}

/// One approach.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Approach {
    /// What a person calls it.
    pub name: String,
    /// What its image stands on.
    pub base: String,
    /// The Dockerfile, where it was written for this.
    pub dockerfile: Option<String>,
    /// Its column among the compared images; none where it was not built.
    pub image: Option<usize>,
    /// What its builds took.
    pub times: Option<BuildTimes>,
    /// Why it was not built.
    pub problem: Option<String>,
}

/// What the same build takes in three states of the world.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BuildTimes {
    /// With nothing but the bases there.
    pub cold_ms: u64,
    /// Again, nothing changed.
    pub unchanged_ms: u64,
    /// After a line of the sources was changed; none where no source is known.
    pub changed_ms: Option<u64>,
}

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum ApproachesError {
    /// The project cannot be read or copied.
    #[error("{} cannot be copied", path.display())]
    Project {
        /// Where.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// There is no room for a store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No approach came out, each with its reason.
    #[error("nothing could be built: {}", .0.join("; "))]
    Nothing(Vec<String>),
    /// The images cannot be compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
}

/// Builds the project in every way that its language and the bases at hand
/// allow, and compares.
pub fn approaches(
    request: &ApproachesRequest,
    context: &Context,
) -> Result<Approaches, ApproachesError> {
    let project = &request.own.project;
    let copying = |source| ApproachesError::Project {
        path: project.clone(),
        source,
    };
    let scratch = ScratchDirectory::create(&context.scratch()?).map_err(copying)?;
    let copy = scratch.path().join("project");
    project::copy(project, &copy).map_err(copying)?;
    let bench = Bench {
        request,
        outside: context,
        inside: context.with_store(Store::open(&scratch.path().join("store"))?),
        copy: &copy,
        cache: scratch.path().join("compilers"),
        source: project::source(&copy),
        changes: 0.into(),
    };
    let made = bench.all(scratch.path());
    let mut images = Vec::new();
    let mut approaches = Vec::new();
    for (mut approach, image) in made {
        if let Some(image) = image {
            approach.image = Some(images.len());
            images.push((approach.name.clone(), Opened::new(image, Origin::Store)));
        }
        approaches.push(approach);
    }
    if images.is_empty() {
        let why = approaches.into_iter();
        let why = why.map(|one| format!("{}: {}", one.name, one.problem.unwrap_or_default()));
        return Err(ApproachesError::Nothing(why.collect()));
    }
    let compared = compare_opened(&images, &request.compare, &bench.inside)?;
    Ok(Approaches {
        schema: APPROACHES_SCHEMA,
        project: escape(&project.to_string_lossy()),
        approaches,
        compared,
    })
}

/// Where approaches are built.
struct Bench<'a> {
    request: &'a ApproachesRequest,
    /// The user's own, where bases may be.
    outside: &'a Context,
    inside: Context,
    copy: &'a Path,
    cache: PathBuf,
    source: Option<(PathBuf, &'static str)>,
    changes: std::cell::Cell<usize>,
}

type Made = (Approach, Option<Image>);

impl Bench<'_> {
    fn all(&self, scratch: &Path) -> Vec<Made> {
        let mut made = Vec::new();
        let detected = self.detected();
        if let Ok((language, name, directory)) = &detected {
            let program = Program {
                language: *language,
                name,
                directory,
            };
            for (number, way) in ways(&program).into_iter().enumerate() {
                let file = scratch.join(format!("{number}.Dockerfile"));
                made.push(self.way(way, &file));
            }
        }
        if let Some(file) = dockerfile::find(self.copy) {
            made.extend(self.own_dockerfile(&file));
        }
        if detected.is_ok() || made.is_empty() {
            made.push(self.own());
        }
        made
    }

    /// What jettison knows to build, if anything.
    fn detected(&self) -> Result<(Language, String, String), String> {
        let (source, inside) = HostSource::open(self.copy).map_err(|error| error.to_string())?;
        let project = Project::detect(&source, &inside).map_err(|error| error.to_string())?;
        let bin = self.request.own.flags.bin.as_deref();
        let binary = project.choose(bin).map_err(|error| error.to_string())?;
        let language = match project {
            Project::Go(_) => Language::Go,
            Project::Rust(_) => Language::Rust,
        };
        let name = binary
            .name
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned();
        Ok((language, name, binary.directory.clone()))
    }

    /// One of the guides' ways.
    fn way(&self, way: Way, file: &Path) -> Made {
        let mut request = self.template(file);
        let mut approach = approach(way.name, way.base);
        approach.dockerfile = Some(way.dockerfile.clone());
        if way.takes_upx {
            let Some(upx) = &self.request.upx else {
                return unbuilt(approach, "there is no upx on this machine".to_owned());
            };
            let upx = NamedContext::Directory(upx.clone());
            request.contexts.insert(UPX_CONTEXT.to_owned(), upx);
        }
        if let Err(error) = std::fs::write(file, &way.dockerfile) {
            return unbuilt(approach, error.to_string());
        }
        if let Err(problem) = self.bring_bases(&request) {
            return unbuilt(approach, problem);
        }
        self.timed(approach, || {
            let built = dockerfile::build(&request, &self.inside);
            built
                .map(|built| built.image)
                .map_err(|error| one_line(&error))
        })
    }

    /// The project's own Dockerfile, and what jettison makes of it.
    fn own_dockerfile(&self, file: &Path) -> Vec<Made> {
        let request = self.template(file);
        let mut plain = approach("its own Dockerfile", "as it says");
        let mut small = approach("its own Dockerfile, slimmed by jettison", "as it says");
        if let Err(problem) = self.bring_bases(&request) {
            small.problem = Some(problem.clone());
            return vec![unbuilt(plain, problem), (small, None)];
        }
        let build = |request: &DockerfileRequest| -> Result<(Image, String), String> {
            let built =
                dockerfile::build(request, &self.inside).map_err(|error| one_line(&error))?;
            let base = built.stages.last().map(|stage| stage.base.clone());
            Ok((built.image, base.unwrap_or_default()))
        };
        let mut base = String::new();
        let made = self.timed(plain.clone(), || {
            let (image, below) = build(&request)?;
            base = below;
            Ok(image)
        });
        let (done, Some(image)) = made else {
            small.problem.clone_from(&made.0.problem);
            return vec![made, (small, None)];
        };
        plain = Approach {
            base: base.clone(),
            ..done
        };
        small.base = base;
        // Its steps are known by now; cold is without them.
        let mut anew = DockerfileRequest {
            no_cache: true,
            ..request.clone()
        };
        let slimmed = self.timed(small, || {
            let (image, _) = build(&anew)?;
            anew.no_cache = false;
            let slimmed = slim::slim_image(&image, &self.request.slim, &self.inside);
            let slimmed = slimmed.map_err(|error| one_line(&error))?;
            match slimmed.evidence.verdict {
                Verdict::Whole => Ok(slimmed.image),
                Verdict::Differs => Err("the small image answers differently".to_owned()),
                Verdict::CouldNotTell => {
                    Err("it could not be told whether the small image is whole".to_owned())
                }
            }
        });
        vec![(plain, Some(image)), slimmed]
    }

    /// jettison's own.
    fn own(&self) -> Made {
        let mut request = self.request.own.clone();
        request.project = self.copy.to_owned();
        request.compiler_cache = Some(self.cache.clone());
        self.timed(approach("jettison", "composed, what it needs"), || {
            let built = build::build(&request, &self.inside);
            built
                .map(|built| built.image)
                .map_err(|error| one_line(&error))
        })
    }

    /// Builds cold, again, and changed; the first image is the one.
    fn timed(
        &self,
        mut approach: Approach,
        mut build: impl FnMut() -> Result<Image, String>,
    ) -> Made {
        self.inside
            .progress
            .note(&format!("building: {}", approach.name));
        let mut run = || {
            let begin = Instant::now();
            let image = build()?;
            let took = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
            Ok::<_, String>((image, took))
        };
        let mut all = || {
            let (image, cold_ms) = run()?;
            let (_, unchanged_ms) = run()?;
            let changed_ms = self.changed(&mut run)?;
            let times = BuildTimes {
                cold_ms,
                unchanged_ms,
                changed_ms,
            };
            Ok::<_, String>((image, times))
        };
        match all() {
            Ok((image, times)) => {
                approach.times = Some(times);
                (approach, Some(image))
            }
            Err(problem) => unbuilt(approach, problem),
        }
    }

    /// What a build takes after a line of the copy was changed, which is then as
    /// before; none where no source is known.
    fn changed(
        &self,
        run: &mut dyn FnMut() -> Result<(Image, u64), String>,
    ) -> Result<Option<u64>, String> {
        let Some((path, line)) = &self.source else {
            return Ok(None);
        };
        let number = self.changes.replace(self.changes.get() + 1);
        let wrong = |error: std::io::Error| error.to_string();
        let before = std::fs::read(path).map_err(wrong)?;
        project::change(path, line, number).map_err(wrong)?;
        let took = run();
        std::fs::write(path, before).map_err(wrong)?;
        Ok(Some(took?.1))
    }

    fn template(&self, file: &Path) -> DockerfileRequest {
        DockerfileRequest {
            directory: self.copy.to_owned(),
            file: file.to_owned(),
            ..self.request.dockerfile.clone()
        }
    }

    /// Brings what a Dockerfile stands on into the store of the bench, so that
    /// no build waits for it; the error names what is not at hand.
    fn bring_bases(&self, request: &DockerfileRequest) -> Result<(), String> {
        let bases = dockerfile::bases(request).map_err(|error| one_line(&error))?;
        let mut lacking = BTreeSet::new();
        for (name, location) in bases {
            let platform = request.platform.as_ref();
            let opened = self.outside.transports.open(&location, platform);
            // By its name it is then found without asking anybody.
            let name_of = |location: &Location| match location {
                Location::Name(name) => Reference::parse(name).ok(),
                _ => None,
            };
            let names: Vec<Reference> = name_of(&location).into_iter().collect();
            let kept = opened.and_then(|opened| self.inside.transports.keep(&opened, &names));
            if kept.is_err() {
                lacking.insert(name);
            }
        }
        if lacking.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = lacking.into_iter().collect();
        Err(format!(
            "not at hand: {0}; --build-context {1}=… names one that is",
            names.join(", "),
            names[0]
        ))
    }
}

fn approach(name: &str, base: &str) -> Approach {
    Approach {
        name: name.to_owned(),
        base: base.to_owned(),
        dockerfile: None,
        image: None,
        times: None,
        problem: None,
    }
}

fn unbuilt(mut approach: Approach, problem: String) -> Made {
    approach.problem = Some(escape(&problem));
    (approach, None)
}
