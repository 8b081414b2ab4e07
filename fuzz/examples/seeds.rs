//! Writes the generated corpus to `corpus/TARGET/`, where fuzzing begins:
//! `cargo run --bin seeds`, from this folder.

use std::fs;
use std::io::{self, Write as _};

use jettison_image::Compression;
use jettison_image::compression::{Encoder, EncoderOptions};
use jettison_image::testing::tar_corpus;

/// Seeds longer than this slow fuzzing down and show nothing more.
const SEED_BYTES: usize = 16 << 10;

/// Documents with every field that has a meaning, and one layer set.
const DOCUMENTS: [(&str, &str, &str); 5] = [
    (
        "manifest",
        "image",
        r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:b5b2b2c507a0944348e0303114d8d93aaaa081732b86451d9bce1f432a537bc7","size":7},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:b5b2b2c507a0944348e0303114d8d93aaaa081732b86451d9bce1f432a537bc7","size":5,"urls":["x"],"annotations":{"a":null}}],"subject":{},"annotations":{"k":"v"}}"#,
    ),
    (
        "manifest",
        "index",
        r#"{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:b5b2b2c507a0944348e0303114d8d93aaaa081732b86451d9bce1f432a537bc7","size":5,"platform":{"os":"linux","architecture":"arm64","os.version":"1","os.features":["x"],"variant":"v8"}}]}"#,
    ),
    (
        "config",
        "oci",
        r#"{"created":"2026-01-02T03:04:05Z","author":"a","architecture":"amd64","os":"linux","variant":"v2","config":{"User":"1:2","ExposedPorts":{"80/tcp":{}},"Env":["A=1"],"Entrypoint":["/a"],"Cmd":null,"Volumes":{"/v":{}},"WorkingDir":"/w","Labels":{"l":"v"},"StopSignal":"SIGINT","StopTimeout":3,"Healthcheck":{"Test":["CMD","/a"],"Interval":1,"Timeout":2,"StartPeriod":3,"StartInterval":4,"Retries":5},"Shell":["sh"],"OnBuild":["RUN x"],"ArgsEscaped":true,"Hostname":"h"},"rootfs":{"type":"layers","diff_ids":["sha256:b5b2b2c507a0944348e0303114d8d93aaaa081732b86451d9bce1f432a537bc7"]},"history":[{"created_by":"x","comment":"c","author":"b","empty_layer":true},{}]}"#,
    ),
    (
        "tree",
        "links",
        "dd\nfd/a\nld/l=../a/b\nhd/h=d/a\nld/l2=/d\nfd/l2/x\n",
    ),
    (
        "tree",
        "whiteouts",
        "dd\nfd/a\nde\n\nfd/.wh.a\nfd/.wh..wh..opq\ncd/a\n\nf.wh.e\nde\nfd/x\n",
    ),
];

fn main() -> io::Result<()> {
    for (target, name, text) in DOCUMENTS {
        fs::create_dir_all(format!("corpus/{target}"))?;
        fs::write(format!("corpus/{target}/{name}"), text)?;
    }
    fs::create_dir_all("corpus/tar")?;
    fs::create_dir_all("corpus/layer")?;
    for case in tar_corpus()
        .into_iter()
        .filter(|case| case.bytes.len() <= SEED_BYTES)
    {
        fs::write(format!("corpus/tar/{}", case.name), &case.bytes)?;
        for compression in [Compression::Gzip, Compression::Zstd] {
            let mut encoder = Encoder::new(Vec::new(), &EncoderOptions::new(compression))?;
            encoder.write_all(&case.bytes)?;
            fs::write(
                format!("corpus/layer/{}.{compression}", case.name),
                encoder.finish()?,
            )?;
        }
    }
    Ok(())
}
