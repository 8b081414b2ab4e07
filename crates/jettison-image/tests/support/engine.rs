//! What a real engine makes of an image.

use crate::support::run;

/// Whether there is an engine that lays layers over one another; if not, why.
pub(crate) fn overlay() -> Result<(), String> {
    match docker(&["info", "--format", "{{.Driver}}"], b"") {
        Ok(driver) if driver.starts_with(b"overlay") => Ok(()),
        Ok(driver) => {
            let driver = String::from_utf8_lossy(&driver).trim().to_owned();
            Err(format!("Docker's storage is {driver}, not an overlay"))
        }
        Err(error) => Err(format!("no Docker engine: {error}")),
    }
}

/// The file system of an image in a docker-archive, as a tar archive.
pub(crate) fn export(archive: &[u8], name: &str) -> Result<Vec<u8>, String> {
    docker(&["load", "-q"], archive)?;
    let created = docker(&["create", name, "/none"], b"");
    let exported = created.and_then(|id| {
        let id = String::from_utf8_lossy(&id).trim().to_owned();
        let exported = docker(&["export", &id], b"");
        docker(&["rm", &id], b"")?;
        exported
    });
    docker(&["rmi", name], b"")?;
    exported
}

fn docker(arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
    run("docker", arguments, input)
}
