//! Which directories may be mounted in which Dockerfiles.

use std::collections::BTreeMap;

use jettison_dockerfile::graph::graph;
use jettison_dockerfile::parse;

use super::*;

/// Which caches the first stage of a file may have.
#[track_caller]
fn check(file: &str, expected: &[&str]) {
    let (tree, errors) = parse(file.as_bytes());
    assert!(errors.is_empty(), "{errors:?}");
    let graph = graph(&tree, None, &BTreeMap::new(), &BTreeMap::new(), &|_| false).unwrap();
    let path = |directory: &Directory| match directory.name {
        "go-build" => "/root/.cache/go-build",
        "go-mod" => "/go/pkg/mod",
        "npm" => "/root/.npm/_cacache",
        other => panic!("{other}"),
    };
    let tools = TOOLS
        .iter()
        .filter(|tool| tool.programs.contains(&"go") || tool.programs.contains(&"npm"));
    let pairs = tools.flat_map(|tool| tool.caches.iter().map(move |cache| (tool, cache)));
    let found: Vec<&str> = pairs
        .filter(|(tool, cache)| allows(&tree, &graph, 0, tool, cache, path(cache), "/src"))
        .map(|(_, cache)| cache.name)
        .collect();
    assert_eq!(found, expected, "{file}");
}

#[test]
fn who_could_notice() {
    let all = ["go-build", "go-mod", "npm"];
    for (middle, expected) in [
        ("RUN go build", &all[..]),
        (
            "RUN apt-get update && rm -rf /var/lib/apt/lists/* /tmp/x",
            &all,
        ),
        ("RUN rm -rf node_modules dist", &all),
        ("RUN rm -rf /root/.cache", &["go-mod", "npm"]),
        ("RUN cd /root && rm -rf .cache", &["go-mod"]),
        ("RUN rm -rf ~/.npm", &[]),
        ("RUN rm -rf $X", &[]),
        ("RUN [\"rm\", \"-rf\", \"/go\"]", &["go-build", "npm"]),
        ("RUN go clean -modcache", &["npm"]),
        (
            "RUN npm ci && npm cache clean --force",
            &["go-build", "go-mod"],
        ),
        ("RUN export GOCACHE=/x; go build", &["go-mod", "npm"]),
        ("RUN HOME=/x npm ci", &[]),
        ("RUN echo 'a", &[]),
        ("COPY mod /go/pkg/mod/", &["go-build", "npm"]),
        ("COPY . /go/src/x", &all),
        ("COPY . /", &all),
        ("COPY . /root", &all),
        ("COPY . $TO", &all),
        ("RUN cp -r /root /x", &["go-mod"]),
        ("RUN cp -r . /x && chown -R 1000 .", &all),
        ("WORKDIR /go\nRUN tar c .", &["go-build", "npm"]),
        ("RUN tar cf /x.tar $(go env GOCACHE)", &["go-mod", "npm"]),
        ("RUN du -s $GOPATH", &["go-build", "npm"]),
        ("RUN ls ~/.cache | wc -l", &[]),
        (
            "RUN python3 -c 'open(\"/go/pkg/mod/x\")'",
            &["go-build", "npm"],
        ),
        ("RUN <<X\n#!/usr/bin/python3\nprint(1)\nX", &[]),
        ("RUN <<X\n#!/bin/sh\ngo build\nX", &all),
        ("RUN cd / && cp a b", &all),
        ("RUN go mod download\nRUN go build", &["go-build", "npm"]),
        (
            "RUN go build\nRUN make # with go\nUSER 0:0",
            &["go-build", "npm"],
        ),
        ("RUN go build\nUSER app", &[]),
    ] {
        let end = "FROM scratch\nCOPY --from=a /x /x\n";
        check(&format!("FROM b AS a\n{middle}\n{end}"), expected);
    }
    for (end, expected) in [
        ("FROM scratch\nCOPY --from=a / /", &[][..]),
        (
            "FROM scratch\nCOPY --from=0 /go/pkg /x",
            &["go-build", "npm"],
        ),
        ("FROM scratch\nCOPY --from=a /go* /x", &[]),
        ("FROM b\nRUN --mount=from=a,target=/x true", &[]),
        ("FROM a\nRUN true", &["go-build", "npm"]),
        (
            "FROM a AS c\nRUN rm -rf /go\nFROM scratch\nCOPY --from=c /x /x",
            &["go-build", "npm"],
        ),
        ("", &["go-build", "npm"]),
    ] {
        check(&format!("FROM b AS a\nRUN go build\n{end}\n"), expected);
    }
}

#[test]
fn scripts() {
    for (text, expected) in [
        ("CGO_ENABLED=0 go build -o /x .", &["go"][..]),
        (
            "cd /x && if true; then /usr/local/go/bin/go test; fi",
            &["cd", "true", "go"],
        ),
        ("time env A=1 cargo build", &["cargo"]),
        ("python3 -m pip install x", &["pip"]),
        ("$TOOL build", &[]),
    ] {
        let script = Script::of_text(text.as_bytes()).unwrap();
        let names: Vec<_> = script
            .commands
            .iter()
            .map(|command| &command.name[..])
            .collect();
        let expected: Vec<_> = expected.iter().map(|name| name.as_bytes()).collect();
        assert_eq!(names, expected, "{text}");
    }
}
