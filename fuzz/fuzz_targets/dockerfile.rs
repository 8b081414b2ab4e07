//! Any bytes as a Dockerfile: no panic, the tree prints what was read, every range is inside the file, and a file
//! that is accepted is accepted again after an edit that changes nothing.

#![no_main]

use std::collections::BTreeMap;

use jettison_dockerfile::edit::Edits;
use jettison_dockerfile::expand::{Lex, NoVariables};
use jettison_dockerfile::{outline, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (tree, errors) = parse(data);
    assert_eq!(tree.to_bytes(), data);
    let mut end = 0;
    for token in tree.tokens() {
        assert_eq!(token.range.start, end);
        end = token.range.end;
    }
    assert_eq!(end, data.len());
    let lex = Lex {
        limit_bytes: 1 << 20,
        ..Lex::new(tree.escape())
    };
    let mut edits = Edits::new(&tree);
    for (node, instruction) in tree.nodes().iter().zip(tree.instructions()) {
        assert!(node.range.end <= data.len() && node.lines.start <= node.lines.end);
        for word in &node.arguments {
            assert!(word.range.start <= word.range.end && word.range.end <= data.len());
        }
        let _ = instruction.expanded(&lex, &NoVariables);
        let _ = edits.replace(node.keyword.range.clone(), tree.text(&node.keyword.range));
    }
    assert_eq!(edits.apply(), data);
    if errors.is_empty() {
        assert!(edits.apply_checked().is_ok());
        outline::targets(&tree);
        let _ = outline::outline(&tree, None, &BTreeMap::new(), &BTreeMap::new());
    }
});
