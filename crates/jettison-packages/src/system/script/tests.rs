use std::collections::BTreeMap;

use jettison_image::{ImagePath, Timestamp};

use super::{Ground, follow};
use crate::system::model::{Found, Model, Permissions, World};

struct Files(BTreeMap<ImagePath, Vec<u8>>);

impl World for Files {
    fn find(&self, path: &ImagePath) -> Option<Found> {
        if self.0.contains_key(path) {
            return Some(Found::File(0o750));
        }
        let mut all = self.0.keys();
        (path.is_root() || all.any(|known| known.starts_with(path))).then_some(Found::Directory)
    }

    fn permissions(&self, path: &ImagePath) -> Option<Permissions> {
        self.find(path).map(|_| Permissions {
            mode: 0o750,
            uid: 7,
            gid: 7,
        })
    }

    fn read(&self, path: &ImagePath, _: u64) -> Option<Vec<u8>> {
        self.0.get(path).cloned()
    }

    fn below(&self, directory: &ImagePath) -> Vec<ImagePath> {
        let all = self.0.keys();
        all.filter(|path| path.parent().as_ref() == Some(directory))
            .cloned()
            .collect()
    }
}

/// What a postinst of a fresh installation makes: files as `path=content`,
/// links as `path->target`, then what is unproven after `?`.
#[track_caller]
fn check(script: &str, expected: &str) {
    let mut files = BTreeMap::new();
    for (path, content) in [
        ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
        ("etc/group", "root:x:0:\nmail:x:8:\n"),
        ("usr/bin/one", ""),
        ("usr/bin/two", ""),
        ("usr/share/doc/x", "text"),
    ] {
        files.insert(ImagePath::new(path).unwrap(), content.as_bytes().to_vec());
    }
    let world = Files(files);
    let mut model = Model::new(&world);
    let (mut done, mut unproven) = (Vec::new(), Vec::new());
    let ground = Ground {
        model: &mut model,
        package: "p",
        architecture: "amd64",
        done: &mut done,
        unproven: &mut unproven,
    };
    let script = format!("#!/bin/sh\nset -e\n{script}\n");
    follow(ground, "postinst", script.as_bytes(), &["configure", ""]);
    let mut got: Vec<String> = Vec::new();
    for (entry, content) in model.entries(Timestamp::default()) {
        use jettison_image::EntryKind;
        let path = String::from_utf8_lossy(entry.path.as_bytes()).into_owned();
        match entry.kind {
            EntryKind::Symlink { target } => {
                got.push(format!("{path}->{}", String::from_utf8_lossy(&target)));
            }
            EntryKind::File { .. } => {
                let text = String::from_utf8_lossy(&content).replace('\n', "/");
                got.push(format!("{path}={text}"));
            }
            _ => {}
        }
    }
    got.extend(unproven.iter().map(|line| format!("?{line}")));
    assert_eq!(got.join(" "), expected, "{script}");
}

#[test]
fn conditions() {
    check(
        "if [ \"$1\" = configure ]; then touch /a; else touch /b; fi",
        "a=",
    );
    check(
        "case \"$1\" in abort*|remove) touch /a ;; configure) touch /b ;; *) touch /c ;; esac",
        "b=",
    );
    check(
        "[ -z \"$2\" ] && touch /a; [ -n \"$2\" ] && touch /b; true",
        "a=",
    );
    check(
        "if dpkg --compare-versions \"$2\" lt 1.0; then touch /a; fi",
        "a=",
    );
    check(
        "if dpkg --compare-versions \"$2\" lt-nl 1.0; then touch /a; fi",
        "",
    );
    check(
        "if [ -x /usr/bin/one ] && [ ! -e /usr/bin/three ]; then touch /a; fi",
        "a=",
    );
    check("if command -v one >/dev/null; then touch /a; fi", "a=");
    check("touch /a; exit 0; touch /b", "a=");
    check(
        "f() { touch /$1; return 0; }\nf x\nfor n in y z; do f $n; done",
        "x= y= z=",
    );
    check(
        "for f in /usr/bin/o*; do ln -s \"$f\" /f; done",
        "f->/usr/bin/one",
    );
    check(
        "x=a.b.c; ln -s ${x%.*} /${x##*.}; ln -s ${y:-d} /e",
        "c->a.b e->d",
    );
    check(": ${D:=/x}; touch $D", "x=");
    check("set -- a b; shift 2; touch /z$1", "z=");
}

/// Whatever cannot be told is said, and nothing else is made of it.
#[test]
fn doubts() {
    check("d=$(pwd); mkdir $d/x", "?p: mkdir $d/x");
    check(". /etc/default/x; mkdir $DIR/x", "?p: mkdir $DIR/x");
    check("cd /usr/bin && ln -s one three", "?p: ln -s one three");
    check("grep -q x /etc/passwd || touch /a", "?p: touch /a");
    check(
        "if grep -q x /y; then :; elif true; then touch /a; fi",
        "?p: touch /a",
    );
    check("printf x >> /etc/issue", "?p: printf x >> /etc/issue");
    check("sed -i s/a/b/ /etc/issue", "?p: sed -i s/a/b/ /etc/issue");
    check("echo x >/dev/null 2>&1; cat <&3", "");
    check("chmod -R 0700 /usr/share", "?p: chmod -R 0700 /usr/share");
    check("rm -f /usr/bin; rmdir /usr/bin/one", "");
    let doubling = "x=aaaaaaaaaa; x=$x$x; ".to_owned() + &"x=$x$x; ".repeat(60);
    check(&(doubling + "touch /$x"), "?p: touch /$x");
    let calls = "f() { f; f; }; uname -r && f";
    check(calls, "?p: uname -r ?p: f");
    let long = format!("if [ a {} ]; then touch /a; fi", "-a a ".repeat(200_000));
    check(&long, "?p: touch /a");
    check("while true; do touch /a; done", "?p: touch /a");
    check(
        "if uname -r; then touch /a; fi",
        "?p: uname -r ?p: touch /a",
    );
    check("f() { f; }\nf", "");
}

#[test]
fn files() {
    check("mkdir -p /d/e && cp -p /usr/share/doc/x /d/e", "d/e/x=text");
    check(
        "echo a b > /f\ncat > /g <<EOF\nc\nEOF\n: > \"$DPKG_ROOT/h\"",
        "f=a b/ g=c/ h=",
    );
    check("ln -sf one /usr/bin/two", "usr/bin/two->one");
    check("rm -f /usr/bin/two /not/there", "usr/bin/.wh.two=");
    check(
        "ln -s ../../../../etc /l; touch /l/f",
        "etc/f= l->../../../../etc",
    );
    check("p=$(which one || true); ln -s $p /l", "l->/usr/bin/one");
    check("p=$(which one || echo /x); ln -s $p /l", "?p: ln -s $p /l");
    check("rm -rf /usr", "?p: rm -rf /usr");
    check("make install", "?p: make install");
}

/// What a package brought stays whose it was, and as open as it was.
#[test]
fn permissions() {
    let path = ImagePath::new("usr/bin/one").unwrap();
    let world = Files(BTreeMap::from([(path.clone(), Vec::new())]));
    let mut model = Model::new(&world);
    let own = |model: &Model<'_>| model.permissions(&path).unwrap();
    assert!(model.change(b"/usr/bin/one", |own| own.gid = 8));
    let (mode, uid, gid) = (0o750, 7, 8);
    assert_eq!(own(&model), Permissions { mode, uid, gid });
    assert!(model.write(b"/usr/bin/one", b"x".to_vec(), 0o644));
    assert_eq!(own(&model), Permissions { mode, uid, gid });
}

#[test]
fn accounts() {
    check(
        "adduser --quiet --system --group --home /var/lib/x --no-create-home x",
        "etc/group=root:x:0:/mail:x:8:/x:x:100:/ \
         etc/passwd=root:x:0:0:root:/root:/bin/sh/x:x:100:100::/var/lib/x:/usr/sbin/nologin/",
    );
    check("getent passwd root >/dev/null || adduser --system root", "");
    check(
        "addgroup --system y; adduser root y",
        "etc/group=root:x:0:/mail:x:8:/y:x:100:root/",
    );
    check("adduser --system 'a:b'", "?p: adduser --system 'a:b'");
}

#[test]
fn alternatives() {
    check(
        "update-alternatives --install /usr/bin/n n /usr/bin/one 10; \
         update-alternatives --install /usr/bin/n n /usr/bin/two 20; \
         update-alternatives --install /usr/bin/m m /usr/bin/three 20",
        "etc/alternatives/n->/usr/bin/two usr/bin/n->/etc/alternatives/n \
         var/lib/dpkg/alternatives/n=auto//usr/bin/n///usr/bin/one/10//usr/bin/two/20//",
    );
}
