//! The values of a query's parameters, from JSON.

use std::collections::BTreeMap;

use datafusion::common::ScalarValue;
use serde_json::{Map, Value};

use crate::error::Error;

/// The parameters of a statement as DataFusion takes them.
///
/// # Errors
///
/// [`Error::Parameter`] for lists and objects, which SQL has no literals for.
pub(crate) fn scalars(values: Map<String, Value>) -> Result<BTreeMap<String, ScalarValue>, Error> {
    let scalar_of = |(name, value): (String, Value)| {
        let scalar = scalar(&name, value)?;
        Ok((name, scalar))
    };
    values.into_iter().map(scalar_of).collect()
}

fn scalar(name: &str, value: Value) -> Result<ScalarValue, Error> {
    Ok(match value {
        Value::Null => ScalarValue::Null,
        Value::Bool(value) => ScalarValue::from(value),
        Value::String(value) => ScalarValue::from(value),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(value), ..) => ScalarValue::from(value),
            (None, Some(value), _) => ScalarValue::from(value),
            (None, None, Some(value)) => ScalarValue::from(value),
            (None, None, None) => return Err(not_scalar(name)),
        },
        Value::Array(_) | Value::Object(_) => return Err(not_scalar(name)),
    })
}

fn not_scalar(name: &str) -> Error {
    let reason = format!("parameter {name:?} has to be null, a boolean, a number or a string");
    Error::Parameter { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expect: &ScalarValue) {
        let text = format!("{{\"p\":{json}}}");
        let values = serde_json::from_str(&text).expect("a JSON object");
        let scalars = scalars(values).expect("scalars");
        assert_eq!(scalars.get("p"), Some(expect), "{json}");
    }

    #[test]
    fn numbers_keep_their_kind() {
        check("-1", &ScalarValue::Int64(Some(-1)));
        check("18446744073709551615", &ScalarValue::UInt64(Some(u64::MAX)));
        check("1.0", &ScalarValue::Float64(Some(1.0)));
        check("\"1\"", &ScalarValue::Utf8(Some("1".to_owned())));
        check("true", &ScalarValue::Boolean(Some(true)));
        check("null", &ScalarValue::Null);
    }

    #[test]
    fn lists_and_objects_are_refused_by_name() {
        for json in ["[1]", "{}"] {
            let values = serde_json::from_str(&format!("{{\"p\":{json}}}")).expect("JSON");
            let error = scalars(values).expect_err("no scalar");
            assert!(error.to_string().contains("\"p\""), "{error}");
        }
    }
}
