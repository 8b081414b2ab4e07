//! Little programs that do and do not use a companion, built by the machine's
//! own toolchains: what they are found to need, and why.

#![expect(clippy::print_stdout, reason = "tests say aloud what they skip")]

use std::fs;
use std::path::Path;
use std::process::Command;

use jettison_closure::{Companion, NeedState, Program, needs};

fn has(program: &str, argument: &str) -> bool {
    let found = Command::new(program)
        .arg(argument)
        .output()
        .is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

/// Builds one Go file, stripped as the recipe does.
fn go(source: &str, architecture: &str, directory: &Path) -> Vec<u8> {
    fs::write(directory.join("main.go"), source).expect("a source");
    let output = Command::new("go")
        .args([
            "build",
            "-trimpath",
            "-ldflags",
            "-s -w",
            "-o",
            "program",
            "main.go",
        ])
        .env("CGO_ENABLED", "0")
        .env("GOOS", "linux")
        .env("GOARCH", architecture)
        .current_dir(directory)
        .output()
        .expect("go runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    fs::read(directory.join("program")).expect("a program")
}

/// The companions that are not `NotNeeded`, as `name` or `name (embedded)`.
fn asked(data: &[u8]) -> Vec<String> {
    needs(data)
        .expect("an ELF file")
        .into_iter()
        .inspect(|need| println!("{:?} {:?}: {}", need.companion, need.state, need.reason))
        .filter_map(|need| match need.state {
            NeedState::NotNeeded => None,
            NeedState::Embedded => Some(format!("{} (embedded)", need.companion)),
            NeedState::Needed => Some(need.companion.to_string()),
        })
        .collect()
}

fn check_go(imports: &[&str], body: &str, expected: &[&str]) {
    let directory = tempfile::tempdir().expect("a directory");
    let imports: String = imports
        .iter()
        .map(|import| format!("import {import}\n"))
        .collect();
    let source = format!("package main\n{imports}func main() {{ {body} }}\n");
    let data = go(
        &source,
        std::env::consts::ARCH
            .replace("x86_64", "amd64")
            .replace("aarch64", "arm64")
            .as_str(),
        directory.path(),
    );
    assert_eq!(asked(&data), expected, "{body}");
}

const SERVE: &str = r#"http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("x")) }); http.ListenAndServe(":0", nil)"#;

#[test]
fn go_programs_need_what_they_use() {
    if !has("go", "version") {
        return;
    }
    check_go(&[], "println(1)", &[]);
    check_go(
        &["\"fmt\"", "\"time\""],
        "fmt.Println(time.Now().Local())",
        &[],
    );
    // A server accepts connections; it verifies nobody.
    check_go(&["\"net/http\""], SERVE, &[]);
    check_go(
        &["\"net/http\""],
        r#"http.Get("https://x")"#,
        &["ca-certificates"],
    );
    check_go(
        &["\"net/http\""],
        r#"http.ListenAndServe(":0", http.FileServer(http.Dir("web")))"#,
        &["media-types"],
    );
    check_go(
        &["\"crypto/tls\""],
        r#"tls.Dial("tcp", "x:1", nil)"#,
        &["ca-certificates"],
    );
    check_go(
        &["\"crypto/tls\"", "\"net\""],
        r#"c, _ := net.Dial("tcp", "x:1"); tls.Client(c, &tls.Config{ServerName: "x"}).Handshake()"#,
        &["ca-certificates"],
    );
    check_go(
        &["\"net/smtp\""],
        r#"smtp.SendMail("x:25", nil, "", nil, nil)"#,
        &["ca-certificates"],
    );
    check_go(
        &["\"crypto/x509\"", "\"os\""],
        r#"b, _ := os.ReadFile("x"); c, _ := x509.ParseCertificate(b); c.Verify(x509.VerifyOptions{})"#,
        &["ca-certificates"],
    );
    check_go(
        &["\"time\""],
        r#"time.LoadLocation("Europe/Tallinn")"#,
        &["tzdata"],
    );
    check_go(
        &["\"time\"", "_ \"time/tzdata\""],
        r#"time.LoadLocation("Europe/Tallinn")"#,
        &["tzdata (embedded)"],
    );
    check_go(
        &["\"os\""],
        r#"os.ReadFile("/etc/os-release"); os.CreateTemp("", "x")"#,
        &["os-release", "tmp"],
    );
    check_go(&["\"os/user\""], "user.Current()", &["passwd"]);
}

#[test]
fn go_programs_need_what_they_reach_in_a_roundabout_way() {
    if !has("go", "version") {
        return;
    }
    // A function in a variable, in a table, behind reflection: no call names it.
    check_go(
        &["\"crypto/tls\"", "\"net\"", "\"os\""],
        r#"wrap := map[string]func(net.Conn, *tls.Config) *tls.Conn{"c": tls.Client, "s": tls.Server}; c, _ := net.Dial("tcp", "x:1"); wrap[os.Args[1]](c, &tls.Config{}).Handshake()"#,
        &["ca-certificates"],
    );
    check_go(
        &["\"crypto/tls\"", "\"net\"", "\"reflect\""],
        r#"c, _ := net.Dial("tcp", "x:1"); reflect.ValueOf(tls.Client).Call([]reflect.Value{reflect.ValueOf(c), reflect.ValueOf(&tls.Config{})})[0].Interface().(*tls.Conn).Handshake()"#,
        &["ca-certificates"],
    );
    // A method in the table of an interface, and one that is promoted into it.
    let verify = |value: &str| {
        format!(
            r#"type verifier interface {{ Verify(x509.VerifyOptions) ([][]*x509.Certificate, error) }}; type wrapped struct {{ *x509.Certificate }}; b, _ := os.ReadFile("x"); c, _ := x509.ParseCertificate(b); v := []verifier{{wrapped{{}}, {value}}}; v[len(os.Args)].Verify(x509.VerifyOptions{{}})"#
        )
    };
    for value in ["c", "&wrapped{c}"] {
        check_go(
            &["\"crypto/x509\"", "\"os\""],
            &verify(value),
            &["ca-certificates"],
        );
    }
    check_go(
        &["\"net/http\"", "\"os\""],
        r#"var g interface { Get(string) (*http.Response, error) } = http.DefaultClient; g.Get(os.Args[1])"#,
        &["ca-certificates"],
    );
    check_go(
        &["\"time\"", "\"os\""],
        r#"load := time.LoadLocation; load(os.Args[1])"#,
        &["tzdata"],
    );
    // Files that are opened by name, past the packages that know them.
    check_go(
        &["\"os\"", "\"net\""],
        r#"os.ReadFile("/etc/passwd"); os.ReadFile("/etc/ssl/certs/ca-certificates.crt"); os.ReadFile("/etc/mime.types"); net.Listen("unix", "/tmp/x.sock")"#,
        &["ca-certificates", "media-types", "passwd", "tmp"],
    );
    check_go(
        &["\"net/http\""],
        r#"http.ListenAndServeTLS(":0", "a", "b", nil)"#,
        &[],
    );
}

#[test]
fn go_programs_for_another_processor_are_read_alike() {
    if !has("go", "version") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    for architecture in ["amd64", "arm64"] {
        let server = format!("package main\nimport \"net/http\"\nfunc main() {{ {SERVE} }}\n");
        assert!(
            asked(&go(&server, architecture, directory.path())).is_empty(),
            "{architecture}"
        );
        let client = "package main\nimport \"net/http\"\nfunc main() { http.Get(\"https://x\") }\n";
        let data = go(client, architecture, directory.path());
        let need = needs(&data).expect("needs").remove(0);
        assert_eq!(
            (need.companion, need.state),
            (Companion::CaCertificates, NeedState::Needed)
        );
        // The reason names a caller, so the machine code was understood.
        assert!(
            need.reason.ends_with("opens TLS connections"),
            "{}",
            need.reason
        );
    }
}

#[test]
fn c_code_in_front_is_no_reason_to_need_less() {
    if !has("go", "version") || !has("cc", "--version") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let source = "package main\nimport \"C\"\nimport \"net/http\"\nfunc main() { http.Get(\"https://x\") }\n";
    fs::write(directory.path().join("main.go"), source).expect("a source");
    let flags = "-s -w -linkmode external -extldflags \"-static\"";
    let output = Command::new("go")
        .args([
            "build",
            "-tags",
            "netgo,osusergo",
            "-ldflags",
            flags,
            "-o",
            "x",
            "main.go",
        ])
        .env("CGO_ENABLED", "1")
        .current_dir(directory.path())
        .output()
        .expect("go runs");
    if !output.status.success() {
        println!(
            "skipped: no static cgo here: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        return;
    }
    let data = fs::read(directory.path().join("x")).expect("a program");
    assert!(
        Program::read(&data)
            .expect("an ELF file")
            .elf
            .linkage
            .is_static()
    );
    assert!(asked(&data).contains(&"ca-certificates".to_owned()));
}

#[test]
fn build_information_agrees_with_the_go_command() {
    if !has("go", "version") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(
        directory.path().join("go.mod"),
        "module example.com/x\n\ngo 1.21\n",
    )
    .expect("a module");
    fs::write(
        directory.path().join("main.go"),
        "package main\n\nfunc main() {}\n",
    )
    .expect("a source");
    for mode in ["exe", "pie"] {
        let built = Command::new("go")
            .args([
                "build",
                "-trimpath",
                "-buildmode",
                mode,
                "-tags",
                "a,b",
                "-ldflags",
                "-s -w -X \"main.v=1 2\"",
                "-o",
                "x",
            ])
            .env("CGO_ENABLED", "0")
            .current_dir(directory.path())
            .status()
            .expect("go runs");
        assert!(built.success());
        let printed = Command::new("go")
            .args(["version", "-m", "x"])
            .current_dir(directory.path())
            .output()
            .expect("go");
        let printed = String::from_utf8_lossy(&printed.stdout).into_owned();

        let program = Program::read(&fs::read(directory.path().join("x")).expect("a program"))
            .expect("an ELF file");
        let build = program.go.expect("a Go program");
        let mut ours = format!(
            "x: {}\n\tpath\t{}\n",
            build.go_version,
            build.path.as_deref().unwrap_or_default()
        );
        let main = build.main.as_ref().expect("a main module");
        ours.push_str(&format!("\tmod\t{}\t{}\t\n", main.path, main.version));
        for (key, value) in &build.settings {
            let value = if value.contains([' ', '"']) {
                format!("{value:?}")
            } else {
                value.clone()
            };
            ours.push_str(&format!("\tbuild\t{key}={value}\n"));
        }
        assert_eq!(ours, printed);
        assert_eq!(build.setting("CGO_ENABLED"), Some("0"));
    }
}

fn check_rust(body: &str, expected: &[&str]) {
    check_rust_built_with(&["-O"], body, expected);
}

fn check_rust_built_with(flags: &[&str], body: &str, expected: &[&str]) {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(
        directory.path().join("main.rs"),
        format!("fn main() {{ {body} }}\n"),
    )
    .expect("a source");
    let output = Command::new("rustc")
        .args([
            "--edition",
            "2021",
            "-C",
            "strip=symbols",
            "-C",
            "target-feature=+crt-static",
            "main.rs",
        ])
        .args(flags)
        .current_dir(directory.path())
        .output()
        .expect("rustc runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let data = fs::read(directory.path().join("main")).expect("a program");
    assert!(
        Program::read(&data)
            .expect("an ELF file")
            .elf
            .linkage
            .is_static()
    );
    assert_eq!(asked(&data), expected, "{flags:?}: {body}");
}

#[test]
fn rust_programs_need_what_they_name() {
    if !has("rustc", "--version") || !has("cc", "--version") {
        return;
    }
    check_rust("println!(\"x\")", &["tmp"]);
    check_rust(
        "println!(\"{}\", std::fs::read_to_string(\"/etc/os-release\").unwrap())",
        &["os-release", "tmp"],
    );
    check_rust("println!(\"{:?}\", std::env::temp_dir())", &["tmp"]);
    check_rust(
        "println!(\"{:?}\", std::env::var(\"SSL_CERT_FILE\"))",
        &["ca-certificates", "tmp"],
    );
    check_rust(
        "println!(\"{:?}\", std::fs::read(\"/etc/passwd\").is_ok())",
        &["passwd", "tmp"],
    );
    // Optimised across crates, short texts become parts of instructions.
    check_rust_built_with(
        &["-O", "-C", "lto=fat", "-C", "panic=abort"],
        "println!(\"{:?} {:?}\", std::fs::read(\"/etc/passwd\").is_ok(), std::env::var_os(\"SSL_CERT_FILE\"))",
        &["ca-certificates", "passwd", "tmp"],
    );
    check_rust(
        "let p = std::path::Path::new(\"/usr/share\").join(\"zoneinfo\"); println!(\"{:?}\", std::fs::read(p.join(std::env::args().nth(1).unwrap())).is_ok())",
        &["tzdata", "tmp"],
    );
}

#[test]
fn mutated_programs_never_panic() {
    if !has("go", "version") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let original = go(
        "package main\nfunc main() { println(1) }\n",
        "amd64",
        directory.path(),
    );
    let table = original
        .windows(6)
        .position(|w| w == b"\xf1\xff\xff\xff\0\0")
        .expect("a function table");
    let info = original
        .windows(14)
        .position(|w| w == b"\xff Go buildinf:")
        .expect("build information");
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |bound: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % bound as u64).expect("less than a usize")
    };
    for round in 0..60 {
        let mut bytes = original.clone();
        for start in [0, table, info] {
            for _ in 0..1 + below(4) {
                let at = start + below(96);
                if at > 4 && !(table..table + 6).contains(&at) && !(info..info + 14).contains(&at) {
                    bytes[at] = [0, 0xff, 0x80, 1][below(4)];
                }
            }
        }
        if round % 3 == 0 {
            bytes.truncate(table + below(4096));
        }
        let _ = Program::read(&bytes);
        let _ = needs(&bytes);
    }
}
