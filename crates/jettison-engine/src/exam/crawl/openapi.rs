//! Requests that an OpenAPI 3 or Swagger 2 document describes: the GET
//! operations whose required parameters have an example.

use serde_json::Value;

/// Operations of one document that are taken.
const MOST: usize = 40;

/// True for a document of either kind.
pub(super) fn is_openapi(document: &Value) -> bool {
    let has = |name: &str| document.get(name).is_some_and(Value::is_string);
    (has("openapi") || has("swagger")) && document.get("paths").is_some_and(Value::is_object)
}

/// Path and query of every operation that can be asked.
pub(super) fn requests(document: &Value) -> Vec<String> {
    let base = base(document);
    let mut requests = Vec::new();
    let paths = document.get("paths").and_then(Value::as_object);
    for (path, item) in paths.into_iter().flatten() {
        let Some(operation) = item.get("get") else {
            continue;
        };
        let parameters = [item, operation]
            .into_iter()
            .filter_map(|owner| owner.get("parameters")?.as_array())
            .flatten()
            .filter_map(|parameter| resolve(document, parameter));
        if let Some(request) = request(document, &base, path, parameters) {
            requests.push(request);
        }
        if requests.len() == MOST {
            break;
        }
    }
    requests
}

/// None when something that is required has no example.
fn request<'d>(
    document: &'d Value,
    base: &str,
    path: &str,
    parameters: impl Iterator<Item = &'d Value>,
) -> Option<String> {
    let mut path = path.to_owned();
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let mut has_query = false;
    for parameter in parameters {
        let name = parameter.get("name")?.as_str()?;
        let place = parameter
            .get("in")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let required = parameter
            .get("required")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        match place {
            "path" => {
                let value = example(document, parameter)?;
                let encoded: String =
                    url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
                path = path.replace(&format!("{{{name}}}"), &encoded.replace('+', "%20"));
            }
            "query" if required => {
                query.append_pair(name, &example(document, parameter)?);
                has_query = true;
            }
            _ if required => return None,
            _ => {}
        }
    }
    if path.contains('{') || !path.starts_with('/') {
        return None;
    }
    let query = if has_query {
        format!("?{}", query.finish())
    } else {
        String::new()
    };
    Some(format!("{base}{path}{query}"))
}

/// An example of a parameter: its own, its schema's, a default, the first of
/// an enumeration.
fn example(document: &Value, parameter: &Value) -> Option<String> {
    let first = |value: &Value| value.as_array()?.first().cloned();
    let examples = || {
        let named = parameter.get("examples")?.as_object()?.values().next()?;
        resolve(document, named)?.get("value").cloned()
    };
    let schema = parameter
        .get("schema")
        .and_then(|schema| resolve(document, schema));
    // Swagger 2 has no schema there, but its words.
    let within = |owner: &Value| {
        let plain = ["example", "default"]
            .into_iter()
            .find_map(|name| owner.get(name).cloned());
        let listed = ["examples", "enum"]
            .into_iter()
            .find_map(|name| first(owner.get(name)?));
        plain.or(listed)
    };
    let value = within(parameter)
        .or_else(examples)
        .or_else(|| within(schema?))?;
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// A local reference is followed once; anything else is no reference.
fn resolve<'d>(document: &'d Value, value: &'d Value) -> Option<&'d Value> {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => document.pointer(reference.strip_prefix('#')?),
        None => Some(value),
    }
}

/// What stands before every path: `basePath`, or the first server's path.
fn base(document: &Value) -> String {
    let server = || document.get("servers")?.get(0)?.get("url")?.as_str();
    let base = document
        .get("basePath")
        .and_then(Value::as_str)
        .or_else(server);
    let base = base.unwrap_or_default();
    // `https://host/v1` and `/v1` alike.
    let path = match base.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
        None => base,
    };
    let path = path.trim_end_matches('/');
    if path.starts_with('/') && !path.contains('{') {
        path.to_owned()
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{is_openapi, requests};

    #[test]
    fn operations() {
        let document = json!({
            "openapi": "3.1.0",
            "servers": [{"url": "https://shop.example/v1/"}],
            "components": {"parameters": {"Id": {"name": "id", "in": "path", "required": true, "schema": {"type": "integer", "example": 7}}}},
            "paths": {
                "/items": {"get": {"parameters": [{"name": "page", "in": "query"}]}, "post": {}},
                "/items/{id}": {"parameters": [{"$ref": "#/components/parameters/Id"}], "get": {}},
                "/find": {"get": {"parameters": [{"name": "q", "in": "query", "required": true, "example": "a b"}]}},
                "/need": {"get": {"parameters": [{"name": "q", "in": "query", "required": true}]}},
                "/key": {"get": {"parameters": [{"name": "X-Key", "in": "header", "required": true, "example": "k"}]}},
                "/only-post": {"post": {}},
                "/loop/{a}": {"get": {"parameters": [{"$ref": "#/nowhere"}]}},
            }
        });
        assert!(is_openapi(&document));
        let expected = ["/v1/items", "/v1/items/7", "/v1/find?q=a+b"];
        assert_eq!(requests(&document), expected);
        let old = json!({"swagger": "2.0", "basePath": "/api", "paths": {
            "/a/{n}": {"get": {"parameters": [{"name": "n", "in": "path", "required": true, "enum": ["x"]}]}}}});
        assert_eq!(requests(&old), ["/api/a/x"]);
        assert!(!is_openapi(&json!({"paths": {}})));
        assert!(requests(&json!([])).is_empty());
    }
}
