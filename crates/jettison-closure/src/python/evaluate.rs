//! What an expression says, as far as it can be told: strings put together,
//! paths below `__file__`, variables of the environment.

use std::collections::HashMap;

use jettison_image::ImagePath;
use ruff_python_ast::{Expr, ExprCall, InterpolatedStringElement, Operator};

use crate::World;
use crate::scripts::{Text, UNKNOWN};

/// Expressions that are looked into for one file.
const MOST_STEPS: usize = 2_000_000;
/// Expressions inside of expressions.
const MOST_DEPTH: usize = 64;
/// Bytes of a value.
const MOST_BYTES: usize = 16 << 10;

pub(super) struct Values<'w> {
    pub(super) world: World<'w>,
    pub(super) file: Option<ImagePath>,
    pub(super) prefix: Option<ImagePath>,
    /// Names that are given one string or path.
    pub(super) names: HashMap<String, Text>,
    steps: usize,
}

impl<'w> Values<'w> {
    pub(super) fn new(
        world: World<'w>,
        file: Option<ImagePath>,
        prefix: Option<ImagePath>,
    ) -> Self {
        Self {
            world,
            file,
            prefix,
            names: HashMap::new(),
            steps: MOST_STEPS,
        }
    }

    /// The text of an expression; parts that cannot be told are [`UNKNOWN`].
    pub(super) fn of(&mut self, expression: &Expr) -> Option<Text> {
        self.text(expression, MOST_DEPTH)
    }

    fn text(&mut self, expression: &Expr, depth: usize) -> Option<Text> {
        self.steps = self.steps.checked_sub(1)?;
        let depth = depth.checked_sub(1)?;
        let mut text = match expression {
            Expr::StringLiteral(string) => string.value.to_str().as_bytes().to_vec(),
            Expr::BytesLiteral(bytes) => bytes.value.bytes().collect(),
            Expr::FString(string) => {
                let mut text = Text::new();
                for part in string.value.iter() {
                    if let Some(literal) = part.as_literal() {
                        text.extend_from_slice(literal.value.as_bytes());
                    }
                }
                for element in string.value.elements() {
                    match element {
                        InterpolatedStringElement::Literal(literal) => {
                            text.extend_from_slice(literal.value.as_bytes());
                        }
                        InterpolatedStringElement::Interpolation(inside) => {
                            let value = self.text(&inside.expression, depth);
                            text.extend(value.unwrap_or_else(|| vec![UNKNOWN]));
                        }
                    }
                }
                text
            }
            Expr::BinOp(operation) => {
                let left = self.text(&operation.left, depth)?;
                match operation.op {
                    Operator::Add => {
                        let right = self.text(&operation.right, depth);
                        [left, right.unwrap_or_else(|| vec![UNKNOWN])].concat()
                    }
                    Operator::Div => {
                        let right = self.text(&operation.right, depth);
                        join(left, &right.unwrap_or_else(|| vec![UNKNOWN]))
                    }
                    Operator::Mod => formatted(&left, b'%'),
                    _ => return None,
                }
            }
            Expr::Name(name) => match name.id.as_str() {
                "__file__" => [b"/", self.file.as_ref()?.as_bytes()].concat(),
                name => self.names.get(name)?.clone(),
            },
            Expr::Attribute(attribute) => match attribute.attr.as_str() {
                "parent" => parent(&self.text(&attribute.value, depth)?),
                "prefix" | "base_prefix" | "exec_prefix" if is_name(&attribute.value, "sys") => {
                    [b"/", self.prefix.as_ref()?.as_bytes()].concat()
                }
                // `self.directory`, where the class gives it a value.
                name if is_name(&attribute.value, "self") => self.names.get(name)?.clone(),
                _ => return None,
            },
            Expr::Subscript(subscript) => match &*subscript.value {
                Expr::Attribute(inner) if inner.attr.as_str() == "parents" => {
                    let Expr::NumberLiteral(number) = &*subscript.slice else {
                        return None;
                    };
                    let mut path = self.text(&inner.value, depth)?;
                    let levels = number.value.as_int().and_then(|int| int.as_u8())?;
                    for _ in 0..=levels {
                        path = parent(&path);
                    }
                    path
                }
                Expr::Attribute(inner) if inner.attr.as_str() == "environ" => {
                    let name = self.text(&subscript.slice, depth)?;
                    self.environment(&name)?
                }
                _ => return None,
            },
            Expr::Call(call) => self.call(call, depth)?,
            Expr::If(choice) => self.text(&choice.body, depth)?,
            Expr::BoolOp(choice) => choice
                .values
                .iter()
                .rev()
                .find_map(|one| self.text(one, depth))?,
            Expr::Named(named) => self.text(&named.value, depth)?,
            _ => return None,
        };
        text.truncate(MOST_BYTES);
        Some(text)
    }

    fn call(&mut self, call: &ExprCall, depth: usize) -> Option<Text> {
        let (receiver, name) = match &*call.func {
            Expr::Name(name) => (None, name.id.as_str()),
            Expr::Attribute(attribute) => (Some(&*attribute.value), attribute.attr.as_str()),
            _ => return None,
        };
        let arguments = &call.arguments.args;
        let first = arguments.first();
        match name {
            "dirname" => Some(parent(&self.text(first?, depth)?)),
            "join" if receiver.is_some_and(|one| is_attribute(one, "path")) => {
                let mut path = self.text(first?, depth)?;
                for argument in &arguments[1..] {
                    let next = self.text(argument, depth);
                    path = join(path, &next.unwrap_or_else(|| vec![UNKNOWN]));
                }
                Some(path)
            }
            "join"
                if first.is_some()
                    && arguments.len() == 1
                    && receiver.is_some_and(|one| one.is_name_expr()) =>
            {
                // `join(a, b)` of `from os.path import join` has two.
                None
            }
            "join" | "joinpath" | "Path" | "PurePath" | "PosixPath" => {
                let mut path = match receiver {
                    Some(receiver) if name == "joinpath" => self.text(receiver, depth)?,
                    _ => Text::new(),
                };
                for argument in arguments.iter() {
                    let next = self.text(argument, depth);
                    path = join(path, &next.unwrap_or_else(|| vec![UNKNOWN]));
                }
                (!path.is_empty()).then_some(path)
            }
            "abspath" | "realpath" | "normpath" | "expanduser" | "str" | "fspath"
            | "expandvars" | "files" => self.text(first?, depth),
            "resolve" | "absolute" | "as_posix" | "strip" | "rstrip" | "encode" => {
                self.text(receiver?, depth)
            }
            "with_name" => {
                let path = self.text(receiver?, depth)?;
                let next = self.text(first?, depth)?;
                Some(join(parent(&path), &next))
            }
            "format" => Some(formatted(&self.text(receiver?, depth)?, b'{')),
            "getcwd" | "cwd" => Some([b"/", self.world.working_directory.as_bytes()].concat()),
            "getenv" | "get" | "setdefault" => {
                let is_environment = name == "getenv"
                    || receiver
                        .is_some_and(|one| is_attribute(one, "environ") || is_name(one, "environ"));
                if !is_environment {
                    return None;
                }
                let name = self.text(first?, depth)?;
                match self.environment(&name) {
                    Some(value) => Some(value),
                    None => self.text(arguments.get(1)?, depth),
                }
            }
            _ => None,
        }
    }

    fn environment(&self, name: &[u8]) -> Option<Text> {
        let value = self
            .world
            .environment
            .get(std::str::from_utf8(name).ok()?)?;
        Some(value.as_bytes().to_vec())
    }
}

/// `os.path.join`.
pub(super) fn join(left: Text, right: &[u8]) -> Text {
    if right.starts_with(b"/") || left.is_empty() {
        return right.to_vec();
    }
    let mut path = left;
    if !path.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(right);
    path.truncate(MOST_BYTES);
    path
}

fn parent(path: &[u8]) -> Text {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(0) => b"/".to_vec(),
        Some(at) => path[..at].to_vec(),
        None => Text::new(),
    }
}

/// A text with places to fill in: each becomes unknown.
fn formatted(text: &[u8], mark: u8) -> Text {
    let mut out = Text::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if text[at] != mark {
            out.push(text[at]);
            at += 1;
            continue;
        }
        out.push(UNKNOWN);
        let rest = &text[at + 1..];
        let length = if mark == b'{' {
            rest.iter()
                .position(|&byte| byte == b'}')
                .map_or(rest.len(), |end| end + 1)
        } else {
            rest.iter()
                .position(u8::is_ascii_alphabetic)
                .map_or(rest.len(), |end| end + 1)
        };
        at += 1 + length;
    }
    out
}

pub(super) fn is_name(expression: &Expr, name: &str) -> bool {
    matches!(expression, Expr::Name(one) if one.id.as_str() == name)
}

pub(super) fn is_attribute(expression: &Expr, name: &str) -> bool {
    matches!(expression, Expr::Attribute(one) if one.attr.as_str() == name)
}
