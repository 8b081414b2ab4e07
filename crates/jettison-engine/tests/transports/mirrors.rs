//! Pulls by registries.conf(5): two real registries, a third that is down.

use std::path::Path;

use jettison_engine::copy::{CopyOptions, copy};
use jettison_engine::transport::{Environment, Location, TransportOptions, Transports};
use jettison_image::Schema;

use crate::support::{Guard, Registry, Scratch, chain, go, has, name, sample};

/// Transports of somebody whose registries.conf says this.
fn configured(scratch: &Scratch, folder: &Path, text: &str) -> Transports {
    let file = folder.join("registries.conf");
    std::fs::write(&file, text).unwrap();
    let home = folder.to_str().unwrap();
    let file = file.to_str().unwrap();
    let variables = [("HOME", home), ("CONTAINERS_REGISTRIES_CONF", file)];
    scratch.transports_with(TransportOptions {
        environment: Environment::new(variables),
        ..TransportOptions::default()
    })
}

#[test]
fn a_mirror_stands_in_where_it_has_the_image_and_answers() {
    if !has("docker-registry", "mirrors of registries") {
        return;
    }
    let scratch = Scratch::new();
    let first = Registry::start(&scratch, "first", &Guard::default());
    let second = Registry::start(&scratch, "second", &Guard::default());
    // Nobody listens there any more.
    let down = {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        closed.local_addr().unwrap().port()
    };
    let folder = tempfile::tempdir().unwrap();

    let plain = configured(&scratch, folder.path(), "");
    let digest = sample(&plain, "app:1", Schema::Oci, 1000);
    go(&plain, &name("app:1"), &first.location("hub/team/app:1"));
    sample(&plain, "app:2", Schema::Oci, 2000);
    go(&plain, &name("app:2"), &second.location("team/app:2"));

    let text = format!(
        "[[registry]]\nprefix = \"origin.test\"\nlocation = \"localhost:{second}\"\n\
         [[registry.mirror]]\nlocation = \"localhost:{down}\"\n\
         [[registry.mirror]]\nlocation = \"localhost:{first}/hub\"\npull-from-mirror = \"PULL\"\n\
         [[registry]]\nlocation = \"origin.test/secret\"\nblocked = true\n",
        first = first.port,
        second = second.port,
    );
    let all = configured(&scratch, folder.path(), &text.replace("PULL", "all"));
    let at = |text: &str| Location::parse(text).unwrap();
    let opened = all
        .open(&at("docker://origin.test/team/app:1"), None)
        .unwrap();
    assert_eq!(opened.image.manifest_digest, digest);
    // Its layers come from where its manifest came from.
    let out = scratch.location("oci", "layout:1");
    go(&all, &at("docker://origin.test/team/app:1"), &out);
    // No mirror has it, the registry itself does.
    go(&all, &at("docker://origin.test/team/app:2"), &out);
    // A bare name goes the same way.
    all.open(&at("origin.test/team/app:1"), None).unwrap();

    let error = all.open(&at("docker://origin.test/secret/app:1"), None);
    let text_of = chain(&error.err().unwrap());
    assert!(text_of.contains("is blocked"), "{text_of}");
    let error = all.open(&at("docker://origin.test/team/app:3"), None);
    let text_of = chain(&error.err().unwrap());
    // Every place that was asked is named.
    for place in [
        format!(":{down}"),
        format!(":{}", first.port),
        format!(":{}", second.port),
    ] {
        assert!(text_of.contains(&place), "{place}: {text_of}");
    }

    let digests = configured(
        &scratch,
        folder.path(),
        &text.replace("PULL", "digest-only"),
    );
    assert!(
        digests
            .open(&at("docker://origin.test/team/app:1"), None)
            .is_err()
    );
    let by_digest = format!("docker://origin.test/team/app@{digest}");
    digests.open(&at(&by_digest), None).unwrap();

    let blocked = format!(
        "[[registry]]\nlocation = \"localhost:{}\"\nblocked = true\n",
        first.port
    );
    let blocked = configured(&scratch, folder.path(), &blocked);
    let to = first.location("hub/team/app:4");
    let error = copy(&blocked, &name("app:1"), &to, &CopyOptions::default());
    assert!(error.is_err(), "nothing is pushed to what is blocked");

    let broken = configured(&scratch, folder.path(), "[[registry]\n");
    let error = broken.open(&at("docker://origin.test/team/app:1"), None);
    let text = chain(&error.err().unwrap());
    assert!(text.contains("registries.conf"), "{text}");
}
