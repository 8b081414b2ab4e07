//! Archives that lie, and odd ones that do not.

use super::TarBlock;

/// What a reader must make of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// It is read to its end; so many entries.
    Fine(usize),
    /// It is refused with an error whose text contains this.
    Error(&'static str),
}

/// An archive with what is expected of it.
#[derive(Debug, Clone)]
pub struct TarCase {
    /// What is special about it, as a file name.
    pub name: &'static str,
    /// The uncompressed archive.
    pub bytes: Vec<u8>,
    /// What a reader must make of it.
    pub expected: Expected,
}

/// The whole corpus; some cases are a few MiB long.
pub fn tar_corpus() -> Vec<TarCase> {
    let mut cases = names();
    cases.extend(sizes());
    cases.extend(sparse());
    cases.extend(extended());
    cases.extend(ends());
    cases
}

const END: [u8; 1024] = [0; 1024];

fn fine(name: &'static str, entries: usize, parts: &[&[u8]]) -> TarCase {
    TarCase {
        name,
        bytes: parts.concat(),
        expected: Expected::Fine(entries),
    }
}

fn refused(name: &'static str, error: &'static str, parts: &[&[u8]]) -> TarCase {
    TarCase {
        name,
        bytes: parts.concat(),
        expected: Expected::Error(error),
    }
}

fn file(name: &str, content: &[u8]) -> Vec<u8> {
    TarBlock::new(b'0', name, content.len() as u64).with(content)
}

fn names() -> Vec<TarCase> {
    let hard_link = |target: &str| TarBlock::new(b'1', "link", 0).link(target).bytes();
    let deep = "d/".repeat(400);
    let long = vec![b'n'; 5000];
    vec![
        fine("absolute-name", 1, &[&file("/etc/passwd", b"x"), &END]),
        fine("doubled-slashes", 1, &[&file("a//./b", b"x"), &END]),
        fine(
            "root-directory",
            1,
            &[&TarBlock::new(b'5', "./", 0).bytes(), &END],
        ),
        fine(
            "v7-directory",
            1,
            &[&TarBlock::new(0, "old/", 0).field(257, 8, "").bytes(), &END],
        ),
        fine(
            "name-not-utf-8",
            1,
            &[&TarBlock::new(b'0', b"\xff\xfe", 0).bytes(), &END],
        ),
        fine(
            "name-with-escapes",
            1,
            &[&file("a\x1b[31mred\n\u{202e}", b"x"), &END],
        ),
        fine(
            "symlink-outside",
            1,
            &[&TarBlock::new(b'2', "l", 0).link("../../etc").bytes(), &END],
        ),
        refused(
            "parent-name",
            "../etc/passwd: name: path contains `..`",
            &[&file("../etc/passwd", b"x"), &END],
        ),
        refused(
            "parent-inside",
            "a/../../b: name: path contains `..`",
            &[&file("a/../../b", b"x"), &END],
        ),
        refused(
            "parent-hard-link",
            "link: hard link's target: path contains `..`",
            &[&hard_link("../../etc/shadow"), &END],
        ),
        refused(
            "hard-link-to-root",
            "link: hard link has no target",
            &[&hard_link("/"), &END],
        ),
        refused(
            "symlink-to-nothing",
            "l: symbolic link has no target",
            &[&TarBlock::new(b'2', "l", 0).bytes(), &END],
        ),
        refused(
            "nameless-file",
            "only a directory can be the root",
            &[&file("", b"x"), &END],
        ),
        refused(
            "root-is-a-link",
            "only a directory can be the root",
            &[&TarBlock::new(b'2', "/", 0).link("etc").bytes(), &END],
        ),
        refused(
            "unknown-type",
            "odd: type `Z` is none",
            &[&TarBlock::new(b'Z', "odd", 0).bytes(), &END],
        ),
        refused(
            "volume-label",
            "label: type `V` is none",
            &[&TarBlock::new(b'V', "label", 0).bytes(), &END],
        ),
        refused(
            "deep-name",
            "components deep",
            &[
                &TarBlock::pax(&[("path", deep.as_bytes())]),
                &file("x", b""),
                &END,
            ],
        ),
        refused(
            "long-name",
            "name is over 4096 bytes",
            &[
                &TarBlock::new(b'L', "././@LongLink", long.len() as u64)
                    .gnu()
                    .with(&long),
                &file("x", b""),
                &END,
            ],
        ),
        refused(
            "long-name-bomb",
            "more than 1048576 bytes of extended headers",
            &[
                &TarBlock::new(b'L', "././@LongLink", 1 << 33).gnu().bytes(),
                &END,
            ],
        ),
        refused(
            "nul-in-pax-path",
            "NUL byte in its path",
            &[&TarBlock::pax(&[("path", b"a\0b")]), &file("x", b""), &END],
        ),
        refused(
            "negative-major",
            "dev: major number is out of range",
            &[
                &TarBlock::new(b'3', "dev", 0)
                    .gnu()
                    .field(329, 8, [0xff; 8])
                    .bytes(),
                &END,
            ],
        ),
    ]
}

fn sizes() -> Vec<TarCase> {
    let sized = |field: &[u8]| TarBlock::new(b'0', "liar", 0).field(124, 12, field).bytes();
    vec![
        fine(
            "base-256-size",
            1,
            &[
                &TarBlock::new(b'0', "big", 0)
                    .field(124, 12, b"\x80\0\0\0\0\0\0\0\0\0\0\x03")
                    .with(b"abc"),
                &END,
            ],
        ),
        fine(
            "directory-with-size",
            2,
            &[
                &TarBlock::new(b'5', "d", 4096).bytes(),
                &file("after", b"x"),
                &END,
            ],
        ),
        fine(
            "link-with-size",
            2,
            &[
                &TarBlock::new(b'1', "l", 4096).link("d").bytes(),
                &file("after", b"x"),
                &END,
            ],
        ),
        refused(
            "negative-size",
            "liar: its size is negative",
            &[&sized(&[0xff; 12]), &END],
        ),
        refused(
            "overflowing-size",
            "liar: size is not a number, or too large",
            &[
                &sized(b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
                &END,
            ],
        ),
        refused(
            "huge-size",
            "liar: more than 100000000000 unpacked bytes",
            &[&sized(b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"), &END],
        ),
        refused(
            "size-beyond-the-end",
            "liar: archive ends in the middle of its content",
            &[&TarBlock::new(b'0', "liar", 1 << 20).with(b"short"), &END],
        ),
        refused(
            "letters-in-size",
            "liar: size is not a number",
            &[&sized(b"12z"), &END],
        ),
        refused(
            "negative-uid",
            "liar: uid is negative",
            &[
                &TarBlock::new(b'0', "liar", 0)
                    .field(108, 8, [0xff; 8])
                    .bytes(),
                &END,
            ],
        ),
        fine(
            "pax-size-overrides",
            2,
            &[
                &TarBlock::pax(&[("size", b"3")]),
                &TarBlock::new(b'0', "x", 0).with(b"abc"),
                &file("after", b"y"),
                &END,
            ],
        ),
        refused(
            "pax-size-runs-on",
            "x: archive ends in the middle of its content",
            &[
                &TarBlock::pax(&[("size", b"999999")]),
                &file("x", b"abc"),
                &file("after", b"y"),
                &END,
            ],
        ),
        refused(
            "pax-size-desynchronises",
            "header checksum does not match",
            &[
                &TarBlock::pax(&[("size", b"0")]),
                &file("x", b"this is read as a header"),
                &END,
            ],
        ),
        refused(
            "pax-negative-size",
            "x: its size is negative",
            &[&TarBlock::pax(&[("size", b"-5")]), &file("x", b""), &END],
        ),
        refused(
            "pax-overflowing-size",
            "size is not a number",
            &[
                &TarBlock::pax(&[("size", b"99999999999999999999")]),
                &file("x", b""),
                &END,
            ],
        ),
    ]
}

fn sparse() -> Vec<TarCase> {
    let old = |map: &[(u64, u64)], real: u64, stored: &[u8]| {
        let mut block = TarBlock::new(b'S', "holes", stored.len() as u64).gnu();
        for (at, (offset, length)) in map.iter().enumerate() {
            block = block
                .field(386 + 24 * at, 12, format!("{offset:011o}"))
                .field(398 + 24 * at, 12, format!("{length:011o}"));
        }
        block.field(483, 12, format!("{real:011o}")).with(stored)
    };
    let pax = |map: &str, count: &str, real: &str, stored: &[u8]| {
        [
            TarBlock::pax(&[
                ("GNU.sparse.major", b"0"),
                ("GNU.sparse.minor", b"1"),
                ("GNU.sparse.size", real.as_bytes()),
                ("GNU.sparse.numblocks", count.as_bytes()),
                ("GNU.sparse.map", map.as_bytes()),
            ]),
            file("holes", stored),
        ]
        .concat()
    };
    let pax_1 = |map: &str| {
        let mut content = map.as_bytes().to_vec();
        content.resize(512, 0);
        content.extend_from_slice(b"data");
        [
            TarBlock::pax(&[
                ("GNU.sparse.major", b"1"),
                ("GNU.sparse.minor", b"0"),
                ("GNU.sparse.realsize", b"1000"),
            ]),
            file("holes", &content),
        ]
        .concat()
    };
    let endless = TarBlock::new(b'S', "holes", 0)
        .gnu()
        .field(482, 1, [1])
        .bytes();
    let more = [vec![0; 504], vec![1], vec![0; 7]].concat().repeat(3000);
    vec![
        fine(
            "sparse-old",
            1,
            &[&old(&[(100, 4), (1000, 0)], 1000, b"data"), &END],
        ),
        fine("sparse-all-hole", 1, &[&old(&[(0, 0)], 1 << 30, b""), &END]),
        fine(
            "sparse-pax-0",
            1,
            &[&pax("100,4", "1", "1000", b"data"), &END],
        ),
        fine("sparse-pax-1", 1, &[&pax_1("1\n100\n4\n"), &END]),
        refused(
            "sparse-overlap",
            "overlap or are out of order",
            &[&old(&[(100, 2), (101, 2)], 1000, b"data"), &END],
        ),
        refused(
            "sparse-backwards",
            "overlap or are out of order",
            &[&pax("500,2,100,2", "2", "1000", b"data"), &END],
        ),
        refused(
            "sparse-beyond-size",
            "holes: sparse map goes beyond",
            &[&old(&[(998, 4)], 1000, b"data"), &END],
        ),
        refused(
            "sparse-overflow",
            "sparse map goes beyond",
            &[
                &pax(
                    "9223372036854775807,9223372036854775807",
                    "1",
                    "1000",
                    b"data",
                ),
                &END,
            ],
        ),
        refused(
            "sparse-negative",
            "negative length",
            &[&pax("5,-4", "1", "1000", b"data"), &END],
        ),
        refused(
            "sparse-missing-data",
            "wants 400 stored bytes, but the archive has 4",
            &[&old(&[(100, 400)], 1000, b"data"), &END],
        ),
        refused(
            "sparse-spare-data",
            "wants 2 stored bytes, but the archive has 4",
            &[&old(&[(100, 2)], 1000, b"data"), &END],
        ),
        refused(
            "sparse-wrong-count",
            "number of stretches it says",
            &[&pax("100,4", "2", "1000", b"data"), &END],
        ),
        refused(
            "sparse-count-bomb",
            "sparse map is longer than what is stored",
            &[&pax_1("4611686018427387903\n"), &END],
        ),
        refused(
            "sparse-count-overflow",
            "count that is not one",
            &[&pax_1("99999999999999999999\n"), &END],
        ),
        refused(
            "sparse-map-endless",
            "bytes of extended headers",
            &[&endless, &more, &END],
        ),
        refused(
            "sparse-bomb",
            "unpacked bytes",
            &[&old(&[(0, 0)], (1 << 33) - 1, b"").repeat(20), &END],
        ),
        refused(
            "sparse-directory",
            "sparse map for what is not a file",
            &[
                &TarBlock::pax(&[("GNU.sparse.major", b"0"), ("GNU.sparse.minor", b"1")]),
                &TarBlock::new(b'5', "d", 0).bytes(),
                &END,
            ],
        ),
        refused(
            "sparse-ustar",
            "dialect other than GNU's",
            &[&TarBlock::new(b'S', "holes", 0).bytes(), &END],
        ),
    ]
}

fn extended() -> Vec<TarCase> {
    let record = b"6 a=b\n".repeat(100_000);
    let million = TarBlock::new(b'x', "x", record.len() as u64).with(&record);
    let raw = |data: &[u8]| TarBlock::new(b'x', "x", data.len() as u64).with(data);
    let global = TarBlock::new(b'g', "g", 19).with(b"19 path=../outside\n");
    let chain = TarBlock::new(b'x', "x", 0).bytes().repeat(5000);
    vec![
        fine("global-header", 1, &[&global, &file("x", b""), &END]),
        fine(
            "binary-attribute",
            1,
            &[
                &TarBlock::pax(&[("SCHILY.xattr.user.a", b"\0\xff=\n")]),
                &file("x", b""),
                &END,
            ],
        ),
        refused(
            "many-records",
            "too many records",
            &[&million, &file("x", b""), &END],
        ),
        refused(
            "header-chain",
            "bytes of extended headers",
            &[&chain, &file("x", b""), &END],
        ),
        refused(
            "record-too-long",
            "malformed record",
            &[&raw(b"99 a=b\n"), &file("x", b""), &END],
        ),
        refused(
            "record-without-key",
            "malformed record",
            &[&raw(b"5 =b\n"), &file("x", b""), &END],
        ),
        refused(
            "record-length-zero",
            "malformed record",
            &[&raw(b"0 a=b\n"), &file("x", b""), &END],
        ),
        refused(
            "bad-time",
            "mtime is not a time",
            &[
                &TarBlock::pax(&[("mtime", b"yesterday")]),
                &file("x", b""),
                &END,
            ],
        ),
        refused(
            "header-bomb",
            "bytes of extended headers",
            &[&TarBlock::new(b'x', "x", 1 << 32).bytes(), &END],
        ),
        refused(
            "header-negative",
            "extended header's size is negative",
            &[
                &TarBlock::new(b'x', "x", 0)
                    .gnu()
                    .field(124, 12, [0xff; 12])
                    .bytes(),
                &END,
            ],
        ),
    ]
}

fn ends() -> Vec<TarCase> {
    let one = file("x", b"content");
    vec![
        fine("empty", 0, &[]),
        fine("end-marker-only", 0, &[&END]),
        fine("no-end-marker", 1, &[&one]),
        fine("half-an-end-marker", 1, &[&one, &END[..512]]),
        fine("junk-after-the-end", 1, &[&one, &END, b"junk"]),
        fine("no-padding-at-the-end", 1, &[&one[..519]]),
        refused(
            "junk-after-one-zero-block",
            "lone block of zeros",
            &[&one, &END[..512], &one],
        ),
        refused(
            "cut-in-header",
            "ends in the middle of a header",
            &[&one, &one[..100]],
        ),
        refused(
            "cut-in-content",
            "x: archive ends in the middle of its content",
            &[&one[..515]],
        ),
        refused(
            "cut-in-extended-header",
            "ends in the middle of an extended header",
            &[&TarBlock::pax(&[("path", &[b'p'; 600])])[..1024]],
        ),
        refused(
            "dangling-extended-header",
            "nothing follows an extended header",
            &[&TarBlock::pax(&[("path", b"p")]), &END],
        ),
        refused(
            "not-a-tar",
            "header checksum does not match",
            &[&[b'#'; 2048]],
        ),
    ]
}
