//! A container with what stands around it: a network, its companions, its volumes. All of it is gone when the scene is dropped.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::answer::Answer;
use super::case::Case;
use super::client::Client;
use super::deeds;
use crate::Problem;

/// Everything that is made here begins so.
const PREFIX: &str = "case";

/// How long a program, or a companion, may take until it serves. A Java program on a busy machine takes its time.
const READY: Duration = Duration::from_secs(90);

static SCENES: AtomicU32 = AtomicU32::new(0);

/// One image on the stage.
pub(crate) struct Scene<'a> {
    pub(crate) client: &'a Client,
    pub(crate) case: &'a Case,
    pub(crate) image: String,
    pub(crate) network: String,
    pub(crate) container: String,
    volumes: Vec<(String, String)>,
    companions: Vec<String>,
}

impl<'a> Scene<'a> {
    /// Sets everything up and waits until the image's program serves.
    pub(crate) fn open(client: &'a Client, case: &'a Case, image: &str) -> Result<Self, Problem> {
        let mut scene = Self::surroundings(client, case)?;
        image.clone_into(&mut scene.image);
        let number = scene.network.clone();
        for (index, path) in case.run.volumes.iter().enumerate() {
            let name = format!("{number}-volume{index}");
            client.demand(&["volume", "create", &name])?;
            scene.volumes.push((name, path.clone()));
        }
        scene.start()?;
        Ok(scene)
    }

    /// The network and the companions alone.
    pub(crate) fn surroundings(client: &'a Client, case: &'a Case) -> Result<Self, Problem> {
        let number = SCENES.fetch_add(1, Ordering::Relaxed);
        let network = format!("{PREFIX}-{}-{}-{number}", case.name, std::process::id());
        client.demand(&["network", "create", &network])?;
        let mut scene = Self {
            client,
            case,
            image: String::new(),
            container: format!("{network}-main"),
            network,
            volumes: Vec::new(),
            companions: Vec::new(),
        };
        for companion in &case.companions {
            let name = format!("{}-{}", scene.network, companion.name);
            scene.companions.push(name.clone());
            client.demand(&[
                "run",
                "--detach",
                "--name",
                &name,
                "--network",
                &scene.network,
                "--network-alias",
                &companion.name,
                &super::original::companion_tag(&companion.image),
            ])?;
            let address = SocketAddr::new(scene.address(&name)?.parse()?, companion.port);
            let begun = Instant::now();
            while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
                if begun.elapsed() > READY {
                    return Err(format!("companion {} does not serve", companion.name).into());
                }
                crate::processes::go_on()?;
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        Ok(scene)
    }

    /// Every companion that serves all starts, with the address where it listens.
    pub(crate) fn doors(&self) -> Result<Vec<(String, String)>, Problem> {
        self.case
            .companions
            .iter()
            .zip(&self.companions)
            .filter(|(companion, _)| !companion.fresh)
            .map(|(companion, container)| {
                let address = self.address(container)?;
                Ok((
                    companion.name.clone(),
                    format!("{address}:{}", companion.port),
                ))
            })
            .collect()
    }

    fn address(&self, container: &str) -> Result<String, Problem> {
        self.client.demand(&[
            "inspect",
            "--format",
            "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
            container,
        ])
    }

    /// Options of `docker run` that the container and every `run` step share.
    pub(crate) fn options(&self) -> Vec<String> {
        let mut options = vec!["--network".to_owned(), self.network.clone()];
        for (name, value) in &self.case.run.env {
            options.extend(["--env".to_owned(), format!("{name}={value}")]);
        }
        for (source, target) in &self.case.run.files {
            let source = self.case.folder.join(source);
            let mount = format!("{}:{target}:ro", source.display());
            options.extend(["--volume".to_owned(), mount]);
        }
        for (name, path) in &self.volumes {
            options.extend(["--volume".to_owned(), format!("{name}:{path}")]);
        }
        options.extend(self.case.run.options.iter().cloned());
        options
    }

    /// The image's own program, until it is ready; nothing for an image that is run anew for every step.
    fn start(&self) -> Result<(), Problem> {
        if self.case.run.ready.is_none() {
            return Ok(());
        }
        let mut arguments: Vec<String> = ["run", "--detach", "--name", &self.container]
            .map(str::to_owned)
            .to_vec();
        for port in &self.case.run.ports {
            arguments.extend(["--publish".to_owned(), format!("127.0.0.1::{port}")]);
        }
        arguments.extend(self.options());
        arguments.push(self.image.clone());
        arguments.extend(self.case.run.command.iter().cloned());
        self.client.demand(&arguments)?;
        self.wait()
    }

    /// Until the program serves; an error with its last words when it does not.
    pub(crate) fn wait(&self) -> Result<(), Problem> {
        let Some(ready) = &self.case.run.ready else {
            return Ok(());
        };
        let begun = Instant::now();
        loop {
            let answer = deeds::carry_out(self, &ready.deed)?;
            let Some(fault) = answer.fault(&ready.expect, None) else {
                return Ok(());
            };
            let running = self.client.demand(&[
                "inspect",
                "--format",
                "{{.State.Running}}",
                &self.container,
            ])?;
            if running != "true" || begun.elapsed() > READY {
                let log = deeds::log(self)?;
                return Err(format!(
                    "{}: {fault}; {}",
                    if running == "true" {
                        "does not serve"
                    } else {
                        "has ended"
                    },
                    tail(&log)
                )
                .into());
            }
            std::thread::sleep(Duration::from_millis(150));
        }
    }

    /// A new container on the same volumes.
    pub(crate) fn restart(&self) -> Result<(), Problem> {
        self.client
            .demand(&["stop", "--time", "60", &self.container])?;
        self.client.demand(&["rm", "--force", &self.container])?;
        self.start()
    }
}

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        // What is gone already is as good.
        let mut containers = vec!["rm", "--force", "--volumes", &self.container];
        containers.extend(self.companions.iter().map(String::as_str));
        let _ = self.client.succeeds(&containers);
        for (volume, _) in &self.volumes {
            let _ = self.client.succeeds(&["volume", "rm", "--force", volume]);
        }
        let _ = self.client.succeeds(&["network", "rm", &self.network]);
    }
}

fn tail(log: &Answer) -> String {
    let text = format!("{}{}", log.text, log.aside);
    let lines: Vec<&str> = text.trim().lines().collect();
    lines[lines.len().saturating_sub(4)..].join(" | ")
}
