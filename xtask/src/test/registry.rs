//! A registry for the tests: Debian's `docker-registry` on a free port of the loopback, with data of its own.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::processes::Service;
use crate::{Problem, workspace};

/// A registry that listens.
pub(crate) struct Registry {
    /// `127.0.0.1:PORT`, plain HTTP, no authentication.
    pub(crate) address: String,
    _service: Service,
}

impl Registry {
    /// Starts one; the error says why there is none.
    pub(crate) fn start(folder: &Path) -> Result<Self, Problem> {
        let program = workspace::find_program("docker-registry")
            .ok_or("no docker-registry on this machine")?;
        let folder = folder.join("registry");
        std::fs::create_dir_all(&folder)?;
        // Free now; whoever takes it in between makes the start fail, which is said.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let config = folder.join("config.yml");
        std::fs::write(&config, configuration(&folder.join("data"), &address))?;
        let log = folder.join("log");
        let mut command = Command::new(program);
        command.arg("serve").arg(&config);
        let mut service = Service::start("docker-registry", &command, File::create(&log)?)?;
        if !service.wait_until(Duration::from_secs(20), || {
            TcpStream::connect(&address).is_ok()
        }) {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            return Err(format!(
                "docker-registry does not come up: {}",
                text.lines().last().unwrap_or_default()
            )
            .into());
        }
        println!("registry: started by hand");
        Ok(Self {
            address,
            _service: service,
        })
    }
}

fn configuration(data: &Path, address: &str) -> String {
    format!(
        "version: 0.1\nlog: {{level: warn}}\nstorage:\n  filesystem: {{rootdirectory: \"{}\"}}\n  \
         delete: {{enabled: true}}\nhttp: {{addr: \"{address}\"}}\n",
        data.display()
    )
}
