// The judge: BuildKit's own parser, instructions, word expansion and ignore patterns, asked over a pipe.
//
// A request is a letter, a count and that many byte strings, each with its length in front (big-endian, 32 bits);
// an answer is one line of JSON. Byte strings in answers are base64, because Dockerfiles need not be UTF-8.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

type node struct {
	Name     []byte
	Flags    [][]byte
	Args     [][]byte
	JSON     bool
	Heredocs []heredoc
	Start    int
	End      int
	Comments [][]byte
}

type heredoc struct {
	Name    []byte
	Fd      uint
	Expand  bool
	Chomp   bool
	Content []byte
}

type command struct {
	Kind   string
	Fields [][]byte
}

type stage struct {
	Name, Base, Platform, Comment []byte
	Start, End                    int
	Commands                      []command
}

type dockerfile struct {
	Error   []byte
	Line    int
	Nodes   []node
	Escape  int
	Globals []command
	Stages  []stage
}

func b(list []string) [][]byte {
	out := [][]byte{}
	for _, s := range list {
		out = append(out, []byte(s))
	}
	return out
}

func flat(n *parser.Node) []string {
	out := []string{}
	for ; n.Next != nil; n = n.Next {
		if len(n.Next.Children) == 0 {
			out = append(out, n.Next.Value)
			continue
		}
		out = append(out, n.Next.Children[0].Value)
		out = append(out, flat(n.Next.Children[0])...)
	}
	return out
}

func lines(r []parser.Range) (int, int) {
	if len(r) == 0 {
		return 0, 0
	}
	return r[0].Start.Line, r[len(r)-1].End.Line
}

func parse(data []byte) dockerfile {
	out := dockerfile{Nodes: []node{}, Globals: []command{}, Stages: []stage{}}
	fail := func(err error) dockerfile {
		out.Error = []byte(err.Error())
		return out
	}
	if len(data) == 0 {
		return fail(fmt.Errorf("the Dockerfile cannot be empty"))
	}
	res, err := parser.Parse(bytes.NewReader(data))
	if err != nil {
		return fail(err)
	}
	out.Escape = int(res.EscapeToken)
	for _, c := range res.AST.Children {
		n := node{Name: []byte(c.Value), Flags: b(c.Flags), Args: b(flat(c)), JSON: c.Attributes["json"],
			Start: c.StartLine, End: c.EndLine, Comments: b(c.PrevComment), Heredocs: []heredoc{}}
		for _, h := range c.Heredocs {
			n.Heredocs = append(n.Heredocs, heredoc{[]byte(h.Name), h.FileDescriptor, h.Expand, h.Chomp, []byte(h.Content)})
		}
		out.Nodes = append(out.Nodes, n)
	}
	stages, globals, err := instructions.Parse(res.AST, nil)
	if err != nil {
		return fail(err)
	}
	for _, g := range globals {
		out.Globals = append(out.Globals, dump(&g))
	}
	for _, s := range stages {
		start, end := lines(s.Location)
		st := stage{Name: []byte(s.Name), Base: []byte(s.BaseName), Platform: []byte(s.Platform), Comment: []byte(s.Comment),
			Start: start, End: end, Commands: []command{}}
		for _, c := range s.Commands {
			st.Commands = append(st.Commands, dump(c))
		}
		out.Stages = append(out.Stages, st)
	}
	if len(stages) == 0 {
		return fail(fmt.Errorf("dockerfile contains no stages to build"))
	}
	return out
}

func dump(c instructions.Command) command {
	out := command{Kind: strings.ToLower(c.Name()), Fields: [][]byte{}}
	add := func(format string, args ...any) {
		out.Fields = append(out.Fields, []byte(fmt.Sprintf(format, args...)))
	}
	start, end := lines(c.Location())
	add("%d-%d", start, end)
	pairs := func(list instructions.KeyValuePairs) {
		for _, p := range list {
			add("%s", p.Key)
			add("%s", p.Value)
			add("%v", p.NoDelim)
		}
	}
	words := func(list []string) {
		for _, w := range list {
			add("%s", w)
		}
	}
	line := func(l instructions.ShellDependantCmdLine) {
		add("shell=%v", l.PrependShell)
		words(l.CmdLine)
		for _, f := range l.Files {
			add("file %v %s", f.Chomp, f.Name)
			add("%s", f.Data)
		}
	}
	files := func(s instructions.SourcesAndDest) {
		add("to %s", s.DestPath)
		for _, p := range s.SourcePaths {
			add("from %s", p)
		}
		for _, p := range s.SourceContents {
			add("inline %v %s", p.Expand, p.Path)
			add("%s", p.Data)
		}
	}
	opt := func(v *bool) string {
		if v == nil {
			return "-"
		}
		return fmt.Sprint(*v)
	}
	switch c := c.(type) {
	case *instructions.EnvCommand:
		pairs(c.Env)
	case *instructions.LabelCommand:
		pairs(c.Labels)
	case *instructions.MaintainerCommand:
		add("%s", c.Maintainer)
	case *instructions.AddCommand:
		files(c.SourcesAndDest)
		add("%s", c.Chown)
		add("%s", c.Chmod)
		add("%v %s %s", c.Link, opt(c.KeepGitDir), opt(c.Unpack))
		add("%s", c.Checksum)
		words(c.ExcludePatterns)
	case *instructions.CopyCommand:
		files(c.SourcesAndDest)
		add("%s", c.Chown)
		add("%s", c.Chmod)
		add("%v %v", c.Link, c.Parents)
		add("%s", c.From)
		words(c.ExcludePatterns)
	case *instructions.OnbuildCommand:
		add("%s", c.Expression)
	case *instructions.WorkdirCommand:
		add("%s", c.Path)
	case *instructions.RunCommand:
		line(c.ShellDependantCmdLine)
		add("mounts=%d %s %s", len(instructions.GetMounts(c)), instructions.GetNetwork(c), instructions.GetSecurity(c))
		for _, d := range instructions.GetDevices(c) {
			add("device %v %s", d.Required, d.Name)
		}
		for _, m := range instructions.GetMounts(c) {
			add("mount %s", m.From)
		}
	case *instructions.CmdCommand:
		line(c.ShellDependantCmdLine)
	case *instructions.EntrypointCommand:
		line(c.ShellDependantCmdLine)
	case *instructions.HealthCheckCommand:
		words(c.Health.Test)
		h := c.Health
		add("%d %d %d %d %d", h.Interval, h.Timeout, h.StartPeriod, h.StartInterval, h.Retries)
	case *instructions.ExposeCommand:
		words(c.Ports)
	case *instructions.UserCommand:
		add("%s", c.User)
	case *instructions.VolumeCommand:
		words(c.Volumes)
	case *instructions.StopSignalCommand:
		add("%s", c.Signal)
	case *instructions.ArgCommand:
		for _, a := range c.Args {
			add("%s", a.Key)
			add("%v %s", a.Value != nil, a.ValueString())
			add("%s", a.Comment)
		}
	case *instructions.ShellCommand:
		words(c.Shell)
	}
	return out
}

type expansion struct {
	Error              []byte
	Word               []byte
	Words              [][]byte
	Matched, Unmatched []string
}

// A word: the escape character, a letter for each setting, the word, then NAME=value pairs.
func expand(fields [][]byte) (out expansion) {
	lex := shell.NewLex(rune(fields[0][0]))
	set := string(fields[1])
	lex.RawQuotes = strings.Contains(set, "q")
	lex.RawEscapes = strings.Contains(set, "e")
	lex.SkipProcessQuotes = strings.Contains(set, "s")
	lex.SkipUnsetEnv = strings.Contains(set, "u")
	env := []string{}
	for _, pair := range fields[3:] {
		env = append(env, string(pair))
	}
	res, err := lex.ProcessWordWithMatches(string(fields[2]), shell.EnvsFromSlice(env))
	out.Words = b(res.Words)
	out.Word = []byte(res.Result)
	if err != nil {
		return expansion{Error: []byte(err.Error()), Words: [][]byte{}}
	}
	for k := range res.Matched {
		out.Matched = append(out.Matched, k)
	}
	for k := range res.Unmatched {
		out.Unmatched = append(out.Unmatched, k)
	}
	sort.Strings(out.Matched)
	sort.Strings(out.Unmatched)
	return out
}

type ignored struct {
	Error    []byte
	Patterns [][]byte
	// One answer per path: 1 ignored, 0 not, -1 error.
	Paths []int
	// The same with the results of the parent directory handed down, as in a walk.
	Walked []int
}

func ignore(fields [][]byte) (out ignored) {
	patterns, err := ignorefile.ReadAll(bytes.NewReader(fields[0]))
	if err != nil {
		return ignored{Error: []byte(err.Error())}
	}
	out.Patterns = b(patterns)
	pm, err := patternmatcher.New(patterns)
	if err != nil {
		out.Error = []byte(err.Error())
		return out
	}
	for _, p := range fields[1:] {
		answer := -1
		func() {
			// A pattern that does not compile panics the second time it is used.
			defer func() { _ = recover() }()
			if m, err := pm.MatchesOrParentMatches(string(p)); err == nil {
				answer = 0
				if m {
					answer = 1
				}
			}
		}()
		out.Paths = append(out.Paths, answer)
		answer = -1
		func() {
			defer func() { _ = recover() }()
			info := patternmatcher.MatchInfo{}
			parts := strings.Split(string(p), "/")
			for i := range parts {
				m, next, err := pm.MatchesUsingParentResults(strings.Join(parts[:i+1], "/"), info)
				if err != nil {
					return
				}
				info = next
				if i == len(parts)-1 {
					answer = 0
					if m {
						answer = 1
					}
				}
			}
		}()
		out.Walked = append(out.Walked, answer)
	}
	return out
}

type mount struct {
	Error  []byte
	Fields []string
}

func mounts(value []byte) (out mount) {
	res, err := parser.Parse(strings.NewReader("FROM a\nRUN --mount=" + string(value) + " x\n"))
	if err == nil {
		var stages []instructions.Stage
		stages, _, err = instructions.Parse(res.AST, nil)
		if err == nil {
			run := stages[0].Commands[0].(*instructions.RunCommand)
			err = run.Expand(func(word string) (string, error) { return word, nil })
			if err == nil {
				for _, m := range instructions.GetMounts(run) {
					j, _ := json.Marshal(m)
					out.Fields = append(out.Fields, string(j))
				}
			}
		}
	}
	if err != nil {
		out.Error = []byte(err.Error())
	}
	return out
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	number := func() (uint32, error) {
		var buf [4]byte
		_, err := io.ReadFull(in, buf[:])
		return binary.BigEndian.Uint32(buf[:]), err
	}
	for {
		kind, err := in.ReadByte()
		if err != nil {
			return
		}
		count, err := number()
		if err != nil {
			return
		}
		fields := make([][]byte, count)
		for i := range fields {
			size, err := number()
			if err != nil {
				return
			}
			fields[i] = make([]byte, size)
			if _, err := io.ReadFull(in, fields[i]); err != nil {
				return
			}
		}
		switch kind {
		case 'D':
			_ = encoder.Encode(parse(fields[0]))
		case 'W':
			_ = encoder.Encode(expand(fields))
		case 'I':
			_ = encoder.Encode(ignore(fields))
		case 'M':
			_ = encoder.Encode(mounts(fields[0]))
		}
	}
}
