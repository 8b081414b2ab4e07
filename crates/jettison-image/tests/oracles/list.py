# Lists a tar archive as Python's tarfile reads it, in the form of list.go;
# with "write DIR" makes archives in each of its formats instead.
import decimal, hashlib, io, os, sys, tarfile

def listed(path):
    kinds = {"0": "f", "\0": "f", "7": "f", "S": "f", "1": "h", "2": "l", "3": "c", "4": "b", "5": "d", "6": "p"}
    with tarfile.open(path, "r:", errors="surrogateescape", encoding="utf-8") as archive:
        for member in archive:
            kind = kinds[member.type.decode()]
            size, digest = 0, ""
            if kind == "f":
                content = archive.extractfile(member).read()
                size, digest = len(content), hashlib.sha256(content).hexdigest()
            code = lambda text: os.fsencode(text).hex()
            link = code(member.linkname) if kind in "hl" else ""
            device = (member.devmajor, member.devminor) if kind in "cb" else (0, 0)
            # A float has lost nanoseconds; the record has not.
            time = decimal.Decimal(member.pax_headers.get("mtime", str(member.mtime)))
            seconds = int(time.to_integral_value(decimal.ROUND_FLOOR))
            nanoseconds = int((time - seconds) * 10**9)
            attributes = ",".join(sorted(
                "%s=%s" % (code(key[13:]), code(value))
                for key, value in member.pax_headers.items() if key.startswith("SCHILY.xattr.")))
            print("|".join(map(str, [
                kind, code(member.name), link, "%o" % (member.mode & 0o7777), member.uid, member.gid,
                "%d.%09d" % (seconds, nanoseconds), size, "%d,%d" % device, digest, attributes,
                code(member.uname), code(member.gname)])))

def write(directory):
    formats = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
    for name, form in formats.items():
        path = os.path.join(directory, "python-%s.tar" % name)
        with tarfile.open(path, "w", format=form, encoding="utf-8", errors="surrogateescape",
                          pax_headers={"comment": "global"}) as archive:
            def add(path, kind=tarfile.REGTYPE, content=b"", **fields):
                member = tarfile.TarInfo(path)
                member.type, member.size, member.mode, member.mtime = kind, len(content), 0o751, 1600000000
                for field, value in fields.items():
                    setattr(member, field, value)
                try:
                    archive.addfile(member, io.BytesIO(content))
                except ValueError:
                    pass  # not every format can say everything
            add("a/file", content=b"x" * 1000)
            add("l" * 150, content=b"long name")
            add("p/" * 70 + "file", content=b"prefix")
            add("ü" * 40, content=b"utf-8")
            add(os.fsdecode(b"raw-\xff\xfe"), content=b"bytes")
            add("directory", tarfile.DIRTYPE)
            add("hard", tarfile.LNKTYPE, linkname="a/file")
            add("soft", tarfile.SYMTYPE, linkname="../" * 50 + "x")
            add("device", tarfile.BLKTYPE, devmajor=8, devminor=17)
            add("pipe", tarfile.FIFOTYPE)
            add("owner", uid=3000000, gid=4000000, uname="somebody", gname="ä")
            add("time", mtime=1600000000.5)
            add("old/", tarfile.AREGTYPE)
            add("contiguous", tarfile.CONTTYPE, content=b"contiguous")

if sys.argv[1] == "write":
    write(sys.argv[2])
else:
    listed(sys.argv[1])
