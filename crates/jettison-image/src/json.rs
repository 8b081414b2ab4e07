//! Reading JSON that came from outside, field by field.
//!
//! The engines read these documents with Go's `encoding/json`: keys match
//! regardless of ASCII case, `null` is the same as a missing key, and of two
//! equal keys the last one counts. This reader takes the same documents with
//! one exception: an object with *two spellings* of one known key is refused,
//! because readers then disagree about what it says. What nobody asked for is
//! kept ([`Fields::rest`]).

use serde_json::{Map, Value};

use crate::{Digest, Error, Limits, escape};

/// The object that is being read, with its place for messages.
pub(crate) struct Fields {
    what: String,
    map: Map<String, Value>,
}

impl Fields {
    /// Parses a whole document that must be an object.
    pub(crate) fn parse(what: &str, bytes: &[u8], limits: &Limits) -> Result<Self, Error> {
        if bytes.len() as u64 > limits.json_bytes {
            return Err(too_long(what, limits));
        }
        // serde_json stops at 128 levels, so a deep document is an error and no stack overflow.
        let value: Value = serde_json::from_slice(bytes)
            .map_err(|cause| Error::malformed(what, format!("is not JSON: {cause}")))?;
        Self::of(what.to_owned(), value)
    }

    /// Takes a value that must be an object.
    pub(crate) fn of(what: String, value: Value) -> Result<Self, Error> {
        match value {
            Value::Object(map) => Ok(Self { what, map }),
            other => Err(expected(what, "an object", &other)),
        }
    }

    /// Where this object lies, for messages.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// True when a key is there, in whatever case, and not null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.map
            .iter()
            .any(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_null())
    }

    /// Takes one field; `null` is none.
    pub(crate) fn take(&mut self, name: &str) -> Result<Option<Value>, Error> {
        let mut spelled = self.map.keys().filter(|key| key.eq_ignore_ascii_case(name));
        let Some(key) = spelled.next().cloned() else {
            return Ok(None);
        };
        if let Some(second) = spelled.next() {
            let problem = format!("says both `{}` and `{}`", escape(&key), escape(second));
            return Err(Error::malformed(&self.what, problem));
        }
        Ok(self.map.swap_remove(&key).filter(|value| !value.is_null()))
    }

    /// Takes a text.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Error> {
        match self.take(name)? {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.expected(name, "a text", &other)),
        }
    }

    /// Takes a text; an empty one is none, as Go's `omitempty` writes it.
    pub(crate) fn filled_text(&mut self, name: &str) -> Result<Option<String>, Error> {
        Ok(self.text(name)?.filter(|text| !text.is_empty()))
    }

    /// Takes a truth value; missing is false.
    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, Error> {
        match self.take(name)? {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(self.expected(name, "true or false", &other)),
        }
    }

    /// Takes a whole number.
    pub(crate) fn integer(&mut self, name: &str) -> Result<Option<i64>, Error> {
        match self.take(name)? {
            None => Ok(None),
            Some(value) => value
                .as_i64()
                .map(Some)
                .ok_or_else(|| self.expected(name, "a whole number", &value)),
        }
    }

    /// Takes a size in bytes.
    pub(crate) fn size(&mut self, name: &str) -> Result<Option<u64>, Error> {
        match self.take(name)? {
            None => Ok(None),
            // The engines hold sizes as signed 64-bit numbers.
            Some(value) => value
                .as_u64()
                .filter(|&size| size <= i64::MAX as u64)
                .map(Some)
                .ok_or_else(|| self.expected(name, "a size in bytes", &value)),
        }
    }

    /// Takes a digest.
    pub(crate) fn digest(&mut self, name: &str) -> Result<Option<Digest>, Error> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|cause| {
            Error::malformed(&self.what, format!("{name} `{}`: {cause}", escape(&text)))
        })
    }

    /// Takes a list of texts; a `null` among them is the empty text, as Go reads it.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, Error> {
        let Some(values) = self.list(name)? else {
            return Ok(None);
        };
        let texts = values.into_iter().map(|value| match value {
            Value::String(text) => Ok(text),
            Value::Null => Ok(String::new()),
            other => Err(self.expected(name, "a list of texts", &other)),
        });
        texts.collect::<Result<_, _>>().map(Some)
    }

    /// Takes a list of anything.
    pub(crate) fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>, Error> {
        match self.take(name)? {
            None => Ok(None),
            Some(Value::Array(values)) => Ok(Some(values)),
            Some(other) => Err(self.expected(name, "a list", &other)),
        }
    }

    /// Takes a list of objects.
    pub(crate) fn objects(&mut self, name: &str) -> Result<Option<Vec<Fields>>, Error> {
        let Some(values) = self.list(name)? else {
            return Ok(None);
        };
        let objects = values
            .into_iter()
            .enumerate()
            .map(|(at, value)| Fields::of(format!("{}: {name}[{at}]", self.what), value));
        objects.collect::<Result<_, _>>().map(Some)
    }

    /// Takes an object.
    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Fields>, Error> {
        let what = format!("{}: {name}", self.what);
        self.take(name)?
            .map(|value| Fields::of(what, value))
            .transpose()
    }

    /// Takes an object whose values are texts.
    pub(crate) fn text_map(&mut self, name: &str) -> Result<Vec<(String, String)>, Error> {
        let Some(object) = self.object(name)? else {
            return Ok(Vec::new());
        };
        let pairs = object.map.into_iter().map(|(key, value)| match value {
            Value::String(text) => Ok((key, text)),
            Value::Null => Ok((key, String::new())),
            other => Err(expected(object.what.clone(), "texts only", &other)),
        });
        pairs.collect()
    }

    /// Takes the keys of an object that stands for a set (`{"80/tcp": {}}`).
    pub(crate) fn key_set(&mut self, name: &str) -> Result<Vec<String>, Error> {
        let Some(object) = self.object(name)? else {
            return Ok(Vec::new());
        };
        Ok(object.map.into_iter().map(|(key, _)| key).collect())
    }

    /// The error for a field that must be there.
    pub(crate) fn missing(&self, name: &str) -> Error {
        Error::malformed(&self.what, format!("{name} is missing"))
    }

    /// What was not taken.
    pub(crate) fn rest(self) -> Map<String, Value> {
        self.map
    }

    fn expected(&self, name: &str, form: &str, found: &Value) -> Error {
        expected(format!("{}: {name}", self.what), form, found)
    }
}

/// The error for a document over the limit.
pub(crate) fn too_long(what: &str, limits: &Limits) -> Error {
    Error::Limit {
        what: what.to_owned(),
        limit: limits.json_bytes,
        unit: "bytes of JSON",
        flag: "json-bytes",
    }
}

fn expected(what: String, form: &str, found: &Value) -> Error {
    let kind = match found {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Error::malformed(what, format!("expected {form}, found {kind}"))
}

/// Writes an object in the order given, absent values left out, then `rest`.
/// The output depends on the values alone.
pub(crate) fn object(known: Vec<(&str, Option<Value>)>, rest: &Map<String, Value>) -> Value {
    let mut map = Map::new();
    for (key, value) in known {
        if let Some(value) = value {
            map.insert(key.to_owned(), value);
        }
    }
    for (key, value) in rest {
        map.entry(key.clone()).or_insert_with(|| value.clone());
    }
    Value::Object(map)
}

/// Like [`object`] with all keys sorted.
pub(crate) fn sorted_object(known: Vec<(&str, Option<Value>)>, rest: &Map<String, Value>) -> Value {
    let mut value = object(known, rest);
    if let Value::Object(map) = &mut value {
        map.sort_keys();
    }
    value
}
