//! What an expression says, as far as it can be told: strings put together,
//! paths below `__dirname` and `import.meta.url`, variables of the environment.

use std::collections::HashMap;

use jettison_image::ImagePath;
use oxc_ast::ast::{Argument, CallExpression, Expression, StaticMemberExpression, TemplateLiteral};

use crate::World;
use crate::scripts::{Text, UNKNOWN};

/// Expressions that are looked into for one file.
const MOST_STEPS: usize = 3_000_000;
/// Expressions inside of expressions.
const MOST_DEPTH: usize = 64;
/// Bytes of a value.
const MOST_BYTES: usize = 16 << 10;

pub(super) struct Values<'w> {
    world: World<'w>,
    file: ImagePath,
    /// Names that are given one string.
    pub(super) names: HashMap<String, Text>,
    steps: usize,
}

impl<'w> Values<'w> {
    pub(super) fn new(world: World<'w>, file: ImagePath) -> Self {
        Self {
            world,
            file,
            names: HashMap::new(),
            steps: MOST_STEPS,
        }
    }

    /// The text of an expression; parts that cannot be told are [`UNKNOWN`].
    pub(super) fn of(&mut self, expression: &Expression) -> Option<Text> {
        self.text(expression, MOST_DEPTH)
    }

    pub(super) fn argument(&mut self, argument: &Argument) -> Option<Text> {
        self.of(argument.as_expression()?)
    }

    fn text(&mut self, expression: &Expression, depth: usize) -> Option<Text> {
        self.steps = self.steps.checked_sub(1)?;
        let depth = depth.checked_sub(1)?;
        let mut text = match expression {
            Expression::StringLiteral(string) => string.value.as_str().as_bytes().to_vec(),
            Expression::TemplateLiteral(template) => self.template(template, depth),
            Expression::BinaryExpression(operation) if operation.operator.as_str() == "+" => {
                let left = self.text(&operation.left, depth)?;
                let right = self.text(&operation.right, depth);
                [left, right.unwrap_or_else(|| vec![UNKNOWN])].concat()
            }
            Expression::Identifier(name) => match name.name.as_str() {
                "__dirname" => directory(&self.file),
                "__filename" => absolute(&self.file),
                name => self.names.get(name)?.clone(),
            },
            Expression::StaticMemberExpression(member) => self.member(member)?,
            Expression::CallExpression(call) => self.call(call, depth)?,
            Expression::NewExpression(new) => {
                let Expression::Identifier(name) = &new.callee else {
                    return None;
                };
                if name.name.as_str() != "URL" {
                    return None;
                }
                let path = self.text(new.arguments.first()?.as_expression()?, depth)?;
                let base = self.text(new.arguments.get(1)?.as_expression()?, depth)?;
                let base = base
                    .iter()
                    .rposition(|&byte| byte == b'/')
                    .map_or(&b""[..], |at| &base[..at]);
                join(base.to_vec(), &path)
            }
            Expression::ParenthesizedExpression(inner) => self.text(&inner.expression, depth)?,
            Expression::LogicalExpression(choice) => {
                let left = self.text(&choice.left, depth);
                left.or_else(|| self.text(&choice.right, depth))?
            }
            Expression::ConditionalExpression(choice) => self.text(&choice.consequent, depth)?,
            Expression::TSAsExpression(inner) => self.text(&inner.expression, depth)?,
            Expression::TSNonNullExpression(inner) => self.text(&inner.expression, depth)?,
            _ => return None,
        };
        text.truncate(MOST_BYTES);
        Some(text)
    }

    pub(super) fn template(&mut self, template: &TemplateLiteral, depth: usize) -> Text {
        let mut text = Text::new();
        for (at, quasi) in template.quasis.iter().enumerate() {
            let cooked = quasi.value.cooked.as_ref().map_or("", |text| text.as_str());
            text.extend_from_slice(cooked.as_bytes());
            if let Some(inner) = template.expressions.get(at) {
                text.extend(self.text(inner, depth).unwrap_or_else(|| vec![UNKNOWN]));
            }
            text.truncate(MOST_BYTES);
        }
        text
    }

    fn member(&self, member: &StaticMemberExpression) -> Option<Text> {
        let name = member.property.name.as_str();
        match &member.object {
            Expression::ImportMeta(_) => match name {
                "dirname" => Some(directory(&self.file)),
                "filename" | "url" => Some(absolute(&self.file)),
                _ => None,
            },
            Expression::StaticMemberExpression(inner) if inner.property.name.as_str() == "env" => {
                self.world
                    .environment
                    .get(name)
                    .map(|value| value.as_bytes().to_vec())
            }
            _ => None,
        }
    }

    fn call(&mut self, call: &CallExpression, depth: usize) -> Option<Text> {
        let name = match &call.callee {
            Expression::Identifier(name) => name.name.as_str(),
            Expression::StaticMemberExpression(member) => {
                let name = member.property.name.as_str();
                let is_cwd = matches!(&member.object, Expression::Identifier(one) if one.name.as_str() == "process");
                if name == "cwd" && is_cwd {
                    return Some(absolute(self.world.working_directory));
                }
                name
            }
            _ => return None,
        };
        let first = call.arguments.first().and_then(Argument::as_expression);
        match name {
            "join" | "resolve" => {
                // `list.join(',')`, `promise.resolve(x)` have none of these.
                let mut path = self.text(first?, depth)?;
                if name == "resolve" && !path.starts_with(b"/") && path.first() != Some(&UNKNOWN) {
                    path = join(absolute(self.world.working_directory), &path);
                }
                for argument in &call.arguments[1..] {
                    let next = argument
                        .as_expression()
                        .and_then(|next| self.text(next, depth));
                    path = join(path, &next.unwrap_or_else(|| vec![UNKNOWN]));
                }
                Some(path)
            }
            "dirname" => {
                let path = self.text(first?, depth)?;
                let end = path.iter().rposition(|&byte| byte == b'/')?;
                Some(path[..end].to_vec())
            }
            "fileURLToPath" | "normalize" | "String" | "pathToFileURL" | "realpathSync" => {
                self.text(first?, depth)
            }
            _ => None,
        }
    }
}

/// `path.join`: every part is below the one before it, a leading `./` goes.
fn join(left: Text, right: &[u8]) -> Text {
    if left.is_empty() {
        return right.to_vec();
    }
    let right = right.strip_prefix(b"./").unwrap_or(right);
    let mut path = left;
    if !path.ends_with(b"/") && !right.starts_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(right);
    path.truncate(MOST_BYTES);
    path
}

fn absolute(path: &ImagePath) -> Text {
    [b"/", path.as_bytes()].concat()
}

fn directory(file: &ImagePath) -> Text {
    file.parent()
        .map_or_else(|| b"/".to_vec(), |directory| absolute(&directory))
}
