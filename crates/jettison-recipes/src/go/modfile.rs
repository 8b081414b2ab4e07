//! `go.mod` and `go.work`, as far as telling what is where: the module's
//! path, its requirements and the directories of a workspace.

/// A go.mod or go.work file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ModFile {
    /// `module` of a go.mod.
    pub(super) module: Option<String>,
    /// `use` of a go.work.
    pub(super) uses: Vec<String>,
}

impl ModFile {
    pub(super) fn parse(text: &str) -> Self {
        let mut file = Self::default();
        let mut block: Option<String> = None;
        for line in text.lines() {
            let line = line.split("//").next().unwrap_or_default().trim();
            let mut words = line.split_whitespace();
            let Some(first) = words.next() else { continue };
            if block.is_some() && first == ")" {
                block = None;
                continue;
            }
            let (verb, argument) = match &block {
                Some(verb) => (verb.as_str(), Some(first)),
                None => (first, words.next()),
            };
            match (verb, argument) {
                // `use (` and `use(` both open a block.
                (verb, Some("(")) => block = Some(verb.to_owned()),
                (verb, None) if verb.ends_with('(') => {
                    block = Some(verb.trim_end_matches('(').to_owned())
                }
                ("module", Some(path)) => file.module = Some(unquoted(path)),
                ("use", Some(directory)) => file.uses.push(unquoted(directory)),
                _ => {}
            }
        }
        file
    }
}

fn unquoted(word: &str) -> String {
    word.trim_matches(['"', '`']).to_owned()
}

/// What `go build` calls the program of a module's root: the last element of
/// its path, a major version suffix aside.
pub(super) fn program_name(module: &str) -> &str {
    let is_major = |element: &str| {
        element
            .strip_prefix('v')
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let mut elements = module.rsplit('/');
    let last = elements.next().unwrap_or(module);
    if is_major(last) {
        elements.next().unwrap_or(last)
    } else {
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_and_workspaces_are_read() {
        let module = ModFile::parse(
            "// c\nmodule \"example.com/a/v2\" // x\n\ngo 1.26\n\nrequire (\n\tx v1\n)\n",
        );
        assert_eq!(module.module.as_deref(), Some("example.com/a/v2"));
        let work = ModFile::parse(
            "go 1.26\nuse ./one\nuse (\n\t./two // why\n\t`three`\n)\nreplace a => b\n",
        );
        assert_eq!(work.uses, ["./one", "./two", "three"]);
    }

    #[test]
    fn a_program_is_called_as_go_build_calls_it() {
        for (module, expected) in [
            ("example.com/x/tool", "tool"),
            ("example.com/tool/v3", "tool"),
            ("hello", "hello"),
            ("v2", "v2"),
        ] {
            assert_eq!(program_name(module), expected);
        }
    }
}
