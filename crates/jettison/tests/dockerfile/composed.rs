//! Stages that stand on something else than an image: packages, a directory.

use std::fs;

use crate::support::Bench;

#[test]
fn packages_of_the_archive_are_a_base() {
    let Some(bench) = Bench::root() else { return };
    let base = "tools=debian?packages=dpkg,dash,coreutils,grep,sed,libc-bin&variant=custom";
    bench.dockerfile(
        "FROM tools\n\
         RUN test -z \"$(dpkg --audit)\" && dpkg -s dash | grep -q 'install ok installed'\n\
         RUN test -L /bin && test -x /sbin/ldconfig && ldconfig -p > /own && ldconfig \\\n\
          && ldconfig -p > /theirs && sed -i '$d' /own && sed -i '$d' /theirs && test \"$(cat /own)\" = \"$(cat /theirs)\"\n\
         CMD [\"sh\", \"-c\", \"echo it runs\"]\n",
    );
    let made = bench.build(&["--no-slim", "-t", "made", "--build-context", base]);
    if made.code != Some(0)
        && (made.text().contains("no Debian archive") || made.text().contains("InRelease"))
    {
        println!("skipped: no archive of Debian packages can be reached");
        return;
    }
    made.says(0, &["packages; ", "deeds of maintainer scripts"]);
    assert_eq!(bench.ran(&["run", "made"]).stdout, "it runs\n");
    // The same packages are the same image, and are not unpacked twice.
    let again = bench.build(&["--no-slim", "-t", "again", "--build-context", base]);
    again.says(0, &[]);
    assert!(!again.text().contains("fetching"), "{}", again.text());

    let wrong = "tools=debian?packages=dash,not-there-at-all&variant=custom";
    let wrong = bench.build(&["--no-slim", "--build-context", wrong]);
    wrong.says(2, &["package not-there-at-all is not in"]);
    let wrong = bench.build(&["--no-slim", "--build-context", "tools=debian?dash"]);
    wrong.says(2, &["neither packages=NAME"]);
}

#[test]
fn a_directory_is_a_base() {
    for bench in Bench::both() {
        fs::create_dir_all(bench.path("app/tree/folder")).unwrap();
        bench.file("tree/folder/a", "a");
        bench.file("tree/left-out", "b");
        bench.file("tree/.dockerignore", "left-out\n");
        bench.dockerfile(
            "FROM tree AS files\nFROM base\nCOPY --from=files / /all/\nCMD find /all\n",
        );
        let tree = format!("tree={}", bench.path("app/tree").display());
        let arguments = ["--no-slim", "-t", "made", "--build-context", &tree];
        bench.build(&arguments).says(0, &[]);
        let found = bench.ran(&["run", "made"]).stdout;
        let mut found: Vec<&str> = found.lines().collect();
        found.sort();
        let expected = ["/all", "/all/.dockerignore", "/all/folder", "/all/folder/a"];
        assert_eq!(found, expected);
        // What the directory holds decides.
        bench.file("tree/folder/a", "b");
        bench.dockerfile(
            "FROM tree AS files\nFROM base\nCOPY --from=files / /all/\nCMD cat /all/folder/a\n",
        );
        bench.build(&arguments).says(0, &[]);
        assert_eq!(bench.ran(&["run", "made"]).stdout, "b");
    }
}
