//! What the dynamic loader maps when a program starts, by the rules of glibc
//! (elf/dl-load.c, elf/dl-deps.c, elf/rtld.c) and of musl (ldso/dynlink.c).
//! Nothing is run; what a program opens while it runs is not in here.
//!
//! Where glibc chooses by the processor (`glibc-hwcaps`), all variants of the
//! library are named: the image runs elsewhere too.

mod cache;
mod configuration;
mod object;
mod paths;
mod search;
mod session;
mod written;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use jettison_image::{ImagePath, Node};

use self::cache::Cache;
use self::object::Object;
use self::paths::Directory;
use self::session::Session;
pub use self::written::{CachedLibrary, cache_flags, write_cache};
use crate::edge::Edge;
use crate::world::World;

/// The loaders of one image. What has been read of a file is kept.
pub struct Loader<'a> {
    world: World<'a>,
    /// By the first name of the file.
    objects: Mutex<HashMap<usize, Option<Arc<Object>>>>,
    /// By path as searched; none where there is no directory.
    directories: Mutex<HashMap<Vec<u8>, Option<Arc<Directory<'a>>>>>,
    caches: Mutex<HashMap<Vec<u8>, Arc<Cache>>>,
    /// The directories of `/etc/ld.so.conf`.
    configured: OnceLock<Vec<Vec<u8>>>,
}

/// What the loader maps for one program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The object that asks, links followed, and the file that it gets: the
    /// interpreter first, then libraries in the order of loading. One library
    /// may be asked for by several objects.
    pub edges: Vec<(ImagePath, Edge)>,
    /// The object that asks, and the name under which nothing is found.
    pub missing: Vec<(ImagePath, String)>,
}

/// Whose rules apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flavour {
    Glibc,
    Musl,
}

impl<'a> Loader<'a> {
    /// Reads nothing yet.
    pub fn new(world: &World<'a>) -> Self {
        Self {
            world: *world,
            objects: Mutex::default(),
            directories: Mutex::default(),
            caches: Mutex::default(),
            configured: OnceLock::new(),
        }
    }

    /// The image.
    pub fn world(&self) -> &World<'a> {
        &self.world
    }

    /// What is mapped when a program starts, or when a shared object is opened
    /// of whose opener nothing is known. Nothing for a static program and for
    /// what is no ELF file.
    pub fn closure(&self, program: Node<'a>) -> Loaded {
        let Some(object) = self.object(program) else {
            return Loaded::default();
        };
        if object.is_alone() {
            return Loaded::default();
        }
        let mut session = Session::new(self, program, object);
        session.start();
        session.load_all();
        session.finish()
    }

    /// What is mapped in addition when a program opens a shared object: its
    /// libraries are also looked for where the program's are, and those that
    /// the program has loaded already are not looked for again.
    pub fn plugin(&self, program: Node<'a>, plugin: Node<'a>) -> Loaded {
        let (Some(main), Some(_)) = (self.object(program), self.object(plugin)) else {
            return Loaded::default();
        };
        let mut session = Session::new(self, program, main);
        session.start();
        session.load_all();
        session.forget();
        session.open(plugin);
        session.load_all();
        session.finish()
    }

    /// The files that `dlopen` gives an object of a program for a name, with
    /// the variants for other processors; nothing when the search fails.
    pub fn find(&self, program: Node<'a>, name: &[u8]) -> Vec<ImagePath> {
        let Some(object) = self.object(program) else {
            return Vec::new();
        };
        Session::new(self, program, object).find(name)
    }

    fn object(&self, node: Node<'a>) -> Option<Arc<Object>> {
        let key = node.first_link().id();
        if let Some(known) = locked(&self.objects).get(&key) {
            return known.clone();
        }
        // Read unlocked: two readers of the same file do the same twice.
        let object = Object::read(&self.world, node).map(Arc::new);
        locked(&self.objects).insert(key, object.clone());
        object
    }

    fn cache(&self, path: &[u8]) -> Arc<Cache> {
        if let Some(known) = locked(&self.caches).get(path) {
            return Arc::clone(known);
        }
        let data = self
            .world
            .file(path)
            .and_then(|node| self.world.contents.read(node, cache::MOST_BYTES).ok());
        let cache = Arc::new(Cache::parse(data.as_deref().unwrap_or_default()));
        locked(&self.caches).insert(path.to_vec(), Arc::clone(&cache));
        cache
    }

    fn configured(&self) -> &[Vec<u8>] {
        self.configured
            .get_or_init(|| configuration::ld_so_conf(&self.world))
    }
}

/// A panic of another thread leaves nothing half done in these maps.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
