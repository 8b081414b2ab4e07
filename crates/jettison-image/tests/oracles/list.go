// Lists a tar archive from standard input as Go's archive/tar reads it, one
// line per entry, for comparison; with "write" makes one instead.
package main

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "write" {
		write()
		return
	}
	kinds := map[byte]string{'0': "f", 'S': "f", '7': "f", '1': "h", '2': "l", '3': "c", '4': "b", '5': "d", '6': "p"}
	reader := tar.NewReader(os.Stdin)
	for {
		header, err := reader.Next()
		if err == io.EOF {
			return
		}
		check(err)
		if header.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		kind := kinds[header.Typeflag]
		size, sum := int64(0), ""
		if kind == "f" {
			hash := sha256.New()
			size, err = io.Copy(hash, reader)
			check(err)
			sum = hex.EncodeToString(hash.Sum(nil))
		}
		link := ""
		if kind == "h" || kind == "l" {
			link = header.Linkname
		}
		major, minor := int64(0), int64(0)
		if kind == "c" || kind == "b" {
			major, minor = header.Devmajor, header.Devminor
		}
		var attributes []string
		for key, value := range header.PAXRecords {
			if name, found := strings.CutPrefix(key, "SCHILY.xattr."); found {
				attributes = append(attributes, fmt.Sprintf("%x=%x", name, value))
			}
		}
		sort.Strings(attributes)
		fmt.Printf("%s|%x|%x|%o|%d|%d|%d.%09d|%d|%d,%d|%s|%s|%x|%x\n", kind, header.Name, link,
			header.Mode&0o7777, header.Uid, header.Gid, header.ModTime.Unix(), header.ModTime.Nanosecond(),
			size, major, minor, sum, strings.Join(attributes, ","), header.Uname, header.Gname)
	}
}

func write() {
	for _, format := range []tar.Format{tar.FormatUSTAR, tar.FormatGNU, tar.FormatPAX} {
		file, err := os.Create(fmt.Sprintf("%s/go-%s.tar", os.Args[2], format))
		check(err)
		writer := tar.NewWriter(file)
		base := tar.Header{Format: format, Mode: 0o640, Uid: 1000, Gid: 1001, ModTime: time.Unix(1700000000, 0), Uname: "user", Gname: "group"}
		add := func(change func(*tar.Header), content string) {
			header := base
			header.Typeflag = tar.TypeReg
			change(&header)
			header.Size = int64(len(content))
			if err := writer.WriteHeader(&header); err != nil {
				return // not every format can say everything
			}
			_, err := io.WriteString(writer, content)
			check(err)
		}
		add(func(h *tar.Header) { h.Name = "a/file" }, "content")
		add(func(h *tar.Header) { h.Name = strings.Repeat("long/", 30) + "file" }, "prefix")
		add(func(h *tar.Header) { h.Name = strings.Repeat("n", 300) }, "long name")
		add(func(h *tar.Header) { h.Name = "grüße/☃" }, "utf-8")
		add(func(h *tar.Header) { h.Name = "raw/\xff\xfe" }, "bytes")
		add(func(h *tar.Header) { h.Name = "dir/"; h.Typeflag = tar.TypeDir }, "")
		add(func(h *tar.Header) { h.Name = "hard"; h.Typeflag = tar.TypeLink; h.Linkname = "a/file" }, "")
		add(func(h *tar.Header) {
			h.Name = "soft"
			h.Typeflag = tar.TypeSymlink
			h.Linkname = strings.Repeat("../x", 60)
		}, "")
		add(func(h *tar.Header) { h.Name = "dev"; h.Typeflag = tar.TypeChar; h.Devmajor = 5; h.Devminor = 300000 }, "")
		add(func(h *tar.Header) { h.Name = "pipe"; h.Typeflag = tar.TypeFifo }, "")
		add(func(h *tar.Header) { h.Name = "owner"; h.Uid = 4000000000; h.Gid = 3000000 }, "")
		add(func(h *tar.Header) { h.Name = "time"; h.ModTime = time.Unix(-5, 250000000) }, "")
		add(func(h *tar.Header) { h.Name = "time2"; h.ModTime = time.Unix(1700000000, 123456789) }, "")
		add(func(h *tar.Header) {
			h.Name = "attributes"
			h.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": "\x01\x00\x00\x02=\n\xff", "VENDOR.x": "y"}
		}, "elf")
		check(writer.Close())
		check(file.Close())
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
